//! Scores of what a map must fulfil by definition.

use super::{Direction, EXPLAINER, Family, MODEL, NOT_NEGATIVE, ScoreInfo};

const fn axiom(
    (id, name): (&'static str, &'static str),
    range: (f64, f64),
    citation: &'static str,
    formula: &'static str,
    departs: &'static str,
) -> ScoreInfo {
    ScoreInfo {
        id,
        name,
        family: Family::Axiomatic,
        direction: Direction::Lower,
        unit: "1",
        range,
        version: 1,
        citation,
        formula,
        departs,
        needs: MODEL,
        standard: false,
    }
}

pub(super) const SCORES: &[ScoreInfo] = &[
    axiom(
        ("completeness", "Completeness residual"),
        NOT_NEGATIVE,
        "Sundararajan et al. 2017",
        "|Σ a − (f(x) − f(b))| / |f(x) − f(b)|, f the model's own output",
        "a residual, commonly a test for equality of floating-point numbers, which none passes; \
         methods that promise it promise it for their own baseline",
    ),
    axiom(
        ("non_sensitivity", "Non-sensitivity"),
        (0.0, 1.0),
        "Nguyen and Martínez 2020",
        "share of patches with a = 0 though f reacts to their removal, or a ≠ 0 though it does not",
        "a share of patches (columns of a table), in the paper a number of features; a counts as 0 \
         up to 1e-5 of the greatest, commonly up to 1e-5",
    ),
    ScoreInfo {
        needs: EXPLAINER,
        ..axiom(
            ("input_invariance", "Input invariance"),
            NOT_NEGATIVE,
            "Kindermans et al. 2017",
            "‖a(f, x) − a(f₂, x + c)‖₂ / ‖a(f, x)‖₂, f₂(x′) = f(x′ − c)",
            "a distance, up to rounding of x + c; a common implementation answers whether all \
             values are close. f₂ is exact up to the border, and takes c away before the first \
             layer: a rule that runs within the model, as that of LRP, meets f alone and scores 0. \
             A common implementation puts c into the bias of the first layer, which zero padding \
             does not see. Images only, since columns of a table have units of their own; a map \
             that ignores model and input scores 0 as well",
        )
    },
];
