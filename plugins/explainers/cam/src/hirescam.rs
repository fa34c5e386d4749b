//! HiResCAM: gradient times feature map, unit by unit.
//!
//! Grad-CAM averages the gradient over a map before it multiplies, and so can light up units that
//! the network did not use; the element-wise product cannot. Where the network is linear between
//! layer and output, the map's sum is the output without its biases.

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use super::activation_map::{FeatureMaps, weight_units};
use super::feature_maps::{Source, explain_by_gradient};

xbench_plugin::params! {
    /// Parameters of HiResCAM.
    pub struct HirescamParams {
        /// Name of the layer whose feature maps are weighted; empty: the last convolution.
        layer: String = "";
        /// Set negative values of the map to zero before it is enlarged; the paper keeps them.
        relu: bool = false;
    }
}

/// HiResCAM (Draelos and Carin 2020, the section that defines it), enlarged bilinearly to the
/// image.
///
/// Signed unless `relu`, in units of the explained output. One forward and one backward row per
/// image.
#[derive(Clone, Debug)]
pub struct Hirescam {
    params: HirescamParams,
}

impl Plugin for Hirescam {
    const META: Meta = Meta {
        id: c"org.xbench.hirescam",
        name: c"HiResCAM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"R. L. Draelos, L. Carin, Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks, 2020",
        summary: c"The sum over the feature maps of a convolution of map times gradient of the explained output, unit by unit.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = HirescamParams;

    fn create(params: HirescamParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

/// Adds each map's element-wise product with its gradient.
fn add_products(features: FeatureMaps<'_>, gradient: FeatureMaps<'_>, sum: &mut [f32]) {
    weight_units(features, gradient, sum, |gradient| gradient);
}

impl Explainer for Hirescam {
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
        assert_eq!(sum, [1.5, -2.0, -3.0]);
    }
}
