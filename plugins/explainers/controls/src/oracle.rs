//! The mask taken for the explanation: the ceiling of every score against the mask.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result,
};

use crate::image::Image;

/// 1 on the object, 0 beside it.
///
/// Fails with an invalid argument when the batch brings no mask.
#[derive(Clone, Copy, Debug)]
pub struct Oracle;

impl Plugin for Oracle {
    const META: Meta = Meta {
        id: c"org.xbench.oracle",
        name: c"Oracle",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"a control of xbench, without a publication",
        summary: c"The object mask itself: the best that a score against the mask allows.",
        flags: Flags::CONTROL
            .union(Flags::ANY_THREAD)
            .union(Flags::CONCURRENT)
            .union(Flags::WANTS_MASK),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Oracle {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        _ctx: &Context<'_>,
        _model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let image = Image::of(batch.x.shape(), "oracle")?;
        let mask = batch.mask.ok_or_else(|| {
            Error::invalid_argument(
                "the oracle shows the object mask, and this data set has none: leave it out of the \
                 suite, or choose a data set with masks",
            )
        })?;
        let rows = attribution.chunks_exact_mut(batch.x.row_len());
        for (mask, out) in mask.chunks_exact(image.pixels()).zip(rows) {
            image.spread(mask.iter().map(|&m| if m == 0 { 0.0 } else { 1.0 }), out);
        }
        Ok(())
    }
}
