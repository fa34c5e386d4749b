//! Do two maps of the same image say the same?
//!
//! Agreement is not correctness, but disagreement between explainers of one model is news
//! (Krishna et al. 2022). What a map contributes is prepared once, so that each of the many
//! pairs costs one pass.

use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMagnitude, RankedMap, Score};

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

/// How surely each pixel is among the k of highest absolute attribution.
#[derive(Debug, Clone, PartialEq)]
pub struct TopK {
    membership: Vec<f64>,
    count: usize,
}

impl TopK {
    /// The share of pixels compared unless a suite says otherwise.
    pub const DEFAULT_SHARE: f64 = 0.1;

    /// The k = `share`·d highest pixels, rounded, at least one and at most all.
    ///
    /// A pixel of the tie group cut by the k-th place is a member with the probability that a
    /// random order puts it within the places left.
    #[must_use]
    pub fn new(magnitude: &RankedMagnitude, share: f64) -> Self {
        let map = magnitude.as_map();
        let count = ((share * map.len() as f64).round() as usize).clamp(1, map.len());
        let mut membership = vec![0.0; map.len()];
        let mut left = count;
        for group in map.tie_groups() {
            let places = left.min(group.len());
            let probability = places as f64 / group.len() as f64;
            for &pixel in group {
                membership[pixel as usize] = probability;
            }
            left -= places;
            if left == 0 {
                break;
            }
        }
        Self { membership, count }
    }

    /// The number of pixels k.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Share of the top k pixels that two maps have in common, in 0..=1; chance is k/d.
///
/// Feature agreement of Krishna et al. 2022, as the expected value over independent orders of
/// the ties of both maps: the sum of products of membership over k. So a map whose cut falls
/// into a tie group does not fully agree even with itself, and a constant map is at chance with
/// every map.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] for maps of different sizes or different k.
pub fn top_k_overlap(a: &TopK, b: &TopK) -> Score {
    if a.membership.len() != b.membership.len() || a.count != b.count {
        return Err(NotApplicable::LengthMismatch);
    }
    finite(dot(&a.membership, &b.membership) / a.count as f64)
}

/// Dot product in eight running sums, which the compiler turns into vector instructions.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a_lanes
        .remainder()
        .iter()
        .zip(b_lanes.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks(values: &[f32]) -> CentredRanks {
        CentredRanks::new(&RankedMap::new(values).unwrap()).unwrap()
    }

    fn top(values: &[f32], share: f64) -> TopK {
        TopK::new(&RankedMagnitude::new(values).unwrap(), share)
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
    fn overlap_by_hand() {
        // top 2 of 5 by |a|: {0, 1} and {1, 4}
        let a = top(&[-9.0, 8.0, 1.0, 0.5, 2.0], 0.4);
        let b = top(&[0.0, 3.0, 1.0, 0.5, -4.0], 0.4);
        assert_eq!(a.count(), 2);
        assert_eq!(top_k_overlap(&a, &b).unwrap(), 0.5);
        assert_eq!(top_k_overlap(&a, &a).unwrap(), 1.0);
        // second place shared by pixels 1..4 of the other map: (1 + 1/4)/2
        let tied = top(&[7.0, 1.0, 1.0, 1.0, 1.0], 0.4);
        assert_eq!(top_k_overlap(&a, &tied).unwrap(), 0.625);
    }

    #[test]
    fn constant_map_overlaps_at_chance() {
        let a = top(&[9.0, 8.0, 1.0, 0.5, 2.0], 0.4);
        assert!((top_k_overlap(&a, &top(&[3.0; 5], 0.4)).unwrap() - 0.4).abs() < 1e-15);
    }

    #[test]
    fn different_shapes_do_not_compare() {
        let a = top(&[1.0, 2.0], 0.5);
        let b = top(&[1.0, 2.0, 3.0], 0.5);
        assert_eq!(top_k_overlap(&a, &b), Err(NotApplicable::LengthMismatch));
        assert_eq!(
            spearman(&ranks(&[1.0, 2.0]), &ranks(&[1.0, 2.0, 3.0])),
            Err(NotApplicable::LengthMismatch)
        );
    }
}
