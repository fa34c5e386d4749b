//! XGBoost's own model files, as its documentation describes them ("Introduction to Model IO"):
//! JSON, and the same document as UBJSON, of versions 1 to 3.
//!
//! Read and written are models of the booster `gbtree` with the objectives `multi:softprob` (or
//! `multi:softmax`), `binary:logistic` and `reg:squarederror`, whose predictions before the link
//! function are the ensemble's outputs. `binary:logistic` has one margin m; it becomes the two outputs
//! 0 and m, whose softmax is XGBoost's probability. All trees of a file count, also those after the
//! best iteration of early stopping.

mod export;
mod import;
#[cfg(test)]
mod tests;
mod ubjson;

use serde_json::Value;
use xbench_plugin::{Error, Result, TreeEnsemble};

pub use export::{to_json, to_ubjson};

/// The objective of an ensemble, which decides what its margins mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// `multi:softprob`: one margin per class.
    Softprob,
    /// `binary:logistic`: outputs 0 and the margin.
    Logistic,
    /// `reg:squarederror`: one output.
    SquaredError,
}

impl Objective {
    /// XGBoost's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Softprob => "multi:softprob",
            Self::Logistic => "binary:logistic",
            Self::SquaredError => "reg:squarederror",
        }
    }

    /// The objective that an ensemble is written with.
    #[must_use]
    pub fn of(ensemble: &TreeEnsemble) -> Self {
        if ensemble.num_outputs == 1 {
            Self::SquaredError
        } else if ensemble.num_outputs == 2
            && ensemble.base[0] == 0.0
            && ensemble.tree_output.iter().all(|&output| output == 1)
        {
            Self::Logistic
        } else {
            Self::Softprob
        }
    }
}

/// The ensemble in XGBoost's JSON.
///
/// # Errors
/// When the bytes are no such document, are damaged, or use something that is not supported, which is
/// named.
pub fn from_json(bytes: &[u8]) -> Result<TreeEnsemble> {
    let document: Value =
        serde_json::from_slice(bytes).map_err(|e| wrong(format!("not JSON ({e})")))?;
    import::ensemble(&document)
}

/// The ensemble in XGBoost's UBJSON.
///
/// # Errors
/// As for [`from_json`].
pub fn from_ubjson(bytes: &[u8]) -> Result<TreeEnsemble> {
    import::ensemble(&ubjson::parse(bytes)?)
}

fn wrong(what: impl Into<String>) -> Error {
    Error::invalid_argument(format!("XGBoost model: {}", what.into()))
}
