//! SmoothGrad: the gradient averaged over noisy copies of the input.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use crate::noise::Noise;
use crate::pullback::for_each_gradient;

xbench_plugin::params! {
    /// Parameters of SmoothGrad.
    pub struct SmoothgradParams {
        /// Noisy copies of every row.
        samples: u32 = 50, 1..=10_000;
        /// Standard deviation of the noise, as a share of the row's largest minus smallest value.
        noise: f32 = 0.15, 0.0..=10.0;
        /// Average the absolute gradients instead of the signed ones.
        absolute: bool = false;
    }
}

/// SmoothGrad (Smilkov et al. 2017, section 3.1): the mean of d f_target / d x_i, or with `absolute`
/// of its magnitude, at x + noise.
///
/// The noise is normal and independent per feature, drawn by counter from the row's seed, the copy
/// and the feature: the batch has no influence on it. `samples` forward and backward rows per row.
#[derive(Clone, Debug)]
pub struct Smoothgrad {
    params: SmoothgradParams,
}

impl Plugin for Smoothgrad {
    const META: Meta = Meta {
        id: c"org.xbench.smoothgrad",
        name: c"SmoothGrad",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"D. Smilkov, N. Thorat, B. Kim, F. Viégas, M. Wattenberg, SmoothGrad: removing noise by adding noise, 2017",
        summary: c"The gradient of the explained output, averaged over copies of the input with normal noise.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC),
        max_batch: 0,
    };
    type Params = SmoothgradParams;

    fn create(params: SmoothgradParams, _ctx: &Context<'_>) -> Result<Self> {
        if !(params.noise.is_finite() && params.noise >= 0.0) {
            return Err(Error::invalid_argument(format!(
                "noise {} is not a share: give a number from 0",
                params.noise
            )));
        }
        Ok(Self { params })
    }
}

impl Explainer for Smoothgrad {
    const NEEDS: &'static [&'static CStr] = &[capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let x = batch.x;
        let row_len = x.row_len();
        let samples = self.params.samples as usize;
        let mut sum = vec![0.0_f64; row_len];
        let mut deviation = 0.0;
        for_each_gradient(
            ctx,
            model,
            x,
            batch.target,
            samples,
            |row, sample, out| {
                let values = x.row(row);
                if sample == 0 {
                    deviation = self.params.noise * range(values);
                }
                Noise::new(batch.seed[row], sample as u64).fill(out);
                for (out, x) in out.iter_mut().zip(values) {
                    *out = x + deviation * *out;
                }
            },
            |row, sample, gradient| {
                if self.params.absolute {
                    for (sum, &gradient) in sum.iter_mut().zip(gradient) {
                        *sum += f64::from(gradient.abs());
                    }
                } else {
                    for (sum, &gradient) in sum.iter_mut().zip(gradient) {
                        *sum += f64::from(gradient);
                    }
                }
                if sample + 1 == samples {
                    let out = &mut attribution[row * row_len..][..row_len];
                    for (out, sum) in out.iter_mut().zip(&sum) {
                        *out = (sum / samples as f64) as f32;
                    }
                    sum.fill(0.0);
                }
            },
        )
    }
}

/// The largest minus the smallest value; 0 for an empty row.
fn range(values: &[f32]) -> f32 {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if low <= high { high - low } else { 0.0 }
}
