//! The sets there are, and the one door to them.

use std::path::PathBuf;

use crate::error::{DataError, Result};
use crate::fashion_mnist::{self, FileReport};
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

static KNOWN: [SetInfo; 1] = [SetInfo {
    id: fashion_mnist::ID,
    summary: "photographs of garments, 28x28 grey on black; masks by rule",
    classes: &fashion_mnist::CLASSES,
    shape: [1, 28, 28],
    train: 60_000,
    test: 10_000,
    licence: "MIT",
    citation: "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017",
    needs_download: true,
}];

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
    info(id)?;
    fashion_mnist::load(locate)
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
    info(id)?;
    fashion_mnist::verify_all(locate)
}

/// [`DataSet::content_hash`] of a set, without finding or loading it.
///
/// # Errors
/// [`DataError::UnknownSet`].
pub fn content_hash(id: &str) -> Result<[u8; 32]> {
    info(id)?;
    Ok(fashion_mnist::content_hash())
}
