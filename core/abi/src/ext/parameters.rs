//! `xbench.model.parameters/1`: randomise and restore, as sanity checks need it.

use core::ffi::{CStr, c_char};

use crate::{xb_call, xb_object, xb_status};

/// Id of [`xb_parameters`].
pub const XB_EXT_PARAMETERS: &CStr = c"xbench.model.parameters/1";
/// From the output down to the layer, inclusive.
pub const XB_RANDOMISE_CASCADE: i32 = 0;
/// That layer alone.
pub const XB_RANDOMISE_SINGLE: i32 = 1;

/// The layers with parameters, in forward order.
#[repr(C)]
#[derive(Debug)]
pub struct xb_parameters {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// Length of `layers`.
    pub num_layers: u32,
    /// Names, in forward order.
    pub layers: *const *const c_char,
    /// mode, layer.
    pub randomise: Option<
        unsafe extern "C" fn(*mut xb_object, *const xb_call, i32, *const c_char) -> xb_status,
    >,
    /// Back to what create, load or fit made.
    pub restore: Option<unsafe extern "C" fn(*mut xb_object, *const xb_call) -> xb_status>,
    /// SHA-256 of the parameters, 32 bytes.
    pub fingerprint:
        Option<unsafe extern "C" fn(*const xb_object, *const xb_call, *mut u8) -> xb_status>,
}
