//! `xbench.explainer.explain/1`: what every explainer can do.

use core::ffi::CStr;

use crate::{xb_call, xb_object, xb_status, xb_tensor};

/// Id of [`xb_explain`].
pub const XB_EXT_EXPLAIN: &CStr = c"xbench.explainer.explain/1";

/// Rows to explain.
#[repr(C)]
#[derive(Debug)]
pub struct xb_batch {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// f32 `[n, input...]`.
    pub x: *const xb_tensor,
    /// `[n]`: the output that is explained, per row.
    pub target: *const i64,
    /// `[n]`: each row's own.
    pub seed: *const u64,
    /// May be null; u8 `[n, h, w]`: only where `XB_WANTS_MASK` is declared.
    pub mask: *const xb_tensor,
    /// May be null; f32 `[m, input...]`: only where `XB_WANTS_BACKGROUND` is declared.
    pub background: *const xb_tensor,
    /// May be null; `[n]`: R squared of each row's local surrogate; comes as NaN.
    pub local_fit: *mut f64,
}

/// The explanation.
#[repr(C)]
#[derive(Debug)]
pub struct xb_explain {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// model: the host's proxy; batch; attribution: f32, shaped as x, filled in place.
    pub run: Option<
        unsafe extern "C" fn(
            *const xb_object,
            *const xb_call,
            *const xb_object,
            *const xb_batch,
            *mut xb_tensor,
        ) -> xb_status,
    >,
}
