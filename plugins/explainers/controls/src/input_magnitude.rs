//! The input taken for its own explanation.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result,
};

/// |x| for every input feature, in the units of the model's input.
#[derive(Clone, Copy, Debug)]
pub struct InputMagnitude;

impl Plugin for InputMagnitude {
    const META: Meta = Meta {
        id: c"org.xbench.input-magnitude",
        name: c"Input magnitude",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"a control of xbench, without a publication",
        summary: c"The absolute value of the input itself: brightness taken for importance.",
        flags: Flags::CONTROL
            .union(Flags::ANY_THREAD)
            .union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for InputMagnitude {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        _ctx: &Context<'_>,
        _model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        for (out, x) in attribution.iter_mut().zip(batch.x.data()) {
            *out = x.abs();
        }
        Ok(())
    }
}
