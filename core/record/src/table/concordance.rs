//! `concordance.csv`: does the order of explainers hold across scores, models and seeds?

use serde::Serialize;
use xbench_stats::Concordance;

use super::{Lines, optional, probability, words};
use crate::error::StoreError;

/// A row of `concordance.csv`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConcordanceRow {
    /// Name of the data set.
    pub dataset: String,
    /// What the judges are: `scores`, `models` or `seeds`.
    pub across: &'static str,
    /// Within what: a model, a score, or both.
    pub within: String,
    /// Names of the judges.
    pub judges: Vec<String>,
    /// Explainers they put into order.
    pub items: usize,
    /// Kendall's W with its tests; `None` where there is too little to compare.
    pub found: Option<Concordance>,
    /// What it comes to, in words.
    pub verdict: String,
}

/// `concordance.csv`: `dataset,across,within,judges,items,w,chi_square,p_chi_square,p_permutation,
/// verdict,names`; `names` are the judges, separated by blanks.
///
/// # Errors
/// When a value is not finite.
pub fn concordance(rows: &[ConcordanceRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "dataset,across,within,judges,items,w,chi_square,p_chi_square,p_permutation,verdict,names",
    ))?;
    for row in rows {
        let found = row.found.as_ref();
        lines.push(vec![
            row.dataset.clone(),
            row.across.to_owned(),
            row.within.clone(),
            row.judges.len().to_string(),
            row.items.to_string(),
            optional(found.map(|found| found.w))?,
            optional(found.map(|found| found.chi_square))?,
            probability(found.map(|found| found.p_chi_square))?,
            probability(found.map(|found| found.p_permutation))?,
            row.verdict.clone(),
            row.judges.join(" "),
        ])?;
    }
    lines.finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn concordance_is_the_documented_table() {
        let row = ConcordanceRow {
            dataset: "garments".into(),
            across: "scores",
            within: "lenet".into(),
            judges: vec!["auroc".into(), "gini".into()],
            items: 9,
            found: Some(Concordance {
                w: 0.75,
                chi_square: 12.0,
                p_chi_square: 0.151,
                p_permutation: 0.06,
                judges: 2,
                items: 9,
            }),
            verdict: "no more than chance".into(),
        };
        let none = ConcordanceRow {
            found: None,
            items: 1,
            verdict: "n/a: one explainer".into(),
            ..row.clone()
        };
        assert_snapshot!(concordance(&[row, none]).unwrap(), @r#"
        dataset,across,within,judges,items,w,chi_square,p_chi_square,p_permutation,verdict,names
        garments,scores,lenet,2,9,0.75,12,0.151,0.06,no more than chance,auroc gini
        garments,scores,lenet,2,1,,,,,n/a: one explainer,auroc gini
        "#);
    }
}
