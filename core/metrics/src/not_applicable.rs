//! Why a score has no value.
//!
//! A benchmark that writes 0 or NaN for "cannot be said" moves its own means; here the reason
//! is a value, to be counted and shown beside the mean.

use serde::{Deserialize, Serialize};

/// A finite score, or the reason why there is none.
pub type Score = Result<f64, NotApplicable>;

/// Why a score does not apply to an image, a map or a table of predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotApplicable {
    /// There is nothing to score: no pixels, or no examples.
    #[error("there is nothing to score: the input is empty")]
    Empty,
    /// The mask marks no pixel.
    #[error("the mask marks no pixel, so nothing can lie inside it")]
    EmptyMask,
    /// The mask marks every pixel, so that every map scores alike.
    #[error("the mask marks every pixel, so every map scores alike")]
    FullMask,
    /// A value is NaN or infinite.
    #[error("a value is NaN or infinite")]
    NonFinite,
    /// The map has no relevance of the kind the score divides by.
    #[error("the relevance the score divides by sums to zero")]
    ZeroRelevance,
    /// All attributions are equal, so they order nothing.
    #[error("all attributions are equal, so they order nothing")]
    ConstantAttribution,
    /// The model's output hardly moves under the perturbation.
    #[error("the model's output hardly moves under the perturbation")]
    ConstantOutcome,
    /// The model is at least as sure of the class on the baseline as on the image.
    #[error("the model is at least as sure of the class on the baseline as on the image")]
    BaselineAboveImage,
    /// Two inputs that belong together have different lengths.
    #[error("inputs that belong together have different lengths")]
    LengthMismatch,
    /// A class index is not below the number of classes.
    #[error("a class index is not below the number of classes")]
    ClassOutOfRange,
    /// What should be probabilities leaves 0..=1 or does not sum to 1.
    #[error("the outputs are no probabilities: they leave 0 to 1 or do not sum to 1")]
    NotProbabilities,
    /// The map is smaller than the score's window.
    #[error("the map is smaller than the score's window, or no picture")]
    TooSmall,
    /// The map has no negative values, so the signs of its attributions say nothing.
    #[error("the map has no negative values, so its signs say nothing")]
    Unsigned,
    /// Every perturbation that changes the input changes the model's class.
    #[error("every perturbation that changes the input changes the model's class")]
    ClassChanges,
    /// No perturbation changes the input.
    #[error("no perturbation changes the input")]
    UnchangedInput,
    /// The rows are no images.
    #[error("the rows are no images")]
    NotAnImage,
    /// The model tells the values of no inner layer.
    #[error("the model tells the values of no inner layer")]
    NoLayers,
    /// The model's parameters cannot be randomised.
    #[error("the model's parameters cannot be randomised")]
    NoParameters,
    /// The model has no other class.
    #[error("the model has no other class")]
    OneClass,
    /// The suite has no model like it that was trained on shuffled labels.
    #[error("the suite has no model like it that was trained on shuffled labels")]
    NoTwin,
    /// No other image has an explanation like it.
    #[error("no other image has an explanation like it")]
    NoPeer,
    /// The image is not of the explained class.
    #[error("the image is not of the explained class")]
    AnotherClass,
    /// The model does not recognise the image at the size of a tile.
    #[error("the model does not recognise the image at the size of a tile")]
    Unrecognised,
    /// No other image of the class is recognised at the size of a tile.
    #[error("of the class, the model recognises no other image of the run at the size of a tile")]
    NoSecondImage,
    /// Fewer than two images of other classes are recognised at the size of a tile.
    #[error(
        "of other classes, the model recognises fewer than two images of the run at the size of a tile"
    )]
    NoOtherClass,
    /// The pixels the score looks at span no area.
    #[error("the highest pixels are fewer than three or lie on one line, so they span no area")]
    NoExtent,
}

impl NotApplicable {
    /// The reason as a stable word for records and tables, such as `empty_mask`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::EmptyMask => "empty_mask",
            Self::FullMask => "full_mask",
            Self::NonFinite => "non_finite",
            Self::ZeroRelevance => "zero_relevance",
            Self::ConstantAttribution => "constant_attribution",
            Self::ConstantOutcome => "constant_outcome",
            Self::BaselineAboveImage => "baseline_above_image",
            Self::LengthMismatch => "length_mismatch",
            Self::ClassOutOfRange => "class_out_of_range",
            Self::NotProbabilities => "not_probabilities",
            Self::TooSmall => "too_small",
            Self::Unsigned => "unsigned",
            Self::NoExtent => "no_extent",
            Self::ClassChanges => "class_changes",
            Self::UnchangedInput => "unchanged_input",
            Self::NotAnImage => "not_an_image",
            Self::NoLayers => "no_layers",
            Self::NoParameters => "no_parameters",
            Self::OneClass => "one_class",
            Self::NoTwin => "no_twin",
            Self::NoPeer => "no_peer",
            Self::AnotherClass => "another_class",
            Self::Unrecognised => "unrecognised",
            Self::NoSecondImage => "no_second_image",
            Self::NoOtherClass => "no_other_class",
        }
    }
}

/// `value` if it is finite.
pub(crate) fn finite(value: f64) -> Score {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(NotApplicable::NonFinite)
    }
}
