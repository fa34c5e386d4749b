//! `xbench.model.fit/1`: training.

use core::ffi::{CStr, c_char, c_void};

use crate::{xb_call, xb_object, xb_owned, xb_status};

/// Id of [`xb_fit`].
pub const XB_EXT_FIT: &CStr = c"xbench.model.fit/1";

/// How far the training is: after a batch (`epoch_done` 0) or a whole epoch (1).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct xb_fit_step {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 1 at the end of an epoch.
    pub epoch_done: u32,
    /// From 1.
    pub epoch: u32,
    /// In all.
    pub epochs: u32,
    /// From 1.
    pub batch: u32,
    /// In an epoch.
    pub batches: u32,
    /// Training loss of the batch, or the mean of the epoch.
    pub loss: f64,
    /// Training accuracy, 0 to 1.
    pub accuracy: f64,
    /// NaN within an epoch.
    pub validation_loss: f64,
    /// NaN within an epoch.
    pub validation_accuracy: f64,
    /// Of the step.
    pub learning_rate: f64,
}

/// Whom to tell about each step.
#[repr(C)]
#[derive(Debug)]
pub struct xb_fit_monitor {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The host's own.
    pub host_data: *mut c_void,
    /// False asks to return `XB_CANCELLED`.
    pub step: Option<unsafe extern "C" fn(*const xb_fit_monitor, *const xb_fit_step) -> bool>,
    /// May be null: the state that an interrupted training of the same model, settings and data
    /// kept last.
    pub resume: *const u8,
    /// Bytes of it.
    pub resume_length: usize,
    /// May be null; state, length: keeps it in place of the last; false: it could not.
    pub checkpoint: Option<unsafe extern "C" fn(*const xb_fit_monitor, *const u8, usize) -> bool>,
}

/// Training.
#[repr(C)]
#[derive(Debug)]
pub struct xb_fit {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// data: serves `XB_EXT_ROWS`; settings and their length: a JSON object; monitor; report:
    /// u8 `[length]`, a JSON object.
    pub run: Option<
        unsafe extern "C" fn(
            *mut xb_object,
            *const xb_call,
            *const xb_object,
            *const c_char,
            usize,
            *const xb_fit_monitor,
            *mut *mut xb_owned,
        ) -> xb_status,
    >,
}
