//! Scores of a map that is cut into object and background by a stated rule.
//!
//! The rule is half of such a score: a map cut elsewhere scores otherwise. Both rules here know
//! the map alone, follow it when it is shifted or scaled, and never separate tied pixels.

use super::{Group, check_mask, groups};
use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMap, Score};

/// Where a map is cut: the pixels above the cut are its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// Where object and background differ most: Otsu 1979, over all cuts between distinct values
    /// instead of the borders of a histogram.
    Otsu,
    /// At the mean: pixels above the map's mean are its object.
    Mean,
}

/// Intersection over union of the mask and the map's object, in 0..=1 (Jaccard 1912).
///
/// # Errors
/// Mask reasons, and [`NotApplicable::ConstantAttribution`] for a map that nothing can cut.
pub fn iou(map: &RankedMap, mask: &[bool], threshold: Threshold) -> Score {
    let (taken, hits, marked) = cut(map, mask, threshold)?;
    finite(hits as f64 / (taken + marked - hits) as f64)
}

/// Twice the intersection of the mask and the map's object over the sum of their sizes, in 0..=1
/// (Dice 1945).
///
/// # Errors
/// As [`iou`].
pub fn dice(map: &RankedMap, mask: &[bool], threshold: Threshold) -> Score {
    let (taken, hits, marked) = cut(map, mask, threshold)?;
    finite(2.0 * hits as f64 / (taken + marked) as f64)
}

/// Pixels of the map's object, how many of them are marked, and marked pixels in all.
fn cut(
    map: &RankedMap,
    mask: &[bool],
    threshold: Threshold,
) -> Result<(usize, usize, usize), NotApplicable> {
    let marked = check_mask(map, mask)?;
    if map.is_constant() {
        return Err(NotApplicable::ConstantAttribution);
    }
    let count = match threshold {
        Threshold::Otsu => otsu(map),
        Threshold::Mean => {
            let sum: f64 = map.values().iter().map(|&value| f64::from(value)).sum();
            let mean = sum / map.len() as f64;
            let above = map
                .values()
                .iter()
                .filter(|&&value| f64::from(value) > mean);
            above.count()
        }
    };
    let (mut taken, mut hits) = (0, 0);
    for Group { size, marked } in groups(map, mask) {
        if taken + size > count {
            break;
        }
        taken += size;
        hits += marked;
    }
    Ok((taken, hits, marked))
}

/// The number of highest pixels for which the variance between them and the rest is greatest;
/// the fewest of several.
fn otsu(map: &RankedMap) -> usize {
    let pixel = |&pixel: &u32| f64::from(map.values()[pixel as usize]);
    // About its greatest value, so that sums stay exact where values are large and differ little.
    let top = map.order().first().map_or(0.0, pixel);
    let total: f64 = map
        .values()
        .iter()
        .map(|&value| f64::from(value) - top)
        .sum();
    let d = map.len() as f64;
    let (mut taken, mut sum) = (0usize, 0.0);
    let (mut best, mut best_variance) = (0, f64::NEG_INFINITY);
    for group in map.tie_groups() {
        taken += group.len();
        sum += group
            .iter()
            .map(pixel)
            .map(|value| value - top)
            .sum::<f64>();
        let (above, below) = (taken as f64, d - taken as f64);
        if below == 0.0 {
            break;
        }
        let gap = sum / above - (total - sum) / below;
        let variance = above * below * gap * gap;
        if variance > best_variance {
            (best, best_variance) = (taken, variance);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(values: &[f32]) -> RankedMap {
        RankedMap::new(values).unwrap()
    }

    #[test]
    fn otsu_by_hand() {
        // 0 0 1 5 6: after two, 2·3·(5.5 − 1/3)² = 160.2; after one 4·(6 − 1.5)² = 81; after
        // three 3·2·(4)² = 96.
        assert_eq!(otsu(&ranked(&[0.0, 6.0, 0.0, 5.0, 1.0])), 2);
        assert_eq!(otsu(&ranked(&[1e6, 1e6 + 1.0, 1e6 + 1.0])), 2);
        // Two groups can only be cut between them.
        assert_eq!(otsu(&ranked(&[-1.0, -1.0, -3.0])), 2);
    }

    #[test]
    fn overlaps_by_hand() {
        let map = ranked(&[0.0, 6.0, 0.0, 5.0, 1.0]);
        let mask = [true, true, false, false, false];
        // Object {1, 3}: one of three in the union; 2·1 / (2 + 2).
        assert!((iou(&map, &mask, Threshold::Otsu).unwrap() - 1.0 / 3.0).abs() < 1e-15);
        assert_eq!(dice(&map, &mask, Threshold::Otsu), Ok(0.5));
        // Mean 2.4 cuts there too; of 0 1 2 9 the mean 3 cuts behind the first.
        assert_eq!(dice(&map, &mask, Threshold::Mean), Ok(0.5));
        let steep = ranked(&[0.0, 1.0, 2.0, 9.0]);
        let last = [false, false, true, true];
        assert_eq!(iou(&steep, &last, Threshold::Mean), Ok(0.5));
    }

    #[test]
    fn a_constant_map_cannot_be_cut() {
        let flat = ranked(&[2.0; 4]);
        let mask = [true, false, false, false];
        for threshold in [Threshold::Otsu, Threshold::Mean] {
            let none = Err(NotApplicable::ConstantAttribution);
            assert_eq!(iou(&flat, &mask, threshold), none);
            assert_eq!(dice(&flat, &mask, threshold), none);
        }
    }
}
