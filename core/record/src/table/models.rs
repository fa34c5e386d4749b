//! `models.csv`: how right the models are.

use xbench_stats::Interval;

use super::{Lines, ends, mean, optional, triple, words};
use crate::error::StoreError;

/// A row of `models.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// Recipe of its weights.
    pub preset: Option<String>,
    /// Images classified.
    pub n: usize,
    /// Accuracy.
    pub accuracy: Option<Interval>,
    /// Macro-averaged F1.
    pub macro_f1: Option<Interval>,
    /// Macro-averaged precision.
    pub macro_precision: Option<f64>,
    /// Macro-averaged recall.
    pub macro_recall: Option<f64>,
    /// F1 weighted by support.
    pub weighted_f1: Option<f64>,
    /// Precision weighted by support.
    pub weighted_precision: Option<f64>,
    /// Recall weighted by support.
    pub weighted_recall: Option<f64>,
    /// Fingerprint of the weights, hexadecimal; empty if not known.
    pub parameters_fingerprint: String,
    /// Macro-averaged specificity.
    pub macro_specificity: Option<f64>,
    /// Specificity weighted by support.
    pub weighted_specificity: Option<f64>,
    /// Log loss in nats.
    pub log_loss: Option<Interval>,
    /// Brier score, 0 to 2.
    pub brier: Option<Interval>,
    /// Expected calibration error in bins of equal width.
    pub ece: Option<f64>,
    /// Expected calibration error in bins of equal mass.
    pub adaptive_ece: Option<f64>,
    /// Maximum calibration error.
    pub mce: Option<f64>,
}

/// `models.csv`.
///
/// # Errors
/// When a value is not finite.
pub fn models(rows: &[ModelRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "dataset,model,preset,n,accuracy,accuracy_low,accuracy_high,macro_f1,macro_precision,macro_recall,\
         weighted_f1,weighted_precision,weighted_recall,parameters_fingerprint,\
         macro_f1_low,macro_f1_high,macro_specificity,weighted_specificity,\
         log_loss,log_loss_low,log_loss_high,brier,brier_low,brier_high,ece,adaptive_ece,mce",
    ))?;
    for row in rows {
        let mut fields = vec![
            row.dataset.clone(),
            row.model.clone(),
            row.preset.clone().unwrap_or_default(),
            row.n.to_string(),
        ];
        fields.extend(triple(row.accuracy)?);
        for value in [
            mean(row.macro_f1),
            row.macro_precision,
            row.macro_recall,
            row.weighted_f1,
            row.weighted_precision,
            row.weighted_recall,
        ] {
            fields.push(optional(value)?);
        }
        fields.push(row.parameters_fingerprint.clone());
        fields.extend(ends(row.macro_f1)?);
        fields.push(optional(row.macro_specificity)?);
        fields.push(optional(row.weighted_specificity)?);
        fields.extend(triple(row.log_loss)?);
        fields.extend(triple(row.brier)?);
        for value in [row.ece, row.adaptive_ece, row.mce] {
            fields.push(optional(value)?);
        }
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
    fn models_is_the_documented_table() {
        let row = ModelRow {
            dataset: "fashion-mnist".into(),
            model: "lenet".into(),
            preset: Some("best".into()),
            n: 10_000,
            accuracy: interval(0.9205),
            macro_f1: interval(0.92),
            macro_precision: Some(0.921),
            macro_recall: Some(0.9205),
            weighted_f1: Some(0.92),
            weighted_precision: None,
            weighted_recall: Some(0.9205),
            parameters_fingerprint: "00ff".into(),
            macro_specificity: Some(0.99),
            weighted_specificity: Some(0.991),
            log_loss: interval(0.25),
            brier: None,
            ece: Some(0.0125),
            adaptive_ece: Some(0.0126),
            mce: Some(0.1),
        };
        assert_snapshot!(models(&[row.clone(), ModelRow { preset: None, accuracy: None, ..row }]).unwrap(), @r#"
    dataset,model,preset,n,accuracy,accuracy_low,accuracy_high,macro_f1,macro_precision,macro_recall,weighted_f1,weighted_precision,weighted_recall,parameters_fingerprint,macro_f1_low,macro_f1_high,macro_specificity,weighted_specificity,log_loss,log_loss_low,log_loss_high,brier,brier_low,brier_high,ece,adaptive_ece,mce
    fashion-mnist,lenet,best,10000,0.9205,0.7955,1.253833,0.92,0.921,0.9205,0.92,,0.9205,00ff,0.795,1.253333,0.99,0.991,0.25,0.125,0.583333,,,,0.0125,0.0126,0.1
    fashion-mnist,lenet,,10000,,,,0.92,0.921,0.9205,0.92,,0.9205,00ff,0.795,1.253333,0.99,0.991,0.25,0.125,0.583333,,,,0.0125,0.0126,0.1
    "#);
    }
}
