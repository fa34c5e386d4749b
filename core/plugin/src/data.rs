//! Data, as a model's training sees it.
#![expect(unsafe_code, reason = "calls the functions of the host's xb_object")]

use xbench_abi as abi;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::ffi::{self, Borrowed};
use crate::handle::read_shape;
use crate::tensor::element_count;

/// Labelled rows of pixels, read on demand.
#[derive(Debug)]
pub struct DataHandle<'d> {
    object: &'d abi::xb_object,
    rows: &'d abi::xb_rows,
    ctx: Context<'d>,
    length: usize,
    input_shape: Vec<usize>,
}

impl<'d> DataHandle<'d> {
    /// # Safety
    /// When not null and aligned, `object` must point to a data set that keeps the contract and stays
    /// valid for the lifetime.
    pub(crate) unsafe fn from_raw(object: *const abi::xb_object, ctx: Context<'d>) -> Result<Self> {
        let wrong = |what: &str| Error::invalid_argument(format!("the data set {what}"));
        if object.is_null() || !object.is_aligned() {
            return Err(wrong("is null or misaligned"));
        }
        // SAFETY: the first field is there in every version.
        let size = unsafe { (&raw const (*object).struct_size).read() };
        if !abi::has_field!(size, abi::xb_object, destroy) {
            return Err(wrong("is made for an older contract"));
        }
        // SAFETY: valid by the caller's promise, and as long as this version of it.
        let object = unsafe { &*object };
        let get_extension = object
            .get_extension
            .ok_or_else(|| wrong("has no table of functions"))?;
        // SAFETY: an object that keeps the contract, and a NUL-terminated id.
        let rows = unsafe { get_extension(object, abi::XB_EXT_ROWS.as_ptr()) };
        let rows = rows.cast::<abi::xb_rows>();
        if rows.is_null() || !rows.is_aligned() {
            return Err(wrong("does not provide xbench.data.rows/1"));
        }
        // SAFETY: not null, aligned, and tables begin with their size.
        let size = unsafe { (&raw const (*rows).struct_size).read() };
        if !abi::has_field!(size, abi::xb_rows, read) {
            return Err(wrong("is made for an older contract"));
        }
        // SAFETY: as long as this version of it; valid as long as the object.
        let rows = unsafe { &*rows };
        // SAFETY: a table that keeps the contract: input_ndim extents.
        let input_shape =
            unsafe { read_shape(rows.input_shape, rows.input_ndim, "the data's shape") }?;
        let length = usize::try_from(rows.num_rows).map_err(|_| wrong("has a negative length"))?;
        Ok(Self {
            object,
            rows,
            ctx,
            length,
            input_shape,
        })
    }

    /// Rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Extents of a row: `[channels, height, width]`.
    #[must_use]
    pub fn input_shape(&self) -> &[usize] {
        &self.input_shape
    }

    /// Labels are below this.
    #[must_use]
    pub fn num_classes(&self) -> usize {
        self.rows.num_classes as usize
    }

    /// Reads the rows of these indices: `pixels` is `[n, input...]` with values 0 to 255, `labels` is
    /// `[n]`.
    ///
    /// # Errors
    /// When an index is out of range, a slice has the wrong length, or the data cannot be read.
    pub fn read(&self, rows: &[i64], pixels: &mut [u8], labels: &mut [i64]) -> Result<()> {
        let n = rows.len();
        let row = element_count(&self.input_shape).unwrap_or(usize::MAX);
        if n.checked_mul(row) != Some(pixels.len()) || labels.len() != n {
            return Err(Error::invalid_argument(format!(
                "reading {n} rows of {row} pixels into {} pixels and {} labels",
                pixels.len(),
                labels.len()
            )));
        }
        let known = |&&row: &&i64| usize::try_from(row).is_ok_and(|row| row < self.length);
        if let Some(bad) = rows.iter().find(|row| !known(row)) {
            return Err(Error::invalid_argument(format!(
                "row {bad} of {}",
                self.length
            )));
        }
        if n == 0 {
            return Ok(());
        }
        let read = self.rows.read.ok_or_else(|| {
            Error::invalid_argument("the data set's table lacks the function that reads")
        })?;
        let shape = [&[n], &self.input_shape[..]].concat();
        let mut x = Borrowed::exclusive(&shape, pixels);
        // SAFETY: an object that keeps the contract, and arguments that outlive the call.
        let status = unsafe {
            read(
                self.object,
                self.ctx.as_ptr(),
                rows.as_ptr(),
                n,
                x.as_mut_ptr(),
                labels.as_mut_ptr(),
            )
        };
        if status != abi::XB_OK {
            return Err(Error::from_host(status, "reading the data"));
        }
        let classes = i64::from(self.rows.num_classes);
        match labels.iter().find(|&&label| !(0..classes).contains(&label)) {
            None => Ok(()),
            Some(label) => Err(Error::internal(format!(
                "label {label} of {classes} classes"
            ))),
        }
    }
}

/// Tells the host of each step of a training.
///
/// # Safety
/// When not null and aligned, `monitor` must keep the contract and stay valid during the calls.
pub(crate) unsafe fn report_step(
    monitor: *const abi::xb_fit_monitor,
    step: &crate::model::FitStep,
) -> Result<()> {
    // SAFETY: the caller's promise; one value.
    let monitor = unsafe { ffi::slice(monitor, 1, "the monitor") }?;
    let monitor = &monitor[0];
    let Some(function) = monitor.step else {
        return Ok(());
    };
    let step = abi::xb_fit_step {
        struct_size: size_of::<abi::xb_fit_step>() as u32,
        epoch_done: u32::from(step.epoch_done),
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
    // SAFETY: a monitor that keeps the contract.
    if unsafe { function(monitor, &step) } {
        Ok(())
    } else {
        Err(Error::cancelled())
    }
}
