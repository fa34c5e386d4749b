//! What an explanation costs.

use super::{Direction, Family, NOT_NEGATIVE, PLAIN, ScoreInfo};

const fn cost(
    id: &'static str,
    name: &'static str,
    unit: &'static str,
    formula: &'static str,
) -> ScoreInfo {
    ScoreInfo {
        id,
        name,
        family: Family::Cost,
        direction: Direction::Lower,
        unit,
        range: NOT_NEGATIVE,
        version: 1,
        citation: "",
        formula,
        departs: "",
        needs: PLAIN,
        standard: true,
    }
}

pub(super) const SCORES: &[ScoreInfo] = &[
    cost(
        "forward_rows",
        "Forward rows",
        "rows",
        "rows the explainer sent forward through the model, per image",
    ),
    cost(
        "backward_rows",
        "Backward rows",
        "rows",
        "rows the explainer sent backward through the model, per image",
    ),
    cost(
        "ms_per_image",
        "Time",
        "ms",
        "wall time of the explainer per image",
    ),
    cost(
        "peak_memory",
        "Peak memory",
        "bytes",
        "greatest memory of the worker process",
    ),
];
