//! Scores of one chunk of attributions, and the model's outcomes they share.
//!
//! What depends on image and model alone (the outcomes on the image, on the baseline, on random
//! subsets and on single patches) is computed once, by [`probe`], and used for every explainer.
//! What depends on the map as well is computed by [`score_chunk`], whose perturbed rows of all
//! images, scores and steps are packed into full batches. Scores that ask for the same rows share
//! them, and a row that equals its predecessor is not sent to the model again.
//!
//! Scores without a model (of the mask, of the map alone) need neither: hand [`score_chunk`]
//! [`Shared::none`] and [`NoModel`].

mod maps;
mod outcomes;
mod shared;
#[cfg(test)]
mod tests;
mod walks;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use xbench_metrics::localisation::known_region;
use xbench_metrics::{
    Family, NotApplicable, RankedMagnitude, RankedMap, Score, ScoreInfo, find, reduce_channels,
};

pub(crate) use self::shared::{Probed, Shared, probe};

use self::shared::Known;

/// How scores are computed; a part of a score's identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScoreSettings {
    /// Of the suite.
    pub(crate) seed: u64,
    /// The value that stands for "removed": of a pixel in units of the model's input, of a table's
    /// column in standard deviations from its mean.
    pub(crate) baseline: f32,
    /// Steps of the curves over pixels.
    pub(crate) steps: usize,
    /// Random subsets of each size.
    pub(crate) subsets: usize,
    /// Pixels of a subset of faithfulness correlation, as a share of all.
    pub(crate) subset_share: f64,
    /// Sizes of the subsets of sensitivity-n, as shares of all pixels.
    pub(crate) sensitivity_shares: Vec<f64>,
    /// Side of a patch, in pixels; every column of a table is a patch.
    pub(crate) patch: usize,
    /// Patches of a subset of μ-fidelity, as a share of all.
    pub(crate) patch_share: f64,
    /// Segments of IROF that SLIC aims at.
    pub(crate) segments: usize,
    /// Shares of the pixels that comprehensiveness and sufficiency remove and keep.
    pub(crate) removal_shares: Vec<f64>,
    /// Shares of the pixels that ROAD fills in.
    pub(crate) road_shares: Vec<f64>,
    /// Standard deviation of the noise on what ROAD fills in.
    pub(crate) road_noise: f64,
    /// Share of the pixels that are important to the prediction gap.
    pub(crate) gap_share: f64,
    /// Standard deviation of the prediction gap's noise, of a pixel or of a column's own deviation.
    pub(crate) gap_noise: f64,
    /// Noisy rows of the prediction gap, random values of monotonicity correlation.
    pub(crate) samples: usize,
    /// Of a table: what is known of its columns.
    pub(crate) columns: Option<Columns>,
}

/// Mean and standard deviation of each column of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Columns {
    pub(crate) mean: Vec<f32>,
    pub(crate) deviation: Vec<f32>,
}

/// What a model's outputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outputs {
    /// Unnormalised; the softmax gives probabilities.
    Logits,
    /// Probabilities, or values to be taken as they are.
    Direct,
}

/// A model, as scoring sees it.
pub(crate) trait Predictor {
    /// Why a call failed.
    type Error;
    /// The number of outputs of a row.
    fn num_outputs(&self) -> usize;
    /// What they are.
    fn outputs(&self) -> Outputs;
    /// Fills `outputs` (`[n, outputs]`) from `rows` (`[n, c, h, w]`).
    fn predict(&mut self, rows: &[f32], outputs: &mut [f32]) -> Result<(), Self::Error>;
}

/// No model: for scores that need none. It is never asked where nothing is shared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoModel;

impl Predictor for NoModel {
    type Error = Infallible;

    fn num_outputs(&self) -> usize {
        1
    }

    fn outputs(&self) -> Outputs {
        Outputs::Direct
    }

    fn predict(&mut self, _: &[f32], outputs: &mut [f32]) -> Result<(), Infallible> {
        outputs.fill(f32::NAN);
        Ok(())
    }
}

/// Images of a chunk with what is known about them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Images<'a> {
    /// `[n, c, h, w]`, as the model takes them.
    pub(crate) pixels: &'a [f32],
    /// Channels, height, width.
    pub(crate) shape: [usize; 3],
    /// The explained output of each image.
    pub(crate) targets: &'a [i64],
    /// The image's number in its data set: the address of its random draws.
    pub(crate) ids: &'a [u64],
    /// `[n, h, w]`, 0 or 1.
    pub(crate) masks: Option<&'a [u8]>,
}

impl<'a> Images<'a> {
    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    fn area(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    fn row_len(&self) -> usize {
        self.shape.iter().product()
    }

    fn image(&self, i: usize) -> &'a [f32] {
        &self.pixels[i * self.row_len()..(i + 1) * self.row_len()]
    }

    fn mask(&self, i: usize) -> Option<Vec<bool>> {
        let area = self.area();
        self.masks.map(|masks| {
            masks[i * area..(i + 1) * area]
                .iter()
                .map(|&inside| inside != 0)
                .collect()
        })
    }
}

/// One score of every image of a chunk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    /// `None` where the score does not apply.
    pub(crate) values: Vec<Option<f64>>,
    /// How often each reason for that was met.
    pub(crate) reasons: BTreeMap<String, u64>,
}

impl Column {
    pub(crate) fn push(&mut self, score: Score) {
        if let Err(reason) = score {
            *self.reasons.entry(reason.code().to_owned()).or_default() += 1;
        }
        self.values.push(score.ok());
    }

    /// Adds the rows of a later chunk.
    pub(crate) fn append(&mut self, later: Self) {
        self.values.extend(later.values);
        for (reason, count) in later.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }
}

/// A map that is being scored.
struct Subject<'a> {
    /// The attributions of all channels.
    whole: &'a [f32],
    /// Summed over the channels and ranked.
    map: Result<RankedMap, NotApplicable>,
    /// Its absolute values, once they are asked for.
    magnitude: OnceCell<RankedMagnitude>,
}

/// The wanted scores of attributions `[n, c, h, w]`, by id.
///
/// `shared` is what [`probe`] gave for the same images and at least these scores; where it is
/// nothing, scores that need a model are left out. So are ids of scores that are not a function of
/// one map (agreement, cost, accuracy, robustness), and of the mask without one.
pub(crate) fn score_chunk<P: Predictor>(
    images: &Images<'_>,
    attributions: &[f32],
    shared: Shared<'_>,
    wanted: &[String],
    settings: &ScoreSettings,
    predictor: &mut P,
) -> Result<BTreeMap<String, Column>, P::Error> {
    let infos: Vec<&'static ScoreInfo> = wanted
        .iter()
        .filter_map(|id| find(id))
        .filter(|info| is_of_map(info))
        .filter(|info| !info.needs.mask || images.masks.is_some())
        .filter(|info| !info.needs.model || !shared.is_none())
        .collect();
    let subjects: Vec<Subject<'_>> = attributions
        .chunks_exact(images.row_len())
        .map(|whole| Subject {
            whole,
            map: reduce_channels(whole, images.shape[0]).and_then(|map| RankedMap::new(&map)),
            magnitude: OnceCell::new(),
        })
        .collect();
    let known: Vec<Known<'_>> = if infos.iter().any(|info| info.needs.model) {
        let of = |i| shared.of(i, settings, images.shape);
        (0..images.len()).map(of).collect()
    } else {
        Vec::new()
    };
    let mut columns: BTreeMap<String, Column> = BTreeMap::new();
    let (walked, direct): (Vec<&ScoreInfo>, Vec<&ScoreInfo>) =
        infos.into_iter().partition(|info| walks::is_here(info.id));
    let setting = maps::Setting::new(images, settings);
    for (i, subject) in subjects.iter().enumerate() {
        let mask = images.mask(i);
        for info in &direct {
            let score = maps::score(info, subject, mask.as_deref(), known.get(i), i, &setting);
            columns.entry(info.id.to_owned()).or_default().push(score);
        }
    }
    if !walked.is_empty() {
        let ids: Vec<&str> = walked.iter().map(|info| info.id).collect();
        let scored = walks::score(images, &subjects, &known, &ids, settings, predictor)?;
        for (id, scores) in ids.into_iter().zip(scored) {
            let column = columns.entry(id.to_owned()).or_default();
            scores.into_iter().for_each(|score| column.push(score));
        }
    }
    Ok(columns)
}

/// Is it a function of one map, perhaps with the mask and the model, but not the explainer?
pub(crate) fn is_of_map(info: &ScoreInfo) -> bool {
    let family = matches!(
        info.family,
        Family::Localisation | Family::Faithfulness | Family::Complexity | Family::Axiomatic
    );
    // An explainer tells the fit of its own surrogate.
    family
        && !info.needs.explainer
        && info.id != "local_fit"
        // The host knows the region, and needs no worker to compare.
        && known_region(info.id).is_none()
}
