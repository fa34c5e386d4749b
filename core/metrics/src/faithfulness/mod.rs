//! Does the model react to the pixels the map points at?
//!
//! These scores need the model, which this crate does not have. It gives the perturbed rows,
//! one at a time into a buffer of the caller's, and turns the model's answers into a score; the
//! caller packs rows of many images and steps into its batches. A row is `[channels, d]` with
//! d = height × width; a pixel is replaced in all channels together.
//!
//! The outcome is the softmax probability of the target class ([`softmax_probability`]), as in
//! Petsiuk et al. 2018: bounded, and comparable between models. It saturates where a model is
//! sure, so curves are scaled by the image's own drop from image to baseline.

use crate::not_applicable::finite;
use crate::{DrawKey, NotApplicable, RankedMap, Score};

/// Steps from image to baseline unless a suite says otherwise.
pub const DEFAULT_STEPS: usize = 28;
/// Share of the pixels in a subset of faithfulness correlation unless a suite says otherwise:
/// the published 224, of 784.
pub const DEFAULT_SUBSET_SHARE: f64 = 2.0 / 7.0;
/// Subsets of faithfulness correlation unless a suite says otherwise.
pub const DEFAULT_SUBSETS: usize = 100;
/// The least drop from image to baseline, as a share of the image's outcome, that a curve may
/// be divided by. Below it the scaled curve shows the noise of the model, magnified.
pub const LEAST_RELATIVE_DROP: f64 = 0.05;
/// The least spread of outcomes, as a probability, that a correlation may rest on; single
/// precision resolves probabilities near 1 to 6e-8.
pub const LEAST_OUTCOME_SPREAD: f64 = 1e-6;

/// The order in which pixels are replaced, cut into steps of equal size.
///
/// Both curves have `steps + 1` points. Their ends need no explainer: deletion starts at the
/// image and ends at the baseline, insertion runs the other way, so that a caller computes the
/// outcomes of image and baseline once for all explainers, and steps `1..steps` for each.
#[derive(Debug, Clone, PartialEq)]
pub struct PerturbationPlan {
    order: Vec<u32>,
    steps: usize,
}

impl PerturbationPlan {
    /// Takes the pixels by falling attribution, ties in a random order drawn from `key`, in
    /// `steps` steps (at least 1). Deletion and insertion of a map share a plan.
    #[must_use]
    pub fn new(map: &RankedMap, steps: usize, key: DrawKey) -> Self {
        Self {
            order: map.shuffled_order(key),
            steps: steps.max(1),
        }
    }

    /// The number of steps K; the curve has K + 1 points.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The pixels touched after `step` of K steps: `⌊step·d / K⌋`.
    #[must_use]
    pub fn touched(&self, step: usize) -> &[u32] {
        &self.order[..step.min(self.steps) * self.order.len() / self.steps]
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
        let channels = from.chunks_exact(self.order.len());
        Ok(channels
            .zip(to.chunks_exact(self.order.len()))
            .any(|(from, to)| {
                new.iter()
                    .any(|&pixel| from[pixel as usize] != to[pixel as usize])
            }))
    }
}

/// Area under a deletion or insertion curve over the share of pixels touched, scaled so that
/// the baseline's outcome counts 0 and the image's 1.
///
/// `curve` holds the outcomes of steps 0..=K, both ends included, at even spacing; the area is
/// the trapezoid rule on `(f_k − f_b) / (f_0 − f_b)`. A curve falling in a straight line scores
/// 1/2. Low is good for deletion, high for insertion. The value may leave 0..=1 where a
/// perturbed row's outcome lies beyond both ends.
///
/// # Errors
/// [`NotApplicable::BaselineAboveImage`] where the baseline looks at least as much like the
/// class as the image does, [`NotApplicable::ConstantOutcome`] where the drop is less than
/// [`LEAST_RELATIVE_DROP`] of the image's outcome, [`NotApplicable::Empty`] for fewer than two
/// points. The first two depend on image, model and baseline alone, so that all explainers lose
/// the same images.
pub fn normalised_curve_auc(curve: &[f64], image: f64, baseline: f64) -> Score {
    if !(image.is_finite() && baseline.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    let drop = image - baseline;
    if drop <= 0.0 {
        return Err(NotApplicable::BaselineAboveImage);
    }
    if drop < LEAST_RELATIVE_DROP * image.abs() {
        return Err(NotApplicable::ConstantOutcome);
    }
    let [first, inner @ .., last] = curve else {
        return Err(NotApplicable::Empty);
    };
    let sum = (first + last) / 2.0 + inner.iter().sum::<f64>();
    let mean = sum / (inner.len() + 1) as f64;
    finite((mean - baseline) / drop)
}

/// The random pixel subsets of faithfulness correlation (Bhatt et al. 2020) for one image.
///
/// They depend on seed and image alone, so that the model's outcomes on them are computed once
/// and shared by all explainers, whose scores are then paired.
#[derive(Debug, Clone, PartialEq)]
pub struct FaithfulnessSubsets {
    pixels: usize,
    size: usize,
    members: Vec<u32>,
}

impl FaithfulnessSubsets {
    /// Draws `count` subsets of `size` of the `pixels` pixels (at least 1, at most all), each
    /// without replacement and each from numbers of its own.
    #[must_use]
    pub fn new(seed: u64, image: u64, pixels: usize, size: usize, count: usize) -> Self {
        let size = size.clamp(1, pixels.max(1)).min(pixels);
        let key = DrawKey::new(seed, "faithfulness_correlation", image);
        let mut members = Vec::with_capacity(count * size);
        let mut deck: Vec<u32> = Vec::with_capacity(pixels);
        for subset in 0..count {
            deck.clear();
            deck.extend(0..pixels as u32);
            let mut draws = key.draws(subset as u64);
            for place in 0..size {
                let pick = place + draws.below((pixels - place) as u32) as usize;
                deck.swap(place, pick);
            }
            members.extend_from_slice(&deck[..size]);
        }
        Self {
            pixels,
            size,
            members,
        }
    }

    /// The number of subsets.
    #[must_use]
    pub fn count(&self) -> usize {
        self.members.len().checked_div(self.size).unwrap_or(0)
    }

    /// The pixels of subset `subset`, in the order drawn; none for a subset there is not.
    #[must_use]
    pub fn members(&self, subset: usize) -> &[u32] {
        let start = subset * self.size;
        self.members.get(start..start + self.size).unwrap_or(&[])
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

/// Pearson correlation, over the subsets S, of the attribution `Σ_S a` with the outcome
/// `f(x) − f(x[S→baseline])`, in −1..=1.
///
/// # Errors
/// [`NotApplicable::ConstantAttribution`] if the sums do not vary,
/// [`NotApplicable::ConstantOutcome`] if the outcomes vary by less than
/// [`LEAST_OUTCOME_SPREAD`], [`NotApplicable::LengthMismatch`] if attribution, subsets and
/// outcomes do not fit, [`NotApplicable::NonFinite`], [`NotApplicable::Empty`] without subsets.
pub fn faithfulness_correlation(
    attribution: &[f32],
    subsets: &FaithfulnessSubsets,
    outcomes: &[f64],
) -> Score {
    if attribution.len() != subsets.pixels || outcomes.len() != subsets.count() {
        return Err(NotApplicable::LengthMismatch);
    }
    if outcomes.is_empty() {
        return Err(NotApplicable::Empty);
    }
    let all_finite = attribution.iter().all(|value| value.is_finite())
        && outcomes.iter().all(|value| value.is_finite());
    if !all_finite {
        return Err(NotApplicable::NonFinite);
    }
    if spread(outcomes) < LEAST_OUTCOME_SPREAD {
        return Err(NotApplicable::ConstantOutcome);
    }
    let sums: Vec<f64> = subsets
        .members
        .chunks_exact(subsets.size)
        .map(|members| {
            members
                .iter()
                .map(|&pixel| f64::from(attribution[pixel as usize]))
                .sum()
        })
        .collect();
    // Equal sums of unequal attributions differ by rounding, up to about d ε of the terms.
    let scale = attribution
        .iter()
        .fold(0.0, |most, value| value.abs().max(most));
    if spread(&sums) <= 1e-12 * subsets.size as f64 * f64::from(scale) {
        return Err(NotApplicable::ConstantAttribution);
    }
    pearson(&sums, outcomes)
}

fn spread(values: &[f64]) -> f64 {
    let (low, high) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
            (value.min(low), value.max(high))
        });
    high - low
}

fn pearson(a: &[f64], b: &[f64]) -> Score {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut product, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        product += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    finite((product / (square_a.sqrt() * square_b.sqrt())).clamp(-1.0, 1.0))
}

/// The softmax probability of class `target` among `logits`, in double precision.
///
/// # Errors
/// [`NotApplicable::ClassOutOfRange`], and [`NotApplicable::NonFinite`] for logits that are NaN
/// or infinite.
pub fn softmax_probability(logits: &[f32], target: usize) -> Score {
    let &chosen = logits.get(target).ok_or(NotApplicable::ClassOutOfRange)?;
    if logits.iter().any(|logit| !logit.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = |logit: f32| (f64::from(logit) - f64::from(highest)).exp();
    let total: f64 = logits.iter().map(|&logit| shifted(logit)).sum();
    finite(shifted(chosen) / total)
}

fn check_row(
    pixels: usize,
    image: &[f32],
    baseline: &[f32],
    row: &[f32],
) -> Result<(), NotApplicable> {
    let fits = pixels > 0
        && !image.is_empty()
        && image.len().is_multiple_of(pixels)
        && image.len() == baseline.len()
        && image.len() == row.len();
    if fits {
        Ok(())
    } else {
        Err(NotApplicable::LengthMismatch)
    }
}

fn replace(pixels: &[u32], size: usize, source: &[f32], row: &mut [f32]) {
    for (row, source) in row.chunks_exact_mut(size).zip(source.chunks_exact(size)) {
        for &pixel in pixels {
            row[pixel as usize] = source[pixel as usize];
        }
    }
}
