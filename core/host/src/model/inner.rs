//! Calls that reach into a network: modified backward passes, the forward pass from a layer, biases.

#![expect(unsafe_code, reason = "calls the model's tables of functions")]

use std::ffi::CStr;
use std::ops::Range;

use xbench_abi::{XB_EXT_BIASES, XB_EXT_FORWARD_FROM, XB_EXT_MODIFIED_VJP, xb_owned, xb_tensor};

use super::{LoadedModel, Pullback, Wanted, function, pieces};
use crate::call::CallFrame;
use crate::error::Fault;
use crate::owned::OwnedOutput;
use crate::tensor::{Lent, check_finite, check_finite_tensor};

/// A rule of a modified backward pass, as it was asked for.
pub(crate) struct Rule<'r> {
    pub(crate) name: &'r CStr,
    pub(crate) parameter: f64,
    /// Checked to be shaped as x.
    pub(crate) reference: Option<&'r xb_tensor>,
}

impl LoadedModel {
    /// As `run_vjp`, by another rule than the chain rule.
    pub(crate) fn run_modified_vjp(
        &self,
        frame: &CallFrame,
        (x, dy): (&xb_tensor, &xb_tensor),
        rule: &Rule<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Pullback, Fault> {
        let table = self
            .tables
            .modified_vjp
            .ok_or_else(|| Fault::unsupported(&XB_EXT_MODIFIED_VJP.to_string_lossy()))?;
        let function = function!(table, run)?;
        let wrt = wanted.layer.map_or(std::ptr::null(), CStr::as_ptr);
        let pass = |piece: &Range<usize>, activation, gradient| {
            // SAFETY: all were checked and outlive the call; the function belongs to the object.
            unsafe {
                let x = Lent::rows(x, piece.start, piece.len());
                let dy = Lent::rows(dy, piece.start, piece.len());
                let reference = rule
                    .reference
                    .map(|reference| Lent::rows(reference, piece.start, piece.len()));
                function(
                    self.object.raw(),
                    frame.raw(),
                    x.raw(),
                    dy.raw(),
                    rule.name.as_ptr(),
                    rule.parameter,
                    reference.as_ref().map_or(std::ptr::null(), Lent::raw),
                    wrt,
                    activation,
                    gradient,
                )
            }
        };
        self.pull_back("modified_vjp", frame, wanted, &pass)
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
        let table = self
            .tables
            .forward_from
            .ok_or_else(|| Fault::unsupported(&XB_EXT_FORWARD_FROM.to_string_lossy()))?;
        let function = function!(table, run)?;
        let what = "forward_from";
        for piece in pieces(rows, self.max_batch(), max_rows) {
            frame.check_deadline()?;
            // SAFETY: both were checked and outlive the call; the function belongs to the object.
            unsafe {
                let value = Lent::rows(value, piece.start, piece.len());
                let mut y = Lent::rows(y, piece.start, piece.len());
                let status = function(
                    self.object.raw(),
                    frame.raw(),
                    layer.as_ptr(),
                    value.raw(),
                    y.raw_mut(),
                );
                frame.finish(what, status)?;
                check_finite_tensor(what, y.tensor(), piece.len(), piece.start)?;
            }
        }
        Ok(())
    }

    /// What a layer adds before its non-linearity; none where it adds nothing.
    pub(crate) fn run_biases(
        &self,
        frame: &CallFrame,
        layer: &CStr,
    ) -> Result<Option<OwnedOutput>, Fault> {
        let table = self
            .tables
            .biases
            .ok_or_else(|| Fault::unsupported(&XB_EXT_BIASES.to_string_lossy()))?;
        let function = function!(table, get)?;
        let channels = self.layer_shape(layer)?[0];
        let mut bias: *mut xb_owned = std::ptr::null_mut();
        // SAFETY: object and function belong together; the result becomes ours.
        let bias = unsafe {
            let status = function(
                self.object.raw(),
                frame.raw(),
                layer.as_ptr(),
                &raw mut bias,
            );
            frame.finish("biases", status)?;
            if bias.is_null() {
                return Ok(None);
            }
            OwnedOutput::take("biases", bias, channels, Some(&[]))?
        };
        check_finite("biases", &bias, channels, 0)?;
        Ok(Some(bias))
    }

    /// The shape of a layer's value for one row.
    pub(crate) fn shape_of_layer(&self, layer: &CStr) -> Result<&[usize], Fault> {
        self.layer_shape(layer)
    }
}
