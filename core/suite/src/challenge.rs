//! Settings of the scores that explain anew: other rows, or another model.

use schemars::JsonSchema;
use serde_json::{Value, json};
use xbench_metrics::{Family, ScoreInfo};

use crate::document::written;
use crate::read::At;

/// Settings of the scores of robustness.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a mapping like {draws: 10, radius: 0.1}"
)]
#[schemars(rename = "Robustness")]
pub(crate) struct RobustnessDoc {
    /// Noisy neighbours of each image; one set serves every score.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) draws: At<u32>,
    /// How far a neighbour's values may lie from the image's: of the range of a pixel, or of the
    /// standard deviation of a table's column.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub(crate) radius: At<f64>,
    /// Continuity: the widest shift to the left and to the right, in pixels.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) shifts: At<u32>,
    /// Consistency and sufficiency of the explanation: rows and columns of the grid that maps are
    /// summed over.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) grid: At<u32>,
    /// Consistency: how many of the highest cells must be the same.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) top_cells: At<u32>,
    /// Sufficiency of the explanation: the least cosine of maps that count as alike.
    #[schemars(range(min = -1.0, max = 1.0))]
    pub(crate) similarity: At<f64>,
}

impl Default for RobustnessDoc {
    fn default() -> Self {
        Self {
            draws: written(10),
            radius: written(0.1),
            shifts: written(3),
            grid: written(4),
            top_cells: written(2),
            similarity: written(0.8),
        }
    }
}

/// Settings of the scores of randomisation.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a mapping like {smooth_draws: 10, bins: 100}"
)]
#[schemars(rename = "Randomisation")]
pub(crate) struct RandomisationDoc {
    /// Smooth MPRT: noisy copies of each image whose maps are averaged.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) smooth_draws: At<u32>,
    /// Smooth MPRT: standard deviation of that noise, of the range of a pixel or of the standard
    /// deviation of a table's column.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub(crate) smooth_noise: At<f64>,
    /// Efficient MPRT: bins of the histogram.
    #[schemars(range(min = 2, max = 100_000))]
    pub(crate) bins: At<u32>,
}

impl Default for RandomisationDoc {
    fn default() -> Self {
        Self {
            smooth_draws: written(10),
            smooth_noise: written(0.1),
            bins: written(xbench_metrics::randomisation::DEFAULT_BINS as u32),
        }
    }
}

/// Settings of the scores of robustness.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Robustness {
    /// Noisy neighbours of each image, from 1.
    pub draws: usize,
    /// How far a neighbour's values may lie from the image's, above 0.
    pub radius: f64,
    /// The widest shift to either side, in pixels, from 1.
    pub shifts: usize,
    /// Rows and columns of the grid of consistency, from 1.
    pub grid: usize,
    /// Highest cells that must be the same, from 1.
    pub top_cells: usize,
    /// Least cosine of maps that count as alike, −1 to 1.
    pub similarity: f64,
}

/// Settings of the scores of randomisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Randomisation {
    /// Noisy copies whose maps are averaged, from 1.
    pub smooth_draws: usize,
    /// Standard deviation of their noise, above 0.
    pub smooth_noise: f64,
    /// Bins of the histogram, from 2.
    pub bins: usize,
}

impl Robustness {
    /// The settings that determine a score of robustness, as
    /// [`Perturbation::of_score`](crate::Perturbation::of_score); without fields for others.
    #[must_use]
    pub fn of_score(&self, score: &ScoreInfo, seed: u64) -> Value {
        match (score.family, score.id) {
            (Family::Robustness, "continuity") => json!({"shifts": self.shifts, "seed": seed}),
            (Family::Robustness, "consistency") => {
                json!({"grid": self.grid, "top_cells": self.top_cells})
            }
            (Family::Robustness, "explanation_sufficiency") => {
                json!({"grid": self.grid, "similarity": self.similarity})
            }
            (Family::Robustness, _) => {
                json!({"draws": self.draws, "radius": self.radius, "seed": seed})
            }
            _ => json!({}),
        }
    }
}

impl Randomisation {
    /// The settings that determine a score of randomisation, as
    /// [`Perturbation::of_score`](crate::Perturbation::of_score); without fields for others.
    #[must_use]
    pub fn of_score(&self, score: &ScoreInfo, seed: u64) -> Value {
        match (score.family, score.id) {
            (Family::Randomisation, "smooth_mprt") => json!({
                "smooth_draws": self.smooth_draws, "smooth_noise": self.smooth_noise, "seed": seed,
            }),
            (Family::Randomisation, "efficient_mprt") => json!({"bins": self.bins, "seed": seed}),
            (Family::Randomisation, _) => json!({"seed": seed}),
            _ => json!({}),
        }
    }
}
