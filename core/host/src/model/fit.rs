//! Training: data lent to the model, steps passed on, the report checked.

#![expect(unsafe_code, reason = "calls the model's tables of functions")]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::ThreadId;

use serde_json::Value;
use xbench_abi::{has_field, xb_fit_monitor, xb_fit_step, xb_owned};

use super::LoadedModel;
use super::tables::function;
use crate::call::{CallFrame, CallSettings};
use crate::error::{Fault, PluginError};
use crate::owned::take_bytes;
use crate::rows::{RowSource, RowsObject};
use crate::spec::FitStep;

impl LoadedModel {
    /// Trains the model; `training` is a JSON object with `preset` and `seed` among its keys.
    /// Returns the recipe that was followed and what it reached.
    ///
    /// # Errors
    ///
    /// The model's own error; [`Cancelled`](crate::PluginErrorKind::Cancelled) when the monitor
    /// stopped it; that it lacks `xbench.model.fit/1`.
    pub fn fit(
        &mut self,
        settings: &CallSettings,
        data: &dyn RowSource,
        training: &Value,
        monitor: &mut dyn FitMonitor,
    ) -> Result<Value, PluginError> {
        let result = self
            .run_fit(settings, data, training, monitor)
            .and_then(|report| self.refresh().map(|()| report));
        self.named(result)
    }

    fn run_fit(
        &self,
        settings: &CallSettings,
        data: &dyn RowSource,
        training: &Value,
        monitor: &mut dyn FitMonitor,
    ) -> Result<Value, Fault> {
        let function = function!(self.tables.fit, run)?;
        let training = training.to_string();
        let mut rows = RowsObject::new(data);
        // Copied, so that the plugin can read it while the monitor is told of steps.
        let resume = monitor.resume().map(<[u8]>::to_vec);
        let watcher = FitWatcher {
            thread: std::thread::current().id(),
            monitor: RefCell::new(monitor),
        };
        let raw_monitor = xb_fit_monitor {
            struct_size: size_of::<xb_fit_monitor>() as u32,
            reserved: 0,
            host_data: (&raw const watcher).cast_mut().cast(),
            step: Some(on_step),
            resume: resume
                .as_ref()
                .map_or(std::ptr::null(), |kept| kept.as_ptr()),
            resume_length: resume.as_ref().map_or(0, Vec::len),
            checkpoint: Some(on_checkpoint),
        };
        let frame = CallFrame::new(settings);
        let mut report: *mut xb_owned = std::ptr::null_mut();
        // SAFETY: object and function belong together; everything lent outlives the call, and the
        // report becomes ours.
        let bytes = unsafe {
            let status = function(
                self.object.raw(),
                frame.raw(),
                rows.raw(),
                training.as_ptr().cast(),
                training.len(),
                &raw const raw_monitor,
                &raw mut report,
            );
            frame.finish("fit", status)?;
            take_bytes("the report of fit", report)?
        };
        let report: Value = serde_json::from_slice(&bytes)
            .map_err(|error| Fault::contract(format!("the report of fit is not JSON: {error}")))?;
        if report.is_object() {
            Ok(report)
        } else {
            Err(Fault::contract("the report of fit is not a JSON object"))
        }
    }
}

/// Passes the steps of a training on to the host's closure.
struct FitWatcher<'m> {
    thread: ThreadId,
    monitor: RefCell<&'m mut dyn FitMonitor>,
}

/// Whom [`LoadedModel::fit`] tells how far it is, and who keeps the training's state.
pub trait FitMonitor {
    /// After each batch and each epoch; false stops the training.
    fn step(&mut self, step: &FitStep) -> bool;

    /// The state that an interrupted training of the same model, settings and data kept last.
    fn resume(&self) -> Option<&[u8]> {
        None
    }

    /// Keeps the state in place of the last; false: it could not.
    fn checkpoint(&mut self, state: &[u8]) -> bool {
        let _ = state;
        true
    }
}

/// A monitor that keeps nothing.
impl<F: FnMut(&FitStep) -> bool> FitMonitor for F {
    fn step(&mut self, step: &FitStep) -> bool {
        self(step)
    }
}

/// Asks the watcher that a plugin hands back, if it is asked where it may be; false else.
///
/// # Safety
///
/// `monitor` is null or the one that `run_fit` lent, during its call.
unsafe fn watched(
    monitor: *const xb_fit_monitor,
    ask: impl FnOnce(&mut dyn FitMonitor) -> Option<bool>,
) -> bool {
    let report = || {
        // SAFETY: by this function's contract.
        let watcher = unsafe { &*monitor.as_ref()?.host_data.cast::<FitWatcher<'_>>() };
        // The closure belongs to the thread that called fit, and is not entered twice.
        if watcher.thread != std::thread::current().id() {
            return None;
        }
        let mut monitor = watcher.monitor.try_borrow_mut().ok()?;
        ask(&mut **monitor)
    };
    // A panic must not cross into C: it stops the training.
    catch_unwind(AssertUnwindSafe(report))
        .ok()
        .flatten()
        .unwrap_or(false)
}

unsafe extern "C" fn on_checkpoint(
    monitor: *const xb_fit_monitor,
    state: *const u8,
    length: usize,
) -> bool {
    // SAFETY: a plugin hands back the monitor it was given, during the call, and so many bytes.
    unsafe {
        watched(monitor, |monitor| {
            if state.is_null() || length > isize::MAX as usize {
                return None;
            }
            Some(monitor.checkpoint(std::slice::from_raw_parts(state, length)))
        })
    }
}

unsafe extern "C" fn on_step(monitor: *const xb_fit_monitor, step: *const xb_fit_step) -> bool {
    let ask = |monitor: &mut dyn FitMonitor| {
        // SAFETY: the size comes first, and says that all fields exist.
        let step = unsafe {
            if step.is_null() || !has_field!((*step).struct_size, xb_fit_step, learning_rate) {
                return None;
            }
            *step
        };
        let finite = |value: f64| value.is_finite().then_some(value);
        Some(monitor.step(&FitStep {
            epoch_done: step.epoch_done != 0,
            epoch: step.epoch,
            epochs: step.epochs,
            batch: step.batch,
            batches: step.batches,
            loss: step.loss,
            accuracy: step.accuracy,
            validation_loss: finite(step.validation_loss),
            validation_accuracy: finite(step.validation_accuracy),
            learning_rate: step.learning_rate,
        }))
    };
    // SAFETY: a plugin hands back the monitor it was given, during the call.
    unsafe { watched(monitor, ask) }
}
