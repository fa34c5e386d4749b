//! The proxy's own tables: what it grants of the model's, with functions that count.

#![expect(unsafe_code, reason = "copies the model's tables")]

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use xbench_abi::{
    Table, xb_biases, xb_forward_from, xb_layers, xb_linear, xb_modified_vjp, xb_predict,
    xb_segment, xb_trees, xb_vjp,
};

use super::backward::{on_modified_vjp, on_vjp};
use super::facts::{on_biases, on_trees, on_weights};
use super::forward::{on_activation, on_forward_from, on_predict, on_segment};
use crate::model::{LoadedModel, Tables as ModelTables};

#[derive(Debug)]
pub(super) struct Tables {
    predict: Option<xb_predict>,
    layers: Option<xb_layers>,
    vjp: Option<xb_vjp>,
    modified_vjp: Option<xb_modified_vjp>,
    forward_from: Option<xb_forward_from>,
    linear: Option<xb_linear>,
    biases: Option<xb_biases>,
    segment: Option<xb_segment>,
    trees: Option<xb_trees>,
}

impl Tables {
    /// The tables of `model` whose ids are granted, all where `granted` is none: its descriptions
    /// with functions of ours.
    pub(super) fn new(model: &LoadedModel, granted: Option<&[String]>) -> Self {
        let ModelTables {
            predict,
            layers,
            vjp,
            modified_vjp,
            forward_from,
            linear,
            biases,
            segment,
            trees,
            ..
        } = *model.tables();
        let grants = Grants(granted);
        // SAFETY: the model's tables were checked when it was made, and it outlives the proxy.
        unsafe {
            Self {
                predict: grants.table(Some(predict)).map(|table| xb_predict {
                    struct_size: size(table),
                    run: Some(on_predict),
                    ..*table
                }),
                layers: grants.table(layers).map(|table| xb_layers {
                    struct_size: size(table),
                    activation: Some(on_activation),
                    ..*table
                }),
                vjp: grants.table(vjp).map(|table| xb_vjp {
                    struct_size: size(table),
                    reserved: 0,
                    run: Some(on_vjp),
                }),
                modified_vjp: grants.table(modified_vjp).map(|table| xb_modified_vjp {
                    struct_size: size(table),
                    run: Some(on_modified_vjp),
                    ..*table
                }),
                forward_from: grants.table(forward_from).map(|table| xb_forward_from {
                    struct_size: size(table),
                    reserved: 0,
                    run: Some(on_forward_from),
                }),
                linear: grants.table(linear).map(|table| xb_linear {
                    struct_size: size(table),
                    weights: Some(on_weights),
                    ..*table
                }),
                biases: grants.table(biases).map(|table| xb_biases {
                    struct_size: size(table),
                    reserved: 0,
                    get: Some(on_biases),
                }),
                segment: grants.table(segment).map(|table| xb_segment {
                    struct_size: size(table),
                    reserved: 0,
                    run: Some(on_segment),
                }),
                trees: grants.table(trees).map(|table| xb_trees {
                    struct_size: size(table),
                    reserved: 0,
                    get: Some(on_trees),
                }),
            }
        }
    }

    /// The table of this id; null where it is not granted.
    pub(super) fn get(&self, id: &CStr) -> *const c_void {
        fn entry<T: Table>(table: &Option<T>) -> (&'static CStr, *const c_void) {
            let pointer = |table: &T| (&raw const *table).cast();
            (T::ID, table.as_ref().map_or(std::ptr::null(), pointer))
        }
        [
            entry(&self.predict),
            entry(&self.layers),
            entry(&self.vjp),
            entry(&self.modified_vjp),
            entry(&self.forward_from),
            entry(&self.linear),
            entry(&self.biases),
            entry(&self.segment),
            entry(&self.trees),
        ]
        .into_iter()
        .find_map(|(known, table)| (known == id).then_some(table))
        .unwrap_or(std::ptr::null())
    }
}

/// Ids of what may be used; all where there is no list.
struct Grants<'g>(Option<&'g [String]>);

impl Grants<'_> {
    /// The table, where it is granted.
    ///
    /// # Safety
    ///
    /// The table was checked and lives.
    unsafe fn table<'t, T: Table>(&self, table: Option<NonNull<T>>) -> Option<&'t T> {
        let granted = |ids: &[String]| ids.iter().any(|id| id.as_bytes() == T::ID.to_bytes());
        let table = table.filter(|_| self.0.is_none_or(granted));
        // SAFETY: by this function's contract.
        table.map(|table| unsafe { table.as_ref() })
    }
}

/// The size of our version of a table.
fn size<T>(_table: &T) -> u32 {
    size_of::<T>() as u32
}
