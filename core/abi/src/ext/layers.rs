//! `xbench.model.layers/1`: inner layers and their activations.

use core::ffi::{CStr, c_char};

use crate::{xb_call, xb_object, xb_owned, xb_status, xb_tensor};

/// Id of [`xb_layers`].
pub const XB_EXT_LAYERS: &CStr = c"xbench.model.layers/1";

/// One layer. It stands in arrays, so it never grows.
#[repr(C)]
#[derive(Debug)]
pub struct xb_layer {
    /// Unique within the model.
    pub name: *const c_char,
    /// `conv2d`, `max_pool2d`, `linear`, ... after its non-linearity.
    pub op: *const c_char,
    /// Axes, without the example axis.
    pub ndim: i64,
    /// `ndim` extents.
    pub shape: *const i64,
}

/// The layers, in forward order.
#[repr(C)]
#[derive(Debug)]
pub struct xb_layers {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// Length of `layers`.
    pub num_layers: u32,
    /// In forward order.
    pub layers: *const xb_layer,
    /// x, layer, out: f32 `[n, layer shape...]`.
    pub activation: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *const xb_tensor,
            *const c_char,
            *mut *mut xb_owned,
        ) -> xb_status,
    >,
}
