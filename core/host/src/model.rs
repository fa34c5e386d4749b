//! A model that a worker holds: the contract's tables of functions behind safe methods.
//!
//! Every result is checked before anybody sees it: shape, type, place, finite numbers. The
//! functions that cut a batch and join the results serve the host and the proxy alike.

#![expect(unsafe_code, reason = "calls the model's tables of functions")]

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread::ThreadId;

use serde_json::Value;
use xbench_abi::{
    DLDataType, XB_EXT_FIT, XB_EXT_LAYERS, XB_EXT_LINEAR, XB_EXT_PARAMETERS, XB_EXT_PREDICT,
    XB_EXT_VJP, XB_EXT_WEIGHTS, XB_LOGITS, XB_PROBABILITIES, XB_RANDOMISE_CASCADE,
    XB_RANDOMISE_SINGLE, XB_VALUES, has_field, xb_fit, xb_fit_monitor, xb_fit_step, xb_layers,
    xb_linear, xb_owned, xb_parameters, xb_predict, xb_tensor, xb_vjp, xb_weights,
};

use crate::call::{CallFrame, CallSettings};
use crate::error::{Fault, PluginError};
use crate::load::{Object, text};
use crate::rows::{RowSource, RowsObject};
use crate::scan::ScannedPlugin;
use crate::spec::{FitStep, LayerSpec, LinearHead, ModelSpec, OutputKind, Randomise, Wrt};
use crate::tensor::{Lent, OwnedOutput, check_finite, check_finite_tensor, take_bytes};

/// Most axes of an input or a layer.
const MAX_NDIM: i64 = 4;
/// Longest axis of an input or a layer.
const MAX_EXTENT: i64 = 65_536;
/// Most outputs per row.
const MAX_OUTPUTS: u32 = 100_000;
/// Most layers.
const MAX_LAYERS: u32 = 10_000;
/// Longest name, in bytes.
const MAX_NAME: usize = 1024;

/// A model, made by [`Library::create_model`](crate::Library::create_model).
#[derive(Debug)]
pub struct LoadedModel {
    // Declared first, so dropped first: nothing of the object is used after it.
    object: Object,
    id: String,
    provides: Vec<String>,
    max_batch: usize,
    spec: ModelSpec,
    layers: Vec<LayerSpec>,
    parameter_layers: Vec<String>,
    linear_layer: Option<(String, usize)>,
    tables: Tables,
}

/// The tables that the model serves, valid for as long as its object.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) predict: NonNull<xb_predict>,
    pub(crate) layers: Option<NonNull<xb_layers>>,
    pub(crate) vjp: Option<NonNull<xb_vjp>>,
    pub(crate) linear: Option<NonNull<xb_linear>>,
    parameters: Option<NonNull<xb_parameters>>,
    weights: Option<NonNull<xb_weights>>,
    fit: Option<NonNull<xb_fit>>,
}

/// What a backward pass gives.
#[derive(Debug)]
pub struct Pullback {
    /// The layer's value of the same pass, where it was asked for: `[n, layer...]`.
    pub activation: Option<OwnedOutput>,
    /// `[n, input...]` or `[n, layer...]`.
    pub gradient: OwnedOutput,
}

/// The function of a table, or the fault that it is null.
macro_rules! function {
    ($table:expr, $field:ident) => {
        // SAFETY: the table's size was checked when the model was made, and the object lives.
        unsafe { $table.as_ref().$field }.ok_or_else(|| {
            Fault::contract(concat!("its function ", stringify!($field), " is null"))
        })
    };
}

impl LoadedModel {
    pub(crate) fn new(object: Object, plugin: &ScannedPlugin) -> Result<Self, Fault> {
        let tables = Tables {
            predict: object
                .table(XB_EXT_PREDICT, plugin, |size| {
                    has_field!(size, xb_predict, run)
                })?
                .ok_or_else(|| Fault::unsupported(&XB_EXT_PREDICT.to_string_lossy()))?,
            layers: object.table(XB_EXT_LAYERS, plugin, |size| {
                has_field!(size, xb_layers, activation)
            })?,
            vjp: object.table(XB_EXT_VJP, plugin, |size| has_field!(size, xb_vjp, run))?,
            linear: object.table(XB_EXT_LINEAR, plugin, |size| {
                has_field!(size, xb_linear, weights)
            })?,
            parameters: object.table(XB_EXT_PARAMETERS, plugin, |size| {
                has_field!(size, xb_parameters, fingerprint)
            })?,
            weights: object.table(XB_EXT_WEIGHTS, plugin, |size| {
                has_field!(size, xb_weights, load)
            })?,
            fit: object.table(XB_EXT_FIT, plugin, |size| has_field!(size, xb_fit, run))?,
        };
        // SAFETY: the tables were just checked and the object lives.
        let (spec, layers, parameter_layers, linear_layer) = unsafe {
            (
                read_spec(tables.predict)?,
                tables
                    .layers
                    .map_or(Ok(Vec::new()), |table| read_layers(table))?,
                tables
                    .parameters
                    .map_or(Ok(Vec::new()), |table| read_names(table))?,
                tables.linear.map(|table| read_linear(table)).transpose()?,
            )
        };
        Ok(Self {
            object,
            id: plugin.id.clone(),
            provides: plugin.provides.clone(),
            max_batch: plugin.max_batch as usize,
            spec,
            layers,
            parameter_layers,
            linear_layer,
            tables,
        })
    }

    /// The plugin's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Shapes of input and output.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Does it provide the capability, `xbench.model.vjp/1` for instance?
    #[must_use]
    pub fn provides(&self, capability: &str) -> bool {
        self.provides.iter().any(|id| id == capability)
    }

    /// Its layers in forward order; empty without `xbench.model.layers/1`.
    #[must_use]
    pub fn layers(&self) -> &[LayerSpec] {
        &self.layers
    }

    /// Names of the layers with parameters, in forward order; empty without
    /// `xbench.model.parameters/1`.
    #[must_use]
    pub fn parameter_layers(&self) -> &[String] {
        &self.parameter_layers
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The outputs of `rows` examples, `[rows, outputs]`; `x` is `[rows, input...]`.
    ///
    /// # Errors
    ///
    /// The model's own error; [`NonFinite`](crate::PluginErrorKind::NonFinite) when an output is
    /// NaN, infinite or was not written.
    pub fn predict(
        &self,
        settings: &CallSettings,
        x: &[f32],
        rows: usize,
    ) -> Result<Vec<f32>, PluginError> {
        let run = || {
            let x = self.lend_input(x, rows)?;
            let mut outputs = vec![f32::NAN; rows * self.spec.outputs];
            let y = Lent::new(
                outputs.as_mut_ptr().cast(),
                DLDataType::F32,
                &[rows, self.spec.outputs],
            );
            let frame = CallFrame::new(settings);
            self.run_predict(&frame, x.tensor(), y.tensor(), rows, settings.max_rows)?;
            Ok(outputs)
        };
        self.named(run())
    }

    /// The activation of a layer, `[rows, layer...]`.
    ///
    /// # Errors
    ///
    /// As [`LoadedModel::predict`]; also when the model has no layers or none of this name, or
    /// returns another shape than the layer's.
    pub fn activation(
        &self,
        settings: &CallSettings,
        x: &[f32],
        rows: usize,
        layer: &str,
    ) -> Result<OwnedOutput, PluginError> {
        let run = || {
            let x = self.lend_input(x, rows)?;
            let frame = CallFrame::new(settings);
            self.run_activation(&frame, x.tensor(), rows, &c_name(layer)?, settings.max_rows)
        };
        self.named(run())
    }

    /// The gradient of `sum(output_gradient * outputs)` with respect to the input or a layer;
    /// `output_gradient` is `[rows, outputs]`.
    ///
    /// # Errors
    ///
    /// As [`LoadedModel::activation`].
    pub fn vjp(
        &self,
        settings: &CallSettings,
        x: &[f32],
        rows: usize,
        output_gradient: &[f32],
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback, PluginError> {
        let run = || {
            let x = self.lend_input(x, rows)?;
            let dy = lend(
                output_gradient,
                &[rows, self.spec.outputs],
                "the output gradient",
            )?;
            let layer = match wrt {
                Wrt::Input => None,
                Wrt::Layer(name) => Some(c_name(name)?),
            };
            let frame = CallFrame::new(settings);
            let max_rows = settings.max_rows;
            let tensors = (x.tensor(), dy.tensor());
            self.run_vjp(
                &frame,
                tensors,
                rows,
                layer.as_deref(),
                want_activation,
                max_rows,
            )
        };
        self.named(run())
    }

    /// The layer whose spatial mean the outputs are linear in, and the head's weights.
    ///
    /// # Errors
    ///
    /// As [`LoadedModel::activation`].
    pub fn linear(&self, settings: &CallSettings) -> Result<(String, LinearHead), PluginError> {
        let run = || {
            let unsupported = || Fault::unsupported(&XB_EXT_LINEAR.to_string_lossy());
            let (layer, _) = self.linear_layer.as_ref().ok_or_else(unsupported)?;
            let head = self.run_linear(&CallFrame::new(settings))?;
            Ok((layer.clone(), head))
        };
        self.named(run())
    }

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
        let result = run();
        self.named(result)
    }

    /// Trains the model; `training` is a JSON object with `preset` among its keys. `monitor` hears
    /// of every step and returns false to stop. Returns the recipe that was followed and what it
    /// reached.
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
        monitor: &mut dyn FnMut(&FitStep) -> bool,
    ) -> Result<Value, PluginError> {
        let result = self.run_fit(settings, data, training, monitor);
        self.named(result)
    }

    fn run_fit(
        &self,
        settings: &CallSettings,
        data: &dyn RowSource,
        training: &Value,
        monitor: &mut dyn FnMut(&FitStep) -> bool,
    ) -> Result<Value, Fault> {
        let table = self
            .tables
            .fit
            .ok_or_else(|| Fault::unsupported(&XB_EXT_FIT.to_string_lossy()))?;
        let function = function!(table, run)?;
        let training = training.to_string();
        let mut rows = RowsObject::new(data);
        let watcher = FitWatcher {
            thread: std::thread::current().id(),
            monitor: RefCell::new(monitor),
        };
        let raw_monitor = xb_fit_monitor {
            struct_size: size_of::<xb_fit_monitor>() as u32,
            reserved: 0,
            host_data: (&raw const watcher).cast_mut().cast(),
            step: Some(on_step),
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

    fn named<T>(&self, result: Result<T, Fault>) -> Result<T, PluginError> {
        result.map_err(|fault| PluginError::new(&self.id, fault))
    }

    fn lend_input(&self, x: &[f32], rows: usize) -> Result<Lent, Fault> {
        let shape: Vec<usize> = std::iter::once(rows)
            .chain(self.spec.input_shape.iter().copied())
            .collect();
        lend(x, &shape, "x")
    }

    /// Predicts `rows` rows of a checked `x` into a checked `y`.
    pub(crate) fn run_predict(
        &self,
        frame: &CallFrame,
        x: &xb_tensor,
        y: &xb_tensor,
        rows: usize,
        max_rows: usize,
    ) -> Result<(), Fault> {
        let function = function!(self.tables.predict, run)?;
        for piece in pieces(rows, self.max_batch, max_rows) {
            frame.check_deadline()?;
            // SAFETY: both were checked and outlive the call; the function belongs to the object.
            unsafe {
                let x = Lent::rows(x, piece.start, piece.len());
                let mut y = Lent::rows(y, piece.start, piece.len());
                let status = function(self.object.raw(), frame.raw(), x.raw(), y.raw_mut());
                frame.finish("predict", status)?;
                check_finite_tensor("predict", y.tensor(), piece.len(), piece.start)?;
            }
        }
        Ok(())
    }

    /// The activation of `rows` rows of a checked `x`.
    pub(crate) fn run_activation(
        &self,
        frame: &CallFrame,
        x: &xb_tensor,
        rows: usize,
        layer: &CStr,
        max_rows: usize,
    ) -> Result<OwnedOutput, Fault> {
        let table = self
            .tables
            .layers
            .ok_or_else(|| Fault::unsupported(&XB_EXT_LAYERS.to_string_lossy()))?;
        let function = function!(table, activation)?;
        let shape = self.layer_shape(layer)?;
        let what = "activation";
        let one = |piece: Range<usize>| {
            frame.check_deadline()?;
            let mut out: *mut xb_owned = std::ptr::null_mut();
            // SAFETY: as in `run_predict`; the result becomes ours.
            unsafe {
                let x = Lent::rows(x, piece.start, piece.len());
                let status = function(
                    self.object.raw(),
                    frame.raw(),
                    x.raw(),
                    layer.as_ptr(),
                    &raw mut out,
                );
                frame.finish(what, status)?;
                let out = OwnedOutput::take(what, out, piece.len(), Some(shape))?;
                check_finite(what, &out, piece.len(), piece.start)?;
                Ok(out)
            }
        };
        let mut joined = Joined::new(rows);
        for piece in pieces(rows, self.max_batch, max_rows) {
            joined.add(one(piece)?);
        }
        Ok(joined.finish(shape))
    }

    /// The gradient of `rows` rows of a checked `x` and `dy`.
    pub(crate) fn run_vjp(
        &self,
        frame: &CallFrame,
        (x, dy): (&xb_tensor, &xb_tensor),
        rows: usize,
        layer: Option<&CStr>,
        want_activation: bool,
        max_rows: usize,
    ) -> Result<Pullback, Fault> {
        let table = self
            .tables
            .vjp
            .ok_or_else(|| Fault::unsupported(&XB_EXT_VJP.to_string_lossy()))?;
        let function = function!(table, run)?;
        // A model may differentiate to layers that it does not list; then any shape is taken.
        let shape: Option<&[usize]> = match layer {
            None => Some(&self.spec.input_shape),
            Some(_) if self.tables.layers.is_none() => None,
            Some(layer) => Some(self.layer_shape(layer)?),
        };
        let wrt = layer.map_or(std::ptr::null(), CStr::as_ptr);
        let mut activations = Joined::new(rows);
        let mut gradients = Joined::new(rows);
        for piece in pieces(rows, self.max_batch, max_rows) {
            frame.check_deadline()?;
            let mut activation: *mut xb_owned = std::ptr::null_mut();
            let mut gradient: *mut xb_owned = std::ptr::null_mut();
            let activation_out: *mut *mut xb_owned = if want_activation {
                &raw mut activation
            } else {
                std::ptr::null_mut()
            };
            // SAFETY: as in `run_predict`; the results become ours, each by its own `take`.
            let (activation, gradient) = unsafe {
                let x = Lent::rows(x, piece.start, piece.len());
                let dy = Lent::rows(dy, piece.start, piece.len());
                let status = function(
                    self.object.raw(),
                    frame.raw(),
                    x.raw(),
                    dy.raw(),
                    wrt,
                    activation_out,
                    &raw mut gradient,
                );
                frame.finish("vjp", status)?;
                // Both are taken before either is refused, so that neither leaks.
                let activation = want_activation.then(|| {
                    OwnedOutput::take("vjp: the activation", activation, piece.len(), shape)
                });
                let gradient = OwnedOutput::take("vjp: the gradient", gradient, piece.len(), shape);
                (activation.transpose()?, gradient?)
            };
            if let Some(activation) = activation {
                if activation.shape() != gradient.shape() {
                    return Err(Fault::shape(format!(
                        "vjp: the activation has shape {:?} and its gradient {:?}",
                        activation.shape(),
                        gradient.shape()
                    )));
                }
                check_finite("vjp: the activation", &activation, piece.len(), piece.start)?;
                activations.add(activation);
            }
            check_finite("vjp: the gradient", &gradient, piece.len(), piece.start)?;
            gradients.add(gradient);
        }
        let empty = shape.unwrap_or(&[]);
        Ok(Pullback {
            activation: want_activation.then(|| activations.finish(empty)),
            gradient: gradients.finish(empty),
        })
    }

    /// The linear head's weights.
    pub(crate) fn run_linear(&self, frame: &CallFrame) -> Result<LinearHead, Fault> {
        let unsupported = || Fault::unsupported(&XB_EXT_LINEAR.to_string_lossy());
        let table = self.tables.linear.ok_or_else(unsupported)?;
        let (_, features) = self.linear_layer.as_ref().ok_or_else(unsupported)?;
        let function = function!(table, weights)?;
        let mut weight: *mut xb_owned = std::ptr::null_mut();
        let mut bias: *mut xb_owned = std::ptr::null_mut();
        let outputs = self.spec.outputs;
        // SAFETY: object and function belong together; the results become ours, each by its own
        // `take`, before either is refused.
        let (weight, bias) = unsafe {
            let status = function(
                self.object.raw(),
                frame.raw(),
                &raw mut weight,
                &raw mut bias,
            );
            frame.finish("linear", status)?;
            let bias = (!bias.is_null())
                .then(|| OwnedOutput::take("linear: the bias", bias, outputs, Some(&[])));
            (
                OwnedOutput::take("linear: the weight", weight, outputs, Some(&[*features])),
                bias,
            )
        };
        let head = LinearHead {
            weight: weight?,
            bias: bias.transpose()?,
        };
        check_finite("linear: the weight", &head.weight, outputs, 0)?;
        if let Some(bias) = &head.bias {
            check_finite("linear: the bias", bias, outputs, 0)?;
        }
        Ok(head)
    }

    fn layer_shape(&self, name: &CStr) -> Result<&[usize], Fault> {
        let name = name.to_string_lossy();
        match self.layers.iter().find(|layer| layer.name == name) {
            Some(layer) => Ok(&layer.shape),
            None => {
                let names: Vec<&str> = self
                    .layers
                    .iter()
                    .map(|layer| layer.name.as_str())
                    .collect();
                Err(Fault::request(format!(
                    "it has no layer {name:?}; there are {}",
                    names.join(", ")
                )))
            }
        }
    }
}

/// Cuts `rows` rows into pieces of at most the smaller of two limits; 0 is no limit.
pub(crate) fn pieces(rows: usize, a: usize, b: usize) -> impl Iterator<Item = Range<usize>> {
    let limit = |limit| if limit == 0 { usize::MAX } else { limit };
    let step = limit(a).min(limit(b)).min(rows.max(1));
    (0..rows)
        .step_by(step)
        .map(move |start| start..rows.min(start + step))
}

/// Joins the results of pieces; a single one is kept as it is, without a copy.
struct Joined {
    rows: usize,
    first: Option<OwnedOutput>,
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Joined {
    fn new(rows: usize) -> Self {
        Self {
            rows,
            first: None,
            shape: Vec::new(),
            data: Vec::new(),
        }
    }

    fn add(&mut self, piece: OwnedOutput) {
        if self.shape.is_empty() {
            self.shape = piece.shape().to_vec();
            if piece.shape()[0] == self.rows {
                self.first = Some(piece);
                return;
            }
            let row = piece.len() / piece.shape()[0].max(1);
            self.data.reserve_exact(row * self.rows);
        }
        self.data.extend_from_slice(&piece);
    }

    fn finish(mut self, inner: &[usize]) -> OwnedOutput {
        if let Some(only) = self.first {
            return only;
        }
        if self.shape.is_empty() {
            self.shape = std::iter::once(0).chain(inner.iter().copied()).collect();
        }
        self.shape[0] = self.rows;
        OwnedOutput::joined(self.shape, self.data)
    }
}

fn lend(values: &[f32], shape: &[usize], what: &str) -> Result<Lent, Fault> {
    let expected: usize = shape.iter().product();
    if values.len() != expected {
        return Err(Fault::request(format!(
            "{what} has {} numbers; {shape:?} has {expected}",
            values.len()
        )));
    }
    Ok(Lent::new(
        values.as_ptr().cast_mut().cast(),
        DLDataType::F32,
        shape,
    ))
}

fn c_name(name: &str) -> Result<CString, Fault> {
    CString::new(name).map_err(|_| Fault::request(format!("the name {name:?} holds a NUL")))
}

/// Copies a shape and checks its size.
///
/// # Safety
///
/// `shape` is null or has `ndim` elements.
unsafe fn read_shape(what: &str, ndim: i64, shape: *const i64) -> Result<Vec<usize>, Fault> {
    if !(1..=MAX_NDIM).contains(&ndim) || shape.is_null() {
        return Err(Fault::contract(format!(
            "{what} has {ndim} axes or a null shape; allowed are 1 to {MAX_NDIM} axes"
        )));
    }
    // SAFETY: by this function's contract.
    let shape = unsafe { std::slice::from_raw_parts(shape, ndim as usize) };
    if shape
        .iter()
        .any(|extent| !(1..=MAX_EXTENT).contains(extent))
    {
        return Err(Fault::contract(format!(
            "{what} has shape {shape:?}; allowed are extents of 1 to {MAX_EXTENT}"
        )));
    }
    Ok(shape.iter().map(|&extent| extent as usize).collect())
}

/// # Safety
///
/// `table` was checked and its object lives; so for the functions below.
unsafe fn read_spec(table: NonNull<xb_predict>) -> Result<ModelSpec, Fault> {
    // SAFETY: by this function's contract.
    let table = unsafe { table.as_ref() };
    if table.num_outputs == 0 || table.num_outputs > MAX_OUTPUTS {
        return Err(Fault::contract(format!(
            "it has {} outputs; allowed are 1 to {MAX_OUTPUTS}",
            table.num_outputs
        )));
    }
    let output_kind = match table.output_kind {
        XB_LOGITS => OutputKind::Logits,
        XB_PROBABILITIES => OutputKind::Probabilities,
        XB_VALUES => OutputKind::Values,
        other => return Err(Fault::contract(format!("its output_kind is {other}"))),
    };
    // SAFETY: the table's pointers are as the contract describes them.
    unsafe {
        Ok(ModelSpec {
            input_shape: read_shape("its input", table.input_ndim.into(), table.input_shape)?,
            layout: text("input_layout", table.input_layout, MAX_NAME)?,
            outputs: table.num_outputs as usize,
            output_kind,
        })
    }
}

unsafe fn read_layers(table: NonNull<xb_layers>) -> Result<Vec<LayerSpec>, Fault> {
    // SAFETY: the caller checked the table; its layers are as the contract describes them.
    unsafe {
        let table = table.as_ref();
        if table.num_layers > MAX_LAYERS || (table.num_layers > 0 && table.layers.is_null()) {
            return Err(Fault::contract(format!(
                "it claims {} layers; allowed are {MAX_LAYERS}, and a list of them",
                table.num_layers
            )));
        }
        let mut layers: Vec<LayerSpec> = Vec::new();
        for index in 0..table.num_layers as usize {
            let layer = &*table.layers.add(index);
            let name = text("a layer's name", layer.name, MAX_NAME)?;
            if layers.iter().any(|earlier| earlier.name == name) {
                return Err(Fault::contract(format!("it has two layers {name:?}")));
            }
            let shape = read_shape(&format!("layer {name:?}"), layer.ndim, layer.shape)?;
            layers.push(LayerSpec {
                op: text("a layer's op", layer.op, MAX_NAME)?,
                name,
                shape,
            });
        }
        Ok(layers)
    }
}

unsafe fn read_names(table: NonNull<xb_parameters>) -> Result<Vec<String>, Fault> {
    // SAFETY: the caller checked the table; its names are as the contract describes them.
    unsafe {
        let table = table.as_ref();
        if table.num_layers > MAX_LAYERS || (table.num_layers > 0 && table.layers.is_null()) {
            return Err(Fault::contract(format!(
                "it claims {} layers with parameters; allowed are {MAX_LAYERS}, and a list of them",
                table.num_layers
            )));
        }
        (0..table.num_layers as usize)
            .map(|index| text("a layer's name", *table.layers.add(index), MAX_NAME))
            .collect()
    }
}

unsafe fn read_linear(table: NonNull<xb_linear>) -> Result<(String, usize), Fault> {
    // SAFETY: the caller checked the table.
    unsafe {
        let table = table.as_ref();
        if !(1..=MAX_EXTENT).contains(&i64::from(table.num_features)) {
            return Err(Fault::contract(format!(
                "its linear head has {} features; allowed are 1 to {MAX_EXTENT}",
                table.num_features
            )));
        }
        Ok((
            text("the linear head's layer", table.layer, MAX_NAME)?,
            table.num_features as usize,
        ))
    }
}

/// Passes the steps of a training on to the host's closure.
struct FitWatcher<'m> {
    thread: ThreadId,
    monitor: RefCell<&'m mut dyn FnMut(&FitStep) -> bool>,
}

unsafe extern "C" fn on_step(monitor: *const xb_fit_monitor, step: *const xb_fit_step) -> bool {
    let report = || {
        // SAFETY: a plugin hands back the monitor it was given, during the call.
        let watcher = unsafe { &*monitor.as_ref()?.host_data.cast::<FitWatcher<'_>>() };
        // The closure belongs to the thread that called fit, and is not entered twice.
        if watcher.thread != std::thread::current().id() {
            return None;
        }
        let mut monitor = watcher.monitor.try_borrow_mut().ok()?;
        // SAFETY: the size comes first, and says that all fields exist.
        let step = unsafe {
            if step.is_null() || !has_field!((*step).struct_size, xb_fit_step, learning_rate) {
                return None;
            }
            *step
        };
        let finite = |value: f64| value.is_finite().then_some(value);
        Some(monitor(&FitStep {
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
    // A panic must not cross into C: it stops the training.
    catch_unwind(AssertUnwindSafe(report))
        .ok()
        .flatten()
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_rows_in_order() {
        let cut = |rows, a, b| pieces(rows, a, b).collect::<Vec<_>>();
        assert_eq!(cut(5, 2, 0), [0..2, 2..4, 4..5]);
        assert_eq!(cut(5, 4, 3), [0..3, 3..5]);
        assert_eq!(cut(5, 0, 0), [0..5]);
        assert_eq!(cut(0, 0, 7), []);
    }
}
