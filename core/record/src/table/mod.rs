//! The CSV tables: derived from records, in a fixed column order, byte for byte the same for the
//! same results.
//!
//! Numbers are rounded to six decimals, which is more than an interval over images can mean, and
//! written without trailing zeros; a whole number has no point. An empty field says that there is
//! no value. There is no date, path or host in any table.

mod agreement;
mod calibration;
mod classes;
mod concordance;
mod differences;
mod leaderboard;
mod models;
mod reliability;
mod reproduction;
mod resolution;
mod scores;

use std::path::Path;

use xbench_stats::{Effect, Interval};

use crate::atomic::{self, Durable};
use crate::error::StoreError;

pub use agreement::{AgreementRow, agreement};
pub use calibration::{CalibrationRow, ExampleRow, calibration, examples};
pub use classes::{ClassRow, classes, confusion};
pub use concordance::{ConcordanceRow, concordance};
pub use differences::{DifferenceRow, differences};
pub use leaderboard::{LeaderboardRow, leaderboard};
pub use models::{ModelRow, models};
pub use reliability::{ReliabilityRow, reliability};
pub use reproduction::{ReproductionRow, Verdict, reproduction};
pub use resolution::{ResolutionRow, resolution};
pub use scores::{ScoreRow, scores};

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

/// An interval over images; of a single one there is none.
fn ends(value: Option<Interval>) -> Result<[String; 2], StoreError> {
    let [_, low, high] = triple(value)?;
    Ok([low, high])
}

fn triple(value: Option<Interval>) -> Result<[String; 3], StoreError> {
    let over = several(value);
    Ok([
        optional(value.map(|value| value.mean))?,
        optional(over.map(|value| value.low))?,
        optional(over.map(|value| value.high))?,
    ])
}

/// What has an interval: the mean of more than one value.
fn several(value: Option<Interval>) -> Option<Interval> {
    value.filter(|value| value.n > 1)
}

fn whole(value: Option<u64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A value in a score's own unit, which may be tiny: six decimals, or six digits where those
/// would leave fewer than four.
///
/// # Errors
/// [`StoreError::NotFinite`].
pub fn measure(value: f64) -> Result<String, StoreError> {
    if value != 0.0 && value.abs() < 1e-3 && value.is_finite() {
        return Ok(format!("{value:.5e}"));
    }
    number(value)
}

fn measured(value: Option<f64>) -> Result<String, StoreError> {
    value.map_or(Ok(String::new()), measure)
}

/// A probability: never rounded to 0.
fn probability(value: Option<f64>) -> Result<String, StoreError> {
    match value {
        Some(p) if p > 0.0 && p < 1e-4 => Ok(format!("{p:.2e}")),
        other => optional(other),
    }
}

fn effect(value: Option<Effect>) -> Result<[String; 3], StoreError> {
    Ok([
        optional(value.map(|effect| effect.value))?,
        optional(value.map(|effect| effect.low))?,
        optional(value.map(|effect| effect.high))?,
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

fn yes_or_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn words(header: &str) -> Vec<String> {
    header.split(',').map(str::to_owned).collect()
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
    use super::*;

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
    fn small_numbers_keep_their_digits() {
        assert_eq!(measure(0.25).unwrap(), "0.25");
        assert_eq!(measure(-1.234_567_89e-5).unwrap(), "-1.23457e-5");
        assert_eq!(measure(0.0).unwrap(), "0");
        assert!(measure(f64::NAN).is_err());
        assert_eq!(probability(Some(3.21e-17)).unwrap(), "3.21e-17");
        assert_eq!(probability(Some(0.0301)).unwrap(), "0.0301");
        assert_eq!(probability(Some(0.0)).unwrap(), "0");
        assert_eq!(probability(None).unwrap(), "");
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
