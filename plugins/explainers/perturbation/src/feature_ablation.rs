//! Feature ablation: how far the output falls when a segment of the image, or a column of a table,
//! is covered.

use std::ffi::CStr;

use xbench_plugin::{Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result};
use xbench_superpixels::{Options, QuickshiftParams, Segmentation, SlicParams};

use crate::ablation::ablate;
use crate::copies::Inquiry;
use crate::fill::Fill;
use crate::image::{Image, Region};
use crate::outcome::Outcome;

xbench_plugin::params! {
    /// Parameters of feature ablation.
    pub struct FeatureAblationParams {
        /// How an image is cut into segments: square cells ("grid"), superpixels by simple linear
        /// iterative clustering ("slic"), or by mode seeking ("quickshift"). Each column of a table
        /// is a segment.
        segmentation: String = "grid", ["grid", "slic", "quickshift"];
        /// Grid: side of a cell, in pixels.
        cell: u32 = 4, 1..=4096;
        /// SLIC: about so many segments.
        segments: u32 = 50, 1..=100_000;
        /// SLIC: weight of nearness against likeness.
        compactness: f64 = 10.0, 1e-6..=1e6;
        /// Quickshift: standard deviation of the kernel, in pixels, from 0.1; 0: the lime package's 4, or a
        /// 28th of the image's shorter side where that is less.
        kernel_size: f64 = 0.0, 0.0..=64.0;
        /// Quickshift: longest link between pixels of a segment.
        max_distance: f64 = 200.0, 1e-6..=1e6;
        /// Quickshift: share of colour, against place, in the distance of pixels.
        colour_ratio: f64 = 0.2, 0.0..=1.0;
        /// Value that covers a segment, in the model's input units, the same for all channels.
        fill: f32 = 0.0;
        /// What covers a segment: that value ("constant"), the mean of the image's own channel
        /// ("mean"), or the image, blurred ("blur"). A table takes a constant.
        fill_with: String = "constant", ["constant", "mean", "blur"];
        /// Standard deviation of the blur, as a share of the image's shorter side.
        blur: f32 = 0.1, 0.0..=1.0;
        /// What is watched: the model's own output ("logit"), the probability of the target, or
        /// whether the target is the predicted class ("kept").
        outcome: String = "logit", ["logit", "probability", "kept"];
    }
}

/// Feature ablation: f(x) - f(x with a segment covered), for each segment on its own. It is the
/// occlusion of Zeiler and Fergus (2014, section 4.2) with segments in place of windows, and the
/// `FeatureAblation` of Captum (Kokhlikyan et al. 2020) with segments as the features.
///
/// Every pixel of a segment gets the segment's whole value, in the output's units; each channel the
/// value divided by their number, so that the sum over the channels is the map. For a linear model
/// it is w · (x - fill), summed over the segment. Segments by SLIC (Achanta et al. 2012) and
/// quickshift (Vedaldi and Soatto 2008) are found per image.
///
/// A segment that already holds nothing but its cover gets exactly 0 and the model is not asked. A
/// row costs one forward row for each other segment and one for itself.
#[derive(Clone, Debug)]
pub struct FeatureAblation {
    segmentation: Segmentation,
    fill: Fill,
    outcome: Outcome,
}

impl Plugin for FeatureAblation {
    const META: Meta = Meta {
        id: c"org.xbench.feature-ablation",
        name: c"Feature ablation",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"N. Kokhlikyan et al., Captum: A unified and generic model interpretability library for PyTorch, 2020",
        summary: c"The fall of the explained output when one segment of the image, or one column of the table, is covered.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = FeatureAblationParams;

    fn create(params: FeatureAblationParams, _ctx: &Context<'_>) -> Result<Self> {
        let options = Options {
            cell: params.cell as usize,
            slic: SlicParams {
                segments: params.segments as usize,
                compactness: params.compactness,
                ..SlicParams::default()
            },
            quickshift: QuickshiftParams {
                kernel_size: params.kernel_size,
                max_distance: params.max_distance,
                colour_ratio: params.colour_ratio,
            },
        };
        Ok(Self {
            segmentation: Segmentation::named(&params.segmentation, &options).map_err(refused)?,
            fill: Fill::parse(&params.fill_with, params.fill, params.blur)?,
            outcome: Outcome::parse(&params.outcome),
        })
    }
}

fn refused(error: xbench_superpixels::Error) -> Error {
    Error::invalid_argument(format!("feature-ablation: {error}"))
}

impl Explainer for FeatureAblation {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let x = batch.x;
        let image = Image::of(x, "feature-ablation")?;
        let inquiry = Inquiry::new(ctx, model, batch, self.outcome)?;
        let segmentation = if image.is_table {
            Segmentation::Columns
        } else {
            self.segmentation
        };
        // One set of segments serves all rows where the values have no part in it.
        let sets = if segmentation.depends_on_values() {
            x.rows()
        } else {
            x.rows().min(1)
        };
        let regions: Vec<Vec<Region>> = (0..sets)
            .map(|row| {
                let segments = segmentation
                    .segment(x.row(row), &x.shape()[1..])
                    .map_err(refused)?;
                Ok(Region::of_labels(segments.labels(), segments.count()))
            })
            .collect::<Result<_>>()?;
        let baselines = self.fill.baselines(x, image)?;
        ablate(
            inquiry,
            image,
            &baselines,
            |row| &regions[row % sets],
            attribution,
        )
    }
}
