//! `xbench.model.forward_from/1`: the outputs that given values of a layer lead to.

use core::ffi::{CStr, c_char};

use crate::{xb_call, xb_object, xb_status, xb_tensor};

/// Id of [`xb_forward_from`].
pub const XB_EXT_FORWARD_FROM: &CStr = c"xbench.model.forward_from/1";

/// The rest of the forward pass.
#[repr(C)]
#[derive(Debug)]
pub struct xb_forward_from {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// layer; value: f32 `[n, layer shape...]`; y: f32 `[n, outputs]`, filled in place.
    pub run: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *const c_char,
            *const xb_tensor,
            *mut xb_tensor,
        ) -> xb_status,
    >,
}
