//! A data set as a model's training sees it.

#![expect(unsafe_code, reason = "serves the contract's table of functions")]

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use xbench_abi::{
    DLDataType, XB_DATASET, XB_EXT_ROWS, XB_FEATURES, XB_INTERNAL, XB_INVALID_ARGUMENT, XB_OK,
    XB_PIXELS, xb_call, xb_object, xb_rows, xb_status, xb_tensor,
};

use crate::call::set_error;
use crate::tensor::{check, compact};

/// Labelled rows, handed to [`LoadedModel::fit`](crate::LoadedModel::fit).
pub trait RowSource {
    /// How many rows there are.
    fn num_rows(&self) -> usize;
    /// Shape of one row: `[channels, height, width]` of an image, `[columns]` of a table.
    fn input_shape(&self) -> &[usize];
    /// Labels are below this.
    fn num_classes(&self) -> usize;
    /// Are the rows images of 8-bit pixels? Else they are a table.
    fn is_images(&self) -> bool;
    /// The last so many rows are the set's own validation split.
    fn num_validation(&self) -> usize {
        0
    }
    /// Are object masks known, of some rows at least?
    fn has_masks(&self) -> bool {
        false
    }
    /// The label of a row below [`RowSource::num_rows`].
    fn label(&self, row: usize) -> i64;
    /// Copies the pixels of a row of images.
    ///
    /// # Errors
    ///
    /// A sentence; the training fails with it. So for the functions below.
    fn pixels(&self, row: usize, to: &mut [u8]) -> Result<(), String>;
    /// Copies a row as models take it: pixels divided by 255, or features.
    ///
    /// # Errors
    ///
    /// A sentence.
    fn values(&self, row: usize, to: &mut [f32]) -> Result<(), String>;
    /// Copies the object mask of a row, `[height, width]`, 0 or 1; false where it has none.
    ///
    /// # Errors
    ///
    /// A sentence.
    fn mask(&self, row: usize, to: &mut [u8]) -> Result<bool, String> {
        let _ = (row, to);
        Ok(false)
    }
}

/// A row source as the contract's object. Boxed, since the object points to itself.
pub(crate) struct RowsObject<'d> {
    object: xb_object,
    table: xb_rows,
    shape: Vec<i64>,
    source: &'d dyn RowSource,
}

impl<'d> RowsObject<'d> {
    pub(crate) fn new(source: &'d dyn RowSource) -> Box<Self> {
        let shape: Vec<i64> = source
            .input_shape()
            .iter()
            .map(|&extent| extent as i64)
            .collect();
        let mut rows = Box::new(Self {
            object: xb_object {
                struct_size: size_of::<xb_object>() as u32,
                kind: XB_DATASET,
                self_: std::ptr::null_mut(),
                get_extension: Some(get_extension),
                destroy: Some(destroy),
            },
            table: xb_rows {
                struct_size: size_of::<xb_rows>() as u32,
                num_classes: source.num_classes() as u32,
                num_rows: source.num_rows() as i64,
                input_ndim: shape.len() as i64,
                input_shape: std::ptr::null(),
                read: Some(read),
                element: if source.is_images() {
                    XB_PIXELS
                } else {
                    XB_FEATURES
                },
                reserved: 0,
                num_validation: source.num_validation() as i64,
                read_masks: source.has_masks().then_some(read_masks as _),
            },
            shape,
            source,
        });
        rows.table.input_shape = rows.shape.as_ptr();
        rows
    }

    /// The object, valid for as long as `self` is borrowed.
    pub(crate) fn raw(&mut self) -> *const xb_object {
        let this: *mut Self = self;
        // SAFETY: `this` was just made from a reference.
        unsafe {
            (*this).object.self_ = this.cast();
            &raw const (*this).object
        }
    }
}

/// # Safety
///
/// `object` was made by [`RowsObject::raw`], and its owner lives.
unsafe fn state<'a>(object: *const xb_object) -> &'a RowsObject<'a> {
    // SAFETY: by this function's contract.
    unsafe { &*(*object).self_.cast::<RowsObject<'a>>() }
}

unsafe extern "C" fn get_extension(object: *const xb_object, id: *const c_char) -> *const c_void {
    if object.is_null() || id.is_null() {
        return std::ptr::null();
    }
    // SAFETY: a plugin hands back the object it was given, and a NUL-terminated id.
    unsafe {
        if CStr::from_ptr(id) == XB_EXT_ROWS {
            (&raw const state(object).table).cast()
        } else {
            std::ptr::null()
        }
    }
}

/// The host owns the object; a plugin that destroys what it was lent changes nothing.
unsafe extern "C" fn destroy(_object: *mut xb_object) {}

unsafe extern "C" fn read(
    object: *const xb_object,
    call: *const xb_call,
    rows: *const i64,
    n: usize,
    x: *mut xb_tensor,
    label: *mut i64,
) -> xb_status {
    let work = |source: &dyn RowSource, rows: &[usize]| {
        if rows.is_empty() {
            return Ok(());
        }
        if label.is_null() || x.is_null() {
            return Err(invalid("x or the labels are null"));
        }
        let shape = source.input_shape();
        // SAFETY: a plugin hands over memory as the contract describes it: n labels, and a tensor.
        unsafe {
            for (i, &row) in rows.iter().enumerate() {
                label.add(i).write(source.label(row));
            }
            if (*x).dtype == DLDataType::U8 {
                if !source.is_images() {
                    return Err(invalid("x: the data are a table, which has no pixels"));
                }
                fill::<u8>("x", x, DLDataType::U8, rows, shape, |row, to| {
                    source.pixels(row, to)
                })
            } else {
                fill::<f32>("x", x, DLDataType::F32, rows, shape, |row, to| {
                    source.values(row, to)
                })
            }
        }
    };
    // SAFETY: a plugin hands back the object it was given, and n rows.
    unsafe { serve(object, call, rows, n, work) }
}

unsafe extern "C" fn read_masks(
    object: *const xb_object,
    call: *const xb_call,
    rows: *const i64,
    n: usize,
    mask: *mut xb_tensor,
    present: *mut u8,
) -> xb_status {
    let work = |source: &dyn RowSource, rows: &[usize]| {
        if rows.is_empty() {
            return Ok(());
        }
        let (false, false, &[_, height, width]) =
            (present.is_null(), mask.is_null(), source.input_shape())
        else {
            return Err(invalid("a place is null, or the data are no images"));
        };
        let mut seen = Vec::with_capacity(rows.len());
        // SAFETY: as in `read`.
        unsafe {
            fill::<u8>(
                "mask",
                mask,
                DLDataType::U8,
                rows,
                &[height, width],
                |row, to| {
                    seen.push(source.mask(row, to)?);
                    Ok(())
                },
            )?;
            for (i, seen) in seen.into_iter().enumerate() {
                present.add(i).write(u8::from(seen));
            }
        }
        Ok(())
    };
    // SAFETY: as in `read`.
    unsafe { serve(object, call, rows, n, work) }
}

type Refusal = (xb_status, String);

fn invalid(text: impl Into<String>) -> Refusal {
    (XB_INVALID_ARGUMENT, text.into())
}

/// Checks the rows, contains panics, and reports what went wrong.
///
/// # Safety
///
/// `object` is null or one that [`RowsObject::raw`] made; `rows` is null or has `n` elements.
unsafe fn serve(
    object: *const xb_object,
    call: *const xb_call,
    rows: *const i64,
    n: usize,
    work: impl FnOnce(&dyn RowSource, &[usize]) -> Result<(), Refusal>,
) -> xb_status {
    if object.is_null() || call.is_null() || (n > 0 && rows.is_null()) {
        return XB_INVALID_ARGUMENT;
    }
    let checked = || {
        // SAFETY: by this function's contract.
        let (source, rows) = unsafe {
            let rows = if n == 0 {
                &[]
            } else {
                std::slice::from_raw_parts(rows, n)
            };
            (state(object).source, rows)
        };
        let indices: Vec<usize> = rows
            .iter()
            .map(|&row| {
                usize::try_from(row)
                    .ok()
                    .filter(|&row| row < source.num_rows())
                    .ok_or(row)
            })
            .collect::<Result<_, _>>()
            .map_err(|row| invalid(format!("row {row} is not below {}", source.num_rows())))?;
        work(source, &indices)
    };
    let (status, text) = match catch_unwind(AssertUnwindSafe(checked)) {
        Ok(Ok(())) => return XB_OK,
        Ok(Err(failure)) => failure,
        Err(_) => (XB_INTERNAL, "reading the data panicked".to_owned()),
    };
    // SAFETY: checked not to be null; a plugin hands on a call that lives.
    unsafe { set_error(call, status, &text) };
    status
}

/// Fills a compact tensor of `[rows, inner...]` row by row.
///
/// # Safety
///
/// `tensor` is as the contract describes it, and `dtype` is that of `T`.
unsafe fn fill<T>(
    what: &str,
    tensor: *mut xb_tensor,
    dtype: DLDataType,
    rows: &[usize],
    inner: &[usize],
    mut one: impl FnMut(usize, &mut [T]) -> Result<(), String>,
) -> Result<(), Refusal> {
    // SAFETY: by this function's contract.
    let shape = unsafe { check(what, tensor, dtype) }.map_err(|fault| invalid(fault.message))?;
    if shape[0] != rows.len() || shape[1..] != *inner {
        return Err(invalid(format!(
            "{what}: expected {} rows of {inner:?}, found {shape:?}",
            rows.len()
        )));
    }
    // SAFETY: `check` accepted the tensor.
    let Some(found) = (unsafe { compact::<T>(&*tensor) }) else {
        return Err(invalid(format!("{what}: it is not compact")));
    };
    // SAFETY: compact, of this length, and the plugin's to be written; the shared view is gone.
    let values = unsafe { std::slice::from_raw_parts_mut(found.as_ptr().cast_mut(), found.len()) };
    let size = inner.iter().product::<usize>().max(1);
    for (&row, to) in rows.iter().zip(values.chunks_exact_mut(size)) {
        one(row, to).map_err(|text| (XB_INTERNAL, text))?;
    }
    Ok(())
}
