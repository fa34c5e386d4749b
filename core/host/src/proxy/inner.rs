//! The proxy's functions that reach into a network.

use std::ffi::{CStr, c_char};
use std::ptr::NonNull;

use xbench_abi::{
    xb_biases, xb_call, xb_forward_from, xb_modified_vjp, xb_object, xb_owned, xb_status, xb_tensor,
};

use super::shift::Seen;
use super::{State, serve};
use crate::call::CallFrame;
use crate::error::Fault;
use crate::model::{Rule, Wanted};

/// The proxy's table, with the model's names of rules.
///
/// # Safety
///
/// `table` was checked and lives as long as the proxy.
pub(super) unsafe fn modified_vjp(table: NonNull<xb_modified_vjp>) -> xb_modified_vjp {
    // SAFETY: by this function's contract.
    let (num_rules, rules) = unsafe { (table.as_ref().num_rules, table.as_ref().rules) };
    xb_modified_vjp {
        struct_size: size_of::<xb_modified_vjp>() as u32,
        num_rules,
        rules,
        run: Some(on_modified_vjp),
    }
}

pub(super) fn forward_from() -> xb_forward_from {
    xb_forward_from {
        struct_size: size_of::<xb_forward_from>() as u32,
        reserved: 0,
        run: Some(on_forward_from),
    }
}

pub(super) fn biases() -> xb_biases {
    xb_biases {
        struct_size: size_of::<xb_biases>() as u32,
        reserved: 0,
        get: Some(on_biases),
    }
}

unsafe extern "C" fn on_modified_vjp(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    dy: *const xb_tensor,
    rule: *const c_char,
    parameter: f64,
    reference: *const xb_tensor,
    wrt: *const c_char,
    activation: *mut *mut xb_owned,
    gradient: *mut *mut xb_owned,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if gradient.is_null() || rule.is_null() {
            return Err(Fault::request(
                "the rule or the place for the gradient is null",
            ));
        }
        let spec = state.model.spec();
        // SAFETY: an explainer's tensors are as the contract describes them, and checked; names are
        // NUL-terminated and places writable.
        unsafe {
            let rows = state.rows("x", x, &spec.input_shape)?;
            let outputs = state.rows("dy", dy, &[spec.outputs])?;
            if rows != outputs {
                return Err(Fault::request(format!(
                    "x has {rows} rows and dy {outputs}"
                )));
            }
            let mut forward = rows;
            if !reference.is_null() {
                let references = state.rows("the reference", reference, &spec.input_shape)?;
                if references != rows {
                    return Err(Fault::request(format!(
                        "x has {rows} rows and the reference {references}"
                    )));
                }
                // The reference goes through the network as well.
                forward += rows;
            }
            state.count(forward, rows);
            let x = state.seen(x, rows);
            let reference = (!reference.is_null()).then(|| state.seen(reference, rows));
            let rule = Rule {
                name: CStr::from_ptr(rule),
                parameter,
                reference: reference.as_ref().map(Seen::tensor),
            };
            let wanted = Wanted {
                rows,
                layer: (!wrt.is_null()).then(|| CStr::from_ptr(wrt)),
                activation: !activation.is_null(),
                max_rows: state.max_rows,
            };
            let pulled = state
                .model
                .run_modified_vjp(frame, (x.tensor(), &*dy), &rule, &wanted)?;
            if let Some(value) = pulled.activation {
                *activation = value.into_raw();
            }
            *gradient = pulled.gradient.into_raw();
        }
        Ok(())
    };
    // SAFETY: an explainer hands back the object and the call it was given.
    unsafe { serve(object, call, work) }
}

unsafe extern "C" fn on_forward_from(
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
        // SAFETY: as in `on_modified_vjp`.
        unsafe {
            let layer = CStr::from_ptr(layer);
            let rows = state.rows("value", value, state.model.shape_of_layer(layer)?)?;
            let outputs = state.rows("y", y, &[state.model.spec().outputs])?;
            if rows != outputs {
                return Err(Fault::request(format!(
                    "value has {rows} rows and y {outputs}"
                )));
            }
            state.count(rows, 0);
            state
                .model
                .run_forward_from(frame, layer, &*value, &*y, rows, state.max_rows)
        }
    };
    // SAFETY: as in `on_modified_vjp`.
    unsafe { serve(object, call, work) }
}

unsafe extern "C" fn on_biases(
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
        // SAFETY: as in `on_modified_vjp`.
        unsafe {
            let bias = state.model.run_biases(frame, CStr::from_ptr(layer))?;
            *out = bias.map_or(std::ptr::null_mut(), |bias| bias.into_raw());
        }
        Ok(())
    };
    // SAFETY: as in `on_modified_vjp`.
    unsafe { serve(object, call, work) }
}
