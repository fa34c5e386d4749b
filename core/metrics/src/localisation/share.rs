//! Scores of how the attribution itself, or a share of the pixels, falls on the mask.

use super::{Cut, check_mask, relevance_mass};
use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMap, Score};

/// Share of all pixels that [`top_k_intersection`] looks at.
pub const TOP_K_SHARE: f64 = 0.1;

/// Relevance mass over the mask's share of the image: how many times as much positive attribution
/// lies in the mask as chance would put there, in 0..=d/|M|.
///
/// The weighted inside–total ratio μ_w of Kohlbrenner et al. 2020; unweighted it is
/// [`relevance_mass`].
///
/// # Errors
/// As [`relevance_mass`].
pub fn attribution_localisation(map: &RankedMap, mask: &[bool]) -> Score {
    let mass = relevance_mass(map, mask)?;
    let marked = check_mask(map, mask)?;
    finite(mass * mask.len() as f64 / marked as f64)
}

/// Share of the k highest pixels that lie inside the mask, k a tenth of all pixels, in 0..=1.
///
/// Top-k intersection of Theiner et al. 2021, with k as a share ([`TOP_K_SHARE`], rounded, at
/// least one pixel) so that it means the same in all image sizes. A mask of fewer than k pixels
/// cannot score 1. Ties: the expected value over their orders.
///
/// # Errors
/// Mask reasons.
pub fn top_k_intersection(map: &RankedMap, mask: &[bool]) -> Score {
    check_mask(map, mask)?;
    let count = ((TOP_K_SHARE * map.len() as f64).round() as usize).max(1);
    finite(Cut::new(map, mask, count).expected_overlap() / count as f64)
}

/// Intersection over union of the mask and the positive attribution as a fuzzy set, in 0..=1:
/// `Σ min(a', M) / Σ max(a', M)`, a' the positive attribution over its greatest.
///
/// The ratio of Ruzicka 1958, Jaccard's for memberships.
///
/// # Errors
/// Mask reasons, and [`NotApplicable::ZeroRelevance`] if no attribution is positive.
pub fn soft_iou(map: &RankedMap, mask: &[bool]) -> Score {
    check_mask(map, mask)?;
    let greatest = greatest(map)?;
    let (mut least, mut most) = (0.0, 0.0);
    for (&value, &marked) in map.values().iter().zip(mask) {
        let membership = f64::from(value.max(0.0)) / greatest;
        let inside = f64::from(u8::from(marked));
        least += membership.min(inside);
        most += membership.max(inside);
    }
    finite(least / most)
}

/// Cosine of the positive attribution and the mask, in 0..=1; a constant map gets √(|M|/d).
///
/// # Errors
/// As [`soft_iou`].
pub fn mask_cosine(map: &RankedMap, mask: &[bool]) -> Score {
    let marked = check_mask(map, mask)?;
    let greatest = greatest(map)?;
    let (mut inside, mut squares) = (0.0, 0.0);
    for (&value, &here) in map.values().iter().zip(mask) {
        let value = f64::from(value.max(0.0)) / greatest;
        squares += value * value;
        inside += if here { value } else { 0.0 };
    }
    finite((inside / (squares * marked as f64).sqrt()).min(1.0))
}

fn greatest(map: &RankedMap) -> Result<f64, NotApplicable> {
    let first = map
        .order()
        .first()
        .map_or(0.0, |&pixel| map.values()[pixel as usize]);
    if first > 0.0 {
        Ok(f64::from(first))
    } else {
        Err(NotApplicable::ZeroRelevance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(values: &[f32]) -> RankedMap {
        RankedMap::new(values).unwrap()
    }

    #[test]
    fn by_hand() {
        let map = ranked(&[3.0, -7.0, 1.0, 0.0]);
        let mask = [true, true, false, false];
        // Mass 3/4 on half of the image
        assert_eq!(attribution_localisation(&map, &mask), Ok(1.5));
        // 1 0 1/3 0 against 1 1 0 0: 1 / (1 + 1 + 1/3)
        assert!((soft_iou(&map, &mask).unwrap() - 3.0 / 7.0).abs() < 1e-12);
        // 3 / √(10·2)
        assert!((mask_cosine(&map, &mask).unwrap() - 3.0 / 20f64.sqrt()).abs() < 1e-12);
        // k = 2 of 20: one inside for sure, the second one of four tied, one of them inside.
        let mut values = [0.0; 20];
        values[0] = 9.0;
        values[1..5].fill(5.0);
        let mut marked = [false; 20];
        (marked[0], marked[4], marked[9]) = (true, true, true);
        assert_eq!(top_k_intersection(&ranked(&values), &marked), Ok(0.625));
    }

    #[test]
    fn maps_without_positive_attribution_have_no_share() {
        let map = ranked(&[-1.0, 0.0]);
        let mask = [true, false];
        for score in [attribution_localisation, soft_iou, mask_cosine] {
            assert_eq!(score(&map, &mask), Err(NotApplicable::ZeroRelevance));
        }
    }

    #[test]
    fn the_greatest_values_do_not_overflow() {
        let map = ranked(&[f32::MAX, f32::MAX, 0.0]);
        let mask = [true, false, false];
        assert!((mask_cosine(&map, &mask).unwrap() - 0.5f64.sqrt()).abs() < 1e-12);
        assert_eq!(soft_iou(&map, &mask), Ok(0.5));
    }
}
