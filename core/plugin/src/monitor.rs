//! The host's monitor, as a model's training sees it.
#![expect(
    unsafe_code,
    reason = "calls the functions of the host's xb_fit_monitor"
)]

use xbench_abi as abi;

use crate::error::{Error, Result};
use crate::ffi;
use crate::model::{FitMonitor, FitStep};

/// The host's monitor of a training.
pub(crate) struct HostMonitor<'m> {
    monitor: &'m abi::xb_fit_monitor,
    resume: Option<&'m [u8]>,
}

impl<'m> HostMonitor<'m> {
    /// # Safety
    /// When not null and aligned, `monitor` must keep the contract and stay valid for the lifetime.
    pub(crate) unsafe fn from_raw(monitor: *const abi::xb_fit_monitor) -> Result<Self> {
        let wrong = |what: &str| Error::invalid_argument(format!("the monitor {what}"));
        if monitor.is_null() || !monitor.is_aligned() {
            return Err(wrong("is null or misaligned"));
        }
        // SAFETY: the first field is there in every version.
        let size = unsafe { (&raw const (*monitor).struct_size).read() };
        if !abi::has_field!(size, abi::xb_fit_monitor, checkpoint) {
            return Err(wrong("is made for an older contract"));
        }
        // SAFETY: as long as this version of it; valid by the caller's promise.
        let monitor = unsafe { &*monitor };
        let resume = if monitor.resume.is_null() {
            None
        } else {
            // SAFETY: the contract: that many bytes, valid during the call.
            Some(unsafe { ffi::slice(monitor.resume, monitor.resume_length, "the kept state") }?)
        };
        Ok(Self { monitor, resume })
    }
}

impl FitMonitor for HostMonitor<'_> {
    fn step(&mut self, step: &FitStep) -> Result<()> {
        let Some(function) = self.monitor.step else {
            return Ok(());
        };
        let step = abi::xb_fit_step {
            struct_size: size_of::<abi::xb_fit_step>() as u32,
            epoch_done: u32::from(step.epoch_done),
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
        // SAFETY: a monitor that keeps the contract.
        if unsafe { function(self.monitor, &step) } {
            Ok(())
        } else {
            Err(Error::cancelled())
        }
    }

    fn resume(&self) -> Option<&[u8]> {
        self.resume
    }

    fn checkpoint(&mut self, state: &[u8]) -> Result<()> {
        let Some(function) = self.monitor.checkpoint else {
            return Ok(());
        };
        // SAFETY: a monitor that keeps the contract; the state outlives the call.
        if unsafe { function(self.monitor, state.as_ptr(), state.len()) } {
            Ok(())
        } else {
            Err(Error::internal(
                "the state of the training could not be kept",
            ))
        }
    }
}
