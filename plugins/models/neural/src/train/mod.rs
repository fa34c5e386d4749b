//! Training, the same anywhere: a recipe and a seed decide every number, whatever the number of
//! threads.
//!
//! Batches, flips, shifts and initial weights come from counters, weight gradients are summed
//! block by block in a fixed order, and the epoch that is kept is chosen on images held out of
//! the training set; the test set has no part in it.

mod augment;
mod optimiser;
mod recipe;
mod split;

use std::sync::Arc;
use std::time::Instant;

use candle_core::{Device, Tensor, Var};
use serde::Serialize;
use xbench_nn::Threads;
use xbench_nn::kernel::loss;
use xbench_nn::op::cross_entropy;

pub use optimiser::Epsilon;
pub use recipe::{KeptEpoch, Preset, Recipe, Schedule};
pub use split::stratified_split;

use crate::network::{Network, NetworkError, Tape};
use optimiser::Adam;
use xbench_plugin::rng::CounterRng;

/// Streams of the seed, one for each purpose. The network's weights use the seed itself.
const ORDER: u64 = 1 << 32;
const SPLIT: u64 = (1 << 32) + 1;
const AUGMENT: u64 = (1 << 32) + 2;

/// Labelled images, `[images, channels, height, width]` bytes.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// Pixels, 0 to 255; networks see them divided by 255.
    pub pixels: &'a [u8],
    /// Class of each image.
    pub labels: &'a [usize],
}

/// What an epoch reached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EpochReport {
    /// From 1.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Optimiser steps so far.
    pub step: usize,
    /// Optimiser steps in all.
    pub steps: usize,
    /// Mean loss over the epoch's batches, as they were seen, in nats.
    pub train_loss: f64,
    /// Share of the epoch's images classified rightly, as they were seen.
    pub train_accuracy: f64,
    /// Cross-entropy on the images held out, in nats.
    pub validation_loss: f64,
    /// Accuracy on the images held out.
    pub validation_accuracy: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Wall time of the epoch.
    pub seconds: f64,
}

/// Where training stands.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// After a batch.
    Batch {
        /// Epoch, from 1.
        epoch: usize,
        /// Epochs in all.
        epochs: usize,
        /// Batch of the epoch, from 1.
        batch: usize,
        /// Batches in an epoch.
        batches: usize,
        /// Mean loss of the epoch so far.
        loss: f64,
        /// Accuracy of the epoch so far.
        accuracy: f64,
        /// Learning rate of the step.
        learning_rate: f64,
    },
    /// After an epoch.
    Epoch(&'a EpochReport),
}

/// What a training run arrived at.
#[derive(Clone, Debug, Serialize)]
pub struct TrainReport {
    /// The recipe, complete.
    pub recipe: Recipe,
    /// Images learned from.
    pub training_images: usize,
    /// Images held out.
    pub validation_images: usize,
    /// The epoch whose weights were kept, from 1.
    pub kept_epoch: usize,
    /// Loss of the kept weights on the images learned from, unaltered.
    pub train_loss: f64,
    /// Accuracy of the kept weights on the images learned from, unaltered.
    pub train_accuracy: f64,
    /// Loss of the kept weights on the images held out.
    pub validation_loss: f64,
    /// Accuracy of the kept weights on the images held out.
    pub validation_accuracy: f64,
    /// Every epoch.
    #[serde(skip)]
    pub curve: Vec<EpochReport>,
}

/// Loss and accuracy of a network on images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// Share classified rightly.
    pub accuracy: f64,
}

/// Trains `network` in place, from the weights it has.
///
/// `monitor` hears of every batch and epoch, and stops training by returning a reason.
///
/// # Errors
/// When data and network do not fit, a setting makes no sense, training diverges, or the monitor
/// stops it; the network then keeps the weights it had.
pub fn train(
    network: &mut Network,
    data: Images<'_>,
    recipe: &Recipe,
    threads: Arc<Threads>,
    monitor: &mut dyn FnMut(Progress<'_>) -> Result<(), String>,
) -> Result<TrainReport, NetworkError> {
    let [_, height, width] = network.architecture().input;
    check(network, data, recipe)?;
    let rng = CounterRng::new(recipe.seed);
    let classes = network.outputs();
    let (validation, training) = stratified_split(
        data.labels,
        classes,
        recipe.validation_images,
        rng.stream(SPLIT),
    );
    if training.is_empty() {
        return Err(NetworkError::Setting(
            "validation_images: no image is left to learn from".into(),
        ));
    }
    let batches = training.len().div_ceil(recipe.batch_size);
    let steps = batches * recipe.epochs;
    let size = network.input_len();

    let mut trained = network.parameters().to_vec();
    let mut average = trained.clone();
    let mut best: Option<(EpochReport, Vec<f32>)> = None;
    let mut adam = Adam::new(network, recipe);
    let tape = Tape::new(network, Arc::clone(&threads));
    let mut judge = network.duplicate();
    let mut pixels = vec![0.0f32; recipe.batch_size * size];
    let mut curve = Vec::new();
    let mut step = 0;

    for epoch in 1..=recipe.epochs {
        let start = Instant::now();
        let order = rng
            .stream(ORDER)
            .stream(epoch as u64)
            .permutation(training.len());
        let moves = rng.stream(AUGMENT).stream(epoch as u64);
        let (mut loss_sum, mut right, mut seen) = (0.0, 0usize, 0usize);
        let mut learning_rate = 0.0;
        for (batch, chosen) in order.chunks(recipe.batch_size).enumerate() {
            let count = chosen.len();
            let mut labels = Vec::with_capacity(count);
            for (&i, to) in chosen.iter().zip(pixels.chunks_exact_mut(size)) {
                let image = training[i];
                labels.push(data.labels[image]);
                let from = &data.pixels[image * size..(image + 1) * size];
                let change = augment::Change::draw(recipe, moves, image as u64);
                augment::apply(from, [height, width], change, to);
            }
            let mut shape = vec![count];
            shape.extend(network.architecture().input);
            let x = Tensor::from_slice(&pixels[..count * size], shape, &Device::Cpu)?;
            let parameters = Var::from_slice(&trained, trained.len(), &Device::Cpu)?;
            let logits = tape.forward(&x, &parameters)?;
            let loss = cross_entropy(&logits, &labels, recipe.label_smoothing)?;
            let value = f64::from(loss.to_scalar::<f32>()?);
            if !value.is_finite() {
                return Err(NetworkError::Diverged {
                    epoch,
                    step: step + 1,
                    loss: value,
                });
            }
            let gradients = loss.backward()?;
            let Some(gradient) = gradients.get(&parameters) else {
                return Err(NetworkError::Setting(
                    "no gradient reached the parameters".into(),
                ));
            };
            let gradient = gradient.to_vec1::<f32>()?;

            learning_rate = recipe.learning_rate_at(step, steps);
            adam.step(&mut trained, &gradient, learning_rate);
            step += 1;
            if let Some(decay) = recipe.average_decay {
                // Short memory at first, or the average would carry the initial weights along.
                let decay = decay.min((1.0 + step as f64) / (10.0 + step as f64)) as f32;
                for (average, &now) in average.iter_mut().zip(&trained) {
                    *average = decay * *average + (1.0 - decay) * now;
                }
            }

            loss_sum += value * count as f64;
            let rows = logits.flatten_all()?.to_vec1::<f32>()?;
            right += rows
                .chunks_exact(classes)
                .zip(&labels)
                .filter(|(row, label)| loss::argmax(row) == **label)
                .count();
            seen += count;
            monitor(Progress::Batch {
                epoch,
                epochs: recipe.epochs,
                batch: batch + 1,
                batches,
                loss: loss_sum / seen as f64,
                accuracy: right as f64 / seen as f64,
                learning_rate,
            })
            .map_err(NetworkError::Cancelled)?;
        }
        let weights = if recipe.average_decay.is_some() {
            &average
        } else {
            &trained
        };
        judge.set_parameters(weights)?;
        let reached = evaluate(&judge, &threads, data, &validation)?;
        let report = EpochReport {
            epoch,
            epochs: recipe.epochs,
            step,
            steps,
            train_loss: loss_sum / seen as f64,
            train_accuracy: right as f64 / seen as f64,
            validation_loss: reached.loss,
            validation_accuracy: reached.accuracy,
            learning_rate,
            seconds: start.elapsed().as_secs_f64(),
        };
        curve.push(report);
        let better = match (&best, recipe.keep) {
            (None, _) | (_, KeptEpoch::Last) => true,
            (Some((best, _)), KeptEpoch::Best) => {
                (report.validation_accuracy, -report.validation_loss)
                    > (best.validation_accuracy, -best.validation_loss)
            }
        };
        if better {
            best = Some((report, weights.clone()));
        }
        monitor(Progress::Epoch(&report)).map_err(NetworkError::Cancelled)?;
    }

    let Some((kept, weights)) = best else {
        return Err(NetworkError::Setting("epochs: at least 1 is needed".into()));
    };
    network.set_parameters(&weights)?;
    let reached = evaluate(network, &threads, data, &training)?;
    Ok(TrainReport {
        recipe: recipe.clone(),
        training_images: training.len(),
        validation_images: validation.len(),
        kept_epoch: kept.epoch,
        train_loss: reached.loss,
        train_accuracy: reached.accuracy,
        validation_loss: kept.validation_loss,
        validation_accuracy: kept.validation_accuracy,
        curve,
    })
}

/// Loss and accuracy on the images numbered in `rows`; zero images give NaN.
///
/// # Errors
/// When the data do not fit the network.
pub fn evaluate(
    network: &Network,
    threads: &Threads,
    data: Images<'_>,
    rows: &[usize],
) -> Result<Evaluation, NetworkError> {
    let (size, classes) = (network.input_len(), network.outputs());
    let (mut loss_sum, mut right) = (0.0, 0usize);
    let mut pixels = Vec::new();
    for rows in rows.chunks(1024) {
        pixels.clear();
        for &row in rows {
            let image = &data.pixels[row * size..(row + 1) * size];
            pixels.extend(image.iter().map(|&v| f32::from(v) / 255.0));
        }
        let mut logits = vec![0.0; rows.len() * classes];
        network.logits(threads, &pixels, &mut logits)?;
        for (logits, &row) in logits.chunks_exact(classes).zip(rows) {
            loss_sum += loss::cross_entropy(logits, data.labels[row], 0.0);
            right += usize::from(loss::argmax(logits) == data.labels[row]);
        }
    }
    let n = rows.len() as f64;
    Ok(Evaluation {
        loss: loss_sum / n,
        accuracy: right as f64 / n,
    })
}

fn check(network: &Network, data: Images<'_>, recipe: &Recipe) -> Result<(), NetworkError> {
    let (want, got) = (data.labels.len() * network.input_len(), data.pixels.len());
    if want != got {
        return Err(NetworkError::Length {
            what: "pixels of the training images",
            got,
            want,
        });
    }
    let classes = network.outputs();
    if let Some((row, &label)) = data.labels.iter().enumerate().find(|(_, l)| **l >= classes) {
        return Err(NetworkError::Label {
            row,
            label,
            classes,
        });
    }
    recipe.check()
}
