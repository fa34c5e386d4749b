//! A live object: what a descriptor's `create` makes.

use core::ffi::{c_char, c_void};

/// A live model, explainer or data set.
#[repr(C)]
#[derive(Debug)]
pub struct xb_object {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// `XB_MODEL`, `XB_EXPLAINER`, ...
    pub kind: u32,
    /// The maker's own. (`self` in C.)
    pub self_: *mut c_void,
    /// A constant table of functions, valid until `destroy`, or null where the id is not served.
    /// On any thread.
    pub get_extension:
        Option<unsafe extern "C" fn(*const xb_object, *const c_char) -> *const c_void>,
    /// Frees the object. On the thread that created it.
    pub destroy: Option<unsafe extern "C" fn(*mut xb_object)>,
}
