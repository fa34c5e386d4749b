//! What changes a model: randomised parameters, loaded weights.

#![expect(unsafe_code, reason = "calls the model's tables of functions")]

use xbench_abi::{XB_RANDOMISE_CASCADE, XB_RANDOMISE_SINGLE, xb_owned};

use super::read::MAX_NAME;
use super::tables::{function, served};
use super::{LoadedModel, c_name};
use crate::call::{CallFrame, CallSettings};
use crate::error::{Fault, PluginError};
use crate::load::text;
use crate::owned::take_bytes;
use crate::spec::Randomise;

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
            let function = function!(self.tables.parameters, randomise)?;
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
            let function = function!(self.tables.parameters, restore)?;
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
            let function = function!(self.tables.parameters, fingerprint)?;
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
            let table = served(self.tables.weights)?;
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
            let function = function!(self.tables.weights, save)?;
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
            let function = function!(self.tables.weights, load)?;
            let frame = CallFrame::new(settings);
            // SAFETY: object and function belong together; the bytes outlive the call.
            let status =
                unsafe { function(self.object.raw(), frame.raw(), bytes.as_ptr(), bytes.len()) };
            frame.finish("load", status)
        };
        let result = run().and_then(|()| self.refresh());
        self.named(result)
    }
}
