//! Deconvolution.

use std::ffi::CStr;

use xbench_plugin::{
    BackwardRule, Batch, Context, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result,
    capability,
};

use crate::modified::modified_at_rows;

/// Deconvolution (Zeiler and Fergus 2014, section 2.1): the backward pass of the explained output, in
/// which a ReLU passes on a gradient where it is positive, whatever the ReLU's own value. Maxima pass
/// it to their places.
///
/// No gradient of any function. One forward and one backward row per row.
#[derive(Clone, Copy, Debug)]
pub struct Deconvolution;

impl Plugin for Deconvolution {
    const META: Meta = Meta {
        id: c"org.xbench.deconvolution",
        name: c"Deconvolution",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"M. D. Zeiler, R. Fergus, Visualizing and Understanding Convolutional Networks, 2014",
        summary: c"The gradient, with every ReLU passing on only what is positive, whatever its own value.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Deconvolution {
    const NEEDS: &'static [&'static CStr] = &[capability::MODIFIED_VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        modified_at_rows(ctx, model, batch, BackwardRule::Deconvolution, attribution)
    }
}
