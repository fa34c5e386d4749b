//! Scores of how few pixels carry a map.

use super::{Direction, Family, NOT_NEGATIVE, PLAIN, ScoreInfo};

pub(super) const SCORES: &[ScoreInfo] = &[
    ScoreInfo {
        id: "gini",
        name: "Sparseness (Gini)",
        family: Family::Complexity,
        direction: Direction::None,
        unit: "1",
        range: (0.0, 1.0),
        version: 1,
        citation: "Chalasani et al. 2020",
        formula: "Σ_i (2i − d − 1)·|a|_(i) / (d·Σ|a|)",
        departs: "no constant added to |a|; a map of zeros has no score; describes and does not \
            rank, as a map of one arbitrary pixel would win",
        needs: PLAIN,
        standard: true,
    },
    ScoreInfo {
        id: "entropy",
        name: "Entropy",
        family: Family::Complexity,
        direction: Direction::None,
        unit: "1",
        range: (0.0, 1.0),
        version: 1,
        citation: "Bhatt et al. 2020",
        formula: "−Σ p ln p / ln d, p = |a| / Σ|a|",
        departs: "divided by ln d, so that image sizes compare; describes and does not rank",
        needs: PLAIN,
        standard: true,
    },
    ScoreInfo {
        id: "effective_complexity",
        name: "Effective complexity",
        family: Family::Complexity,
        direction: Direction::None,
        unit: "1",
        range: (0.0, 1.0),
        version: 1,
        citation: "Nguyen and Martínez 2020",
        formula: "|{i : |a_i| > 0.01·max|a|}| / d",
        departs: "relative to the map's own greatest value and a share of all pixels; an absolute \
            threshold counts a map's scale; describes and does not rank",
        needs: PLAIN,
        standard: false,
    },
    ScoreInfo {
        id: "mst_compactness",
        name: "Compactness (MST-C)",
        family: Family::Complexity,
        direction: Direction::None,
        unit: "1",
        range: NOT_NEGATIVE,
        version: 1,
        citation: "Mesgari et al. 2026",
        formula: "100·diagonal/√(hull area) · n/(length of the minimum spanning tree) of the fifth \
            of the pixels with the greatest |a|",
        departs: "tree over all points, not over nearest neighbours, where it may be in pieces; \
            pixels of zero attribution never count; no score without area; describes and does \
            not rank",
        needs: PLAIN,
        standard: false,
    },
];
