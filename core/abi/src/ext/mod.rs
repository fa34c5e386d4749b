//! Capabilities: small tables of functions, looked up by id. A file for each.
#![expect(unsafe_code, reason = "promises how the tables begin")]

use core::ffi::CStr;

mod biases;
mod explain;
mod fit;
mod forward_from;
mod layers;
mod linear;
mod modified_vjp;
mod parameters;
mod predict;
mod rows;
mod segment;
mod trees;
mod vjp;
mod weights;

pub use biases::*;
pub use explain::*;
pub use fit::*;
pub use forward_from::*;
pub use layers::*;
pub use linear::*;
pub use modified_vjp::*;
pub use parameters::*;
pub use predict::*;
pub use rows::*;
pub use segment::*;
pub use trees::*;
pub use vjp::*;
pub use weights::*;

/// A table of functions, which its type tells the id of.
///
/// # Safety
/// The type must be `repr(C)` and begin with `struct_size`, a `u32`.
pub unsafe trait Table {
    /// What it is looked up by.
    const ID: &'static CStr;
    /// Bytes that it has since its first revision; a table with fewer is not whole.
    const FIRST_SIZE: usize;
}

macro_rules! tables {
    ($($type:ident, $id:ident, $last:ident;)+) => {$(
        // SAFETY: the contract's tables begin with their size.
        unsafe impl Table for $type {
            const ID: &'static CStr = $id;
            const FIRST_SIZE: usize = core::mem::offset_of!($type, $last)
                + crate::size_of_field(|table: &$type| &table.$last);
        }
    )+};
}

// Each with the last field of its first revision.
tables! {
    xb_biases, XB_EXT_BIASES, get;
    xb_explain, XB_EXT_EXPLAIN, run;
    xb_fit, XB_EXT_FIT, run;
    xb_forward_from, XB_EXT_FORWARD_FROM, run;
    xb_layers, XB_EXT_LAYERS, activation;
    xb_linear, XB_EXT_LINEAR, weights;
    xb_modified_vjp, XB_EXT_MODIFIED_VJP, run;
    xb_parameters, XB_EXT_PARAMETERS, fingerprint;
    xb_predict, XB_EXT_PREDICT, run;
    xb_rows, XB_EXT_ROWS, read;
    xb_segment, XB_EXT_SEGMENT, run;
    xb_trees, XB_EXT_TREES, get;
    xb_vjp, XB_EXT_VJP, run;
    xb_weights, XB_EXT_WEIGHTS, load;
}
