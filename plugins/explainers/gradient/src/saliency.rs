//! The derivative of the explained output, without its sign.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result, capability,
};

use crate::pullback::gradient_at_rows;

/// |d f_target / d x_i| (Simonyan et al. 2013, section 3.1), per channel: never negative.
///
/// The paper takes the largest channel of a pixel; here every channel keeps its own value, and
/// what reads the map decides how to join them. One forward and one backward row per row.
#[derive(Clone, Copy, Debug)]
pub struct Saliency;

impl Plugin for Saliency {
    const META: Meta = Meta {
        id: c"org.xbench.saliency",
        name: c"Saliency",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"K. Simonyan, A. Vedaldi, A. Zisserman, Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps, 2013",
        summary: c"The absolute derivative of the explained output with respect to each input feature.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Saliency {
    const NEEDS: &'static [&'static CStr] = &[capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        gradient_at_rows(ctx, model, batch.x, batch.target, attribution)?;
        for value in attribution {
            *value = value.abs();
        }
        Ok(())
    }
}
