//! Explainers that change the input and watch the output: occlusion.
//!
//! They need nothing of a model but its outputs, so they serve every kind of model, and they cost
//! many forward rows per explanation: what the host's proxy counts is what was really evaluated.

mod occlusion;
mod windows;

pub use occlusion::{Occlusion, OcclusionParams};

xbench_plugin::export! {
    explainer Occlusion;
}
