//! What the host asks of a worker, and what a worker answers.
//!
//! The header of a message is a [`Task`] or a [`Reply`] as JSON; arrays travel beside it as
//! blobs, in the order of [`pack_images`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xbench_host::worker::Message;

use crate::evaluate::{Column, ScoreSettings};

/// A plugin to be loaded: where it is, which one, and how it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PluginRef {
    /// The library file.
    pub(crate) library: PathBuf,
    /// Full id.
    pub(crate) id: String,
    /// Parameters, defaults filled in.
    pub(crate) params: Value,
}

/// A model with its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelRef {
    /// The plugin.
    pub(crate) plugin: PluginRef,
    /// The file its weights are loaded from, where it has weights.
    pub(crate) weights: Option<PathBuf>,
}

/// A request to a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub(crate) enum Task {
    /// Load a model and say what it is.
    Describe { model: ModelRef },
    /// Outputs of images. Blobs: pixels. Answer: outputs f32 `[n, outputs]`.
    Predict { model: ModelRef, shape: [usize; 3] },
    /// Outcomes that all explainers share. Blobs: images. Answer: f32 `[n, 2 + subsets]`.
    Probe {
        model: ModelRef,
        shape: [usize; 3],
        settings: ScoreSettings,
    },
    /// Attributions. Blobs: images. Answer: attributions f32, shaped as the pixels.
    Explain {
        model: ModelRef,
        explainer: PluginRef,
        shape: [usize; 3],
        seed: u64,
        deadline_ms: u64,
    },
    /// Scores of attributions. Blobs: images, shared outcomes, attributions.
    Score {
        model: ModelRef,
        shape: [usize; 3],
        settings: ScoreSettings,
        scores: Vec<String>,
    },
    /// Repeated explanations of the same rows, timed. Blobs: images.
    Time {
        model: ModelRef,
        explainer: PluginRef,
        shape: [usize; 3],
        seed: u64,
        warmup: usize,
        repeats: usize,
    },
    /// Training. Blobs: pixels u8 `[n, c, h, w]`, labels u8 `[n]`. Answer: weights (bytes).
    Fit {
        model: ModelRef,
        shape: [usize; 3],
        classes: usize,
        settings: Value,
        threads: usize,
    },
}

/// What a model says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelFacts {
    /// SHA-256 of its parameters, hexadecimal, by its own word; for a model that gives none, that
    /// of its weights' file; empty for a model without weights.
    pub(crate) fingerprint: String,
    /// SHA-256 of its weights' file, hexadecimal; empty without one. A part of cache keys, since a
    /// plugin's word about its own weights may be wrong.
    pub(crate) weights_sha256: String,
    /// Input shape without the example axis.
    pub(crate) input_shape: Vec<usize>,
    /// Number of outputs.
    pub(crate) outputs: usize,
}

/// How often a model was asked, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Evaluations {
    /// Rows of forward passes.
    pub(crate) forward_rows: u64,
    /// Rows of backward passes.
    pub(crate) backward_rows: u64,
}

/// A worker's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub(crate) enum Reply {
    Described(ModelFacts),
    /// Predictions, outcomes or weights, in blob 0.
    Array,
    /// Attributions in blob 0.
    Explained(Evaluations),
    /// Score columns by id.
    Scored {
        columns: BTreeMap<String, Column>,
    },
    Timed(Timing),
    /// Weights in blob 0; the report is the model's own JSON.
    Fitted {
        report: Value,
    },
    /// The plugin failed; the worker lives on.
    Failed {
        timeout: bool,
        text: String,
    },
}

/// Cost of an explanation on this machine, with nothing else running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timing {
    /// CPU time of the process per image, one value per repeat, in milliseconds.
    pub(crate) cpu_ms: Vec<f64>,
    /// Wall time per image, in milliseconds.
    pub(crate) wall_ms: Vec<f64>,
    /// Highest resident memory of the process, in bytes, where the system tells; the host looks.
    pub(crate) peak_memory_bytes: Option<u64>,
}

/// An epoch or batch of training, as an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainingStep {
    /// Whether the epoch is over; else the step is one batch.
    pub epoch_done: bool,
    /// From 1.
    pub epoch: u32,
    /// In all.
    pub epochs: u32,
    /// From 1.
    pub batch: u32,
    /// In an epoch.
    pub batches: u32,
    /// Training loss.
    pub loss: f64,
    /// Training accuracy, 0..=1.
    pub accuracy: f64,
    /// Validation loss, after an epoch.
    pub validation_loss: Option<f64>,
    /// Validation accuracy, after an epoch.
    pub validation_accuracy: Option<f64>,
    /// Learning rate.
    pub learning_rate: f64,
}

/// Images of a chunk as they are sent: pixels as bytes, scaled by 1/255 on arrival.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ImageBlobs {
    /// `[n, c, h, w]`.
    pub(crate) pixels: Vec<u8>,
    /// The explained outputs.
    pub(crate) targets: Vec<i64>,
    /// Numbers of the images in their data set.
    pub(crate) ids: Vec<u64>,
    /// Seeds of the rows, for the explainer.
    pub(crate) seeds: Vec<u64>,
    /// `[n, h, w]`, or empty where the set has no masks.
    pub(crate) masks: Vec<u8>,
}

/// Blobs that [`pack_images`] takes.
pub(crate) const IMAGE_BLOBS: usize = 5;

/// A task with images.
pub(crate) fn pack_images(task: &Task, images: &ImageBlobs) -> Message {
    let mut message = message_of(task);
    message.blobs.push(images.pixels.clone());
    message.push_i64(&images.targets);
    message.push_u64(&images.ids);
    message.push_u64(&images.seeds);
    message.blobs.push(images.masks.clone());
    message
}

/// The images of a message.
pub(crate) fn unpack_images(message: &Message) -> Result<ImageBlobs, String> {
    Ok(ImageBlobs {
        pixels: message.blob(0)?.to_vec(),
        targets: message.i64s(1)?,
        ids: message.u64s(2)?,
        seeds: message.u64s(3)?,
        masks: message.blob(4)?.to_vec(),
    })
}

/// A task or reply without blobs.
pub(crate) fn message_of(header: &impl Serialize) -> Message {
    // Our own types: maps with text keys and finite numbers, which JSON can hold.
    Message::new(serde_json::to_value(header).unwrap_or(Value::Null))
}

/// Reads a worker's answer.
pub(crate) fn reply_of(message: &Message) -> Result<Reply, String> {
    Reply::deserialize(&message.header).map_err(|error| format!("unreadable answer: {error}"))
}
