//! Backward passes, by the chain rule and by other rules: cut a batch, call, check, join.

#![expect(unsafe_code, reason = "calls the model's tables of functions")]

use std::ffi::CStr;
use std::ops::Range;

use xbench_abi::{xb_owned, xb_status, xb_tensor};

use super::LoadedModel;
use super::pieces::{Joined, pieces};
use super::tables::function;
use crate::call::CallFrame;
use crate::error::Fault;
use crate::owned::OwnedOutput;
use crate::tensor::{Lent, check_finite};

/// What a backward pass gives.
#[derive(Debug)]
pub struct Pullback {
    /// The layer's value of the same pass, where it was asked for: `[n, layer...]`.
    pub activation: Option<OwnedOutput>,
    /// `[n, input...]` or `[n, layer...]`.
    pub gradient: OwnedOutput,
}

/// What is asked of a backward pass.
pub(crate) struct Wanted<'l> {
    pub(crate) rows: usize,
    /// None for the input.
    pub(crate) layer: Option<&'l CStr>,
    /// Whether the value of the same pass is wanted too.
    pub(crate) activation: bool,
    /// Most rows of one call; 0 for no limit.
    pub(crate) max_rows: usize,
}

/// A rule of a modified backward pass, as it was asked for.
pub(crate) struct Rule<'r> {
    pub(crate) name: &'r CStr,
    pub(crate) parameter: f64,
    /// Checked to be shaped as x.
    pub(crate) reference: Option<&'r xb_tensor>,
}

impl LoadedModel {
    /// The gradient of rows of a checked `x` and `dy`.
    pub(crate) fn run_vjp(
        &self,
        frame: &CallFrame,
        (x, dy): (&xb_tensor, &xb_tensor),
        wanted: &Wanted<'_>,
    ) -> Result<Pullback, Fault> {
        let function = function!(self.tables.vjp, run)?;
        let wrt = wanted.layer.map_or(std::ptr::null(), CStr::as_ptr);
        let pass = |piece: &Range<usize>, activation, gradient| {
            // SAFETY: all were checked and outlive the call; the function belongs to the object.
            unsafe {
                let x = Lent::rows(x, piece.start, piece.len());
                let dy = Lent::rows(dy, piece.start, piece.len());
                function(
                    self.object.raw(),
                    frame.raw(),
                    x.raw(),
                    dy.raw(),
                    wrt,
                    activation,
                    gradient,
                )
            }
        };
        self.pull_back("vjp", frame, wanted, &pass)
    }

    /// As `run_vjp`, by another rule than the chain rule.
    pub(crate) fn run_modified_vjp(
        &self,
        frame: &CallFrame,
        (x, dy): (&xb_tensor, &xb_tensor),
        rule: &Rule<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Pullback, Fault> {
        let function = function!(self.tables.modified_vjp, run)?;
        let wrt = wanted.layer.map_or(std::ptr::null(), CStr::as_ptr);
        let pass = |piece: &Range<usize>, activation, gradient| {
            // SAFETY: as in `run_vjp`.
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

    /// Joins the gradients, and where wanted the activations, that `pass` gives of each piece.
    fn pull_back(
        &self,
        what: &str,
        frame: &CallFrame,
        wanted: &Wanted<'_>,
        pass: &dyn Fn(&Range<usize>, *mut *mut xb_owned, *mut *mut xb_owned) -> xb_status,
    ) -> Result<Pullback, Fault> {
        let &Wanted {
            rows,
            layer,
            activation: want_activation,
            max_rows,
        } = wanted;
        // A model may differentiate to layers that it does not list; then any shape is taken.
        let shape: Option<&[usize]> = match layer {
            None => Some(&self.said.spec.input_shape),
            Some(_) if self.tables.layers.is_none() => None,
            Some(layer) => Some(self.layer_shape(layer)?),
        };
        let of_activation = format!("{what}: the activation");
        let of_gradient = format!("{what}: the gradient");
        let mut activations = Joined::new(rows);
        let mut gradients = Joined::new(rows);
        for piece in pieces(rows, self.max_batch(), max_rows) {
            frame.check_deadline()?;
            let mut activation: *mut xb_owned = std::ptr::null_mut();
            let mut gradient: *mut xb_owned = std::ptr::null_mut();
            let activation_out: *mut *mut xb_owned = if want_activation {
                &raw mut activation
            } else {
                std::ptr::null_mut()
            };
            let status = pass(&piece, activation_out, &raw mut gradient);
            frame.finish(what, status)?;
            // SAFETY: the results become ours, each by its own `take`: both are taken before either
            // is refused, so that neither leaks.
            let (activation, gradient) = unsafe {
                let activation = want_activation
                    .then(|| OwnedOutput::take(&of_activation, activation, piece.len(), shape));
                let gradient = OwnedOutput::take(&of_gradient, gradient, piece.len(), shape);
                (activation.transpose()?, gradient?)
            };
            if let Some(activation) = activation {
                if activation.shape() != gradient.shape() {
                    return Err(Fault::shape(format!(
                        "{of_activation} has shape {:?} and its gradient {:?}",
                        activation.shape(),
                        gradient.shape()
                    )));
                }
                check_finite(&of_activation, &activation, piece.len(), piece.start)?;
                activations.add(activation);
            }
            check_finite(&of_gradient, &gradient, piece.len(), piece.start)?;
            gradients.add(gradient);
        }
        let empty = shape.unwrap_or(&[]);
        Ok(Pullback {
            activation: want_activation.then(|| activations.finish(empty)),
            gradient: gradients.finish(empty),
        })
    }
}
