//! Scores against what is known to matter, or known not to: a planted cause, and distractors.
//!
//! An object mask is a guess at what a model uses. Where a shortcut was planted that gives the
//! class away, and a model was trained on it, the cause is known; where shapes that say nothing
//! about the class were laid beside the object, what is not a cause is known too.

use super::{auroc, relevance_mass};
use crate::{RankedMap, Score};

/// What is known about the pixels of a generated image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownRegion {
    /// The planted cause.
    Cause,
    /// Shapes that say nothing about the class.
    Distractors,
}

/// The region that the score with this catalogue id is about; `None` for all other scores.
#[must_use]
pub fn known_region(id: &str) -> Option<KnownRegion> {
    match id {
        "shortcut_detection" | "shortcut_auroc" => Some(KnownRegion::Cause),
        "distractor_attribution" => Some(KnownRegion::Distractors),
        _ => None,
    }
}

/// The score with catalogue id `id` of a map against its known region; `None` for all other scores.
///
/// `shortcut_detection` and `distractor_attribution` are the region's [`relevance_mass`], to be held
/// against its share of the image, and `shortcut_auroc` is the [`auroc`] of its pixels (Arras et al.
/// 2021, whose ground truth is known in the same way).
#[must_use]
pub fn known_region_score(id: &str, map: &RankedMap, region: &[bool]) -> Option<Score> {
    match id {
        "shortcut_detection" | "distractor_attribution" => Some(relevance_mass(map, region)),
        "shortcut_auroc" => Some(auroc(map, region)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NotApplicable, catalogue};

    #[test]
    fn by_hand() {
        let map = RankedMap::new(&[3.0, -1.0, 1.0, 0.0]).unwrap();
        let cause = [true, true, false, false];
        let score = |id| known_region_score(id, &map, &cause).unwrap();
        assert_eq!(score("shortcut_detection"), Ok(0.75));
        assert_eq!(score("distractor_attribution"), Ok(0.75));
        // 3 above 1 and 0, −1 below both.
        assert_eq!(score("shortcut_auroc"), Ok(0.5));
        let none = known_region_score("shortcut_auroc", &map, &[false; 4]).unwrap();
        assert_eq!(none, Err(NotApplicable::EmptyMask));
    }

    #[test]
    fn a_score_is_about_the_mask_or_a_known_region() {
        let map = RankedMap::new(&[1.0, 2.0]).unwrap();
        for info in catalogue() {
            let here = known_region(info.id).is_some();
            let scored = known_region_score(info.id, &map, &[true, false]).is_some();
            assert_eq!(here, scored, "{}", info.id);
            assert!(!(here && info.needs.mask), "{}", info.id);
        }
    }
}
