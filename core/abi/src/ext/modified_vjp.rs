//! `xbench.model.modified_vjp/1`: backward passes by other rules than the chain rule.

use core::ffi::{CStr, c_char};

use crate::{xb_call, xb_object, xb_owned, xb_status, xb_tensor};

/// Id of [`xb_modified_vjp`].
pub const XB_EXT_MODIFIED_VJP: &CStr = c"xbench.model.modified_vjp/1";

/// A backward pass by a named rule.
#[repr(C)]
#[derive(Debug)]
pub struct xb_modified_vjp {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// How many.
    pub num_rules: u32,
    /// Names of the rules that the model can do.
    pub rules: *const *const c_char,
    /// x; dy: f32 `[n, outputs]`; rule; its parameter; reference: shaped as x, or null; wrt: null
    /// for the input, else a layer's name; activation: may be null; gradient.
    pub run: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *const xb_tensor,
            *const xb_tensor,
            *const c_char,
            f64,
            *const xb_tensor,
            *const c_char,
            *mut *mut xb_owned,
            *mut *mut xb_owned,
        ) -> xb_status,
    >,
}
