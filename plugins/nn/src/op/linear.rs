//! Fully connected layers.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::activation::mask;
use super::{result, slice, tensor, with_values};
use crate::Threads;
use crate::kernel::dense::{Dense, DenseWeights};

const BLOCK_ROWS: usize = 64;

/// `act(x Wᵀ + b)` for `x` `[rows, in]`, `weight` `[out, in]` and `bias` `[out]`, `act` being the
/// positive part with `relu`.
///
/// # Errors
/// When the shapes do not fit.
pub fn linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    relu: bool,
    threads: &Arc<Threads>,
) -> Result<Tensor> {
    let ((rows, inputs), (outputs, columns)) = (x.dims2()?, weight.dims2()?);
    if rows == 0 || inputs == 0 || outputs == 0 || inputs != columns {
        bail!(
            "linear: {:?} and weights {:?} do not fit",
            x.dims(),
            weight.dims()
        );
    }
    let bias = match bias {
        Some(bias) if bias.dims() != [outputs] => {
            bail!(
                "linear: bias of shape {:?}, expected [{outputs}]",
                bias.dims()
            )
        }
        Some(bias) => bias.contiguous()?,
        None => tensor(vec![0.0; outputs], outputs)?,
    };
    let dense = Dense::new(inputs, outputs);
    let op = Linear {
        dense,
        inputs,
        outputs,
        relu,
        threads: Arc::clone(threads),
    };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias, op)
}

struct Linear {
    dense: Dense,
    inputs: usize,
    outputs: usize,
    relu: bool,
    threads: Arc<Threads>,
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, bias) = (slice(x, x_layout)?, slice(bias, bias_layout)?);
        let mut packed = DenseWeights::default();
        self.dense
            .pack(slice(weight, weight_layout)?, false, &mut packed);
        let rows = x.len() / self.inputs;
        let mut out = vec![0.0; rows * self.outputs];
        let jobs = x
            .chunks(BLOCK_ROWS * self.inputs)
            .zip(out.chunks_mut(BLOCK_ROWS * self.outputs))
            .collect();
        self.threads.map(jobs, |(x, out): (&[f32], &mut [f32])| {
            self.dense.forward(&packed, Some(bias), self.relu, x, out);
        });
        result(out, (rows, self.outputs))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (for_x, for_weights) = (x.track_op(), weight.track_op() || bias.track_op());
        let rows = x.dim(0)?;
        let mut dx = vec![0.0; if for_x { rows * self.inputs } else { 0 }];
        let mut d_weight = vec![
            0.0;
            if for_weights {
                self.inputs * self.outputs
            } else {
                0
            }
        ];
        let mut d_bias = vec![0.0; self.outputs];
        with_values(dy, |dy| {
            let dy = if self.relu {
                Cow::Owned(with_values(y, |y| Ok(mask(dy, y)))?)
            } else {
                Cow::Borrowed(dy)
            };
            if for_x {
                let mut packed = DenseWeights::default();
                with_values(weight, |weight| {
                    self.dense.pack(weight, true, &mut packed);
                    Ok(())
                })?;
                let jobs = dy
                    .chunks(BLOCK_ROWS * self.outputs)
                    .zip(dx.chunks_mut(BLOCK_ROWS * self.inputs))
                    .collect();
                self.threads.map(jobs, |(dy, dx): (&[f32], &mut [f32])| {
                    self.dense.input_gradient(&packed, dy, dx);
                });
            }
            if for_weights {
                with_values(x, |x| {
                    let mut sums = self.dense.gradient();
                    self.dense.add_weight_gradient(x, &dy, &mut sums);
                    self.dense
                        .unpack_gradient(&sums, &mut d_weight, &mut d_bias);
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        let given = |wanted: bool, values, like: &Tensor| {
            wanted.then(|| tensor(values, like.shape())).transpose()
        };
        Ok((
            given(for_x, dx, x)?,
            given(weight.track_op(), d_weight, weight)?,
            given(bias.track_op(), d_bias, bias)?,
        ))
    }
}
