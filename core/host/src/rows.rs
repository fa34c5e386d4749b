//! A data set as a model's training sees it.

#![expect(unsafe_code, reason = "serves the contract's table of functions")]

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use xbench_abi::{
    DLDataType, XB_DATASET, XB_EXT_ROWS, XB_INTERNAL, XB_INVALID_ARGUMENT, XB_OK, xb_call,
    xb_object, xb_rows, xb_status, xb_tensor,
};

use crate::call::set_error;
use crate::tensor::check;

/// Labelled rows of pixels, handed to [`LoadedModel::fit`](crate::LoadedModel::fit).
pub trait RowSource {
    /// How many rows there are.
    fn num_rows(&self) -> usize;
    /// Shape of one row, for images `[channels, height, width]`.
    fn input_shape(&self) -> &[usize];
    /// Labels are below this.
    fn num_classes(&self) -> usize;
    /// Copies the pixels (`[rows, input...]`, row-major) and labels of the rows with these indices,
    /// all below [`RowSource::num_rows`].
    ///
    /// # Errors
    ///
    /// A sentence; the training fails with it.
    fn read(&self, rows: &[usize], pixels: &mut [u8], labels: &mut [i64]) -> Result<(), String>;
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
    if object.is_null() || call.is_null() || (n > 0 && (rows.is_null() || label.is_null())) {
        return XB_INVALID_ARGUMENT;
    }
    // SAFETY: a plugin hands back the object it was given, and memory as the contract describes.
    let result = catch_unwind(AssertUnwindSafe(|| unsafe {
        read_checked(object, rows, n, x, label)
    }));
    let (status, text) = match result {
        Ok(Ok(())) => return XB_OK,
        Ok(Err(failure)) => failure,
        Err(_) => (XB_INTERNAL, "reading the data panicked".to_owned()),
    };
    // SAFETY: checked not to be null; a plugin hands on a call that lives.
    unsafe { set_error(call, status, &text) };
    status
}

/// # Safety
///
/// The pointers are as the contract describes them.
unsafe fn read_checked(
    object: *const xb_object,
    rows: *const i64,
    n: usize,
    x: *mut xb_tensor,
    label: *mut i64,
) -> Result<(), (xb_status, String)> {
    let invalid = |text: String| (XB_INVALID_ARGUMENT, text);
    if n == 0 {
        return Ok(());
    }
    // SAFETY: by this function's contract.
    let (source, rows, labels) = unsafe {
        (
            state(object).source,
            std::slice::from_raw_parts(rows, n),
            std::slice::from_raw_parts_mut(label, n),
        )
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
    // SAFETY: by this function's contract.
    let shape = unsafe { check("x", x, DLDataType::U8) }.map_err(|f| invalid(f.message))?;
    if shape[0] != n || shape[1..] != *source.input_shape() {
        let wanted = source.input_shape();
        return Err(invalid(format!(
            "x: expected {n} rows of {wanted:?}, found {shape:?}"
        )));
    }
    let length: usize = shape.iter().product();
    // SAFETY: `check` accepted the tensor, so it has these extents and strides.
    let (x, strides) = unsafe { (&*x, std::slice::from_raw_parts((*x).strides, shape.len())) };
    let mut expected = 1_i64;
    for (&extent, &stride) in shape.iter().zip(strides).rev() {
        if extent > 1 && stride != expected {
            return Err(invalid("x: it is not compact".to_owned()));
        }
        expected *= extent.max(1) as i64;
    }
    // SAFETY: compact, of this length, and the plugin's to be written.
    let pixels = unsafe {
        let first = x.data.cast::<u8>().add(x.byte_offset as usize);
        std::slice::from_raw_parts_mut(first, length)
    };
    source
        .read(&indices, pixels, labels)
        .map_err(|text| (XB_INTERNAL, text))
}
