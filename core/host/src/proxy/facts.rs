//! What the proxy passes on of the model itself: its linear head, biases, trees.

#![expect(unsafe_code, reason = "serves the contract's tables of functions")]

use std::ffi::{CStr, c_char};

use xbench_abi::{has_field, xb_call, xb_object, xb_owned, xb_status, xb_tree_ensemble};

use super::State;
use super::serve::serve;
use crate::call::CallFrame;
use crate::error::Fault;

pub(super) unsafe extern "C" fn on_weights(
    object: *const xb_object,
    call: *const xb_call,
    weight: *mut *mut xb_owned,
    bias: *mut *mut xb_owned,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if weight.is_null() || bias.is_null() {
            return Err(Fault::request("the place for the weights is null"));
        }
        let head = state.model.run_linear(frame)?;
        // SAFETY: checked not to be null, and the explainer's to be written.
        unsafe {
            *weight = head.weight.into_raw();
            *bias = head
                .bias
                .map_or(std::ptr::null_mut(), |bias| bias.into_raw());
        }
        Ok(())
    };
    // SAFETY: an explainer hands back the object and the call it was given.
    unsafe { serve(object, call, work) }
}

pub(super) unsafe extern "C" fn on_biases(
    object: *const xb_object,
    call: *const xb_call,
    layer: *const c_char,
    out: *mut *mut xb_owned,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if layer.is_null() || out.is_null() {
            return Err(Fault::request(
                "the layer's name or the place for its bias is null",
            ));
        }
        // SAFETY: the name is NUL-terminated and the place the explainer's to be written.
        unsafe {
            let bias = state.model.run_biases(frame, CStr::from_ptr(layer))?;
            *out = bias.map_or(std::ptr::null_mut(), |bias| bias.into_raw());
        }
        Ok(())
    };
    // SAFETY: as in `on_weights`.
    unsafe { serve(object, call, work) }
}

pub(super) unsafe extern "C" fn on_trees(
    object: *const xb_object,
    call: *const xb_call,
    out: *mut xb_tree_ensemble,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        // SAFETY: the explainer's place is null or as the contract describes it; the size is first.
        unsafe {
            if out.is_null()
                || !has_field!(
                    (&raw const (*out).struct_size).read(),
                    xb_tree_ensemble,
                    value
                )
            {
                return Err(Fault::request(
                    "the place for the trees is null or too small",
                ));
            }
            // The explainer reads the model's own arrays; its SDK checks them.
            let struct_size = (&raw const (*out).struct_size).read();
            *out = xb_tree_ensemble {
                struct_size,
                ..state.shifted_trees(state.model.run_trees(frame)?)?
            };
        }
        Ok(())
    };
    // SAFETY: as in `on_weights`.
    unsafe { serve(object, call, work) }
}
