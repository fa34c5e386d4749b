//! `scores.csv`: every score of every explanation in a line of its own, with what it does not apply
//! to and why.

use std::collections::BTreeMap;

use xbench_stats::Interval;

use super::{Lines, measured, several, words};
use crate::error::StoreError;

/// A row of `scores.csv`: one score of one explainer on one model.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// Label of the explainer.
    pub explainer: String,
    /// Id of the score.
    pub score: String,
    /// Its mean over the images it applies to; `None` where it applies to none.
    pub value: Option<Interval>,
    /// Images it does not apply to.
    pub not_applicable: usize,
    /// Why not, counted.
    pub reasons: BTreeMap<String, u64>,
}

/// `scores.csv`: `dataset,model,explainer,score,n,na,value,low,high,reasons`; `reasons` as
/// `constant_map: 3; empty_mask: 1`.
///
/// # Errors
/// When a value is not finite.
pub fn scores(rows: &[ScoreRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "dataset,model,explainer,score,n,na,value,low,high,reasons",
    ))?;
    for row in rows {
        let reasons: Vec<String> = row
            .reasons
            .iter()
            .map(|(reason, count)| format!("{reason}: {count}"))
            .collect();
        lines.push(vec![
            row.dataset.clone(),
            row.model.clone(),
            row.explainer.clone(),
            row.score.clone(),
            row.value.map_or(0, |value| value.n).to_string(),
            row.not_applicable.to_string(),
            measured(row.value.map(|value| value.mean))?,
            measured(several(row.value).map(|value| value.low))?,
            measured(several(row.value).map(|value| value.high))?,
            reasons.join("; "),
        ])?;
    }
    lines.finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn scores_is_the_documented_table() {
        let row = ScoreRow {
            dataset: "garments".into(),
            model: "lenet".into(),
            explainer: "ig".into(),
            score: "auroc".into(),
            value: Some(Interval {
                mean: 0.75,
                low: 0.5,
                high: 0.875,
                n: 252,
            }),
            not_applicable: 4,
            reasons: BTreeMap::from([("constant_map".into(), 3), ("empty_mask".into(), 1)]),
        };
        let none = ScoreRow {
            value: None,
            not_applicable: 256,
            reasons: BTreeMap::from([("constant_map".into(), 256)]),
            ..row.clone()
        };
        let one = ScoreRow {
            value: row.value.map(|value| Interval { n: 1, ..value }),
            not_applicable: 255,
            reasons: BTreeMap::from([("constant_map".into(), 255)]),
            ..row.clone()
        };
        assert_snapshot!(scores(&[row, none, one]).unwrap(), @r#"
        dataset,model,explainer,score,n,na,value,low,high,reasons
        garments,lenet,ig,auroc,252,4,0.75,0.5,0.875,constant_map: 3; empty_mask: 1
        garments,lenet,ig,auroc,0,256,,,,constant_map: 256
        garments,lenet,ig,auroc,1,255,0.75,,,constant_map: 255
        "#);
    }
}
