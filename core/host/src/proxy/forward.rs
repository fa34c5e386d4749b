//! The proxy's forward passes: outputs, values of layers, predicted masks.

#![expect(unsafe_code, reason = "serves the contract's tables of functions")]

use std::ffi::{CStr, c_char};

use xbench_abi::{xb_call, xb_object, xb_owned, xb_status, xb_tensor};

use super::State;
use super::serve::serve;
use crate::call::CallFrame;
use crate::error::Fault;

pub(super) unsafe extern "C" fn on_predict(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    y: *mut xb_tensor,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        let spec = state.model.spec();
        // SAFETY: the explainer's tensors are as the contract describes them, and checked.
        unsafe {
            let rows = state.rows("x", x, &spec.input_shape)?;
            state.check_rows("y", y, &[spec.outputs], ("x", rows))?;
            state.count(rows, 0);
            let x = state.seen(x, rows);
            state
                .model
                .run_predict(frame, x.tensor(), &*y, rows, state.max_rows)
        }
    };
    // SAFETY: an explainer hands back the object and the call it was given.
    unsafe { serve(object, call, work) }
}

pub(super) unsafe extern "C" fn on_activation(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    layer: *const c_char,
    out: *mut *mut xb_owned,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if layer.is_null() || out.is_null() {
            return Err(Fault::request(
                "the layer's name or the place for its activation is null",
            ));
        }
        // SAFETY: as in `on_predict`; the name is NUL-terminated and the place writable.
        unsafe {
            let rows = state.rows("x", x, &state.model.spec().input_shape)?;
            state.count(rows, 0);
            let layer = CStr::from_ptr(layer);
            let x = state.seen(x, rows);
            let activation =
                state
                    .model
                    .run_activation(frame, x.tensor(), rows, layer, state.max_rows)?;
            *out = activation.into_raw();
        }
        Ok(())
    };
    // SAFETY: as in `on_predict`.
    unsafe { serve(object, call, work) }
}

pub(super) unsafe extern "C" fn on_forward_from(
    object: *const xb_object,
    call: *const xb_call,
    layer: *const c_char,
    value: *const xb_tensor,
    y: *mut xb_tensor,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if layer.is_null() {
            return Err(Fault::request("the layer's name is null"));
        }
        // SAFETY: as in `on_activation`.
        unsafe {
            let layer = CStr::from_ptr(layer);
            let rows = state.rows("value", value, state.model.layer_shape(layer)?)?;
            state.check_rows("y", y, &[state.model.spec().outputs], ("value", rows))?;
            state.count(rows, 0);
            state
                .model
                .run_forward_from(frame, layer, &*value, &*y, rows, state.max_rows)
        }
    };
    // SAFETY: as in `on_predict`.
    unsafe { serve(object, call, work) }
}

pub(super) unsafe extern "C" fn on_segment(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    out: *mut *mut xb_owned,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if out.is_null() {
            return Err(Fault::request("the place for the mask is null"));
        }
        // SAFETY: as in `on_predict`; the place is writable.
        unsafe {
            let rows = state.rows("x", x, &state.model.spec().input_shape)?;
            state.count(rows, 0);
            let x = state.seen(x, rows);
            let mask = state
                .model
                .run_segment(frame, x.tensor(), rows, state.max_rows)?;
            *out = mask.into_raw();
        }
        Ok(())
    };
    // SAFETY: as in `on_predict`.
    unsafe { serve(object, call, work) }
}
