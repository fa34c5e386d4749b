//! `xbench.data.rows/1`: data, as a model's training sees it.

use core::ffi::CStr;

use crate::{xb_call, xb_object, xb_status, xb_tensor};

/// Id of [`xb_rows`].
pub const XB_EXT_ROWS: &CStr = c"xbench.data.rows/1";

/// `xb_rows::element`: images of 8-bit pixels.
pub const XB_PIXELS: u32 = 0;
/// `xb_rows::element`: a table of numbers.
pub const XB_FEATURES: u32 = 1;

/// Labelled rows.
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
    /// rows and their number; x: f32 `[n, input...]`, as predict takes it, pixels divided by 255, or,
    /// of images, u8, the pixels; label: `[n]`.
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
    /// `XB_PIXELS` or `XB_FEATURES`.
    pub element: u32,
    /// 0.
    pub reserved: u32,
    /// The last so many rows are the set's own validation split; 0: it has none.
    pub num_validation: i64,
    /// May be null: no masks. rows and their number; mask: u8 `[n, h, w]`, 1 where the object is;
    /// present: `[n]`, 0 for a row without a mask.
    pub read_masks: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *const i64,
            usize,
            *mut xb_tensor,
            *mut u8,
        ) -> xb_status,
    >,
}
