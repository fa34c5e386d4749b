//! Rows that stand in a set more than once: leakage across splits, repeats within one.

use std::collections::HashMap;

use serde::Serialize;
use xbench_data::{
    DataSet, Duplicate, NEAR_DUPLICATE, Part, Split, Values, duplicates, near_duplicates,
};

use crate::{Named, row_name};

/// Pairs of images beyond which near copies are not looked for: about ten seconds of two cores.
const MOST_PAIRS: usize = 100_000_000;

/// Copies of rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Leakage {
    /// Rows whose pixels or columns equal those of a row of an earlier split, in order.
    pub across: Vec<Copy>,
    /// Images that are nearly one of an earlier split, the most similar first: candidates to
    /// look at. `None` where none were looked for: in a table, and among too many pairs.
    pub near: Option<Vec<Copy>>,
    /// Rows that repeat an earlier row of their own split, in order.
    pub within: Vec<Copy>,
}

/// A row and the first row like it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Copy {
    /// The copy.
    pub copy: Place,
    /// The row that it is like.
    pub original: Place,
    /// Whether both carry one label.
    pub same_label: bool,
    /// 1 for equal rows; below, the correlation of the two images' grey values.
    pub similarity: f32,
}

/// A row of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Name of the split.
    pub split: String,
    /// Row in it.
    pub row: usize,
    /// Class index.
    pub class: usize,
    /// File or line, where known.
    pub name: String,
}

/// Copies of whole rows, whatever the labels; what was not looked for is told in the notes.
pub(crate) fn find(set: &DataSet, splits: &[Named], notes: &mut Vec<String>) -> Leakage {
    let across = duplicates(set).iter().map(|d| named(set, d)).collect();
    let mut earlier = 0;
    let pairs = splits.iter().map(|(_, split)| {
        let pairs = split.len().saturating_mul(earlier);
        earlier += split.len();
        pairs
    });
    let pairs: usize = pairs.fold(0, usize::saturating_add);
    let table = splits.iter().all(|(_, split)| split.is_table());
    let near = if table {
        None
    } else if pairs > MOST_PAIRS {
        notes.push(format!(
            "near copies across splits were not looked for: {pairs} pairs of images are too many"
        ));
        None
    } else {
        let mut near = near_duplicates(set, NEAR_DUPLICATE);
        near.retain(|found| found.similarity < 1.0);
        // Equals stay in the order of rows.
        near.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        Some(near.iter().map(|d| named(set, d)).collect())
    };
    Leakage {
        across,
        near,
        within: splits.iter().flat_map(|&split| repeats(split)).collect(),
    }
}

fn named(set: &DataSet, found: &Duplicate) -> Copy {
    let at = |(part, row): (Part, usize)| place((&part.to_string(), set.part(part)), row);
    Copy {
        copy: at(found.copy),
        original: at(found.original),
        same_label: found.same_label,
        similarity: found.similarity,
    }
}

fn place((name, split): (&str, &Split), row: usize) -> Place {
    Place {
        split: name.to_owned(),
        row,
        class: split.label(row),
        name: row_name(split, row),
    }
}

/// Rows that repeat an earlier one of the same split.
fn repeats((name, split): Named) -> Vec<Copy> {
    let mut first: HashMap<Vec<u8>, usize> = HashMap::with_capacity(split.len());
    let mut found = Vec::new();
    for row in 0..split.len() {
        let original = *first.entry(content(split, row)).or_insert(row);
        if original != row {
            found.push(Copy {
                copy: place((name, split), row),
                original: place((name, split), original),
                same_label: split.label(row) == split.label(original),
                similarity: 1.0,
            });
        }
    }
    found
}

/// What a row is compared by; zero has one sign.
fn content(split: &Split, row: usize) -> Vec<u8> {
    let range = row * split.row_len()..(row + 1) * split.row_len();
    match &split.values {
        Values::Pixels(all) => all[range].to_vec(),
        Values::Features(all) => all[range]
            .iter()
            .flat_map(|v| (v + 0.0).to_le_bytes())
            .collect(),
    }
}
