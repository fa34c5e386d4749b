//! Pixels taken together: patches of a grid, segments of an image, columns of a table.

use super::{PerturbationPlan, check_row, replace};
use crate::{DrawKey, NotApplicable};

/// A partition of d pixels into regions.
///
/// Neighbouring pixels are exchangeable for a network: one alone hardly moves it. What the papers
/// say of features is asked of regions here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    starts: Vec<usize>,
    pixels: Vec<u32>,
}

impl Regions {
    /// Square patches of `side` pixels (at least 1), narrower at the right and lower edge where the
    /// size is no multiple; `side` 1 makes every pixel, or every column of a table, a region.
    #[must_use]
    pub fn grid(height: usize, width: usize, side: usize) -> Self {
        let side = side.max(1);
        let across = width.div_ceil(side);
        let labels: Vec<u32> = (0..height * width)
            .map(|pixel| (pixel / width / side * across + pixel % width / side) as u32)
            .collect();
        Self::of_labels(&labels)
    }

    /// The pixels of equal label; regions in rising order of their labels.
    #[must_use]
    pub fn of_labels(labels: &[u32]) -> Self {
        let mut pixels: Vec<u32> = (0..labels.len() as u32).collect();
        pixels.sort_by_key(|&pixel| labels[pixel as usize]);
        let mut starts = vec![0];
        for place in 1..pixels.len() {
            if labels[pixels[place] as usize] != labels[pixels[place - 1] as usize] {
                starts.push(place);
            }
        }
        if !pixels.is_empty() {
            starts.push(pixels.len());
        }
        Self { starts, pixels }
    }

    /// The number of regions.
    #[must_use]
    pub fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of pixels d.
    #[must_use]
    pub fn area(&self) -> usize {
        self.pixels.len()
    }

    /// The pixels of a region; none where there is no such region.
    #[must_use]
    pub fn members(&self, region: usize) -> &[u32] {
        match (self.starts.get(region), self.starts.get(region + 1)) {
            (Some(&start), Some(&end)) => &self.pixels[start..end],
            _ => &[],
        }
    }

    /// Sum of `value` over the pixels of each region, for a map of d attributions.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`] for a map of another size.
    pub fn sums(&self, map: &[f32], value: impl Fn(f32) -> f32) -> Result<Vec<f64>, NotApplicable> {
        if map.len() != self.area() {
            return Err(NotApplicable::LengthMismatch);
        }
        let sum = |region: usize| {
            let members = self.members(region).iter();
            members
                .map(|&pixel| f64::from(value(map[pixel as usize])))
                .sum()
        };
        Ok((0..self.count()).map(sum).collect())
    }

    /// Removes the regions by falling `values` (one a region), ties in a random order drawn from
    /// `key`; a step a region.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`] unless there is one value a region,
    /// [`NotApplicable::NonFinite`] for values that are NaN, [`NotApplicable::Empty`] without
    /// regions.
    pub fn plan(&self, values: &[f64], key: DrawKey) -> Result<PerturbationPlan, NotApplicable> {
        if values.len() != self.count() {
            return Err(NotApplicable::LengthMismatch);
        }
        if values.is_empty() {
            return Err(NotApplicable::Empty);
        }
        if values.iter().any(|value| value.is_nan()) {
            return Err(NotApplicable::NonFinite);
        }
        let mut order: Vec<usize> = (0..values.len()).collect();
        key.draws(0).shuffle(&mut order);
        // Stable, so that ties stay in the order drawn.
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let groups = order.iter().map(|&region| self.members(region));
        Ok(PerturbationPlan::of_groups(groups))
    }

    /// Writes the image with the pixels of some regions replaced by the baseline.
    ///
    /// Returns whether the row differs from the image: where it does not, nothing changes and no
    /// model call is needed.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`] unless image, baseline and row are `[channels, d]`
    /// alike.
    pub fn write_row(
        &self,
        regions: &[u32],
        image: &[f32],
        baseline: &[f32],
        row: &mut [f32],
    ) -> Result<bool, NotApplicable> {
        check_row(self.area(), image, baseline, row)?;
        row.copy_from_slice(image);
        for &region in regions {
            replace(self.members(region as usize), self.area(), baseline, row);
        }
        Ok(row != image)
    }
}
