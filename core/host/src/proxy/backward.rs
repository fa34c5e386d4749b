//! The proxy's backward passes, by the chain rule and by other rules.

#![expect(unsafe_code, reason = "serves the contract's tables of functions")]

use std::ffi::{CStr, c_char};

use xbench_abi::{xb_call, xb_object, xb_owned, xb_status, xb_tensor};

use super::State;
use super::serve::serve;
use super::shift::Seen;
use crate::call::CallFrame;
use crate::error::Fault;
use crate::model::{Pullback, Rule, Wanted};

impl State<'_> {
    /// What is asked of a backward pass.
    ///
    /// # Safety
    ///
    /// `wrt` is null or a NUL-terminated name that outlives the result.
    unsafe fn wanted<'l>(
        &self,
        rows: usize,
        wrt: *const c_char,
        activation: *mut *mut xb_owned,
    ) -> Wanted<'l> {
        Wanted {
            rows,
            // SAFETY: by this function's contract.
            layer: (!wrt.is_null()).then(|| unsafe { CStr::from_ptr(wrt) }),
            activation: !activation.is_null(),
            max_rows: self.max_rows,
        }
    }
}

/// Writes the results to their places.
///
/// # Safety
///
/// The gradient's place is writable, and the activation's where there is an activation.
unsafe fn hand_over(
    pulled: Pullback,
    activation: *mut *mut xb_owned,
    gradient: *mut *mut xb_owned,
) {
    // SAFETY: by this function's contract.
    unsafe {
        if let Some(value) = pulled.activation {
            *activation = value.into_raw();
        }
        *gradient = pulled.gradient.into_raw();
    }
}

pub(super) unsafe extern "C" fn on_vjp(
    object: *const xb_object,
    call: *const xb_call,
    x: *const xb_tensor,
    dy: *const xb_tensor,
    wrt: *const c_char,
    activation: *mut *mut xb_owned,
    gradient: *mut *mut xb_owned,
) -> xb_status {
    let work = |state: &State<'_>, frame: &CallFrame| {
        if gradient.is_null() {
            return Err(Fault::request("the place for the gradient is null"));
        }
        let spec = state.model.spec();
        // SAFETY: an explainer's tensors are as the contract describes them, and checked; names are
        // NUL-terminated and places writable.
        unsafe {
            let rows = state.rows("x", x, &spec.input_shape)?;
            state.check_rows("dy", dy, &[spec.outputs], ("x", rows))?;
            state.count(rows, rows);
            let x = state.seen(x, rows);
            let wanted = state.wanted(rows, wrt, activation);
            let pulled = state.model.run_vjp(frame, (x.tensor(), &*dy), &wanted)?;
            hand_over(pulled, activation, gradient);
        }
        Ok(())
    };
    // SAFETY: an explainer hands back the object and the call it was given.
    unsafe { serve(object, call, work) }
}

pub(super) unsafe extern "C" fn on_modified_vjp(
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
        // SAFETY: as in `on_vjp`.
        unsafe {
            let rows = state.rows("x", x, &spec.input_shape)?;
            state.check_rows("dy", dy, &[spec.outputs], ("x", rows))?;
            let mut forward = rows;
            if !reference.is_null() {
                let shape = &spec.input_shape;
                state.check_rows("the reference", reference, shape, ("x", rows))?;
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
            let wanted = state.wanted(rows, wrt, activation);
            let pulled = state
                .model
                .run_modified_vjp(frame, (x.tensor(), &*dy), &rule, &wanted)?;
            hand_over(pulled, activation, gradient);
        }
        Ok(())
    };
    // SAFETY: as in `on_vjp`.
    unsafe { serve(object, call, work) }
}
