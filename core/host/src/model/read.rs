//! Copies what a model's tables say of it, and checks that it makes sense.

#![expect(unsafe_code, reason = "reads the model's tables")]

use std::ptr::NonNull;

use xbench_abi::{
    XB_LOGITS, XB_PROBABILITIES, XB_VALUES, xb_layers, xb_linear, xb_parameters, xb_predict,
};

use crate::error::Fault;
use crate::load::text;
use crate::spec::{LayerSpec, ModelSpec, OutputKind};

/// Most axes of an input or a layer.
const MAX_NDIM: i64 = 4;
/// Longest axis of an input or a layer.
const MAX_EXTENT: i64 = 65_536;
/// Most outputs per row.
const MAX_OUTPUTS: u32 = 100_000;
/// Most layers.
const MAX_LAYERS: u32 = 10_000;
/// Longest name, in bytes.
pub(super) const MAX_NAME: usize = 1024;

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
pub(super) unsafe fn read_spec(table: NonNull<xb_predict>) -> Result<ModelSpec, Fault> {
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

pub(super) unsafe fn read_layers(table: NonNull<xb_layers>) -> Result<Vec<LayerSpec>, Fault> {
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

pub(super) unsafe fn read_names(table: NonNull<xb_parameters>) -> Result<Vec<String>, Fault> {
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

pub(super) unsafe fn read_linear(table: NonNull<xb_linear>) -> Result<(String, usize), Fault> {
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
