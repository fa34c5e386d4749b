//! The out-of-sample photographs of Fashion-MNIST: `garment-photos`, each prepared as
//! [`crate::photo`] describes, with the Fashion-MNIST label its index gives it.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::described::pins::{self, Sums};
use crate::described::text::{self, Csv, MAX_CSV};
use crate::digest::{self, hex, sha256};
use crate::error::{DataError, Result};
use crate::fashion_mnist::CLASSES;
use crate::locate::Locate;
use crate::photo::{self, PhotoOptions, SIDE};
use crate::picture;
use crate::set::{Masks, Origin, Split, Values};

/// Name of the folder.
pub(crate) const FOLDER: &str = "garment-photos";
/// Photographs with a label that can be prepared.
pub(crate) const COUNT: usize = 76;
/// Of all files of the folder; see [`crate::described`], "Pins".
const PIN: &str = "caf61a244cf9e34429dd57e3ec5500174d1b248029e11578cc01eba28dd6e0aa";
/// Raised when the same photographs give other pixels.
const VERSION: u32 = 1;

/// Stands for the photographs and for how they are prepared.
pub(crate) fn content_hash() -> [u8; 32] {
    digest::content_hash("fashion-mnist/photos", VERSION, &[PIN])
}

/// The prepared photographs, where they came from, and what was left out.
pub(crate) fn load(locate: &Locate<'_>) -> Result<(Split, Origin, Vec<String>)> {
    let (folder, origin) = find(locate)?;
    let index = folder.join("index.csv");
    let csv = Csv::parse(&index, &text::read(&index, MAX_CSV)?, b',')?;
    let (file, label) = (
        csv.column("file")?,
        csv.column("nearest_fashion_mnist_label")?,
    );
    let mut photos = Vec::with_capacity(csv.rows.len());
    for (line, row) in &csv.rows {
        let refuse = |column: &str, reason: String| {
            DataError::table(&index, *line, column, reason, "restore the file")
        };
        crate::described::relative(&row[file]).map_err(|reason| refuse("file", reason))?;
        let class = match &row[label] {
            "" => None,
            cell => match cell.parse::<u16>() {
                Ok(class) if usize::from(class) < CLASSES.len() => Some(class),
                _ => {
                    let reason = format!("\"{cell}\" is no class");
                    return Err(refuse("nearest_fashion_mnist_label", reason));
                }
            },
        };
        photos.push((row[file].to_owned(), class));
    }
    photos.sort_unstable();
    let options = PhotoOptions::default();
    type Prepared = (String, Option<Result<photo::Prepared>>);
    let prepared: Vec<Result<Prepared>> = photos
        .par_iter()
        .map(|(name, class)| {
            let path = folder.join(name);
            let bytes = picture::read_file(&path, options.max_file_bytes)?;
            let prepare = || {
                photo::prepare(&bytes, &options).map_err(|error| match error {
                    DataError::Photo { reason, remedy, .. } => DataError::Photo {
                        place: path.display().to_string(),
                        reason,
                        remedy,
                    },
                    other => other,
                })
            };
            Ok((hex(&sha256(&bytes)), class.map(|_| prepare())))
        })
        .collect();
    let mut sums = Sums::from([(
        "index.csv".to_owned(),
        hex(&sha256(&text::bytes(&index, MAX_CSV)?)),
    )]);
    let mut outcomes = Vec::with_capacity(photos.len());
    for ((name, class), prepared) in photos.into_iter().zip(prepared) {
        let (digest, outcome) = prepared?;
        sums.insert(name.clone(), digest);
        outcomes.push((name, class.zip(outcome)));
    }
    // What differs is told before what cannot be prepared: it may be why.
    pins::check_pin(&sums, PIN, &folder, pins::WHOLE)?;
    let mut split = none();
    let (mut pixels, mut unlabelled) = (Vec::with_capacity(COUNT * SIDE * SIDE), 0);
    for (name, outcome) in outcomes {
        match outcome {
            None => unlabelled += 1,
            Some((class, outcome)) => {
                pixels.extend(outcome?.pixels);
                split.labels.push(class);
                split.names.push(name);
            }
        }
    }
    split.values = Values::Pixels(pixels);
    let mut notes = vec![
        "photographs are prepared by the program: object found, grey, light on black, 28x28"
            .to_owned(),
    ];
    if unlabelled > 0 {
        notes.push(format!(
            "{unlabelled} photographs that fit no class were left out"
        ));
    }
    Ok((split, origin, notes))
}

/// A split without a photograph. What is prepared lies on exactly black ground.
pub(crate) fn none() -> Split {
    Split {
        shape: vec![1, SIDE, SIDE],
        masks: Masks::Rule,
        ..Split::default()
    }
}

fn find(locate: &Locate<'_>) -> Result<(PathBuf, Origin)> {
    let folders = locate.folders(FOLDER);
    let there = |folder: &Path| folder.join("index.csv").try_exists().unwrap_or(true);
    let found = folders.iter().find(|(_, folder)| there(folder));
    if let Some((place, folder)) = found {
        let origin = Origin::Files {
            folder: folder.clone(),
            place: *place,
        };
        return Ok((folder.clone(), origin));
    }
    Err(DataError::NotFound {
        id: FOLDER.to_owned(),
        looked: folders.into_iter().map(|(_, folder)| folder).collect(),
        remedy: crate::catalogue::comes_from(FOLDER)?,
    })
}
