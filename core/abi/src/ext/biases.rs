//! `xbench.model.biases/1`: what layers add before their non-linearity.

use core::ffi::{CStr, c_char};

use crate::{xb_call, xb_object, xb_owned, xb_status};

/// Id of [`xb_biases`].
pub const XB_EXT_BIASES: &CStr = c"xbench.model.biases/1";

/// Biases of layers.
#[repr(C)]
#[derive(Debug)]
pub struct xb_biases {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// layer; bias: f32 `[channels or units]`, left null where the layer has none.
    pub get: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *const c_char,
            *mut *mut xb_owned,
        ) -> xb_status,
    >,
}
