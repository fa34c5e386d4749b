//! Guided backpropagation.

use std::ffi::CStr;

use xbench_plugin::{
    BackwardRule, Batch, Context, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result,
    capability,
};

use crate::modified::modified_at_rows;

/// Guided backpropagation (Springenberg et al. 2015, figure 1): the backward pass of the explained
/// output, in which a ReLU passes on a gradient only where both it and the ReLU's value are positive.
///
/// No gradient of any function, and known to depend little on the upper layers (Adebayo et al. 2018).
/// One forward and one backward row per row.
#[derive(Clone, Copy, Debug)]
pub struct GuidedBackprop;

impl Plugin for GuidedBackprop {
    const META: Meta = Meta {
        id: c"org.xbench.guided-backprop",
        name: c"Guided backpropagation",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, Striving for Simplicity: The All Convolutional Net, 2015",
        summary: c"The gradient, with every ReLU passing on only what is positive where its own value is.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for GuidedBackprop {
    const NEEDS: &'static [&'static CStr] = &[capability::MODIFIED_VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        modified_at_rows(ctx, model, batch, BackwardRule::Guided, attribution)
    }
}
