//! Grad-CAM++: Grad-CAM with a weighted mean of the positive gradients.
//!
//! The paper explains Y = exp(S), S the output. Then the weights of the mean have a closed form in
//! the gradient g of S alone (equation 19): alpha = g^2 / (2 g^2 + sum(A) g^3), A the feature map,
//! which is 1 / (2 + sum(A) g) where g is not zero; and the weight of a map is the sum of alpha *
//! relu(dY/dA), dY/dA = exp(S) g. The factor exp(S) is positive and the same for the whole row, so
//! it changes no map but for its scale; it is left out, as it would leave the range of f32 at
//! outputs above 88.
//!
//! Reference implementations add a constant (1e-6) to the denominator 2 g^2 + sum(A) g^3; where
//! gradients are small, as after global average pooling, it outweighs the terms themselves and
//! turns the weights into cubes of the gradient. The form that is used here needs no constant.

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use super::activation_map::weight_by_gradient;
use super::feature_maps::{Source, explain_by_gradient};

xbench_plugin::params! {
    /// Parameters of Grad-CAM++.
    pub struct GradcamPlusPlusParams {
        /// Name of the layer whose feature maps are weighted; empty: the last convolution.
        layer: String = "";
        /// Set negative values of the map to zero before it is enlarged, as the paper does.
        relu: bool = true;
    }
}

/// Grad-CAM++ (Chattopadhyay et al. 2018, equations 5 and 19, exponential score), enlarged
/// bilinearly to the image; the map divided by the row's exp(output).
///
/// Not negative unless `relu` is off. One forward and one backward row per image. A unit whose
/// gradient is not positive has no weight. On a layer with negative values the denominator 2 +
/// sum(A) g can be negative, which turns the sign of a unit's weight, as the formula has it; where
/// it is exactly zero the unit has no weight.
#[derive(Clone, Debug)]
pub struct GradcamPlusPlus {
    params: GradcamPlusPlusParams,
}

impl Plugin for GradcamPlusPlus {
    const META: Meta = Meta {
        id: c"org.xbench.gradcam-plus-plus",
        name: c"Grad-CAM++",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"A. Chattopadhyay, A. Sarkar, P. Howlader, V. N. Balasubramanian, Grad-CAM++: Generalized Gradient-Based Visual Explanations for Deep Convolutional Networks, 2018",
        summary: c"The feature maps of a convolution, weighted by a weighted sum of the positive gradients of the explained output.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = GradcamPlusPlusParams;

    fn create(params: GradcamPlusPlusParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

/// The weight of one map: the sum over its units of relu(g) / (2 + sum(A) g).
fn weight(map: &[f32], gradient: &[f32]) -> f32 {
    let total: f64 = map.iter().map(|&value| f64::from(value)).sum();
    gradient
        .iter()
        .map(|&gradient| f64::from(gradient))
        .filter(|&gradient| gradient > 0.0)
        .map(|gradient| {
            let denominator = 2.0 + total * gradient;
            if denominator == 0.0 {
                0.0
            } else {
                gradient / denominator
            }
        })
        .sum::<f64>() as f32
}

impl Explainer for GradcamPlusPlus {
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

    /// The formula as it is printed, with exp(S) as a factor.
    fn printed(score: f64, map: &[f64], gradient: &[f64]) -> f64 {
        let total: f64 = map.iter().sum();
        gradient
            .iter()
            .filter(|&&g| g != 0.0)
            .map(|&g| {
                let alpha = g * g / (2.0 * g * g + total * g * g * g);
                alpha * (score.exp() * g).max(0.0)
            })
            .sum()
    }

    #[test]
    fn by_hand() {
        // Sum of the map 6. Unit by unit: g = 0.5 gives 0.5 / (2 + 3) = 0.1; g = 1 gives 1 / 8;
        // g = -1 and g = 0 give nothing.
        let seen = weight(&[1.0, 2.0, 3.0, 0.0], &[0.5, 1.0, -1.0, 0.0]);
        assert!((seen - 0.225).abs() < 1e-7, "{seen}");
    }

    #[test]
    fn the_printed_formula_over_the_exponential_of_the_score() {
        let (map, gradient) = ([0.25, 1.5, 0.0, 2.0], [0.125, -0.75, 0.5, 0.003]);
        let score: f64 = 1.3;
        let expected = printed(score, &map, &gradient) / score.exp();
        let seen = weight(&map.map(|v| v as f32), &gradient.map(|v| v as f32));
        assert!(
            (f64::from(seen) - expected).abs() < 1e-7,
            "{seen} {expected}"
        );
    }

    #[test]
    fn degenerate_maps() {
        assert_eq!(weight(&[0.0; 3], &[0.0; 3]), 0.0);
        assert_eq!(weight(&[0.0; 2], &[0.5, -0.5]), 0.25);
        // 2 + sum(A) g = 0.
        assert_eq!(weight(&[-2.0, 0.0], &[1.0, 0.0]), 0.0);
        // Small gradients are not swallowed by a constant.
        assert!((weight(&[1.0], &[1e-6]) - 5e-7).abs() < 1e-12);
    }
}
