//! Scores of how much a map depends on what the model learnt.

use super::{Direction, EXPLAINER, Family, ScoreInfo};

const fn randomisation(
    id: &'static str,
    name: &'static str,
    citation: &'static str,
    formula: &'static str,
    departs: &'static str,
) -> ScoreInfo {
    ScoreInfo {
        id,
        name,
        family: Family::Randomisation,
        direction: Direction::Lower,
        unit: "1",
        range: (-1.0, 1.0),
        version: 1,
        citation,
        formula,
        departs,
        needs: EXPLAINER,
        standard: false,
    }
}

pub(super) const SCORES: &[ScoreInfo] = &[
    randomisation(
        "mprt",
        "MPRT",
        "Adebayo et al. 2018",
        "mean over layers l of the rank correlation of |a| with |a| of the model that is random \
         from the output down to l",
        "ties by average ranks; each layer draws its own weights, in a common implementation all \
         begin with the same numbers; a constant map of a random model counts as 0",
    ),
    randomisation(
        "smooth_mprt",
        "Smooth MPRT",
        "Hedström et al. 2023",
        "MPRT of maps averaged over noisy copies of the image",
        "from the output down, as MPRT; the source goes from the input up",
    ),
    ScoreInfo {
        direction: Direction::Higher,
        range: (-1.0, f64::INFINITY),
        ..randomisation(
            "efficient_mprt",
            "Efficient MPRT",
            "Hedström et al. 2023",
            "(H(a*) − H(a)) / H(a), a* of the model that is random throughout, H the entropy of \
             the histogram",
            "bins of equal width from each map's least to greatest value, 100 unless a suite says \
             otherwise",
        )
    },
    randomisation(
        "random_logit",
        "Random logit",
        "Sixt et al. 2020",
        "structural similarity of the maps of the explained and of another class",
        "the other class is drawn per image from the model's own; window of 11 × 11, data range \
         after each map is over its greatest magnitude: 1, or 2 where there are signs; a common \
         implementation compares flattened maps",
    ),
    randomisation(
        "data_randomisation",
        "Data randomisation",
        "Adebayo et al. 2018",
        "rank correlation of |a| with |a| of a model trained alike on shuffled labels",
        "both maps explain the class that the first explains; the suite lists the other model: the \
         same one with train: {labels: shuffled}; no score where its map is constant",
    ),
];
