//! LayerCAM: feature maps weighted unit by unit with the positive part of the gradient.
//!
//! The weights are local, so that the method keeps the detail of early layers, where one weight for
//! a whole map would not.

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use super::activation_map::{FeatureMaps, weight_units};
use super::feature_maps::{Source, explain_by_gradient};

xbench_plugin::params! {
    /// Parameters of LayerCAM.
    pub struct LayercamParams {
        /// Name of the layer whose feature maps are weighted; empty: the last convolution.
        layer: String = "";
        /// Set negative values of the map to zero before it is enlarged, as the paper does.
        relu: bool = true;
    }
}

/// LayerCAM (Jiang et al. 2021, the section that defines it: w = relu(g), map = relu(sum over k of
/// w A_k)), enlarged bilinearly to the image.
///
/// Not negative unless `relu` is off and the layer has negative values. One forward and one
/// backward row per image. A layer through which no positive gradient passes gives a map of zeros.
#[derive(Clone, Debug)]
pub struct Layercam {
    params: LayercamParams,
}

impl Plugin for Layercam {
    const META: Meta = Meta {
        id: c"org.xbench.layercam",
        name: c"LayerCAM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"P.-T. Jiang, C.-B. Zhang, Q. Hou, M.-M. Cheng, Y. Wei, LayerCAM: Exploring Hierarchical Class Activation Maps for Localization, 2021",
        summary: c"The sum over the feature maps of a convolution of map times positive part of the gradient of the explained output, unit by unit.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = LayercamParams;

    fn create(params: LayercamParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

/// Adds each map's element-wise product with the positive part of its gradient.
fn add_products(features: FeatureMaps<'_>, gradient: FeatureMaps<'_>, sum: &mut [f32]) {
    weight_units(features, gradient, sum, |gradient| gradient.max(0.0));
}

impl Explainer for Layercam {
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
        explain_by_gradient(ctx, model, batch, source, attribution, add_products)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let mut sum = [0.0; 3];
        let features = FeatureMaps::new(&[1.0, 2.0, 0.0, 4.0, 0.0, 1.0], 3);
        let gradient = FeatureMaps::new(&[0.5, -1.0, 9.0, 0.25, 7.0, -3.0], 3);
        add_products(features, gradient, &mut sum);
        assert_eq!(sum, [1.5, 0.0, 0.0]);
    }
}
