//! Object masks: how much of an image they cover, and which images have none.

use rayon::prelude::*;
use serde::Serialize;
use xbench_data::{Masks, Split};

use crate::{Named, Summary};

/// The masks of a set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MaskDescription {
    /// Whether the masks follow from the pixels by rule, not from annotation.
    pub by_rule: bool,
    /// Per class and split.
    pub rows: Vec<MaskRow>,
}

/// The masks of one class in one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MaskRow {
    /// Class index.
    pub class: usize,
    /// Name of the split.
    pub split: String,
    /// Images.
    pub images: usize,
    /// Images that have a mask.
    pub with_mask: usize,
    /// Masks without any object pixel.
    pub empty: usize,
    /// Share of object pixels over the images that have a mask, 0..=1; `None` without any.
    pub share: Option<Summary>,
}

/// `None` where no split has masks.
pub(crate) fn describe_masks(splits: &[Named], classes: usize) -> Option<MaskDescription> {
    let masked: Vec<Named> = splits
        .iter()
        .copied()
        .filter(|(_, split)| split.masks != Masks::None)
        .collect();
    if masked.is_empty() {
        return None;
    }
    let shares: Vec<_> = masked
        .iter()
        .map(|(_, split)| mask_shares(split, classes))
        .collect();
    let mut rows = Vec::new();
    for class in 0..classes {
        for ((name, split), shares) in masked.iter().zip(&shares) {
            rows.push(MaskRow {
                class,
                split: (*name).to_owned(),
                images: split.class_counts(classes)[class],
                with_mask: shares[class].len(),
                empty: shares[class].iter().filter(|&&share| share == 0.0).count(),
                share: Summary::of(&shares[class]),
            });
        }
    }
    Some(MaskDescription {
        by_rule: masked.iter().any(|(_, split)| split.masks == Masks::Rule),
        rows,
    })
}

fn mask_shares(split: &Split, classes: usize) -> Vec<Vec<f64>> {
    let share = |row: usize| {
        let mask = split.mask(row)?;
        Some(mask.iter().filter(|&&on| on).count() as f64 / mask.len() as f64)
    };
    let all: Vec<Option<f64>> = (0..split.len()).into_par_iter().map(share).collect();
    let mut by_class = vec![Vec::new(); classes];
    for (row, share) in all.into_iter().enumerate() {
        if let (Some(shares), Some(share)) = (by_class.get_mut(split.label(row)), share) {
            shares.push(share);
        }
    }
    by_class
}
