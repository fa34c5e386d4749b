//! `xbench.model.segment/1`: a predicted object mask.

use core::ffi::CStr;

use crate::{xb_call, xb_object, xb_owned, xb_status, xb_tensor};

/// Id of [`xb_segment`].
pub const XB_EXT_SEGMENT: &CStr = c"xbench.model.segment/1";

/// Where the object is.
#[repr(C)]
#[derive(Debug)]
pub struct xb_segment {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// x; mask: f32 `[n, h, w]`, the probability 0..1 that a pixel belongs to the object.
    pub run: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *const xb_tensor,
            *mut *mut xb_owned,
        ) -> xb_status,
    >,
}
