//! Reference maps that explain nothing about a model: random, constant, edges, brightness, centre,
//! the mask, and the mask in other places.
//!
//! They are the rows of a leaderboard that a method has to beat. None asks the model anything; all
//! but `random` and `constant` can score well on images whose object is bright and in the middle,
//! and the oracle is the best that a score against the mask allows.
//!
//! A map of one value per pixel, where images have several channels, is divided by their number in
//! each channel: the sum over the channels is the map.

mod centre_gaussian;
mod constant;
mod image;
mod input_magnitude;
mod oracle;
mod random;
mod shuffled;
mod sobel;

pub use centre_gaussian::{CentreGaussian, CentreGaussianParams};
pub use constant::Constant;
pub use input_magnitude::InputMagnitude;
pub use oracle::Oracle;
pub use random::Random;
pub use shuffled::Shuffled;
pub use sobel::Sobel;

xbench_plugin::export! {
    explainer Random;
    explainer Constant;
    explainer Sobel;
    explainer InputMagnitude;
    explainer CentreGaussian;
    explainer Oracle;
    explainer Shuffled;
}
