//! Cosine of the angle between two maps.

use crate::agreement::dot;
use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// A map as a vector of length 1.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitMap(Vec<f64>);

impl UnitMap {
    /// Prepares a map.
    ///
    /// # Errors
    /// [`NotApplicable::NonFinite`] for NaN or infinite values, [`NotApplicable::ZeroRelevance`]
    /// for a map of zeros, which has no direction.
    pub fn new(attribution: &[f32]) -> Result<Self, NotApplicable> {
        let greatest = attribution
            .iter()
            .fold(0.0f64, |most, &value| most.max(f64::from(value).abs()));
        if attribution.iter().any(|value| !value.is_finite()) {
            return Err(NotApplicable::NonFinite);
        }
        if greatest == 0.0 {
            return Err(NotApplicable::ZeroRelevance);
        }
        // By the greatest value first, so that no square is lost or too large.
        let mut unit: Vec<f64> = attribution
            .iter()
            .map(|&value| f64::from(value) / greatest)
            .collect();
        let length = unit.iter().map(|value| value * value).sum::<f64>().sqrt();
        unit.iter_mut().for_each(|value| *value /= length);
        Ok(Self(unit))
    }
}

/// Cosine of two maps, signs and all, in −1..=1.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] for maps of different sizes.
pub fn cosine(a: &UnitMap, b: &UnitMap) -> Score {
    if a.0.len() != b.0.len() {
        return Err(NotApplicable::LengthMismatch);
    }
    finite(dot(&a.0, &b.0).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(values: &[f32]) -> UnitMap {
        UnitMap::new(values).unwrap()
    }

    #[test]
    fn by_hand() {
        // (3·4 + 4·(−3)) = 0; (1, 1)·(1, 0) = 1/√2
        assert!(
            cosine(&unit(&[3.0, 4.0]), &unit(&[4.0, -3.0]))
                .unwrap()
                .abs()
                < 1e-15
        );
        let diagonal = cosine(&unit(&[1.0, 1.0]), &unit(&[1e30, 0.0])).unwrap();
        assert!((diagonal - 0.5f64.sqrt()).abs() < 1e-15);
        let opposite = cosine(&unit(&[1.0, -2.0]), &unit(&[-1e-30, 2e-30])).unwrap();
        assert!((opposite + 1.0).abs() < 1e-12);
    }

    #[test]
    fn maps_without_direction_have_no_score() {
        assert_eq!(
            UnitMap::new(&[0.0, -0.0]),
            Err(NotApplicable::ZeroRelevance)
        );
        assert_eq!(UnitMap::new(&[]), Err(NotApplicable::ZeroRelevance));
        assert_eq!(UnitMap::new(&[f32::NAN]), Err(NotApplicable::NonFinite));
        assert_eq!(
            cosine(&unit(&[1.0]), &unit(&[1.0, 0.0])),
            Err(NotApplicable::LengthMismatch)
        );
    }
}
