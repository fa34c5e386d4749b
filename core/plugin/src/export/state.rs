//! Entry points of what a model can become: parameters, weights, fit.

use std::ffi::c_char;

use xbench_abi as abi;
use xbench_abi::{xb_call, xb_object, xb_owned, xb_status};

use super::arguments::unknown_layer;
use super::object::{exclusive, refresh, shared};
use super::table::{Capability, Names, OwnedTable, count};
use crate::data::DataHandle;
use crate::error::{Error, Result};
use crate::ffi::{self, hand_over};
use crate::model::{self, Randomise};
use crate::monitor::HostMonitor;

/// Capability `xbench.model.parameters/1`.
#[derive(Debug)]
pub enum Parameters {}
/// Capability `xbench.model.weights/1`.
#[derive(Debug)]
pub enum Weights {}
/// Capability `xbench.model.fit/1`.
#[derive(Debug)]
pub enum Fit {}

impl<M: model::Parameters> Capability<M> for Parameters {
    type Table = abi::xb_parameters;

    fn table(plugin: &M) -> Result<OwnedTable> {
        let layers = plugin.parameter_layers();
        let names = Names::new(layers.iter().map(String::as_str))?;
        let table = abi::xb_parameters {
            struct_size: size_of::<abi::xb_parameters>() as u32,
            num_layers: count(layers.len(), "the number of layers")?,
            layers: names.pointers.as_ptr(),
            randomise: Some(randomise::<M>),
            restore: Some(restore::<M>),
            fingerprint: Some(fingerprint::<M>),
        };
        Ok(OwnedTable::new(table, names))
    }
}

unsafe extern "C" fn randomise<M: model::Parameters>(
    object: *mut xb_object,
    call: *const xb_call,
    mode: i32,
    layer: *const c_char,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "randomise", |ctx| {
            let mode = match mode {
                abi::XB_RANDOMISE_CASCADE => Randomise::Cascade,
                abi::XB_RANDOMISE_SINGLE => Randomise::Single,
                other => {
                    return Err(Error::invalid_argument(format!(
                        "unknown mode of randomisation {other}"
                    )));
                }
            };
            let name = ffi::text(layer, "the layer's name")?;
            let mut plugin = exclusive::<M>(object)?;
            let known = plugin.parameter_layers();
            if !known.iter().any(|layer| layer == name) {
                let known: Vec<_> = known.iter().map(String::as_str).collect();
                return Err(unknown_layer(name, &known));
            }
            plugin.randomise(ctx, mode, name)
        })
    }
}

unsafe extern "C" fn restore<M: model::Parameters>(
    object: *mut xb_object,
    call: *const xb_call,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe { ffi::guard(call, "restore", |ctx| exclusive::<M>(object)?.restore(ctx)) }
}

unsafe extern "C" fn fingerprint<M: model::Parameters>(
    object: *const xb_object,
    call: *const xb_call,
    sha256: *mut u8,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "fingerprint", |ctx| {
            if sha256.is_null() {
                return Err(Error::invalid_argument(
                    "the place for the fingerprint is null",
                ));
            }
            let digest = shared::<M>(object)?.fingerprint(ctx)?;
            sha256.copy_from_nonoverlapping(digest.as_ptr(), digest.len());
            Ok(())
        })
    }
}

impl<M: model::Weights> Capability<M> for Weights {
    type Table = abi::xb_weights;

    fn table(_plugin: &M) -> Result<OwnedTable> {
        let table = abi::xb_weights {
            struct_size: size_of::<abi::xb_weights>() as u32,
            reserved: 0,
            format: M::FORMAT.as_ptr(),
            save: Some(save::<M>),
            load: Some(load::<M>),
        };
        Ok(OwnedTable::new(table, ()))
    }
}

unsafe extern "C" fn save<M: model::Weights>(
    object: *const xb_object,
    call: *const xb_call,
    out: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "save", |ctx| {
            ffi::clear_place(out, "save: the place for the bytes")?;
            let bytes = shared::<M>(object)?.save(ctx)?;
            out.write(hand_over(&[bytes.len()], bytes));
            Ok(())
        })
    }
}

unsafe extern "C" fn load<M: model::Weights>(
    object: *mut xb_object,
    call: *const xb_call,
    bytes: *const u8,
    length: usize,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "load", |ctx| {
            let bytes = ffi::slice(bytes, length, "the bytes")?;
            exclusive::<M>(object)?.load(ctx, bytes)?;
            refresh::<M>(object)
        })
    }
}

impl<M: model::Fit> Capability<M> for Fit {
    type Table = abi::xb_fit;

    fn table(_plugin: &M) -> Result<OwnedTable> {
        let table = abi::xb_fit {
            struct_size: size_of::<abi::xb_fit>() as u32,
            reserved: 0,
            run: Some(fit::<M>),
        };
        Ok(OwnedTable::new(table, ()))
    }
}

unsafe extern "C" fn fit<M: model::Fit>(
    object: *mut xb_object,
    call: *const xb_call,
    data: *const xb_object,
    settings: *const c_char,
    length: usize,
    monitor: *const abi::xb_fit_monitor,
    report: *mut *mut xb_owned,
) -> xb_status {
    // SAFETY: the host's arguments keep the contract: valid during the call or null.
    unsafe {
        ffi::guard(call, "fit", |ctx| {
            ffi::clear_place(report, "fit: the place for the report")?;
            let settings = ffi::text_of_length(settings, length, "the settings")?;
            let mut plugin = exclusive::<M>(object)?;
            let data = DataHandle::from_raw(data, *ctx)?;
            let input_shape = &plugin.spec().input_shape;
            if data.input_shape() != input_shape.as_slice() {
                return Err(Error::invalid_argument(format!(
                    "the data have rows of shape {:?}, the model takes {input_shape:?}",
                    data.input_shape()
                )));
            }
            let text = plugin.fit(ctx, &data, settings, &mut HostMonitor::from_raw(monitor)?)?;
            if !serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|json| json.is_object())
            {
                return Err(Error::internal("fit: the report is not a JSON object"));
            }
            drop(plugin);
            refresh::<M>(object)?;
            report.write(hand_over(&[text.len()], text.into_bytes()));
            Ok(())
        })
    }
}
