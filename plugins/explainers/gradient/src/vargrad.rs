//! VarGrad: the variance of the gradient over noisy copies of the input.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use crate::noisy::{check_noise, noisy_gradients};

xbench_plugin::params! {
    /// Parameters of VarGrad.
    pub struct VargradParams {
        /// Noisy copies of every row.
        samples: u32 = 50, 2..=10_000;
        /// Standard deviation of the noise, as a share of the row's largest minus smallest value.
        noise: f32 = 0.15, 0.0..=10.0;
    }
}

/// VarGrad (Adebayo et al. 2018, appendix): the variance of d f_target / d x_i at x + noise, over all
/// copies (divided by their number).
///
/// Never negative, in squared units of the gradient. The noise is SmoothGrad's for the same seed.
/// `samples` forward and backward rows per row.
#[derive(Clone, Debug)]
pub struct Vargrad {
    params: VargradParams,
}

impl Plugin for Vargrad {
    const META: Meta = Meta {
        id: c"org.xbench.vargrad",
        name: c"VarGrad",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim, Sanity Checks for Saliency Maps, 2018",
        summary: c"The variance of the gradient of the explained output over copies of the input with normal noise.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC),
        max_batch: 0,
    };
    type Params = VargradParams;

    fn create(params: VargradParams, _ctx: &Context<'_>) -> Result<Self> {
        check_noise(params.noise)?;
        Ok(Self { params })
    }
}

impl Explainer for Vargrad {
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
            moments.variance
        })
    }
}
