//! Scores that need the explainer again: on rows near the images, or with a changed model.
//!
//! [`challenge`] asks a [`Subject`] (model and explainer together) in blocks of a fixed number of
//! rows over all images of a chunk. The noisy neighbours of an image are drawn and explained once
//! and serve every score of noise; the model randomised down to a layer serves every score of
//! randomisation. An explainer that draws keeps each image's own seed on its neighbours and on
//! randomised models, so that a score never measures the explainer's own noise.

mod blocks;
mod focus;
mod invariance;
mod randomisation;
mod robustness;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;

pub(crate) use self::table::{CellCurves, curve_table};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xbench_metrics::localisation::FOCUS;
use xbench_metrics::{NotApplicable, Score};

use crate::evaluate::{Column, Images};

/// Rows of one request: large enough for the kernels, small enough for the caches. Fixed, so that
/// a score does not depend on the machine.
const BLOCK_ROWS: usize = 128;

/// How these scores are computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChallengeSettings {
    /// Of the suite.
    pub(crate) seed: u64,
    /// Noisy neighbours per image.
    pub(crate) draws: usize,
    /// How far they may lie.
    pub(crate) radius: f64,
    /// The widest shift to either side.
    pub(crate) shifts: usize,
    /// Noisy copies of smooth MPRT.
    pub(crate) smooth_draws: usize,
    /// Standard deviation of their noise.
    pub(crate) smooth_noise: f64,
    /// Bins of efficient MPRT.
    pub(crate) bins: usize,
    /// What 1 means for each value of a row, as noise goes; empty for images, where it is 1.
    pub(crate) units: Vec<f32>,
    /// Are the rows those of a table? Then they cannot be shifted.
    pub(crate) table: bool,
    /// What input invariance adds to every value.
    pub(crate) input_shift: f32,
}

impl ChallengeSettings {
    /// How many times over the chunk is explained, at most, for these scores on a model with so
    /// many layers with parameters.
    pub(crate) fn passes(&self, wanted: &[String], layers: usize) -> usize {
        let wants = |id: &str| wanted.iter().any(|wanted| wanted == id);
        let noise = xbench_metrics::robustness::NOISE_SCORES;
        let mut passes = 0;
        passes += usize::from(noise.iter().any(|id| wants(id))) * self.draws;
        passes += usize::from(wants("continuity")) * 2 * self.shifts;
        passes += usize::from(wants("mprt")) * layers;
        passes += usize::from(wants("smooth_mprt")) * (layers + 1) * self.smooth_draws;
        let once = [
            "efficient_mprt",
            "random_logit",
            "data_randomisation",
            "input_invariance",
            FOCUS,
        ];
        for id in once {
            passes += usize::from(wants(id));
        }
        passes.max(1)
    }
}

/// Rows to be explained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// `[n, input...]`.
    pub(crate) x: &'a [f32],
    /// The explained outputs.
    pub(crate) targets: &'a [i64],
    /// Seeds of the explainer's draws.
    pub(crate) seeds: &'a [u64],
    /// `[n, h, w]`, or empty where the set has no masks.
    pub(crate) masks: &'a [u8],
}

impl Rows<'_> {
    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }
}

/// A model with an explainer of it.
pub(crate) trait Subject {
    /// Why a call failed.
    type Error;
    /// The number of outputs of a row.
    fn num_outputs(&self) -> usize;
    /// Outputs `[n, outputs]` of `n` rows.
    fn predict(&mut self, x: &[f32], n: usize) -> Result<Vec<f32>, Self::Error>;
    /// Values `[n, layer...]` of the last layer before the outputs, if the model tells them.
    fn representation(&mut self, x: &[f32], n: usize) -> Result<Option<Vec<f32>>, Self::Error>;
    /// Fills `maps`, shaped as the rows; answers which rows have a map of finite numbers. Whether
    /// a row has must not depend on the others.
    fn explain(&mut self, rows: &Rows<'_>, maps: &mut [f32]) -> Result<Vec<bool>, Self::Error>;
    /// Is there a model like it that was trained on shuffled labels?
    fn has_twin(&self) -> bool;
    /// As [`Subject::explain`], of that model.
    fn explain_twin(&mut self, rows: &Rows<'_>, maps: &mut [f32])
    -> Result<Vec<bool>, Self::Error>;
    /// As [`Subject::explain`], of the model that takes `shift` from every value before it
    /// computes; `rows` are as that model sees them.
    fn explain_shifted(
        &mut self,
        rows: &Rows<'_>,
        shift: f32,
        maps: &mut [f32],
    ) -> Result<Vec<bool>, Self::Error>;
    /// Names of the layers that can be randomised, in forward order.
    fn parameter_layers(&self) -> Vec<String>;
    /// Draws new parameters for all layers from `layer` to the output.
    fn randomise(&mut self, layer: &str, seed: u64) -> Result<(), Self::Error>;
    /// Back to what it was before the first [`Subject::randomise`]; an error if it is not.
    fn restore(&mut self) -> Result<(), Self::Error>;
}

/// The likeness of maps of one layer's randomisation, for a score that is a mean over layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerColumn {
    /// Id of the score.
    pub(crate) score: String,
    /// The layer down to which the model was random.
    pub(crate) layer: String,
    /// Per image.
    pub(crate) column: Column,
}

/// What was found for the images of a chunk.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Challenged {
    /// Scores by id.
    pub(crate) columns: BTreeMap<String, Column>,
    /// Behind the scores that are means over layers: from the output down.
    pub(crate) layers: Vec<LayerColumn>,
}

/// Mosaics with the images of a chunk, for the score that explains them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mosaics<'a> {
    /// Per image: which tiles of its mosaic are of the explained class, or why it has none.
    pub(crate) tiles: &'a [Result<[bool; 4], NotApplicable>],
    /// `[m, c, h, w]`: those there are, in the order of their images.
    pub(crate) x: &'a [f32],
    /// `[m, h, w]`, or empty where the set has no masks.
    pub(crate) masks: &'a [u8],
}

/// The wanted scores of attributions `[n, input...]`, by id; ids of other scores are left out.
///
/// `seeds` are those that the attributions were made with; `mosaics` are read where the score that
/// explains them is wanted.
pub(crate) fn challenge<S: Subject>(
    images: &Images<'_>,
    mosaics: Mosaics<'_>,
    seeds: &[u64],
    attributions: &[f32],
    wanted: &[String],
    settings: &ChallengeSettings,
    subject: &mut S,
) -> Result<Challenged, S::Error> {
    let job = Job {
        images,
        seeds,
        attributions,
        settings,
    };
    let mut found = Challenged::default();
    robustness::score(&job, wanted, subject, &mut found)?;
    invariance::score(&job, wanted, subject, &mut found)?;
    focus::score(&job, mosaics, wanted, subject, &mut found)?;
    randomisation::score(&job, wanted, subject, &mut found)?;
    Ok(found)
}

/// What every part needs.
struct Job<'a> {
    images: &'a Images<'a>,
    seeds: &'a [u64],
    attributions: &'a [f32],
    settings: &'a ChallengeSettings,
}

impl<'a> Job<'a> {
    fn len(&self) -> usize {
        self.images.targets.len()
    }

    fn row_len(&self) -> usize {
        self.images.shape.iter().product()
    }

    fn image(&self, i: usize) -> &'a [f32] {
        &self.images.pixels[i * self.row_len()..(i + 1) * self.row_len()]
    }

    fn map(&self, i: usize) -> &'a [f32] {
        &self.attributions[i * self.row_len()..(i + 1) * self.row_len()]
    }

    fn mask(&self, i: usize) -> &'a [u8] {
        let area = self.images.shape[1] * self.images.shape[2];
        self.images
            .masks
            .map_or(&[], |masks| &masks[i * area..(i + 1) * area])
    }
}

/// Scores of images as a column.
pub(crate) fn column_of(scores: impl IntoIterator<Item = Score>) -> Column {
    let mut column = Column::default();
    for score in scores {
        if let Err(reason) = score {
            let count = column.reasons.entry(reason.code().to_owned());
            *count.or_default() += 1;
        }
        column.values.push(score.ok());
    }
    column
}

/// The class a row is given: the first of the greatest outputs.
fn class_of(outputs: &[f32]) -> usize {
    crate::train::argmax(outputs)
}

/// A column in which no image has a score.
fn nowhere(reason: NotApplicable, images: usize) -> Column {
    column_of((0..images).map(|_| Err(reason)))
}
