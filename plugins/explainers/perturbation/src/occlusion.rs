//! Occlusion: how far the output falls when a window of the image is covered.

use std::ffi::CStr;

use xbench_plugin::{Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::ablation::ablate;
use crate::copies::Inquiry;
use crate::fill::Fill;
use crate::image::Image;
use crate::outcome::Outcome;
use crate::windows::windows;

xbench_plugin::params! {
    /// Parameters of occlusion.
    pub struct OcclusionParams {
        /// Side of the square window, in pixels.
        patch: u32 = 4, 1..=4096;
        /// Pixels from one window to the next; 0: as many as the window has, so that windows abut.
        stride: u32 = 0, 0..=4096;
        /// Height and width of the window, in pixels, where it is no square; 0: as `patch` says.
        window: [u32; 2] = [0, 0], 0..=4096;
        /// Pixels from one window to the next, downwards and to the right, where they differ; 0: as
        /// `stride` says.
        strides: [u32; 2] = [0, 0], 0..=4096;
        /// Value that covers the window, in the model's input units, the same for all channels.
        fill: f32 = 0.0;
        /// What covers the window: that value ("constant"), the mean of the image's own channel
        /// ("mean"), or the image, blurred ("blur"). A table takes a constant.
        fill_with: String = "constant", ["constant", "mean", "blur"];
        /// Standard deviation of the blur, as a share of the image's shorter side.
        blur: f32 = 0.1, 0.0..=1.0;
        /// What is watched: the model's own output ("logit"); the probability of the target, which
        /// is the softmax of a model of logits and the output itself of a model of probabilities;
        /// or whether the target is the predicted class ("kept"), 1 where no output is larger,
        /// else 0.
        outcome: String = "logit", ["logit", "probability", "kept"];
    }
}

/// Occlusion (Zeiler and Fergus 2014, section 4.2).
///
/// A pixel's attribution is the mean, over the windows that cover it, of f(x) - f(x with the window
/// filled): positive where covering lowers the output, in its units. A window covers all channels;
/// each channel gets the value divided by their number, so that the sum over the channels is the
/// map. A table's columns are covered one at a time (`patch: 1`). Windows are cut at the right and
/// lower border, so every pixel is covered.
///
/// A window that already holds nothing but the fill changes nothing: its difference is exactly 0
/// and the model is not asked. A row costs one forward row for each other window and one for
/// itself; none at all when no window changes it.
#[derive(Clone, Debug)]
pub struct Occlusion {
    /// Height and width.
    window: (usize, usize),
    /// Downwards and to the right, 1 to the window's extent.
    stride: (usize, usize),
    fill: Fill,
    outcome: Outcome,
}

impl Plugin for Occlusion {
    const META: Meta = Meta {
        id: c"org.xbench.occlusion",
        name: c"Occlusion",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"M. D. Zeiler, R. Fergus, Visualizing and Understanding Convolutional Networks, 2014",
        summary: c"The fall of the explained output when a window that slides over the image is filled with a constant.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = OcclusionParams;

    fn create(params: OcclusionParams, _ctx: &Context<'_>) -> Result<Self> {
        let or = |value: u32, other: u32| if value == 0 { other } else { value };
        let window = params.window.map(|extent| or(extent, params.patch));
        let mut strides = params.strides.map(|stride| or(stride, params.stride));
        for (stride, extent) in strides.iter_mut().zip(window) {
            *stride = or(*stride, extent);
            if *stride > extent {
                return Err(Error::invalid_argument(format!(
                    "stride {stride} is larger than patch {extent}: pixels between the windows \
                     would never be covered; choose a stride of 1..={extent}"
                )));
            }
        }
        Ok(Self {
            window: (window[0] as usize, window[1] as usize),
            stride: (strides[0] as usize, strides[1] as usize),
            fill: Fill::parse(&params.fill_with, params.fill, params.blur)?,
            outcome: Outcome::parse(&params.outcome),
        })
    }
}

impl Occlusion {
    /// A square window of `patch` pixels a side, where windows abut.
    pub(crate) fn abutting(patch: usize, fill: f32, outcome: Outcome) -> Self {
        Self {
            window: (patch, patch),
            stride: (patch, patch),
            fill: Fill::Constant(fill),
            outcome,
        }
    }
}

impl Explainer for Occlusion {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let image = Image::of(batch.x, "occlusion")?;
        if image.is_table && self.window.1 != 1 {
            return Err(Error::invalid_argument(
                "the columns of a table have no order, so that a window over several of them means \
                 nothing; use occlusion{patch: 1}",
            ));
        }
        let inquiry = Inquiry::new(ctx, model, batch, self.outcome)?;
        let windows = windows(image, self.window, self.stride);
        let baselines = self.fill.baselines(batch.x, image)?;
        ablate(inquiry, image, &baselines, |_| &windows, attribution)
    }
}
