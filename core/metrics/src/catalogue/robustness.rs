//! Scores of how little a map changes when the input hardly does.

use super::{Direction, EXPLAINER, Family, NOT_NEGATIVE, PLAIN, ScoreInfo, UNBOUNDED};

const NOISE: &str = "one set of uniformly noisy neighbours per image serves every score and \
    explainer; those of another class are left out and counted; the explainer keeps its seed, so \
    that its own noise is not measured; no score for a constant map, commonly perfect";

const RELATIVE: &str = "log₁₀, as the ratio spans orders of magnitude; divisors at least 10⁻⁶ of \
    the greatest of their kind; noise to both sides, in a common implementation pixels are only \
    brightened and one draw of another class makes the image NaN; one set of neighbours serves \
    every score, those of another class are left out";

const fn noise(
    id: &'static str,
    name: &'static str,
    citation: &'static str,
    formula: &'static str,
    departs: &'static str,
) -> ScoreInfo {
    ScoreInfo {
        id,
        name,
        family: Family::Robustness,
        direction: Direction::Lower,
        unit: "1",
        range: NOT_NEGATIVE,
        version: 1,
        citation,
        formula,
        departs,
        needs: EXPLAINER,
        standard: false,
    }
}

pub(super) const SCORES: &[ScoreInfo] = &[
    noise(
        "max_sensitivity",
        "Max sensitivity",
        "Yeh et al. 2019",
        "max over x' within r of x of ‖a − a'‖₂ / ‖a‖₂",
        NOISE,
    ),
    noise(
        "avg_sensitivity",
        "Average sensitivity",
        "Yeh et al. 2019",
        "mean over x' within r of x of ‖a − a'‖₂ / ‖a‖₂",
        NOISE,
    ),
    noise(
        "local_lipschitz",
        "Local Lipschitz estimate",
        "Alvarez-Melis and Jaakkola 2018",
        "max over x' within r of x of ‖a − a'‖₂ / max|a| / ‖x − x'‖₂",
        "uniform neighbours, shared with the other scores of noise; a over its own greatest \
         magnitude, in a common implementation over that of the whole batch, so that an image's \
         score depends on the others; those of another class are left out; a table's columns in units of their \
         standard deviation",
    ),
    noise(
        "continuity",
        "Continuity",
        "Montavon et al. 2018",
        "max over horizontal shifts t of ‖a − T₋ₜ a(Tₜ x)‖₁ / max|a| / ‖x − Tₜ x‖₂",
        "shifts of a few pixels, commonly up to the whole width; the map of the shifted image is \
         moved back over the columns that both show, so that a map that moves with the object is \
         not punished; the edge column fills in; shifts that change the class are left out; images \
         only",
    ),
    ScoreInfo {
        range: UNBOUNDED,
        ..noise(
            "relative_input_stability",
            "Relative input stability",
            "Agarwal et al. 2022",
            "log₁₀ max over x' of ‖(a − a')/a‖₂ / max(‖(x − x')/x‖₂, 10⁻⁶)",
            RELATIVE,
        )
    },
    ScoreInfo {
        range: UNBOUNDED,
        ..noise(
            "relative_output_stability",
            "Relative output stability",
            "Agarwal et al. 2022",
            "log₁₀ max over x' of ‖(a − a')/a‖₂ / max(‖h − h'‖₂, 10⁻⁶), h the outputs",
            RELATIVE,
        )
    },
    ScoreInfo {
        range: UNBOUNDED,
        ..noise(
            "relative_representation_stability",
            "Relative representation stability",
            "Agarwal et al. 2022",
            "log₁₀ max over x' of ‖(a − a')/a‖₂ / max(‖(L − L')/L‖₂, 10⁻⁶), L the last layer \
             before the outputs",
            RELATIVE,
        )
    },
    ScoreInfo {
        direction: Direction::None,
        range: (0.0, 1.0),
        ..noise(
            "class_flips",
            "Class flips",
            "",
            "share of the noisy neighbours that the model gives another class",
            "",
        )
    },
    ScoreInfo {
        direction: Direction::Higher,
        range: (0.0, 1.0),
        needs: PLAIN,
        ..noise(
            "consistency",
            "Consistency",
            "Dasgupta et al. 2022",
            "of the other images with the same top cells and signs, the share of the same class",
            "maps are summed over a coarse grid first, since no two maps share their top pixels; \
             over all images of the run, commonly over a batch; no score where no other image has \
             the same, commonly 0; higher is better by definition, in a common implementation lower",
        )
    },
    ScoreInfo {
        direction: Direction::Higher,
        range: (0.0, 1.0),
        needs: PLAIN,
        ..noise(
            "explanation_sufficiency",
            "Sufficiency of the explanation",
            "Dasgupta et al. 2022",
            "of the other images whose coarse maps have a cosine of at least s, the share of the same \
             class",
            "cosine of maps summed over a coarse grid, in place of a distance of pixels, whose \
             threshold has no scale; over all images of the \
             run, commonly over a batch; no score where no other map is near, commonly 0",
        )
    },
];
