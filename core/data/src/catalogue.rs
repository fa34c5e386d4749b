//! The sets there are, and the one door to them.

use std::path::PathBuf;

use crate::error::{DataError, Result};
use crate::fashion_mnist::{self, FileReport};
use crate::garments;
use crate::locate::Locate;
use crate::set::DataSet;

/// What is known about a set without loading it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetInfo {
    /// Name for [`load`].
    pub id: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Class names.
    pub classes: &'static [&'static str],
    /// Shape of an image: channels, height, width.
    pub shape: [usize; 3],
    /// Images in the training split.
    pub train: usize,
    /// Images in the test split.
    pub test: usize,
    /// Terms of use.
    pub licence: &'static str,
    /// What to cite.
    pub citation: &'static str,
    /// Whether it lies in files that must be found or downloaded.
    pub needs_download: bool,
}

const fn built_in(id: &'static str, summary: &'static str) -> SetInfo {
    SetInfo {
        id,
        summary,
        classes: &fashion_mnist::CLASSES,
        shape: [1, 28, 28],
        train: garments::TRAIN,
        test: garments::TEST,
        licence: "as this program",
        citation: "this program",
        needs_download: false,
    }
}

static KNOWN: [SetInfo; 5] = [
    SetInfo {
        id: fashion_mnist::ID,
        summary: "photographs of garments, 28x28 grey on black; masks by rule",
        classes: &fashion_mnist::CLASSES,
        shape: [1, 28, 28],
        train: 60_000,
        test: 10_000,
        licence: "MIT",
        citation: "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017",
        needs_download: true,
    },
    built_in(
        "garments",
        "drawn garments on a textured ground; exact masks; built in",
    ),
    built_in(
        "garments-plain",
        "drawn garments on black; exact masks; built in",
    ),
    built_in(
        "garments-cluttered",
        "drawn garments among distracting shapes on a textured ground; exact masks; built in",
    ),
    built_in(
        "garments-shortcut",
        "garments with a watermark that gives the class away; exact masks of both; built in",
    ),
];

/// Every set that [`load`] knows.
pub fn known() -> &'static [SetInfo] {
    &KNOWN
}

fn info(id: &str) -> Result<&'static SetInfo> {
    KNOWN
        .iter()
        .find(|info| info.id == id)
        .ok_or_else(|| DataError::UnknownSet {
            id: id.to_owned(),
            known: KNOWN
                .iter()
                .map(|info| info.id)
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// Finds, verifies and loads a set.
///
/// # Errors
/// [`DataError::UnknownSet`]; for sets in files also [`DataError::NotFound`],
/// [`DataError::Download`], [`DataError::Malformed`], [`DataError::ChecksumMismatch`],
/// [`DataError::NotAFile`] and [`DataError::Io`]. A damaged file is an error even when
/// a later place of the search holds a good one.
pub fn load(id: &str, locate: &Locate<'_>) -> Result<DataSet> {
    let info = info(id)?;
    if info.needs_download {
        fashion_mnist::load(locate)
    } else {
        garments::load(info.id, locate.splits)
    }
}

/// Brings all files of a set into the cache, where they are not there intact, whatever
/// [`Locate::download`] says. Gives the folder, or `None` for a set that needs no files.
///
/// # Errors
/// As [`load`].
pub fn fetch(id: &str, locate: &Locate<'_>) -> Result<Option<PathBuf>> {
    if info(id)?.needs_download {
        fashion_mnist::fetch_all(locate).map(Some)
    } else {
        Ok(None)
    }
}

/// Checks every part of a set where it is found; downloads nothing.
///
/// # Errors
/// [`DataError::UnknownSet`] and [`DataError::NotFound`]; what is wrong with a part
/// stands in its report.
pub fn verify(id: &str, locate: &Locate<'_>) -> Result<Vec<FileReport>> {
    let info = info(id)?;
    if info.needs_download {
        return fashion_mnist::verify_all(locate);
    }
    let outcome = garments::load(info.id, locate.splits).map(drop);
    Ok(vec![FileReport {
        name: info.id.to_owned(),
        path: None,
        outcome,
    }])
}

/// [`DataSet::content_hash`] of a set, without finding or loading it.
///
/// # Errors
/// [`DataError::UnknownSet`].
pub fn content_hash(id: &str) -> Result<[u8; 32]> {
    let info = info(id)?;
    if info.needs_download {
        Ok(fashion_mnist::content_hash())
    } else {
        garments::content_hash(info.id)
    }
}
