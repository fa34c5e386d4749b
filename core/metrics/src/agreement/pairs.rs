//! Agreement on which of two features matters more, over all pairs.

use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMagnitude, Score};

/// The order of a map's features by absolute attribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportanceOrder {
    /// Features by falling absolute attribution, tied ones together.
    order: Vec<u32>,
    /// Number of each feature's tie group, 0 for the greatest.
    groups: Vec<u32>,
    /// Pairs of tied features.
    tied: u64,
}

impl ImportanceOrder {
    /// Of a ranked map.
    ///
    /// # Errors
    /// [`NotApplicable::ConstantAttribution`] where all absolute values are equal: they order no
    /// pair.
    pub fn new(magnitude: &RankedMagnitude) -> Result<Self, NotApplicable> {
        let map = magnitude.as_map();
        if map.is_constant() {
            return Err(NotApplicable::ConstantAttribution);
        }
        let mut groups = vec![0; map.len()];
        let mut tied = 0;
        for (number, group) in map.tie_groups().enumerate() {
            for &feature in group {
                groups[feature as usize] = number as u32;
            }
            tied += pairs(group.len() as u64);
        }
        Ok(Self {
            order: map.order().to_vec(),
            groups,
            tied,
        })
    }
}

fn pairs(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

/// Share of all pairs of features that two maps put in the same order, in 0..=1; chance is one
/// half.
///
/// Pairwise rank agreement of Krishna et al. 2022 over all features, by absolute attribution. A
/// pair that is tied in either map counts one half, its expected value over the orders of the
/// ties; so the score is (1 + τ_a)/2, Kendall's τ without correction for ties. It is counted by
/// sorting, in O(d log d) (Knight 1966), not over all pairs.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] for maps of different sizes.
pub fn pairwise_rank_agreement(a: &ImportanceOrder, b: &ImportanceOrder) -> Score {
    if a.groups.len() != b.groups.len() {
        return Err(NotApplicable::LengthMismatch);
    }
    // Along a's order, each of its tie groups sorted by b: what is out of order then is a pair
    // that the maps put in opposite orders.
    let mut along: Vec<u64> = a
        .order
        .iter()
        .map(|&feature| {
            let feature = feature as usize;
            (u64::from(a.groups[feature]) << 32) | u64::from(b.groups[feature])
        })
        .collect();
    along.sort_unstable();
    let mut tied_in_both = 0;
    let mut run = 0;
    for place in 1..=along.len() {
        run += 1;
        if place == along.len() || along[place] != along[place - 1] {
            tied_in_both += pairs(run);
            run = 0;
        }
    }
    let mut second: Vec<u32> = along.iter().map(|&both| both as u32).collect();
    let opposite = inversions(&mut second);
    let all = pairs(along.len() as u64);
    // In either map: in a, in b, less those counted twice.
    let tied = a.tied + b.tied - tied_in_both;
    let same = all - tied - opposite;
    finite((same as f64 + tied as f64 / 2.0) / all as f64)
}

/// Pairs `i < j` with `values[i] > values[j]`, by merging runs of doubling length; sorts `values`.
fn inversions(values: &mut [u32]) -> u64 {
    let mut buffer = vec![0; values.len()];
    let mut count = 0;
    let mut length = 1;
    while length < values.len() {
        for start in (0..values.len()).step_by(2 * length) {
            let end = (start + 2 * length).min(values.len());
            let middle = (start + length).min(end);
            let (mut left, mut right) = (start, middle);
            for slot in &mut buffer[start..end] {
                let take_left = left < middle && (right == end || values[left] <= values[right]);
                *slot = if take_left {
                    left += 1;
                    values[left - 1]
                } else {
                    // What is left of the left run stood before it and is greater.
                    count += (middle - left) as u64;
                    right += 1;
                    values[right - 1]
                };
            }
        }
        values.copy_from_slice(&buffer);
        length *= 2;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DrawKey;

    fn order(values: &[f32]) -> ImportanceOrder {
        ImportanceOrder::new(&RankedMagnitude::new(values).unwrap()).unwrap()
    }

    /// The definition: every pair looked at.
    fn by_pairs(a: &[f32], b: &[f32]) -> f64 {
        let (mut same, mut all) = (0.0, 0.0);
        for i in 0..a.len() {
            for j in i + 1..a.len() {
                let of = |map: &[f32]| map[i].abs().partial_cmp(&map[j].abs()).unwrap() as i32;
                all += 1.0;
                same += match of(a) * of(b) {
                    0 => 0.5,
                    1 => 1.0,
                    _ => 0.0,
                };
            }
        }
        same / all
    }

    #[test]
    fn by_hand() {
        // |a| orders 0 1 2, |b| orders 0 2 1: two of three pairs
        let score = pairwise_rank_agreement(&order(&[3.0, -2.0, 1.0]), &order(&[9.0, 1.0, -2.0]));
        assert!((score.unwrap() - 2.0 / 3.0).abs() < 1e-15);
        let a = order(&[3.0, -2.0, 1.0]);
        assert_eq!(pairwise_rank_agreement(&a, &a).unwrap(), 1.0);
        let reversed = order(&[1.0, 2.0, 3.0]);
        assert_eq!(pairwise_rank_agreement(&a, &reversed).unwrap(), 0.0);
    }

    #[test]
    fn sorting_counts_what_pairs_count() {
        for item in 0..40 {
            let mut draws = DrawKey::new(7, "pairs", item).draws(0);
            let d = 2 + (item as usize % 30);
            let mut map = || -> Vec<f32> { (0..d).map(|_| draws.below(7) as f32 - 3.0).collect() };
            let (mut a, mut b) = (map(), map());
            (a[0], b[0]) = (9.0, 9.0);
            let score = pairwise_rank_agreement(&order(&a), &order(&b)).unwrap();
            assert!((score - by_pairs(&a, &b)).abs() < 1e-12, "{a:?} {b:?}");
        }
    }

    #[test]
    fn what_orders_nothing_has_no_score() {
        let flat = RankedMagnitude::new(&[2.0, -2.0]).unwrap();
        assert_eq!(
            ImportanceOrder::new(&flat),
            Err(NotApplicable::ConstantAttribution)
        );
        assert_eq!(
            pairwise_rank_agreement(&order(&[1.0, 2.0]), &order(&[1.0, 2.0, 3.0])),
            Err(NotApplicable::LengthMismatch)
        );
    }
}
