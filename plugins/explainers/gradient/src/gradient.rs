//! The derivative of the explained output, sign kept.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result, capability,
};

use crate::pullback::gradient_at_rows;

/// d f_target / d x_i, signed: output per unit of input. One forward and one backward row per row.
#[derive(Clone, Copy, Debug)]
pub struct Gradient;

impl Plugin for Gradient {
    const META: Meta = Meta {
        id: c"org.xbench.gradient",
        name: c"Gradient",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"K. Simonyan, A. Vedaldi, A. Zisserman, Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps, 2013",
        summary: c"The signed derivative of the explained output with respect to each input feature.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Gradient {
    const NEEDS: &'static [&'static CStr] = &[capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        gradient_at_rows(ctx, model, batch.x, batch.target, attribution)
    }
}
