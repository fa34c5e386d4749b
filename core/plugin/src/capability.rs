//! Ids of what a model can do, for [`Explainer::NEEDS`](crate::Explainer::NEEDS).

use std::ffi::CStr;

/// Forward pass; every model has it.
pub const PREDICT: &CStr = xbench_abi::XB_EXT_PREDICT;
/// Activations of inner layers.
pub const LAYERS: &CStr = xbench_abi::XB_EXT_LAYERS;
/// Gradients.
pub const VJP: &CStr = xbench_abi::XB_EXT_VJP;
/// Backward passes by other rules than the chain rule.
pub const MODIFIED_VJP: &CStr = xbench_abi::XB_EXT_MODIFIED_VJP;
/// The outputs that given values of a layer lead to.
pub const FORWARD_FROM: &CStr = xbench_abi::XB_EXT_FORWARD_FROM;
/// What layers add before their non-linearity.
pub const BIASES: &CStr = xbench_abi::XB_EXT_BIASES;
/// A linear head over a layer's spatial mean.
pub const LINEAR: &CStr = xbench_abi::XB_EXT_LINEAR;
/// Randomise and restore parameters.
pub const PARAMETERS: &CStr = xbench_abi::XB_EXT_PARAMETERS;
/// Parameters as bytes.
pub const WEIGHTS: &CStr = xbench_abi::XB_EXT_WEIGHTS;
/// Training.
pub const FIT: &CStr = xbench_abi::XB_EXT_FIT;
/// A predicted object mask.
pub const SEGMENT: &CStr = xbench_abi::XB_EXT_SEGMENT;
/// Decision trees whose leaves add up to the outputs.
pub const TREES: &CStr = xbench_abi::XB_EXT_TREES;
