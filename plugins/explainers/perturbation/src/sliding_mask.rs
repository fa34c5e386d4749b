//! The sliding mask of the study `cam-hybrid`: a block of zeros moved over the image without
//! overlap.

use std::ffi::CStr;

use xbench_plugin::{Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::occlusion::Occlusion;
use crate::outcome::Outcome;

xbench_plugin::params! {
    /// Parameters of the sliding mask.
    pub struct SlidingMaskParams {
        /// Side of the square block, in pixels.
        patch: u32 = 4, 1..=4096;
        /// Value of the block, in the model's input units, the same for all channels.
        fill: f32 = 0.0;
        /// What a block is worth: the fall of the target's probability ("drop"), or whether the
        /// target stops being the predicted class ("kept"): 1 where it does, 0 where it is kept,
        /// -1 where it becomes it.
        value: String = "drop", ["drop", "kept"];
    }
}

/// A block of 4 by 4 zeros, moved so that blocks abut: on 28 by 28 pixels a map of 7 by 7 values.
///
/// The study shows, for each block, whether the image is still predicted right; that is `kept`,
/// turned into an attribution. Its finer form is the default, the probability that the block is
/// worth. It is [`Occlusion`] with `stride` equal to `patch` and the outcomes "probability" and
/// "kept"; each channel gets the block's value divided by the number of channels.
#[derive(Clone, Debug)]
pub struct SlidingMask(Occlusion);

impl Plugin for SlidingMask {
    const META: Meta = Meta {
        id: c"org.xbench.sliding-mask",
        name: c"Sliding mask",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"M. D. Zeiler, R. Fergus, Visualizing and Understanding Convolutional Networks, 2014",
        summary: c"The fall of the target's probability, or of its being predicted, when a block of the image is set to zero.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = SlidingMaskParams;

    fn create(params: SlidingMaskParams, _ctx: &Context<'_>) -> Result<Self> {
        if !params.fill.is_finite() {
            return Err(Error::invalid_argument("the fill is not a finite number"));
        }
        let outcome = if params.value == "kept" {
            Outcome::Kept
        } else {
            Outcome::Probability
        };
        let patch = params.patch as usize;
        Ok(Self(Occlusion::abutting(patch, params.fill, outcome)))
    }
}

impl Explainer for SlidingMask {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        self.0.explain(ctx, model, batch, attribution)
    }
}
