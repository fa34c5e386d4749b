//! DLPack tensors in both directions: theirs checked and read, ours lent out.

use std::borrow::Cow;
use std::ffi::c_void;
use std::marker::PhantomData;

use xbench_abi::{DLDataType, DLDevice, K_DL_CPU, xb_tensor};

use crate::error::{Error, Result};
use crate::tensor::TensorRef;

/// More axes than this are a mistake.
const MAX_AXES: i32 = 32;

/// Types of elements that cross the ABI; any bit pattern is a value of them.
pub(crate) trait Element: Copy + Default + Send + Sync + 'static {
    const TYPE: DLDataType;
    const NAME: &'static str;
}

impl Element for f32 {
    const TYPE: DLDataType = DLDataType::F32;
    const NAME: &'static str = "f32";
}

impl Element for u8 {
    const TYPE: DLDataType = DLDataType::U8;
    const NAME: &'static str = "u8";
}

/// A checked DLPack tensor: where its elements lie.
pub(super) struct Layout<T> {
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<isize>,
    /// The first element; dangling where there are none.
    pub(super) first: *mut T,
    pub(super) count: usize,
}

impl<T: Element> Layout<T> {
    /// Checks everything that can be checked.
    ///
    /// # Safety
    /// When not null and aligned, `tensor` must point to a tensor that keeps DLPack's rules.
    pub(super) unsafe fn read(tensor: *const xb_tensor, name: &str) -> Result<Self> {
        let wrong = |what: String| Err(Error::invalid_argument(format!("{name}: {what}")));
        if tensor.is_null() || !tensor.is_aligned() {
            return wrong("the tensor is null or misaligned".into());
        }
        // SAFETY: not null, aligned, a tensor by the caller's promise.
        let tensor = unsafe { &*tensor };
        if tensor.device.device_type != K_DL_CPU {
            return wrong(format!(
                "lies on device type {}, expected host memory",
                tensor.device.device_type
            ));
        }
        if tensor.dtype != T::TYPE {
            let DLDataType { code, bits, lanes } = tensor.dtype;
            return wrong(format!(
                "elements are of code {code}, {bits} bits, {lanes} lanes; expected {}",
                T::NAME
            ));
        }
        if !(1..=MAX_AXES).contains(&tensor.ndim) {
            return wrong(format!(
                "has {} axes, expected 1 to {MAX_AXES}",
                tensor.ndim
            ));
        }
        let axes = tensor.ndim as usize;
        // SAFETY: ndim values each, by DLPack's rules.
        let (shape, strides) = unsafe {
            (
                super::slice(tensor.shape, axes, &format!("{name}: the shape"))?,
                super::slice(
                    tensor.strides,
                    axes,
                    &format!("{name}: the list of strides"),
                )?,
            )
        };

        // Nothing may reach further than memory can, in any direction; then no product overflows.
        let mut count = 1_usize;
        let mut reach = 0_usize;
        let limit = isize::MAX as usize / size_of::<T>();
        let mut layout = Self {
            shape: Vec::with_capacity(axes),
            strides: Vec::with_capacity(axes),
            first: std::ptr::dangling_mut(),
            count: 0,
        };
        for (&extent, &stride) in shape.iter().zip(strides) {
            let (Ok(extent), Ok(stride)) = (usize::try_from(extent), isize::try_from(stride))
            else {
                return wrong(format!(
                    "shape {shape:?} or strides {strides:?} are out of range"
                ));
            };
            let far = stride.unsigned_abs().checked_mul(extent.saturating_sub(1));
            let next = count
                .checked_mul(extent)
                .zip(far.and_then(|far| reach.checked_add(far)));
            let Some((elements, far)) = next.filter(|&(n, far)| n <= limit && far <= limit) else {
                return wrong(format!(
                    "shape {shape:?} with strides {strides:?} exceeds memory"
                ));
            };
            (count, reach) = (elements, far);
            layout.shape.push(extent);
            layout.strides.push(stride);
        }
        layout.count = count;
        if count == 0 {
            return Ok(layout);
        }
        let Ok(offset) = isize::try_from(tensor.byte_offset) else {
            return wrong(format!("byte offset {} exceeds memory", tensor.byte_offset));
        };
        layout.first = tensor.data.cast::<u8>().wrapping_offset(offset).cast::<T>();
        if tensor.data.is_null() || !layout.first.is_aligned() {
            return wrong("the data pointer is null or misaligned".into());
        }
        Ok(layout)
    }

    /// Row-major without gaps?
    pub(super) fn is_compact(&self) -> bool {
        let mut expected = 1_usize;
        self.count == 0
            || self
                .shape
                .iter()
                .zip(&self.strides)
                .rev()
                .all(|(&extent, &stride)| {
                    let fits = extent == 1 || usize::try_from(stride) == Ok(expected);
                    expected *= extent;
                    fits
                })
    }

    /// Calls `visit` with the place of each element, in row-major order.
    pub(super) fn for_each(&self, mut visit: impl FnMut(usize, *mut T)) {
        let mut index = vec![0_usize; self.shape.len()];
        for position in 0..self.count {
            let distance: isize = index
                .iter()
                .zip(&self.strides)
                .map(|(&i, &stride)| i as isize * stride)
                .sum();
            visit(position, self.first.wrapping_offset(distance));
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }
}

/// Somebody's tensor as a compact slice: borrowed where it is compact, else copied.
pub(crate) struct Input<'t, T: Clone> {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Cow<'t, [T]>,
}

impl<T: Element> Input<'_, T> {
    /// # Safety
    /// When not null and aligned, `tensor` must keep DLPack's rules and outlive the lifetime.
    pub(crate) unsafe fn read(tensor: *const xb_tensor, name: &str) -> Result<Self> {
        // SAFETY: passed on.
        let layout = unsafe { Layout::<T>::read(tensor, name) }?;
        let data = if layout.is_compact() {
            // SAFETY: compact, aligned, of `count` elements, valid by the caller's promise.
            Cow::Borrowed(unsafe { std::slice::from_raw_parts(layout.first, layout.count) })
        } else {
            let mut copy = Vec::with_capacity(layout.count);
            // SAFETY: the shape and the strides lead to elements, by the caller's promise.
            layout.for_each(|_, element| copy.push(unsafe { element.read() }));
            Cow::Owned(copy)
        };
        Ok(Self {
            shape: layout.shape,
            data,
        })
    }
}

impl Input<'_, f32> {
    /// As plugins see it.
    pub(crate) fn view(&self) -> Result<TensorRef<'_>> {
        TensorRef::new(&self.shape, &self.data)
    }
}

/// Our slice as a DLPack tensor, lent out for the duration of a call.
pub(crate) struct Borrowed<'t> {
    tensor: xb_tensor,
    // Owns what the tensor's pointers lead to.
    _axes: Vec<i64>,
    _strides: Vec<i64>,
    lifetime: PhantomData<&'t mut [u8]>,
}

impl<'t> Borrowed<'t> {
    /// For reading; the contract forbids the callee to write.
    pub(crate) fn shared<T: Element>(shape: &[usize], data: &'t [T]) -> Self {
        Self::new::<T>(shape, data.as_ptr().cast_mut().cast())
    }

    /// A whole tensor, for reading.
    pub(crate) fn view(tensor: TensorRef<'t>) -> Self {
        Self::shared(tensor.shape(), tensor.data())
    }

    /// For writing.
    pub(crate) fn exclusive<T: Element>(shape: &[usize], data: &'t mut [T]) -> Self {
        Self::new::<T>(shape, data.as_mut_ptr().cast())
    }

    fn new<T: Element>(shape: &[usize], data: *mut c_void) -> Self {
        let (mut axes, mut strides) = axes_and_strides(shape);
        let tensor = describe::<T>(data, &mut axes, &mut strides);
        Self {
            tensor,
            _axes: axes,
            _strides: strides,
            lifetime: PhantomData,
        }
    }

    pub(crate) fn as_ptr(&self) -> *const xb_tensor {
        &raw const self.tensor
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut xb_tensor {
        &raw mut self.tensor
    }
}

/// Extents and row-major strides as the ABI wants them.
pub(super) fn axes_and_strides(shape: &[usize]) -> (Vec<i64>, Vec<i64>) {
    let axes: Vec<i64> = shape.iter().map(|&extent| extent as i64).collect();
    let mut strides = vec![1_i64; axes.len()];
    for axis in (1..axes.len()).rev() {
        strides[axis - 1] = strides[axis] * axes[axis].max(1);
    }
    (axes, strides)
}

/// A DLPack tensor over memory that somebody else keeps alive.
pub(super) fn describe<T: Element>(
    data: *mut c_void,
    axes: &mut [i64],
    strides: &mut [i64],
) -> xb_tensor {
    xb_tensor {
        data,
        device: DLDevice {
            device_type: K_DL_CPU,
            device_id: 0,
        },
        ndim: axes.len() as i32,
        dtype: T::TYPE,
        shape: axes.as_mut_ptr(),
        strides: strides.as_mut_ptr(),
        byte_offset: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    /// A tensor that shows elements of `data` through any layout.
    fn tensor(data: &mut [f32], axes: &mut [i64], strides: &mut [i64], offset: u64) -> xb_tensor {
        let mut tensor = describe::<f32>(data.as_mut_ptr().cast(), axes, strides);
        tensor.byte_offset = offset;
        tensor
    }

    fn read(tensor: &xb_tensor) -> Result<(Vec<usize>, Vec<f32>, bool)> {
        // SAFETY: the tests' tensors lead to their own arrays.
        let input = unsafe { Input::<f32>::read(tensor, "x") }?;
        let borrowed = matches!(input.data, Cow::Borrowed(_));
        Ok((input.shape, input.data.into_owned(), borrowed))
    }

    #[test]
    fn compact_is_borrowed() {
        let mut data = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let seen = read(&tensor(&mut data, &mut [2, 1, 3], &mut [3, 77, 1], 0)).expect("valid");
        assert_eq!(
            seen,
            (vec![2, 1, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], true)
        );
    }

    #[test]
    fn strides_and_offset_are_honoured() {
        let mut data = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let seen = read(&tensor(&mut data, &mut [3, 2], &mut [1, 3], 0)).expect("transposed");
        assert_eq!(
            seen,
            (vec![3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0], false)
        );
        let seen = read(&tensor(&mut data, &mut [2], &mut [-2], 20)).expect("backwards");
        assert_eq!(seen, (vec![2], vec![5.0, 3.0], false));
        let seen = read(&tensor(&mut data, &mut [2, 2], &mut [0, 1], 4)).expect("broadcast");
        assert_eq!(seen, (vec![2, 2], vec![1.0, 2.0, 1.0, 2.0], false));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let data = &mut [0.0_f32; 6];
        let refused = |change: &dyn Fn(&mut xb_tensor)| {
            let (mut axes, mut strides, mut data) = ([2, 3], [3, 1], *data);
            let mut tensor = tensor(&mut data, &mut axes, &mut strides, 0);
            change(&mut tensor);
            let error = read(&tensor).expect_err("refused");
            assert_eq!(error.status(), Status::InvalidArgument);
            error.message().to_owned()
        };
        assert!(refused(&|t| t.data = std::ptr::null_mut()).contains("data pointer is null"));
        assert!(refused(&|t| t.byte_offset = 2).contains("misaligned"));
        assert!(refused(&|t| t.shape = std::ptr::null_mut()).contains("shape is null"));
        assert!(refused(&|t| t.strides = std::ptr::null_mut()).contains("strides is null"));
        assert!(refused(&|t| t.ndim = 0).contains("0 axes"));
        assert!(refused(&|t| t.dtype = DLDataType::U8).contains("expected f32"));
        assert!(refused(&|t| t.device.device_type = 2).contains("host memory"));
        let mut data = [0.0_f32; 6];
        let error = read(&tensor(&mut data, &mut [i64::MAX, 3], &mut [3, 1], 0)).expect_err("big");
        assert!(error.message().contains("exceeds memory"));
        let error = read(&tensor(&mut data, &mut [-1, 3], &mut [3, 1], 0)).expect_err("negative");
        assert!(error.message().contains("out of range"));
        // SAFETY: null is refused.
        assert!(unsafe { Input::<f32>::read(std::ptr::null(), "x") }.is_err());
    }

    #[test]
    fn empty_needs_no_data() {
        let (mut axes, mut strides) = ([0, 3], [3, 1]);
        let empty = describe::<f32>(std::ptr::null_mut(), &mut axes, &mut strides);
        assert_eq!(read(&empty).expect("valid"), (vec![0, 3], vec![], true));
    }
}
