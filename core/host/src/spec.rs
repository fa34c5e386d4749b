//! What a model is, in the host's own words.

use serde::{Deserialize, Serialize};

use crate::owned::OwnedOutput;

/// What a model's outputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// Unnormalised scores of classes.
    Logits,
    /// Probabilities of classes.
    Probabilities,
    /// Values of a regression.
    Values,
}

/// Shapes of a model's input and output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// Shape of one example, for images `[channels, height, width]`.
    pub input_shape: Vec<usize>,
    /// `nchw`, `tabular`, ...
    pub layout: String,
    /// Outputs per example.
    pub outputs: usize,
    /// What the outputs are.
    pub output_kind: OutputKind,
}

impl ModelSpec {
    /// Numbers in one example.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.input_shape.iter().product()
    }
}

/// An inner layer of a model, after its non-linearity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerSpec {
    /// Unique within the model.
    pub name: String,
    /// `conv2d`, `max_pool2d`, `linear`, ...
    pub op: String,
    /// Shape of one example's activation.
    pub shape: Vec<usize>,
}

/// What a gradient is taken with respect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrt<'a> {
    /// The model's input.
    Input,
    /// A layer's activation.
    Layer(&'a str),
}

/// How far [`LoadedModel::randomise`](crate::LoadedModel::randomise) goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Randomise {
    /// From the output down to the layer, inclusive.
    Cascade,
    /// That layer alone.
    Single,
}

/// A model's linear head: `y = weight . spatial_mean(layer) + bias`.
#[derive(Debug)]
pub struct LinearHead {
    /// `[outputs, features]`.
    pub weight: OwnedOutput,
    /// `[outputs]`.
    pub bias: Option<OwnedOutput>,
}

/// How far a training is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FitStep {
    /// False after a batch, true after a whole epoch.
    pub epoch_done: bool,
    /// From 1.
    pub epoch: u32,
    /// In all.
    pub epochs: u32,
    /// From 1.
    pub batch: u32,
    /// In an epoch.
    pub batches: u32,
    /// Training loss of the batch, or the epoch's mean.
    pub loss: f64,
    /// Training accuracy, 0 to 1.
    pub accuracy: f64,
    /// `None` within an epoch, or where nothing is held out.
    pub validation_loss: Option<f64>,
    /// `None` within an epoch, or where nothing is held out.
    pub validation_accuracy: Option<f64>,
    /// Of the step.
    pub learning_rate: f64,
}
