//! Training, the same anywhere: a recipe and a seed decide every number, whatever the number of
//! threads, and however often it was interrupted.
//!
//! Batches, flips, shifts, dropout and initial weights come from counters, weight gradients are
//! summed block by block in a fixed order, and the epoch that is kept is chosen on images held
//! out of the training set; the test set has no part in it. After each epoch the state is offered
//! to the [`Monitor`], and a training that finds one goes on from there.

mod augment;
mod checkpoint;
mod epoch;
mod monitor;
mod optimiser;
mod recipe;
mod report;
mod split;

use std::sync::Arc;

use xbench_nn::Threads;

pub use monitor::{Monitor, Progress};
pub use optimiser::Epsilon;
pub use recipe::{KeptEpoch, Preset, Recipe, Schedule};
pub use report::{EpochReport, Evaluation, TrainReport, evaluate};
pub use split::{Split, stratified_split};

use crate::network::{Network, NetworkError};
use checkpoint::{Frame, State};
use epoch::Trainer;

/// Labelled images, `[images, channels, height, width]` bytes.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// Pixels, 0 to 255; networks see them divided by 255.
    pub pixels: &'a [u8],
    /// Class of each image.
    pub labels: &'a [usize],
    /// The last so many images are the data's own validation split; 0 where they have none.
    pub validation: usize,
}

/// Trains `network` in place, from the weights it has.
///
/// `monitor` hears of every batch and epoch, stops training by returning a reason, and may keep
/// its state. A training that goes on from such a state tells of the epochs that are left.
///
/// # Errors
/// When data and network do not fit, a setting makes no sense, a kept state is not this
/// training's, training diverges, or the monitor stops it; the network then keeps the weights it
/// had.
pub fn train(
    network: &mut Network,
    data: Images<'_>,
    recipe: &Recipe,
    threads: Arc<Threads>,
    monitor: &mut dyn Monitor,
) -> Result<TrainReport, NetworkError> {
    check(network, data)?;
    let split = Split::new(data, network.outputs(), recipe);
    recipe.check(split.validation.len())?;
    if split.training.is_empty() {
        return Err(NetworkError::Setting(
            "validation_images or validation_share: no image is left to learn from".into(),
        ));
    }
    let frame = Frame {
        recipe,
        parameters: network.parameter_count(),
        training: split.training.len(),
        validation: split.validation.len(),
        batches: split.training.len().div_ceil(recipe.batch_size),
    };
    let mut state = match monitor.resume() {
        Some(bytes) => State::decode(bytes, frame)?,
        None => State::new(network.parameters().to_vec(), recipe),
    };
    let mut trainer = Trainer::new(network, data, recipe, &split, Arc::clone(&threads));
    while state.epoch < recipe.epochs
        && recipe
            .patience
            .is_none_or(|patience| state.stale_epochs() < patience)
    {
        let report = trainer.epoch(&mut state, monitor)?;
        state.curve.push(report);
        state.epoch = report.epoch;
        let best = state.kept.as_ref().map(|(epoch, _)| *epoch - 1);
        let better = match (best, recipe.keep) {
            (None, _) | (_, KeptEpoch::Last) => true,
            (Some(best), KeptEpoch::Best) => report.beats(&state.curve[best]),
        };
        if better {
            state.kept = Some((report.epoch, state.judged().to_vec()));
        }
        monitor
            .progress(Progress::Epoch(&report))
            .map_err(NetworkError::Cancelled)?;
        monitor
            .checkpoint(&state.encode(frame)?)
            .map_err(NetworkError::Cancelled)?;
    }

    let Some((epoch, weights)) = state.kept else {
        return Err(NetworkError::Setting("epochs: at least 1 is needed".into()));
    };
    network.set_parameters(&weights)?;
    let reached = evaluate(network, &threads, data, &split.training)?;
    let kept = state.curve[epoch - 1];
    Ok(TrainReport {
        recipe: recipe.clone(),
        training_images: split.training.len(),
        validation_images: split.validation.len(),
        epochs: state.epoch,
        kept_epoch: epoch,
        train_loss: reached.loss,
        train_accuracy: reached.accuracy,
        validation_loss: kept.validation_loss,
        validation_accuracy: kept.validation_accuracy,
        curve: state.curve,
    })
}

fn check(network: &Network, data: Images<'_>) -> Result<(), NetworkError> {
    let (want, got) = (data.labels.len() * network.input_len(), data.pixels.len());
    if want != got {
        return Err(NetworkError::Length {
            what: "pixels of the training images",
            got,
            want,
        });
    }
    let classes = network.outputs();
    match data.labels.iter().enumerate().find(|(_, l)| **l >= classes) {
        None => Ok(()),
        Some((row, &label)) => Err(NetworkError::Label {
            row,
            label,
            classes,
        }),
    }
}

#[cfg(test)]
mod tests;
