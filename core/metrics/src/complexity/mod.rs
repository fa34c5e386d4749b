//! How few pixels carry the attribution.
//!
//! No score here knows the model: a map of one arbitrary pixel is perfect by most, and an
//! upsampled coarse map spreads by construction. They describe a map, they do not rank it.

mod compactness;

use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMagnitude, Score};

pub use compactness::mst_compactness;

/// Attribution that counts, as a share of the greatest, in [`effective_complexity`].
pub const EFFECTIVE_SHARE: f64 = 0.01;

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

/// Share of the pixels whose absolute attribution exceeds a hundredth of the greatest, in 0..=1.
///
/// Effective complexity of Nguyen and Martínez 2020 with a threshold relative to the map
/// ([`EFFECTIVE_SHARE`]), so that a map and its multiple score alike, and as a share of all
/// pixels.
///
/// # Errors
/// [`NotApplicable::ZeroRelevance`] if all attributions are zero.
pub fn effective_complexity(magnitude: &RankedMagnitude) -> Score {
    let map = magnitude.as_map();
    let greatest = map
        .order()
        .first()
        .map_or(0.0, |&pixel| map.values()[pixel as usize]);
    if greatest == 0.0 {
        return Err(NotApplicable::ZeroRelevance);
    }
    let counts = |&&value: &&f32| f64::from(value) > EFFECTIVE_SHARE * f64::from(greatest);
    finite(map.values().iter().filter(counts).count() as f64 / map.len() as f64)
}

/// The complexity score with catalogue id `id` of a map `[height, width]`; `None` for an id of
/// another family.
#[must_use]
pub fn score(id: &str, magnitude: &RankedMagnitude, height: usize, width: usize) -> Option<Score> {
    Some(match id {
        "gini" => gini(magnitude),
        "entropy" => entropy(magnitude),
        "effective_complexity" => effective_complexity(magnitude),
        "mst_compactness" => mst_compactness(magnitude, height, width),
        _ => return None,
    })
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

    #[test]
    fn effective_complexity_by_hand() {
        // Above 0.05: three of five.
        let map = [5.0, -0.06, 0.049, 0.051, 0.0];
        assert_eq!(effective_complexity(&magnitude(&map)), Ok(0.6));
        let scaled = map.map(|value| value * 1e-20);
        assert_eq!(effective_complexity(&magnitude(&scaled)), Ok(0.6));
        assert_eq!(effective_complexity(&magnitude(&[0.3; 9])), Ok(1.0));
        assert_eq!(
            effective_complexity(&magnitude(&[0.0; 3])),
            Err(NotApplicable::ZeroRelevance)
        );
    }
}
