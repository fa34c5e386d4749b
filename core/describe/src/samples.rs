//! Some images of each class, to look at.

use serde::Serialize;

use crate::rng::Rng;
use crate::{Named, Options, PHOTOS, row_name, rows_by_class};

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Class index.
    pub class: usize,
    /// Name of its split.
    pub split: String,
    /// Row in that split.
    pub row: usize,
    /// File name, where there is one.
    pub name: String,
    /// Pixels, `[c, h, w]`.
    #[serde(skip)]
    pub pixels: Vec<u8>,
}

/// [`Options::samples`] images of each class, drawn by the seed, class after class; photographs
/// only where the set has no images of its own. None for tables.
pub(crate) fn choose(splits: &[Named], classes: usize, options: &Options) -> Vec<Sample> {
    let own = splits.iter().any(|(name, _)| *name != PHOTOS);
    let renamed: Vec<Named> = splits.iter().map(|&(_, split)| ("", split)).collect();
    let by_class = rows_by_class(if own { splits } else { &renamed }, classes);
    let mut samples = Vec::new();
    for (class, mut rows) in by_class.into_iter().enumerate() {
        Rng::new(options.seed, 1000 + class as u64).shuffle(&mut rows);
        for ((name, split), row) in rows.into_iter().take(options.samples) {
            let Some(pixels) = split.pixels(row) else {
                continue;
            };
            samples.push(Sample {
                class,
                split: if own { name } else { PHOTOS }.to_owned(),
                row,
                name: row_name(split, row),
                pixels: pixels.to_vec(),
            });
        }
    }
    samples
}
