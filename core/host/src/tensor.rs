//! Tensors across the boundary: lent to plugins, and checked before they are read.

#![expect(unsafe_code, reason = "reads memory that the other side describes")]

use std::ffi::c_void;

use xbench_abi::{DLDataType, DLDevice, K_DL_CPU, xb_tensor};

use crate::error::{Fault, PluginErrorKind};

/// Most axes of a tensor that is read.
const MAX_NDIM: usize = 8;
/// Most elements of a tensor that is read.
const MAX_ELEMENTS: usize = 1 << 34;

/// Shape and strides of a compact tensor, and the tensor that points to them.
pub(crate) struct Lent {
    _shape: Vec<i64>,
    _strides: Vec<i64>,
    raw: xb_tensor,
}

impl Lent {
    /// A compact tensor of `shape` over `data`, valid for as long as `data` is.
    pub(crate) fn new(data: *mut c_void, dtype: DLDataType, shape: &[usize]) -> Self {
        let mut dims: Vec<i64> = shape.iter().map(|&extent| extent as i64).collect();
        let mut strides = compact_strides(&dims);
        let raw = xb_tensor {
            data,
            device: DLDevice {
                device_type: K_DL_CPU,
                device_id: 0,
            },
            ndim: dims.len() as i32,
            dtype,
            shape: dims.as_mut_ptr(),
            strides: strides.as_mut_ptr(),
            byte_offset: 0,
        };
        Self {
            _shape: dims,
            _strides: strides,
            raw,
        }
    }

    /// Rows `start..start + length` of a checked f32 tensor, without a copy.
    ///
    /// # Safety
    ///
    /// `whole` passed [`check`] and outlives the result.
    pub(crate) unsafe fn rows(whole: &xb_tensor, start: usize, length: usize) -> Self {
        let ndim = whole.ndim as usize;
        // SAFETY: a checked tensor has `ndim` extents and strides.
        let (mut dims, mut strides) = unsafe {
            (
                std::slice::from_raw_parts(whole.shape, ndim).to_vec(),
                std::slice::from_raw_parts(whole.strides, ndim).to_vec(),
            )
        };
        dims[0] = length as i64;
        let skipped = start as i64 * strides[0] * 4;
        // SAFETY: the first element of a row of the tensor lies within its memory; the stride may
        // be negative, so the offset is applied to the pointer.
        let data = unsafe { whole.data.byte_offset(skipped as isize) };
        let raw = xb_tensor {
            data,
            shape: dims.as_mut_ptr(),
            strides: strides.as_mut_ptr(),
            ..*whole
        };
        Self {
            _shape: dims,
            _strides: strides,
            raw,
        }
    }

    pub(crate) fn raw(&self) -> *const xb_tensor {
        &raw const self.raw
    }

    pub(crate) fn raw_mut(&mut self) -> *mut xb_tensor {
        &raw mut self.raw
    }

    pub(crate) fn tensor(&self) -> &xb_tensor {
        &self.raw
    }
}

pub(crate) fn compact_strides(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1_i64; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}

/// The shape of a tensor whose type is `dtype` and which lies in host memory.
///
/// # Safety
///
/// `tensor` is null or points to a tensor whose `shape` and `strides` are null or have `ndim`
/// elements.
pub(crate) unsafe fn check(
    what: &str,
    tensor: *const xb_tensor,
    dtype: DLDataType,
) -> Result<Vec<usize>, Fault> {
    let wrong = |text: String| Err(Fault::shape(format!("{what}: {text}")));
    // SAFETY: by this function's contract.
    let Some(tensor) = (unsafe { tensor.as_ref() }) else {
        return wrong("it is null".to_owned());
    };
    if tensor.device.device_type != K_DL_CPU {
        return wrong(format!(
            "it lies on device type {}, not in host memory",
            tensor.device.device_type
        ));
    }
    if tensor.dtype != dtype {
        return wrong(format!("its type is {:?}, not {dtype:?}", tensor.dtype));
    }
    let Some(ndim) = usize::try_from(tensor.ndim)
        .ok()
        .filter(|n| (1..=MAX_NDIM).contains(n))
    else {
        return wrong(format!(
            "it has {} axes; allowed are 1 to {MAX_NDIM}",
            tensor.ndim
        ));
    };
    if tensor.shape.is_null() || tensor.strides.is_null() {
        return wrong("its shape or its strides are null".to_owned());
    }
    // SAFETY: not null, hence `ndim` elements by this function's contract.
    let dims = unsafe { std::slice::from_raw_parts(tensor.shape, ndim) };
    let mut elements = 1_usize;
    let mut shape = Vec::with_capacity(ndim);
    for &extent in dims {
        let Ok(extent) = usize::try_from(extent) else {
            return wrong(format!("its shape {dims:?} has a negative extent"));
        };
        elements = elements.saturating_mul(extent);
        shape.push(extent);
    }
    if elements > MAX_ELEMENTS {
        return wrong(format!(
            "its shape {dims:?} has more than {MAX_ELEMENTS} elements"
        ));
    }
    if elements > 0 && tensor.data.is_null() {
        return wrong("its data is null".to_owned());
    }
    let address = (tensor.data as usize as u64).wrapping_add(tensor.byte_offset);
    if !address.is_multiple_of(u64::from(dtype.bits / 8)) {
        return wrong("its data is not aligned to its elements".to_owned());
    }
    Ok(shape)
}

/// The elements of a checked tensor as a slice, where it is compact.
///
/// # Safety
///
/// `tensor` passed [`check`] for the type of `T`, and its memory is readable for `'t`.
pub(crate) unsafe fn compact<'t, T>(tensor: &xb_tensor) -> Option<&'t [T]> {
    let ndim = tensor.ndim as usize;
    // SAFETY: a checked tensor has `ndim` extents and strides.
    let (dims, strides) = unsafe {
        (
            std::slice::from_raw_parts(tensor.shape, ndim),
            std::slice::from_raw_parts(tensor.strides, ndim),
        )
    };
    let elements = dims.iter().product::<i64>() as usize;
    if elements == 0 {
        return Some(&[]);
    }
    // The stride of an axis with one element is never used.
    let fits = dims.iter().zip(strides).zip(compact_strides(dims));
    if fits
        .into_iter()
        .any(|((&extent, &stride), compact)| extent > 1 && stride != compact)
    {
        return None;
    }
    // SAFETY: the tensor is compact, so its elements lie one after the other.
    Some(unsafe {
        let first = tensor
            .data
            .byte_add(tensor.byte_offset as usize)
            .cast::<T>();
        std::slice::from_raw_parts(first, elements)
    })
}

/// Copies the elements of a checked tensor in row-major order, whatever its strides.
///
/// # Safety
///
/// As [`compact`].
pub(crate) unsafe fn gather<T: Copy>(tensor: &xb_tensor) -> Vec<T> {
    // SAFETY: by this function's contract.
    if let Some(elements) = unsafe { compact::<T>(tensor) } {
        return elements.to_vec();
    }
    let ndim = tensor.ndim as usize;
    // SAFETY: a checked tensor has `ndim` extents and strides.
    let (dims, strides) = unsafe {
        (
            std::slice::from_raw_parts(tensor.shape, ndim),
            std::slice::from_raw_parts(tensor.strides, ndim),
        )
    };
    let elements = dims.iter().product::<i64>() as usize;
    let mut values = Vec::with_capacity(elements);
    let mut index = vec![0_i64; ndim];
    for _ in 0..elements {
        let offset: i64 = index
            .iter()
            .zip(strides)
            .map(|(&i, &stride)| i * stride)
            .sum();
        // SAFETY: every index is within the shape, so the element lies in the tensor's memory.
        values.push(unsafe {
            let first = tensor
                .data
                .byte_add(tensor.byte_offset as usize)
                .cast::<T>();
            *first.offset(offset as isize)
        });
        for axis in (0..ndim).rev() {
            index[axis] += 1;
            if index[axis] < dims[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    values
}

/// Checks that all numbers are finite; `first_row` is added to the row that is named.
pub(crate) fn check_finite(
    what: &str,
    values: &[f32],
    rows: usize,
    first_row: usize,
) -> Result<(), Fault> {
    // Counted without a branch per number, so that it costs no more than reading them.
    let count: usize = values.chunks(4096).map(count_non_finite).sum();
    if count == 0 {
        return Ok(());
    }
    let first = values
        .iter()
        .position(|value| !value.is_finite())
        .unwrap_or(0);
    let row = first_row + first / (values.len() / rows.max(1)).max(1);
    Err(Fault {
        kind: PluginErrorKind::NonFinite { row, count },
        message: format!("{what}: {count} numbers are not finite, the first of them in row {row}"),
    })
}

fn count_non_finite(values: &[f32]) -> usize {
    const EXPONENT: u32 = 0x7f80_0000;
    values
        .iter()
        .map(|value| u32::from(value.to_bits() & EXPONENT == EXPONENT))
        .sum::<u32>() as usize
}

/// As [`check_finite`], for a checked f32 tensor.
///
/// # Safety
///
/// As [`compact`].
pub(crate) unsafe fn check_finite_tensor(
    what: &str,
    tensor: &xb_tensor,
    rows: usize,
    first_row: usize,
) -> Result<(), Fault> {
    // SAFETY: by this function's contract.
    match unsafe { compact::<f32>(tensor) } {
        Some(values) => check_finite(what, values, rows, first_row),
        // SAFETY: by this function's contract.
        None => check_finite(what, &unsafe { gather::<f32>(tensor) }, rows, first_row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_tensors_are_gathered_in_row_major_order() {
        let mut data: Vec<f32> = (0..12_u8).map(f32::from).collect();
        let mut lent = Lent::new(data.as_mut_ptr().cast(), DLDataType::F32, &[3, 4]);
        // Transposed: element (i, j) lies at i + 4 j... of a [4, 3] view.
        let (mut shape, mut strides) = ([4_i64, 3], [1_i64, 4]);
        lent.raw.shape = shape.as_mut_ptr();
        lent.raw.strides = strides.as_mut_ptr();
        // SAFETY: the tensor describes `data`.
        unsafe {
            assert_eq!(check("x", lent.raw(), DLDataType::F32).unwrap(), [4, 3]);
            let columns = [0., 4., 8., 1., 5., 9., 2., 6., 10., 3., 7., 11.];
            assert_eq!(gather::<f32>(lent.tensor()), columns);
            let rows = Lent::rows(lent.tensor(), 1, 2);
            assert_eq!(gather::<f32>(rows.tensor()), columns[3..9]);
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_counted_and_placed() {
        let mut values = vec![0.5_f32; 10_000];
        check_finite("y", &values, 10, 0).unwrap();
        values[2500] = f32::NAN;
        values[9999] = f32::NEG_INFINITY;
        let fault = check_finite("y", &values, 10, 100).unwrap_err();
        assert_eq!(
            fault.kind,
            PluginErrorKind::NonFinite { row: 102, count: 2 }
        );
        values[2500] = f32::MAX;
        values[9999] = f32::MIN_POSITIVE / 2.0;
        check_finite("y", &values, 10, 0).unwrap();
    }
}
