//! Explainers that read gradients of the input: gradient, saliency, input times gradient,
//! integrated gradients, SmoothGrad.
//!
//! All explain the output named by the target, as the model gives it: a logit of a model of
//! logits, a probability of a model of probabilities. Each attribution is per input feature and
//! has the input's shape, whatever that is.
//!
//! The methods that need many gradients per row queue their points one after the other and hand
//! them to the model in calls of a fixed number of rows, across the borders of the rows they
//! belong to; sums are kept in f64, in the order of the points, so that a row's result does not
//! depend on the rows beside it.

mod gradient;
mod input_x_gradient;
mod integrated;
mod noise;
mod pullback;
mod quadrature;
mod saliency;
mod smoothgrad;

pub use gradient::Gradient;
pub use input_x_gradient::InputXGradient;
pub use integrated::{IgParams, IntegratedGradients};
pub use noise::Noise;
pub use quadrature::{Rule, quadrature};
pub use saliency::Saliency;
pub use smoothgrad::{Smoothgrad, SmoothgradParams};

xbench_plugin::export! {
    explainer Gradient;
    explainer Saliency;
    explainer InputXGradient;
    explainer IntegratedGradients;
    explainer Smoothgrad;
}
