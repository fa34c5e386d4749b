//! `agreement.csv`: whether maps say the same.

use xbench_stats::Interval;

use super::{Lines, triple, words};
use crate::error::StoreError;

/// A row of `agreement.csv`: two maps of the same images.
#[derive(Debug, Clone, PartialEq)]
pub struct AgreementRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the first model.
    pub model_a: String,
    /// Label of the first explainer.
    pub explainer_a: String,
    /// Label of the second model.
    pub model_b: String,
    /// Label of the second explainer.
    pub explainer_b: String,
    /// Id of the score.
    pub score: String,
    /// Its mean with the interval; `None` where it applies to no image.
    pub value: Option<Interval>,
}

/// `agreement.csv`: `dataset,model_a,explainer_a,model_b,explainer_b,score,value,low,high,n`.
///
/// # Errors
/// When a value is not finite.
pub fn agreement(rows: &[AgreementRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "dataset,model_a,explainer_a,model_b,explainer_b,score,value,low,high,n",
    ))?;
    for row in rows {
        let mut fields = vec![
            row.dataset.clone(),
            row.model_a.clone(),
            row.explainer_a.clone(),
            row.model_b.clone(),
            row.explainer_b.clone(),
            row.score.clone(),
        ];
        fields.extend(triple(row.value)?);
        fields.push(row.value.map_or(0, |value| value.n).to_string());
        lines.push(fields)?;
    }
    lines.finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn interval(mean: f64) -> Option<Interval> {
        Some(Interval {
            mean,
            low: mean - 0.125,
            high: mean + 1.0 / 3.0,
            n: 256,
        })
    }

    #[test]
    fn agreement_is_the_documented_table() {
        let row = AgreementRow {
            dataset: "garments".into(),
            model_a: "lenet".into(),
            explainer_a: "ig".into(),
            model_b: "cnn-gap".into(),
            explainer_b: "ig".into(),
            score: "spearman".into(),
            value: interval(0.5),
        };
        assert_snapshot!(agreement(&[row.clone(), AgreementRow { value: None, ..row }]).unwrap(), @r#"
    dataset,model_a,explainer_a,model_b,explainer_b,score,value,low,high,n
    garments,lenet,ig,cnn-gap,ig,spearman,0.5,0.375,0.833333,256
    garments,lenet,ig,cnn-gap,ig,spearman,,,,0
    "#);
    }
}
