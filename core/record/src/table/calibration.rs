//! `calibration.csv` and `examples.csv`: how sure a model is, and where.

use super::{Lines, number, optional, words};
use crate::error::StoreError;

/// A row of `calibration.csv`: the examples whose confidence lies in one range.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// How the ranges were chosen: `equal_width` or `equal_mass`.
    pub binning: &'static str,
    /// Lower end of the range.
    pub low: f64,
    /// Upper end of the range.
    pub high: f64,
    /// Examples in it.
    pub count: u64,
    /// Their mean confidence; `None` without examples.
    pub confidence: Option<f64>,
    /// Share of them that are right; `None` without examples.
    pub accuracy: Option<f64>,
}

/// A row of `examples.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// `right`, `wrong` or `unsure`.
    pub kind: &'static str,
    /// Its number in the split.
    pub row: usize,
    /// Name of its true class.
    pub label: String,
    /// Name of the predicted class.
    pub prediction: String,
    /// Probability of the prediction.
    pub probability: f64,
}

/// `calibration.csv`: `dataset,model,binning,low,high,count,confidence,accuracy`.
///
/// # Errors
/// When a value is not finite.
pub fn calibration(rows: &[CalibrationRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "dataset,model,binning,low,high,count,confidence,accuracy",
    ))?;
    for row in rows {
        lines.push(vec![
            row.dataset.clone(),
            row.model.clone(),
            row.binning.to_owned(),
            number(row.low)?,
            number(row.high)?,
            row.count.to_string(),
            optional(row.confidence)?,
            optional(row.accuracy)?,
        ])?;
    }
    lines.finish()
}

/// `examples.csv`: `dataset,model,kind,row,label,prediction,probability`.
///
/// # Errors
/// When a value is not finite.
pub fn examples(rows: &[ExampleRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words("dataset,model,kind,row,label,prediction,probability"))?;
    for row in rows {
        lines.push(vec![
            row.dataset.clone(),
            row.model.clone(),
            row.kind.to_owned(),
            row.row.to_string(),
            row.label.clone(),
            row.prediction.clone(),
            number(row.probability)?,
        ])?;
    }
    lines.finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn calibration_and_examples_are_the_documented_tables() {
        let bin = CalibrationRow {
            dataset: "garments".into(),
            model: "lenet".into(),
            binning: "equal_width",
            low: 14.0 / 15.0,
            high: 1.0,
            count: 12,
            confidence: Some(0.975),
            accuracy: Some(0.75),
        };
        let empty = CalibrationRow {
            count: 0,
            confidence: None,
            accuracy: None,
            ..bin.clone()
        };
        assert_snapshot!(calibration(&[bin, empty]).unwrap(), @"
        dataset,model,binning,low,high,count,confidence,accuracy
        garments,lenet,equal_width,0.933333,1,12,0.975,0.75
        garments,lenet,equal_width,0.933333,1,0,,
        ");
        let example = ExampleRow {
            dataset: "garments".into(),
            model: "lenet".into(),
            kind: "wrong",
            row: 4181,
            label: "Coat".into(),
            prediction: "Shirt, blouse".into(),
            probability: 0.999_999_9,
        };
        assert_snapshot!(examples(&[example]).unwrap(), @r#"
        dataset,model,kind,row,label,prediction,probability
        garments,lenet,wrong,4181,Coat,"Shirt, blouse",1
        "#);
    }
}
