//! SmoothGrad²: the squared gradient averaged over noisy copies of the input.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use crate::noisy::{check_noise, noisy_gradients};

xbench_plugin::params! {
    /// Parameters of SmoothGrad².
    pub struct SmoothgradSquaredParams {
        /// Noisy copies of every row.
        samples: u32 = 50, 1..=10_000;
        /// Standard deviation of the noise, as a share of the row's largest minus smallest value.
        noise: f32 = 0.15, 0.0..=10.0;
    }
}

/// SmoothGrad² (Hooker et al. 2019, section 3): the mean of (d f_target / d x_i)² at x + noise.
///
/// Never negative, in squared units of the gradient. The noise is SmoothGrad's for the same seed.
/// `samples` forward and backward rows per row.
#[derive(Clone, Debug)]
pub struct SmoothgradSquared {
    params: SmoothgradSquaredParams,
}

impl Plugin for SmoothgradSquared {
    const META: Meta = Meta {
        id: c"org.xbench.smoothgrad-squared",
        name: c"SmoothGrad²",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"S. Hooker, D. Erhan, P.-J. Kindermans, B. Kim, A Benchmark for Interpretability Methods in Deep Neural Networks, 2019",
        summary: c"The squared gradient of the explained output, averaged over copies of the input with normal noise.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC),
        max_batch: 0,
    };
    type Params = SmoothgradSquaredParams;

    fn create(params: SmoothgradSquaredParams, _ctx: &Context<'_>) -> Result<Self> {
        check_noise(params.noise)?;
        Ok(Self { params })
    }
}

impl Explainer for SmoothgradSquared {
    const NEEDS: &'static [&'static CStr] = &[capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let (samples, noise) = (self.params.samples as usize, self.params.noise);
        noisy_gradients(ctx, model, batch, samples, noise, attribution, |moments| {
            moments.square
        })
    }
}
