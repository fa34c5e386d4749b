//! The sets there are, and the one door to them.

use std::path::PathBuf;

use crate::error::{DataError, Result};
use crate::fashion_mnist::{self, FileReport};
use crate::garments;
use crate::locate::Locate;
use crate::set::DataSet;
use crate::set_ref::SetRef;

/// What is known about a set without loading it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetInfo {
    /// Name for [`load`], with options as in [`DataSet::id`].
    pub id: String,
    /// One line.
    pub summary: String,
    /// Class names; empty where only reading the set tells.
    pub classes: Vec<String>,
    /// Names of a table's columns; empty for images, and where only reading tells.
    pub features: Vec<String>,
    /// Shape of one row: `[channels, height, width]` or `[columns]`; empty where only
    /// reading the set tells.
    pub shape: Vec<usize>,
    /// Whether it is a table, not images.
    pub table: bool,
    /// Rows of the training split; `None` where only reading the set tells.
    pub train: Option<usize>,
    /// Rows of the validation split; `None` where only reading the set tells.
    pub validation: Option<usize>,
    /// Rows of the test split; `None` where only reading the set tells.
    pub test: Option<usize>,
    /// Out-of-sample photographs; `None` where only reading the set tells.
    pub photos: Option<usize>,
    /// Terms of use.
    pub licence: String,
    /// What to cite.
    pub citation: String,
    /// Whether it lies in files that must be found, or downloaded where that is possible.
    pub needs_files: bool,
    /// Whether [`fetch`] can download the files.
    pub downloadable: bool,
}

fn garments_info(id: &str, summary: &str) -> SetInfo {
    SetInfo {
        id: id.to_owned(),
        summary: summary.to_owned(),
        classes: fashion_mnist::CLASSES.map(str::to_owned).to_vec(),
        features: Vec::new(),
        shape: vec![1, 28, 28],
        table: false,
        train: Some(garments::TRAIN),
        validation: Some(0),
        test: Some(garments::TEST),
        photos: Some(0),
        licence: "as this program".to_owned(),
        citation: "this program".to_owned(),
        needs_files: false,
        downloadable: false,
    }
}

/// Every set that has a name of its own, with its default options.
pub fn known() -> Vec<SetInfo> {
    vec![
        fashion_mnist::info(),
        garments_info(
            "garments",
            "drawn garments on a textured ground; exact masks; built in",
        ),
        garments_info(
            "garments-plain",
            "drawn garments on black; exact masks; built in",
        ),
        garments_info(
            "garments-cluttered",
            "drawn garments among distracting shapes on a textured ground; exact masks; built in",
        ),
        garments_info(
            "garments-shortcut",
            "garments with a watermark that gives the class away; exact masks of both; built in",
        ),
    ]
}

/// What is known about a set without loading it; of a description in a file, what it says.
///
/// # Errors
/// [`DataError::UnknownSet`], [`DataError::Reference`], and [`DataError::Option`] for an
/// option that the set does not have.
pub fn info(set: &SetRef, _locate: &Locate<'_>) -> Result<SetInfo> {
    let known = known();
    let Some(found) = known.iter().find(|info| info.id == set.name) else {
        // A reference that did not parse stands in the name as written.
        set.name.parse::<SetRef>()?;
        return Err(DataError::UnknownSet {
            id: set.name.clone(),
            known: known
                .into_iter()
                .map(|info| info.id)
                .collect::<Vec<_>>()
                .join(", "),
        });
    };
    match set.options.keys().next() {
        None => Ok(found.clone()),
        Some(option) => Err(DataError::Option {
            id: set.name.clone(),
            reason: format!("it has no option '{option}', nor any other"),
            remedy: "leave the braces out".to_owned(),
        }),
    }
}

/// Finds, verifies and loads a set.
///
/// # Errors
/// As [`info`]; for sets in files also [`DataError::NotFound`], [`DataError::Download`],
/// [`DataError::Malformed`], [`DataError::ChecksumMismatch`], [`DataError::NotAFile`] and
/// [`DataError::Io`]. A damaged file is an error even when a later place of the search
/// holds a good one.
pub fn load(set: &SetRef, locate: &Locate<'_>) -> Result<DataSet> {
    let info = info(set, locate)?;
    if info.needs_files {
        fashion_mnist::load(locate)
    } else {
        garments::load(&info.id, locate.splits)
    }
}

/// Brings all files of a set into the cache, where they are not there intact, whatever
/// [`Locate::download`] says. Gives the folder, or `None` for a set that needs no files.
///
/// # Errors
/// As [`load`].
pub fn fetch(set: &SetRef, locate: &Locate<'_>) -> Result<Option<PathBuf>> {
    if info(set, locate)?.needs_files {
        fashion_mnist::fetch_all(locate).map(Some)
    } else {
        Ok(None)
    }
}

/// Checks every part of a set where it is found; downloads nothing.
///
/// # Errors
/// As [`info`], and [`DataError::NotFound`]; what is wrong with a part stands in its
/// report.
pub fn verify(set: &SetRef, locate: &Locate<'_>) -> Result<Vec<FileReport>> {
    let info = info(set, locate)?;
    if info.needs_files {
        return fashion_mnist::verify_all(locate);
    }
    let outcome = garments::load(&info.id, locate.splits).map(drop);
    Ok(vec![FileReport {
        name: info.id,
        path: None,
        outcome,
    }])
}

/// [`DataSet::content_hash`] of a set. Of a known set without finding or loading it; of
/// a description in a file, by reading the files it uses.
///
/// # Errors
/// As [`info`]; for a description in a file, as [`load`].
pub fn content_hash(set: &SetRef, locate: &Locate<'_>) -> Result<[u8; 32]> {
    let info = info(set, locate)?;
    if info.needs_files {
        Ok(fashion_mnist::content_hash())
    } else {
        garments::content_hash(&info.id)
    }
}
