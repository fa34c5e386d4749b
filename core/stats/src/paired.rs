//! Paired tests: is one explainer better than another on the same images?
//!
//! Differences of scores per image are neither normal nor free of outliers, so they are tested
//! by their signed ranks.

use crate::distributions::erfc;
use crate::rank::average_ranks;
use serde::{Deserialize, Serialize};

/// The most differences for which all signs are counted out.
const EXACT_LIMIT: usize = 25;

/// Result of the two-sided Wilcoxon signed-rank test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SignedRank {
    /// Sum of the ranks of positive differences.
    pub positive: f64,
    /// Sum of the ranks of negative differences.
    pub negative: f64,
    /// Differences that are not zero.
    pub n: usize,
    /// Two-sided p value; 1 if all differences are zero.
    pub p_value: f64,
    /// Matched-pairs rank-biserial correlation, `(positive − negative) / (positive + negative)`,
    /// in −1..=1; 0 if all differences are zero.
    pub effect: f64,
}

/// Tests whether paired differences are symmetric about zero (Wilcoxon 1945), two-sided.
///
/// Zeros are dropped (Wilcoxon's rule; Pratt's would rank them first), ties share the mean of
/// their places. Up to 25 differences the p value is exact given the ranks, ties or not;
/// above, it is from the normal distribution with corrections for ties and continuity, which
/// for few and much tied differences would be too small (0.037 for five equal ones, in truth
/// 2/32). `None` if there are no differences or one is NaN.
#[must_use]
pub fn wilcoxon_signed_rank(differences: &[f64]) -> Option<SignedRank> {
    if differences.is_empty() || differences.iter().any(|difference| difference.is_nan()) {
        return None;
    }
    let differences: Vec<f64> = differences.iter().copied().filter(|&d| d != 0.0).collect();
    let n = differences.len();
    if n == 0 {
        return Some(SignedRank {
            positive: 0.0,
            negative: 0.0,
            n,
            p_value: 1.0,
            effect: 0.0,
        });
    }
    let sizes: Vec<f64> = differences
        .iter()
        .map(|difference| difference.abs())
        .collect();
    let ranks = average_ranks(&sizes);
    let total = n as f64 * (n as f64 + 1.0) / 2.0;
    let signed = differences.iter().zip(&ranks);
    let positive: f64 = signed
        .filter(|&(&d, _)| d > 0.0)
        .map(|(_, &rank)| rank)
        .sum();
    let negative = total - positive;
    let lesser = positive.min(negative);
    let p_value = if n <= EXACT_LIMIT {
        exact(&ranks, lesser)
    } else {
        let variance = total * (2.0 * n as f64 + 1.0) / 12.0 - tie_term(&sizes) / 48.0;
        let distance = (total / 2.0 - lesser - 0.5).max(0.0);
        erfc(distance / (2.0 * variance).sqrt())
    };
    Some(SignedRank {
        positive,
        negative,
        n,
        p_value: p_value.min(1.0),
        effect: (positive - negative) / total,
    })
}

/// `Σ (t³ − t)` over the groups of t equal values.
fn tie_term(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
        .chunk_by(|a, b| a == b)
        .map(|group| {
            let size = group.len() as f64;
            size * size * size - size
        })
        .sum()
}

/// Twice the probability that the ranks with a positive sign sum to at most `lesser`, each sign
/// being one or the other with probability one half.
fn exact(ranks: &[f64], lesser: f64) -> f64 {
    // Average ranks are whole or half numbers: twice them are whole.
    let most = (2.0 * lesser) as usize;
    // ways[s]: subsets of the ranks so far whose doubled sum is s.
    let mut ways = vec![0u64; most + 1];
    ways[0] = 1;
    for rank in ranks {
        let doubled = (2.0 * rank) as usize;
        for sum in (doubled..=most).rev() {
            ways[sum] += ways[sum - doubled];
        }
    }
    2.0 * ways.iter().sum::<u64>() as f64 / (1u64 << ranks.len()) as f64
}

/// p values adjusted for their number (Holm 1979), in the given order.
///
/// Rejecting those at most α keeps the probability of any false rejection at most α, whatever
/// the dependence between the tests.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut highest = 0.0f64;
    for (place, &test) in order.iter().enumerate() {
        let factor = (p_values.len() - place) as f64;
        highest = highest.max((factor * p_values[test]).min(1.0));
        adjusted[test] = highest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-10 * b.abs()
    }

    // Expected values: scipy.stats.wilcoxon (1.17.1), the call above each.

    #[test]
    fn exact_small_sample() {
        // wilcoxon(d, method="exact"): the depression scores of Hollander and Wolfe
        let d = [0.952, -0.147, 1.022, 0.43, 0.62, 0.59, 0.49, -0.08, 0.01];
        let test = wilcoxon_signed_rank(&d).unwrap();
        assert_eq!((test.negative, test.positive, test.n), (5.0, 40.0, 9));
        assert_eq!(test.p_value, 0.0390625);
        assert!(close(test.effect, 35.0 / 45.0));
    }

    #[test]
    fn exact_at_its_limit() {
        // wilcoxon([(-1 if i in (3, 7, 20) else 1) * (i + 1) for i in range(25)], method="exact")
        let d = |negative: &[i32]| -> Vec<f64> {
            (0..25)
                .map(|i| f64::from(i + 1) * if negative.contains(&i) { -1.0 } else { 1.0 })
                .collect()
        };
        let test = wilcoxon_signed_rank(&d(&[3, 7, 20])).unwrap();
        assert_eq!(test.negative, 33.0);
        assert_eq!(test.p_value, 0.00018787384033203125);
        assert_eq!(
            wilcoxon_signed_rank(&d(&[])).unwrap().p_value,
            2.0 / f64::from(1 << 25)
        );
    }

    #[test]
    fn ties_and_zeros() {
        // Of the 2048 signs of these ranks 95 give a sum of at most 13.5:
        // sum(sum(r for r, b in zip(ranks, bits) if b) <= 13.5
        //     for bits in itertools.product((0, 1), repeat=11))
        let d = [
            1.0, 2.0, -3.0, 4.0, 5.0, -1.0, 2.0, 2.0, 0.0, 6.0, -2.0, 3.0,
        ];
        let test = wilcoxon_signed_rank(&d).unwrap();
        assert_eq!((test.negative, test.n), (13.5, 11));
        assert_eq!(test.p_value, 95.0 / 1024.0);
        assert_eq!(wilcoxon_signed_rank(&[0.5; 5]).unwrap().p_value, 2.0 / 32.0);
        // wilcoxon([1] * 30 + [-1] * 10, correction=True, method="asymptotic")
        let signs: Vec<f64> = (0..40).map(|i| if i < 30 { 1.0 } else { -1.0 }).collect();
        let test = wilcoxon_signed_rank(&signs).unwrap();
        assert!(
            close(test.p_value, 0.0016073768517964099),
            "{}",
            test.p_value
        );
    }

    #[test]
    fn large_sample() {
        // wilcoxon([(-1 if i % 3 == 0 else 1) * (i + 0.5) for i in range(40)], correction=True,
        // method="asymptotic")
        let d: Vec<f64> = (0..40)
            .map(|i| (f64::from(i) + 0.5) * if i % 3 == 0 { -1.0 } else { 1.0 })
            .collect();
        let test = wilcoxon_signed_rank(&d).unwrap();
        assert_eq!(test.negative, 287.0);
        assert!(close(test.p_value, 0.09964873997927338), "{}", test.p_value);
    }

    #[test]
    fn sign_flip_flips_only_the_sides() {
        let d: Vec<f64> = (0..30).map(|i| (f64::from(i) * 0.7).sin() + 0.2).collect();
        let flipped: Vec<f64> = d.iter().map(|d| -d).collect();
        let (a, b) = (
            wilcoxon_signed_rank(&d).unwrap(),
            wilcoxon_signed_rank(&flipped).unwrap(),
        );
        assert_eq!(
            (a.positive, a.negative, a.p_value),
            (b.negative, b.positive, b.p_value)
        );
        assert_eq!(a.effect, -b.effect);
    }

    #[test]
    fn nothing_to_test() {
        assert_eq!(wilcoxon_signed_rank(&[]), None);
        assert_eq!(wilcoxon_signed_rank(&[1.0, f64::NAN]), None);
        let zeros = wilcoxon_signed_rank(&[0.0; 4]).unwrap();
        assert_eq!((zeros.p_value, zeros.n, zeros.effect), (1.0, 0, 0.0));
        assert_eq!(wilcoxon_signed_rank(&[1.0]).unwrap().p_value, 1.0);
    }

    #[test]
    fn holm_by_hand() {
        // sorted .01 .02 .03 .04 times 4 3 2 1: .04 .06 .06 .04, made monotone
        let adjusted = holm(&[0.04, 0.01, 0.03, 0.02]);
        for (p, expected) in adjusted.iter().zip([0.06, 0.04, 0.06, 0.06]) {
            assert!(close(*p, expected), "{adjusted:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
