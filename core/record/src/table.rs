//! The CSV tables: derived from records, in a fixed column order, byte for byte the same for the
//! same results.
//!
//! Numbers are rounded to six decimals, which is more than an interval over images can mean, and
//! written without trailing zeros; a whole number has no point. An empty field says that there is
//! no value. There is no date, path or host in any table.

use std::path::Path;

use xbench_stats::Interval;

use crate::atomic::{self, Durable};
use crate::error::StoreError;
pub use crate::rows::{
    AgreementRow, CalibrationRow, ClassRow, ExampleRow, LeaderboardRow, ModelRow, ReproductionRow,
    Verdict,
};

/// A value with six decimals at most.
///
/// # Errors
/// [`StoreError::NotFinite`].
pub fn number(value: f64) -> Result<String, StoreError> {
    if !value.is_finite() {
        return Err(StoreError::NotFinite {
            place: format!("a value of a table ({value})"),
        });
    }
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    Ok(if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    })
}

fn optional(value: Option<f64>) -> Result<String, StoreError> {
    value.map_or(Ok(String::new()), number)
}

fn mean(value: Option<Interval>) -> Option<f64> {
    value.map(|value| value.mean)
}

/// Both ends of an interval.
fn ends(value: Option<Interval>) -> Result<[String; 2], StoreError> {
    let [_, low, high] = triple(value)?;
    Ok([low, high])
}

fn triple(value: Option<Interval>) -> Result<[String; 3], StoreError> {
    Ok([
        optional(value.map(|value| value.mean))?,
        optional(value.map(|value| value.low))?,
        optional(value.map(|value| value.high))?,
    ])
}

/// Rows of text as CSV (RFC 4180, but with line feeds alone).
struct Lines {
    writer: csv::Writer<Vec<u8>>,
    columns: usize,
}

impl Lines {
    fn new(header: Vec<String>) -> Result<Self, StoreError> {
        let mut lines = Self {
            writer: csv::Writer::from_writer(Vec::new()),
            columns: header.len(),
        };
        lines.push(header)?;
        Ok(lines)
    }

    fn push(&mut self, fields: Vec<String>) -> Result<(), StoreError> {
        if fields.len() != self.columns {
            let what = format!(
                "a row of {} fields in a table of {}",
                fields.len(),
                self.columns
            );
            return Err(StoreError::Inconsistent { what });
        }
        self.writer
            .write_record(fields)
            .map_err(|error| StoreError::Inconsistent {
                what: error.to_string(),
            })
    }

    fn finish(self) -> Result<String, StoreError> {
        let inconsistent = |what: String| StoreError::Inconsistent { what };
        let bytes = self
            .writer
            .into_inner()
            .map_err(|error| inconsistent(error.to_string()))?;
        String::from_utf8(bytes).map_err(|error| inconsistent(error.to_string()))
    }
}

fn words(header: &str) -> Vec<String> {
    header.split(',').map(str::to_owned).collect()
}

/// `leaderboard.csv`: `dataset,model,explainer,status,n`, for each of `scores`
/// `<score>,<score>_low,<score>_high`, then
/// `mean_rank,rank_group,forward_rows,backward_rows,ms_per_image`.
///
/// # Errors
/// When a row has another number of scores, or a value is not finite.
pub fn leaderboard(scores: &[&str], rows: &[LeaderboardRow]) -> Result<String, StoreError> {
    let mut header = words("dataset,model,explainer,status,n");
    for score in scores {
        header.extend([
            (*score).to_owned(),
            format!("{score}_low"),
            format!("{score}_high"),
        ]);
    }
    header.extend(words(
        "mean_rank,rank_group,forward_rows,backward_rows,ms_per_image",
    ));
    let mut lines = Lines::new(header)?;
    for row in rows {
        let mut fields = vec![
            row.dataset.clone(),
            row.model.clone(),
            row.explainer.clone(),
            row.status.to_string(),
            row.n.to_string(),
        ];
        for score in &row.scores {
            fields.extend(triple(*score)?);
        }
        fields.push(optional(row.mean_rank)?);
        fields.push(
            row.rank_group
                .map_or_else(String::new, |group| group.to_string()),
        );
        for cost in [row.forward_rows, row.backward_rows, row.ms_per_image] {
            fields.push(optional(cost)?);
        }
        lines.push(fields)?;
    }
    lines.finish()
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

/// `reproduction.csv`: `suite,model,preset,score,published,measured,low,high,difference,verdict,
/// source,class,split,explainer,tolerance,reason`.
///
/// # Errors
/// When a value is not finite.
pub fn reproduction(rows: &[ReproductionRow]) -> Result<String, StoreError> {
    let mut lines = Lines::new(words(
        "suite,model,preset,score,published,measured,low,high,difference,verdict,source,\
         class,split,explainer,tolerance,reason",
    ))?;
    for row in rows {
        let mut fields = vec![
            row.suite.clone(),
            row.model.clone(),
            row.preset.clone().unwrap_or_default(),
            row.score.clone(),
            number(row.published)?,
        ];
        fields.extend(triple(row.measured)?);
        fields.push(optional(
            row.measured.map(|measured| measured.mean - row.published),
        )?);
        fields.push(
            Verdict::of(row.published, row.tolerance, row.measured)
                .word()
                .to_owned(),
        );
        fields.push(row.source.clone());
        fields.push(row.class.clone().unwrap_or_default());
        fields.push(row.split.clone());
        fields.push(row.explainer.clone().unwrap_or_default());
        fields.push(number(row.tolerance)?);
        fields.push(row.reason.clone());
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

/// Writes a table into a folder, making the folder where it is not: to a temporary name,
/// synced, renamed. `name` may have one folder before it, as `confusion/lenet.csv`.
///
/// # Errors
/// [`StoreError::BadName`], [`StoreError::Io`].
pub fn write_table(folder: &Path, name: &str, text: &str) -> Result<(), StoreError> {
    let (inner, file) = name
        .rsplit_once('/')
        .map_or((None, name), |(inner, file)| (Some(inner), file));
    crate::error::check_name(file)?;
    inner.map_or(Ok(()), crate::error::check_name)?;
    let folder = inner.map_or_else(|| folder.to_owned(), |inner| folder.join(inner));
    std::fs::create_dir_all(&folder).map_err(StoreError::io("cannot make", &folder))?;
    atomic::write(&folder.join(file), text.as_bytes(), Durable::Yes)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::record::Status;

    fn interval(mean: f64) -> Option<Interval> {
        Some(Interval {
            mean,
            low: mean - 0.125,
            high: mean + 1.0 / 3.0,
            n: 256,
        })
    }

    #[test]
    fn numbers_have_six_decimals_at_most() {
        let shown: Vec<String> = [
            0.5,
            1.0 / 3.0,
            -0.0,
            -1e-9,
            51.0,
            1e-6,
            0.1 + 0.2,
            123_456.789_012_3,
            -2.5,
        ]
        .iter()
        .map(|&value| number(value).unwrap())
        .collect();
        assert_eq!(
            shown,
            [
                "0.5",
                "0.333333",
                "0",
                "0",
                "51",
                "0.000001",
                "0.3",
                "123456.789012",
                "-2.5"
            ]
        );
        assert!(number(f64::NAN).is_err() && number(f64::INFINITY).is_err());
    }

    #[test]
    fn leaderboard_is_the_documented_table() {
        let row = LeaderboardRow {
            dataset: "fashion-mnist".into(),
            model: "lenet".into(),
            explainer: "ig".into(),
            status: Status::Ok,
            n: 256,
            scores: vec![interval(0.75), None],
            mean_rank: Some(2.25),
            rank_group: Some(1),
            forward_rows: Some(51.0),
            backward_rows: Some(51.0),
            ms_per_image: Some(1.234_567_89),
        };
        let unsupported = LeaderboardRow {
            explainer: "cam".into(),
            status: Status::Unsupported,
            n: 0,
            scores: vec![None, None],
            mean_rank: None,
            rank_group: None,
            forward_rows: None,
            backward_rows: None,
            ms_per_image: None,
            ..row.clone()
        };
        assert_snapshot!(leaderboard(&["auroc", "deletion_auc"], &[row.clone(), unsupported]).unwrap(), @r#"
    dataset,model,explainer,status,n,auroc,auroc_low,auroc_high,deletion_auc,deletion_auc_low,deletion_auc_high,mean_rank,rank_group,forward_rows,backward_rows,ms_per_image
    fashion-mnist,lenet,ig,ok,256,0.75,0.625,1.083333,,,,2.25,1,51,51,1.234568
    fashion-mnist,lenet,cam,unsupported,0,,,,,,,,,,,
    "#);
        assert_snapshot!(leaderboard(&[], &[]).unwrap(), @r#"dataset,model,explainer,status,n,mean_rank,rank_group,forward_rows,backward_rows,ms_per_image"#);
        assert!(leaderboard(&["auroc"], &[row]).is_err());
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

    #[test]
    fn reproduction_is_the_documented_table() {
        let row = |published: f64, measured: Option<Interval>| ReproductionRow {
            suite: "reproduction".into(),
            model: "lenet".into(),
            preset: Some("best".into()),
            score: "accuracy".into(),
            published,
            measured,
            source: "a study, \"LeNet\"".into(),
            class: None,
            split: "test".into(),
            explainer: None,
            tolerance: 0.0,
            reason: if measured.is_some() { "" } else { "no weights" }.into(),
        };
        let measured = Some(Interval {
            mean: 0.92,
            low: 0.915,
            high: 0.925,
            n: 10_000,
        });
        let rows = [
            row(0.9126, measured),
            row(0.92, measured),
            row(0.95, measured),
            row(0.95, None),
            ReproductionRow {
                tolerance: 0.03,
                class: Some("Shirt".into()),
                score: "f1".into(),
                ..row(0.95, measured)
            },
        ];
        assert_snapshot!(reproduction(&rows).unwrap(), @r#"
    suite,model,preset,score,published,measured,low,high,difference,verdict,source,class,split,explainer,tolerance,reason
    reproduction,lenet,best,accuracy,0.9126,0.92,0.915,0.925,0.0074,above,"a study, ""LeNet""",,test,,0,
    reproduction,lenet,best,accuracy,0.92,0.92,0.915,0.925,0,reproduced,"a study, ""LeNet""",,test,,0,
    reproduction,lenet,best,accuracy,0.95,0.92,0.915,0.925,-0.03,below,"a study, ""LeNet""",,test,,0,
    reproduction,lenet,best,accuracy,0.95,,,,,not measured,"a study, ""LeNet""",,test,,0,no weights
    reproduction,lenet,best,f1,0.95,0.92,0.915,0.925,-0.03,reproduced,"a study, ""LeNet""",Shirt,test,,0.03,
    "#);
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

    #[test]
    fn the_verdict_allows_for_the_tolerance() {
        let measured = Some(Interval {
            mean: 0.5,
            low: 0.45,
            high: 0.55,
            n: 10,
        });
        for (published, tolerance, verdict) in [
            (0.45, 0.0, Verdict::Reproduced),
            (0.55, 0.0, Verdict::Reproduced),
            (0.44, 0.0, Verdict::Above),
            (0.56, 0.0, Verdict::Below),
            (0.4, 0.051, Verdict::Reproduced),
            (0.6, 0.051, Verdict::Reproduced),
            (0.6, 0.049, Verdict::Below),
        ] {
            assert_eq!(Verdict::of(published, tolerance, measured), verdict);
        }
        assert_eq!(Verdict::of(0.5, 1.0, None), Verdict::NotMeasured);
    }

    #[test]
    fn tables_are_written_where_they_belong() {
        let folder = tempfile::tempdir().unwrap();
        write_table(folder.path(), "confusion/lenet.csv", "a\n").unwrap();
        write_table(folder.path(), "models.csv", "b\n").unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("confusion/lenet.csv")).unwrap(),
            "a\n"
        );
        for bad in ["../x.csv", "a/../x.csv", "/x.csv", "", "a/b/c.csv"] {
            assert!(write_table(folder.path(), bad, "").is_err(), "{bad}");
        }
    }
}
