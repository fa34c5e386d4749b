//! The mask's pixels in other places: an explanation that was disturbed.

use std::ffi::CStr;

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result,
};

use crate::image::Image;

/// As many ones as the object has pixels, anywhere in the image: what is left of the oracle once its
/// values have lost their places. A score that tells the two apart moves when an explanation is
/// disturbed. Every placing is equally likely, drawn by counter from the row's seed.
///
/// Fails with an invalid argument when the batch brings no mask.
#[derive(Clone, Copy, Debug)]
pub struct Shuffled;

impl Plugin for Shuffled {
    const META: Meta = Meta {
        id: c"org.xbench.shuffled",
        name: c"Shuffled oracle",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"a control of xbench, without a publication",
        summary: c"The object mask with its pixels in other places: whether a score notices.",
        flags: Flags::CONTROL
            .union(Flags::ANY_THREAD)
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC)
            .union(Flags::WANTS_MASK),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Shuffled {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        _ctx: &Context<'_>,
        _model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let image = Image::of(batch.x.shape(), "shuffled")?;
        let mask = batch.mask.ok_or_else(|| {
            Error::invalid_argument(
                "the shuffled oracle needs the object mask, and this data set has none: leave it \
                 out of the suite, or choose a data set with masks",
            )
        })?;
        let rows = attribution.chunks_exact_mut(batch.x.row_len());
        let masks = mask.chunks_exact(image.pixels());
        for ((mask, out), &seed) in masks.zip(rows).zip(batch.seed) {
            let rng = CounterRng::new(seed);
            let mut values: Vec<f32> = mask.iter().map(|&m| f32::from(m != 0)).collect();
            for last in (1..values.len()).rev() {
                values.swap(last, rng.below(last as u64, last as u64 + 1) as usize);
            }
            image.spread(values.into_iter(), out);
        }
        Ok(())
    }
}
