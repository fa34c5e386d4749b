//! What is explained: images and rows, from data sets and from files.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use xbench_data::mask::object_by_rule;
use xbench_data::photo::{PhotoOptions, SIDE, prepare_file, read_file_as};
use xbench_data::{DataError, SetInfo, read_table};

use super::rows::Rows;
use super::{Content, ExplainedRow, features, layout_of};
use crate::bench::load_data;
use crate::error::RunError;
use crate::observer::Observer;
use crate::session::masks_of;
use crate::split::{self, split_of};

/// Most rows that a table on the command line may have.
const MOST_ROWS: usize = 10_000;

/// Rows with what explainers may ask about them.
pub(super) struct Input {
    pub(super) rows: Vec<ExplainedRow>,
    pub(super) ids: Vec<u64>,
    /// `[n, h, w]`; empty where there are none.
    pub(super) masks: Vec<u8>,
}

impl Input {
    /// Rows as they are sent to a worker.
    pub(super) fn packed(&self, at: std::ops::Range<usize>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for row in &self.rows[at] {
            match &row.content {
                Content::Image { pixels, .. } => bytes.extend_from_slice(pixels),
                Content::Features(values) => {
                    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                }
            }
        }
        bytes
    }
}

pub(super) fn from_set(
    rows: &Rows,
    info: &SetInfo,
    offline: bool,
    observer: &dyn Observer,
) -> Result<Input, RunError> {
    let splits = split::to_load(&rows.split);
    let (set, _) = load_data(&rows.set, None, None, splits, offline, observer)?;
    let split = split_of(&set, &rows.split)?;
    if set.shape != info.shape || split.is_table() != info.table {
        let what = |table: bool| if table { "rows" } else { "images" };
        return Err(RunError::Flag(format!(
            "{} has {} {:?}, models trained on {} take {} {:?}",
            set.id,
            what(split.is_table()),
            set.shape,
            info.id,
            what(info.table),
            info.shape
        )));
    }
    let numbers = match &rows.numbers {
        Some(numbers) => numbers.clone(),
        None => (0..split.len()).collect(),
    };
    if let Some(beyond) = numbers.iter().find(|&&row| row >= split.len()) {
        return Err(RunError::Flag(format!(
            "{}:{} has {} rows, row {beyond} was asked for",
            rows.set,
            rows.split,
            split.len(),
        )));
    }
    if numbers.is_empty() {
        return Err(RunError::NothingSelected(format!(
            "{}:{} has no rows",
            rows.set, rows.split
        )));
    }
    // A description is named by its path, its set by a name.
    let described = rows.set.name.contains(['/', '\\']) || rows.set.name.ends_with(".toml");
    let name = if described { &set.id } else { &rows.set.name };
    let mut explained = Vec::with_capacity(numbers.len());
    for &row in &numbers {
        let place = format!("{name}:{}", rows.split);
        let label = match split.names.get(row) {
            // Rows of a table have the line of their file for a name, images their own.
            Some(name) if !info.table => format!("{place} {name}"),
            _ => format!("{place}[{row}]"),
        };
        let content = match split.pixels(row) {
            Some(pixels) => Content::Image {
                pixels: pixels.to_vec(),
                original: None,
            },
            None => {
                let mut values = Vec::new();
                split.row_f32(row, &mut values);
                Content::Features(values)
            }
        };
        explained.push(ExplainedRow {
            label,
            content,
            truth: Some(split.label(row)),
        });
    }
    Ok(Input {
        rows: explained,
        ids: numbers.iter().map(|&row| row as u64).collect(),
        masks: masks_of(split, &numbers),
    })
}

/// The random draws of what comes from a file are its own, whatever stands beside it.
fn id_of(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    let first = digest.iter().take(6);
    first.fold(0, |id, byte| (id << 8) | u64::from(*byte))
}

/// What is wrong with a file is the caller's to mend.
fn wrong(error: DataError) -> RunError {
    RunError::Flag(error.to_string())
}

/// Rows of CSV files with the columns of a table's features.
pub(super) fn from_tables(
    paths: &[PathBuf],
    info: &SetInfo,
    observer: &dyn Observer,
) -> Result<Input, RunError> {
    let features = features(info);
    let mut input = Input {
        rows: Vec::new(),
        ids: Vec::new(),
        masks: Vec::new(),
    };
    for path in paths {
        let table = read_table(path, &features, MOST_ROWS).map_err(wrong)?;
        if !table.left_out.is_empty() {
            observer.notice(&format!(
                "{}: columns that the models do not take are left out: {}",
                path.display(),
                table.left_out.join(", ")
            ));
        }
        let rows = table.values.chunks_exact(features.len().max(1));
        for (line, values) in table.lines.iter().zip(rows) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            input.ids.push(id_of(&bytes));
            input.rows.push(ExplainedRow {
                label: format!("{}:{line}", file_name(path)),
                content: Content::Features(values.to_vec()),
                truth: None,
            });
        }
    }
    Ok(input)
}

pub(super) fn from_photographs(paths: &[PathBuf], info: &SetInfo) -> Result<Input, RunError> {
    let mut input = Input {
        rows: Vec::new(),
        ids: Vec::new(),
        masks: Vec::new(),
    };
    for path in paths {
        let ending = path.extension().unwrap_or_default();
        if ending.eq_ignore_ascii_case("csv") && path.is_file() {
            return Err(RunError::Flag(format!(
                "{}: a table, but models trained on {} take images; name the table's data set: \
                 --trained-on fetal-health, or the path of its description",
                path.display(),
                info.id
            )));
        }
        let options = PhotoOptions::default();
        let shape = layout_of(info).plane();
        let prepared = if shape == [1, SIDE, SIDE] {
            // Made to look like Fashion-MNIST: its own background was set to exactly 0.
            let prepared = prepare_file(path, &options).map_err(wrong)?;
            let [channels, height, width] = shape;
            let mask = object_by_rule(&prepared.pixels, channels, height, width);
            input.masks.extend(mask.into_iter().map(u8::from));
            prepared
        } else {
            read_file_as(path, shape, &options).map_err(wrong)?
        };
        input.ids.push(id_of(&prepared.pixels));
        input.rows.push(ExplainedRow {
            label: file_name(path),
            content: Content::Image {
                pixels: prepared.pixels,
                original: Some(prepared.original),
            },
            truth: None,
        });
    }
    Ok(input)
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
