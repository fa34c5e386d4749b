//! The sets there are, and the one door to them.

use std::path::PathBuf;

use serde_json::Map;

use crate::described::{self, Description};
use crate::error::{DataError, Result};
use crate::fashion_mnist;
use crate::garments;
use crate::locate::Locate;
use crate::set::{DataSet, Origin};
use crate::set_ref::SetRef;

/// What is known about a set without loading it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetInfo {
    /// As [`DataSet::id`]; without options the name for [`load`].
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

/// Sets in files of our own, and the files beside their descriptions.
const DESCRIBED: [(&str, &str); 4] = [
    ("busi", include_str!("../sets/busi.toml")),
    ("fetal-health", include_str!("../sets/fetal-health.toml")),
    ("flowers17", include_str!("../sets/flowers17.toml")),
    (
        "garment-photos",
        include_str!("../sets/garment-photos.toml"),
    ),
];
const BESIDE: [(&str, &str); 1] = [("busi-study.csv", include_str!("../sets/busi-study.csv"))];

/// Names and summaries of the sets that the program draws.
const DRAWN: [(&str, &str); 4] = [
    (
        "garments",
        "drawn garments on a textured ground; exact masks; built in",
    ),
    (
        "garments-plain",
        "drawn garments on black; exact masks; built in",
    ),
    (
        "garments-cluttered",
        "drawn garments among distracting shapes on a textured ground; exact masks; built in",
    ),
    (
        "garments-shortcut",
        "garments with a watermark that gives the class away; exact masks of both; built in",
    ),
];

/// Every set that has a name of its own, with its default options.
pub fn known() -> Vec<SetInfo> {
    let mut known = vec![fashion_mnist::info()];
    for (id, summary) in DRAWN {
        known.push(garments_info(id, summary));
    }
    for (id, _) in DESCRIBED {
        // Each is read by a test: none fails.
        if let Ok((description, id)) = embedded(id).and_then(|d| described::apply(&d, &Map::new()))
        {
            known.push(described::info(&description, &id));
        }
    }
    known
}

fn embedded(id: &str) -> Result<Description> {
    match DESCRIBED.iter().find(|(name, _)| *name == id) {
        Some((name, text)) => Description::embedded(&format!("{name}.toml"), text, &BESIDE),
        None => Err(unknown(id)),
    }
}

/// Where the files of one of our sets come from, and where to put them.
pub(crate) fn comes_from(id: &str) -> Result<String> {
    embedded(id).map(|description| description.comes_from)
}

fn unknown(id: &str) -> DataError {
    let named = [fashion_mnist::ID].into_iter();
    let drawn = DRAWN.iter().map(|(id, _)| *id);
    let described = DESCRIBED.iter().map(|(id, _)| *id);
    let known: Vec<&str> = named.chain(drawn).chain(described).collect();
    DataError::UnknownSet {
        id: id.to_owned(),
        known: known.join(", "),
    }
}

/// A set that was looked up, its options applied.
enum Found {
    FashionMnist,
    Garments(&'static str, &'static str),
    Described(Box<Description>, String),
}

fn find(set: &SetRef, locate: &Locate<'_>) -> Result<Found> {
    let plain = |found: Found| match set.options.keys().next() {
        None => Ok(found),
        Some(option) => Err(DataError::Option {
            id: set.name.clone(),
            reason: format!("it has no option \"{option}\""),
            remedy: "its options are: none".to_owned(),
        }),
    };
    if set.name == fashion_mnist::ID {
        return plain(Found::FashionMnist);
    }
    if let Some(&(id, summary)) = DRAWN.iter().find(|(id, _)| *id == set.name) {
        return plain(Found::Garments(id, summary));
    }
    let description = if set.is_path() {
        let described = Description::read(&path(&set.name, locate))?;
        let taken = |id: &str| id == described.name;
        if taken(fashion_mnist::ID)
            || DRAWN.iter().any(|(id, _)| taken(id))
            || DESCRIBED.iter().any(|(id, _)| taken(id))
        {
            return Err(described.source.refuse(
                None,
                format!("name: \"{}\" is the name of a built-in set", described.name),
                "choose another name",
            ));
        }
        described
    } else {
        // A reference that did not parse stands in the name as written.
        set.name.parse::<SetRef>()?;
        embedded(&set.name)?
    };
    let (description, id) = described::apply(&description, &set.options)?;
    Ok(Found::Described(Box::new(description), id))
}

/// A description's path: in the root, if one is named and holds it, else as it stands.
fn path(name: &str, locate: &Locate<'_>) -> PathBuf {
    let path = PathBuf::from(name);
    match locate.root.map(|root| root.join(&path)) {
        Some(inside) if inside.is_file() => inside,
        _ => path,
    }
}

/// What is known about a set without loading it; of a description in a file, what it says.
///
/// # Errors
/// [`DataError::UnknownSet`], [`DataError::Reference`], [`DataError::Option`] for an
/// option that the set does not have, and [`DataError::Description`] or
/// [`DataError::Io`] for a description that cannot be read.
pub fn info(set: &SetRef, locate: &Locate<'_>) -> Result<SetInfo> {
    Ok(match find(set, locate)? {
        Found::FashionMnist => fashion_mnist::info(),
        Found::Garments(id, summary) => garments_info(id, summary),
        Found::Described(description, id) => described::info(&description, &id),
    })
}

/// Finds, verifies and loads a set.
///
/// # Errors
/// As [`info`]; for sets in files also [`DataError::NotFound`], [`DataError::Download`],
/// [`DataError::Malformed`], [`DataError::ChecksumMismatch`], [`DataError::NotAFile`],
/// [`DataError::Files`], [`DataError::Table`], [`DataError::Photo`] and
/// [`DataError::Io`]. A damaged file is an error even when a later place of the search
/// holds a good one.
pub fn load(set: &SetRef, locate: &Locate<'_>) -> Result<DataSet> {
    match find(set, locate)? {
        Found::FashionMnist => fashion_mnist::load(locate),
        Found::Garments(id, _) => garments::load(id, locate.splits),
        Found::Described(description, id) => described::load(&description, &id, locate),
    }
}

/// Brings all files of a set into the cache, where they are not there intact, whatever
/// [`Locate::download`] says. Gives the folder, or `None` for a set that needs no files.
/// A set that cannot be downloaded is found and verified.
///
/// # Errors
/// As [`load`].
pub fn fetch(set: &SetRef, locate: &Locate<'_>) -> Result<Option<PathBuf>> {
    match find(set, locate)? {
        Found::FashionMnist => fashion_mnist::fetch_all(locate).map(Some),
        Found::Garments(..) => Ok(None),
        Found::Described(description, id) => {
            Ok(match described::load(&description, &id, locate)?.origin {
                Origin::Files { folder, .. } | Origin::Downloaded { folder } => Some(folder),
                Origin::Generated => None,
            })
        }
    }
}

/// What [`verify`] found out about one file, class of files or generated part.
#[derive(Debug)]
pub struct FileReport {
    /// Name of the file or part.
    pub name: String,
    /// Where it lies; `None` for what is generated or was not found.
    pub path: Option<PathBuf>,
    /// Whether it is what it should be.
    pub outcome: Result<()>,
}

/// Checks every part of a set where it is found; downloads nothing. Of folders of images
/// each class that is well gets one report, and each file that is not one of its own.
///
/// # Errors
/// As [`info`], and [`DataError::NotFound`]; what is wrong with a part stands in its
/// report.
pub fn verify(set: &SetRef, locate: &Locate<'_>) -> Result<Vec<FileReport>> {
    match find(set, locate)? {
        Found::FashionMnist => fashion_mnist::verify_all(locate),
        Found::Garments(id, _) => Ok(vec![FileReport {
            name: id.to_owned(),
            path: None,
            outcome: garments::load(id, locate.splits).map(drop),
        }]),
        Found::Described(description, id) => described::verify(&description, &id, locate),
    }
}

/// [`DataSet::content_hash`] of a set as [`load`] would give it. Of a known set without
/// finding it; of a description whose files are not pinned, by reading them.
///
/// # Errors
/// As [`info`]; for a description in a file, as [`load`].
pub fn content_hash(set: &SetRef, locate: &Locate<'_>) -> Result<[u8; 32]> {
    match find(set, locate)? {
        Found::FashionMnist => Ok(fashion_mnist::content_hash(locate.splits)),
        Found::Garments(id, _) => garments::content_hash(id),
        Found::Described(description, id) => described::content_hash(&description, &id, locate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_description_is_read() {
        assert_eq!(known().len(), 1 + DRAWN.len() + DESCRIBED.len());
        for (id, _) in DESCRIBED {
            assert_eq!(embedded(id).unwrap().name, id);
        }
    }
}
