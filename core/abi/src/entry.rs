//! What a library exports: one data symbol that leads to static descriptors.
#![expect(
    unsafe_code,
    reason = "the structs hold pointers to constants and must live in statics"
)]

use core::ffi::{CStr, c_char};

use crate::call::{xb_call, xb_status};
use crate::object::xb_object;

/// Major version of the ABI; it stands in the entry symbol's name too.
pub const XB_ABI_MAJOR: u16 = 1;
/// Minor version of the ABI: for messages, never compared.
pub const XB_ABI_MINOR: u16 = 0;
/// Name of the one symbol a plugin library exports: an [`xb_entry`].
pub const XB_ENTRY_SYMBOL: &CStr = c"xbench_entry_v1";

/// Kind of object: a model.
pub const XB_MODEL: u32 = 1;
/// Kind of object: an explainer.
pub const XB_EXPLAINER: u32 = 2;
/// Kind of object: a data set.
pub const XB_DATASET: u32 = 3;
/// Kind of object: a metric.
pub const XB_METRIC: u32 = 4;

/// Flag: calls on one object may overlap.
pub const XB_CONCURRENT: u32 = 1 << 0;
/// Flag: objects may be used off the thread that created them.
pub const XB_ANY_THREAD: u32 = 1 << 1;
/// Flag: the result depends on the seeds.
pub const XB_STOCHASTIC: u32 = 1 << 2;
/// Flag of explainers: `xb_batch::mask` is needed.
pub const XB_WANTS_MASK: u32 = 1 << 3;
/// Flag of explainers: a reference row of the leaderboard, not a method.
pub const XB_CONTROL: u32 = 1 << 4;
/// Explainers: `xb_batch.background` is needed.
pub const XB_WANTS_BACKGROUND: u32 = 1 << 5;

/// Makes an object: descriptor, call, parameters as JSON with their length, where to put it.
pub type xb_create = unsafe extern "C" fn(
    *const xb_descriptor,
    *const xb_call,
    *const c_char,
    usize,
    *mut *mut xb_object,
) -> xb_status;

/// What a plugin says of itself: static data that a scan reads without calling anything.
#[repr(C)]
#[derive(Debug)]
pub struct xb_descriptor {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// `XB_MODEL`, `XB_EXPLAINER`, ...
    pub kind: u32,
    /// `XB_CONCURRENT` and the others, or-ed.
    pub flags: u32,
    /// Rows a call may have; 0 for no limit.
    pub max_batch: u32,
    /// Reverse DNS, for ever the same method.
    pub id: *const c_char,
    /// For people.
    pub name: *const c_char,
    /// Semantic version.
    pub version: *const c_char,
    /// SPDX expression.
    pub license: *const c_char,
    /// The paper: authors, title, year.
    pub citation: *const c_char,
    /// One sentence.
    pub summary: *const c_char,
    /// JSON Schema 2020-12 of `create`'s parameters, an object.
    pub params_schema: *const c_char,
    /// NULL-terminated ids that `get_extension` may answer.
    pub provides: *const *const c_char,
    /// NULL-terminated ids that an explainer needs of the model; `a|b` for either.
    pub requires_model: *const *const c_char,
    /// Makes an object, on the thread that will use it.
    pub create: Option<xb_create>,
}

/// What the library's one symbol is.
#[repr(C)]
#[derive(Debug)]
pub struct xb_entry {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// [`XB_ABI_MAJOR`] of the header that was compiled.
    pub abi_major: u16,
    /// [`XB_ABI_MINOR`] of the header that was compiled.
    pub abi_minor: u16,
    /// Length of `descriptors`.
    pub num_descriptors: u32,
    /// 0.
    pub reserved: u32,
    /// The plugins of this library.
    pub descriptors: *const *const xb_descriptor,
    /// Called once before the first `create`, with the library's path; may be null.
    pub init: Option<unsafe extern "C" fn(*const xb_call, *const c_char) -> xb_status>,
}

// SAFETY: the contract makes both structs constant data whose pointers lead to constant data.
unsafe impl Sync for xb_descriptor {}
// SAFETY: as above.
unsafe impl Sync for xb_entry {}
