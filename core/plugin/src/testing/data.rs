//! Data for the test of a training.

use std::ffi::{CStr, c_char, c_void};

use xbench_abi as abi;

use crate::error::{Error, Result};
use crate::ffi::{self, Output};
use crate::model::FitStep;
use crate::tensor::element_count;

/// Labelled rows of pixels in memory.
#[derive(Clone, Debug)]
pub struct TestData {
    shape: Vec<i64>,
    row: usize,
    classes: u32,
    pixels: Vec<u8>,
    labels: Vec<i64>,
}

impl TestData {
    /// `pixels` is `[n, input_shape...]`, `labels` is `[n]`.
    ///
    /// # Errors
    /// When the lengths do not fit.
    pub fn new(
        input_shape: &[usize],
        classes: u32,
        pixels: Vec<u8>,
        labels: Vec<i64>,
    ) -> Result<Self> {
        let row = element_count(input_shape).unwrap_or(usize::MAX);
        if row.checked_mul(labels.len()) != Some(pixels.len()) {
            return Err(Error::invalid_argument(format!(
                "{} pixels for {} rows of shape {input_shape:?}",
                pixels.len(),
                labels.len()
            )));
        }
        let shape = input_shape.iter().map(|&extent| extent as i64).collect();
        Ok(Self {
            shape,
            row,
            classes,
            pixels,
            labels,
        })
    }

    /// Shows the data as an object of the contract.
    pub(super) fn lend<R>(&self, body: impl FnOnce(*const abi::xb_object) -> R) -> R {
        let lent = Lent {
            table: abi::xb_rows {
                struct_size: size_of::<abi::xb_rows>() as u32,
                num_classes: self.classes,
                num_rows: self.labels.len() as i64,
                input_ndim: self.shape.len() as i64,
                input_shape: self.shape.as_ptr(),
                read: Some(read),
            },
            data: self,
        };
        let object = abi::xb_object {
            struct_size: size_of::<abi::xb_object>() as u32,
            kind: abi::XB_DATASET,
            self_: (&raw const lent).cast_mut().cast(),
            get_extension: Some(get_extension),
            destroy: None,
        };
        body(&raw const object)
    }
}

struct Lent<'d> {
    table: abi::xb_rows,
    data: &'d TestData,
}

unsafe extern "C" fn get_extension(
    object: *const abi::xb_object,
    id: *const c_char,
) -> *const c_void {
    // SAFETY: the object is the one that `lend` made, the id is a string.
    unsafe {
        if CStr::from_ptr(id) == abi::XB_EXT_ROWS {
            let lent = (*object).self_.cast::<Lent<'_>>();
            (&raw const (*lent).table).cast()
        } else {
            std::ptr::null()
        }
    }
}

unsafe extern "C" fn read(
    object: *const abi::xb_object,
    call: *const abi::xb_call,
    rows: *const i64,
    n: usize,
    x: *mut abi::xb_tensor,
    label: *mut i64,
) -> abi::xb_status {
    // SAFETY: the object is the one that `lend` made; the rest keeps the contract.
    unsafe {
        ffi::guard(call, "read", |_| {
            let data = (*(*object).self_.cast::<Lent<'_>>()).data;
            let rows = ffi::slice(rows, n, "the rows")?;
            let mut x = Output::<u8>::read(x, "x")?;
            if x.slice().len() != n * data.row || (n > 0 && label.is_null()) {
                return Err(Error::invalid_argument("read: x or label does not fit"));
            }
            for (i, &row) in rows.iter().enumerate() {
                let row = usize::try_from(row)
                    .ok()
                    .filter(|&row| row < data.labels.len())
                    .ok_or_else(|| Error::invalid_argument(format!("no row {row}")))?;
                x.slice()[i * data.row..(i + 1) * data.row]
                    .copy_from_slice(&data.pixels[row * data.row..(row + 1) * data.row]);
                label.add(i).write(data.labels[row]);
            }
            x.finish();
            Ok(())
        })
    }
}

struct Listener<'l> {
    tell: &'l mut dyn FnMut(&FitStep) -> bool,
}

/// Shows a closure as a monitor of the contract.
pub(super) fn with_monitor<R>(
    tell: &mut dyn FnMut(&FitStep) -> bool,
    body: impl FnOnce(*const abi::xb_fit_monitor) -> R,
) -> R {
    let mut listener = Listener { tell };
    let monitor = abi::xb_fit_monitor {
        struct_size: size_of::<abi::xb_fit_monitor>() as u32,
        reserved: 0,
        host_data: (&raw mut listener).cast(),
        step: Some(step),
    };
    body(&raw const monitor)
}

unsafe extern "C" fn step(
    monitor: *const abi::xb_fit_monitor,
    step: *const abi::xb_fit_step,
) -> bool {
    // SAFETY: the monitor is the one that `with_monitor` made; the step keeps the contract.
    let (listener, step) = unsafe { (&mut *(*monitor).host_data.cast::<Listener<'_>>(), &*step) };
    let step = FitStep {
        epoch_done: step.epoch_done != 0,
        epoch: step.epoch,
        epochs: step.epochs,
        batch: step.batch,
        batches: step.batches,
        loss: step.loss,
        accuracy: step.accuracy,
        validation_loss: step.validation_loss,
        validation_accuracy: step.validation_accuracy,
        learning_rate: step.learning_rate,
    };
    // A panic must not cross the border; it stops the training.
    ffi::contained(|| (listener.tell)(&step)).unwrap_or(false)
}
