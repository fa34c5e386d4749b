//! Does a map stay where it is when the input hardly changes?
//!
//! Most of these scores need the explainer again, on rows near the image: whoever owns it asks
//! for the rows ([`Neighbours`], [`write_shifted`]), has them explained, and hands the maps back
//! ([`NoiseScores`], [`Continuity`]). One set of neighbours serves every score of noise. Two
//! scores ask for other images in place of other rows ([`Signature`], [`Direction`]).
//!
//! A map is the explainer's whole output, channels and all: of the length of the input. What
//! depends on its scale is divided by the greatest magnitude of the map of the image itself, so
//! that explainers in different units compare and a map that grows with the noise is still seen
//! to grow. A constant map would be perfectly robust by every formula here; it has no score.

mod consistency;
mod neighbours;
mod noise;
mod shift;

pub use consistency::{Direction, Signature, consistency, explanation_sufficiency};
pub use neighbours::Neighbours;
pub use noise::{Explained, NoiseScores};
pub use shift::{Continuity, write_shifted};

/// Scores of [`NoiseScores`], by id.
pub const NOISE_SCORES: [&str; 7] = [
    "local_lipschitz",
    "max_sensitivity",
    "avg_sensitivity",
    "relative_input_stability",
    "relative_output_stability",
    "relative_representation_stability",
    "class_flips",
];

/// Does the score compare an image with the other images that were explained?
#[must_use]
pub fn of_all_images(id: &str) -> bool {
    matches!(id, "consistency" | "explanation_sufficiency")
}

use crate::NotApplicable;

/// The greatest magnitude of a map, which its changes are measured by.
pub(crate) fn magnitude_of(map: &[f32]) -> Result<f64, NotApplicable> {
    let Some(&first) = map.first() else {
        return Err(NotApplicable::Empty);
    };
    let mut greatest = 0.0f64;
    let mut constant = true;
    for &value in map {
        if !value.is_finite() {
            return Err(NotApplicable::NonFinite);
        }
        greatest = greatest.max(f64::from(value).abs());
        constant &= value == first;
    }
    if constant {
        return Err(NotApplicable::ConstantAttribution);
    }
    Ok(greatest)
}

/// ‖a − b‖₂.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(&a, &b)| {
        let difference = f64::from(a) - f64::from(b);
        difference * difference
    });
    squares.sum::<f64>().sqrt()
}
