//! Do two maps of the same image say the same?
//!
//! Agreement is not correctness, but disagreement between explainers of one model is news
//! (Krishna et al. 2022). What a map contributes is prepared once ([`PreparedMap`]), so that each
//! of the many pairs costs one pass ([`Measure::compare`]).
//!
//! Neighbouring pixels are exchangeable: no one asks which of two is ahead by a hair. So the six
//! measures of Krishna et al., made for a handful of named features, are taken over the segments
//! of a grid ([`grid_sums`]); a table's columns are compared as they are.

mod pairs;
mod places;
mod prepared;
mod ranks;
mod segments;
mod top_k;

pub use pairs::{ImportanceOrder, pairwise_rank_agreement};
pub use places::{
    Places, feature_agreement, rank_agreement, sign_agreement, signed_rank_agreement,
};
pub use prepared::{AgreementSettings, Measure, PreparedMap};
pub use ranks::{CentredRanks, spearman};
pub use segments::grid_sums;
pub use top_k::{TopK, top_k_jaccard, top_k_overlap};

/// Dot product in eight running sums, which the compiler turns into vector instructions.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a_lanes
        .remainder()
        .iter()
        .zip(b_lanes.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}
