//! Axiom-based Grad-CAM: the gradient's mean weighted by the feature map itself.
//!
//! w_k = sum over units of (A / sum(A)) g. With these weights the map comes as near as a weighted
//! sum of feature maps can to the two axioms of the paper: the change of the output when a map is
//! removed is its contribution (sensitivity), and the contributions add up to the output
//! (conservation). Where the network is linear between layer and output both hold but for the
//! biases.

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use super::activation_map::weight_by_gradient;
use super::feature_maps::{Source, explain_by_gradient};

xbench_plugin::params! {
    /// Parameters of XGrad-CAM.
    pub struct XgradcamParams {
        /// Name of the layer whose feature maps are weighted; empty: the last convolution.
        layer: String = "";
        /// Set negative values of the map to zero before it is enlarged, as the authors' program
        /// does.
        relu: bool = true;
    }
}

/// XGrad-CAM (Fu et al. 2020, the weights that the section on XGrad-CAM derives), enlarged
/// bilinearly to the image.
///
/// Not negative unless `relu` is off. One forward and one backward row per image. A feature map
/// that adds up to zero has no weight: on rectified features it is zero throughout and adds
/// nothing; on others the formula divides by zero.
#[derive(Clone, Debug)]
pub struct Xgradcam {
    params: XgradcamParams,
}

impl Plugin for Xgradcam {
    const META: Meta = Meta {
        id: c"org.xbench.xgradcam",
        name: c"XGrad-CAM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"R. Fu, Q. Hu, X. Dong, Y. Guo, Y. Gao, B. Li, Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs, 2020",
        summary: c"The feature maps of a convolution, weighted by the gradient of the explained output averaged with the map's own values as weights.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = XgradcamParams;

    fn create(params: XgradcamParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

/// The weight of one map: sum(A g) / sum(A).
fn weight(map: &[f32], gradient: &[f32]) -> f32 {
    let (mut product, mut total) = (0.0_f64, 0.0_f64);
    for (&value, &gradient) in map.iter().zip(gradient) {
        product += f64::from(value) * f64::from(gradient);
        total += f64::from(value);
    }
    if total == 0.0 {
        0.0
    } else {
        (product / total) as f32
    }
}

impl Explainer for Xgradcam {
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
                weight_by_gradient(features, gradient, map, weight);
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn by_hand() {
        // (1 * 4 + 3 * 0 + 0 * 9) / 4.
        assert_eq!(weight(&[1.0, 3.0, 0.0], &[4.0, 0.0, 9.0]), 1.0);
        // A constant gradient is the weight, whatever the map.
        assert_eq!(weight(&[0.25, 7.0, 1.5], &[-0.5; 3]), -0.5);
    }

    #[test]
    fn maps_that_add_up_to_zero_have_no_weight() {
        assert_eq!(weight(&[0.0; 4], &[1.0; 4]), 0.0);
        assert_eq!(weight(&[1.0, -1.0], &[1.0, 0.0]), 0.0);
    }
}
