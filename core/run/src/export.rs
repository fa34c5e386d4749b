//! `xbench data export`: rows of a data set as NumPy arrays, for programs in any language.
//!
//! So that explanations made elsewhere are about the very rows that are scored here: the splits
//! that a description draws, the images that the program generates, pictures after scaling.

use std::path::{Path, PathBuf};

use ndarray::{ArrayD, Dimension, IxDyn};
use ndarray_npy::{WritableElement, WriteNpyExt as _};
use serde::Serialize;
use xbench_data::{Selection, SetRef, Split, Splits, select};
use xbench_record::write_file;

use crate::bench::load_data;
use crate::error::{RunError, at};
use crate::observer::Observer;
use crate::session::masks_of;
use crate::split::{self, split_of};

/// What to export.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The data set.
    pub data: SetRef,
    /// Its split: `test`, `train`, `validation` or `photos`.
    pub split: String,
    /// Which of the split's rows.
    pub select: Selection,
    /// Folder for the files, by default `export-<set>-<split>`; made if need be.
    pub out: Option<PathBuf>,
    /// Never download.
    pub offline: bool,
}

/// What was exported; stands as `set.json` beside the arrays.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// Id of the data set, with the options that differ from its defaults.
    pub set: String,
    /// Version of its content.
    pub version: u32,
    /// SHA-256 of what decides its content, hexadecimal.
    pub content: String,
    /// The split.
    pub split: String,
    /// Class names; labels are indices into them.
    pub classes: Vec<String>,
    /// Names of a table's columns; empty for images.
    pub features: Vec<String>,
    /// The arrays that were written.
    pub arrays: Vec<ExportedArray>,
    /// Numbers of the rows within the split, in the order of the arrays.
    pub rows: Vec<usize>,
    /// File name or line of each row, where there are any.
    pub names: Vec<String>,
    /// Where it was written.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedArray {
    /// File name.
    pub file: &'static str,
    /// Extents.
    pub shape: Vec<usize>,
    /// What it holds.
    pub holds: &'static str,
}

/// Every array that an export may have.
const FILES: [&str; 7] = [
    "inputs.npy",
    "labels.npy",
    "rows.npy",
    "masks.npy",
    "has_mask.npy",
    "cause.npy",
    "distractors.npy",
];

/// Writes the selected rows into a folder: `inputs.npy` as models get them (`[n, c, h, w]`, pixels
/// from 0 to 1, or `[n, d]`; float32), `labels.npy` and `rows.npy` (`[n]`, int64), and, where the
/// set has them, `masks.npy`, `cause.npy` and `distractors.npy` (`[n, h, w]`, 0 or 1, uint8) with
/// `has_mask.npy` (`[n]`, bool) where some images have none; `set.json` says what they are.
///
/// # Errors
/// Data that cannot be had, a selection that does not fit, files that cannot be written.
pub fn export(request: &ExportRequest, observer: &dyn Observer) -> Result<Exported, RunError> {
    let splits: Splits = split::to_load(&request.split);
    let (set, _) = load_data(&request.data, None, None, splits, request.offline, observer)?;
    let split = split_of(&set, &request.split)?;
    let rows = select(split, set.classes.len(), &request.select)?;
    if rows.is_empty() {
        return Err(RunError::NothingSelected(format!(
            "the selection '{}' is of no row",
            request.select
        )));
    }
    let folder = request
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("export-{}-{}", set.id, request.split)));
    std::fs::create_dir_all(&folder).map_err(at(&folder))?;
    let mut exported = Exported {
        set: set.id.clone(),
        version: set.version,
        content: set.content_hash_hex(),
        split: request.split.clone(),
        classes: set.classes.clone(),
        features: set.features.clone(),
        arrays: Vec::new(),
        names: rows
            .iter()
            .filter_map(|&row| split.names.get(row).cloned())
            .collect(),
        rows,
        folder,
    };
    exported.write_rows(split)?;
    exported.write_regions(split)?;
    // What an earlier export into the folder had beside these would seem to belong to them.
    for file in FILES {
        let path = exported.folder.join(file);
        if !exported.arrays.iter().any(|array| array.file == file) && path.exists() {
            std::fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    let text = serde_json::to_string_pretty(&exported)
        .map_err(|error| RunError::Files(error.to_string()))?;
    write(&exported.folder.join("set.json"), text.as_bytes())?;
    Ok(exported)
}

impl Exported {
    fn write_rows(&mut self, split: &Split) -> Result<(), RunError> {
        let mut inputs = Vec::new();
        split.rows_f32(&self.rows, &mut inputs);
        let (n, rows) = (self.rows.len(), self.rows.clone());
        let shape = [&[n], &split.shape[..]].concat();
        let holds = if split.is_table() {
            "columns in their own units"
        } else {
            "pixels from 0 to 1, as a model gets them"
        };
        self.array("inputs.npy", shape, inputs, holds)?;
        let labels = rows.iter().map(|&row| split.label(row) as i64).collect();
        self.array("labels.npy", vec![n], labels, "class of each row")?;
        let numbers = rows.iter().map(|&row| row as i64).collect();
        self.array("rows.npy", vec![n], numbers, "number within the split")
    }

    fn write_regions(&mut self, split: &Split) -> Result<(), RunError> {
        let [_, height, width] = split.plane();
        let shape = vec![self.rows.len(), height, width];
        let rows = self.rows.clone();
        let masks = masks_of(split, &rows);
        if !masks.is_empty() {
            self.array("masks.npy", shape.clone(), masks, "1 on the object")?;
            let has: Vec<bool> = rows.iter().map(|&row| split.mask(row).is_some()).collect();
            if has.contains(&false) {
                let holds = "whether the image has a mask; where it has none masks.npy is 0";
                self.array("has_mask.npy", vec![rows.len()], has, holds)?;
            }
        }
        let planes = |region: &dyn Fn(usize) -> Option<Vec<bool>>| -> Vec<u8> {
            rows.iter()
                .filter_map(|&row| region(row))
                .flatten()
                .map(u8::from)
                .collect()
        };
        let cause = planes(&|row| split.cause(row));
        if !cause.is_empty() {
            self.array("cause.npy", shape.clone(), cause, "1 on the planted cause")?;
        }
        let distractors = planes(&|row| split.distractors(row));
        if !distractors.is_empty() {
            self.array("distractors.npy", shape, distractors, "1 on distractors")?;
        }
        Ok(())
    }

    fn array<T: WritableElement>(
        &mut self,
        file: &'static str,
        shape: Vec<usize>,
        values: Vec<T>,
        holds: &'static str,
    ) -> Result<(), RunError> {
        let wrong = |error: &dyn std::fmt::Display| RunError::Files(format!("{file}: {error}"));
        let array = ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|e| wrong(&e))?;
        let mut bytes = Vec::with_capacity(array.raw_dim().size() * size_of::<T>() + 128);
        array.write_npy(&mut bytes).map_err(|e| wrong(&e))?;
        write(&self.folder.join(file), &bytes)?;
        self.arrays.push(ExportedArray { file, shape, holds });
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    write_file(path, bytes).map_err(|error| RunError::Files(error.to_string()))
}
