//! The context of one call, and the status it ends with.

use core::ffi::{c_char, c_void};

use crate::tensor::DLDevice;

/// How a call ended; numbered as the absl status codes.
pub type xb_status = i32;

/// Done.
pub const XB_OK: xb_status = 0;
/// The host asked to stop and the callee did.
pub const XB_CANCELLED: xb_status = 1;
/// An argument is not what the contract or the plugin asks for.
pub const XB_INVALID_ARGUMENT: xb_status = 3;
/// The call ran past its deadline.
pub const XB_DEADLINE_EXCEEDED: xb_status = 4;
/// Something that was named does not exist, for instance a layer.
pub const XB_NOT_FOUND: xb_status = 5;
/// Out of memory or of another resource.
pub const XB_RESOURCE_EXHAUSTED: xb_status = 8;
/// The callee cannot do this.
pub const XB_UNIMPLEMENTED: xb_status = 12;
/// A defect of the callee.
pub const XB_INTERNAL: xb_status = 13;

/// Level of a log line: something failed.
pub const XB_LOG_ERROR: i32 = 1;
/// Level of a log line: something is odd.
pub const XB_LOG_WARN: i32 = 2;
/// Level of a log line: worth knowing.
pub const XB_LOG_INFO: i32 = 3;
/// Level of a log line: for debugging.
pub const XB_LOG_DEBUG: i32 = 4;

/// The context of one call. Made by the host, valid until the call returns.
#[repr(C)]
#[derive(Debug)]
pub struct xb_call {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// Cap on compute threads, the calling one included; at least 1.
    pub num_threads: u32,
    /// The host's own.
    pub host_data: *mut c_void,
    /// For whatever is drawn once per call.
    pub seed: u64,
    /// On the clock of `now_ns`; `i64::MAX` for none.
    pub deadline_ns: i64,
    /// Where to compute.
    pub device: DLDevice,
    /// Null: have finished when returning; otherwise enqueue on this stream.
    pub stream: *mut c_void,
    /// The host's monotonic clock in nanoseconds. On any thread.
    pub now_ns: Option<unsafe extern "C" fn(*const xb_call) -> i64>,
    /// Tells why the call fails; the text (with its length) is copied. On any thread.
    pub set_error: Option<unsafe extern "C" fn(*const xb_call, xb_status, *const c_char, usize)>,
    /// Writes a log line; the text (with its length) is copied. On any thread.
    pub log: Option<unsafe extern "C" fn(*const xb_call, i32, *const c_char, usize)>,
    /// Reports the fraction done, 0 to 1; false asks to return `XB_CANCELLED`. On any thread.
    pub progress: Option<unsafe extern "C" fn(*const xb_call, f64) -> bool>,
}
