//! `classes.csv` and `confusion/<model>.csv`: how well classes are told apart.

use xbench_stats::Interval;

use super::{Lines, ends, mean, optional, words};
use crate::error::StoreError;

/// A row of `classes.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// Name of the class.
    pub class: String,
    /// Precision.
    pub precision: Option<Interval>,
    /// Recall, also called sensitivity.
    pub recall: Option<Interval>,
    /// F1.
    pub f1: Option<Interval>,
    /// Images of the class.
    pub support: u64,
    /// Specificity.
    pub specificity: Option<Interval>,
}

/// `classes.csv`: `dataset,model,class,precision,recall,f1,support,specificity`, then the ends of
/// the intervals: `precision_low,precision_high,recall_low,recall_high,specificity_low,
/// specificity_high,f1_low,f1_high`.
///
/// # Errors
/// When a value is not finite.
pub fn classes(rows: &[ClassRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "dataset,model,class,precision,recall,f1,support,specificity,precision_low,precision_high,\
         recall_low,recall_high,specificity_low,specificity_high,f1_low,f1_high",
    ))?;
    for row in rows {
        let mut fields = vec![
            row.dataset.clone(),
            row.model.clone(),
            row.class.clone(),
            optional(mean(row.precision))?,
            optional(mean(row.recall))?,
            optional(mean(row.f1))?,
            row.support.to_string(),
            optional(mean(row.specificity))?,
        ];
        for score in [row.precision, row.recall, row.specificity, row.f1] {
            fields.extend(ends(score)?);
        }
        lines.push(fields)?;
    }
    lines.finish()
}

/// `confusion/<model>.csv`: a row per true class, a column per predicted class; `counts` is
/// `[true, predicted]`, row-major.
///
/// # Errors
/// When `counts` is not square with a side per class.
pub fn confusion(classes: &[&str], counts: &[u64]) -> Result<String, StoreError> {
    if counts.len() != classes.len() * classes.len() {
        let what = format!(
            "a confusion matrix of {} counts for {} classes",
            counts.len(),
            classes.len()
        );
        return Err(StoreError::Inconsistent { what });
    }
    let header = std::iter::once("true\\predicted").chain(classes.iter().copied());
    let mut lines = Lines::new(header.map(str::to_owned).collect())?;
    for (class, row) in classes.iter().zip(counts.chunks(classes.len())) {
        let fields = std::iter::once((*class).to_owned()).chain(row.iter().map(u64::to_string));
        lines.push(fields.collect())?;
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
    fn classes_and_confusion_are_the_documented_tables() {
        let row = ClassRow {
            dataset: "garments".into(),
            model: "lenet".into(),
            class: "T-shirt/top".into(),
            precision: interval(0.5),
            recall: interval(0.25),
            f1: None,
            support: 100,
            specificity: interval(0.625),
        };
        assert_snapshot!(classes(&[row]).unwrap(), @r#"
    dataset,model,class,precision,recall,f1,support,specificity,precision_low,precision_high,recall_low,recall_high,specificity_low,specificity_high,f1_low,f1_high
    garments,lenet,T-shirt/top,0.5,0.25,,100,0.625,0.375,0.833333,0.125,0.583333,0.5,0.958333,,
    "#);
        assert_snapshot!(confusion(&["a", "b, c"], &[5, 1, 0, 6]).unwrap(), @r#"
    true\predicted,a,"b, c"
    a,5,1
    "b, c",0,6
    "#);
        assert!(confusion(&["a", "b"], &[1, 2, 3]).is_err());
    }
}
