//! Scores of explanations and classifiers as pure functions on arrays.
//!
//! An attribution map is a `&[f32]` of length d = height × width, its channels summed
//! ([`reduce_channels`]); a mask is a `&[bool]` of the same length. A map is sorted once into a
//! [`RankedMap`] and scored by every function from there. What depends on the order of tied
//! pixels is answered by its expected value over all orders of the ties, so that no score
//! rewards the accident of pixel numbering.
//!
//! A score is a finite number or a reason why there is none ([`Score`]); it is never NaN.
//! Functions here do no IO, read no clock, call no model and keep no state: whoever owns the
//! model writes the perturbed rows ([`faithfulness`]) into its own batches.
//!
//! What each score means, which way is better and who proposed it stands in [`catalogue`].

pub mod agreement;
pub mod axiomatic;
pub mod calibration;
mod catalogue;
mod class_counts;
pub mod classification;
pub mod complexity;
pub mod faithfulness;
pub mod localisation;
mod not_applicable;
pub mod randomisation;
mod ranking;
mod rng;
pub mod robustness;
pub mod similarity;

pub use catalogue::{Direction, Family, Needs, ScoreInfo, catalogue, find};
pub use not_applicable::{NotApplicable, Score};
pub use ranking::{RankedMagnitude, RankedMap, reduce_channels};
pub use rng::{DrawKey, Draws};
