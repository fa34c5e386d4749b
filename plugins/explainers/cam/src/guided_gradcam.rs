//! Guided Grad-CAM: the fine grain of guided backpropagation, where Grad-CAM's map is.

use xbench_plugin::{
    BackwardRule, Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, TensorRef,
    Wrt, capability,
};

use crate::activation_map::{mean_gradient, weight_by_gradient};
use crate::feature_maps::{Source, explain_by_gradient};
use crate::layer::{for_each_chunk, image_shape, one_hot, rows_per_call};

xbench_plugin::params! {
    /// Parameters of guided Grad-CAM.
    pub struct GuidedGradcamParams {
        /// Name of the layer whose feature maps are weighted; empty: the last convolution.
        layer: String = "";
    }
}

/// Guided Grad-CAM (Selvaraju et al. 2017, section 3.2): guided backpropagation times the rectified
/// Grad-CAM map, enlarged bilinearly, pixel by pixel.
///
/// Signed, and zero where Grad-CAM is. Two forward and two backward rows per image.
#[derive(Clone, Debug)]
pub struct GuidedGradcam {
    params: GuidedGradcamParams,
}

impl Plugin for GuidedGradcam {
    const META: Meta = Meta {
        id: c"org.xbench.guided-gradcam",
        name: c"Guided Grad-CAM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra, Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, 2017",
        summary: c"Guided backpropagation times the Grad-CAM map.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = GuidedGradcamParams;

    fn create(params: GuidedGradcamParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

impl Explainer for GuidedGradcam {
    const NEEDS: &'static [&'static std::ffi::CStr] = &[
        capability::LAYERS,
        capability::VJP,
        capability::MODIFIED_VJP,
    ];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let source = Source {
            layer: &self.params.layer,
            relu: true,
        };
        explain_by_gradient(
            ctx,
            model,
            batch,
            source,
            attribution,
            |features, gradient, map| {
                weight_by_gradient(features, gradient, map, |_, gradient| {
                    mean_gradient(gradient)
                });
            },
        )?;
        // Each channel holds the map divided by their number.
        let [channels, ..] = image_shape(batch.x.shape())?;
        let (outputs, row_len) = (model.spec().outputs, batch.x.row_len());
        for_each_chunk(ctx, batch, rows_per_call(row_len), |first, x| {
            let count = x.rows();
            let seed = one_hot(&batch.target[first..][..count], outputs);
            let guided = model.modified_vjp(
                ctx,
                x,
                TensorRef::new(&[count, outputs], &seed)?,
                BackwardRule::Guided,
                Wrt::Input,
                false,
            )?;
            let out = &mut attribution[first * row_len..][..count * row_len];
            for (out, guided) in out.iter_mut().zip(guided.gradient.iter()) {
                *out *= guided * channels as f32;
            }
            Ok(())
        })
    }
}
