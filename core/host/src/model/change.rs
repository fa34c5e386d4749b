//! What changes a model: randomised parameters, loaded weights, training.

#![expect(unsafe_code, reason = "calls the model's tables of functions")]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread::ThreadId;

use serde_json::Value;
use xbench_abi::{
    XB_EXT_FIT, XB_EXT_PARAMETERS, XB_EXT_WEIGHTS, XB_RANDOMISE_CASCADE, XB_RANDOMISE_SINGLE,
    has_field, xb_fit_monitor, xb_fit_step, xb_owned, xb_parameters, xb_weights,
};

use super::read::MAX_NAME;
use super::{LoadedModel, c_name, function};
use crate::call::{CallFrame, CallSettings};
use crate::error::{Fault, PluginError};
use crate::load::text;
use crate::owned::take_bytes;
use crate::rows::{RowSource, RowsObject};
use crate::spec::{FitStep, Randomise};

impl LoadedModel {
    /// Replaces the parameters of layers by random ones drawn from `settings.seed`.
    ///
    /// # Errors
    ///
    /// The model's own error, or that it lacks `xbench.model.parameters/1`.
    pub fn randomise(
        &mut self,
        settings: &CallSettings,
        mode: Randomise,
        layer: &str,
    ) -> Result<(), PluginError> {
        let run = || {
            let function = function!(self.parameters()?, randomise)?;
            let mode = match mode {
                Randomise::Cascade => XB_RANDOMISE_CASCADE,
                Randomise::Single => XB_RANDOMISE_SINGLE,
            };
            let layer = c_name(layer)?;
            let frame = CallFrame::new(settings);
            // SAFETY: object and function belong together; call and name outlive the call.
            let status = unsafe { function(self.object.raw(), frame.raw(), mode, layer.as_ptr()) };
            frame.finish("randomise", status)
        };
        let result = run();
        self.named(result)
    }

    /// Undoes every [`LoadedModel::randomise`].
    ///
    /// # Errors
    ///
    /// As [`LoadedModel::randomise`].
    pub fn restore(&mut self, settings: &CallSettings) -> Result<(), PluginError> {
        let run = || {
            let function = function!(self.parameters()?, restore)?;
            let frame = CallFrame::new(settings);
            // SAFETY: object and function belong together; the call outlives the call.
            let status = unsafe { function(self.object.raw(), frame.raw()) };
            frame.finish("restore", status)
        };
        let result = run();
        self.named(result)
    }

    /// SHA-256 of the parameters.
    ///
    /// # Errors
    ///
    /// As [`LoadedModel::randomise`].
    pub fn fingerprint(&self, settings: &CallSettings) -> Result<[u8; 32], PluginError> {
        let run = || {
            let function = function!(self.parameters()?, fingerprint)?;
            let frame = CallFrame::new(settings);
            let mut digest = [0_u8; 32];
            // SAFETY: object and function belong together; the digest has 32 bytes.
            let status = unsafe { function(self.object.raw(), frame.raw(), digest.as_mut_ptr()) };
            frame.finish("fingerprint", status)?;
            Ok(digest)
        };
        self.named(run())
    }

    /// Format of [`LoadedModel::save`], for instance `safetensors`.
    ///
    /// # Errors
    ///
    /// That it lacks `xbench.model.weights/1`.
    pub fn weights_format(&self) -> Result<String, PluginError> {
        let run = || {
            let table = self.weights()?;
            // SAFETY: the table was checked; its text is NUL-terminated and lives as it does.
            unsafe { text("weights format", table.as_ref().format, MAX_NAME) }
        };
        self.named(run())
    }

    /// The parameters as bytes of a file.
    ///
    /// # Errors
    ///
    /// The model's own error, or that it lacks `xbench.model.weights/1`.
    pub fn save(&self, settings: &CallSettings) -> Result<Vec<u8>, PluginError> {
        let run = || {
            let function = function!(self.weights()?, save)?;
            let frame = CallFrame::new(settings);
            let mut bytes: *mut xb_owned = std::ptr::null_mut();
            // SAFETY: object and function belong together; the result becomes ours.
            unsafe {
                let status = function(self.object.raw(), frame.raw(), &raw mut bytes);
                frame.finish("save", status)?;
                take_bytes("the saved weights", bytes)
            }
        };
        self.named(run())
    }

    /// Takes the parameters from bytes that [`LoadedModel::save`] made.
    ///
    /// # Errors
    ///
    /// The model's own error, or that it lacks `xbench.model.weights/1`.
    pub fn load(&mut self, settings: &CallSettings, bytes: &[u8]) -> Result<(), PluginError> {
        let run = || {
            let function = function!(self.weights()?, load)?;
            let frame = CallFrame::new(settings);
            // SAFETY: object and function belong together; the bytes outlive the call.
            let status =
                unsafe { function(self.object.raw(), frame.raw(), bytes.as_ptr(), bytes.len()) };
            frame.finish("load", status)
        };
        let result = run().and_then(|()| self.refresh());
        self.named(result)
    }

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
        let table = self
            .tables
            .fit
            .ok_or_else(|| Fault::unsupported(&XB_EXT_FIT.to_string_lossy()))?;
        let function = function!(table, run)?;
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

    fn parameters(&self) -> Result<NonNull<xb_parameters>, Fault> {
        let unsupported = || Fault::unsupported(&XB_EXT_PARAMETERS.to_string_lossy());
        self.tables.parameters.ok_or_else(unsupported)
    }

    fn weights(&self) -> Result<NonNull<xb_weights>, Fault> {
        self.tables
            .weights
            .ok_or_else(|| Fault::unsupported(&XB_EXT_WEIGHTS.to_string_lossy()))
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
