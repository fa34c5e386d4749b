//! Shapley values of the parts of an input: Kernel SHAP, permutations, sampling, partition, exact.
//!
//! The players of the game are the segments of an image or the columns of a table. The value of a
//! coalition is the explained output where its players are as in the input and all others are
//! removed: set to a number, or to the rows of a background sample one after the other, over which the
//! outputs are averaged (the interventional value of Lundberg and Lee 2017). A player that removal
//! does not change is left out of the game: its value is exactly 0, and the others' are the same
//! without it.
//!
//! All methods keep completeness: the values of a row sum to f(x) - f(removed). How a segment's value
//! becomes a map is the parameter `share`: split evenly among the segment's values, so that the map
//! has that sum, or given whole to each pixel.

mod design;
mod exact;
mod game;
mod kernel;
mod linear;
mod partition;
mod permutation;
mod players;
mod sampling;
mod setup;

pub use exact::{ExactShap, ExactShapParams};
pub use kernel::{KernelShap, KernelShapParams};
pub use partition::{PartitionShap, PartitionShapParams};
pub use permutation::{PermutationShap, PermutationShapParams};
pub use sampling::{SamplingShap, SamplingShapParams};

xbench_plugin::export! {
    explainer KernelShap;
    explainer PermutationShap;
    explainer SamplingShap;
    explainer PartitionShap;
    explainer ExactShap;
}
