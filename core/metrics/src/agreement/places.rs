//! Agreement on the top k features, their places and their signs (Krishna et al. 2022, section
//! 3.2).
//!
//! The top k are those of greatest absolute attribution. Tied features have no places of their
//! own: each measure is its expected value over independent orders of the ties of both maps.

use super::{TopK, top_k_overlap};
use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMagnitude, RankedMap, Score};

/// Where each feature stands by absolute attribution, and its sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    top: TopK,
    /// The places a feature may take: those of its tie group, `first..end`, the greatest first.
    spans: Vec<(u32, u32)>,
    /// Sign of each feature: −1, 0 or 1.
    signs: Vec<i8>,
    signed: bool,
}

impl Places {
    /// Of a map's features and the share of them that is the top k, as in [`TopK::new`].
    #[must_use]
    pub fn new(map: &RankedMap, share: f64) -> Self {
        let magnitude = RankedMagnitude::of(map);
        let mut spans = vec![(0, 0); map.len()];
        let mut first = 0;
        for group in magnitude.as_map().tie_groups() {
            let end = first + group.len() as u32;
            for &feature in group {
                spans[feature as usize] = (first, end);
            }
            first = end;
        }
        let sign = |&value: &f32| i8::from(value > 0.0) - i8::from(value < 0.0);
        let signs: Vec<i8> = map.values().iter().map(sign).collect();
        Self {
            top: TopK::new(&magnitude, share),
            spans,
            signed: signs.contains(&-1),
            signs,
        }
    }
}

/// Share of the top k features that two maps have in common, in 0..=1; chance is k/d.
///
/// Feature agreement of Krishna et al. 2022.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] for maps of different sizes or different k.
pub fn feature_agreement(a: &Places, b: &Places) -> Score {
    top_k_overlap(&a.top, &b.top)
}

/// Share of the top k features that stand at the same place in both maps, in 0..=1.
///
/// Rank agreement of Krishna et al. 2022.
///
/// # Errors
/// As [`feature_agreement`].
pub fn rank_agreement(a: &Places, b: &Places) -> Score {
    same_places(a, b, |_| true)
}

/// Share of the top k features that two maps have in common and give the same sign, in 0..=1.
///
/// Sign agreement of Krishna et al. 2022.
///
/// # Errors
/// As [`feature_agreement`], and [`NotApplicable::Unsigned`] where a map has no negative value:
/// the signs of a map that cannot be negative agree with nothing.
pub fn sign_agreement(a: &Places, b: &Places) -> Score {
    check_signs(a, b)?;
    let common = |feature: usize| a.top.probability(feature) * b.top.probability(feature);
    let sum: f64 = (0..a.signs.len())
        .filter(|&feature| a.signs[feature] == b.signs[feature])
        .map(common)
        .sum();
    finite(sum / a.top.count() as f64)
}

/// Share of the top k features that stand at the same place with the same sign, in 0..=1.
///
/// Signed rank agreement of Krishna et al. 2022.
///
/// # Errors
/// As [`sign_agreement`].
pub fn signed_rank_agreement(a: &Places, b: &Places) -> Score {
    check_signs(a, b)?;
    same_places(a, b, |feature| a.signs[feature] == b.signs[feature])
}

fn same_places(a: &Places, b: &Places, counts: impl Fn(usize) -> bool) -> Score {
    check(a, b)?;
    let count = a.top.count() as u32;
    let mut sum = 0.0;
    for (feature, (&(a_first, a_end), &(b_first, b_end))) in
        a.spans.iter().zip(&b.spans).enumerate()
    {
        let shared = a_end
            .min(b_end)
            .min(count)
            .saturating_sub(a_first.max(b_first));
        if shared > 0 && counts(feature) {
            let orders = f64::from(a_end - a_first) * f64::from(b_end - b_first);
            sum += f64::from(shared) / orders;
        }
    }
    finite(sum / f64::from(count))
}

fn check(a: &Places, b: &Places) -> Result<(), NotApplicable> {
    if a.spans.len() == b.spans.len() && a.top.count() == b.top.count() {
        Ok(())
    } else {
        Err(NotApplicable::LengthMismatch)
    }
}

fn check_signs(a: &Places, b: &Places) -> Result<(), NotApplicable> {
    check(a, b)?;
    if a.signed && b.signed {
        Ok(())
    } else {
        Err(NotApplicable::Unsigned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(values: &[f32]) -> Places {
        Places::new(&RankedMap::new(values).unwrap(), 0.6)
    }

    #[test]
    fn four_agreements_by_hand() {
        // top 3 of 5: a 0 1 2, b 1 0 2; feature 0 and 2 have the same sign, only 2 its place
        let a = places(&[5.0, -4.0, 3.0, 0.0, -1.0]);
        let b = places(&[4.0, 5.0, 3.0, 1.0, -0.5]);
        assert_eq!(feature_agreement(&a, &b).unwrap(), 1.0);
        assert!((rank_agreement(&a, &b).unwrap() - 1.0 / 3.0).abs() < 1e-15);
        assert!((sign_agreement(&a, &b).unwrap() - 2.0 / 3.0).abs() < 1e-15);
        assert!((signed_rank_agreement(&a, &b).unwrap() - 1.0 / 3.0).abs() < 1e-15);
        // b's third against c's: -3 in its place, but with the other sign
        let c = places(&[5.0, -4.0, -3.0, 0.0, -1.0]);
        assert_eq!(rank_agreement(&a, &c).unwrap(), 1.0);
        assert!((signed_rank_agreement(&a, &c).unwrap() - 2.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn ties_take_their_expected_value() {
        // a: 0 first, then 1 and 2 in either order, then 3, 4; b: 0 1 2 3 4 without ties.
        // Place 0 agrees; features 1 and 2 each with probability one half.
        let a = places(&[9.0, -5.0, 5.0, 1.0, 0.0]);
        let b = places(&[9.0, -8.0, 7.0, 6.0, 5.0]);
        assert!((rank_agreement(&a, &b).unwrap() - 2.0 / 3.0).abs() < 1e-15);
        // All tied in one map: k·(1/5)/k.
        let flat = places(&[-2.0; 5]);
        assert!((rank_agreement(&flat, &b).unwrap() - 0.2).abs() < 1e-15);
        assert!((feature_agreement(&flat, &b).unwrap() - 0.6).abs() < 1e-15);
    }

    #[test]
    fn expected_values_are_means_over_orders() {
        // Break the ties of a in all ways that count and average: features 1 2 3 share places 1–3.
        let b = places(&[9.0, -8.0, 7.0, 6.0, 5.0]);
        let tied = places(&[9.0, -5.0, 5.0, 5.0, 0.0]);
        let orders = [
            [5.3, 5.2, 5.1],
            [5.3, 5.1, 5.2],
            [5.2, 5.3, 5.1],
            [5.1, 5.3, 5.2],
            [5.2, 5.1, 5.3],
            [5.1, 5.2, 5.3],
        ];
        for score in [rank_agreement, signed_rank_agreement, sign_agreement] {
            let sum: f64 = orders
                .iter()
                .map(|[x, y, z]| score(&places(&[9.0, -x, *y, *z, 0.0]), &b).unwrap())
                .sum();
            assert!((score(&tied, &b).unwrap() - sum / 6.0).abs() < 1e-12);
        }
    }

    #[test]
    fn signs_of_unsigned_maps_say_nothing() {
        let signed = places(&[1.0, -2.0, 3.0]);
        let unsigned = places(&[1.0, 2.0, 3.0]);
        for score in [sign_agreement, signed_rank_agreement] {
            assert_eq!(score(&signed, &unsigned), Err(NotApplicable::Unsigned));
            assert_eq!(score(&unsigned, &unsigned), Err(NotApplicable::Unsigned));
            assert_eq!(score(&signed, &signed).unwrap(), 1.0);
            assert_eq!(
                score(&signed, &places(&[1.0, -1.0])),
                Err(NotApplicable::LengthMismatch)
            );
        }
    }
}
