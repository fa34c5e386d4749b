//! Shows the model many changed copies of each row and collects what it makes of them.

use xbench_plugin::{Batch, Context, ModelHandle, Result, TensorRef};

use crate::outcome::Outcome;

/// Copies handed to the model in one call; bounds the memory, whatever their number.
pub(crate) const COPIES_PER_CALL: usize = 256;

/// One input that the model is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// Row of the batch.
    pub(crate) row: usize,
    /// Which copy of it; the method knows what that means.
    pub(crate) copy: usize,
}

/// How a method changes rows, and what it does with the outcomes.
///
/// Both functions see the jobs in their order. Those of one call are all written before the first
/// is taken; `slot`, below [`COPIES_PER_CALL`], is the same for a job in both.
pub(crate) trait Perturbation {
    /// Writes a copy, a row of the input's length. `out` holds whatever an earlier copy left.
    fn write(&mut self, slot: usize, job: Job, out: &mut [f32]);
    /// Gets what the model makes of it.
    fn take(&mut self, slot: usize, job: Job, outcome: f64);
}

/// Whom a method asks, about which rows, and what it watches.
#[derive(Clone, Copy)]
pub(crate) struct Inquiry<'a, 'm, 'b> {
    pub(crate) ctx: &'a Context<'b>,
    pub(crate) model: &'a ModelHandle<'m>,
    pub(crate) batch: &'a Batch<'b>,
    pub(crate) outcome: Outcome,
}

impl<'a, 'm, 'b> Inquiry<'a, 'm, 'b> {
    /// # Errors
    /// When the model's outputs cannot tell what is watched.
    pub(crate) fn new(
        ctx: &'a Context<'b>,
        model: &'a ModelHandle<'m>,
        batch: &'a Batch<'b>,
        outcome: Outcome,
    ) -> Result<Self> {
        outcome.check(model.spec().output_kind)?;
        Ok(Self {
            ctx,
            model,
            batch,
            outcome,
        })
    }

    /// Runs all jobs, one forward row each, in calls of a fixed number of copies across the borders
    /// of rows.
    ///
    /// # Errors
    /// Whatever the model or the host answers, deadline and cancellation included.
    pub(crate) fn evaluate(
        &self,
        mut jobs: impl ExactSizeIterator<Item = Job>,
        perturbation: &mut impl Perturbation,
    ) -> Result<()> {
        let (batch, spec) = (self.batch, self.model.spec());
        let (row_len, total) = (batch.x.row_len(), jobs.len());
        let capacity = COPIES_PER_CALL.min(total);
        let mut copies = vec![0.0_f32; capacity * row_len];
        let mut outputs = vec![0.0_f32; capacity * spec.outputs];
        let mut shape = batch.x.shape().to_vec();
        let mut now = Vec::with_capacity(capacity);
        for start in (0..total).step_by(COPIES_PER_CALL) {
            self.ctx.checkpoint(start as f64 / total as f64)?;
            now.clear();
            now.extend(jobs.by_ref().take(COPIES_PER_CALL));
            let copies = &mut copies[..now.len() * row_len];
            let outputs = &mut outputs[..now.len() * spec.outputs];
            for ((slot, &job), copy) in now.iter().enumerate().zip(copies.chunks_exact_mut(row_len))
            {
                perturbation.write(slot, job, copy);
            }
            shape[0] = now.len();
            let seen = TensorRef::new(&shape, copies)?;
            self.model.predict(self.ctx, seen, outputs)?;
            let outputs = outputs.chunks_exact(spec.outputs);
            for ((slot, &job), outputs) in now.iter().enumerate().zip(outputs) {
                let target = batch.target[job.row] as usize;
                let outcome = self.outcome.of(spec.output_kind, outputs, target);
                perturbation.take(slot, job, outcome);
            }
        }
        Ok(())
    }
}
