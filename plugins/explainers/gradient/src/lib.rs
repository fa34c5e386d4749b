//! Explainers that go backward through the model: gradient, saliency, input times gradient,
//! integrated and expected gradients, SmoothGrad and its kin, guided backpropagation, deconvolution,
//! DeepLIFT, DeepSHAP, layer-wise relevance propagation.
//!
//! All explain the output named by the target, as the model gives it: a logit of a model of
//! logits, a probability of a model of probabilities. Each attribution is per input feature and
//! has the input's shape, whatever that is.
//!
//! The methods that need many gradients per row queue their points one after the other and hand
//! them to the model in calls of a fixed number of rows, across the borders of the rows they
//! belong to; sums are kept in f64, in the order of the points, so that a row's result does not
//! depend on the rows beside it.

mod deconvolution;
mod deeplift;
mod expected;
mod gradient;
mod guided_backprop;
mod input_x_gradient;
mod integrated;
mod lrp;
mod modified;
mod noise;
mod noisy;
mod pullback;
mod quadrature;
mod saliency;
mod smoothgrad;
mod smoothgrad_squared;
mod uniform;
mod vargrad;

pub use deconvolution::Deconvolution;
pub use deeplift::{Deeplift, DeepliftParams, Deepshap};
pub use expected::{ExpectedGradients, ExpectedGradientsParams};
pub use gradient::Gradient;
pub use guided_backprop::GuidedBackprop;
pub use input_x_gradient::InputXGradient;
pub use integrated::{IgParams, IntegratedGradients};
pub use lrp::{Lrp, LrpParams};
pub use noise::Noise;
pub use quadrature::{Rule, quadrature};
pub use saliency::Saliency;
pub use smoothgrad::{Smoothgrad, SmoothgradParams};
pub use smoothgrad_squared::{SmoothgradSquared, SmoothgradSquaredParams};
pub use vargrad::{Vargrad, VargradParams};

xbench_plugin::export! {
    explainer Gradient;
    explainer Saliency;
    explainer InputXGradient;
    explainer IntegratedGradients;
    explainer ExpectedGradients;
    explainer Smoothgrad;
    explainer SmoothgradSquared;
    explainer Vargrad;
    explainer GuidedBackprop;
    explainer Deconvolution;
    explainer Deeplift;
    explainer Deepshap;
    explainer Lrp;
}
