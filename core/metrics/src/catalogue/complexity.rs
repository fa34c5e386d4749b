//! Scores of how few pixels carry a map.

use super::{Direction, Family, PLAIN, ScoreInfo};

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
];
