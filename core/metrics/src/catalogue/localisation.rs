//! Scores of a map against a mask.

use super::{Direction, Family, MASK, ScoreInfo};

const fn localisation(
    id: &'static str,
    name: &'static str,
    citation: &'static str,
    formula: &'static str,
    departs: &'static str,
) -> ScoreInfo {
    ScoreInfo {
        id,
        name,
        family: Family::Localisation,
        direction: Direction::Higher,
        unit: "1",
        range: (0.0, 1.0),
        version: 1,
        citation,
        formula,
        departs,
        needs: MASK,
        standard: true,
    }
}

pub(super) const SCORES: &[ScoreInfo] = &[
    localisation(
        "relevance_mass",
        "Relevance mass",
        "Arras et al. 2021; Wang et al. 2020",
        "Σ_M a⁺ / Σ a⁺",
        "positive part only: with signed attributions the ratio leaves 0..1 and explodes where \
         they cancel",
    ),
    localisation(
        "relevance_rank",
        "Relevance rank",
        "Arras et al. 2021",
        "|top-|M| of a ∩ M| / |M|",
        "expected value over the order of ties, commonly broken by pixel number",
    ),
    localisation(
        "pointing_game",
        "Pointing game",
        "Zhang et al. 2018",
        "share of the highest pixels that lie in M",
        "tied maxima share the point, commonly any one inside is a hit; no tolerance margin",
    ),
    localisation(
        "auroc",
        "AUROC",
        "Fawcett 2006",
        "P(a inside M > a outside M), ties one half",
        "",
    ),
    localisation(
        "auprc",
        "AUPRC",
        "Davis and Goadrich 2006",
        "mean over the pixels of M of the precision at their rank",
        "expected value over the order of ties, commonly a tie group is one threshold; steps, not \
         trapezoids",
    ),
    localisation(
        "iou_at_mask",
        "IoU at mask size",
        "Jaccard 1912",
        "|A ∩ M| / |A ∪ M|, A the |M| highest pixels",
        "expected value over the order of ties",
    ),
    localisation(
        "best_iou",
        "Best IoU",
        "Jaccard 1912",
        "max over t of |{a ≥ t} ∩ M| / |{a ≥ t} ∪ M|",
        "thresholds between distinct values only; optimistic, since the threshold is chosen with \
         the mask",
    ),
];
