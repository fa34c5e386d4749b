//! A model under test, or one for the test of an explainer.

use std::ffi::CStr;
use std::ptr::NonNull;

use xbench_abi as abi;

use super::{CallOptions, Object, TestData, call};
use crate::backward::BackwardRule;
use crate::error::{Error, Result};
use crate::export::{self, Export};
use crate::ffi::{self, Received, c_string};
use crate::handle::{HandlePullback, ModelHandle};
use crate::model::{FitStep, LayerSpec, LinearHead, ModelSpec, Pullback, Randomise, Wrt};
use crate::tensor::{Tensor, TensorRef};
use crate::trees::TreeEnsemble;

/// A model, made by [`TestHost::model`](super::TestHost::model) or
/// [`test_model!`](crate::test_model!).
///
/// Each method calls the function of the same name through the C entry; errors carry the status and
/// the text that the model reported.
#[derive(Debug)]
pub struct TestModel {
    object: Object,
    spec: ModelSpec,
}

impl TestModel {
    /// Used by [`test_model!`](crate::test_model!).
    ///
    /// # Errors
    /// When the model describes itself in a way that does not fit the contract.
    #[doc(hidden)]
    pub fn of<E: Export>(plugin: E::Plugin) -> Result<Self> {
        let pointer = NonNull::new(export::make::<E>(plugin)?)
            .ok_or_else(|| Error::internal("no object was made"))?;
        Self::new(Object {
            pointer,
            options: CallOptions::default(),
        })
    }

    pub(super) fn new(object: Object) -> Result<Self> {
        // SAFETY: a live object that keeps the contract.
        let spec = unsafe { ModelHandle::from_raw(object.pointer.as_ptr()) }?
            .spec()
            .clone();
        Ok(Self { object, spec })
    }

    /// Seed, threads, deadline and cancellation of the calls from now on.
    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> Self {
        self.object.options = options;
        self
    }

    /// What goes in and what comes out.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Does the object serve this capability?
    #[must_use]
    pub fn provides(&self, capability: &CStr) -> bool {
        self.with_handle(|handle, _| Ok(handle.provides(capability)))
            .unwrap_or(false)
    }

    /// Outputs `[n, outputs]`.
    ///
    /// # Errors
    /// What the model reports.
    pub fn predict(&self, x: TensorRef<'_>) -> Result<Tensor> {
        let mut outputs = Tensor::zeros([x.rows(), self.spec.outputs])?;
        self.with_handle(|handle, ctx| handle.predict(ctx, x, outputs.data_mut()))?;
        Ok(outputs)
    }

    /// The layers.
    ///
    /// # Errors
    /// What the model reports.
    pub fn layers(&self) -> Result<Vec<LayerSpec>> {
        self.with_handle(|handle, _| handle.layers())
    }

    /// Value of a layer.
    ///
    /// # Errors
    /// What the model reports.
    pub fn activation(&self, x: TensorRef<'_>, layer: &str) -> Result<Tensor> {
        self.with_handle(|handle, ctx| Ok(handle.activation(ctx, x, layer)?.as_ref().to_tensor()))
    }

    /// Gradient, and the activation where it is wanted.
    ///
    /// # Errors
    /// What the model reports.
    pub fn vjp(
        &self,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        self.with_handle(|handle, ctx| handle.vjp(ctx, x, output_gradient, wrt, want_activation))
            .map(kept)
    }

    /// Gradient by another rule than the chain rule, and the activation where it is wanted.
    ///
    /// # Errors
    /// What the model reports.
    pub fn modified_vjp(
        &self,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        rule: BackwardRule<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        self.with_handle(|handle, ctx| {
            handle.modified_vjp(ctx, x, output_gradient, rule, wrt, want_activation)
        })
        .map(kept)
    }

    /// Names of the backward rules.
    ///
    /// # Errors
    /// What the model reports.
    pub fn backward_rules(&self) -> Result<Vec<String>> {
        self.with_handle(|handle, _| handle.backward_rules())
    }

    /// Outputs that values of a layer lead to.
    ///
    /// # Errors
    /// What the model reports.
    pub fn forward_from(&self, layer: &str, value: TensorRef<'_>) -> Result<Tensor> {
        let mut outputs = Tensor::zeros([value.rows(), self.spec.outputs])?;
        self.with_handle(|handle, ctx| handle.forward_from(ctx, layer, value, outputs.data_mut()))?;
        Ok(outputs)
    }

    /// What a layer adds before its non-linearity.
    ///
    /// # Errors
    /// What the model reports.
    pub fn biases(&self, layer: &str) -> Result<Option<Vec<f32>>> {
        self.with_handle(|handle, ctx| handle.biases(ctx, layer))
    }

    /// The linear head and the layer that it stands on.
    ///
    /// # Errors
    /// What the model reports.
    pub fn linear(&self) -> Result<(String, LinearHead)> {
        self.with_handle(|handle, ctx| handle.linear(ctx))
    }

    /// The predicted object masks, `[n, h, w]`.
    ///
    /// # Errors
    /// What the model reports.
    pub fn segment(&self, x: TensorRef<'_>) -> Result<Tensor> {
        self.with_handle(|handle, ctx| Ok(handle.segment(ctx, x)?.as_ref().to_tensor()))
    }

    /// The decision trees.
    ///
    /// # Errors
    /// What the model reports.
    pub fn trees(&self) -> Result<TreeEnsemble> {
        self.with_handle(|handle, ctx| handle.trees(ctx))
    }

    /// Names of the layers with parameters.
    ///
    /// # Errors
    /// `Unimplemented` when the model lacks the capability.
    pub fn parameter_layers(&self) -> Result<Vec<String>> {
        let table = self.object.table::<abi::xb_parameters>()?;
        // SAFETY: a table that keeps the contract: that many strings.
        unsafe {
            ffi::slice(table.layers, table.num_layers as usize, "the layers")?
                .iter()
                .map(|&name| ffi::text(name, "a layer's name").map(str::to_owned))
                .collect()
        }
    }

    /// Draws parameters anew from the options' seed.
    ///
    /// # Errors
    /// What the model reports.
    pub fn randomise(&mut self, mode: Randomise, layer: &str) -> Result<()> {
        let table = self.object.table::<abi::xb_parameters>()?;
        let run = table.randomise.ok_or_else(|| lacks("randomise"))?;
        let mode = match mode {
            Randomise::Cascade => abi::XB_RANDOMISE_CASCADE,
            Randomise::Single => abi::XB_RANDOMISE_SINGLE,
        };
        let layer = c_string(layer)?;
        self.call("randomise", |object, call| {
            // SAFETY: a live object that keeps the contract; the arguments outlive the call.
            unsafe { run(object, call, mode, layer.as_ptr()) }
        })
    }

    /// Back to what create, load or fit made.
    ///
    /// # Errors
    /// What the model reports.
    pub fn restore(&mut self) -> Result<()> {
        let table = self.object.table::<abi::xb_parameters>()?;
        let run = table.restore.ok_or_else(|| lacks("restore"))?;
        // SAFETY: a live object that keeps the contract.
        self.call("restore", |object, call| unsafe { run(object, call) })
    }

    /// SHA-256 of the parameters.
    ///
    /// # Errors
    /// What the model reports.
    pub fn fingerprint(&self) -> Result<[u8; 32]> {
        let table = self.object.table::<abi::xb_parameters>()?;
        let run = table.fingerprint.ok_or_else(|| lacks("fingerprint"))?;
        let mut digest = [0; 32];
        self.call("fingerprint", |object, call| {
            // SAFETY: a live object that keeps the contract; 32 writable bytes.
            unsafe { run(object, call, digest.as_mut_ptr()) }
        })?;
        Ok(digest)
    }

    /// The parameters as bytes.
    ///
    /// # Errors
    /// What the model reports.
    pub fn save(&self) -> Result<Vec<u8>> {
        let table = self.object.table::<abi::xb_weights>()?;
        let run = table.save.ok_or_else(|| lacks("save"))?;
        let mut out = std::ptr::null_mut();
        self.call("save", |object, call| {
            // SAFETY: a live object that keeps the contract; the place outlives the call.
            unsafe { run(object, call, &mut out) }
        })?;
        // SAFETY: success hands the result over.
        Ok(unsafe { Received::<u8>::take(out, "save") }?
            .data()
            .to_vec())
    }

    /// Replaces the parameters.
    ///
    /// # Errors
    /// What the model reports.
    pub fn load(&mut self, bytes: &[u8]) -> Result<()> {
        let table = self.object.table::<abi::xb_weights>()?;
        let run = table.load.ok_or_else(|| lacks("load"))?;
        self.call("load", |object, call| {
            // SAFETY: a live object that keeps the contract; the bytes outlive the call.
            unsafe { run(object, call, bytes.as_ptr(), bytes.len()) }
        })
    }

    /// Trains; `settings` is a JSON object, `monitor` answers false to stop. Returns the report.
    ///
    /// # Errors
    /// What the model reports.
    pub fn fit(
        &mut self,
        data: &TestData,
        settings: &str,
        monitor: &mut dyn FnMut(&FitStep) -> bool,
    ) -> Result<String> {
        self.fit_resumable(data, settings, monitor, None, None)
    }

    /// Trains as [`fit`](Self::fit), going on from the state `resume` and collecting the states that
    /// the model keeps.
    ///
    /// # Errors
    /// What the model reports.
    pub fn fit_resumable(
        &mut self,
        data: &TestData,
        settings: &str,
        monitor: &mut dyn FnMut(&FitStep) -> bool,
        resume: Option<&[u8]>,
        checkpoints: Option<&mut Vec<Vec<u8>>>,
    ) -> Result<String> {
        let table = self.object.table::<abi::xb_fit>()?;
        let run = table.run.ok_or_else(|| lacks("run"))?;
        let mut out = std::ptr::null_mut();
        data.lend(|data| {
            let listener = super::data::Listener {
                tell: monitor,
                resume,
                checkpoints,
            };
            listener.lend(|monitor| {
                self.call("fit", |object, call| {
                    let (text, length) = (settings.as_ptr().cast(), settings.len());
                    // SAFETY: live objects that keep the contract; the arguments outlive the call.
                    unsafe { run(object, call, data, text, length, monitor, &mut out) }
                })
            })
        })?;
        // SAFETY: success hands the result over.
        let report = unsafe { Received::<u8>::take(out, "fit") }?;
        String::from_utf8(report.data().to_vec())
            .map_err(|_| Error::internal("fit: the report is not UTF-8"))
    }

    pub(crate) fn as_ptr(&self) -> *const abi::xb_object {
        self.object.pointer.as_ptr()
    }

    fn call(
        &self,
        function: &str,
        body: impl FnOnce(*mut abi::xb_object, *const abi::xb_call) -> abi::xb_status,
    ) -> Result<()> {
        call::run(&self.object.options, |ctx| {
            Error::check(body(self.object.pointer.as_ptr(), ctx.as_ptr()), function)
        })
    }

    fn with_handle<R>(
        &self,
        body: impl FnOnce(&ModelHandle<'_>, &crate::Context<'_>) -> Result<R>,
    ) -> Result<R> {
        call::run(&self.object.options, |ctx| {
            // SAFETY: a live object that keeps the contract, and outlives the handle.
            let handle = unsafe { ModelHandle::from_raw(self.as_ptr()) }?;
            body(&handle, ctx)
        })
    }
}

fn lacks(function: &str) -> Error {
    Error::unimplemented(format!("the table lacks {function}"))
}

/// A copy of a gradient of the model's.
fn kept(pullback: HandlePullback) -> Pullback {
    Pullback {
        activation: pullback.activation.map(|value| value.as_ref().to_tensor()),
        gradient: pullback.gradient.as_ref().to_tensor(),
    }
}
