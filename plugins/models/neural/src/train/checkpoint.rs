//! The state of a training between two epochs, and that state as bytes.
//!
//! The bytes are the length of a JSON header (eight bytes, little-endian), the header, and the
//! vectors in single precision, little-endian: weights, Adam's two moments, the running average
//! and the kept weights, the last two where there are any. Numbers of the curve are kept as their
//! bits, so that what is read is what was written.

use serde::{Deserialize, Serialize};

use super::{EpochReport, Recipe};
use crate::network::NetworkError;

/// Everything that decides the rest of a training.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// Epochs done.
    pub(super) epoch: usize,
    /// Optimiser steps done.
    pub(super) step: usize,
    pub(super) weights: Vec<f32>,
    /// Adam's running mean of the gradient.
    pub(super) first: Vec<f32>,
    /// Adam's running mean of the squared gradient.
    pub(super) second: Vec<f32>,
    /// Running average of the weights, where the recipe has one.
    pub(super) average: Option<Vec<f32>>,
    /// The epoch to be kept so far, from 1, and its weights.
    pub(super) kept: Option<(usize, Vec<f32>)>,
    /// Every epoch done.
    pub(super) curve: Vec<EpochReport>,
}

/// What a state must fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) recipe: &'a Recipe,
    /// Parameters of the network.
    pub(super) parameters: usize,
    /// Images to learn from.
    pub(super) training: usize,
    /// Images held out.
    pub(super) validation: usize,
    /// Steps in an epoch.
    pub(super) batches: usize,
}

const FORMAT: &str = "xbench-network-training/1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    recipe: Recipe,
    parameters: usize,
    training: usize,
    validation: usize,
    average: bool,
    kept: Option<usize>,
    /// Of each epoch: training loss and accuracy, validation loss and accuracy, learning rate,
    /// seconds.
    curve: Vec<[u64; 6]>,
}

impl State {
    /// Before the first epoch.
    pub(super) fn new(weights: Vec<f32>, recipe: &Recipe) -> Self {
        State {
            epoch: 0,
            step: 0,
            first: vec![0.0; weights.len()],
            second: vec![0.0; weights.len()],
            average: recipe.average_decay.map(|_| weights.clone()),
            kept: None,
            curve: Vec::new(),
            weights,
        }
    }

    /// The weights to be judged and kept: the average, where there is one.
    pub(super) fn judged(&self) -> &[f32] {
        self.average.as_ref().unwrap_or(&self.weights)
    }

    /// Epochs since the one that did best on the images held out.
    pub(super) fn stale_epochs(&self) -> usize {
        let mut best: Option<&EpochReport> = None;
        for report in &self.curve {
            if best.is_none_or(|best| report.beats(best)) {
                best = Some(report);
            }
        }
        best.map_or(0, |best| self.epoch - best.epoch)
    }

    /// The state as bytes.
    pub(super) fn encode(&self, frame: Frame<'_>) -> Result<Vec<u8>, NetworkError> {
        let header = Header {
            format: FORMAT.to_owned(),
            recipe: frame.recipe.clone(),
            parameters: frame.parameters,
            training: frame.training,
            validation: frame.validation,
            average: self.average.is_some(),
            kept: self.kept.as_ref().map(|(epoch, _)| *epoch),
            curve: self.curve.iter().map(bits).collect(),
        };
        let header = serde_json::to_vec(&header).map_err(|e| wrong(e.to_string()))?;
        let vectors = [Some(&self.weights), Some(&self.first), Some(&self.second)]
            .into_iter()
            .chain([
                self.average.as_ref(),
                self.kept.as_ref().map(|(_, weights)| weights),
            ])
            .flatten();
        let mut bytes = Vec::with_capacity(8 + header.len() + 5 * 4 * frame.parameters);
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header);
        for value in vectors.flatten() {
            bytes.extend(value.to_le_bytes());
        }
        Ok(bytes)
    }

    /// Reads a state, which may come from anywhere.
    pub(super) fn decode(bytes: &[u8], frame: Frame<'_>) -> Result<Self, NetworkError> {
        let cut = || wrong("it is cut short".to_owned());
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
        let (header, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        let header: Header =
            serde_json::from_slice(header).map_err(|e| wrong(format!("its header: {e}")))?;
        if header.format != FORMAT {
            return Err(wrong(format!("its format is '{}'", header.format)));
        }
        let Frame {
            recipe, parameters, ..
        } = frame;
        if header.recipe != *recipe
            || header.parameters != parameters
            || (header.training, header.validation) != (frame.training, frame.validation)
        {
            return Err(wrong(
                "it belongs to another network, recipe or data set".to_owned(),
            ));
        }
        let epoch = header.curve.len();
        if epoch > recipe.epochs
            || header.average != recipe.average_decay.is_some()
            || header.kept.is_some_and(|kept| kept == 0 || kept > epoch)
            || header.kept.is_none() != (epoch == 0)
        {
            return Err(wrong("its counters contradict each other".to_owned()));
        }
        let vectors = 3 + usize::from(header.average) + usize::from(header.kept.is_some());
        let (values, tail) = rest.as_chunks::<4>();
        if !tail.is_empty() || Some(values.len()) != parameters.checked_mul(vectors) {
            return Err(wrong(format!("{} bytes of values", rest.len())));
        }
        if !values.iter().all(|v| f32::from_le_bytes(*v).is_finite()) {
            return Err(wrong("it holds values that are not finite".to_owned()));
        }
        let mut vectors = values
            .chunks_exact(parameters.max(1))
            .map(|values| values.iter().map(|v| f32::from_le_bytes(*v)).collect());
        let mut next = || vectors.next().unwrap_or_default();
        let (weights, first, second) = (next(), next(), next());
        let average = header.average.then(&mut next);
        let kept = header.kept.map(|epoch| (epoch, next()));
        let steps = frame.batches * recipe.epochs;
        let curve = header.curve.iter().enumerate().map(|(i, row)| {
            let [
                loss,
                accuracy,
                validation_loss,
                validation_accuracy,
                rate,
                seconds,
            ] = row.map(f64::from_bits);
            EpochReport {
                epoch: i + 1,
                epochs: recipe.epochs,
                step: (i + 1) * frame.batches,
                steps,
                train_loss: loss,
                train_accuracy: accuracy,
                validation_loss,
                validation_accuracy,
                learning_rate: rate,
                seconds,
            }
        });
        Ok(State {
            epoch,
            step: epoch * frame.batches,
            weights,
            first,
            second,
            average,
            kept,
            curve: curve.collect(),
        })
    }
}

fn bits(report: &EpochReport) -> [u64; 6] {
    [
        report.train_loss,
        report.train_accuracy,
        report.validation_loss,
        report.validation_accuracy,
        report.learning_rate,
        report.seconds,
    ]
    .map(f64::to_bits)
}

fn wrong(why: String) -> NetworkError {
    NetworkError::Checkpoint(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lenet;
    use crate::train::Preset;

    fn state(recipe: &Recipe) -> State {
        let report = |epoch: usize, accuracy| EpochReport {
            epoch,
            epochs: recipe.epochs,
            step: epoch * 7,
            steps: 7 * recipe.epochs,
            train_loss: 0.1 + 0.2,
            train_accuracy: 1.0 / 3.0,
            validation_loss: f64::NAN,
            validation_accuracy: accuracy,
            learning_rate: 1e-3,
            seconds: 0.5,
        };
        State {
            epoch: 2,
            step: 14,
            weights: vec![1.0, 2.0],
            first: vec![3.0, 4.0],
            second: vec![5.0, 6.0],
            average: Some(vec![7.0, 8.0]),
            kept: Some((1, vec![9.0, 10.0])),
            curve: vec![report(1, 0.9), report(2, 0.8)],
        }
    }

    fn frame(recipe: &Recipe) -> Frame<'_> {
        Frame {
            recipe,
            parameters: 2,
            training: 70,
            validation: 9,
            batches: 7,
        }
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let recipe = lenet::recipe(Preset::Best, 3);
        let before = state(&recipe);
        let bytes = before.encode(frame(&recipe)).unwrap();
        let after = State::decode(&bytes, frame(&recipe)).unwrap();
        // NaN is no number's equal: compare the bytes.
        assert_eq!(after.encode(frame(&recipe)).unwrap(), bytes);
        assert_eq!((after.epoch, after.step), (2, 14));
        assert_eq!(after.kept, before.kept);
        assert!(after.curve[0].validation_loss.is_nan());
        assert_eq!(after.curve[1].train_loss, 0.1 + 0.2);
    }

    #[test]
    fn states_that_do_not_fit_are_refused() {
        let recipe = lenet::recipe(Preset::Best, 3);
        let bytes = state(&recipe).encode(frame(&recipe)).unwrap();
        for length in 0..bytes.len() {
            assert!(State::decode(&bytes[..length], frame(&recipe)).is_err());
        }
        let mut huge = bytes.clone();
        huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        let mut nan = bytes.clone();
        let end = nan.len();
        nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        for wrong in [huge, nan, [&bytes[..], &[0; 4]].concat()] {
            assert!(State::decode(&wrong, frame(&recipe)).is_err());
        }
        let other = lenet::recipe(Preset::Best, 4);
        assert!(State::decode(&bytes, frame(&other)).is_err(), "seed");
        let more = Frame {
            training: 71,
            ..frame(&recipe)
        };
        assert!(State::decode(&bytes, more).is_err(), "data");
    }

    #[test]
    fn patience_counts_from_the_best_epoch() {
        let recipe = lenet::recipe(Preset::Best, 3);
        let mut state = state(&recipe);
        for report in &mut state.curve {
            report.validation_loss = 0.5;
        }
        assert_eq!(state.stale_epochs(), 1);
        state.curve[1].validation_accuracy = 0.95;
        assert_eq!(state.stale_epochs(), 0);
    }
}
