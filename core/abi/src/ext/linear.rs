//! `xbench.model.linear/1`: a linear head over a layer's spatial mean.

use core::ffi::{CStr, c_char};

use crate::{xb_call, xb_object, xb_owned, xb_status};

/// Id of [`xb_linear`].
pub const XB_EXT_LINEAR: &CStr = c"xbench.model.linear/1";

/// `y = weight . spatial_mean(layer) + bias`, as class activation mapping needs it.
#[repr(C)]
#[derive(Debug)]
pub struct xb_linear {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// Channels of the layer.
    pub num_features: u32,
    /// Whose spatial mean the output is linear in; a name of `layers/1`.
    pub layer: *const c_char,
    /// weight: f32 `[outputs, features]`; bias: may be null, f32 `[outputs]`.
    pub weights: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *mut *mut xb_owned,
            *mut *mut xb_owned,
        ) -> xb_status,
    >,
}
