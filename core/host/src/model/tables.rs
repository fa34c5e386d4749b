//! The tables of functions that a model serves, and what they say of it.

#![expect(unsafe_code, reason = "reads the model's tables")]

use std::ptr::NonNull;

use xbench_abi::{
    Table, xb_biases, xb_fit, xb_forward_from, xb_layers, xb_linear, xb_modified_vjp,
    xb_parameters, xb_predict, xb_segment, xb_trees, xb_vjp, xb_weights,
};

use super::read::{read_layers, read_linear, read_names, read_spec};
use crate::error::Fault;
use crate::object::Object;
use crate::scan::ScannedPlugin;
use crate::spec::{LayerSpec, ModelSpec};

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
    pub(super) parameters: Option<NonNull<xb_parameters>>,
    pub(super) weights: Option<NonNull<xb_weights>>,
    pub(super) fit: Option<NonNull<xb_fit>>,
}

impl Tables {
    pub(super) fn ask(object: &Object, plugin: &ScannedPlugin) -> Result<Self, Fault> {
        Ok(Self {
            predict: object
                .table(plugin)?
                .ok_or_else(Fault::lacks::<xb_predict>)?,
            layers: object.table(plugin)?,
            vjp: object.table(plugin)?,
            linear: object.table(plugin)?,
            segment: object.table(plugin)?,
            trees: object.table(plugin)?,
            modified_vjp: object.table(plugin)?,
            forward_from: object.table(plugin)?,
            biases: object.table(plugin)?,
            parameters: object.table(plugin)?,
            weights: object.table(plugin)?,
            fit: object.table(plugin)?,
        })
    }
}

/// The table, or the fault that the model has none.
pub(super) fn served<T: Table>(table: Option<NonNull<T>>) -> Result<NonNull<T>, Fault> {
    table.ok_or_else(Fault::lacks::<T>)
}

/// The function of a table, or the fault that the model lacks the one or the other.
macro_rules! function {
    ($table:expr, $field:ident) => {
        $crate::model::tables::served($table).and_then(|table| {
            // SAFETY: the table's size was checked when the model was made, and the object lives.
            unsafe { table.as_ref().$field }.ok_or_else(|| {
                Fault::contract(concat!("its function ", stringify!($field), " is null"))
            })
        })
    };
}

pub(super) use function;

/// What the tables say of the model, copied and checked.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) spec: ModelSpec,
    pub(super) layers: Vec<LayerSpec>,
    pub(super) parameter_layers: Vec<String>,
    pub(super) linear_layer: Option<(String, usize)>,
}

impl Said {
    pub(super) fn read(tables: &Tables) -> Result<Self, Fault> {
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
