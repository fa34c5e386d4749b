//! SmoothGrad: the gradient averaged over noisy copies of the input.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use crate::noisy::{check_noise, noisy_gradients};

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
        check_noise(params.noise)?;
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
        let (samples, noise) = (self.params.samples as usize, self.params.noise);
        let absolute = self.params.absolute;
        noisy_gradients(ctx, model, batch, samples, noise, attribution, |moments| {
            if absolute {
                moments.absolute
            } else {
                moments.mean
            }
        })
    }
}
