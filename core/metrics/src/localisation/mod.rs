//! Does the map lie where the mask says the object is?
//!
//! A mask here is a hypothesis about what the model uses: on pictures with an empty background
//! the picture itself scores 1, so these scores are read beside their chance level
//! ([`chance_level`]) and the control maps.
//!
//! Scores on ranks give their expected value over all orders of tied pixels, in closed form.
//! An empty mask and a full mask have no score: with a full mask every map would score alike.

mod focus;
mod known_cause;
mod mosaic;
mod share;
mod threshold;

use crate::not_applicable::finite;
use crate::{NotApplicable, RankedMap, Score};

pub use focus::{FOCUS, FOCUS_CHANCE, focus};
pub use known_cause::{KnownRegion, known_region, known_region_score};
pub use mosaic::{
    Mosaic, MosaicImages, Tile, at_tile_size, tiles, write_mosaic, write_mosaic_mask,
};
pub use share::{TOP_K_SHARE, attribution_localisation, mask_cosine, soft_iou, top_k_intersection};
pub use threshold::{Threshold, dice, iou};

/// Share of the positive attribution that lies inside the mask: `Σ_M a⁺ / Σ a⁺`, in 0..=1.
///
/// Relevance mass accuracy of Arras et al. 2021 with the positive part of Wang et al. 2020
/// (energy-based pointing game), which keeps signed maps inside 0..=1.
///
/// # Errors
/// Mask reasons, and [`NotApplicable::ZeroRelevance`] if no attribution is positive.
pub fn relevance_mass(map: &RankedMap, mask: &[bool]) -> Score {
    check_mask(map, mask)?;
    let (mut inside, mut total) = (0.0, 0.0);
    for (&value, &marked) in map.values().iter().zip(mask) {
        let positive = f64::from(value.max(0.0));
        total += positive;
        inside += if marked { positive } else { 0.0 };
    }
    if total == 0.0 {
        return Err(NotApplicable::ZeroRelevance);
    }
    finite(inside / total)
}

/// Share of the |M| highest pixels that lie inside the mask M, in 0..=1.
///
/// Relevance rank accuracy of Arras et al. 2021; as both sets have |M| pixels, it is their Dice
/// coefficient too. Of a tie group cut by the |M|-th place, the
/// places left count the mask's share of the group: the expected value over its orders.
///
/// # Errors
/// Mask reasons.
pub fn relevance_rank(map: &RankedMap, mask: &[bool]) -> Score {
    let size = check_mask(map, mask)?;
    let cut = Cut::new(map, mask, size);
    finite(cut.expected_overlap() / size as f64)
}

/// Probability that a highest pixel, drawn at random among tied ones, lies inside the mask.
///
/// Pointing game of Zhang et al. 2018 for one image, without its tolerance of 15 pixels.
///
/// # Errors
/// Mask reasons.
pub fn pointing_game(map: &RankedMap, mask: &[bool]) -> Score {
    check_mask(map, mask)?;
    let highest = groups(map, mask).next().ok_or(NotApplicable::Empty)?;
    finite(highest.marked as f64 / highest.size as f64)
}

/// Probability that a pixel inside the mask has a higher attribution than one outside, ties
/// counting one half: the area under the ROC curve, in 0..=1.
///
/// # Errors
/// Mask reasons.
pub fn auroc(map: &RankedMap, mask: &[bool]) -> Score {
    let inside = check_mask(map, mask)?;
    let outside = mask.len() - inside;
    let mut below = outside as f64;
    let mut wins = 0.0;
    for group in groups(map, mask) {
        let unmarked = (group.size - group.marked) as f64;
        below -= unmarked;
        wins += group.marked as f64 * (below + unmarked / 2.0);
    }
    finite(wins / (inside as f64 * outside as f64))
}

/// Average precision of the pixels, by falling attribution, as a search for the mask: the area
/// under the precision–recall curve by steps, in 0..=1.
///
/// Ties: the expected value over all orders within each group. With N pixels and P hits before
/// a group of n pixels with m hits, its j-th place is a hit with probability m/n, and then
/// `P + 1 + (j−1)(m−1)/(n−1)` hits are expected among the first N+j. Taking a tie group as one
/// threshold instead gives groups at the front too little and a constant map exactly |M|/d,
/// which is less than a random order gets.
///
/// # Errors
/// Mask reasons.
pub fn auprc(map: &RankedMap, mask: &[bool]) -> Score {
    let inside = check_mask(map, mask)?;
    finite(average_precision(groups(map, mask), inside))
}

/// Intersection over union of the mask M and the |M| highest pixels, in 0..=1.
///
/// Ties: the expected value over the orders of the tie group cut by the |M|-th place, whose
/// part of the intersection is hypergeometric (the ratio is not linear in it).
///
/// # Errors
/// Mask reasons.
pub fn iou_at_mask(map: &RankedMap, mask: &[bool]) -> Score {
    let size = check_mask(map, mask)?;
    finite(Cut::new(map, mask, size).expected_iou(size))
}

/// The highest intersection over union of the mask with `{a ≥ t}` over all thresholds t, in
/// |M|/d..=1.
///
/// Thresholds fall between distinct values only, so tied pixels are never separated; a constant
/// map scores |M|/d.
///
/// # Errors
/// Mask reasons.
pub fn best_iou(map: &RankedMap, mask: &[bool]) -> Score {
    let inside = check_mask(map, mask)?;
    let (mut taken, mut hits, mut best) = (0, 0, 0.0f64);
    for group in groups(map, mask) {
        taken += group.size;
        hits += group.marked;
        best = best.max(hits as f64 / (taken + inside - hits) as f64);
    }
    finite(best)
}

/// The localisation score with catalogue id `id`; `None` for an id of another family.
#[must_use]
pub fn score(id: &str, map: &RankedMap, mask: &[bool]) -> Option<Score> {
    Some(match id {
        "relevance_mass" => relevance_mass(map, mask),
        "relevance_rank" => relevance_rank(map, mask),
        "pointing_game" => pointing_game(map, mask),
        "auroc" => auroc(map, mask),
        "auprc" => auprc(map, mask),
        "iou_at_mask" => iou_at_mask(map, mask),
        "best_iou" => best_iou(map, mask),
        "iou_otsu" => iou(map, mask, Threshold::Otsu),
        "dice_otsu" => dice(map, mask, Threshold::Otsu),
        "iou_mean" => iou(map, mask, Threshold::Mean),
        "dice_mean" => dice(map, mask, Threshold::Mean),
        "soft_iou" => soft_iou(map, mask),
        "mask_cosine" => mask_cosine(map, mask),
        "attribution_localisation" => attribution_localisation(map, mask),
        "top_k_intersection" => top_k_intersection(map, mask),
        _ => return None,
    })
}

/// The expected score of a map of independent random values, for a localisation score.
///
/// `None` for ids of other families, for masks without a score, and where there is no closed form
/// whatever the values' distribution: for `best_iou` (it lies above |M|/d, which a constant map
/// gets), the cuts by a rule, `soft_iou` and `mask_cosine`.
#[must_use]
pub fn chance_level(id: &str, mask: &[bool]) -> Option<f64> {
    let size = mask.len();
    let marked = mask.iter().filter(|&&marked| marked).count();
    if marked == 0 || marked == size {
        return None;
    }
    let all = Group { size, marked };
    match id {
        "relevance_mass" | "relevance_rank" | "pointing_game" | "top_k_intersection" => {
            Some(marked as f64 / size as f64)
        }
        "attribution_localisation" => Some(1.0),
        "auroc" => Some(0.5),
        "auprc" => Some(average_precision(std::iter::once(all), marked)),
        "iou_at_mask" => {
            let cut = Cut {
                hits: 0,
                group: all,
                places: marked,
            };
            Some(cut.expected_iou(marked))
        }
        _ => None,
    }
}

/// The number of marked pixels, if the mask can be scored.
fn check_mask(map: &RankedMap, mask: &[bool]) -> Result<usize, NotApplicable> {
    if map.len() != mask.len() {
        return Err(NotApplicable::LengthMismatch);
    }
    let marked = mask.iter().filter(|&&marked| marked).count();
    if marked == 0 {
        Err(NotApplicable::EmptyMask)
    } else if marked == mask.len() {
        Err(NotApplicable::FullMask)
    } else {
        Ok(marked)
    }
}

/// A tie group: its pixels, and how many of them the mask marks.
#[derive(Debug, Clone, Copy)]
struct Group {
    size: usize,
    marked: usize,
}

fn groups(map: &RankedMap, mask: &[bool]) -> impl Iterator<Item = Group> {
    map.tie_groups().map(|pixels| Group {
        size: pixels.len(),
        marked: pixels
            .iter()
            .map(|&pixel| usize::from(mask[pixel as usize]))
            .sum(),
    })
}

fn average_precision(groups: impl Iterator<Item = Group>, marked: usize) -> f64 {
    let (mut taken, mut hits, mut sum) = (0usize, 0usize, 0.0);
    for Group { size, marked } in groups {
        if marked > 0 {
            let share = marked as f64 / size as f64;
            let further = if size > 1 {
                (marked - 1) as f64 / (size - 1) as f64
            } else {
                0.0
            };
            for before in 0..size {
                let expected_hits = hits as f64 + 1.0 + before as f64 * further;
                sum += share * expected_hits / (taken + before + 1) as f64;
            }
        }
        taken += size;
        hits += marked;
    }
    sum / marked as f64
}

/// What taking the k highest pixels means: hits that are certain, and a tie group of which only
/// some places are left.
#[derive(Debug, Clone, Copy)]
struct Cut {
    hits: usize,
    group: Group,
    places: usize,
}

impl Cut {
    fn new(map: &RankedMap, mask: &[bool], count: usize) -> Self {
        let (mut taken, mut hits) = (0, 0);
        for group in groups(map, mask) {
            if taken + group.size >= count {
                return Self {
                    hits,
                    group,
                    places: count - taken,
                };
            }
            taken += group.size;
            hits += group.marked;
        }
        // Fewer pixels than places: all are taken.
        Self {
            hits,
            group: Group { size: 1, marked: 0 },
            places: 0,
        }
    }

    fn expected_overlap(self) -> f64 {
        let share = self.group.marked as f64 / self.group.size as f64;
        self.hits as f64 + self.places as f64 * share
    }

    /// Mean of `o / (2·count − o)` over the hypergeometric overlap o.
    fn expected_iou(self, count: usize) -> f64 {
        let iou = |overlap: usize| overlap as f64 / (2 * count - overlap) as f64;
        let Group { size, marked } = self.group;
        let lowest = (self.places + marked).saturating_sub(size);
        let highest = self.places.min(marked);
        // Weights relative to the most likely overlap: neither overflow nor underflow matters.
        let mode = ((self.places + 1) * (marked + 1) / (size + 2)).clamp(lowest, highest);
        // P(h+1) / P(h)
        let ratio = |hits: usize| {
            (marked - hits) as f64 * (self.places - hits) as f64
                / ((hits + 1) as f64 * (size + hits + 1 - marked - self.places) as f64)
        };
        let (mut weights, mut sum) = (1.0, iou(self.hits + mode));
        let mut weight = 1.0;
        for hits in mode..highest {
            weight *= ratio(hits);
            weights += weight;
            sum += weight * iou(self.hits + hits + 1);
        }
        weight = 1.0;
        for hits in (lowest..mode).rev() {
            weight /= ratio(hits);
            weights += weight;
            sum += weight * iou(self.hits + hits);
        }
        sum / weights
    }
}
