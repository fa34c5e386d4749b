//! Scores of two maps: do they say the same?

use super::{Direction, Family, PLAIN, ScoreInfo};

pub(super) const SCORES: &[ScoreInfo] = &[
    ScoreInfo {
        id: "spearman",
        name: "Rank correlation",
        family: Family::Agreement,
        direction: Direction::None,
        unit: "1",
        range: (-1.0, 1.0),
        version: 1,
        citation: "Spearman 1904; Krishna et al. 2022",
        formula: "Pearson of the average ranks of two maps",
        departs: "ties by average ranks; by ordinal ranks shared zeros agree by pixel number",
        needs: PLAIN,
        standard: true,
    },
    ScoreInfo {
        id: "top_k_overlap",
        name: "Top-k overlap",
        family: Family::Agreement,
        direction: Direction::None,
        unit: "1",
        range: (0.0, 1.0),
        version: 1,
        citation: "Krishna et al. 2022",
        formula: "|T_k(a) ∩ T_k(b)| / k, T_k the k highest |a|; chance k/d",
        departs: "expected value over independent orders of the ties of both maps",
        needs: PLAIN,
        standard: true,
    },
];
