//! Rows per split and class.

use serde::Serialize;

use crate::Named;

/// How many rows of each class a split has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SplitCounts {
    /// Name of the split.
    pub split: String,
    /// Rows in all.
    pub rows: usize,
    /// Rows of each class, in the order of the classes.
    pub per_class: Vec<usize>,
}

pub(crate) fn count(splits: &[Named], classes: usize) -> Vec<SplitCounts> {
    let one = |&(name, split): &Named| SplitCounts {
        split: name.to_owned(),
        rows: split.len(),
        per_class: split.class_counts(classes),
    };
    splits.iter().map(one).collect()
}
