//! Entry points of forward passes: outputs, values of layers, predicted masks.

use std::ffi::c_char;

use xbench_abi as abi;
use xbench_abi::{xb_call, xb_object, xb_owned, xb_status, xb_tensor};

use super::arguments::{check_batch, known_layer, read_input, read_outputs};
use super::object::shared;
use super::table::{Capability, Names, OwnedTable, count, extents};
use crate::error::{Error, Result};
use crate::ffi::{self, Input};
use crate::model::{self, Model};

/// Capability `xbench.model.predict/1`.
#[derive(Debug)]
pub enum Predict {}
/// Capability `xbench.model.layers/1`.
#[derive(Debug)]
pub enum Layers {}
/// Capability `xbench.model.forward_from/1`.
#[derive(Debug)]
pub enum ForwardFrom {}
/// Capability `xbench.model.segment/1`.
#[derive(Debug)]
pub enum Segment {}

impl<M: Model> Capability<M> for Predict {
    type Table = abi::xb_predict;

    fn table(plugin: &M) -> Result<OwnedTable> {
        let spec = plugin.spec();
        let shape = extents(&spec.input_shape, "the input")?;
        let table = abi::xb_predict {
            struct_size: size_of::<abi::xb_predict>() as u32,
            num_outputs: count(spec.outputs, "the number of outputs")?,
            input_ndim: shape.len() as i32,
            output_kind: spec.output_kind.code(),
            input_shape: shape.as_ptr(),
            input_layout: spec.layout.as_ptr(),
            run: Some(predict::<M>),
        };
        Ok(OwnedTable::new(table, shape))
    }
}

unsafe extern "C" fn predict<M: Model>(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    y: *mut xb_tensor,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "predict", |ctx| {
            let plugin = shared::<M>(object)?;
            let spec = plugin.spec();
            let x = read_input::<M>(spec, x)?;
            let mut y = read_outputs(spec, x.shape[0], y)?;
            if x.shape[0] > 0 {
                plugin.predict(ctx, x.view()?, y.slice())?;
                y.finish();
            }
            Ok(())
        })
    }
}

impl<M: model::Layers> Capability<M> for Layers {
    type Table = abi::xb_layers;

    fn table(plugin: &M) -> Result<OwnedTable> {
        let specs = plugin.layers();
        let names = Names::new(specs.iter().map(|layer| layer.name.as_str()))?;
        let ops = Names::new(specs.iter().map(|layer| layer.op.as_str()))?;
        let shapes = specs
            .iter()
            .map(|layer| extents(&layer.shape, &layer.name))
            .collect::<Result<Vec<_>>>()?;
        let layers: Vec<_> = names
            .pointers
            .iter()
            .zip(&ops.pointers)
            .zip(&shapes)
            .map(|((&name, &op), shape)| abi::xb_layer {
                name,
                op,
                ndim: shape.len() as i64,
                shape: shape.as_ptr(),
            })
            .collect();
        let table = abi::xb_layers {
            struct_size: size_of::<abi::xb_layers>() as u32,
            num_layers: count(layers.len(), "the number of layers")?,
            layers: layers.as_ptr(),
            activation: Some(activation::<M>),
        };
        Ok(OwnedTable::new(table, (layers, names, ops, shapes)))
    }
}

unsafe extern "C" fn activation<M: model::Layers>(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    layer: *const c_char,
    out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "activation", |ctx| {
            ffi::clear_place(out, "activation: the place for the result")?;
            let plugin = shared::<M>(object)?;
            let x = read_input::<M>(plugin.spec(), x)?;
            let name = ffi::text(layer, "the layer's name")?;
            let spec = known_layer(plugin.layers(), name)?;
            let value = plugin.activation(ctx, x.view()?, name)?;
            if value.rows() != x.shape[0] || value.shape()[1..] != spec.shape[..] {
                return Err(Error::internal(format!(
                    "the activation of `{name}` has shape {:?}, expected [{}, ...] with rows of \
                     shape {:?}",
                    value.shape(),
                    x.shape[0],
                    spec.shape
                )));
            }
            out.write(ffi::give(value));
            Ok(())
        })
    }
}

impl<M: model::ForwardFrom> Capability<M> for ForwardFrom {
    type Table = abi::xb_forward_from;

    fn table(_plugin: &M) -> Result<OwnedTable> {
        let table = abi::xb_forward_from {
            struct_size: size_of::<abi::xb_forward_from>() as u32,
            reserved: 0,
            run: Some(forward_from::<M>),
        };
        Ok(OwnedTable::new(table, ()))
    }
}

unsafe extern "C" fn forward_from<M: model::ForwardFrom>(
    object: *const xb_object,
    call: *const xb_call,
    layer: *const c_char,
    value: *const xb_tensor,
    y: *mut xb_tensor,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "forward_from", |ctx| {
            let plugin = shared::<M>(object)?;
            let name = ffi::text(layer, "the layer's name")?;
            let layer = known_layer(plugin.layers(), name)?;
            let value = Input::<f32>::read(value, "value")?;
            if value.shape[1..] != layer.shape[..] {
                return Err(Error::invalid_argument(format!(
                    "value has shape {:?}, expected rows of shape {:?} as `{name}` has them",
                    value.shape, layer.shape
                )));
            }
            check_batch(value.shape[0], M::META.max_batch)?;
            let mut y = read_outputs(plugin.spec(), value.shape[0], y)?;
            if value.shape[0] > 0 {
                plugin.forward_from(ctx, name, value.view()?, y.slice())?;
                y.finish();
            }
            Ok(())
        })
    }
}

impl<M: model::Segment> Capability<M> for Segment {
    type Table = abi::xb_segment;

    fn table(_plugin: &M) -> Result<OwnedTable> {
        let table = abi::xb_segment {
            struct_size: size_of::<abi::xb_segment>() as u32,
            reserved: 0,
            run: Some(segment::<M>),
        };
        Ok(OwnedTable::new(table, ()))
    }
}

unsafe extern "C" fn segment<M: model::Segment>(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "segment", |ctx| {
            ffi::clear_place(out, "segment: the place for the mask")?;
            let plugin = shared::<M>(object)?;
            let x = read_input::<M>(plugin.spec(), x)?;
            let mask = plugin.segment(ctx, x.view()?)?;
            let expected = [x.shape.first(), x.shape.get(2), x.shape.get(3)];
            if !mask.shape().iter().map(Some).eq(expected) {
                return Err(Error::internal(format!(
                    "segment: the mask has shape {:?} for images of shape {:?}",
                    mask.shape(),
                    x.shape
                )));
            }
            out.write(ffi::give(mask));
            Ok(())
        })
    }
}
