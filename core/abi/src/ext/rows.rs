//! `xbench.data.rows/1`: data, as a model's training sees it.

use core::ffi::CStr;

use crate::{xb_call, xb_object, xb_status, xb_tensor};

/// Id of [`xb_rows`].
pub const XB_EXT_ROWS: &CStr = c"xbench.data.rows/1";

/// Labelled rows of pixels.
#[repr(C)]
#[derive(Debug)]
pub struct xb_rows {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// Labels are below this.
    pub num_classes: u32,
    /// Rows there are.
    pub num_rows: i64,
    /// Axes of a row, without the example axis.
    pub input_ndim: i64,
    /// `input_ndim` extents of a row.
    pub input_shape: *const i64,
    /// rows and their number; x: u8 `[n, input...]`; label: `[n]`.
    pub read: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *const i64,
            usize,
            *mut xb_tensor,
            *mut i64,
        ) -> xb_status,
    >,
}
