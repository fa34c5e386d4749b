//! How few pixels carry the attribution.
//!
//! Neither score knows the model: a map of one arbitrary pixel is perfect by both, and an
//! upsampled coarse map spreads by construction. They describe a map, they do not rank it.

use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMagnitude, Score};

/// Gini index of the absolute attributions: 0 for equal ones, (d − 1)/d for a single pixel.
///
/// Sparseness of Chalasani et al. 2020: `Σ_i (2i − d − 1)·|a|_(i) / (d·Σ|a|)`, i = 1 for the
/// smallest.
///
/// # Errors
/// [`NotApplicable::ZeroRelevance`] if all attributions are zero.
pub fn gini(magnitude: &RankedMagnitude) -> Score {
    let map = magnitude.as_map();
    let d = map.len() as f64;
    let (mut weighted, mut total) = (0.0, 0.0);
    for (place, &pixel) in map.order().iter().rev().enumerate() {
        let value = f64::from(map.values()[pixel as usize]);
        weighted += (2.0 * (place as f64 + 1.0) - d - 1.0) * value;
        total += value;
    }
    if total == 0.0 {
        return Err(NotApplicable::ZeroRelevance);
    }
    // Rounding may take a constant map a hair below zero.
    finite((weighted / (d * total)).max(0.0))
}

/// Entropy of `|a| / Σ|a|` divided by ln d: 0 for a single pixel, 1 for equal attributions.
///
/// Complexity of Bhatt et al. 2020, which leaves out the division; with it images of different
/// sizes compare.
///
/// # Errors
/// [`NotApplicable::ZeroRelevance`] if all attributions are zero,
/// [`NotApplicable::ConstantAttribution`] for a map of one pixel.
pub fn entropy(magnitude: &RankedMagnitude) -> Score {
    let map = magnitude.as_map();
    if map.len() < 2 {
        return Err(NotApplicable::ConstantAttribution);
    }
    let total: f64 = map.values().iter().map(|&value| f64::from(value)).sum();
    if total == 0.0 {
        return Err(NotApplicable::ZeroRelevance);
    }
    let nats: f64 = map
        .values()
        .iter()
        .filter(|&&value| value > 0.0)
        .map(|&value| {
            let share = f64::from(value) / total;
            -share * share.ln()
        })
        .sum();
    finite((nats / (map.len() as f64).ln()).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn magnitude(values: &[f32]) -> RankedMagnitude {
        RankedMagnitude::new(values).unwrap()
    }

    #[test]
    fn gini_by_hand() {
        // sorted 1 2 3 4: (-3·1 − 1·2 + 1·3 + 3·4) / (4·10) = 10/40
        assert!((gini(&magnitude(&[-4.0, 1.0, 3.0, 2.0])).unwrap() - 0.25).abs() < 1e-15);
        assert_eq!(gini(&magnitude(&[0.0, 0.0, -5.0, 0.0])).unwrap(), 0.75);
        assert_eq!(gini(&magnitude(&[0.1; 7])).unwrap(), 0.0);
        assert_eq!(
            gini(&magnitude(&[0.0; 3])),
            Err(NotApplicable::ZeroRelevance)
        );
    }

    #[test]
    fn entropy_by_hand() {
        // shares 1/2 1/4 1/4 of 4 pixels: 1.5 bits of 2
        assert!((entropy(&magnitude(&[2.0, 0.0, -1.0, 1.0])).unwrap() - 0.75).abs() < 1e-15);
        assert_eq!(entropy(&magnitude(&[0.0, 3.0])).unwrap(), 0.0);
        assert!((entropy(&magnitude(&[0.3; 9])).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(
            entropy(&magnitude(&[0.0; 3])),
            Err(NotApplicable::ZeroRelevance)
        );
        assert_eq!(
            entropy(&magnitude(&[1.0])),
            Err(NotApplicable::ConstantAttribution)
        );
    }
}
