//! What a checked description says.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fit::{Colour, Fit};
use crate::error::{DataError, Result};

/// Longest side of an image.
const MAX_SIDE: usize = 4096;
/// Most bytes in a description or a list.
const MAX_TEXT: u64 = 64 << 20;

/// A checked description.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    pub(crate) source: Source,
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) summary: String,
    pub(crate) licence: String,
    pub(crate) citation: String,
    /// Where the files come from; may be empty.
    pub(crate) comes_from: String,
    pub(crate) folder: PathBuf,
    pub(crate) sums: Option<String>,
    pub(crate) kind: Kind,
    /// Name of the division in use.
    pub(crate) division: String,
    pub(crate) divisions: BTreeMap<String, Division>,
}

/// Where a description stands, and the files beside it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Name for messages.
    pub(crate) file: String,
    pub(super) text: String,
    beside: Beside,
}

#[derive(Debug, Clone)]
enum Beside {
    Embedded(&'static [(&'static str, &'static str)]),
    Folder(PathBuf),
}

/// What is described.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Images(Images),
    Table(Table),
    Idx(Idx),
}

/// `[images]`. What is not skipped is part of the set's identity.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Images {
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    pub(crate) colour: Colour,
    /// Height, width.
    pub(crate) size: [usize; 2],
    pub(crate) fit: Fit,
    #[serde(skip)]
    pub(crate) extensions: Vec<String>,
    /// Empty: each sub-folder.
    pub(crate) classes: Vec<Class>,
    pub(crate) masks: Option<MaskFiles>,
    #[serde(skip)]
    pub(crate) index: Option<Index>,
}

/// A class of images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Class {
    pub(crate) folder: String,
    pub(crate) name: String,
    #[serde(skip)]
    pub(crate) images: Option<usize>,
    #[serde(skip)]
    pub(crate) pin: Option<String>,
    pub(crate) masks: Presence,
    #[serde(skip)]
    pub(crate) default: bool,
}

/// Which images of a class have masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Presence {
    #[default]
    All,
    Some,
    None,
}

/// `[images.masks]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MaskFiles {
    #[serde(skip_serializing)]
    pub(crate) suffix: Option<String>,
    #[serde(skip_serializing)]
    pub(crate) folder: Option<String>,
    pub(crate) object: Option<Vec<u8>>,
    #[serde(default)]
    pub(crate) unlabelled: Vec<u8>,
}

/// `[images.index]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    pub(crate) file: String,
    pub(crate) path: String,
    pub(crate) class: String,
}

/// `[table]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    #[serde(skip_serializing)]
    pub(crate) file: String,
    #[serde(default = "comma")]
    pub(crate) separator: char,
    pub(crate) label: String,
    pub(crate) features: Option<Vec<String>>,
    #[serde(skip_serializing)]
    pub(crate) pin: Option<String>,
    #[serde(default, rename = "class")]
    pub(crate) classes: Vec<TableClass>,
}

/// A class of a table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableClass {
    pub(crate) value: String,
    pub(crate) name: String,
    #[serde(skip_serializing)]
    pub(crate) rows: Option<usize>,
}

/// `[idx]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Idx {
    #[serde(skip_serializing)]
    pub(crate) train_images: String,
    #[serde(skip_serializing)]
    pub(crate) train_labels: String,
    #[serde(skip_serializing)]
    pub(crate) test_images: String,
    #[serde(skip_serializing)]
    pub(crate) test_labels: String,
    pub(crate) classes: Vec<String>,
    #[serde(default)]
    pub(crate) first_label: u8,
    #[serde(default)]
    pub(crate) transposed: bool,
    #[serde(default)]
    pub(crate) masks: IdxMasks,
}

/// Masks of an IDX set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IdxMasks {
    #[default]
    None,
    Rule,
}

/// How rows are divided into splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Division {
    /// Shares of train, validation, test, and the seed.
    Stratified { shares: [f64; 3], seed: u64 },
    /// The lists that make up train, validation, test.
    Lists {
        #[serde(skip)]
        file: String,
        parts: [Vec<String>; 3],
        mask: Option<String>,
    },
}

fn comma() -> char {
    ','
}

impl Source {
    /// An error at a place of the description.
    pub(crate) fn refuse(
        &self,
        at: Option<Range<usize>>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> DataError {
        let line = at.map(|span| {
            let before = self.text.get(..span.start).unwrap_or_default();
            1 + before.matches('\n').count()
        });
        DataError::Description {
            file: self.file.clone(),
            line,
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    /// The text of a file beside the description.
    pub(crate) fn beside(&self, name: &str) -> Result<String> {
        match &self.beside {
            Beside::Embedded(files) => files
                .iter()
                .find(|(file, _)| *file == name)
                .map(|(_, text)| (*text).to_owned())
                .ok_or_else(|| {
                    self.refuse(None, format!("'{name}' is not embedded"), "report this")
                }),
            Beside::Folder(folder) => {
                let relative = relative(name)
                    .map_err(|reason| self.refuse(None, reason, "name a file beside it"))?;
                super::text::read(&folder.join(relative), MAX_TEXT)
            }
        }
    }

    /// The folder of a description in a file.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match &self.beside {
            Beside::Embedded(_) => None,
            Beside::Folder(folder) => Some(folder),
        }
    }
}

impl Description {
    /// Reads a user's description.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = super::text::read(path, MAX_TEXT)?;
        Self::check(Source {
            file: path.display().to_string(),
            text,
            beside: Beside::Folder(folder_of(path).to_owned()),
        })
    }

    /// Reads a description embedded in the program, with the files beside it.
    pub(crate) fn embedded(
        file: &str,
        text: &str,
        beside: &'static [(&'static str, &'static str)],
    ) -> Result<Self> {
        Self::check(Source {
            file: file.to_owned(),
            text: text.to_owned(),
            beside: Beside::Embedded(beside),
        })
    }
}

/// The folder of a file; of a bare name the working folder, which an empty path does not name.
fn folder_of(file: &Path) -> &Path {
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A path within a folder, or why it is none.
pub(crate) fn relative(path: &str) -> Result<PathBuf, String> {
    let bad = |why: &str| Err(format!("the path \"{path}\" {why}"));
    if path.is_empty() {
        return bad("is empty");
    }
    if path.starts_with('/') || path.contains(['\\', '\0', ':']) {
        return bad("is not relative, with / between its parts");
    }
    let mut out = PathBuf::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return bad("leaves the folder"),
            part => out.push(part),
        }
    }
    Ok(out)
}

/// Sides as written.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a number of pixels, as in 64, or [height, width]"
)]
pub(crate) enum Size {
    Square(usize),
    Sides([usize; 2]),
}

impl Size {
    /// Height and width, or why not.
    pub(crate) fn sides(&self) -> Result<[usize; 2], String> {
        let sides = match *self {
            Self::Square(side) => [side; 2],
            Self::Sides(sides) => sides,
        };
        if sides.iter().all(|side| (1..=MAX_SIDE).contains(side)) {
            Ok(sides)
        } else {
            Err(format!("a side must be 1 to {MAX_SIDE} pixels"))
        }
    }
}

/// Labels are 16 bits.
pub(crate) fn too_many(classes: usize) -> Result<(), String> {
    let most = usize::from(u16::MAX);
    if classes <= most {
        return Ok(());
    }
    Err(format!(
        "{classes} classes, at most {most} can be told apart"
    ))
}

/// Whether two label cells mean the same: as numbers where both are, else as text.
pub(crate) fn same_value(a: &str, b: &str) -> bool {
    match (a.trim().parse::<f64>(), b.trim().parse::<f64>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.trim() == b.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_lies_in_the_working_folder() {
        assert_eq!(folder_of(Path::new("birds.toml")), Path::new("."));
        assert_eq!(folder_of(Path::new("sets/birds.toml")), Path::new("sets"));
        assert_eq!(folder_of(Path::new("/birds.toml")), Path::new("/"));
    }
}
