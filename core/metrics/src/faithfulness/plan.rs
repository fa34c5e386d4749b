//! Rows on the way from image to baseline, in the order of a map.

use super::{check_row, replace};
use crate::{DrawKey, NotApplicable, RankedMap};

/// The order in which pixels are replaced, cut into steps.
///
/// Both curves have `steps + 1` points. Their ends need no explainer: deletion starts at the
/// image and ends at the baseline, insertion runs the other way, so that a caller computes the
/// outcomes of image and baseline once for all explainers, and steps `1..steps` for each.
/// Insertion in this order is deletion in the opposite one, read backwards.
#[derive(Debug, Clone, PartialEq)]
pub struct PerturbationPlan {
    order: Vec<u32>,
    /// Pixels touched after each step: rising, from 0 to all.
    counts: Vec<usize>,
}

impl PerturbationPlan {
    /// Takes the pixels by falling attribution, ties in a random order drawn from `key`, in
    /// `steps` steps (at least 1). Deletion and insertion of a map share a plan.
    #[must_use]
    pub fn new(map: &RankedMap, steps: usize, key: DrawKey) -> Self {
        let steps = steps.max(1);
        Self {
            counts: (0..=steps).map(|step| step * map.len() / steps).collect(),
            order: map.shuffled_order(key),
        }
    }

    /// The same pixels in the same order, with a step after each number of pixels in `counts`
    /// (any order; those beyond the last pixel are left out), and after 0 and all of them.
    #[must_use]
    pub fn with_counts(self, counts: impl IntoIterator<Item = usize>) -> Self {
        let all = self.order.len();
        let mut counts: Vec<usize> = counts.into_iter().filter(|&count| count < all).collect();
        counts.extend([0, all]);
        counts.sort_unstable();
        counts.dedup();
        Self { counts, ..self }
    }

    /// Takes the pixels in an order of the caller's, one group after another.
    pub(super) fn of_groups<'g>(groups: impl IntoIterator<Item = &'g [u32]>) -> Self {
        let (mut order, mut counts) = (Vec::new(), vec![0]);
        for group in groups {
            order.extend_from_slice(group);
            counts.push(order.len());
        }
        Self { order, counts }
    }

    /// The number of steps K; the curve has K + 1 points.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.counts.len() - 1
    }

    /// The pixels touched after `step` of K steps; all of them beyond the last.
    #[must_use]
    pub fn touched(&self, step: usize) -> &[u32] {
        &self.order[..self.counts[step.min(self.steps())]]
    }

    /// The step after which `count` pixels are touched, if there is one; the first of several.
    #[must_use]
    pub fn step_of(&self, count: usize) -> Option<usize> {
        let step = self.counts.partition_point(|&known| known < count);
        (self.counts.get(step) == Some(&count)).then_some(step)
    }

    /// The pixels in the order in which they are touched.
    #[must_use]
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// Writes the image with the pixels of the first `step` steps replaced by the baseline.
    ///
    /// Returns whether the row differs from that of the step before (always true for step 0):
    /// where it does not, the outcome of the step before holds and no model call is needed.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`] unless image, baseline and row are `[channels, d]`
    /// alike.
    pub fn write_deletion(
        &self,
        step: usize,
        image: &[f32],
        baseline: &[f32],
        row: &mut [f32],
    ) -> Result<bool, NotApplicable> {
        self.write(step, image, baseline, row)
    }

    /// Writes the baseline with the pixels of the first `step` steps restored from the image.
    ///
    /// Returns as [`Self::write_deletion`].
    ///
    /// # Errors
    /// As [`Self::write_deletion`].
    pub fn write_insertion(
        &self,
        step: usize,
        image: &[f32],
        baseline: &[f32],
        row: &mut [f32],
    ) -> Result<bool, NotApplicable> {
        self.write(step, baseline, image, row)
    }

    fn write(
        &self,
        step: usize,
        from: &[f32],
        to: &[f32],
        row: &mut [f32],
    ) -> Result<bool, NotApplicable> {
        check_row(self.order.len(), from, to, row)?;
        row.copy_from_slice(from);
        let touched = self.touched(step);
        replace(touched, self.order.len(), to, row);
        if step == 0 {
            return Ok(true);
        }
        let new = &touched[self.touched(step - 1).len()..];
        Ok(differ(new, self.order.len(), from, to))
    }

    /// Begins at `from`, to go to `to` step by step: image and baseline for deletion, baseline and
    /// image for insertion.
    ///
    /// # Errors
    /// As [`Self::write_deletion`].
    pub fn walk<'a>(
        &'a self,
        from: &'a [f32],
        to: &'a [f32],
    ) -> Result<PlanWalk<'a>, NotApplicable> {
        check_row(self.order.len(), from, to, from)?;
        Ok(PlanWalk {
            plan: self,
            from,
            to,
            row: from.to_vec(),
            step: 0,
        })
    }
}

/// The rows of a plan one after another, each made from the one before.
#[derive(Debug, Clone)]
pub struct PlanWalk<'a> {
    plan: &'a PerturbationPlan,
    from: &'a [f32],
    to: &'a [f32],
    row: Vec<f32>,
    step: usize,
}

impl PlanWalk<'_> {
    /// Goes one step on; tells whether the row changed.
    pub fn advance(&mut self) -> bool {
        let before = self.plan.touched(self.step).len();
        self.step += 1;
        let new = &self.plan.touched(self.step)[before..];
        let size = self.plan.order.len();
        replace(new, size, self.to, &mut self.row);
        differ(new, size, self.from, self.to)
    }

    /// The row after the steps gone so far, `[channels, d]`.
    #[must_use]
    pub fn row(&self) -> &[f32] {
        &self.row
    }
}

/// Does any of the pixels differ between two rows?
fn differ(pixels: &[u32], size: usize, a: &[f32], b: &[f32]) -> bool {
    a.chunks_exact(size)
        .zip(b.chunks_exact(size))
        .any(|(a, b)| {
            pixels
                .iter()
                .any(|&pixel| a[pixel as usize] != b[pixel as usize])
        })
}
