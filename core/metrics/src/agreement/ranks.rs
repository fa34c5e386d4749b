//! Rank correlation of two maps.

use super::dot;
use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMap, Score};

/// The average ranks of a map, centred and scaled to length 1: a pair's Spearman correlation is
/// their dot product.
#[derive(Debug, Clone, PartialEq)]
pub struct CentredRanks(Vec<f64>);

impl CentredRanks {
    /// Prepares a map, by its signed attributions.
    ///
    /// # Errors
    /// [`NotApplicable::ConstantAttribution`] for a constant map: it has no order to compare.
    pub fn new(map: &RankedMap) -> Result<Self, NotApplicable> {
        if map.is_constant() {
            return Err(NotApplicable::ConstantAttribution);
        }
        let mut ranks = map.average_ranks();
        let mean = (map.len() as f64 + 1.0) / 2.0;
        let mut squares = 0.0;
        for rank in &mut ranks {
            *rank -= mean;
            squares += *rank * *rank;
        }
        let scale = 1.0 / squares.sqrt();
        ranks.iter_mut().for_each(|rank| *rank *= scale);
        Ok(Self(ranks))
    }
}

/// Spearman's rank correlation of two maps, ties by average ranks, in −1..=1.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] for maps of different sizes.
pub fn spearman(a: &CentredRanks, b: &CentredRanks) -> Score {
    if a.0.len() != b.0.len() {
        return Err(NotApplicable::LengthMismatch);
    }
    finite(dot(&a.0, &b.0).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks(values: &[f32]) -> CentredRanks {
        CentredRanks::new(&RankedMap::new(values).unwrap()).unwrap()
    }

    #[test]
    fn spearman_by_hand() {
        // Without ties 1 − 6Σd²/(n(n²−1)); ranks 1..5 against 2 1 4 3 5: Σd² = 4, 1 − 24/120
        let straight = ranks(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let swapped = ranks(&[20.0, 10.0, 40.0, 30.0, 50.0]);
        assert!((spearman(&straight, &swapped).unwrap() - 0.8).abs() < 1e-12);
        let reversed = ranks(&[-1.0, -2.0, -3.0, -4.0, -5.0]);
        assert!((spearman(&straight, &reversed).unwrap() + 1.0).abs() < 1e-12);
    }

    #[test]
    fn spearman_with_ties_by_hand() {
        // ranks 1.5 1.5 3 4 against 1 3 3 3 (mean of places 2 3 4), centred at 2.5:
        // (-1 -1 .5 1.5)·(-1.5 .5 .5 .5) = 1.5 − .5 + .25 + .75 = 2; lengths² 4.5 and 3
        let a = ranks(&[0.0, 0.0, 1.0, 2.0]);
        let b = ranks(&[0.0, 7.0, 7.0, 7.0]);
        assert!((spearman(&a, &b).unwrap() - 2.0 / 13.5f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn constant_map_has_no_rank_correlation() {
        let constant = RankedMap::new(&[0.5; 4]).unwrap();
        assert_eq!(
            CentredRanks::new(&constant),
            Err(NotApplicable::ConstantAttribution)
        );
    }

    #[test]
    fn different_shapes_do_not_compare() {
        assert_eq!(
            spearman(&ranks(&[1.0, 2.0]), &ranks(&[1.0, 2.0, 3.0])),
            Err(NotApplicable::LengthMismatch)
        );
    }
}
