//! `resolution.csv`: what a suite's images can tell apart.

use serde::Serialize;

use super::{Lines, measured, number, optional, probability, whole, words};
use crate::error::StoreError;

/// A row of `resolution.csv`: one score on one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResolutionRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// Id of the score.
    pub score: String,
    /// Images that the median pair of explainers has in common.
    pub n: usize,
    /// Pairs of explainers, controls aside.
    pub pairs: usize,
    /// Pairs told apart.
    pub told_apart: usize,
    /// Median over the pairs of the standard deviation of their differences.
    pub deviation: Option<f64>,
    /// Smallest mean difference that `n` images show, by the paired t test.
    pub detectable: Option<f64>,
    /// The same by the Wilcoxon test where it is least efficient.
    pub detectable_wilcoxon: Option<f64>,
    /// The two best explainers.
    pub best: Option<(String, String)>,
    /// Mean difference of the two best.
    pub difference: Option<f64>,
    /// Holm-corrected p of the two best.
    pub p_holm: Option<f64>,
    /// Images that would tell the two best apart, by the paired t test.
    pub images_needed: Option<u64>,
    /// The same by the Wilcoxon test where it is least efficient.
    pub images_needed_wilcoxon: Option<u64>,
    /// What it comes to, in words.
    pub verdict: String,
}

/// `resolution.csv`: `dataset,model,score,n,pairs,told_apart,told_apart_share,sd,detectable,
/// detectable_wilcoxon,best,second,difference,p_holm,images_needed,images_needed_wilcoxon,verdict`.
///
/// # Errors
/// When a value is not finite.
pub fn resolution(rows: &[ResolutionRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "dataset,model,score,n,pairs,told_apart,told_apart_share,sd,detectable,\
         detectable_wilcoxon,best,second,difference,p_holm,images_needed,\
         images_needed_wilcoxon,verdict",
    ))?;
    for row in rows {
        let share = (row.pairs > 0).then(|| row.told_apart as f64 / row.pairs as f64);
        let (best, second) = row.best.clone().unwrap_or_default();
        lines.push(vec![
            row.dataset.clone(),
            row.model.clone(),
            row.score.clone(),
            number(row.n as f64)?,
            row.pairs.to_string(),
            row.told_apart.to_string(),
            optional(share)?,
            measured(row.deviation)?,
            measured(row.detectable)?,
            measured(row.detectable_wilcoxon)?,
            best,
            second,
            measured(row.difference)?,
            probability(row.p_holm)?,
            whole(row.images_needed),
            whole(row.images_needed_wilcoxon),
            row.verdict.clone(),
        ])?;
    }
    lines.finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn resolution_is_the_documented_table() {
        let row = ResolutionRow {
            dataset: "garments".into(),
            model: "lenet".into(),
            score: "auroc".into(),
            n: 256,
            pairs: 36,
            told_apart: 27,
            deviation: Some(0.25),
            detectable: Some(0.044),
            detectable_wilcoxon: Some(0.0473),
            best: Some(("ig".into(), "smoothgrad".into())),
            difference: Some(0.001),
            p_holm: Some(0.75),
            images_needed: Some(490_557),
            images_needed_wilcoxon: Some(567_774),
            verdict: "undecided".into(),
        };
        let one = ResolutionRow {
            pairs: 0,
            told_apart: 0,
            deviation: None,
            detectable: None,
            detectable_wilcoxon: None,
            best: None,
            difference: None,
            p_holm: None,
            images_needed: None,
            images_needed_wilcoxon: None,
            verdict: "n/a".into(),
            ..row.clone()
        };
        assert_snapshot!(resolution(&[row, one]).unwrap(), @r#"
        dataset,model,score,n,pairs,told_apart,told_apart_share,sd,detectable,detectable_wilcoxon,best,second,difference,p_holm,images_needed,images_needed_wilcoxon,verdict
        garments,lenet,auroc,256,36,27,0.75,0.25,0.044,0.0473,ig,smoothgrad,0.001,0.75,490557,567774,undecided
        garments,lenet,auroc,256,0,0,,,,,,,,,,,n/a
        "#);
    }
}
