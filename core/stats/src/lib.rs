//! Bootstrap intervals, paired tests, effect sizes, ranks, agreement and power. Pure functions.
//!
//! The unit of resampling is the image: explainers are scored on the same images, so that
//! resamples, tests and ranks are paired by image. Nothing here reads a clock or a global
//! random state; the same arguments give the same bits.

mod anova;
mod bootstrap;
mod concordance;
mod distributions;
mod effect;
mod friedman;
mod order;
mod paired;
mod pairs;
mod permutation;
mod power;
mod quantile;
mod random;
mod rank;
mod reliability;
mod weights;

pub use anova::{Anova, one_way_anova};
pub use bootstrap::{
    DEFAULT_DRAWS, Interval, Resamples, mean_interval, mean_interval_masked, mean_intervals,
    mean_intervals_masked, statistic_interval,
};
pub use concordance::{Concordance, kendall_w};
pub use effect::{Effect, cliffs_delta, cohen_dz, rank_biserial, superiority};
pub use friedman::{Friedman, friedman, nemenyi_critical_difference, nemenyi_p};
pub use order::{OrderTests, PlaceUncertainty, order_tests, place_uncertainty};
pub use paired::{SignedRank, holm, wilcoxon_signed_rank};
pub use pairs::{PairedComparison, compare_pairs};
pub use permutation::{DEFAULT_FLIPS, SignFlips, paired_permutation};
pub use power::{
    WILCOXON_EFFICIENCY_LEAST, WILCOXON_EFFICIENCY_NORMAL, detectable_difference, images_needed,
    paired_t_power,
};
pub use quantile::{MedianInterval, median, median_interval, quantile};
pub use rank::{Better, MetricScores, RankRow, average_ranks, per_image_mean_ranks, rank_groups};
pub use reliability::{Icc, icc, krippendorff_alpha};
