//! Exploratory analysis: what a data set holds, before any model sees it.
//!
//! [`describe`] counts classes, measures images ([`images`]), tables ([`table`]) and masks
//! ([`masks`]), finds rows that stand in the set twice ([`leakage`]) and lays rows out in the
//! plane ([`embed`]). The result is a plain [`Description`]; [`tables`] turns it into CSV. What
//! a set does not allow (a correlation of a constant column, an embedding of three rows) is left
//! out and told in [`Description::notes`].
//!
//! The same set and options give the same bits, for any number of threads.

mod counts;
pub mod embed;
pub mod images;
pub mod leakage;
pub mod masks;
mod rng;
mod samples;
mod summary;
pub mod table;
mod tables;

use serde::Serialize;
use xbench_data::{DataSet, Split};

pub use counts::SplitCounts;
pub use samples::Sample;
pub use summary::Summary;
pub use tables::{CsvTable, tables};

use embed::{Embeddings, Method};
use images::ImageDescription;
use leakage::Leakage;
use masks::MaskDescription;
use table::TableDescription;

/// What to describe and how far to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Embeddings to compute, in this order.
    pub embeddings: Vec<Method>,
    /// Rows to embed, as evenly over the classes as they allow; at most [`embed::MOST_ROWS`].
    pub rows: usize,
    /// Seed of the choice of rows and of the embeddings.
    pub seed: u64,
    /// Images of each class to show.
    pub samples: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            embeddings: vec![Method::TSne, Method::Umap],
            rows: 2000,
            seed: 0,
            samples: 10,
        }
    }
}

/// How far a description is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is being done.
    pub stage: &'static str,
    /// Units done; 0 begins a stage, `total` ends it.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

/// Told how far a description is.
pub type Watch<'a> = &'a (dyn Fn(Step) + Sync);

/// All that is known about a set.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// Name of the set.
    pub set: String,
    /// Version of its content.
    pub version: u32,
    /// SHA-256 of its content, hexadecimal.
    pub content_hash: String,
    /// Class names.
    pub classes: Vec<String>,
    /// Shape of one row: channels, height, width of an image, or the number of columns.
    pub shape: Vec<usize>,
    /// Rows per split and class.
    pub splits: Vec<SplitCounts>,
    /// Some images of each class; empty for a table.
    pub samples: Vec<Sample>,
    /// Pixels; `None` for a table.
    pub images: Option<ImageDescription>,
    /// Columns; `None` for images.
    pub table: Option<TableDescription>,
    /// Object masks; `None` where the set has none.
    pub masks: Option<MaskDescription>,
    /// Rows that stand in the set more than once, or nearly.
    pub leakage: Leakage,
    /// Rows laid out in the plane; `None` if not asked for or not possible.
    pub embeddings: Option<Embeddings>,
    /// What a reader should know: the set's own notes, and what was left out and why.
    pub notes: Vec<String>,
}

/// Describes a loaded set.
///
/// Splits that were not loaded are left out; a set without any row gives a description without
/// contents and a note.
#[must_use]
pub fn describe(set: &DataSet, options: &Options, watch: Watch) -> Description {
    let mut notes = set.notes.clone();
    let splits = filled_splits(set);
    if splits.is_empty() {
        notes.push("no split has a row: there is nothing to describe".to_owned());
    }
    let stages = 4;
    let tell = |done| {
        watch(Step {
            stage: "describing",
            done,
            total: stages,
        });
    };
    tell(0);
    let classes = set.classes.len();
    let images = images::describe_images(&splits, classes);
    tell(1);
    let table = table::describe_table(&splits, &set.features, classes, &mut notes);
    tell(2);
    let masks = masks::describe_masks(&splits, classes);
    tell(3);
    let leakage = leakage::find(set, &splits, &mut notes);
    tell(stages);
    Description {
        set: set.id.clone(),
        version: set.version,
        content_hash: set.content_hash_hex(),
        classes: set.classes.clone(),
        shape: set.shape.clone(),
        splits: counts::count(&splits, classes),
        samples: samples::choose(&splits, classes, options),
        images,
        table,
        masks,
        leakage,
        embeddings: embed::embed_set(&splits, classes, options, watch, &mut notes),
        notes,
    }
}

/// A split and its name.
type Named<'a> = (&'static str, &'a Split);

/// The splits that have rows, in the order train, validation, test, photos.
fn filled_splits(set: &DataSet) -> Vec<Named<'_>> {
    let all = [
        ("train", &set.train),
        ("validation", &set.validation),
        ("test", &set.test),
        (PHOTOS, &set.photos),
    ];
    all.into_iter()
        .filter(|(_, split)| !split.is_empty())
        .collect()
}

/// The split from outside the set: counted and measured, but no part of the set's own
/// distribution.
const PHOTOS: &str = "photos";

/// All rows of the set proper (no photographs), by class.
fn rows_by_class<'a>(splits: &[Named<'a>], classes: usize) -> Vec<Vec<(Named<'a>, usize)>> {
    let mut by_class = vec![Vec::new(); classes];
    for &(name, split) in splits.iter().filter(|(name, _)| *name != PHOTOS) {
        for row in 0..split.len() {
            if let Some(rows) = by_class.get_mut(split.label(row)) {
                rows.push(((name, split), row));
            }
        }
    }
    by_class
}

/// A row's name in its split: file or line as people would look for it; empty if unknown.
fn row_name(split: &Split, row: usize) -> String {
    split.names.get(row).cloned().unwrap_or_default()
}
