//! Entry points of what a model shows of itself: its linear head, biases, trees.

use std::ffi::c_char;

use xbench_abi as abi;
use xbench_abi::{xb_call, xb_object, xb_owned, xb_status};

use super::arguments::known_layer;
use super::object::shared;
use super::table::{Capability, OwnedTable, count};
use crate::error::{Error, Result};
use crate::ffi::{self, c_string, hand_over};
use crate::model::{self, LinearHead};

/// Capability `xbench.model.linear/1`.
#[derive(Debug)]
pub enum Linear {}
/// Capability `xbench.model.biases/1`.
#[derive(Debug)]
pub enum Biases {}
/// Capability `xbench.model.trees/1`.
#[derive(Debug)]
pub enum Trees {}

impl<M: model::Linear> Capability<M> for Linear {
    type Table = abi::xb_linear;

    fn table(plugin: &M) -> Result<OwnedTable> {
        let layer = c_string(plugin.layer())?;
        let table = abi::xb_linear {
            struct_size: size_of::<abi::xb_linear>() as u32,
            num_features: count(plugin.num_features(), "the number of features")?,
            layer: layer.as_ptr(),
            weights: Some(linear::<M>),
        };
        Ok(OwnedTable::new(table, layer))
    }
}

unsafe extern "C" fn linear<M: model::Linear>(
    object: *const xb_object,
    call: *const xb_call,
    weight_out: *mut *mut xb_owned,
    bias_out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "linear", |ctx| {
            ffi::clear_place(weight_out, "linear: the place for the weight")?;
            ffi::clear_place(bias_out, "linear: the place for the bias")?;
            let plugin = shared::<M>(object)?;
            let LinearHead { weight, bias } = plugin.head(ctx)?;
            let (outputs, features) = (plugin.spec().outputs, plugin.num_features());
            let bias_len = bias.as_ref().map_or(outputs, Vec::len);
            if weight.shape() != [outputs, features] || bias_len != outputs {
                return Err(Error::internal(format!(
                    "linear: weight of shape {:?} and bias of length {bias_len}, expected \
                     [{outputs}, {features}]",
                    weight.shape()
                )));
            }
            weight_out.write(ffi::give(weight));
            if let Some(bias) = bias {
                bias_out.write(hand_over(&[outputs], bias));
            }
            Ok(())
        })
    }
}

impl<M: model::Biases> Capability<M> for Biases {
    type Table = abi::xb_biases;

    fn table(_plugin: &M) -> Result<OwnedTable> {
        let table = abi::xb_biases {
            struct_size: size_of::<abi::xb_biases>() as u32,
            reserved: 0,
            get: Some(biases::<M>),
        };
        Ok(OwnedTable::new(table, ()))
    }
}

unsafe extern "C" fn biases<M: model::Biases>(
    object: *const xb_object,
    call: *const xb_call,
    layer: *const c_char,
    out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "biases", |ctx| {
            ffi::clear_place(out, "biases: the place for the bias")?;
            let plugin = shared::<M>(object)?;
            let name = ffi::text(layer, "the layer's name")?;
            let layer = known_layer(plugin.layers(), name)?;
            if let Some(bias) = plugin.biases(ctx, name)? {
                if Some(&bias.len()) != layer.shape.first() {
                    return Err(Error::internal(format!(
                        "biases: {} values for `{name}` of shape {:?}",
                        bias.len(),
                        layer.shape
                    )));
                }
                out.write(hand_over(&[bias.len()], bias));
            }
            Ok(())
        })
    }
}

impl<M: model::Trees> Capability<M> for Trees {
    type Table = abi::xb_trees;

    fn table(_plugin: &M) -> Result<OwnedTable> {
        let table = abi::xb_trees {
            struct_size: size_of::<abi::xb_trees>() as u32,
            reserved: 0,
            get: Some(trees::<M>),
        };
        Ok(OwnedTable::new(table, ()))
    }
}

unsafe extern "C" fn trees<M: model::Trees>(
    object: *const xb_object,
    call: *const xb_call,
    out: *mut abi::xb_tree_ensemble,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "trees", |_| {
            if out.is_null() || !out.is_aligned() {
                return Err(Error::invalid_argument("the place for the trees is null"));
            }
            let size = (&raw const (*out).struct_size).read();
            if !abi::has_field!(size, abi::xb_tree_ensemble, value) {
                return Err(Error::invalid_argument(
                    "the place for the trees is made for an older contract",
                ));
            }
            let plugin = shared::<M>(object)?;
            let trees = plugin.trees();
            trees.check()?;
            // The arrays are the plugin's own: they stay where they are until it is changed.
            out.write(abi::xb_tree_ensemble {
                struct_size: size,
                num_features: count(trees.num_features, "the number of features")?,
                num_outputs: count(trees.num_outputs, "the number of outputs")?,
                num_trees: count(trees.roots.len(), "the number of trees")?,
                num_nodes: count(trees.num_nodes(), "the number of nodes")?,
                leaf_values: count(trees.leaf_values(), "the values of a leaf")?,
                strict: u32::from(trees.strict),
                reserved: 0,
                base: trees.base.as_ptr(),
                roots: trees.roots.as_ptr(),
                tree_output: trees.tree_output.as_ptr(),
                feature: trees.feature.as_ptr(),
                threshold: trees.threshold.as_ptr(),
                left: trees.left.as_ptr(),
                right: trees.right.as_ptr(),
                default_left: trees.default_left.as_ptr(),
                cover: trees.cover.as_ptr(),
                gain: trees.gain.as_ptr(),
                value: trees.value.as_ptr(),
            });
            Ok(())
        })
    }
}
