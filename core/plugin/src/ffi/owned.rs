//! Results that are handed over together with the duty to free them.

use xbench_abi::{DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION, DLPackVersion, xb_owned};

use super::view::{Element, axes_and_strides, describe};
use crate::tensor::Tensor;

struct Held<T> {
    managed: xb_owned,
    data: Vec<T>,
    axes: Vec<i64>,
    strides: Vec<i64>,
}

/// Hands `data` over; the consumer calls the deleter.
pub(crate) fn hand_over<T: Element>(shape: &[usize], data: Vec<T>) -> *mut xb_owned {
    let (mut axes, mut strides) = axes_and_strides(shape);
    let mut data = data;
    let dl_tensor = describe::<T>(data.as_mut_ptr().cast(), &mut axes, &mut strides);
    let version = DLPackVersion {
        major: DLPACK_MAJOR_VERSION,
        minor: DLPACK_MINOR_VERSION,
    };
    let managed = xb_owned {
        version,
        manager_ctx: std::ptr::null_mut(),
        deleter: Some(release::<T>),
        flags: 0,
        dl_tensor,
    };
    let held = Box::into_raw(Box::new(Held {
        managed,
        data,
        axes,
        strides,
    }));
    // SAFETY: just made. The buffers of the three vectors did not move with them.
    unsafe {
        (*held).managed.manager_ctx = held.cast();
        &raw mut (*held).managed
    }
}

/// Hands a tensor over, as [`hand_over`].
pub(crate) fn give(tensor: Tensor) -> *mut xb_owned {
    let (shape, data) = tensor.into_parts();
    hand_over(&shape, data)
}

unsafe extern "C" fn release<T: Element>(owned: *mut xb_owned) {
    if owned.is_null() {
        return;
    }
    // SAFETY: `manager_ctx` is the box that `hand_over` made, and the consumer calls this once.
    let held = unsafe { Box::from_raw((*owned).manager_ctx.cast::<Held<T>>()) };
    let Held {
        managed: _,
        data,
        axes,
        strides,
    } = *held;
    drop((data, axes, strides));
}
