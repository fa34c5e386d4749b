//! Random subsets, shared by all explainers of an image.

use super::{check_row, replace};
use crate::{DrawKey, NotApplicable};

/// Random subsets of the pixels (or regions) of one image, as in faithfulness correlation (Bhatt
/// et al. 2020) and sensitivity-n (Ancona et al. 2018).
///
/// They depend on seed and image alone, so that the model's outcomes on them are computed once
/// and shared by all explainers, whose scores are then paired.
#[derive(Debug, Clone, PartialEq)]
pub struct FaithfulnessSubsets {
    pub(super) pixels: usize,
    size: usize,
    members: Vec<u32>,
}

impl FaithfulnessSubsets {
    /// Draws `count` subsets of `size` of the `pixels` pixels (at least 1, at most all), each
    /// without replacement and each from numbers of its own.
    #[must_use]
    pub fn new(seed: u64, image: u64, pixels: usize, size: usize, count: usize) -> Self {
        let key = DrawKey::new(seed, "faithfulness_correlation", image);
        Self::drawn(key, pixels, size, count)
    }

    /// The subsets of `size` that sensitivity-n asks for: those of [`Self::new`] where the sizes
    /// agree (`shared`), so that the model need not be asked twice, and others for every other
    /// size.
    #[must_use]
    pub fn of_size(
        seed: u64,
        image: u64,
        pixels: usize,
        (size, shared): (usize, usize),
        count: usize,
    ) -> Self {
        if size == shared {
            return Self::new(seed, image, pixels, size, count);
        }
        let stream = format!("sensitivity_n {size}");
        Self::drawn(DrawKey::new(seed, &stream, image), pixels, size, count)
    }

    /// Draws subsets of `size` of `units` things from `key`, as [`Self::new`].
    #[must_use]
    pub fn drawn(key: DrawKey, units: usize, size: usize, count: usize) -> Self {
        let size = size.clamp(1, units.max(1)).min(units);
        let mut members = Vec::with_capacity(count * size);
        let mut deck: Vec<u32> = Vec::with_capacity(units);
        for subset in 0..count {
            deck.clear();
            deck.extend(0..units as u32);
            let mut draws = key.draws(subset as u64);
            for place in 0..size {
                let pick = place + draws.below((units - place) as u32) as usize;
                deck.swap(place, pick);
            }
            members.extend_from_slice(&deck[..size]);
        }
        Self {
            pixels: units,
            size,
            members,
        }
    }

    /// The number of subsets.
    #[must_use]
    pub fn count(&self) -> usize {
        self.members.len().checked_div(self.size).unwrap_or(0)
    }

    /// Pixels in a subset.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The pixels of subset `subset`, in the order drawn; none for a subset there is not.
    #[must_use]
    pub fn members(&self, subset: usize) -> &[u32] {
        let start = subset * self.size;
        self.members.get(start..start + self.size).unwrap_or(&[])
    }

    /// The sum of `values`, one a pixel, over the members of each subset.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`] unless there is one value a pixel.
    pub fn sums<T: Copy + Into<f64>>(&self, values: &[T]) -> Result<Vec<f64>, NotApplicable> {
        if values.len() != self.pixels {
            return Err(NotApplicable::LengthMismatch);
        }
        let sum = |members: &[u32]| -> f64 {
            let members = members.iter();
            members.map(|&pixel| values[pixel as usize].into()).sum()
        };
        let subsets = self.members.chunks_exact(self.size.max(1));
        Ok(subsets.map(sum).collect())
    }

    /// Writes the image with the pixels of subset `subset` replaced by the baseline.
    ///
    /// Returns whether the row differs from the image: where it does not, the outcome is 0 and
    /// no model call is needed.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`] unless image, baseline and row are `[channels, d]`
    /// alike.
    pub fn write_row(
        &self,
        subset: usize,
        image: &[f32],
        baseline: &[f32],
        row: &mut [f32],
    ) -> Result<bool, NotApplicable> {
        check_row(self.pixels, image, baseline, row)?;
        row.copy_from_slice(image);
        replace(self.members(subset), self.pixels, baseline, row);
        Ok(row != image)
    }
}
