//! A model that a worker holds: the contract's tables of functions behind safe methods.
//!
//! Every result is checked before anybody sees it: shape, type, place, finite numbers.

#![expect(unsafe_code, reason = "reads the model's tables of functions")]

mod change;
mod inner;
mod read;
mod run;

use std::ffi::CString;
use std::ptr::NonNull;

use xbench_abi::{
    DLDataType, XB_EXT_BIASES, XB_EXT_FIT, XB_EXT_FORWARD_FROM, XB_EXT_LAYERS, XB_EXT_LINEAR,
    XB_EXT_MODIFIED_VJP, XB_EXT_PARAMETERS, XB_EXT_PREDICT, XB_EXT_SEGMENT, XB_EXT_TREES,
    XB_EXT_VJP, XB_EXT_WEIGHTS, has_field, xb_biases, xb_fit, xb_forward_from, xb_layers,
    xb_linear, xb_modified_vjp, xb_parameters, xb_predict, xb_segment, xb_tree_ensemble, xb_trees,
    xb_vjp, xb_weights,
};
use xbench_plugin::TreeEnsemble;

pub use self::change::FitMonitor;
pub(crate) use self::inner::Rule;
use self::read::{read_layers, read_linear, read_names, read_spec};
pub(crate) use self::run::{Wanted, pieces};
use crate::call::{CallFrame, CallSettings};
use crate::error::{Fault, PluginError};
use crate::load::Object;
use crate::owned::OwnedOutput;
use crate::scan::ScannedPlugin;
use crate::spec::{LayerSpec, LinearHead, ModelSpec, Wrt};
use crate::tensor::Lent;

/// A model, made by [`Library::create_model`](crate::Library::create_model).
#[derive(Debug)]
pub struct LoadedModel {
    // Declared first, so dropped first: nothing of the object is used after it.
    object: Object,
    plugin: ScannedPlugin,
    said: Said,
    tables: Tables,
}

/// What the tables say of the model, copied and checked.
#[derive(Debug)]
struct Said {
    spec: ModelSpec,
    layers: Vec<LayerSpec>,
    parameter_layers: Vec<String>,
    linear_layer: Option<(String, usize)>,
}

impl Said {
    fn read(tables: &Tables) -> Result<Self, Fault> {
        // SAFETY: the tables were just checked and the object lives.
        unsafe {
            Ok(Self {
                spec: read_spec(tables.predict)?,
                layers: tables
                    .layers
                    .map_or(Ok(Vec::new()), |table| read_layers(table))?,
                parameter_layers: tables
                    .parameters
                    .map_or(Ok(Vec::new()), |table| read_names(table))?,
                linear_layer: tables.linear.map(|table| read_linear(table)).transpose()?,
            })
        }
    }
}

/// The tables that the model serves, valid for as long as its object.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) predict: NonNull<xb_predict>,
    pub(crate) layers: Option<NonNull<xb_layers>>,
    pub(crate) vjp: Option<NonNull<xb_vjp>>,
    pub(crate) linear: Option<NonNull<xb_linear>>,
    pub(crate) segment: Option<NonNull<xb_segment>>,
    pub(crate) trees: Option<NonNull<xb_trees>>,
    pub(crate) modified_vjp: Option<NonNull<xb_modified_vjp>>,
    pub(crate) forward_from: Option<NonNull<xb_forward_from>>,
    pub(crate) biases: Option<NonNull<xb_biases>>,
    parameters: Option<NonNull<xb_parameters>>,
    weights: Option<NonNull<xb_weights>>,
    fit: Option<NonNull<xb_fit>>,
}

impl Tables {
    fn ask(object: &Object, plugin: &ScannedPlugin) -> Result<Self, Fault> {
        Ok(Self {
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
            segment: object.table(XB_EXT_SEGMENT, plugin, |size| {
                has_field!(size, xb_segment, run)
            })?,
            trees: object.table(XB_EXT_TREES, plugin, |size| has_field!(size, xb_trees, get))?,
            modified_vjp: object.table(XB_EXT_MODIFIED_VJP, plugin, |size| {
                has_field!(size, xb_modified_vjp, run)
            })?,
            forward_from: object.table(XB_EXT_FORWARD_FROM, plugin, |size| {
                has_field!(size, xb_forward_from, run)
            })?,
            biases: object.table(XB_EXT_BIASES, plugin, |size| {
                has_field!(size, xb_biases, get)
            })?,
            parameters: object.table(XB_EXT_PARAMETERS, plugin, |size| {
                has_field!(size, xb_parameters, fingerprint)
            })?,
            weights: object.table(XB_EXT_WEIGHTS, plugin, |size| {
                has_field!(size, xb_weights, load)
            })?,
            fit: object.table(XB_EXT_FIT, plugin, |size| has_field!(size, xb_fit, run))?,
        })
    }
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

use function;

impl LoadedModel {
    pub(crate) fn new(object: Object, plugin: &ScannedPlugin) -> Result<Self, Fault> {
        let tables = Tables::ask(&object, plugin)?;
        let said = Said::read(&tables)?;
        Ok(Self {
            object,
            plugin: plugin.clone(),
            said,
            tables,
        })
    }

    /// Asks for the tables anew, after a call that changed the model: its layers may be others. What
    /// goes in and comes out must be as before.
    fn refresh(&mut self) -> Result<(), Fault> {
        let tables = Tables::ask(&self.object, &self.plugin)?;
        let said = Said::read(&tables)?;
        if said.spec != self.said.spec {
            return Err(Fault::contract(
                "its input or output changed when it was loaded or trained",
            ));
        }
        (self.tables, self.said) = (tables, said);
        Ok(())
    }

    /// The plugin's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.plugin.id
    }

    /// Shapes of input and output.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.said.spec
    }

    /// Does it provide the capability, `xbench.model.vjp/1` for instance?
    #[must_use]
    pub fn provides(&self, capability: &str) -> bool {
        self.plugin.provides.iter().any(|id| id == capability)
    }

    /// Its layers in forward order; empty without `xbench.model.layers/1`.
    #[must_use]
    pub fn layers(&self) -> &[LayerSpec] {
        &self.said.layers
    }

    /// Names of the layers with parameters, in forward order; empty without
    /// `xbench.model.parameters/1`.
    #[must_use]
    pub fn parameter_layers(&self) -> &[String] {
        &self.said.parameter_layers
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
            let mut outputs = vec![f32::NAN; rows * self.said.spec.outputs];
            let y = Lent::new(
                outputs.as_mut_ptr().cast(),
                DLDataType::F32,
                &[rows, self.said.spec.outputs],
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
                &[rows, self.said.spec.outputs],
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
            let (layer, _) = self.said.linear_layer.as_ref().ok_or_else(unsupported)?;
            let head = self.run_linear(&CallFrame::new(settings))?;
            Ok((layer.clone(), head))
        };
        self.named(run())
    }

    /// The probability that each pixel belongs to the object, `[rows, height, width]`.
    ///
    /// # Errors
    ///
    /// As [`LoadedModel::predict`]; also when the model predicts no mask.
    pub fn segment(
        &self,
        settings: &CallSettings,
        x: &[f32],
        rows: usize,
    ) -> Result<OwnedOutput, PluginError> {
        let run = || {
            let x = self.lend_input(x, rows)?;
            let frame = CallFrame::new(settings);
            self.run_segment(&frame, x.tensor(), rows, settings.max_rows)
        };
        self.named(run())
    }

    /// The decision trees, checked.
    ///
    /// # Errors
    ///
    /// The model's own error, or that it has no trees.
    pub fn trees(&self, settings: &CallSettings) -> Result<TreeEnsemble, PluginError> {
        let run = || {
            let frame = CallFrame::new(settings);
            let mut seen = self.run_trees(&frame)?;
            seen.struct_size = size_of::<xb_tree_ensemble>() as u32;
            // SAFETY: the model filled it, and is not changed meanwhile.
            unsafe { TreeEnsemble::from_abi(&seen) }
                .map_err(|error| Fault::contract(error.message().to_owned()))
        };
        self.named(run())
    }

    fn named<T>(&self, result: Result<T, Fault>) -> Result<T, PluginError> {
        result.map_err(|fault| PluginError::new(&self.plugin.id, fault))
    }

    fn lend_input(&self, x: &[f32], rows: usize) -> Result<Lent, Fault> {
        let shape: Vec<usize> = std::iter::once(rows)
            .chain(self.said.spec.input_shape.iter().copied())
            .collect();
        lend(x, &shape, "x")
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
