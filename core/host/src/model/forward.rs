//! Forward passes: cut a batch, call, check, join.
//!
//! They serve the host and the proxy alike, so a model is held to the same rules whoever asks.

#![expect(unsafe_code, reason = "calls the model's tables of functions")]

use std::ffi::CStr;

use xbench_abi::{xb_owned, xb_status, xb_tensor};

use super::LoadedModel;
use super::pieces::{Joined, pieces};
use super::tables::function;
use crate::call::CallFrame;
use crate::error::Fault;
use crate::owned::OwnedOutput;
use crate::tensor::{Lent, check_finite, check_finite_tensor};

/// Rows that are cut to pieces: a checked tensor, how many, and how many at once.
#[derive(Clone, Copy)]
struct Cut<'t> {
    tensor: &'t xb_tensor,
    rows: usize,
    max_rows: usize,
}

impl<'t> Cut<'t> {
    fn new(tensor: &'t xb_tensor, rows: usize, max_rows: usize) -> Self {
        Self {
            tensor,
            rows,
            max_rows,
        }
    }
}

impl LoadedModel {
    /// Predicts `rows` rows of a checked `x` into a checked `y`.
    pub(crate) fn run_predict(
        &self,
        frame: &CallFrame,
        x: &xb_tensor,
        y: &xb_tensor,
        rows: usize,
        max_rows: usize,
    ) -> Result<(), Fault> {
        let function = function!(Some(self.tables.predict), run)?;
        let x = Cut::new(x, rows, max_rows);
        self.fill("predict", frame, x, y, &|x, y| {
            // SAFETY: both were checked and outlive the call; the function belongs to the object.
            unsafe { function(self.object.raw(), frame.raw(), x.raw(), y.raw_mut()) }
        })
    }

    /// The outputs that `rows` rows of a checked `value` of a layer lead to, into a checked `y`.
    pub(crate) fn run_forward_from(
        &self,
        frame: &CallFrame,
        layer: &CStr,
        value: &xb_tensor,
        y: &xb_tensor,
        rows: usize,
        max_rows: usize,
    ) -> Result<(), Fault> {
        let function = function!(self.tables.forward_from, run)?;
        let value = Cut::new(value, rows, max_rows);
        self.fill("forward_from", frame, value, y, &|value, y| {
            let layer = layer.as_ptr();
            // SAFETY: as in `run_predict`.
            unsafe {
                function(
                    self.object.raw(),
                    frame.raw(),
                    layer,
                    value.raw(),
                    y.raw_mut(),
                )
            }
        })
    }

    /// The activation of `rows` rows of a checked `x`.
    pub(crate) fn run_activation(
        &self,
        frame: &CallFrame,
        x: &xb_tensor,
        rows: usize,
        layer: &CStr,
        max_rows: usize,
    ) -> Result<OwnedOutput, Fault> {
        let function = function!(self.tables.layers, activation)?;
        let shape = self.layer_shape(layer)?;
        let x = Cut::new(x, rows, max_rows);
        self.collect("activation", frame, x, shape, &|x, out| {
            let layer = layer.as_ptr();
            // SAFETY: as in `run_predict`.
            unsafe { function(self.object.raw(), frame.raw(), x.raw(), layer, out) }
        })
    }

    /// The predicted object masks of `rows` rows of a checked `x`, `[rows, height, width]`.
    pub(crate) fn run_segment(
        &self,
        frame: &CallFrame,
        x: &xb_tensor,
        rows: usize,
        max_rows: usize,
    ) -> Result<OwnedOutput, Fault> {
        let function = function!(self.tables.segment, run)?;
        let shape = self.said.spec.input_shape.get(1..).unwrap_or(&[]);
        let x = Cut::new(x, rows, max_rows);
        self.collect("segment", frame, x, shape, &|x, out| {
            // SAFETY: as in `run_predict`.
            unsafe { function(self.object.raw(), frame.raw(), x.raw(), out) }
        })
    }

    /// Has `run` fill rows of a checked `y`, piece by piece.
    fn fill(
        &self,
        what: &str,
        frame: &CallFrame,
        x: Cut<'_>,
        y: &xb_tensor,
        run: &dyn Fn(&Lent, &mut Lent) -> xb_status,
    ) -> Result<(), Fault> {
        for piece in pieces(x.rows, self.max_batch(), x.max_rows) {
            frame.check_deadline()?;
            // SAFETY: both were checked to have these rows, and outlive the call.
            unsafe {
                let x = Lent::rows(x.tensor, piece.start, piece.len());
                let mut y = Lent::rows(y, piece.start, piece.len());
                frame.finish(what, run(&x, &mut y))?;
                check_finite_tensor(what, y.tensor(), piece.len(), piece.start)?;
            }
        }
        Ok(())
    }

    /// Joins what `run` gives of each piece: rows of `shape`.
    fn collect(
        &self,
        what: &str,
        frame: &CallFrame,
        x: Cut<'_>,
        shape: &[usize],
        run: &dyn Fn(&Lent, *mut *mut xb_owned) -> xb_status,
    ) -> Result<OwnedOutput, Fault> {
        let mut joined = Joined::new(x.rows);
        for piece in pieces(x.rows, self.max_batch(), x.max_rows) {
            frame.check_deadline()?;
            let mut out: *mut xb_owned = std::ptr::null_mut();
            // SAFETY: as in `fill`; the result becomes ours.
            let out = unsafe {
                let x = Lent::rows(x.tensor, piece.start, piece.len());
                frame.finish(what, run(&x, &raw mut out))?;
                OwnedOutput::take(what, out, piece.len(), Some(shape))?
            };
            check_finite(what, &out, piece.len(), piece.start)?;
            joined.add(out);
        }
        Ok(joined.finish(shape))
    }
}
