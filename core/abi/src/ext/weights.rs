//! `xbench.model.weights/1`: parameters as bytes; the host does the files.

use core::ffi::{CStr, c_char};

use crate::{xb_call, xb_object, xb_owned, xb_status};

/// Id of [`xb_weights`].
pub const XB_EXT_WEIGHTS: &CStr = c"xbench.model.weights/1";

/// Parameters out and in.
#[repr(C)]
#[derive(Debug)]
pub struct xb_weights {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// `safetensors`, ...
    pub format: *const c_char,
    /// bytes: u8 `[length]`.
    pub save: Option<
        unsafe extern "C" fn(*const xb_object, *const xb_call, *mut *mut xb_owned) -> xb_status,
    >,
    /// bytes, length.
    pub load:
        Option<unsafe extern "C" fn(*mut xb_object, *const xb_call, *const u8, usize) -> xb_status>,
}
