//! What a training reached, epoch by epoch and at its end.

use serde::Serialize;
use xbench_nn::Threads;
use xbench_nn::kernel::loss;

use super::{Images, Recipe};
use crate::network::{Network, NetworkError};

/// What an epoch reached.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Cross-entropy on the images held out, in nats; NaN where there are none.
    pub validation_loss: f64,
    /// Accuracy on the images held out; NaN where there are none.
    pub validation_accuracy: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Wall time of the epoch.
    pub seconds: f64,
}

impl EpochReport {
    /// Whether it did better on the images held out: a higher accuracy, or the same at a lower
    /// loss.
    pub(super) fn beats(&self, other: &EpochReport) -> bool {
        (self.validation_accuracy, -self.validation_loss)
            > (other.validation_accuracy, -other.validation_loss)
    }
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
    /// Epochs that were trained; fewer than the recipe's where patience ran out.
    pub epochs: usize,
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
