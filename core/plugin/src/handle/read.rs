//! Copies what tables say of shapes, and checks it.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::sync::{Mutex, PoisonError};

use xbench_abi as abi;

use crate::error::{Error, Result};
use crate::ffi::{self, c_string};
use crate::model::{ModelSpec, OutputKind};

/// Extents of a shape of the contract, all positive.
///
/// # Safety
/// When not null and aligned, `shape` must point to `axes` values.
pub(crate) unsafe fn read_shape(shape: *const i64, axes: i64, what: &str) -> Result<Vec<usize>> {
    let wrong = || Error::invalid_argument(format!("{what} is out of range"));
    let axes = usize::try_from(axes)
        .ok()
        .filter(|&axes| axes <= 32)
        .ok_or_else(wrong)?;
    // SAFETY: passed on.
    let extents = unsafe { ffi::slice(shape, axes, what) }?;
    let shape = extents
        .iter()
        .map(|&extent| usize::try_from(extent).map_err(|_| wrong()))
        .collect::<Result<Vec<usize>>>()?;
    // The size of a row must be a number too.
    crate::tensor::element_count(&shape).ok_or_else(wrong)?;
    Ok(shape)
}

/// # Safety
/// The table must keep the contract.
pub(super) unsafe fn read_spec(table: &abi::xb_predict) -> Result<ModelSpec> {
    // SAFETY: a table that keeps the contract: a shape of input_ndim extents and a valid string.
    let (input_shape, layout) = unsafe {
        (
            read_shape(
                table.input_shape,
                i64::from(table.input_ndim),
                "the input's shape",
            )?,
            ffi::text(table.input_layout, "the input's layout")?,
        )
    };
    let output_kind = OutputKind::from_code(table.output_kind).ok_or_else(|| {
        Error::invalid_argument(format!("unknown kind of output {}", table.output_kind))
    })?;
    let outputs = table.num_outputs as usize;
    Ok(ModelSpec {
        input_shape,
        layout: interned(layout)?,
        outputs,
        output_kind,
    })
}

/// The layout as a constant. Layouts are few words of the contract, so that each distinct one is kept
/// for good rather than making every author of a model write an owned string.
fn interned(layout: &str) -> Result<&'static CStr> {
    static KNOWN: Mutex<BTreeSet<&'static CStr>> = Mutex::new(BTreeSet::new());
    let layout = c_string(layout)?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(layout.as_c_str()) {
        return Ok(found);
    }
    let kept: &'static CStr = Box::leak(layout.into_boxed_c_str());
    known.insert(kept);
    Ok(kept)
}
