//! Noise: the level that any explanation should beat.

use std::ffi::CStr;

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result,
};

/// Uniform values from 0 to 1, independent per input feature, drawn by counter from the row's seed.
#[derive(Clone, Copy, Debug)]
pub struct Random;

impl Plugin for Random {
    const META: Meta = Meta {
        id: c"org.xbench.random",
        name: c"Random map",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"a control of xbench, without a publication",
        summary:
            c"Independent uniform noise per pixel: what a score gives to a map that knows nothing.",
        flags: Flags::CONTROL
            .union(Flags::ANY_THREAD)
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Random {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        _ctx: &Context<'_>,
        _model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let row_len = batch.x.row_len();
        for (row, &seed) in batch.seed.iter().enumerate() {
            let rng = CounterRng::new(seed);
            for (i, out) in attribution[row * row_len..][..row_len]
                .iter_mut()
                .enumerate()
            {
                *out = rng.uniform(i as u64) as f32;
            }
        }
        Ok(())
    }
}
