//! Convolution with bias and, where wanted, ReLU in one pass.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};

use super::activation::mask;
use super::{image_dims, images_per_block, result, slice, tensor, with_buffers, with_values};
use crate::kernel::conv::{Conv, ConvWeights};
use crate::kernel::{layout, reuse};
use crate::{Threads, Window};

/// At most about this many partial sums of weight gradients exist at once.
const MOST_SUMS: usize = 16;

/// Convolves `x` `[images, in, height, width]` with `weight`
/// `[out, in / groups, kernel height, kernel width]`, adds `bias` `[out]` and, with `relu`, takes
/// the positive part.
///
/// # Errors
/// When shapes, window and groups do not fit.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    window: Window,
    groups: usize,
    relu: bool,
    threads: &Arc<Threads>,
) -> Result<Tensor> {
    let [_, channels, height, width] = image_dims("conv2d", x)?;
    let out = weight.dim(0)?;
    let conv = Conv::new([height, width], channels, out, window, groups)?;
    let expected = [out, channels / groups, window.kernel[0], window.kernel[1]];
    if weight.dims() != expected {
        bail!(
            "conv2d: weights of shape {:?}, expected {expected:?}",
            weight.dims()
        );
    }
    let bias = match bias {
        Some(bias) if bias.dims() != [out] => {
            bail!("conv2d: bias of shape {:?}, expected [{out}]", bias.dims())
        }
        Some(bias) => bias.contiguous()?,
        None => tensor(vec![0.0; out], out)?,
    };
    let op = Conv2d {
        conv,
        relu,
        threads: Arc::clone(threads),
    };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias, op)
}

struct Conv2d {
    conv: Conv,
    relu: bool,
    threads: Arc<Threads>,
}

impl Conv2d {
    fn block(&self) -> usize {
        images_per_block(self.conv.input_len().max(self.conv.output_len()))
    }
}

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
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
        let conv = &self.conv;
        let (x, bias) = (slice(x, x_layout)?, slice(bias, bias_layout)?);
        let mut packed = ConvWeights::default();
        conv.pack(slice(weight, weight_layout)?, false, &mut packed);
        let images = x.len() / conv.input_len();
        let channels = [conv.in_channels(), conv.out_channels()];
        let pixels = [
            conv.input_len() / channels[0],
            conv.output_len() / channels[1],
        ];
        let mut out = vec![0.0; images * conv.output_len()];
        let block = self.block();
        let jobs = x
            .chunks(block * conv.input_len())
            .zip(out.chunks_mut(block * conv.output_len()))
            .collect();
        self.threads.map(jobs, |(x, out): (&[f32], &mut [f32])| {
            with_buffers(|buffers| {
                let last = reuse(&mut buffers.x, x.len());
                layout::to_channel_last(x, channels[0], pixels[0], last);
                let y = reuse(&mut buffers.y, out.len());
                let n = x.len() / conv.input_len();
                conv.forward(
                    &packed,
                    Some(bias),
                    self.relu,
                    last,
                    n,
                    y,
                    &mut buffers.scratch,
                );
                layout::to_channel_first(y, channels[1], pixels[1], out);
            });
        });
        let [height, width] = conv.output();
        result(out, (images, channels[1], height, width))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let conv = &self.conv;
        let (for_x, for_weights) = (x.track_op(), weight.track_op() || bias.track_op());
        let mut packed = ConvWeights::default();
        with_values(weight, |weight| {
            conv.pack(weight, for_x, &mut packed);
            Ok(())
        })?;
        let images = x.dim(0)?;
        let [inputs, outputs] = [conv.in_channels(), conv.out_channels()];
        let mut dx = vec![0.0; if for_x { images * conv.input_len() } else { 0 }];
        let mut d_weight = vec![0.0; if for_weights { conv.weight_len() } else { 0 }];
        let mut d_bias = vec![0.0; outputs];
        let block = self.block().max(images.div_ceil(MOST_SUMS));
        let sums = with_values(x, |x| {
            with_values(dy, |dy| {
                let dy = if self.relu {
                    Cow::Owned(with_values(y, |y| Ok(mask(dy, y)))?)
                } else {
                    Cow::Borrowed(dy)
                };
                let gradients: Vec<Option<&mut [f32]>> = if for_x {
                    dx.chunks_mut(block * conv.input_len()).map(Some).collect()
                } else {
                    (0..images.div_ceil(block)).map(|_| None).collect()
                };
                let jobs = x
                    .chunks(block * conv.input_len())
                    .zip(dy.chunks(block * conv.output_len()))
                    .zip(gradients)
                    .collect();
                type Job<'a> = ((&'a [f32], &'a [f32]), Option<&'a mut [f32]>);
                Ok(self.threads.map(jobs, |((x, dy), dx): Job<'_>| {
                    with_buffers(|buffers| {
                        let n = x.len() / conv.input_len();
                        let d = reuse(&mut buffers.y, dy.len());
                        layout::to_channel_last(dy, outputs, dy.len() / (n * outputs), d);
                        let pixels = x.len() / (n * inputs);
                        let sums = for_weights.then(|| {
                            let last = reuse(&mut buffers.x, x.len());
                            layout::to_channel_last(x, inputs, pixels, last);
                            let mut sums = conv.gradient();
                            conv.add_weight_gradient(last, d, n, &mut sums, &mut buffers.scratch);
                            sums
                        });
                        if let Some(dx) = dx {
                            let last = reuse(&mut buffers.z, dx.len());
                            conv.input_gradient(&packed, d, n, last, &mut buffers.scratch);
                            layout::to_channel_first(last, inputs, pixels, dx);
                        }
                        sums
                    })
                }))
            })
        })?;
        for sums in sums.iter().flatten() {
            conv.unpack_gradient(sums, &mut d_weight, &mut d_bias);
        }
        let given = |wanted: bool, values, like: &Tensor| {
            wanted
                .then(|| Tensor::from_vec(values, like.shape(), &Device::Cpu))
                .transpose()
        };
        Ok((
            given(for_x, dx, x)?,
            given(weight.track_op(), d_weight, weight)?,
            given(bias.track_op(), d_bias, bias)?,
        ))
    }
}
