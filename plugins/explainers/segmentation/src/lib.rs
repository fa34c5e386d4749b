//! The model's own predicted object mask, taken for the explanation.
//!
//! A model that learned to find the object along with its class (a saliency prediction network)
//! says itself where it sees the object. Scored like any other map, that answer can be compared with
//! the maps that methods draw from the same model.
//!
//! A map of one value per pixel, where images have several channels, is divided by their number in
//! each channel: the sum over the channels is the map.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result,
    TensorRef, capability,
};

/// Images asked of the model at once.
const ROWS_PER_CALL: usize = 32;

/// The predicted probability, 0 to 1, that a pixel belongs to the object.
///
/// It does not depend on the target. One forward row per image.
#[derive(Clone, Copy, Debug)]
pub struct Segmentation;

impl Plugin for Segmentation {
    const META: Meta = Meta {
        id: c"org.xbench.segmentation",
        name: c"Predicted mask",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic \
Segmentation, 2015",
        summary: c"The object mask that the model itself predicts.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Segmentation {
    const NEEDS: &'static [&'static CStr] = &[capability::SEGMENT];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let &[rows, channels, height, width] = batch.x.shape() else {
            return Err(Error::invalid_argument(format!(
                "a predicted mask is defined for images of shape [n, channels, height, width], not \
                 {:?}",
                batch.x.shape()
            )));
        };
        let row_len = batch.x.row_len();
        let share = 1.0 / channels.max(1) as f32;
        for start in (0..rows).step_by(ROWS_PER_CALL) {
            ctx.checkpoint(start as f64 / rows as f64)?;
            let count = ROWS_PER_CALL.min(rows - start);
            let shape = [count, channels, height, width];
            let x = &batch.x.data()[start * row_len..][..count * row_len];
            let masks = model.segment(ctx, TensorRef::new(&shape, x)?)?;
            let masks = masks.as_ref();
            if masks.shape() != [count, height, width] {
                return Err(Error::internal(format!(
                    "the model gave masks of shape {:?} for {count} images of {height}x{width}",
                    masks.shape()
                )));
            }
            for row in 0..count {
                let out = &mut attribution[(start + row) * row_len..][..row_len];
                for channel in out.chunks_exact_mut((height * width).max(1)) {
                    for (out, mask) in channel.iter_mut().zip(masks.row(row)) {
                        *out = share * mask;
                    }
                }
            }
        }
        Ok(())
    }
}

xbench_plugin::export! {
    explainer Segmentation;
}
