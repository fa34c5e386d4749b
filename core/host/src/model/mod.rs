//! A model that a worker holds: the contract's tables of functions behind safe methods.
//!
//! Every result is checked before anybody sees it: shape, type, place, finite numbers.

#![expect(unsafe_code, reason = "copies the model's trees")]

mod backward;
mod change;
mod facts;
mod fit;
mod forward;
mod pieces;
mod read;
mod tables;

use std::ffi::{CStr, CString};

use xbench_abi::{DLDataType, xb_linear, xb_tree_ensemble};
use xbench_plugin::TreeEnsemble;

pub use self::backward::Pullback;
pub(crate) use self::backward::{Rule, Wanted};
pub use self::fit::FitMonitor;
pub(crate) use self::pieces::pieces;
use self::tables::Said;
pub(crate) use self::tables::Tables;
use crate::call::{CallFrame, CallSettings};
use crate::error::{Fault, PluginError};
use crate::object::Object;
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
            let wanted = Wanted {
                rows,
                layer: layer.as_deref(),
                activation: want_activation,
                max_rows: settings.max_rows,
            };
            let frame = CallFrame::new(settings);
            self.run_vjp(&frame, (x.tensor(), dy.tensor()), &wanted)
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
            let layer = self.said.linear_layer.as_ref();
            let (layer, _) = layer.ok_or_else(Fault::lacks::<xb_linear>)?;
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

    /// Most rows of one call; 0 for no limit.
    fn max_batch(&self) -> usize {
        self.plugin.max_batch as usize
    }

    /// The shape of a layer's value for one row.
    pub(crate) fn layer_shape(&self, name: &CStr) -> Result<&[usize], Fault> {
        let name = name.to_string_lossy();
        match self.said.layers.iter().find(|layer| layer.name == name) {
            Some(layer) => Ok(&layer.shape),
            None => {
                let names: Vec<&str> = self
                    .said
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
