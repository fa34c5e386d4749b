//! The calls that compute: cut a batch, call, check, join.
//!
//! They serve the host and the proxy alike, so a model is held to the same rules whoever asks.

#![expect(unsafe_code, reason = "calls the model's tables of functions")]

use std::ffi::CStr;
use std::ops::Range;

use xbench_abi::{
    XB_EXT_LAYERS, XB_EXT_LINEAR, XB_EXT_SEGMENT, XB_EXT_TREES, XB_EXT_VJP, xb_owned, xb_status,
    xb_tensor, xb_tree_ensemble,
};

use super::{LoadedModel, Pullback, function};
use crate::call::CallFrame;
use crate::error::Fault;
use crate::owned::OwnedOutput;
use crate::spec::LinearHead;
use crate::tensor::{Lent, check_finite, check_finite_tensor};

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
        let function = function!(self.tables.predict, run)?;
        for piece in pieces(rows, self.max_batch(), max_rows) {
            frame.check_deadline()?;
            // SAFETY: both were checked and outlive the call; the function belongs to the object.
            unsafe {
                let x = Lent::rows(x, piece.start, piece.len());
                let mut y = Lent::rows(y, piece.start, piece.len());
                let status = function(self.object.raw(), frame.raw(), x.raw(), y.raw_mut());
                frame.finish("predict", status)?;
                check_finite_tensor("predict", y.tensor(), piece.len(), piece.start)?;
            }
        }
        Ok(())
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
        let table = self
            .tables
            .layers
            .ok_or_else(|| Fault::unsupported(&XB_EXT_LAYERS.to_string_lossy()))?;
        let function = function!(table, activation)?;
        let shape = self.layer_shape(layer)?;
        let what = "activation";
        let one = |piece: Range<usize>| {
            frame.check_deadline()?;
            let mut out: *mut xb_owned = std::ptr::null_mut();
            // SAFETY: as in `run_predict`; the result becomes ours.
            unsafe {
                let x = Lent::rows(x, piece.start, piece.len());
                let status = function(
                    self.object.raw(),
                    frame.raw(),
                    x.raw(),
                    layer.as_ptr(),
                    &raw mut out,
                );
                frame.finish(what, status)?;
                let out = OwnedOutput::take(what, out, piece.len(), Some(shape))?;
                check_finite(what, &out, piece.len(), piece.start)?;
                Ok(out)
            }
        };
        let mut joined = Joined::new(rows);
        for piece in pieces(rows, self.max_batch(), max_rows) {
            joined.add(one(piece)?);
        }
        Ok(joined.finish(shape))
    }

    /// The gradient of `rows` rows of a checked `x` and `dy`.
    pub(crate) fn run_vjp(
        &self,
        frame: &CallFrame,
        (x, dy): (&xb_tensor, &xb_tensor),
        rows: usize,
        layer: Option<&CStr>,
        want_activation: bool,
        max_rows: usize,
    ) -> Result<Pullback, Fault> {
        let table = self
            .tables
            .vjp
            .ok_or_else(|| Fault::unsupported(&XB_EXT_VJP.to_string_lossy()))?;
        let function = function!(table, run)?;
        let wrt = layer.map_or(std::ptr::null(), CStr::as_ptr);
        let pass = |piece: &Range<usize>, activation, gradient| {
            // SAFETY: as in `run_predict`.
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
        let wanted = Wanted {
            rows,
            layer,
            activation: want_activation,
            max_rows,
        };
        self.pull_back("vjp", frame, &wanted, &pass)
    }

    /// Joins the gradients, and where wanted the activations, that `pass` gives of each piece.
    pub(super) fn pull_back(
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

    /// The linear head's weights.
    pub(crate) fn run_linear(&self, frame: &CallFrame) -> Result<LinearHead, Fault> {
        let unsupported = || Fault::unsupported(&XB_EXT_LINEAR.to_string_lossy());
        let table = self.tables.linear.ok_or_else(unsupported)?;
        let (_, features) = self.said.linear_layer.as_ref().ok_or_else(unsupported)?;
        let function = function!(table, weights)?;
        let mut weight: *mut xb_owned = std::ptr::null_mut();
        let mut bias: *mut xb_owned = std::ptr::null_mut();
        let outputs = self.said.spec.outputs;
        // SAFETY: object and function belong together; the results become ours, each by its own
        // `take`, before either is refused.
        let (weight, bias) = unsafe {
            let status = function(
                self.object.raw(),
                frame.raw(),
                &raw mut weight,
                &raw mut bias,
            );
            frame.finish("linear", status)?;
            let bias = (!bias.is_null())
                .then(|| OwnedOutput::take("linear: the bias", bias, outputs, Some(&[])));
            (
                OwnedOutput::take("linear: the weight", weight, outputs, Some(&[*features])),
                bias,
            )
        };
        let head = LinearHead {
            weight: weight?,
            bias: bias.transpose()?,
        };
        check_finite("linear: the weight", &head.weight, outputs, 0)?;
        if let Some(bias) = &head.bias {
            check_finite("linear: the bias", bias, outputs, 0)?;
        }
        Ok(head)
    }

    /// The predicted object masks of `rows` rows of a checked `x`, `[rows, height, width]`.
    pub(crate) fn run_segment(
        &self,
        frame: &CallFrame,
        x: &xb_tensor,
        rows: usize,
        max_rows: usize,
    ) -> Result<OwnedOutput, Fault> {
        let table = self
            .tables
            .segment
            .ok_or_else(|| Fault::unsupported(&XB_EXT_SEGMENT.to_string_lossy()))?;
        let function = function!(table, run)?;
        let shape = self.said.spec.input_shape.get(1..).unwrap_or(&[]);
        let what = "segment";
        let mut joined = Joined::new(rows);
        for piece in pieces(rows, self.max_batch(), max_rows) {
            frame.check_deadline()?;
            let mut out: *mut xb_owned = std::ptr::null_mut();
            // SAFETY: as in `run_predict`; the result becomes ours.
            let out = unsafe {
                let x = Lent::rows(x, piece.start, piece.len());
                let status = function(self.object.raw(), frame.raw(), x.raw(), &raw mut out);
                frame.finish(what, status)?;
                OwnedOutput::take(what, out, piece.len(), Some(shape))?
            };
            check_finite(what, &out, piece.len(), piece.start)?;
            joined.add(out);
        }
        Ok(joined.finish(shape))
    }

    /// What the model shows of its trees; not yet checked.
    pub(crate) fn run_trees(&self, frame: &CallFrame) -> Result<xb_tree_ensemble, Fault> {
        let table = self
            .tables
            .trees
            .ok_or_else(|| Fault::unsupported(&XB_EXT_TREES.to_string_lossy()))?;
        let function = function!(table, get)?;
        // SAFETY: numbers and pointers, for which zero is a value.
        let mut seen: xb_tree_ensemble = unsafe { std::mem::zeroed() };
        seen.struct_size = size_of::<xb_tree_ensemble>() as u32;
        // SAFETY: object and function belong together; the place outlives the call.
        let status = unsafe { function(self.object.raw(), frame.raw(), &raw mut seen) };
        frame.finish("trees", status)?;
        let spec = &self.said.spec;
        let expected = (spec.input_len(), spec.outputs);
        let found = (seen.num_features as usize, seen.num_outputs as usize);
        if found != expected {
            return Err(Fault::contract(format!(
                "its trees have (features, outputs) {found:?}, the model {expected:?}"
            )));
        }
        Ok(seen)
    }

    pub(super) fn max_batch(&self) -> usize {
        self.plugin.max_batch as usize
    }

    pub(super) fn layer_shape(&self, name: &CStr) -> Result<&[usize], Fault> {
        let name = name.to_string_lossy();
        match self.said.layers.iter().find(|layer| layer.name == name) {
            Some(layer) => Ok(&layer.shape),
            None => {
                let names: Vec<&str> = self
                    .said
                    .layers
                    .iter()
                    .map(|layer| layer.name.as_str())
                    .collect();
                Err(Fault::request(format!(
                    "it has no layer {name:?}; there are {}",
                    names.join(", ")
                )))
            }
        }
    }
}

/// Cuts `rows` rows into pieces of at most the smaller of two limits; 0 is no limit.
pub(crate) fn pieces(rows: usize, a: usize, b: usize) -> impl Iterator<Item = Range<usize>> {
    let limit = |limit| if limit == 0 { usize::MAX } else { limit };
    let step = limit(a).min(limit(b)).min(rows.max(1));
    (0..rows)
        .step_by(step)
        .map(move |start| start..rows.min(start + step))
}

/// Joins the results of pieces; a single one is kept as it is, without a copy.
struct Joined {
    rows: usize,
    first: Option<OwnedOutput>,
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Joined {
    fn new(rows: usize) -> Self {
        Self {
            rows,
            first: None,
            shape: Vec::new(),
            data: Vec::new(),
        }
    }

    fn add(&mut self, piece: OwnedOutput) {
        if self.shape.is_empty() {
            self.shape = piece.shape().to_vec();
            if piece.shape()[0] == self.rows {
                self.first = Some(piece);
                return;
            }
            let row = piece.len() / piece.shape()[0].max(1);
            self.data.reserve_exact(row * self.rows);
        }
        self.data.extend_from_slice(&piece);
    }

    fn finish(mut self, inner: &[usize]) -> OwnedOutput {
        if let Some(only) = self.first {
            return only;
        }
        if self.shape.is_empty() {
            self.shape = std::iter::once(0).chain(inner.iter().copied()).collect();
        }
        self.shape[0] = self.rows;
        OwnedOutput::joined(self.shape, self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_rows_in_order() {
        let cut = |rows, a, b| pieces(rows, a, b).collect::<Vec<_>>();
        assert_eq!(cut(5, 2, 0), [0..2, 2..4, 4..5]);
        assert_eq!(cut(5, 4, 3), [0..3, 3..5]);
        assert_eq!(cut(3, 0, 2), [0..2, 2..3]);
        assert_eq!(
            pieces(5, 0, 0).collect::<Vec<_>>(),
            vec![Range { start: 0, end: 5 }]
        );
        assert_eq!(cut(0, 0, 7), []);
    }
}
