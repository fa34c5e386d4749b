//! Does the map keep what its method promises?
//!
//! These axioms are about the model's own output (its logits), not about a probability made of it.

use crate::not_applicable::finite;
use crate::robustness::{distance, magnitude_of};
use crate::{NotApplicable, Score};

/// The least attribution that counts, as a share of the map's greatest.
const LEAST_ATTRIBUTION: f64 = 1e-5;

/// The residual of completeness, `|Σa − (f(x) − f(b))| / |f(x) − f(b)|`, 0 at best (Sundararajan
/// et al. 2017, section 3, proposition 1).
///
/// `attribution` is the whole map, all channels; `image` and `baseline` are the model's outputs for
/// the explained class. A map of zeros scores 1.
///
/// # Errors
/// [`NotApplicable::ConstantOutcome`] where image and baseline differ by `least` at most,
/// [`NotApplicable::NonFinite`], [`NotApplicable::Empty`] for a map without pixels.
pub fn completeness(attribution: &[f32], image: f64, baseline: f64, least: f64) -> Score {
    if attribution.is_empty() {
        return Err(NotApplicable::Empty);
    }
    let sum: f64 = attribution.iter().map(|&value| f64::from(value)).sum();
    let drop = image - baseline;
    if !(sum.is_finite() && drop.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    if drop.abs() <= least {
        return Err(NotApplicable::ConstantOutcome);
    }
    finite((sum - drop).abs() / drop.abs())
}

/// The share of features that have an attribution though the model does not react to them, or have
/// none though it does, in 0..=1, 0 at best (Nguyen and Martínez 2020, section 3.1, as a share).
///
/// `attributions` holds `Σ|a|` of each feature and `changes` the model's reaction: its drop when
/// the feature alone is removed. An attribution up to 10⁻⁵ of the greatest counts as none, a change
/// up to `least` as no reaction.
///
/// # Errors
/// [`NotApplicable::ZeroRelevance`] for a map of zeros, [`NotApplicable::LengthMismatch`],
/// [`NotApplicable::NonFinite`], [`NotApplicable::Empty`] without features.
pub fn non_sensitivity(attributions: &[f64], changes: &[f64], least: f64) -> Score {
    if attributions.len() != changes.len() {
        return Err(NotApplicable::LengthMismatch);
    }
    if attributions.is_empty() {
        return Err(NotApplicable::Empty);
    }
    let all = attributions.iter().chain(changes);
    if !all.clone().all(|value| value.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    let greatest = attributions.iter().copied().fold(0.0, f64::max);
    if greatest == 0.0 {
        return Err(NotApplicable::ZeroRelevance);
    }
    let wrong = attributions
        .iter()
        .zip(changes)
        .filter(|&(&a, &change)| (a > LEAST_ATTRIBUTION * greatest) != (change.abs() > least));
    finite(wrong.count() as f64 / attributions.len() as f64)
}

/// How far the map of x moves when input and model are shifted against each other, `‖a − a′‖₂ /
/// ‖a‖₂`, 0 at best (input invariance, Kindermans et al. 2017, section 2).
///
/// `map` explains f at x and `shifted` explains f₂(x′) = f(x′ − c) at x + c, channels summed, for
/// the same output: both models compute the same numbers, so that a difference is the method's own.
///
/// # Errors
/// [`NotApplicable::ConstantAttribution`] for a constant map, zero or not, which any method could
/// give twice; [`NotApplicable::NonFinite`], [`NotApplicable::LengthMismatch`],
/// [`NotApplicable::Empty`].
pub fn input_invariance(map: &[f32], shifted: &[f32]) -> Score {
    if map.len() != shifted.len() {
        return Err(NotApplicable::LengthMismatch);
    }
    magnitude_of(map)?;
    let norm = map.iter().map(|&a| f64::from(a) * f64::from(a));
    finite(distance(map, shifted) / norm.sum::<f64>().sqrt())
}
