//! Scores of a map against a mask.

use super::{Direction, EXPLAINER, Family, MASK, NOT_NEGATIVE, PLAIN, ScoreInfo};

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
         they cancel; also called energy-based pointing game and (unweighted) attribution \
         localisation",
    ),
    localisation(
        "relevance_rank",
        "Relevance rank",
        "Arras et al. 2021",
        "|top-|M| of a ∩ M| / |M|",
        "expected value over the order of ties, commonly broken by pixel number; also the Dice \
         coefficient at the mask's size",
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
    ScoreInfo {
        standard: false,
        ..localisation(
            "iou_otsu",
            "IoU, Otsu's threshold",
            "Jaccard 1912; Otsu 1979",
            "|A ∩ M| / |A ∪ M|, A the pixels above the cut with the greatest variance between the two \
                sides",
            "over all cuts between distinct values; over a histogram's bins the cut depends on them",
        )
    },
    ScoreInfo {
        standard: false,
        ..localisation(
            "dice_otsu",
            "Dice, Otsu's threshold",
            "Dice 1945; Otsu 1979",
            "2·|A ∩ M| / (|A| + |M|), A as in iou_otsu",
            "at the mask's size instead of a threshold, Dice is relevance_rank",
        )
    },
    ScoreInfo {
        standard: false,
        ..localisation(
            "iou_mean",
            "IoU, mean threshold",
            "Jaccard 1912",
            "|A ∩ M| / |A ∪ M|, A the pixels above the map's mean",
            "",
        )
    },
    ScoreInfo {
        standard: false,
        ..localisation(
            "dice_mean",
            "Dice, mean threshold",
            "Dice 1945",
            "2·|A ∩ M| / (|A| + |M|), A the pixels above the map's mean",
            "",
        )
    },
    ScoreInfo {
        standard: false,
        ..localisation(
            "soft_iou",
            "Soft IoU",
            "Ruzicka 1958",
            "Σ min(a', M) / Σ max(a', M), a' the positive attribution over its greatest",
            "",
        )
    },
    ScoreInfo {
        standard: false,
        ..localisation(
            "mask_cosine",
            "Cosine with the mask",
            "",
            "a⁺·M / (‖a⁺‖‖M‖)",
            "",
        )
    },
    ScoreInfo {
        standard: false,
        range: NOT_NEGATIVE,
        ..localisation(
            "attribution_localisation",
            "Attribution localisation",
            "Kohlbrenner et al. 2020",
            "(Σ_M a⁺ / Σ a⁺) · d / |M|; chance 1",
            "the weighted ratio μ_w; unweighted it is relevance_mass. One image at a time: a \
                reference implementation takes the size of other images into it",
        )
    },
    ScoreInfo {
        standard: false,
        ..localisation(
            "top_k_intersection",
            "Top-k intersection",
            "Theiner et al. 2021",
            "|T_k ∩ M| / k, T_k the tenth of the pixels with the highest a",
            "k as a share of the pixels (1000 of them elsewhere, which is more than a small image \
                has); expected value over the order of ties",
        )
    },
    ScoreInfo {
        standard: false,
        needs: PLAIN,
        ..localisation(
            "shortcut_detection",
            "Shortcut detection",
            "Arras et al. 2021",
            "Σ_C a⁺ / Σ a⁺, C the pixels of the planted cause; chance |C|/d",
            "only for sets with a planted cause, and of a model that uses it",
        )
    },
    ScoreInfo {
        standard: false,
        needs: PLAIN,
        ..localisation(
            "shortcut_auroc",
            "Shortcut AUROC",
            "Arras et al. 2021; Fawcett 2006",
            "P(a on the planted cause > a elsewhere), ties one half",
            "only for sets with a planted cause, and of a model that uses it",
        )
    },
    ScoreInfo {
        standard: false,
        needs: PLAIN,
        direction: Direction::Lower,
        ..localisation(
            "distractor_attribution",
            "Distractor attribution",
            "Arras et al. 2021",
            "Σ_D a⁺ / Σ a⁺, D the pixels of shapes that say nothing about the class; chance |D|/d",
            "only for sets with known distractors; of a model that is right in spite of them",
        )
    },
    ScoreInfo {
        standard: false,
        needs: EXPLAINER,
        ..localisation(
            "focus",
            "Focus",
            "Arias-Duart et al. 2022",
            "Σ_T a⁺ / Σ a⁺ over a mosaic of 2 × 2 images, T the two tiles of the explained class; chance .5",
            "tiles are images shrunk to half their height and width by averaging areas, so that the \
             mosaic has the model's one input size; in the paper they keep their size and the mosaic \
             is four times as large. Many networks do not know their classes at half the size, and no \
             explanation could tell them apart then: an image has a score only where it is of the \
             explained class and the model, shown four copies of it as tiles, says so. The other three \
             are recognised likewise; they are drawn from the run's images, the same for all \
             explainers. A mask of a mosaic marks the objects of T",
        )
    },
];
