//! Scores of one chunk of attributions, and the model's outcomes they share.
//!
//! What depends on image and model alone (the outcomes on the image, on the baseline and on the
//! random subsets of faithfulness correlation) is computed once, by [`probe`], and used for
//! every explainer. What depends on the map as well is computed by [`score_chunk`], whose
//! perturbed rows of all images and steps are packed into full batches; a row that equals its
//! predecessor is not sent to the model again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xbench_metrics::faithfulness::{
    FaithfulnessSubsets, PerturbationPlan, faithfulness_correlation, normalised_curve_auc,
    softmax_probability,
};
use xbench_metrics::{
    DrawKey, NotApplicable, RankedMagnitude, RankedMap, Score, complexity, localisation,
    reduce_channels,
};

/// Rows of one call to the model while scoring: large enough for the kernels, small enough for
/// the caches. Fixed, so that a score does not depend on the machine.
const BATCH_ROWS: usize = 128;

/// How scores are computed; a part of a score's identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScoreSettings {
    /// Of the suite.
    pub(crate) seed: u64,
    /// The value that stands for "removed", in units of the model's input.
    pub(crate) baseline: f32,
    /// Steps of the deletion and insertion curves.
    pub(crate) steps: usize,
    /// Subsets of faithfulness correlation.
    pub(crate) subsets: usize,
    /// Pixels of a subset, as a share of all.
    pub(crate) subset_share: f64,
}

impl ScoreSettings {
    fn subsets_of(&self, image: u64, pixels: usize) -> FaithfulnessSubsets {
        let size = (self.subset_share * pixels as f64).round() as usize;
        FaithfulnessSubsets::new(self.seed, image, pixels, size, self.subsets)
    }
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
    fn len(&self) -> usize {
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
    fn push(&mut self, score: Score) {
        if let Err(reason) = score {
            *self.reasons.entry(reason.code().to_owned()).or_default() += 1;
        }
        self.values.push(score.ok());
    }
}

/// Packs rows into batches and gives each row's outcome: the probability of its target.
struct Outcomes<'p, P> {
    predictor: &'p mut P,
    row_len: usize,
    rows: Vec<f32>,
    targets: Vec<i64>,
    outputs: Vec<f32>,
    done: Vec<f32>,
}

impl<'p, P: Predictor> Outcomes<'p, P> {
    fn new(predictor: &'p mut P, row_len: usize) -> Self {
        let outputs = vec![0.0; BATCH_ROWS * predictor.num_outputs()];
        Self {
            predictor,
            row_len,
            rows: vec![0.0; BATCH_ROWS * row_len],
            targets: Vec::with_capacity(BATCH_ROWS),
            outputs,
            done: Vec::new(),
        }
    }

    /// The buffer of the next row, to be written before [`Self::push`].
    fn row(&mut self) -> &mut [f32] {
        let start = self.targets.len() * self.row_len;
        &mut self.rows[start..start + self.row_len]
    }

    /// Takes the row that was written; answers the number under which its outcome will stand.
    fn push(&mut self, target: i64) -> Result<usize, P::Error> {
        self.targets.push(target);
        let slot = self.done.len() + self.targets.len() - 1;
        if self.targets.len() == BATCH_ROWS {
            self.flush()?;
        }
        Ok(slot)
    }

    fn flush(&mut self) -> Result<(), P::Error> {
        let n = self.targets.len();
        if n == 0 {
            return Ok(());
        }
        let width = self.predictor.num_outputs();
        let kind = self.predictor.outputs();
        let outputs = &mut self.outputs[..n * width];
        self.predictor
            .predict(&self.rows[..n * self.row_len], outputs)?;
        for (row, &target) in outputs.chunks_exact(width).zip(&self.targets) {
            let target = usize::try_from(target).unwrap_or(usize::MAX);
            let outcome = match kind {
                Outputs::Logits => softmax_probability(row, target).map_or(f32::NAN, |p| p as f32),
                Outputs::Direct => row.get(target).copied().unwrap_or(f32::NAN),
            };
            self.done.push(outcome);
        }
        self.targets.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<f32>, P::Error> {
        self.flush()?;
        Ok(self.done)
    }
}

/// The outcomes that all explainers share: per image `[image, baseline, subset 0, ...]`.
pub(crate) fn probe<P: Predictor>(
    images: &Images<'_>,
    settings: &ScoreSettings,
    predictor: &mut P,
) -> Result<Vec<f32>, P::Error> {
    let baseline = vec![settings.baseline; images.row_len()];
    let mut outcomes = Outcomes::new(predictor, images.row_len());
    let mut slots = Vec::with_capacity(images.len() * (2 + settings.subsets));
    for i in 0..images.len() {
        let (image, target) = (images.image(i), images.targets[i]);
        outcomes.row().copy_from_slice(image);
        let own = outcomes.push(target)?;
        slots.push(own);
        outcomes.row().copy_from_slice(&baseline);
        slots.push(outcomes.push(target)?);
        let subsets = settings.subsets_of(images.ids[i], images.area());
        for subset in 0..settings.subsets {
            let changed = subsets.write_row(subset, image, &baseline, outcomes.row());
            slots.push(match changed {
                Ok(true) => outcomes.push(target)?,
                _ => own,
            });
        }
    }
    let done = outcomes.finish()?;
    Ok(slots.into_iter().map(|slot| done[slot]).collect())
}

/// The wanted scores of attributions `[n, c, h, w]`, by id.
///
/// `shared` is what [`probe`] gave for the same images. Ids of scores that are not a function
/// of one map (agreement, cost, accuracy) are left out.
pub(crate) fn score_chunk<P: Predictor>(
    images: &Images<'_>,
    attributions: &[f32],
    shared: &[f32],
    wanted: &[String],
    settings: &ScoreSettings,
    predictor: &mut P,
) -> Result<BTreeMap<String, Column>, P::Error> {
    let wants = |id: &str| wanted.iter().any(|wanted| wanted == id);
    let mut columns = BTreeMap::new();
    let mut put = |id: &str, score: Score| {
        let column: &mut Column = columns.entry(id.to_owned()).or_default();
        column.push(score);
    };
    let stride = 2 + settings.subsets;
    let maps: Vec<Result<RankedMap, NotApplicable>> = attributions
        .chunks_exact(images.row_len())
        .map(|map| reduce_channels(map, images.shape[0]).and_then(|map| RankedMap::new(&map)))
        .collect();
    for (i, map) in maps.iter().enumerate() {
        let mask = images.mask(i);
        for id in wanted {
            let value = |f: &dyn Fn(&RankedMap) -> Score| match map {
                Ok(map) => f(map),
                Err(reason) => Err(*reason),
            };
            match id.as_str() {
                "gini" => put(id, value(&|m| complexity::gini(&RankedMagnitude::of(m)))),
                "entropy" => put(id, value(&|m| complexity::entropy(&RankedMagnitude::of(m)))),
                "faithfulness_correlation" => {
                    let shared = &shared[i * stride..(i + 1) * stride];
                    put(id, value(&|m| correlation(m, images, i, shared, settings)));
                }
                _ => {
                    if let Some(mask) = &mask
                        && let Ok(map) = map
                        && let Some(score) = localisation::score(id, map, mask)
                    {
                        put(id, score);
                    } else if let (Some(_), Err(reason)) = (&mask, map)
                        && xbench_metrics::find(id).is_some_and(|info| info.needs.mask)
                    {
                        put(id, Err(*reason));
                    }
                }
            }
        }
    }
    if wants("deletion_auc") || wants("insertion_auc") {
        let curves = curves(images, &maps, shared, stride, settings, predictor)?;
        for (deletion, insertion) in curves {
            if wants("deletion_auc") {
                put("deletion_auc", deletion);
            }
            if wants("insertion_auc") {
                put("insertion_auc", insertion);
            }
        }
    }
    Ok(columns)
}

fn correlation(
    map: &RankedMap,
    images: &Images<'_>,
    i: usize,
    shared: &[f32],
    settings: &ScoreSettings,
) -> Score {
    let subsets = settings.subsets_of(images.ids[i], images.area());
    let own = f64::from(shared[0]);
    let drops: Vec<f64> = shared[2..].iter().map(|&f| own - f64::from(f)).collect();
    faithfulness_correlation(map.values(), &subsets, &drops)
}

/// Where the outcome of a point of a curve comes from.
#[derive(Clone, Copy)]
enum Point {
    Known(f64),
    Slot(usize),
}

fn curves<P: Predictor>(
    images: &Images<'_>,
    maps: &[Result<RankedMap, NotApplicable>],
    shared: &[f32],
    stride: usize,
    settings: &ScoreSettings,
    predictor: &mut P,
) -> Result<Vec<(Score, Score)>, P::Error> {
    let baseline = vec![settings.baseline; images.row_len()];
    let mut outcomes = Outcomes::new(predictor, images.row_len());
    let mut pending = Vec::with_capacity(maps.len());
    for (i, map) in maps.iter().enumerate() {
        let own = f64::from(shared[i * stride]);
        let ground = f64::from(shared[i * stride + 1]);
        // Where the image has no score whatever the map, the model is not asked.
        let usable = normalised_curve_auc(&[own, ground], own, ground);
        let map = match map
            .as_ref()
            .map_err(|reason| *reason)
            .and_then(|map| usable.map(|_| map))
        {
            Ok(map) => map,
            Err(reason) => {
                pending.push(Err(reason));
                continue;
            }
        };
        let key = DrawKey::new(settings.seed, "deletion_auc", images.ids[i]);
        let plan = PerturbationPlan::new(map, settings.steps, key);
        let mut trace = |insertion: bool| -> Result<Vec<Point>, P::Error> {
            let (first, last) = if insertion {
                (ground, own)
            } else {
                (own, ground)
            };
            let mut points = vec![Point::Known(first)];
            for step in 1..plan.steps() {
                let (image, row) = (images.image(i), outcomes.row());
                let changed = if insertion {
                    plan.write_insertion(step, image, &baseline, row)
                } else {
                    plan.write_deletion(step, image, &baseline, row)
                };
                points.push(match changed {
                    Ok(true) => Point::Slot(outcomes.push(images.targets[i])?),
                    _ => points[points.len() - 1],
                });
            }
            points.push(Point::Known(last));
            Ok(points)
        };
        let deletion = trace(false)?;
        let insertion = trace(true)?;
        pending.push(Ok((own, ground, deletion, insertion)));
    }
    let done = outcomes.finish()?;
    let area = |points: &[Point], own: f64, ground: f64| {
        let curve: Vec<f64> = points
            .iter()
            .map(|point| match *point {
                Point::Known(outcome) => outcome,
                Point::Slot(slot) => f64::from(done[slot]),
            })
            .collect();
        normalised_curve_auc(&curve, own, ground)
    };
    Ok(pending
        .into_iter()
        .map(|entry| match entry {
            Ok((own, ground, deletion, insertion)) => {
                (area(&deletion, own, ground), area(&insertion, own, ground))
            }
            Err(reason) => (Err(reason), Err(reason)),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A model of probabilities that gives output 0 the weighted sum of the pixels, and counts.
    struct Linear {
        weights: Vec<f32>,
        rows: usize,
    }

    impl Predictor for Linear {
        type Error = Infallible;

        fn num_outputs(&self) -> usize {
            2
        }

        fn outputs(&self) -> Outputs {
            Outputs::Direct
        }

        fn predict(&mut self, rows: &[f32], outputs: &mut [f32]) -> Result<(), Infallible> {
            let width = self.weights.len();
            for (row, outputs) in rows.chunks_exact(width).zip(outputs.chunks_exact_mut(2)) {
                outputs[0] = row.iter().zip(&self.weights).map(|(x, w)| x * w).sum();
                outputs[1] = 1.0 - outputs[0];
                self.rows += 1;
            }
            Ok(())
        }
    }

    fn settings() -> ScoreSettings {
        ScoreSettings {
            seed: 7,
            baseline: 0.0,
            steps: 4,
            subsets: 40,
            subset_share: 0.5,
        }
    }

    fn wanted(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    const PIXELS: [f32; 4] = [1.0, 1.0, 1.0, 0.0];
    const WEIGHTS: [f32; 4] = [0.5, 0.3, 0.1, 0.1];

    fn one_image<'a>(targets: &'a [i64], ids: &'a [u64]) -> Images<'a> {
        Images {
            pixels: &PIXELS,
            shape: [1, 2, 2],
            targets,
            ids,
            masks: Some(&[1, 1, 0, 0]),
        }
    }

    fn model() -> Linear {
        Linear {
            weights: WEIGHTS.to_vec(),
            rows: 0,
        }
    }

    #[test]
    fn curves_of_a_linear_model_are_those_worked_by_hand() {
        let images = one_image(&[0], &[3]);
        let shared = probe(&images, &settings(), &mut model()).unwrap();
        assert_eq!(shared.len(), 2 + 40);
        assert!((shared[0] - 0.9).abs() < 1e-6 && shared[1] == 0.0);
        // The exact attributions: pixels fall in the order 0, 1, 2, 3.
        let attributions = [0.5, 0.3, 0.1, 0.0];
        let mut model = model();
        let ids = wanted(&["deletion_auc", "insertion_auc", "faithfulness_correlation"]);
        let columns = score_chunk(
            &images,
            &attributions,
            &shared,
            &ids,
            &settings(),
            &mut model,
        )
        .unwrap();
        // Deletion leaves 0.9, 0.4, 0.1, 0, 0; insertion gives 0, 0.5, 0.8, 0.9, 0.9.
        let deletion = (0.9 / 2.0 + 0.4 + 0.1 + 0.0 + 0.0 / 2.0) / 4.0 / 0.9;
        let insertion = (0.0 / 2.0 + 0.5 + 0.8 + 0.9 + 0.9 / 2.0) / 4.0 / 0.9;
        let value = |id: &str| columns[id].values[0].unwrap();
        assert!((value("deletion_auc") - deletion).abs() < 1e-6);
        assert!((value("insertion_auc") - insertion).abs() < 1e-6);
        assert!((value("faithfulness_correlation") - 1.0).abs() < 1e-6);
        // Three inner points a curve; the last pixel is black already, so that neither curve
        // changes there: none of the three is it.
        assert_eq!(model.rows, 6);
    }

    #[test]
    fn a_row_that_does_not_change_is_not_sent_again() {
        let images = one_image(&[0], &[3]);
        let shared = probe(&images, &settings(), &mut model()).unwrap();
        // The black pixel comes first: the first step of both curves changes nothing.
        let attributions = [0.3, 0.2, 0.1, 0.9];
        let mut model = model();
        let ids = wanted(&["deletion_auc"]);
        score_chunk(
            &images,
            &attributions,
            &shared,
            &ids,
            &settings(),
            &mut model,
        )
        .unwrap();
        assert_eq!(model.rows, 4);
    }

    #[test]
    fn what_cannot_be_scored_says_why() {
        // Output 1 grows as pixels vanish: the baseline looks more like it than the image.
        let images = one_image(&[1], &[3]);
        let shared = probe(&images, &settings(), &mut model()).unwrap();
        let mut model = model();
        let ids = wanted(&[
            "deletion_auc",
            "relevance_mass",
            "faithfulness_correlation",
            "gini",
        ]);
        let columns =
            score_chunk(&images, &[0.0; 4], &shared, &ids, &settings(), &mut model).unwrap();
        for (id, reason) in [
            ("deletion_auc", "baseline_above_image"),
            ("relevance_mass", "zero_relevance"),
            ("faithfulness_correlation", "constant_attribution"),
            ("gini", "zero_relevance"),
        ] {
            assert_eq!(columns[id].values, [None], "{id}");
            assert_eq!(
                columns[id].reasons,
                BTreeMap::from([(reason.to_owned(), 1)]),
                "{id}"
            );
        }
        assert_eq!(
            model.rows, 0,
            "a curve that cannot be scaled is not computed"
        );
    }

    #[test]
    fn images_are_scored_alike_in_any_company() {
        let pixels: Vec<f32> = (0..40 * 4).map(|i| (i * 37 % 101) as f32 / 101.0).collect();
        let maps: Vec<f32> = (0..40 * 4).map(|i| (i * 53 % 97) as f32 - 40.0).collect();
        let masks: Vec<u8> = (0..40 * 4).map(|i| u8::from(i % 3 == 0)).collect();
        let (targets, ids) = (vec![0; 40], (0..40).collect::<Vec<u64>>());
        let every: Vec<String> = xbench_metrics::catalogue()
            .iter()
            .map(|score| score.id.to_owned())
            .collect();
        let score = |from: usize, to: usize| {
            let images = Images {
                pixels: &pixels[from * 4..to * 4],
                shape: [1, 2, 2],
                targets: &targets[from..to],
                ids: &ids[from..to],
                masks: Some(&masks[from * 4..to * 4]),
            };
            let shared = probe(&images, &settings(), &mut model()).unwrap();
            let maps = &maps[from * 4..to * 4];
            score_chunk(&images, maps, &shared, &every, &settings(), &mut model()).unwrap()
        };
        let whole = score(0, 40);
        let (first, second) = (score(0, 13), score(13, 40));
        assert_eq!(whole.len(), 12, "{:?}", whole.keys());
        for (id, column) in &whole {
            let parts = [&first[id].values[..], &second[id].values[..]].concat();
            assert_eq!(column.values, parts, "{id}");
        }
    }
}
