//! An explainer under test.

use xbench_abi as abi;

use super::{Object, TestModel, call};
use crate::error::{Error, Result};
use crate::ffi::Borrowed;
use crate::tensor::{Tensor, TensorRef};

/// Rows to explain in a test.
#[derive(Clone, Copy, Debug)]
pub struct TestBatch<'b> {
    /// `[n, input...]`.
    pub x: TensorRef<'b>,
    /// `[n]`.
    pub target: &'b [i64],
    /// `[n]`.
    pub seed: &'b [u64],
    /// `[n, height, width]`.
    pub mask: Option<&'b [u8]>,
    /// `[m, input...]`.
    pub background: Option<TensorRef<'b>>,
}

/// An explainer, made by [`TestHost::explainer`](super::TestHost::explainer).
#[derive(Debug)]
pub struct TestExplainer(Object);

impl TestExplainer {
    pub(super) fn new(object: Object) -> Self {
        Self(object)
    }

    /// Attributions, shaped as `x`; `target` and `seed` hold one value per row, `mask` is
    /// `[n, height, width]`.
    ///
    /// # Errors
    /// What the explainer reports, with its status and text.
    pub fn explain(
        &self,
        model: &TestModel,
        x: TensorRef<'_>,
        target: &[i64],
        seed: &[u64],
        mask: Option<&[u8]>,
    ) -> Result<Tensor> {
        let batch = TestBatch {
            x,
            target,
            seed,
            mask,
            background: None,
        };
        Ok(self.explain_batch(model, &batch)?.0)
    }

    /// Attributions, shaped as the batch's `x`, and the fit that was reported per row, NaN where none
    /// was.
    ///
    /// # Errors
    /// What the explainer reports, with its status and text.
    pub fn explain_batch(
        &self,
        model: &TestModel,
        batch: &TestBatch<'_>,
    ) -> Result<(Tensor, Vec<f64>)> {
        let &TestBatch {
            x,
            target,
            seed,
            mask,
            background,
        } = batch;
        let n = x.rows();
        if target.len() != n || seed.len() != n {
            return Err(Error::invalid_argument(format!(
                "{} targets and {} seeds for {n} rows",
                target.len(),
                seed.len()
            )));
        }
        let run = self
            .0
            .table::<abi::xb_explain>()?
            .run
            .ok_or_else(|| Error::unimplemented("the table lacks run"))?;
        let plane: Vec<usize> = std::iter::once(n)
            .chain(x.shape()[1..].iter().skip(1).copied())
            .collect();
        if let Some(mask) = mask {
            // Checks that the mask fits, before its length is given to the other side.
            if plane.iter().product::<usize>() != mask.len() {
                return Err(Error::invalid_argument(format!(
                    "a mask of {} values, expected {plane:?}",
                    mask.len()
                )));
            }
        }
        let mut attribution = Tensor::zeros(x.shape())?;
        let input = Borrowed::shared(x.shape(), x.data());
        let mask = mask.map(|mask| Borrowed::shared(&plane, mask));
        let background = background.map(|rows| Borrowed::shared(rows.shape(), rows.data()));
        let mut local_fit = vec![f64::NAN; n];
        let batch = abi::xb_batch {
            struct_size: size_of::<abi::xb_batch>() as u32,
            reserved: 0,
            x: input.as_ptr(),
            target: target.as_ptr(),
            seed: seed.as_ptr(),
            mask: mask.as_ref().map_or(std::ptr::null(), Borrowed::as_ptr),
            background: background
                .as_ref()
                .map_or(std::ptr::null(), Borrowed::as_ptr),
            local_fit: local_fit.as_mut_ptr(),
        };
        let mut output = Borrowed::exclusive(x.shape(), attribution.data_mut());
        call::run(&self.0.options, |ctx| {
            // SAFETY: live objects that keep the contract; the arguments outlive the call.
            let status = unsafe {
                run(
                    self.0.pointer.as_ptr(),
                    ctx.as_ptr(),
                    model.as_ptr(),
                    &raw const batch,
                    output.as_mut_ptr(),
                )
            };
            Error::check(status, "explain")
        })?;
        drop(output);
        Ok((attribution, local_fit))
    }
}
