//! Explainers that change the input and watch the output: occlusion and the sliding mask.
//!
//! They need nothing of a model but its outputs, so they serve every kind of model, and they cost
//! many forward rows per explanation: what the host's proxy counts is what was really evaluated.

mod occlusion;
mod sliding_mask;
mod windows;

pub use occlusion::{Occlusion, OcclusionParams};
pub use sliding_mask::{SlidingMask, SlidingMaskParams};

xbench_plugin::export! {
    explainer Occlusion;
    explainer SlidingMask;
}
