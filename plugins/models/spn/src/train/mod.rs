//! Training, the same anywhere: a recipe and a seed decide every number, whatever the number of
//! threads.
//!
//! Batches, augmentation, masked images and initial weights come from counters, sums over a batch
//! are added in a fixed order, and the epoch that is kept is chosen on images held out.

mod augment;
mod checkpoint;
mod evaluate;
mod loss;
mod optimiser;
mod recipe;
mod split;
mod tape;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xbench_nn::Threads;
use xbench_plugin::rng::CounterRng;
use xbench_plugin::{Error, FitMonitor, FitStep, Result};

pub use augment::Change;
pub use checkpoint::State;
pub use evaluate::{Evaluation, evaluate};
pub use loss::{Loss, classify, localise};
pub use optimiser::Adam;
pub use recipe::{Keep, LocalisationLoss, Recipe, Schedule};
pub use split::stratified;
pub use tape::{Gradients, Tape};

use crate::network::{Graph, Network, Parameters, file, normalise};

/// Streams of the seed, one for each purpose. The initial weights use the seed itself.
const ORDER: u64 = 1 << 40;
const SPLIT: u64 = (1 << 40) + 1;
const MASKED: u64 = (1 << 40) + 2;
const AUGMENT: u64 = (1 << 40) + 3;

/// Labelled images, some of them with masks.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// `[images, channels, height, width]`, 0 to 255.
    pub pixels: &'a [u8],
    /// Class of each image.
    pub labels: &'a [usize],
    /// `[images, height, width]`, not 0 where the object is.
    pub masks: &'a [u8],
    /// Which images have a mask.
    pub present: &'a [bool],
    /// The last so many images are the data's own validation split.
    pub validation: usize,
}

/// What an epoch reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// From 1.
    pub epoch: usize,
    /// Mean of the whole loss over the epoch's batches, as they were seen.
    pub train_loss: f64,
    /// Mean localisation loss over the epoch's batches.
    pub train_localisation_loss: f64,
    /// Share of the epoch's images classified rightly, as they were seen.
    pub train_accuracy: f64,
    /// On the images held out; none without such.
    pub validation: Option<Evaluation>,
    /// Learning rate of the last step.
    pub learning_rate: f64,
}

/// What a training run arrived at.
#[derive(Clone, Debug, Serialize)]
pub struct TrainReport {
    /// The recipe, complete.
    pub recipe: Recipe,
    /// Whether the backbone began with weights from a file, as the study's did with ImageNet's.
    pub imagenet_weights: bool,
    /// SHA-256 of that file.
    pub backbone_sha256: Option<String>,
    /// Images learned from.
    pub training_images: usize,
    /// Of them, those whose masks were shown.
    pub masked_images: usize,
    /// Images held out.
    pub validation_images: usize,
    /// The epoch whose weights were kept, from 1.
    pub kept_epoch: usize,
    /// The kept weights on the images held out.
    pub validation: Option<Evaluation>,
    /// Every epoch.
    #[serde(skip)]
    pub curve: Vec<EpochReport>,
}

/// Largest memory, in bytes, that the values of a batch may take.
const LARGEST_BATCH: usize = 1 << 35;

/// Trains a network of `network`'s architecture from freshly drawn weights, and on success gives it
/// the weights that are kept. `monitor` hears of every batch and epoch and keeps the state.
///
/// # Errors
/// When data and network do not fit, the backbone's file is not right, the loss is no longer a
/// number, or the monitor stops the training; the network is then as before.
pub fn train(
    network: &mut Network,
    data: Images<'_>,
    recipe: &Recipe,
    threads: &Arc<Threads>,
    monitor: &mut dyn FitMonitor,
) -> Result<TrainReport> {
    let graph = Arc::clone(network.graph());
    check(&graph, data)?;
    let rng = CounterRng::new(recipe.seed);
    let (training, validation) = held_out(data, recipe, rng);
    if training.is_empty() {
        return Err(Error::invalid_argument(
            "validation_share: no image is left to learn from",
        ));
    }
    if validation.is_empty() && recipe.keep != Keep::Last {
        return Err(Error::invalid_argument(
            "keep: the best epoch cannot be told without images held out; say \"last\"",
        ));
    }
    let shown = masked(data, &training, recipe, rng)?;
    let spn = recipe.masks > 0.0;
    let batch_size = recipe.batch_size.min(training.len());
    let batches = training.len() / batch_size;
    // Value, what a normalisation was given, and gradient.
    let image: usize = (0..=graph.nodes.len()).map(|v| 12 * graph.len(v)).sum();
    if image.saturating_mul(batch_size) > LARGEST_BATCH {
        return Err(Error::resource_exhausted(format!(
            "batch_size: {batch_size} images of this size take more than 32 GiB; lower it"
        )));
    }
    let steps = batches * recipe.epochs;

    let mut state = start(&graph, recipe)?;
    if let Some(bytes) = monitor.resume() {
        state.read(bytes, recipe)?;
    }
    let mut tape = Tape::new(Arc::clone(&graph), batch_size, Arc::clone(threads));
    let mut judge = Network::new(graph.architecture, recipe.seed)?;
    let classes = graph.architecture.outputs;
    let pixels = graph.shape(0)[0] * graph.shape(0)[1];
    let mut slopes = (
        vec![0.0; batch_size * classes],
        vec![0.0; batch_size * pixels],
    );
    let mut masks = vec![0.0; batch_size * pixels];

    for epoch in state.curve.len() + 1..=recipe.epochs {
        let order = rng
            .stream(ORDER)
            .stream(epoch as u64)
            .permutation(training.len());
        let moves = rng.stream(AUGMENT).stream(epoch as u64);
        let mut sums = Loss {
            class: 0.0,
            localisation: 0.0,
            right: 0,
        };
        let mut learning_rate = 0.0;
        for (batch, chosen) in order.chunks_exact(batch_size).enumerate() {
            let rows: Vec<usize> = chosen.iter().map(|&i| training[i]).collect();
            let labels: Vec<usize> = rows.iter().map(|&row| data.labels[row]).collect();
            prepare(
                &graph,
                data,
                recipe,
                moves,
                &rows,
                threads,
                tape.input_mut(),
                &mut masks,
            );
            tape.forward(&mut state.trained, spn);
            let smoothing = recipe.label_smoothing;
            let mut loss = classify(tape.logits(), &labels, smoothing, &mut slopes.0);
            if spn {
                let with: Vec<bool> = chosen.iter().map(|&i| shown[i]).collect();
                loss.localisation =
                    localise_batch(recipe, tape.maps(), &masks, &with, &mut slopes.1);
            }
            let whole = loss.class + recipe.lambda * loss.localisation;
            if !whole.is_finite() {
                return Err(Error::internal(format!(
                    "training diverged in epoch {epoch}, batch {}: the loss is {whole}; lower \
                     learning_rate",
                    batch + 1
                )));
            }
            let maps = spn.then_some(&slopes.1[..]);
            let gradients = tape.backward(&mut state.trained, &slopes.0, maps);
            learning_rate = recipe.learning_rate_at((epoch - 1) * batches + batch, steps);
            let arrays = gradients.arrays();
            state.adam.step(
                &mut state.trained,
                &arrays,
                learning_rate,
                recipe.weight_decay,
                threads,
            );
            if let (Some(decay), Some(average)) = (recipe.average_decay, &mut state.average) {
                let step = state.adam.steps as f64;
                // Short memory at first, or the average would carry the initial weights along.
                let decay = decay.min((1.0 + step) / (10.0 + step));
                optimiser::average(average, &state.trained, decay, threads);
            }
            sums.class += loss.class;
            sums.localisation += loss.localisation;
            sums.right += loss.right;
            let seen = (batch + 1) as f64;
            monitor.step(&FitStep {
                epoch_done: false,
                epoch: count(epoch),
                epochs: count(recipe.epochs),
                batch: count(batch + 1),
                batches: count(batches),
                loss: (sums.class + recipe.lambda * sums.localisation) / seen,
                accuracy: sums.right as f64 / (seen * batch_size as f64),
                validation_loss: f64::NAN,
                validation_accuracy: f64::NAN,
                learning_rate,
            })?;
        }
        let seen = batches as f64;
        let current = state.average.as_ref().unwrap_or(&state.trained);
        let reached = if validation.is_empty() {
            None
        } else {
            judge.set_parameters(current.clone(), spn);
            Some(evaluate(&judge, threads, data, &validation)?)
        };
        let report = EpochReport {
            epoch,
            train_loss: (sums.class + recipe.lambda * sums.localisation) / seen,
            train_localisation_loss: sums.localisation / seen,
            train_accuracy: sums.right as f64 / (seen * batch_size as f64),
            validation: reached,
            learning_rate,
        };
        if better(
            recipe.keep,
            state.best.as_ref().map(|(best, _)| best),
            &report,
        ) {
            state.best = Some((report.clone(), current.clone()));
        }
        state.curve.push(report.clone());
        monitor.step(&FitStep {
            epoch_done: true,
            epoch: count(epoch),
            epochs: count(recipe.epochs),
            batch: count(batches),
            batches: count(batches),
            loss: report.train_loss,
            accuracy: report.train_accuracy,
            validation_loss: reached.map_or(f64::NAN, |v| v.loss),
            validation_accuracy: reached.map_or(f64::NAN, |v| v.accuracy),
            learning_rate,
        })?;
        if epoch % recipe.checkpoint_every == 0 && epoch < recipe.epochs {
            monitor.checkpoint(&state.write(recipe)?)?;
        }
    }

    let Some((kept, parameters)) = state.best else {
        return Err(Error::internal("no epoch was kept"));
    };
    network.set_parameters(parameters, spn);
    Ok(TrainReport {
        recipe: recipe.clone(),
        imagenet_weights: state.backbone.is_some(),
        backbone_sha256: state.backbone,
        training_images: training.len(),
        masked_images: shown.iter().filter(|&&s| s).count(),
        validation_images: validation.len(),
        kept_epoch: kept.epoch,
        validation: kept.validation,
        curve: state.curve,
    })
}

fn start(graph: &Graph, recipe: &Recipe) -> Result<State> {
    let mut trained = Parameters::draw(graph, recipe.seed);
    let backbone = match &recipe.backbone {
        None => None,
        Some(path) => Some(file::load_backbone(graph, &mut trained, Path::new(path))?),
    };
    Ok(State {
        average: recipe.average_decay.map(|_| trained.clone()),
        best: None,
        adam: Adam::new(&trained),
        curve: Vec::new(),
        backbone,
        trained,
    })
}

/// Rows to learn from and rows held out.
fn held_out(data: Images<'_>, recipe: &Recipe, rng: CounterRng) -> (Vec<usize>, Vec<usize>) {
    let n = data.labels.len();
    if data.validation > 0 {
        let first = n - data.validation.min(n);
        return ((0..first).collect(), (first..n).collect());
    }
    let all: Vec<usize> = (0..n).collect();
    let held = stratified(
        data.labels,
        &all,
        recipe.validation_share,
        rng.stream(SPLIT),
    );
    all.into_iter().partition(|&row| !held[row])
}

/// Which of the training images show their mask.
fn masked(
    data: Images<'_>,
    training: &[usize],
    recipe: &Recipe,
    rng: CounterRng,
) -> Result<Vec<bool>> {
    if recipe.masks <= 0.0 {
        return Ok(vec![false; training.len()]);
    }
    let mut shown = stratified(data.labels, training, recipe.masks, rng.stream(MASKED));
    for (shown, &row) in shown.iter_mut().zip(training) {
        *shown = *shown && data.present[row];
    }
    if shown.iter().any(|&s| s) {
        return Ok(shown);
    }
    Err(Error::invalid_argument(format!(
        "masks: {} of the training images were to show their masks, but none of those has one; choose \
         data with masks, or masks: 0",
        recipe.masks
    )))
}

/// Images and masks of a batch, changed alike.
#[expect(clippy::too_many_arguments, reason = "operands and two results")]
fn prepare(
    graph: &Graph,
    data: Images<'_>,
    recipe: &Recipe,
    moves: CounterRng,
    rows: &[usize],
    threads: &Threads,
    images: &mut [f32],
    masks: &mut [f32],
) {
    let [channels, height, width] = graph.architecture.input;
    let (pixels, size) = (height * width, [height, width]);
    let jobs = rows
        .iter()
        .zip(images.chunks_exact_mut(3 * pixels))
        .zip(masks.chunks_exact_mut(pixels))
        .collect();
    threads.map(jobs, |((&row, image), mask): ((&usize, &mut [f32]), _)| {
        let change = Change::draw(recipe, moves, row as u64);
        let mut changed = vec![0.0; channels * pixels];
        let from = &data.pixels[row * channels * pixels..(row + 1) * channels * pixels];
        change.image(from, size, &mut changed);
        normalise(&changed, channels, image);
        if recipe.masks > 0.0 && data.present[row] {
            change.mask(&data.masks[row * pixels..(row + 1) * pixels], size, mask);
        }
    });
}

/// Mean localisation loss over the images whose masks are shown, and λ times its gradient.
fn localise_batch(
    recipe: &Recipe,
    maps: &[f32],
    masks: &[f32],
    shown: &[bool],
    slopes: &mut [f32],
) -> f64 {
    slopes.fill(0.0);
    let count = shown.iter().filter(|&&s| s).count();
    if count == 0 {
        return 0.0;
    }
    let share = 1.0 / count as f64;
    let pixels = maps.len() / shown.len();
    let mut sum = 0.0;
    for (((map, mask), slopes), _) in maps
        .chunks_exact(pixels)
        .zip(masks.chunks_exact(pixels))
        .zip(slopes.chunks_exact_mut(pixels))
        .zip(shown)
        .filter(|(_, shown)| **shown)
    {
        let kind = recipe.localisation_loss;
        sum += localise(kind, map, mask, recipe.lambda * share, slopes);
    }
    sum * share
}

fn better(keep: Keep, best: Option<&EpochReport>, now: &EpochReport) -> bool {
    let Some(best) = best else {
        return true;
    };
    match (keep, best.validation, now.validation) {
        (Keep::BestAccuracy, Some(best), Some(now)) => {
            (now.accuracy, -now.loss) > (best.accuracy, -best.loss)
        }
        (Keep::BestLoss, Some(best), Some(now)) => now.loss < best.loss,
        _ => true,
    }
}

fn check(graph: &Graph, data: Images<'_>) -> Result<()> {
    let [channels, height, width] = graph.architecture.input;
    let (n, pixels) = (data.labels.len(), height * width);
    let fits = data.pixels.len() == n * channels * pixels
        && data.masks.len() == n * pixels
        && data.present.len() == n;
    if !fits {
        return Err(Error::invalid_argument(
            "images, masks and labels are not as many as each other",
        ));
    }
    let classes = graph.architecture.outputs;
    match data.labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(row) => Err(Error::invalid_argument(format!(
            "image {row} has label {}, but the network has {classes} classes",
            data.labels[row]
        ))),
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
