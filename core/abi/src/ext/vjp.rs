//! `xbench.model.vjp/1`: vector-Jacobian products.

use core::ffi::{CStr, c_char};

use crate::{xb_call, xb_object, xb_owned, xb_status, xb_tensor};

/// Id of [`xb_vjp`].
pub const XB_EXT_VJP: &CStr = c"xbench.model.vjp/1";

/// Gradient of `sum(dy * y)` with respect to the input or a layer.
#[repr(C)]
#[derive(Debug)]
pub struct xb_vjp {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// x; dy: f32 `[n, outputs]`; wrt: null for the input, else a layer's name; activation: may be
    /// null; gradient.
    pub run: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *const xb_tensor,
            *const xb_tensor,
            *const c_char,
            *mut *mut xb_owned,
            *mut *mut xb_owned,
        ) -> xb_status,
    >,
}
