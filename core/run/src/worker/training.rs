//! What a model's training sees of the host: rows, and whom to tell.

use xbench_host::worker::Responder;
use xbench_host::{FitMonitor, FitStep, RowSource};

use crate::task::{Checkpoint, RowLayout, TrainingStep, message_of};

/// Tells the host of a training's steps and states.
pub(super) struct ToHost<'r> {
    pub(super) responder: &'r Responder,
    pub(super) resume: Option<&'r [u8]>,
}

impl FitMonitor for ToHost<'_> {
    fn step(&mut self, step: &FitStep) -> bool {
        let step = TrainingStep {
            epoch_done: step.epoch_done,
            epoch: step.epoch,
            epochs: step.epochs,
            batch: step.batch,
            batches: step.batches,
            loss: step.loss,
            accuracy: step.accuracy,
            validation_loss: step.validation_loss,
            validation_accuracy: step.validation_accuracy,
            learning_rate: step.learning_rate,
        };
        self.responder.event(&message_of(&step)).is_ok()
    }

    fn resume(&self) -> Option<&[u8]> {
        self.resume
    }

    fn checkpoint(&mut self, state: &[u8]) -> bool {
        let mut event = message_of(&Checkpoint {
            checkpoint: state.len(),
        });
        event.blobs.push(state.to_vec());
        self.responder.event(&event).is_ok()
    }
}

/// The rows a model is trained on, as they travelled.
pub(super) struct TrainingRows<'d> {
    pub(super) layout: RowLayout,
    pub(super) classes: usize,
    pub(super) validation: usize,
    pub(super) values: &'d [u8],
    pub(super) labels: Vec<i64>,
    pub(super) masks: &'d [u8],
    pub(super) present: &'d [u8],
}

impl TrainingRows<'_> {
    fn slice<'s>(&self, all: &'s [u8], row: usize, size: usize) -> Result<&'s [u8], String> {
        all.get(row * size..(row + 1) * size)
            .ok_or_else(|| format!("row {row} of {}", self.labels.len()))
    }
}

impl RowSource for TrainingRows<'_> {
    fn num_rows(&self) -> usize {
        self.labels.len()
    }

    fn num_classes(&self) -> usize {
        self.classes
    }

    fn input_shape(&self) -> &[usize] {
        &self.layout.shape
    }

    fn is_images(&self) -> bool {
        !self.layout.table
    }

    fn num_validation(&self) -> usize {
        self.validation
    }

    fn has_masks(&self) -> bool {
        !self.present.is_empty()
    }

    fn label(&self, row: usize) -> i64 {
        self.labels[row]
    }

    fn pixels(&self, row: usize, to: &mut [u8]) -> Result<(), String> {
        to.copy_from_slice(self.slice(self.values, row, self.layout.len())?);
        Ok(())
    }

    fn values(&self, row: usize, to: &mut [f32]) -> Result<(), String> {
        let width = if self.layout.table { 4 } else { 1 };
        let bytes = self.slice(self.values, row, self.layout.len() * width)?;
        to.copy_from_slice(&self.layout.unpack(bytes));
        Ok(())
    }

    fn mask(&self, row: usize, to: &mut [u8]) -> Result<bool, String> {
        to.copy_from_slice(self.slice(self.masks, row, to.len())?);
        Ok(self.present.get(row).is_some_and(|&present| present != 0))
    }
}
