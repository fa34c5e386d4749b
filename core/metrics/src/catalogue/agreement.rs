//! Scores of two maps: do they say the same?

use super::{Direction, Family, PLAIN, ScoreInfo};

const SEGMENTS: &str = "over grid segments where maps are pictures (neighbouring pixels are \
    exchangeable: pixel by pixel it would be near 0); expected value over the order of ties";

const fn agreement(
    id: &'static str,
    name: &'static str,
    range: (f64, f64),
    citation: &'static str,
    formula: &'static str,
    departs: &'static str,
) -> ScoreInfo {
    ScoreInfo {
        id,
        name,
        family: Family::Agreement,
        direction: Direction::None,
        unit: "1",
        range,
        version: 1,
        citation,
        formula,
        departs,
        needs: PLAIN,
        standard: false,
    }
}

const SHARE: (f64, f64) = (0.0, 1.0);
const CORRELATION: (f64, f64) = (-1.0, 1.0);

pub(super) const SCORES: &[ScoreInfo] = &[
    ScoreInfo {
        standard: true,
        ..agreement(
            "spearman",
            "Rank correlation",
            CORRELATION,
            "Spearman 1904; Krishna et al. 2022",
            "Pearson of the average ranks of two maps",
            "ties by average ranks; by ordinal ranks shared zeros agree by pixel number",
        )
    },
    ScoreInfo {
        standard: true,
        ..agreement(
            "top_k_overlap",
            "Top-k overlap",
            SHARE,
            "Krishna et al. 2022",
            "|T_k(a) ∩ T_k(b)| / k, T_k the k highest |a|; chance k/d",
            "expected value over independent orders of the ties of both maps",
        )
    },
    agreement(
        "top_k_jaccard",
        "Top-k Jaccard",
        SHARE,
        "Jaccard 1912",
        "|T_k(a) ∩ T_k(b)| / |T_k(a) ∪ T_k(b)|, T_k the k highest |a|",
        "with ties the expected intersection over the expected union",
    ),
    agreement(
        "feature_agreement",
        "Feature agreement",
        SHARE,
        "Krishna et al. 2022",
        "|T_k(a) ∩ T_k(b)| / k over segments; chance k/d",
        SEGMENTS,
    ),
    agreement(
        "rank_agreement",
        "Rank agreement",
        SHARE,
        "Krishna et al. 2022",
        "share of the top k segments that stand at the same place in both maps",
        SEGMENTS,
    ),
    agreement(
        "sign_agreement",
        "Sign agreement",
        SHARE,
        "Krishna et al. 2022",
        "share of the top k segments that are common and have the same sign in both maps",
        "no score where a map has no negative value, since its signs say nothing; over grid \
            segments, ties by their expected value",
    ),
    agreement(
        "signed_rank_agreement",
        "Signed rank agreement",
        SHARE,
        "Krishna et al. 2022",
        "share of the top k segments that stand at the same place with the same sign",
        "no score where a map has no negative value; over grid segments, ties by their expected \
            value",
    ),
    agreement(
        "rank_correlation",
        "Rank correlation of importance",
        CORRELATION,
        "Krishna et al. 2022",
        "Spearman of the ranks of |a| over segments",
        "by average ranks of ties; over grid segments where maps are pictures",
    ),
    agreement(
        "pairwise_rank_agreement",
        "Pairwise rank agreement",
        SHARE,
        "Krishna et al. 2022; Knight 1966",
        "share of all pairs of segments in the same order of |a|: (1 + Kendall's τ_a) / 2",
        "a pair tied in either map counts one half; over grid segments where maps are pictures",
    ),
    agreement(
        "ssim",
        "Structural similarity",
        CORRELATION,
        "Wang et al. 2004; Adebayo et al. 2018",
        "mean of (2μμ' + C₁)(2σ + C₂) / ((μ² + μ'² + C₁)(s² + s'² + C₂)) over 11 × 11 Gaussian \
            windows of σ 1.5, K₁ 0.01, K₂ 0.03, each map over its greatest |a|",
        "signed maps raised to 0..2 with data range 2: unraised, a map and its negative count as \
            alike; often on flattened maps, where the window has no meaning",
    ),
    agreement(
        "cosine",
        "Cosine",
        CORRELATION,
        "",
        "a·b / (‖a‖‖b‖), signs and all",
        "",
    ),
    agreement(
        "js_divergence",
        "Jensen–Shannon divergence",
        SHARE,
        "Lin 1991",
        "H((p + q)/2) − (H(p) + H(q))/2 in bits, p = |a| / Σ|a|; 0 for equal maps",
        "",
    ),
    agreement(
        "earth_movers_distance",
        "Earth mover's distance",
        SHARE,
        "Rubner et al. 2000",
        "least Σ mass · distance that turns |a| / Σ|a| into the other, over the image's diagonal; 0 \
            for equal maps",
        "exact by minimum-cost flow (not an entropic approximation) between the middles of at most \
            8 × 8 cells",
    ),
];
