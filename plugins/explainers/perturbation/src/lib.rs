//! Explainers that change the input and watch the output: occlusion and the sliding mask, feature
//! ablation, RISE, Sobol and HSIC attribution, extremal perturbation.
//!
//! All but the last need nothing of a model but its outputs, so they serve every kind of model, and
//! they cost many forward rows per explanation: what the host's proxy counts is what was really
//! evaluated. Copies of the rows are queued one after the other and handed to the model in calls of
//! a fixed number, across the borders of the rows they belong to. Inputs are images, or tables whose
//! columns take the place of pixels, where the method makes sense of them.

mod ablation;
mod blur;
mod copies;
mod design;
mod extremal;
mod feature_ablation;
mod fill;
mod hsic;
mod image;
mod occlusion;
mod outcome;
mod rise;
mod sliding_mask;
mod sobol;
mod windows;

pub use extremal::{ExtremalPerturbation, ExtremalPerturbationParams};
pub use feature_ablation::{FeatureAblation, FeatureAblationParams};
pub use hsic::{Hsic, HsicParams, dependence, median_distance};
pub use occlusion::{Occlusion, OcclusionParams};
pub use rise::{MaskSampler, Rise, RiseParams};
pub use sliding_mask::{SlidingMask, SlidingMaskParams};
pub use sobol::{Sobol, SobolParams, total_indices};

xbench_plugin::export! {
    explainer Occlusion;
    explainer SlidingMask;
    explainer FeatureAblation;
    explainer Rise;
    explainer Sobol;
    explainer Hsic;
    explainer ExtremalPerturbation;
}
