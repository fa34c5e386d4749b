//! One line per finished cell.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xbench_stats::{Interval, MedianInterval};

use crate::error::StoreError;
use crate::machine::Machine;

/// Version of the record format this program writes and the newest it reads.
pub const FORMAT: u32 = 1;

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// With results.
    Ok,
    /// The model lacks what the explainer needs; nothing was run.
    Unsupported,
    /// The plugin reported an error, or its output was not usable.
    Failed,
    /// The worker process died.
    Crashed,
    /// The deadline passed.
    Timeout,
    /// It was not tried, because what it builds on had failed.
    Skipped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
            Self::Crashed => "crashed",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
        })
    }
}

/// A score of a cell, summed up over its images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreSummary {
    /// Mean over the images the score applies to; none if it applies to no image.
    pub mean: Option<f64>,
    /// Lower end of the mean's 95% bootstrap interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Images the score applies to.
    pub n: usize,
    /// Images it does not apply to.
    pub na: usize,
    /// Why not: how many images by the reason's code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    /// Version of the score in the catalogue.
    pub version: u32,
}

impl ScoreSummary {
    /// The summary of a score that applies to the `interval`'s images and not to `na` others.
    #[must_use]
    pub fn new(
        interval: Option<Interval>,
        na: usize,
        reasons: BTreeMap<String, u64>,
        version: u32,
    ) -> Self {
        Self {
            mean: interval.map(|interval| interval.mean),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            n: interval.map_or(0, |interval| interval.n),
            na,
            reasons,
            version,
        }
    }

    /// The mean with its interval.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        Some(Interval {
            mean: self.mean?,
            low: self.low?,
            high: self.high?,
            n: self.n,
        })
    }
}

/// Time per image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// Median in milliseconds.
    pub median: f64,
    /// Lower end of the median's 95% interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Measurements.
    pub n: usize,
}

impl From<MedianInterval> for Time {
    fn from(interval: MedianInterval) -> Self {
        Self {
            median: interval.median,
            low: interval.low,
            high: interval.high,
            n: interval.n,
        }
    }
}

/// A line of `records.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// Name of the suite.
    pub suite: String,
    /// Version of the suite.
    pub suite_version: u32,
    /// Key of the cell, 64 hexadecimal digits; the same key must give the same scores anywhere.
    /// Empty for a cell that could not be identified, as when its model could not be loaded.
    pub cell: String,
    /// Name of the data set that was used.
    pub data_set: String,
    /// Label of the model.
    pub model: String,
    /// Full id of the model.
    pub model_id: String,
    /// Version of the model plugin.
    pub model_version: String,
    /// Recipe of the model's weights.
    pub preset: Option<String>,
    /// Fingerprint of the weights, hexadecimal; empty if not known.
    pub weights: String,
    /// Label of the explainer.
    pub explainer: String,
    /// Full id of the explainer.
    pub explainer_id: String,
    /// Version of the explainer plugin.
    pub explainer_version: String,
    /// Whether the explainer is a control.
    pub control: bool,
    /// Parameters of the explainer, with defaults.
    pub params: serde_json::Value,
    /// How the cell ended.
    pub status: Status,
    /// What is to be said about it; empty when all is well.
    pub text: String,
    /// Images explained.
    pub n: usize,
    /// Scores by id.
    pub scores: BTreeMap<String, ScoreSummary>,
    /// Rows sent forward through the model, all images together.
    pub forward_rows: u64,
    /// Rows sent backward.
    pub backward_rows: u64,
    /// Time per image, if it was measured.
    pub ms_per_image: Option<Time>,
    /// Greatest memory of the worker process, if known.
    pub peak_memory_bytes: Option<u64>,
    /// Seed of the suite.
    pub seed: u64,
    /// Kind of device: `cpu`.
    pub device_class: String,
    /// Version of this program.
    pub host_version: String,
    /// What it ran on.
    pub machine: Machine,
    /// When, in seconds since 1970 UTC, if the writer says so. In records only: no table and no
    /// key holds a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<u64>,
}

impl CellRecord {
    /// What makes this a record of the same row of the leaderboard: a later one replaces it.
    #[must_use]
    pub fn row(&self) -> (&str, &str, &str) {
        (&self.data_set, &self.model, &self.explainer)
    }

    /// The line, with its line break.
    pub(crate) fn line(&self) -> Result<String, StoreError> {
        let finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
        for (id, score) in &self.scores {
            if !(finite(score.mean) && finite(score.low) && finite(score.high)) {
                return Err(StoreError::NotFinite {
                    place: format!("the score {id} of {} × {}", self.model, self.explainer),
                });
            }
        }
        if let Some(time) = self.ms_per_image
            && !(time.median.is_finite() && time.low.is_finite() && time.high.is_finite())
        {
            return Err(StoreError::NotFinite {
                place: format!("the time of {} × {}", self.model, self.explainer),
            });
        }
        let mut line = serde_json::to_string(self).map_err(|error| StoreError::Inconsistent {
            what: error.to_string(),
        })?;
        line.push('\n');
        Ok(line)
    }
}

/// Reads records. A missing file has none. A line that is no record of a format this program
/// knows is left out, with a warning that names file and line; so is a last line that a killed
/// run did not finish.
///
/// # Errors
/// When the file is there and cannot be read.
pub(crate) fn read_records(path: &Path) -> Result<(Vec<CellRecord>, Vec<String>), StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((Vec::new(), Vec::new()));
        }
        Err(error) => return Err(StoreError::io("cannot read", path)(error)),
    };
    let mut records = Vec::new();
    let mut warnings = Vec::new();
    let whole = complete_length(&bytes);
    for (number, line) in bytes[..whole].split(|&byte| byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match parse(line) {
            Ok(record) => records.push(record),
            Err(why) => warnings.push(format!(
                "{}:{}: this record is left out: {why}",
                path.display(),
                number + 1
            )),
        }
    }
    if whole < bytes.len() {
        warnings.push(format!(
            "{}: the last line is cut short and left out",
            path.display()
        ));
    }
    Ok((records, warnings))
}

/// Length of the lines that are complete.
pub(crate) fn complete_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |last| last + 1)
}

fn parse(line: &[u8]) -> Result<CellRecord, String> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let Versioned { format } = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if !(1..=FORMAT).contains(&format) {
        return Err(format!(
            "its format is {format}, this program reads 1 to {FORMAT}"
        ));
    }
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

/// The last record of each row, in the order in which the rows first occur.
#[must_use]
pub fn latest(records: Vec<CellRecord>) -> Vec<CellRecord> {
    let mut places: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    let mut kept: Vec<CellRecord> = Vec::new();
    for record in records {
        let (data_set, model, explainer) = record.row();
        match places.get(&(data_set.to_owned(), model.to_owned(), explainer.to_owned())) {
            Some(&place) => kept[place] = record,
            None => {
                places.insert(
                    (data_set.to_owned(), model.to_owned(), explainer.to_owned()),
                    kept.len(),
                );
                kept.push(record);
            }
        }
    }
    kept
}

#[cfg(test)]
pub(crate) fn sample(model: &str, explainer: &str) -> CellRecord {
    let interval = Interval {
        mean: 0.1 + 0.2,
        low: 0.25,
        high: 0.375,
        n: 7,
    };
    CellRecord {
        format: FORMAT,
        suite: "tiny".into(),
        suite_version: 1,
        cell: "ab".repeat(32),
        data_set: "garments".into(),
        model: model.into(),
        model_id: format!("org.xbench.{model}"),
        model_version: "0.1.0".into(),
        preset: Some("best".into()),
        weights: "cd".repeat(32),
        explainer: explainer.into(),
        explainer_id: format!("org.xbench.{explainer}"),
        explainer_version: "0.1.0".into(),
        control: false,
        params: serde_json::json!({"steps": 50}),
        status: Status::Ok,
        text: String::new(),
        n: 8,
        scores: BTreeMap::from([(
            "auroc".to_owned(),
            ScoreSummary::new(
                Some(interval),
                1,
                BTreeMap::from([("empty_mask".to_owned(), 1)]),
                1,
            ),
        )]),
        forward_rows: 400,
        backward_rows: 400,
        ms_per_image: Some(Time {
            median: 1.5,
            low: 1.25,
            high: 2.0,
            n: 5,
        }),
        peak_memory_bytes: Some(1 << 20),
        seed: 0,
        device_class: "cpu".into(),
        host_version: "0.1.0".into(),
        machine: Machine::new("CPU".into(), 2, 16, "linux x86_64".into()),
        recorded_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_documented_line() {
        let line = sample("lenet", "ig").line().unwrap();
        insta::assert_snapshot!(line, @r#"{"format":1,"suite":"tiny","suite_version":1,"cell":"abababababababababababababababababababababababababababababababab","data_set":"garments","model":"lenet","model_id":"org.xbench.lenet","model_version":"0.1.0","preset":"best","weights":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","explainer":"ig","explainer_id":"org.xbench.ig","explainer_version":"0.1.0","control":false,"params":{"steps":50},"status":"ok","text":"","n":8,"scores":{"auroc":{"mean":0.30000000000000004,"low":0.25,"high":0.375,"n":7,"na":1,"reasons":{"empty_mask":1},"version":1}},"forward_rows":400,"backward_rows":400,"ms_per_image":{"median":1.5,"low":1.25,"high":2.0,"n":5},"peak_memory_bytes":1048576,"seed":0,"device_class":"cpu","host_version":"0.1.0","machine":{"key":"fce4125902c6","cpu":"CPU","cores":2,"memory_gib":16,"os":"linux x86_64"}}"#);
        assert_eq!(
            parse(line.trim_end().as_bytes()).unwrap(),
            sample("lenet", "ig")
        );
    }

    #[test]
    fn later_records_replace_earlier_ones_in_place() {
        let again = CellRecord {
            n: 9,
            ..sample("lenet", "ig")
        };
        let kept = latest(vec![
            sample("lenet", "ig"),
            sample("lenet", "cam"),
            again.clone(),
        ]);
        assert_eq!(kept, [again, sample("lenet", "cam")]);
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_refused() {
        let mut record = sample("lenet", "ig");
        record.scores.insert(
            "auprc".into(),
            ScoreSummary {
                mean: Some(f64::NAN),
                ..ScoreSummary::default()
            },
        );
        assert!(record.line().unwrap_err().to_string().contains("auprc"));
        let time = Time {
            median: f64::INFINITY,
            low: 0.0,
            high: 0.0,
            n: 1,
        };
        assert!(
            CellRecord {
                ms_per_image: Some(time),
                ..sample("lenet", "ig")
            }
            .line()
            .is_err()
        );
    }

    #[test]
    fn what_is_no_record_is_left_out_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        assert_eq!(read_records(&path).unwrap(), (vec![], vec![]));
        let good = sample("lenet", "ig").line().unwrap();
        let newer = good.replacen("\"format\":1", "\"format\":2", 1);
        let unknown_key = good.replacen('{', "{\"note\":\"kept readable\",", 1);
        fs::write(
            &path,
            [
                &good,
                "not json\n",
                "\n",
                &newer,
                "\u{0}\n",
                &unknown_key,
                &good[..40],
            ]
            .concat(),
        )
        .unwrap();
        let (records, warnings) = read_records(&path).unwrap();
        assert_eq!(records, vec![sample("lenet", "ig"); 2]);
        let told: Vec<&str> = warnings
            .iter()
            .filter_map(|text| text.split("jsonl:").nth(1))
            .collect();
        assert_eq!(told.len(), 4);
        assert!(
            told[0].starts_with("2: ")
                && told[1].contains("its format is 2")
                && told[3].contains("cut short"),
            "{told:?}"
        );
    }
}
