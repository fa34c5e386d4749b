//! What an explainer plugin implements.

use std::cell::Cell;
use std::ffi::CStr;

use crate::context::Context;
use crate::error::Result;
use crate::handle::ModelHandle;
use crate::model::Plugin;
use crate::tensor::TensorRef;

/// Rows to explain.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'b> {
    /// `[n, input...]`.
    pub x: TensorRef<'b>,
    /// `[n]`: the output that is explained, per row; below the model's number of outputs.
    pub target: &'b [i64],
    /// `[n]`: each row's own seed; whatever is drawn for row *i* comes from `seed[i]` alone.
    pub seed: &'b [u64],
    /// `[n, height, width]`: only for plugins with [`Flags::WANTS_MASK`](crate::Flags::WANTS_MASK).
    pub mask: Option<&'b [u8]>,
    /// `[m, input...]`, m at least 1: rows of the training split, the same for every batch; only for
    /// plugins with [`Flags::WANTS_BACKGROUND`](crate::Flags::WANTS_BACKGROUND).
    pub background: Option<TensorRef<'b>>,
    /// Where [`Batch::report_fit`] writes.
    pub(crate) local_fit: Option<&'b [Cell<f64>]>,
}

impl Batch<'_> {
    /// Tells the host how well the local surrogate of a row fits: the share of the outcomes'
    /// variance that it explains (R²), at most 1. Does nothing where the host does not ask, or where
    /// the number is not finite.
    pub fn report_fit(&self, row: usize, r_squared: f64) {
        if let Some(place) = self.local_fit.and_then(|places| places.get(row))
            && r_squared.is_finite()
        {
            place.set(r_squared);
        }
    }
}

/// A method that attributes an output of a model to its input.
pub trait Explainer: Plugin {
    /// Capabilities of the model that the method cannot do without, beyond predict; `a|b` for either.
    /// See [`capability`](crate::capability).
    const NEEDS: &'static [&'static CStr];

    /// Fills `attribution`, which is shaped as `batch.x` and comes zeroed. Row *i* must depend on row
    /// *i* of the batch alone; every value must be finite.
    ///
    /// # Errors
    /// When the model cannot do what is needed or the host wants to stop.
    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()>;
}
