//! Data for the test of a training.

use std::ffi::{CStr, c_char, c_void};

use xbench_abi as abi;

use crate::error::{Error, Result};
use crate::ffi::{self, Output};
use crate::model::FitStep;
use crate::tensor::element_count;

/// Labelled rows in memory.
#[derive(Clone, Debug)]
pub struct TestData {
    shape: Vec<i64>,
    row: usize,
    classes: u32,
    values: Values,
    labels: Vec<i64>,
    masks: Option<(Vec<u8>, Vec<u8>)>,
    validation: usize,
}

#[derive(Clone, Debug)]
enum Values {
    Pixels(Vec<u8>),
    Features(Vec<f32>),
}

impl TestData {
    /// Images: `pixels` is `[n, input_shape...]`, `labels` is `[n]`.
    ///
    /// # Errors
    /// When the lengths do not fit.
    pub fn new(
        input_shape: &[usize],
        classes: u32,
        pixels: Vec<u8>,
        labels: Vec<i64>,
    ) -> Result<Self> {
        let length = pixels.len();
        Self::of(input_shape, classes, Values::Pixels(pixels), length, labels)
    }

    /// A table: `features` is `[n, input_shape...]`, `labels` is `[n]`.
    ///
    /// # Errors
    /// When the lengths do not fit.
    pub fn features(
        input_shape: &[usize],
        classes: u32,
        features: Vec<f32>,
        labels: Vec<i64>,
    ) -> Result<Self> {
        let length = features.len();
        Self::of(
            input_shape,
            classes,
            Values::Features(features),
            length,
            labels,
        )
    }

    fn of(
        input_shape: &[usize],
        classes: u32,
        values: Values,
        length: usize,
        labels: Vec<i64>,
    ) -> Result<Self> {
        let row = element_count(input_shape).unwrap_or(usize::MAX);
        if row.checked_mul(labels.len()) != Some(length) {
            return Err(Error::invalid_argument(format!(
                "{length} values for {} rows of shape {input_shape:?}",
                labels.len()
            )));
        }
        let shape = input_shape.iter().map(|&extent| extent as i64).collect();
        Ok(Self {
            shape,
            row,
            classes,
            values,
            labels,
            masks: None,
            validation: 0,
        })
    }

    /// Object masks: `masks` is `[n, height, width]`, `present` is `[n]`, both 0 or 1.
    ///
    /// # Errors
    /// When the lengths do not fit.
    pub fn with_masks(mut self, masks: Vec<u8>, present: Vec<u8>) -> Result<Self> {
        let area: i64 = self.shape.iter().skip(1).product();
        let n = self.labels.len();
        if self.shape.len() != 3 || masks.len() != n * area as usize || present.len() != n {
            return Err(Error::invalid_argument("the masks do not fit the images"));
        }
        self.masks = Some((masks, present));
        Ok(self)
    }

    /// The last `rows` rows are the set's own validation split.
    #[must_use]
    pub fn with_validation(mut self, rows: usize) -> Self {
        self.validation = rows;
        self
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
                element: match self.values {
                    Values::Pixels(_) => abi::XB_PIXELS,
                    Values::Features(_) => abi::XB_FEATURES,
                },
                reserved: 0,
                num_validation: self.validation as i64,
                read_masks: self.masks.as_ref().map(|_| read_masks as _),
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
            let rows = known(ffi::slice(rows, n, "the rows")?, data.labels.len())?;
            if n > 0 && label.is_null() {
                return Err(Error::invalid_argument("read: label is null"));
            }
            for (i, &row) in rows.iter().enumerate() {
                label.add(i).write(data.labels[row]);
            }
            match &data.values {
                Values::Pixels(pixels) if (*x).dtype.bits == 8 => {
                    copy(x, &rows, data.row, pixels, |&pixel| pixel)
                }
                Values::Pixels(pixels) => copy(x, &rows, data.row, pixels, |&pixel| {
                    f32::from(pixel) / 255.0
                }),
                Values::Features(features) => {
                    copy(x, &rows, data.row, features, |&feature| feature)
                }
            }
        })
    }
}

unsafe extern "C" fn read_masks(
    object: *const abi::xb_object,
    call: *const abi::xb_call,
    rows: *const i64,
    n: usize,
    mask: *mut abi::xb_tensor,
    present: *mut u8,
) -> abi::xb_status {
    // SAFETY: the object is the one that `lend` made; the rest keeps the contract.
    unsafe {
        ffi::guard(call, "read_masks", |_| {
            let data = (*(*object).self_.cast::<Lent<'_>>()).data;
            let rows = known(ffi::slice(rows, n, "the rows")?, data.labels.len())?;
            let Some((masks, known)) = data.masks.as_ref().filter(|_| !present.is_null()) else {
                return Err(Error::invalid_argument("read_masks: no masks"));
            };
            for (i, &row) in rows.iter().enumerate() {
                present.add(i).write(known[row]);
            }
            let area = masks.len() / known.len().max(1);
            copy(mask, &rows, area, masks, |&inside| inside)
        })
    }
}

fn known(rows: &[i64], length: usize) -> Result<Vec<usize>> {
    let known = |&row: &i64| usize::try_from(row).ok().filter(|&row| row < length);
    rows.iter()
        .map(|row| known(row).ok_or_else(|| Error::invalid_argument(format!("no row {row}"))))
        .collect()
}

/// Writes rows of `row` elements each into a tensor.
///
/// # Safety
/// The tensor must keep the contract.
unsafe fn copy<S, T: ffi::Element>(
    to: *mut abi::xb_tensor,
    rows: &[usize],
    row: usize,
    from: &[S],
    convert: impl Fn(&S) -> T,
) -> Result<()> {
    // SAFETY: passed on.
    let mut x = unsafe { Output::<T>::read(to, "x") }?;
    if x.slice().len() != rows.len() * row {
        return Err(Error::invalid_argument("read: x does not fit"));
    }
    for (to, &i) in x.slice().chunks_exact_mut(row.max(1)).zip(rows) {
        let from = &from[i * row..(i + 1) * row];
        to.iter_mut()
            .zip(from)
            .for_each(|(to, from)| *to = convert(from));
    }
    x.finish();
    Ok(())
}

/// Who listens to a training under test.
pub(super) struct Listener<'l> {
    pub(super) tell: &'l mut dyn FnMut(&FitStep) -> bool,
    pub(super) resume: Option<&'l [u8]>,
    pub(super) checkpoints: Option<&'l mut Vec<Vec<u8>>>,
}

impl Listener<'_> {
    /// Shows it as a monitor of the contract.
    pub(super) fn lend<R>(mut self, body: impl FnOnce(*const abi::xb_fit_monitor) -> R) -> R {
        let (resume, resume_length) = self
            .resume
            .map_or((std::ptr::null(), 0), |state| (state.as_ptr(), state.len()));
        let monitor = abi::xb_fit_monitor {
            struct_size: size_of::<abi::xb_fit_monitor>() as u32,
            reserved: 0,
            host_data: (&raw mut self).cast(),
            step: Some(step),
            resume,
            resume_length,
            checkpoint: Some(checkpoint),
        };
        body(&raw const monitor)
    }
}

unsafe extern "C" fn checkpoint(
    monitor: *const abi::xb_fit_monitor,
    state: *const u8,
    length: usize,
) -> bool {
    // SAFETY: the monitor is the one that `lend` made; the state keeps the contract.
    let (listener, state) = unsafe {
        let Ok(state) = ffi::slice(state, length, "the state") else {
            return false;
        };
        (&mut *(*monitor).host_data.cast::<Listener<'_>>(), state)
    };
    if let Some(kept) = &mut listener.checkpoints {
        kept.push(state.to_vec());
    }
    true
}

unsafe extern "C" fn step(
    monitor: *const abi::xb_fit_monitor,
    step: *const abi::xb_fit_step,
) -> bool {
    // SAFETY: the monitor is the one that `lend` made; the step keeps the contract.
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
