//! Batch normalisation (Ioffe and Szegedy 2015).

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::{image_dims, result, slice, tensor, with_values};
use crate::Threads;

/// Mean and biased variance of every channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelStatistics {
    /// `[channels]`.
    pub mean: Vec<f32>,
    /// `[channels]`, divided by the number of elements.
    pub variance: Vec<f32>,
}

/// The statistics of `x` `[images, channels, height, width]` over images and pixels, for running
/// averages. Multiply the variance by m / (m - 1), m the elements of a channel, for the unbiased
/// one that frameworks average.
///
/// # Errors
/// When `x` has another number of dimensions.
pub fn channel_statistics(x: &Tensor, threads: &Arc<Threads>) -> Result<ChannelStatistics> {
    let [images, channels, height, width] = image_dims("channel_statistics", x)?;
    let planes = Planes {
        images,
        channels,
        pixels: height * width,
    };
    let statistics = with_values(x, |x| Ok(planes.statistics(x, threads)))?;
    let (mean, variance) = statistics
        .into_iter()
        .map(|(mean, variance)| (mean as f32, variance as f32))
        .unzip();
    Ok(ChannelStatistics { mean, variance })
}

/// `gamma * (x - mean) / sqrt(variance + epsilon) + beta` for `x`
/// `[images, channels, height, width]`; gamma and beta are `[channels]`.
///
/// With `fixed` statistics (inference) each image is normalised by itself. Without (training) they
/// are those of the batch, and the gradient takes into account that they depend on `x`.
///
/// # Errors
/// When the shapes do not fit or `epsilon` is not positive.
pub fn batch_norm2d(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    fixed: Option<&ChannelStatistics>,
    epsilon: f64,
    threads: &Arc<Threads>,
) -> Result<Tensor> {
    let [images, channels, height, width] = image_dims("batch_norm2d", x)?;
    for (what, dims) in [("gamma", gamma.dims()), ("beta", beta.dims())] {
        if dims != [channels] {
            bail!("batch_norm2d: {what} of shape {dims:?}, expected [{channels}]");
        }
    }
    if !(epsilon > 0.0 && epsilon.is_finite()) {
        bail!("batch_norm2d: epsilon {epsilon} must be positive");
    }
    let planes = Planes {
        images,
        channels,
        pixels: height * width,
    };
    let x = x.contiguous()?;
    let statistics = match fixed {
        Some(s) if s.mean.len() != channels || s.variance.len() != channels => {
            bail!("batch_norm2d: statistics are not of {channels} channels")
        }
        Some(s) => s
            .mean
            .iter()
            .zip(&s.variance)
            .map(|(&m, &v)| (f64::from(m), f64::from(v)))
            .collect(),
        None => with_values(&x, |x| Ok(planes.statistics(x, threads)))?,
    };
    let scales = statistics
        .into_iter()
        .map(|(mean, variance)| (mean, 1.0 / (variance.max(0.0) + epsilon).sqrt()))
        .collect();
    let op = BatchNorm {
        planes,
        scales,
        of_batch: fixed.is_none(),
        threads: Arc::clone(threads),
    };
    x.apply_op3(&gamma.contiguous()?, &beta.contiguous()?, op)
}

#[derive(Clone, Copy)]
struct Planes {
    images: usize,
    channels: usize,
    pixels: usize,
}

impl Planes {
    fn of(self, x: &[f32], channel: usize) -> impl Iterator<Item = &[f32]> {
        x.chunks_exact(self.pixels)
            .skip(channel)
            .step_by(self.channels)
    }

    /// Mean and biased variance of every channel; two passes, in double precision.
    fn statistics(self, x: &[f32], threads: &Threads) -> Vec<(f64, f64)> {
        let count = (self.images * self.pixels) as f64;
        threads.map((0..self.channels).collect(), |channel| {
            let sum = |f: &dyn Fn(f64) -> f64| -> f64 {
                self.of(x, channel)
                    .flatten()
                    .map(|&v| f(f64::from(v)))
                    .sum()
            };
            let mean = sum(&|v| v) / count;
            (mean, sum(&|v| (v - mean) * (v - mean)) / count)
        })
    }
}

struct BatchNorm {
    planes: Planes,
    /// Mean and one over the standard deviation of every channel.
    scales: Vec<(f64, f64)>,
    of_batch: bool,
    threads: Arc<Threads>,
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gamma: &CpuStorage,
        gamma_layout: &Layout,
        beta: &CpuStorage,
        beta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gamma, beta) = (slice(gamma, gamma_layout)?, slice(beta, beta_layout)?);
        let mut y = slice(x, x_layout)?.to_vec();
        for (i, plane) in y.chunks_exact_mut(self.planes.pixels).enumerate() {
            let channel = i % self.planes.channels;
            let (mean, inverse) = self.scales[channel];
            let scale = f64::from(gamma[channel]) * inverse;
            let offset = f64::from(beta[channel]) - scale * mean;
            for v in plane {
                *v = (scale * f64::from(*v) + offset) as f32;
            }
        }
        result(y, x_layout.shape().clone())
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let planes = self.planes;
        let gammas: Vec<f32> = gamma.to_vec1()?;
        let (dx, sums) = with_values(x, |x| {
            with_values(dy, |dy| {
                // Σ dy and Σ dy x̂ of every channel: the gradients of beta and gamma.
                let sums = self.threads.map((0..planes.channels).collect(), |channel| {
                    let (mean, inverse) = self.scales[channel];
                    let (mut plain, mut weighed) = (0.0, 0.0);
                    for (x, dy) in planes.of(x, channel).zip(planes.of(dy, channel)) {
                        for (&x, &dy) in x.iter().zip(dy) {
                            plain += f64::from(dy);
                            weighed += f64::from(dy) * (f64::from(x) - mean) * inverse;
                        }
                    }
                    (plain, weighed)
                });
                let count = (planes.images * planes.pixels) as f64;
                let mut dx = dy.to_vec();
                for (i, (dx, x)) in dx
                    .chunks_exact_mut(planes.pixels)
                    .zip(x.chunks_exact(planes.pixels))
                    .enumerate()
                {
                    let channel = i % planes.channels;
                    let (mean, inverse) = self.scales[channel];
                    let scale = f64::from(gammas[channel]) * inverse;
                    let (plain, weighed) = if self.of_batch {
                        sums[channel]
                    } else {
                        (0.0, 0.0)
                    };
                    for (dx, &x) in dx.iter_mut().zip(x) {
                        let normal = (f64::from(x) - mean) * inverse;
                        let moved = (plain + normal * weighed) / count;
                        *dx = (scale * (f64::from(*dx) - moved)) as f32;
                    }
                }
                Ok((dx, sums))
            })
        })?;
        let channel = |pick: fn(&(f64, f64)) -> f64| -> Vec<f32> {
            sums.iter().map(|sums| pick(sums) as f32).collect()
        };
        let given = |wanted: bool, values, like: &Tensor| {
            wanted.then(|| tensor(values, like.shape())).transpose()
        };
        Ok((
            given(x.track_op(), dx, x)?,
            given(gamma.track_op(), channel(|sums| sums.1), gamma)?,
            given(beta.track_op(), channel(|sums| sums.0), beta)?,
        ))
    }
}
