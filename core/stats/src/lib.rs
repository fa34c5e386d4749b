//! Bootstrap intervals, paired tests, ranks and analysis of variance. Pure functions.
//!
//! The unit of resampling is the image: explainers are scored on the same images, so that
//! resamples, tests and ranks are paired by image. Nothing here reads a clock or a global
//! random state; the same arguments give the same bits.

mod anova;
mod bootstrap;
mod paired;
mod quantile;
mod rank;

pub use anova::{Anova, one_way_anova};
pub use bootstrap::{
    DEFAULT_DRAWS, Interval, Resamples, mean_interval, mean_interval_masked, mean_intervals,
    mean_intervals_masked, statistic_interval,
};
pub use paired::{SignedRank, holm, wilcoxon_signed_rank};
pub use quantile::{MedianInterval, median, median_interval, quantile};
pub use rank::{Better, MetricScores, RankRow, average_ranks, per_image_mean_ranks, rank_groups};
