//! Four IDX files read into splits.

use std::path::{Path, PathBuf};

use super::content::Loaded;
use super::document::{Idx, IdxMasks, Kind};
use super::pins::Sums;
use crate::digest::hex;
use crate::error::{DataError, Result};
use crate::idx::{self, check_counts};
use crate::locate::Splits;
use crate::set::{Masks, Split, Values};

/// The file as named, else with `.gz`.
pub(crate) fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))]
        .into_iter()
        .find(|path| path.try_exists().unwrap_or(true))
}

/// Reads and checks the files.
pub(crate) fn load(spec: &Idx, folder: &Path, splits: Splits) -> Result<Loaded> {
    let mut sums = Sums::new();
    let test = split(
        spec,
        folder,
        [&spec.test_images, &spec.test_labels],
        &mut sums,
    )?;
    // The content hash covers the training files too.
    let mut train = split(
        spec,
        folder,
        [&spec.train_images, &spec.train_labels],
        &mut sums,
    )?;
    if train.shape != test.shape {
        return Err(DataError::files(
            &folder.join(&spec.test_images),
            format!(
                "its images are {:?}, those for training {:?}",
                test.shape, train.shape
            ),
            "use files of one set",
        ));
    }
    let none = Split {
        shape: test.shape.clone(),
        masks: test.masks.clone(),
        ..Split::default()
    };
    if splits != Splits::All {
        train = none.clone();
    }
    Ok(Loaded {
        classes: spec.classes.clone(),
        features: Vec::new(),
        shape: test.shape.clone(),
        splits: [train, none, test],
        parts: vec![("idx".to_owned(), sums)],
        kind: Kind::Idx(spec.clone()),
        notes: Vec::new(),
    })
}

fn split(spec: &Idx, folder: &Path, names: [&str; 2], sums: &mut Sums) -> Result<Split> {
    let find = |name: &str| {
        existing(folder, name).ok_or_else(|| {
            let missing = std::io::ErrorKind::NotFound.into();
            DataError::io("open", &folder.join(name), missing)
        })
    };
    let [images_path, labels_path] = [find(names[0])?, find(names[1])?];
    // At most 256: checked with the description. 256 labels are all that a byte can be.
    let end = u8::try_from(spec.classes.len() + usize::from(spec.first_label)).ok();
    let labels = idx::read_labels(&labels_path, end)?;
    if let Some(at) = labels.values.iter().position(|&l| l < spec.first_label) {
        return Err(DataError::files(
            &labels_path,
            format!("label {at} is below first_label, {}", spec.first_label),
            "correct first_label in the description",
        ));
    }
    let images = idx::read_images(&images_path, None)?;
    check_counts(
        (&images_path, images.count),
        (&labels_path, labels.values.len()),
    )?;
    for (name, digest) in names.iter().zip([&images.digest, &labels.digest]) {
        sums.insert((*name).to_owned(), hex(digest));
    }
    let (stored, plane) = ([images.height, images.width], images.height * images.width);
    let mut pixels = images.pixels;
    let [height, width] = if spec.transposed {
        let [h, w] = stored;
        for image in pixels.chunks_exact_mut(plane.max(1)) {
            let before = image.to_vec();
            for (at, value) in before.into_iter().enumerate() {
                image[at % w * h + at / w] = value;
            }
        }
        [w, h]
    } else {
        stored
    };
    let first = u16::from(spec.first_label);
    Ok(Split {
        shape: vec![1, height, width],
        values: Values::Pixels(pixels),
        labels: labels
            .values
            .into_iter()
            .map(|l| u16::from(l) - first)
            .collect(),
        masks: match spec.masks {
            IdxMasks::None => Masks::None,
            IdxMasks::Rule => Masks::Rule,
        },
        ..Split::default()
    })
}
