//! Data, as a model's training sees it.
#![expect(unsafe_code, reason = "calls the functions of the host's xb_object")]

use xbench_abi as abi;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::ffi::{self, Borrowed, Element as AbiElement};
use crate::handle::read_shape;
use crate::tensor::element_count;

/// What a row is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 8-bit pixels of an image, `[channels, height, width]`.
    Pixels,
    /// Numbers of a table, `[columns]`.
    Features,
}

/// Labelled rows, read on demand.
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
        // SAFETY: passed on.
        let object = unsafe { ffi::object(object, "the data set") }?;
        // SAFETY: an object that keeps the contract.
        let rows = unsafe { ffi::table::<abi::xb_rows>(object) }.ok_or_else(|| {
            Error::invalid_argument("the data set does not provide xbench.data.rows/1")
        })?;
        // SAFETY: a table that keeps the contract: input_ndim extents.
        let input_shape =
            unsafe { read_shape(rows.input_shape, rows.input_ndim, "the data's shape") }?;
        let length = usize::try_from(rows.num_rows)
            .map_err(|_| Error::invalid_argument("the data set has a negative length"))?;
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

    /// What the rows are made of.
    #[must_use]
    pub fn element(&self) -> Element {
        // A host of an older contract knows images only.
        if abi::has_field!(self.rows.struct_size, abi::xb_rows, element)
            && self.rows.element == abi::XB_FEATURES
        {
            Element::Features
        } else {
            Element::Pixels
        }
    }

    /// The last so many rows are the set's own validation split; 0 where it has none.
    #[must_use]
    pub fn validation_rows(&self) -> usize {
        if abi::has_field!(self.rows.struct_size, abi::xb_rows, num_validation) {
            usize::try_from(self.rows.num_validation).map_or(0, |rows| rows.min(self.length))
        } else {
            0
        }
    }

    /// Are object masks known, of some rows at least?
    #[must_use]
    pub fn has_masks(&self) -> bool {
        abi::has_field!(self.rows.struct_size, abi::xb_rows, read_masks)
            && self.rows.read_masks.is_some()
    }

    /// Reads the object masks of images: `masks` is `[n, height, width]` with 1 where the object is,
    /// `present` is `[n]` with 0 for a row without a mask.
    ///
    /// # Errors
    /// `Unimplemented` where there are no masks; else as [`read`](Self::read).
    pub fn read_masks(&self, rows: &[i64], masks: &mut [u8], present: &mut [u8]) -> Result<()> {
        let read = self
            .has_masks()
            .then_some(self.rows.read_masks)
            .flatten()
            .ok_or_else(|| Error::unimplemented("the data have no object masks"))?;
        let &[_, height, width] = &self.input_shape[..] else {
            return Err(Error::invalid_argument("masks are known of images only"));
        };
        let n = rows.len();
        if n.checked_mul(height * width) != Some(masks.len()) || present.len() != n {
            return Err(Error::invalid_argument(format!(
                "reading {n} masks of {height}x{width} into {} and {} places",
                masks.len(),
                present.len()
            )));
        }
        self.check_rows(rows)?;
        if n == 0 {
            return Ok(());
        }
        let mut mask = Borrowed::exclusive(&[n, height, width], masks);
        // SAFETY: an object that keeps the contract, and arguments that outlive the call.
        let status = unsafe {
            read(
                self.object,
                self.ctx.as_ptr(),
                rows.as_ptr(),
                n,
                mask.as_mut_ptr(),
                present.as_mut_ptr(),
            )
        };
        Error::check(status, "reading the masks")
    }

    /// Reads the rows of these indices: `pixels` is `[n, input...]` with values 0 to 255, `labels` is
    /// `[n]`.
    ///
    /// # Errors
    /// When the data are no images, an index is out of range, a slice has the wrong length, or the
    /// data cannot be read.
    pub fn read(&self, rows: &[i64], pixels: &mut [u8], labels: &mut [i64]) -> Result<()> {
        if self.element() != Element::Pixels {
            return Err(Error::invalid_argument(
                "this model takes images, the data are a table",
            ));
        }
        self.read_as(rows, pixels, labels)
    }

    /// Reads the rows of these indices as [`predict`](crate::Model::predict) gets them: `x` is
    /// `[n, input...]`, pixels divided by 255 or features as they are; `labels` is `[n]`.
    ///
    /// # Errors
    /// As [`read`](Self::read), but for data of any kind.
    pub fn read_f32(&self, rows: &[i64], x: &mut [f32], labels: &mut [i64]) -> Result<()> {
        self.read_as(rows, x, labels)
    }

    fn check_rows(&self, rows: &[i64]) -> Result<()> {
        let known = |&&row: &&i64| usize::try_from(row).is_ok_and(|row| row < self.length);
        match rows.iter().find(|row| !known(row)) {
            None => Ok(()),
            Some(bad) => Err(Error::invalid_argument(format!(
                "row {bad} of {}",
                self.length
            ))),
        }
    }

    fn read_as<T: AbiElement>(
        &self,
        rows: &[i64],
        values: &mut [T],
        labels: &mut [i64],
    ) -> Result<()> {
        let n = rows.len();
        let row = element_count(&self.input_shape).unwrap_or(usize::MAX);
        if n.checked_mul(row) != Some(values.len()) || labels.len() != n {
            return Err(Error::invalid_argument(format!(
                "reading {n} rows of {row} values into {} values and {} labels",
                values.len(),
                labels.len()
            )));
        }
        self.check_rows(rows)?;
        if n == 0 {
            return Ok(());
        }
        let read = self.rows.read.ok_or_else(|| {
            Error::invalid_argument("the data set's table lacks the function that reads")
        })?;
        let shape = [&[n], &self.input_shape[..]].concat();
        let mut x = Borrowed::exclusive(&shape, values);
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
        Error::check(status, "reading the data")?;
        let classes = i64::from(self.rows.num_classes);
        match labels.iter().find(|&&label| !(0..classes).contains(&label)) {
            None => Ok(()),
            Some(label) => Err(Error::internal(format!(
                "label {label} of {classes} classes"
            ))),
        }
    }
}
