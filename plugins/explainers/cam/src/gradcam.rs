//! Gradient-weighted class activation mapping.
//!
//! The weight of a feature map is the spatial mean of the gradient of the explained output with
//! respect to it; the map is the rectified weighted sum. On a network that ends in global average
//! pooling and a linear layer the weights are CAM's divided by the number of units of a map, so
//! both methods give the same map up to that factor and the rectification.

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use super::activation_map::{mean_gradient, weight_by_gradient};
use super::feature_maps::{Source, explain_by_gradient};

xbench_plugin::params! {
    /// Parameters of Grad-CAM.
    pub struct GradcamParams {
        /// Name of the layer whose feature maps are weighted; empty: the last convolution.
        layer: String = "";
        /// Set negative values of the map to zero before it is enlarged, as the paper does.
        relu: bool = true;
    }
}

/// Grad-CAM (Selvaraju et al. 2017, equations 1 and 2), enlarged bilinearly to the image.
///
/// Not negative unless `relu` is off. One forward and one backward row per image.
#[derive(Clone, Debug)]
pub struct Gradcam {
    params: GradcamParams,
}

impl Plugin for Gradcam {
    const META: Meta = Meta {
        id: c"org.xbench.gradcam",
        name: c"Grad-CAM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra, Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, 2017",
        summary: c"The feature maps of a convolution, weighted by the mean gradient of the explained output.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = GradcamParams;

    fn create(params: GradcamParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

impl Explainer for Gradcam {
    const NEEDS: &'static [&'static std::ffi::CStr] = &[capability::LAYERS, capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let source = Source {
            layer: &self.params.layer,
            relu: self.params.relu,
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
        )
    }
}
