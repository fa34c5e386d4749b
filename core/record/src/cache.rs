//! What is kept of a chunk so that it need not be computed again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::block;
use crate::error::StoreError;
use crate::record::Status;

/// Attributions of a run of rows, and what they cost.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkRecord {
    /// Rows of the split.
    pub rows: Vec<u32>,
    /// Shape of one row's attribution: channels, height, width.
    pub shape: Vec<usize>,
    /// Attributions, `[rows, ...shape]`; empty unless the status is [`Status::Ok`].
    pub attributions: Vec<f32>,
    /// Rows the explainer sent forward through the model.
    pub forward_rows: u64,
    /// Rows it sent backward.
    pub backward_rows: u64,
    /// How the computation ended.
    pub status: Status,
    /// What is to be said about it; empty when all is well.
    pub text: String,
}

/// Outputs of a model for a run of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRecord {
    /// Rows of the split.
    pub rows: Vec<u32>,
    /// Number of outputs per row.
    pub outputs: usize,
    /// Outputs, `[rows, outputs]`.
    pub values: Vec<f32>,
}

/// Which score, in which version, with which settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ColumnKey {
    /// Id in the catalogue.
    pub score: String,
    /// Version of the score.
    pub version: u32,
    /// Canonical JSON of the settings that determine it.
    pub params: String,
}

/// One score of each row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Column {
    /// A finite value per row, or `None` where the score does not apply.
    pub values: Vec<Option<f64>>,
    /// How often it does not apply, by the reason's code.
    pub reasons: BTreeMap<String, u64>,
}

/// Scores of the rows of a chunk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoreColumns {
    /// By score; all of the same length.
    pub columns: BTreeMap<ColumnKey, Column>,
}

#[derive(Serialize, Deserialize)]
struct ChunkHeader {
    rows: Vec<u32>,
    shape: Vec<usize>,
    forward_rows: u64,
    backward_rows: u64,
    status: Status,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct PredictionHeader {
    rows: Vec<u32>,
    outputs: usize,
}

#[derive(Serialize, Deserialize)]
struct ColumnHeader {
    #[serde(flatten)]
    key: ColumnKey,
    reasons: BTreeMap<String, u64>,
}

/// Something the cache holds.
pub(crate) trait Cached: Sized {
    /// Ending of its file's name.
    const KIND: &'static str;
    fn encode(&self, key: &str) -> Result<Vec<u8>, StoreError>;
    fn decode(key: &str, bytes: &[u8]) -> Result<Self, String>;
}

fn inconsistent(what: impl Into<String>) -> StoreError {
    StoreError::Inconsistent { what: what.into() }
}

fn product(shape: &[usize], rows: usize) -> Option<usize> {
    shape
        .iter()
        .try_fold(rows, |product, &side| product.checked_mul(side))
}

impl ChunkRecord {
    fn fits(&self) -> Result<(), String> {
        let expected = if self.status == Status::Ok {
            product(&self.shape, self.rows.len())
        } else {
            Some(0)
        };
        if expected != Some(self.attributions.len()) {
            return Err(format!(
                "{} attributions for {} rows of shape {:?} with status {}",
                self.attributions.len(),
                self.rows.len(),
                self.shape,
                self.status
            ));
        }
        if self.attributions.iter().any(|value| !value.is_finite()) {
            return Err("an attribution is not finite".to_owned());
        }
        Ok(())
    }
}

impl Cached for ChunkRecord {
    const KIND: &'static str = "chunk";

    fn encode(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        self.fits().map_err(inconsistent)?;
        let header = ChunkHeader {
            rows: self.rows.clone(),
            shape: self.shape.clone(),
            forward_rows: self.forward_rows,
            backward_rows: self.backward_rows,
            status: self.status,
            text: self.text.clone(),
        };
        block::encode(Self::KIND, key, &header, &self.attributions).map_err(inconsistent)
    }

    fn decode(key: &str, bytes: &[u8]) -> Result<Self, String> {
        let (header, attributions) = block::decode::<ChunkHeader, f32>(Self::KIND, key, bytes)?;
        let ChunkHeader {
            rows,
            shape,
            forward_rows,
            backward_rows,
            status,
            text,
        } = header;
        let chunk = Self {
            rows,
            shape,
            attributions,
            forward_rows,
            backward_rows,
            status,
            text,
        };
        chunk.fits()?;
        Ok(chunk)
    }
}

impl PredictionRecord {
    fn fits(&self) -> Result<(), String> {
        if product(&[self.outputs], self.rows.len()) != Some(self.values.len()) {
            return Err(format!(
                "{} values for {} rows of {}",
                self.values.len(),
                self.rows.len(),
                self.outputs
            ));
        }
        if self.values.iter().any(|value| !value.is_finite()) {
            return Err("an output is not finite".to_owned());
        }
        Ok(())
    }
}

impl Cached for PredictionRecord {
    const KIND: &'static str = "predictions";

    fn encode(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        self.fits().map_err(inconsistent)?;
        let header = PredictionHeader {
            rows: self.rows.clone(),
            outputs: self.outputs,
        };
        block::encode(Self::KIND, key, &header, &self.values).map_err(inconsistent)
    }

    fn decode(key: &str, bytes: &[u8]) -> Result<Self, String> {
        let (header, values) = block::decode::<PredictionHeader, f32>(Self::KIND, key, bytes)?;
        let record = Self {
            rows: header.rows,
            outputs: header.outputs,
            values,
        };
        record.fits()?;
        Ok(record)
    }
}

impl Cached for ScoreColumns {
    const KIND: &'static str = "scores";

    fn encode(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        let rows = self
            .columns
            .values()
            .next()
            .map_or(0, |column| column.values.len());
        let mut words = Vec::with_capacity(rows * self.columns.len());
        let mut headers = Vec::with_capacity(self.columns.len());
        for (id, column) in &self.columns {
            if column.values.len() != rows {
                return Err(inconsistent(format!(
                    "scores of {} and {rows} rows in one chunk",
                    column.values.len()
                )));
            }
            if let Some(value) = column
                .values
                .iter()
                .flatten()
                .find(|value| !value.is_finite())
            {
                return Err(StoreError::NotFinite {
                    place: format!("the score {} ({value})", id.score),
                });
            }
            words.extend(column.values.iter().map(|value| value.unwrap_or(f64::NAN)));
            headers.push(ColumnHeader {
                key: id.clone(),
                reasons: column.reasons.clone(),
            });
        }
        block::encode(Self::KIND, key, &headers, &words).map_err(inconsistent)
    }

    fn decode(key: &str, bytes: &[u8]) -> Result<Self, String> {
        let (headers, words) = block::decode::<Vec<ColumnHeader>, f64>(Self::KIND, key, bytes)?;
        let mut columns = BTreeMap::new();
        let rows = words.len().checked_div(headers.len()).unwrap_or(0);
        if rows * headers.len() != words.len() {
            return Err("its columns have different lengths".to_owned());
        }
        for (i, header) in headers.into_iter().enumerate() {
            let values = words[i * rows..(i + 1) * rows]
                .iter()
                .map(|&word| {
                    if word.is_nan() {
                        Ok(None)
                    } else if word.is_finite() {
                        Ok(Some(word))
                    } else {
                        Err("a score is infinite")
                    }
                })
                .collect::<Result<_, _>>()?;
            columns.insert(
                header.key,
                Column {
                    values,
                    reasons: header.reasons,
                },
            );
        }
        Ok(Self { columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk() -> ChunkRecord {
        ChunkRecord {
            rows: vec![4, 9],
            shape: vec![1, 1, 3],
            attributions: vec![0.0, 1.0, -2.5, 3.0, 4.0, 5.0],
            forward_rows: 100,
            backward_rows: 50,
            status: Status::Ok,
            text: String::new(),
        }
    }

    #[test]
    fn what_is_kept_comes_back() {
        let good = chunk();
        assert_eq!(
            ChunkRecord::decode("k", &good.encode("k").unwrap()).unwrap(),
            good
        );
        let failed = ChunkRecord {
            attributions: vec![],
            status: Status::Crashed,
            text: "SIGSEGV".into(),
            ..chunk()
        };
        assert_eq!(
            ChunkRecord::decode("k", &failed.encode("k").unwrap()).unwrap(),
            failed
        );
        let predictions = PredictionRecord {
            rows: vec![1, 2],
            outputs: 2,
            values: vec![0.5, 1.0, -1.0, 3.0],
        };
        assert_eq!(
            PredictionRecord::decode("k", &predictions.encode("k").unwrap()).unwrap(),
            predictions
        );
    }

    #[test]
    fn score_columns_come_back_with_their_gaps() {
        let mut scores = ScoreColumns::default();
        assert_eq!(
            ScoreColumns::decode("k", &scores.encode("k").unwrap()).unwrap(),
            scores
        );
        for (score, version) in [("gini", 1), ("auroc", 1), ("auroc", 2)] {
            scores.columns.insert(
                ColumnKey {
                    score: score.into(),
                    version,
                    params: "{}".into(),
                },
                Column {
                    values: vec![Some(0.1 + 0.2), None, Some(-0.0)],
                    reasons: BTreeMap::from([("empty_mask".to_owned(), 1)]),
                },
            );
        }
        assert_eq!(
            ScoreColumns::decode("k", &scores.encode("k").unwrap()).unwrap(),
            scores
        );
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        assert!(
            ChunkRecord {
                shape: vec![2],
                ..chunk()
            }
            .encode("k")
            .is_err()
        );
        assert!(
            ChunkRecord {
                shape: vec![usize::MAX, 2],
                ..chunk()
            }
            .encode("k")
            .is_err()
        );
        assert!(
            ChunkRecord {
                status: Status::Failed,
                ..chunk()
            }
            .encode("k")
            .is_err()
        );
        let mut nan = chunk();
        nan.attributions[0] = f32::NAN;
        assert!(nan.encode("k").is_err());
        let key = |score: &str| ColumnKey {
            score: score.into(),
            version: 1,
            params: "{}".into(),
        };
        let column = |values: &[f64]| Column {
            values: values.iter().map(|&v| Some(v)).collect(),
            ..Column::default()
        };
        let ragged = ScoreColumns {
            columns: BTreeMap::from([(key("a"), column(&[1.0])), (key("b"), column(&[]))]),
        };
        assert!(ragged.encode("k").is_err());
        let infinite = ScoreColumns {
            columns: BTreeMap::from([(key("a"), column(&[f64::INFINITY]))]),
        };
        assert!(infinite.encode("k").is_err());
    }
}
