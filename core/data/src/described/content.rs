//! A described set found, loaded, verified and identified.

use std::path::{Path, PathBuf};

use super::document::{Description, Division, Kind};
use super::pins::{self, Sums};
use super::{divide, idx, images, table};
use crate::catalogue::{FileReport, SetInfo};
use crate::digest::{hex, sha256};
use crate::error::{DataError, Result};
use crate::locate::{Locate, Splits};
use crate::set::{DataSet, Origin, Place, Split};

/// Version of what is done to files: raised when the same files give other values.
const PROCESSING: u32 = 1;

/// What a kind of set gives back.
pub(crate) struct Loaded {
    pub(crate) classes: Vec<String>,
    pub(crate) features: Vec<String>,
    pub(crate) shape: Vec<usize>,
    /// Train, validation, test.
    pub(crate) splits: [Split; 3],
    /// Digests of the files of each part that a pin may stand for.
    pub(crate) parts: Vec<(String, Sums)>,
    /// The kind with what was found filled in, for the set's identity.
    pub(crate) kind: Kind,
    pub(crate) notes: Vec<String>,
}

/// Finds, verifies and loads.
pub(crate) fn load(description: &Description, id: &str, locate: &Locate<'_>) -> Result<DataSet> {
    if locate.splits == Splits::PhotosOnly {
        return Err(DataError::no_photos(id));
    }
    let (folder, origin) = find(description, locate)?;
    let loaded = match &description.kind {
        Kind::Images(spec) => images::load(description, spec, &folder, locate.splits)?,
        Kind::Table(spec) => table::load(description, spec, &folder, locate.splits)?,
        Kind::Idx(spec) => idx::load(spec, &folder, locate.splits)?,
    };
    if let Some(sums) = &description.sums {
        let list = pins::read_sums(&folder.join(sums))?;
        for (_, found) in &loaded.parts {
            pins::check_listed(found, &list, &folder, sums)?;
        }
    }
    for (part, found) in &loaded.parts {
        if let Some(pin) = pinned(&loaded.kind, part) {
            pins::check_pin(found, pin, &folder, part)?;
        }
    }
    let digests: Vec<String> = loaded
        .parts
        .iter()
        .map(|(_, sums)| pins::pin(sums))
        .collect();
    let content_hash = hash(description, &loaded.kind, &digests)?;
    let [train, validation, test] = loaded.splits;
    let photos = Split {
        shape: test.shape.clone(),
        ..Split::default()
    };
    Ok(DataSet {
        id: id.to_owned(),
        version: description.version,
        classes: loaded.classes,
        features: loaded.features,
        shape: loaded.shape,
        train,
        validation,
        test,
        photos,
        content_hash,
        origin,
        notes: loaded.notes,
    })
}

/// The pin of a class or table.
fn pinned<'k>(kind: &'k Kind, part: &str) -> Option<&'k str> {
    match kind {
        Kind::Images(images) => {
            let class = images.classes.iter().find(|class| class.folder == part)?;
            class.pin.as_deref()
        }
        Kind::Table(table) => table.pin.as_deref(),
        Kind::Idx(_) => None,
    }
}

/// The content hash: of everything that decides what a row holds and where it lands.
fn hash(description: &Description, kind: &Kind, digests: &[String]) -> Result<[u8; 32]> {
    let written = |value: serde_json::Result<String>| {
        value.map_err(|error| {
            description
                .source
                .refuse(None, error.to_string(), "report this")
        })
    };
    let kind = match kind {
        Kind::Images(images) => written(serde_json::to_string(images))?,
        Kind::Table(table) => written(serde_json::to_string(table))?,
        Kind::Idx(idx) => written(serde_json::to_string(idx))?,
    };
    let division = description.divisions.get(&description.division);
    let mut text = format!(
        "{}\n{}\n{PROCESSING}\n{kind}\n{}\n",
        description.name,
        description.version,
        written(serde_json::to_string(&division))?
    );
    if let Some(Division::Lists { file, .. }) = division {
        let list = description.source.beside(file)?;
        text.push_str(&hex(&sha256(list.as_bytes())));
        text.push('\n');
    }
    for digest in digests {
        text.push_str(digest);
        text.push('\n');
    }
    Ok(sha256(text.as_bytes()))
}

/// The content hash; without looking at files where all parts are pinned.
pub(crate) fn content_hash(
    description: &Description,
    id: &str,
    locate: &Locate<'_>,
) -> Result<[u8; 32]> {
    let pins: Option<Vec<String>> = match &description.kind {
        Kind::Images(images) if !images.classes.is_empty() => images
            .classes
            .iter()
            .map(|class| class.pin.clone())
            .collect(),
        Kind::Table(table) if table.features.is_some() => table.pin.clone().map(|pin| vec![pin]),
        Kind::Images(_) | Kind::Table(_) | Kind::Idx(_) => None,
    };
    if let Some(pins) = pins {
        return hash(description, &description.kind, &pins);
    }
    let locate = Locate {
        splits: Splits::TestOnly,
        ..locate.clone()
    };
    Ok(load(description, id, &locate)?.content_hash)
}

/// The folders that may hold the files.
fn candidates(description: &Description, locate: &Locate<'_>) -> Vec<(Place, PathBuf)> {
    let mut folders = match description.source.folder() {
        None => locate.folders(&description.name),
        Some(folder) => {
            let mut folders = vec![(Place::Description, folder.join(&description.folder))];
            if let Some(root) = locate.root {
                folders.push((Place::Root, root.join(&description.name)));
                folders.push((Place::Root, root.to_owned()));
            }
            folders
        }
    };
    folders.dedup_by(|a, b| a.1 == b.1);
    folders
}

/// What a folder lacks to hold the set.
fn lacks(description: &Description, folder: &Path) -> Option<String> {
    let missing = |path: PathBuf| {
        let there = folder.join(&path).try_exists().unwrap_or(true);
        (!there).then(|| path.display().to_string())
    };
    match &description.kind {
        Kind::Images(images) => match &images.index {
            Some(index) => missing(PathBuf::from(&index.file)),
            None if images.classes.is_empty() => missing(images.folder.clone()),
            None => images
                .classes
                .iter()
                .find_map(|class| missing(images.folder.join(&class.folder))),
        },
        Kind::Table(table) => missing(PathBuf::from(&table.file)),
        Kind::Idx(spec) => [
            &spec.train_images,
            &spec.train_labels,
            &spec.test_images,
            &spec.test_labels,
        ]
        .into_iter()
        .find(|name| idx::existing(folder, name).is_none())
        .cloned(),
    }
}

/// The first folder that holds the set.
fn find(description: &Description, locate: &Locate<'_>) -> Result<(PathBuf, Origin)> {
    let candidates = candidates(description, locate);
    let mut incomplete = None;
    for (place, folder) in &candidates {
        if !folder.is_dir() {
            continue;
        }
        match lacks(description, folder) {
            None => {
                let origin = Origin::Files {
                    folder: folder.clone(),
                    place: *place,
                };
                return Ok((folder.clone(), origin));
            }
            Some(what) if *place != Place::Root || incomplete.is_none() => {
                incomplete.get_or_insert((folder.clone(), what));
            }
            Some(_) => {}
        }
    }
    let mut remedy = match incomplete {
        Some((folder, what)) => format!("{} lacks {what}; ", folder.display()),
        None => String::new(),
    };
    if description.comes_from.is_empty() {
        remedy.push_str("put its files in one of these places, or name their folder as root");
    } else {
        remedy.push_str(&description.comes_from);
    }
    Err(DataError::NotFound {
        id: description.name.clone(),
        looked: candidates.into_iter().map(|(_, folder)| folder).collect(),
        remedy,
    })
}

/// Reads every file; what is wrong with one stands in its report.
pub(crate) fn verify(
    description: &Description,
    id: &str,
    locate: &Locate<'_>,
) -> Result<Vec<FileReport>> {
    let (folder, _) = find(description, locate)?;
    let Kind::Images(spec) = &description.kind else {
        let path = match &description.kind {
            Kind::Table(table) => folder.join(&table.file),
            _ => folder,
        };
        return Ok(vec![FileReport {
            name: description.name.clone(),
            path: Some(path),
            outcome: load(description, id, locate).map(drop),
        }]);
    };
    let (bad, classes) = images::check(description, spec, &folder)?;
    let mut reports: Vec<FileReport> = Vec::new();
    for (class, sums) in classes {
        // Where a file could not be read the class cannot agree either.
        let whole = !bad.iter().any(|(path, _)| in_class(path, &class.folder));
        let outcome = match class.pin.as_ref().filter(|_| whole) {
            Some(pin) => pins::check_pin(&sums, pin, &folder, &class.folder),
            None => Ok(()),
        };
        if whole {
            reports.push(FileReport {
                name: format!("{} ({} files)", class.name, sums.len()),
                path: Some(folder.join(&spec.folder).join(&class.folder)),
                outcome,
            });
        }
    }
    reports.extend(bad.into_iter().map(|(path, error)| FileReport {
        path: Some(folder.join(&path)),
        name: path,
        outcome: Err(error),
    }));
    Ok(reports)
}

fn in_class(path: &str, class: &str) -> bool {
    path.rsplit('/').skip(1).any(|part| part == class)
}

/// What the description tells without the data.
pub(crate) fn info(description: &Description, id: &str) -> SetInfo {
    let (mut classes, mut features, mut shape) = (Vec::new(), Vec::new(), Vec::new());
    // Rows of each class, where the description says.
    let mut rows: Option<Vec<usize>> = None;
    match &description.kind {
        Kind::Images(images) => {
            classes = images.classes.iter().map(|c| c.name.clone()).collect();
            let [h, w] = images.size;
            shape = vec![images.colour.channels(), h, w];
            rows = images.classes.iter().map(|class| class.images).collect();
        }
        Kind::Table(table) => {
            classes = table.classes.iter().map(|c| c.name.clone()).collect();
            features = table.features.clone().unwrap_or_default();
            if !features.is_empty() {
                shape = vec![features.len()];
            }
            rows = table.classes.iter().map(|class| class.rows).collect();
        }
        Kind::Idx(idx) => classes.clone_from(&idx.classes),
    }
    let division = description.divisions.get(&description.division);
    let counts = match (rows.filter(|rows| !rows.is_empty()), division) {
        (Some(rows), Some(Division::Stratified { shares, .. })) => {
            let mut sums = [0; 3];
            for n in rows {
                let counts = divide::counts(n, *shares);
                sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
            }
            sums.map(Some)
        }
        _ => [None; 3],
    };
    SetInfo {
        id: id.to_owned(),
        summary: description.summary.clone(),
        classes,
        features,
        shape,
        table: matches!(description.kind, Kind::Table(_)),
        train: counts[0],
        validation: match description.kind {
            Kind::Idx(_) => Some(0),
            _ => counts[1],
        },
        test: counts[2],
        photos: Some(0),
        licence: description.licence.clone(),
        citation: description.citation.clone(),
        needs_files: true,
        downloadable: false,
    }
}
