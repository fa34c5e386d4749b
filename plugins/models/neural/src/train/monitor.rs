//! Whom a training tells where it stands, and who keeps its state.

use super::EpochReport;

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

/// Hears of every batch and epoch, and keeps the state between them. A closure is a monitor that
/// keeps nothing.
pub trait Monitor {
    /// Where training stands; a reason stops it.
    ///
    /// # Errors
    /// The reason.
    fn progress(&mut self, progress: Progress<'_>) -> Result<(), String>;

    /// The state that an interrupted training of the same network, data and recipe kept last.
    fn resume(&self) -> Option<&[u8]> {
        None
    }

    /// Keeps the state in place of the last one, after each epoch.
    ///
    /// # Errors
    /// Why training must stop.
    fn checkpoint(&mut self, state: &[u8]) -> Result<(), String> {
        let _ = state;
        Ok(())
    }
}

impl<F: FnMut(Progress<'_>) -> Result<(), String>> Monitor for F {
    fn progress(&mut self, progress: Progress<'_>) -> Result<(), String> {
        self(progress)
    }
}
