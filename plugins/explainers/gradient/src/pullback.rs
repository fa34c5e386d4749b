//! Gradients of the explained output at many points per row, in calls of a fixed size.

use xbench_plugin::{Context, ModelHandle, Result, TensorRef, Wrt};

/// Points handed to the model in one call; bounds the memory, whatever the number of steps.
const POINTS_PER_CALL: usize = 256;

/// Visits the gradient of output `target[row]` at `per_row` points of every row.
///
/// `point(row, step, out)` writes a point (a row of `x`'s length); `take(row, step, gradient)` gets
/// the gradient there. Both see the rows in order, and within a row the steps in order. One forward
/// and one backward row per point.
///
/// # Errors
/// Whatever the model or the host answers, deadline and cancellation included.
pub(crate) fn for_each_gradient(
    ctx: &Context<'_>,
    model: &ModelHandle<'_>,
    x: TensorRef<'_>,
    target: &[i64],
    per_row: usize,
    mut point: impl FnMut(usize, usize, &mut [f32]),
    mut take: impl FnMut(usize, usize, &[f32]),
) -> Result<()> {
    let outputs = model.spec().outputs;
    let (row_len, total) = (x.row_len(), x.rows() * per_row);
    let capacity = POINTS_PER_CALL.min(total);
    let mut points = vec![0.0_f32; capacity * row_len];
    let mut one_hot = vec![0.0_f32; capacity * outputs];
    let mut shape = x.shape().to_vec();
    for start in (0..total).step_by(POINTS_PER_CALL) {
        ctx.checkpoint(start as f64 / total as f64)?;
        let count = POINTS_PER_CALL.min(total - start);
        let points = &mut points[..count * row_len];
        let one_hot = &mut one_hot[..count * outputs];
        one_hot.fill(0.0);
        for slot in 0..count {
            let (row, step) = ((start + slot) / per_row, (start + slot) % per_row);
            point(row, step, &mut points[slot * row_len..][..row_len]);
            one_hot[slot * outputs + target[row] as usize] = 1.0;
        }
        shape[0] = count;
        let pullback = model.vjp(
            ctx,
            TensorRef::new(&shape, points)?,
            TensorRef::new(&[count, outputs], one_hot)?,
            Wrt::Input,
            false,
        )?;
        for slot in 0..count {
            let (row, step) = ((start + slot) / per_row, (start + slot) % per_row);
            take(row, step, pullback.gradient.row(slot));
        }
    }
    Ok(())
}

/// The gradient of output `target[row]` at each row itself, into `attribution`, shaped as `x`.
pub(crate) fn gradient_at_rows(
    ctx: &Context<'_>,
    model: &ModelHandle<'_>,
    x: TensorRef<'_>,
    target: &[i64],
    attribution: &mut [f32],
) -> Result<()> {
    let row_len = x.row_len();
    for_each_gradient(
        ctx,
        model,
        x,
        target,
        1,
        |row, _, out| out.copy_from_slice(x.row(row)),
        |row, _, gradient| attribution[row * row_len..][..row_len].copy_from_slice(gradient),
    )
}
