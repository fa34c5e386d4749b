//! `differences.csv`: every pair of explainers on every score.

use serde::Serialize;
use xbench_stats::PairedComparison;

use super::{Lines, effect, measured, probability, words};
use crate::error::StoreError;

/// A row of `differences.csv`: explainer a less explainer b, image by image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferenceRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// Id of the score.
    pub score: String,
    /// Label of the first explainer.
    pub explainer_a: String,
    /// Label of the second.
    pub explainer_b: String,
    /// Images for which one or the other has no value.
    pub not_applicable: usize,
    /// What the images come to; `None` where they have none in common.
    pub found: Option<PairedComparison>,
    /// The Wilcoxon p, Holm-corrected over the pairs of this model and score.
    pub p_holm: Option<f64>,
    /// What it comes to, in a word.
    pub verdict: &'static str,
}

/// `differences.csv`: `dataset,model,score,explainer_a,explainer_b,n,na,difference,low,high,
/// sd,p_wilcoxon,p_permutation,p_holm,cohen_dz,cohen_dz_low,cohen_dz_high,rank_biserial,
/// rank_biserial_low,rank_biserial_high,verdict`.
///
/// # Errors
/// When a value is not finite.
pub fn differences(rows: &[DifferenceRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "dataset,model,score,explainer_a,explainer_b,n,na,difference,low,high,sd,p_wilcoxon,\
         p_permutation,p_holm,cohen_dz,cohen_dz_low,cohen_dz_high,rank_biserial,\
         rank_biserial_low,rank_biserial_high,verdict",
    ))?;
    for row in rows {
        let found = row.found.as_ref();
        let difference = found.map(|found| found.difference);
        let mut fields = vec![
            row.dataset.clone(),
            row.model.clone(),
            row.score.clone(),
            row.explainer_a.clone(),
            row.explainer_b.clone(),
            difference.map_or(0, |difference| difference.n).to_string(),
            row.not_applicable.to_string(),
            measured(difference.map(|difference| difference.mean))?,
            measured(difference.map(|difference| difference.low))?,
            measured(difference.map(|difference| difference.high))?,
            measured(found.and_then(|found| found.deviation))?,
            probability(found.map(|found| found.wilcoxon))?,
            probability(found.map(|found| found.permutation))?,
            probability(row.p_holm)?,
        ];
        fields.extend(effect(found.and_then(|found| found.cohen_dz))?);
        fields.extend(effect(found.and_then(|found| found.rank_biserial))?);
        fields.push(row.verdict.to_owned());
        lines.push(fields)?;
    }
    lines.finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use xbench_stats::{Effect, Interval};

    use super::*;

    #[test]
    fn differences_is_the_documented_table() {
        let effect = |value: f64| {
            Some(Effect {
                value,
                low: value - 0.125,
                high: value + 0.125,
            })
        };
        let row = DifferenceRow {
            dataset: "garments".into(),
            model: "lenet".into(),
            score: "auroc".into(),
            explainer_a: "ig".into(),
            explainer_b: "gradcam".into(),
            not_applicable: 6,
            found: Some(PairedComparison {
                difference: Interval {
                    mean: 0.25,
                    low: 0.125,
                    high: 0.375,
                    n: 250,
                },
                deviation: Some(0.5),
                wilcoxon: 3.25e-12,
                permutation: 1e-4,
                cohen_dz: effect(0.5),
                rank_biserial: effect(0.625),
            }),
            p_holm: Some(6.5e-11),
            verdict: "better",
        };
        let none = DifferenceRow {
            not_applicable: 256,
            found: None,
            p_holm: None,
            verdict: "not measured",
            ..row.clone()
        };
        assert_snapshot!(differences(&[row, none]).unwrap(), @r#"
        dataset,model,score,explainer_a,explainer_b,n,na,difference,low,high,sd,p_wilcoxon,p_permutation,p_holm,cohen_dz,cohen_dz_low,cohen_dz_high,rank_biserial,rank_biserial_low,rank_biserial_high,verdict
        garments,lenet,auroc,ig,gradcam,250,6,0.25,0.125,0.375,0.5,3.25e-12,0.0001,6.50e-11,0.5,0.375,0.625,0.625,0.5,0.75,better
        garments,lenet,auroc,ig,gradcam,0,256,,,,,,,,,,,,,,not measured
        "#);
    }
}
