//! `reliability.csv`: which scores deserve trust here.

use serde::Serialize;
use xbench_stats::{Effect, Icc};

use super::{Lines, effect, optional, probability, words};
use crate::error::StoreError;

/// A row of `reliability.csv`: one score on one model, or on all models together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReliabilityRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model; `all` for the verdict over models.
    pub model: String,
    /// Id of the score.
    pub score: String,
    /// Images on which oracle and random control both have a value.
    pub n: usize,
    /// Probability that the oracle scores better than the random control on an image.
    pub superiority: Option<Effect>,
    /// By how many standard deviations of their difference it does: Cohen's d_z.
    pub distance: Option<Effect>,
    /// The same of the oracle over the shuffled control, where the suite has one.
    pub superiority_shuffled: Option<Effect>,
    /// Models in which the oracle's interval lies above one half.
    pub models_above: Option<usize>,
    /// Models that say anything.
    pub models: usize,
    /// Share of a score's variance that is about the explainer.
    pub icc: Option<Icc>,
    /// Krippendorff's alpha: do images agree on the order of explainers?
    pub alpha: Option<f64>,
    /// `trust`, `caution` or `says nothing here`.
    pub verdict: &'static str,
    /// Why.
    pub reason: String,
}

/// `reliability.csv`: `dataset,model,score,n,superiority,superiority_low,superiority_high,distance,
/// distance_low,distance_high,shuffled,shuffled_low,shuffled_high,models_above,models,icc,icc_low,
/// icc_high,icc_mean,p_separates,alpha,verdict,reason`.
///
/// # Errors
/// When a value is not finite.
pub fn reliability(rows: &[ReliabilityRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "dataset,model,score,n,superiority,superiority_low,superiority_high,distance,\
         distance_low,distance_high,shuffled,shuffled_low,shuffled_high,models_above,models,icc,\
         icc_low,icc_high,icc_mean,p_separates,alpha,verdict,reason",
    ))?;
    for row in rows {
        let icc = row.icc.as_ref();
        let mut fields = vec![
            row.dataset.clone(),
            row.model.clone(),
            row.score.clone(),
            row.n.to_string(),
        ];
        for one in [row.superiority, row.distance, row.superiority_shuffled] {
            fields.extend(effect(one)?);
        }
        fields.push(row.models_above.map_or_else(String::new, |n| n.to_string()));
        fields.push(row.models.to_string());
        for value in [
            icc.map(|icc| icc.single),
            icc.map(|icc| icc.single_low),
            icc.map(|icc| icc.single_high),
            icc.map(|icc| icc.mean),
        ] {
            fields.push(optional(value)?);
        }
        fields.push(probability(icc.map(|icc| icc.p_value))?);
        fields.push(optional(row.alpha)?);
        fields.push(row.verdict.to_owned());
        fields.push(row.reason.clone());
        lines.push(fields)?;
    }
    lines.finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn reliability_is_the_documented_table() {
        let effect = |value: f64| {
            Some(Effect {
                value,
                low: value - 0.0625,
                high: value + 0.0625,
            })
        };
        let row = ReliabilityRow {
            dataset: "garments".into(),
            model: "lenet".into(),
            score: "auroc".into(),
            n: 256,
            superiority: effect(0.9375),
            distance: effect(2.5),
            superiority_shuffled: None,
            models_above: None,
            models: 1,
            icc: Some(Icc {
                single: 0.5,
                single_low: 0.25,
                single_high: 0.75,
                mean: 0.99,
                f: 100.0,
                p_value: 1e-30,
                targets: 9,
                raters: 256,
            }),
            alpha: Some(0.375),
            verdict: "trust",
            reason: "oracle above random".into(),
        };
        let all = ReliabilityRow {
            model: "all".into(),
            superiority: None,
            distance: None,
            models_above: Some(2),
            models: 3,
            icc: None,
            alpha: None,
            verdict: "caution",
            ..row.clone()
        };
        assert_snapshot!(reliability(&[row, all]).unwrap(), @r#"
        dataset,model,score,n,superiority,superiority_low,superiority_high,distance,distance_low,distance_high,shuffled,shuffled_low,shuffled_high,models_above,models,icc,icc_low,icc_high,icc_mean,p_separates,alpha,verdict,reason
        garments,lenet,auroc,256,0.9375,0.875,1,2.5,2.4375,2.5625,,,,,1,0.5,0.25,0.75,0.99,1.00e-30,0.375,trust,oracle above random
        garments,all,auroc,256,,,,,,,,,,2,3,,,,,,,caution,oracle above random
        "#);
    }
}
