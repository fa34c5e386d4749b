//! Folders of images read into splits.

use std::collections::HashSet;
use std::path::Path;

use rayon::prelude::*;

use super::content::Loaded;
use super::decode::{self, Decoded, Read, Traits};
use super::divide::{self, Divided, Named};
use super::document::{Class, Description, Division, Images, Kind};
use super::folder::{self, Listing};
use super::pins::{self, Sums};
use crate::error::{DataError, Result};
use crate::locate::Splits;
use crate::set::{Masks, Split, Values};

/// Most bytes of pixels in a set.
const MAX_CONTENT: u64 = 8 << 30;

/// Lists, divides, reads and checks the set.
pub(crate) fn load(
    description: &Description,
    spec: &Images,
    folder: &Path,
    splits: Splits,
) -> Result<Loaded> {
    let listing = folder::list(spec, folder)?;
    let divided = divide(description, spec, &listing)?;
    let shape = [spec.colour.channels(), spec.size[0], spec.size[1]];
    let wanted = wanted(&divided, splits, listing.items.len());
    let count = wanted.iter().filter(|w| **w).count() as u64;
    let bytes = count.saturating_mul(shape.iter().product::<usize>() as u64 + 1);
    if bytes > MAX_CONTENT {
        let reason =
            format!("{count} images of {shape:?} need {bytes} bytes, at most {MAX_CONTENT}");
        return Err(DataError::files(folder, reason, "choose a smaller size"));
    }
    // In parallel; the first error in the order of the files is told.
    let read: Vec<Result<Read>> = listing
        .items
        .par_iter()
        .zip(&wanted)
        .map(|(item, &wanted)| decode::read(spec, folder, item, wanted))
        .collect();
    let mut decoded = Vec::with_capacity(read.len());
    let mut sums: Vec<Sums> = vec![Sums::new(); listing.classes.len()];
    for (item, read) in listing.items.iter().zip(read) {
        let read = read?;
        sums[usize::from(item.class)].extend(read.sums);
        decoded.push(read.decoded);
    }
    let parts = listing
        .classes
        .iter()
        .map(|class| class.folder.clone())
        .zip(sums)
        .collect();
    let mut notes = listing.notes.clone();
    notes.extend(divided.notes.iter().cloned());
    let traits: Vec<Traits> = decoded.iter().flatten().map(|d| d.traits).collect();
    notes.extend(Traits::notes(&traits));
    let splits = assemble(&listing, &divided, &decoded, &shape, spec.masks.is_some());
    // The classes found are part of the identity, also where none are listed.
    let spec = Images {
        classes: listing.classes.clone(),
        ..spec.clone()
    };
    Ok(Loaded {
        classes: listing
            .classes
            .into_iter()
            .map(|class| class.name)
            .collect(),
        features: Vec::new(),
        shape: shape.to_vec(),
        splits,
        parts,
        kind: Kind::Images(spec),
        notes,
    })
}

/// Whether each item's pixels are needed. (Its digest is, in any case.)
fn wanted(divided: &Divided, splits: Splits, items: usize) -> Vec<bool> {
    let mut wanted = vec![false; items];
    let first = if splits == Splits::All { 0 } else { 2 };
    for &row in divided.rows[first..].iter().flatten() {
        wanted[row] = true;
    }
    wanted
}

fn divide(description: &Description, spec: &Images, listing: &Listing) -> Result<Divided> {
    let Some(division) = description.divisions.get(&description.division) else {
        return Ok(Divided::default());
    };
    match division {
        Division::Stratified { shares, seed } => {
            let labels: Vec<u16> = listing.items.iter().map(|item| item.class).collect();
            let names: Vec<String> = listing.classes.iter().map(|c| c.name.clone()).collect();
            Ok(divide::stratified(&labels, &names, *shares, *seed))
        }
        Division::Lists { .. } => {
            let rows: Vec<Named<'_>> = listing
                .items
                .iter()
                .map(|item| Named {
                    class: &listing.classes[usize::from(item.class)].folder,
                    stem: &item.stem,
                    file: item.path.rsplit('/').next().unwrap_or_default(),
                })
                .collect();
            let in_use = |folder: &str| spec.classes.iter().any(|class| class.folder == folder);
            let used = |folder: &str| spec.classes.is_empty() || in_use(folder);
            divide::listed(&description.source, division, &rows, &used)
        }
    }
}

fn assemble(
    listing: &Listing,
    divided: &Divided,
    decoded: &[Option<Decoded>],
    shape: &[usize; 3],
    with_masks: bool,
) -> [Split; 3] {
    let unmasked: HashSet<usize> = divided.unmasked.iter().copied().collect();
    let present = |row: usize| !listing.items[row].masks.is_empty() && !unmasked.contains(&row);
    let mut all = divided.rows.iter().flatten();
    let complete = divided.rows.iter().flatten().all(|&row| present(row));
    let with_masks = with_masks && all.any(|&row| present(row));
    divided.rows.each_ref().map(|rows| {
        let mut split = Split {
            shape: shape.to_vec(),
            ..Split::default()
        };
        let (mut pixels, mut masks, mut there) = (Vec::new(), Vec::new(), Vec::new());
        for &row in rows {
            let (item, Some(decoded)) = (&listing.items[row], &decoded[row]) else {
                continue;
            };
            split.labels.push(item.class);
            split.names.push(item.path.clone());
            pixels.extend_from_slice(&decoded.pixels);
            match decoded.mask.as_ref().filter(|_| present(row)) {
                Some(mask) => masks.extend_from_slice(mask),
                None => masks.resize(masks.len() + shape[1] * shape[2], 0),
            }
            there.push(present(row));
        }
        split.values = Values::Pixels(pixels);
        split.masks = match (with_masks, complete) {
            (false, _) => Masks::None,
            (true, true) => Masks::Exact(masks),
            (true, false) => Masks::Partial {
                masks,
                present: there,
            },
        };
        split
    })
}

/// What is wrong with single files, by path; and the digests of the rest, by class.
pub(crate) type Checked = (Vec<(String, DataError)>, Vec<(Class, Sums)>);

/// Reads every file of the set.
pub(crate) fn check(description: &Description, spec: &Images, folder: &Path) -> Result<Checked> {
    let listing = folder::list(spec, folder)?;
    let list = description
        .sums
        .as_ref()
        .map(|sums| pins::read_sums(&folder.join(sums)))
        .transpose()?;
    let read: Vec<Result<Read>> = listing
        .items
        .par_iter()
        .map(|item| {
            let read = decode::read(spec, folder, item, true)?;
            if let Some(list) = &list {
                let sums = read.sums.iter().cloned().collect();
                pins::check_listed(&sums, list, folder, "the list of digests")?;
            }
            Ok(Read {
                decoded: None,
                ..read
            })
        })
        .collect();
    let mut bad = Vec::new();
    let mut sums: Vec<Sums> = vec![Sums::new(); listing.classes.len()];
    for (item, read) in listing.items.iter().zip(read) {
        match read {
            Ok(read) => sums[usize::from(item.class)].extend(read.sums),
            Err(error) => bad.push((item.path.clone(), error)),
        }
    }
    Ok((bad, listing.classes.into_iter().zip(sums).collect()))
}
