//! The map without preference: shows how a score treats ties.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result,
};

/// The value 1 for every input feature.
#[derive(Clone, Copy, Debug)]
pub struct Constant;

impl Plugin for Constant {
    const META: Meta = Meta {
        id: c"org.xbench.constant",
        name: c"Constant map",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"a control of xbench, without a publication",
        summary: c"The value 1 everywhere: no pixel is preferred.",
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

impl Explainer for Constant {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        _ctx: &Context<'_>,
        _model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        debug_assert_eq!(attribution.len(), batch.x.data().len());
        attribution.fill(1.0);
        Ok(())
    }
}
