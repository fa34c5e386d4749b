//! The derivative of the explained output, times the input.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result, capability,
};

use crate::pullback::gradient_at_rows;

/// x_i d f_target / d x_i (Shrikumar et al. 2016), signed, in units of the output.
///
/// On a linear model it is each feature's exact share of the output, its bias apart; features that
/// are zero get zero. One forward and one backward row per row.
#[derive(Clone, Copy, Debug)]
pub struct InputXGradient;

impl Plugin for InputXGradient {
    const META: Meta = Meta {
        id: c"org.xbench.input-x-gradient",
        name: c"Input × gradient",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"A. Shrikumar, P. Greenside, A. Shcherbina, A. Kundaje, Not Just a Black Box: Learning Important Features Through Propagating Activation Differences, 2016",
        summary: c"Each input feature times the derivative of the explained output with respect to it.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for InputXGradient {
    const NEEDS: &'static [&'static CStr] = &[capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        gradient_at_rows(ctx, model, batch.x, batch.target, attribution)?;
        for (value, x) in attribution.iter_mut().zip(batch.x.data()) {
            *value *= x;
        }
        Ok(())
    }
}
