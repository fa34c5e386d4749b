//! One backward pass per row by another rule than the chain rule.

use xbench_plugin::{BackwardRule, Batch, Context, ModelHandle, Result, TensorRef, Wrt};

/// Rows handed to the model in one call.
const ROWS_PER_CALL: usize = 256;

/// What `rule` gives at each row for the explained output, into `attribution`, shaped as `x`.
///
/// # Errors
/// Whatever the model or the host answers.
pub(crate) fn modified_at_rows(
    ctx: &Context<'_>,
    model: &ModelHandle<'_>,
    batch: &Batch<'_>,
    rule: BackwardRule<'_>,
    attribution: &mut [f32],
) -> Result<()> {
    let (x, outputs) = (batch.x, model.spec().outputs);
    let (rows, row_len) = (x.rows(), x.row_len());
    let mut one_hot = vec![0.0_f32; ROWS_PER_CALL.min(rows) * outputs];
    let mut shape = x.shape().to_vec();
    for start in (0..rows).step_by(ROWS_PER_CALL) {
        ctx.checkpoint(start as f64 / rows as f64)?;
        let count = ROWS_PER_CALL.min(rows - start);
        let one_hot = &mut one_hot[..count * outputs];
        one_hot.fill(0.0);
        for (slot, &target) in batch.target[start..start + count].iter().enumerate() {
            one_hot[slot * outputs + target as usize] = 1.0;
        }
        shape[0] = count;
        let at = start * row_len..(start + count) * row_len;
        let pullback = model.modified_vjp(
            ctx,
            TensorRef::new(&shape, &x.data()[at.clone()])?,
            TensorRef::new(&[count, outputs], one_hot)?,
            rule,
            Wrt::Input,
            false,
        )?;
        attribution[at].copy_from_slice(&pullback.gradient);
    }
    Ok(())
}
