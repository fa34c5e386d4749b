//! `xbench.model.predict/1`: what every model can do.

use core::ffi::{CStr, c_char};

use crate::{xb_call, xb_object, xb_status, xb_tensor};

/// Id of [`xb_predict`].
pub const XB_EXT_PREDICT: &CStr = c"xbench.model.predict/1";
/// `xb_predict::output_kind`: unnormalised scores.
pub const XB_LOGITS: i32 = 0;
/// `xb_predict::output_kind`: probabilities.
pub const XB_PROBABILITIES: i32 = 1;
/// `xb_predict::output_kind`: values of a regression.
pub const XB_VALUES: i32 = 2;

/// The forward pass.
#[repr(C)]
#[derive(Debug)]
pub struct xb_predict {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// Outputs per row.
    pub num_outputs: u32,
    /// Axes of a row, without the example axis.
    pub input_ndim: i32,
    /// `XB_LOGITS`, `XB_PROBABILITIES` or `XB_VALUES`.
    pub output_kind: i32,
    /// `input_ndim` extents of a row.
    pub input_shape: *const i64,
    /// `nchw`, `tabular`, ...
    pub input_layout: *const c_char,
    /// x: f32 `[n, input...]`; y: f32 `[n, outputs]`, filled in place.
    pub run: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *const xb_tensor,
            *mut xb_tensor,
        ) -> xb_status,
    >,
}
