//! What comes in, read and held against what the model says of itself.

use xbench_abi::xb_tensor;

use crate::error::{Error, Result};
use crate::ffi::{Input, Output};
use crate::model::{LayerSpec, Model, ModelSpec};
use crate::params;

/// Reads `x` and checks it against what the model takes.
///
/// # Safety
/// When not null, `x` must keep the contract and outlive the result.
pub(super) unsafe fn read_input<'x, M: Model>(
    spec: &ModelSpec,
    x: *const xb_tensor,
) -> Result<Input<'x, f32>> {
    // SAFETY: passed on.
    let x = unsafe { Input::read(x, "x") }?;
    if x.shape[1..] != spec.input_shape[..] {
        return Err(Error::invalid_argument(format!(
            "x has shape {:?}, expected [n, ...] with rows of shape {:?}",
            x.shape, spec.input_shape
        )));
    }
    check_batch(x.shape[0], M::META.max_batch)?;
    Ok(x)
}

/// Reads the place `y` for the outputs of `rows` rows.
///
/// # Safety
/// As [`Output::read`].
pub(super) unsafe fn read_outputs(
    spec: &ModelSpec,
    rows: usize,
    y: *mut xb_tensor,
) -> Result<Output<f32>> {
    // SAFETY: passed on.
    let y = unsafe { Output::<f32>::read(y, "y") }?;
    if y.shape() != [rows, spec.outputs] {
        return Err(Error::invalid_argument(format!(
            "y has shape {:?}, expected [{rows}, {}]",
            y.shape(),
            spec.outputs
        )));
    }
    Ok(y)
}

pub(super) fn check_batch(rows: usize, limit: u32) -> Result<()> {
    if limit != 0 && rows > limit as usize {
        return Err(Error::invalid_argument(format!(
            "{rows} rows in one call, this plugin takes at most {limit}"
        )));
    }
    Ok(())
}

pub(super) fn known_layer<'l>(layers: &'l [LayerSpec], name: &str) -> Result<&'l LayerSpec> {
    layers
        .iter()
        .find(|layer| layer.name == name)
        .ok_or_else(|| {
            let known: Vec<_> = layers.iter().map(|layer| layer.name.as_str()).collect();
            unknown_layer(name, &known)
        })
}

pub(super) fn unknown_layer(name: &str, known: &[&str]) -> Error {
    Error::not_found(format!(
        "no layer `{name}`{}; layers: {}",
        params::suggestion(name, known),
        known.join(", ")
    ))
}
