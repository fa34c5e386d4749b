//! What two maps have in common at the top.

use super::dot;
use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMagnitude, Score};

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

    /// How surely a pixel is among them.
    pub(super) fn probability(&self, pixel: usize) -> f64 {
        self.membership[pixel]
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

/// Size of the intersection of the top k over that of their union, in 0..=1.
///
/// Jaccard 1912. With ties the expected intersection over the expected union, which is
/// `o / (2 − o)` of the overlap o.
///
/// # Errors
/// As [`top_k_overlap`].
pub fn top_k_jaccard(a: &TopK, b: &TopK) -> Score {
    let overlap = top_k_overlap(a, b)?;
    finite(overlap / (2.0 - overlap))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(values: &[f32], share: f64) -> TopK {
        TopK::new(&RankedMagnitude::new(values).unwrap(), share)
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
    fn jaccard_by_hand() {
        // {0, 1} and {1, 4}: one of three
        let a = top(&[-9.0, 8.0, 1.0, 0.5, 2.0], 0.4);
        let b = top(&[0.0, 3.0, 1.0, 0.5, -4.0], 0.4);
        assert!((top_k_jaccard(&a, &b).unwrap() - 1.0 / 3.0).abs() < 1e-15);
        assert_eq!(top_k_jaccard(&a, &a).unwrap(), 1.0);
    }

    #[test]
    fn different_shapes_do_not_compare() {
        let a = top(&[1.0, 2.0], 0.5);
        let b = top(&[1.0, 2.0, 3.0], 0.5);
        assert_eq!(top_k_overlap(&a, &b), Err(NotApplicable::LengthMismatch));
    }
}
