//! What the host asks of a worker, and what a worker answers.
//!
//! The header of a message is a [`Task`] or a [`Reply`] as JSON; arrays travel beside it as
//! blobs, in the order of [`pack_images`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xbench_data::Split;
use xbench_host::TreeEnsemble;
use xbench_host::worker::Message;
use xbench_metrics::NotApplicable;

use crate::challenge::{ChallengeSettings, LayerColumn};
use crate::evaluate::{Column, Probed, ScoreSettings};

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

/// What a row of a data set is, as it travels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RowLayout {
    /// `[channels, height, width]` of an image, `[columns]` of a table.
    pub(crate) shape: Vec<usize>,
    /// Is it a table? Its values travel as f32; those of images as bytes.
    pub(crate) table: bool,
}

impl RowLayout {
    /// Of a split's rows.
    pub(crate) fn of(split: &Split) -> Self {
        Self {
            shape: split.shape.clone(),
            table: split.is_table(),
        }
    }

    /// Values of a row.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The row as channels, height and width; a table is one line of its columns.
    pub(crate) fn plane(&self) -> [usize; 3] {
        match self.shape[..] {
            [channels, height, width] => [channels, height, width],
            _ => [1, 1, self.len()],
        }
    }

    /// The rows of a split as they travel.
    pub(crate) fn pack(&self, split: &Split, rows: &[usize]) -> Vec<u8> {
        let mut bytes =
            Vec::with_capacity(rows.len() * self.len() * if self.table { 4 } else { 1 });
        let mut row_f32 = Vec::new();
        for &row in rows {
            if let Some(pixels) = split.pixels(row) {
                bytes.extend_from_slice(pixels);
            } else {
                split.row_f32(row, &mut row_f32);
                bytes.extend(row_f32.iter().flat_map(|value| value.to_le_bytes()));
            }
        }
        bytes
    }

    /// Rows as models take them: pixels in 0..=1, features as they are.
    pub(crate) fn unpack(&self, bytes: &[u8]) -> Vec<f32> {
        if self.table {
            let (values, _) = bytes.as_chunks::<4>();
            values
                .iter()
                .map(|&value| f32::from_le_bytes(value))
                .collect()
        } else {
            let scaled = bytes.iter().map(|&pixel| f32::from(pixel) / 255.0);
            scaled.collect()
        }
    }
}

/// A request to a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub(crate) enum Task {
    /// Load a model and say what it is.
    Describe { model: ModelRef },
    /// Outputs of images. Blobs: pixels. Answer: outputs f32 `[n, outputs]`.
    Predict { model: ModelRef, layout: RowLayout },
    /// Outcomes that all explainers share. Blobs: images. Answer: f32 `[n, width]`.
    Probe {
        model: ModelRef,
        layout: RowLayout,
        probed: Probed,
        settings: ScoreSettings,
    },
    /// Attributions. Blobs: images, background rows (empty: none). Answer: attributions f32, shaped as
    /// the pixels, and how well a local surrogate fits each row f32 `[n]` (NaN: none).
    Explain {
        model: ModelRef,
        explainer: PluginRef,
        layout: RowLayout,
        seed: u64,
        deadline_ms: u64,
    },
    /// Scores of attributions. Blobs: images, shared outcomes, attributions.
    Score {
        model: ModelRef,
        layout: RowLayout,
        probed: Probed,
        settings: ScoreSettings,
        scores: Vec<String>,
    },
    /// Scores of attributions that need the explainer again. Blobs: images, background rows (empty:
    /// none), attributions; for the score that explains mosaics, what [`push_mosaics`] adds.
    Challenge {
        model: ModelRef,
        /// The model trained alike on shuffled labels, if the suite has one.
        twin: Option<ModelRef>,
        explainer: PluginRef,
        layout: RowLayout,
        settings: ChallengeSettings,
        scores: Vec<String>,
        deadline_ms: u64,
    },
    /// Repeated explanations of the same rows, timed. Blobs: images, background rows (empty: none).
    Time {
        model: ModelRef,
        explainer: PluginRef,
        layout: RowLayout,
        seed: u64,
        warmup: usize,
        repeats: usize,
    },
    /// Training. Blobs: rows, labels i64 `[n]`, masks u8 `[n, h, w]` and whether they are there u8
    /// `[n]` (both empty where the set has none), and the state to go on from (empty: none).
    /// Answer: weights (bytes). Events: [`TrainingStep`], and [`Checkpoint`] with a blob.
    Fit {
        model: ModelRef,
        layout: RowLayout,
        classes: usize,
        /// The last so many rows are the set's own validation split.
        validation: usize,
        settings: Value,
        threads: usize,
    },
    /// The decision trees of a model.
    Trees { model: ModelRef },
}

/// An event of training: the state to go on from stands in blob 0.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    /// Bytes of the state.
    pub(crate) checkpoint: usize,
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
    /// What the outputs are.
    pub(crate) output_kind: OutputFacts,
    /// Number of layers whose parameters can be randomised.
    pub(crate) parameter_layers: usize,
}

/// What a model's outputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutputFacts {
    /// Unnormalised; the softmax gives probabilities.
    Logits,
    /// Probabilities that sum to 1.
    Probabilities,
    /// Anything else.
    Values,
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
    /// Score columns by id, and the likeness behind those that are means over layers.
    Challenged {
        columns: BTreeMap<String, Column>,
        layers: Vec<LayerColumn>,
    },
    Timed(Timing),
    /// Weights in blob 0; the report is the model's own JSON.
    Fitted {
        report: Value,
    },
    /// Decision trees, as [`pack_trees`] makes them.
    Trees {
        num_features: usize,
        num_outputs: usize,
        strict: bool,
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

/// Rows of a chunk as they are sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ImageBlobs {
    /// As [`RowLayout::pack`] makes them.
    pub(crate) values: Vec<u8>,
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
    message.blobs.push(images.values.clone());
    message.push_i64(&images.targets);
    message.push_u64(&images.ids);
    message.push_u64(&images.seeds);
    message.blobs.push(images.masks.clone());
    message
}

/// A task with images and background rows, packed as the images are; none where empty.
pub(crate) fn pack_explained(task: &Task, images: &ImageBlobs, background: Vec<u8>) -> Message {
    let mut message = pack_images(task, images);
    message.blobs.push(background);
    message
}

/// The background rows of a message that [`pack_explained`] made.
pub(crate) fn unpack_background(
    message: &Message,
    layout: &RowLayout,
) -> Result<Option<Vec<f32>>, String> {
    let packed = message.blob(IMAGE_BLOBS)?;
    Ok((!packed.is_empty()).then(|| layout.unpack(packed)))
}

/// The images of a message.
pub(crate) fn unpack_images(message: &Message) -> Result<ImageBlobs, String> {
    Ok(ImageBlobs {
        values: message.blob(0)?.to_vec(),
        targets: message.i64s(1)?,
        ids: message.u64s(2)?,
        seeds: message.u64s(3)?,
        masks: message.blob(4)?.to_vec(),
    })
}

/// Mosaics with the rows of a task as they are sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct MosaicBlobs {
    /// Per row: which tiles of its mosaic are of the explained class, or why it has none.
    pub(crate) tiles: Vec<Result<[bool; 4], NotApplicable>>,
    /// Those there are, packed as images are.
    pub(crate) values: Vec<u8>,
    /// `[m, h, w]`, or empty where the set has no masks.
    pub(crate) masks: Vec<u8>,
}

/// Adds mosaics to a task that has images, background rows and attributions.
pub(crate) fn push_mosaics(message: &mut Message, mosaics: MosaicBlobs) {
    // Our own types, which JSON can hold.
    let tiles = serde_json::to_vec(&mosaics.tiles).unwrap_or_default();
    message.blobs.extend([tiles, mosaics.values, mosaics.masks]);
}

/// The mosaics that [`push_mosaics`] added.
pub(crate) fn unpack_mosaics(message: &Message) -> Result<MosaicBlobs, String> {
    let first = IMAGE_BLOBS + 2;
    let tiles = serde_json::from_slice(message.blob(first)?);
    Ok(MosaicBlobs {
        tiles: tiles.map_err(|error| format!("unreadable mosaics: {error}"))?,
        values: message.blob(first + 1)?.to_vec(),
        masks: message.blob(first + 2)?.to_vec(),
    })
}

/// Decision trees as an answer.
pub(crate) fn pack_trees(trees: &TreeEnsemble) -> Message {
    let mut message = message_of(&Reply::Trees {
        num_features: trees.num_features,
        num_outputs: trees.num_outputs,
        strict: trees.strict,
    });
    for values in [
        &trees.base,
        &trees.threshold,
        &trees.cover,
        &trees.gain,
        &trees.value,
    ] {
        message.push_f32(values);
    }
    for numbers in [&trees.roots, &trees.left, &trees.right] {
        let wide: Vec<u64> = numbers.iter().map(|&n| u64::from(n)).collect();
        message.push_u64(&wide);
    }
    for numbers in [&trees.tree_output, &trees.feature] {
        let wide: Vec<i64> = numbers.iter().map(|&n| i64::from(n)).collect();
        message.push_i64(&wide);
    }
    message.blobs.push(trees.default_left.clone());
    message
}

/// The decision trees of an answer.
pub(crate) fn unpack_trees(message: &Message) -> Result<TreeEnsemble, String> {
    let Reply::Trees {
        num_features,
        num_outputs,
        strict,
    } = reply_of(message)?
    else {
        return Err("the worker gave no trees".to_owned());
    };
    let unsigned = |i| -> Result<Vec<u32>, String> {
        let wide = message.u64s(i)?;
        wide.into_iter()
            .map(|n| u32::try_from(n).map_err(|_| format!("node {n}")))
            .collect()
    };
    let signed = |i| -> Result<Vec<i32>, String> {
        let wide = message.i64s(i)?;
        wide.into_iter()
            .map(|n| i32::try_from(n).map_err(|_| format!("feature {n}")))
            .collect()
    };
    let trees = TreeEnsemble {
        num_features,
        num_outputs,
        strict,
        base: message.f32s(0)?,
        threshold: message.f32s(1)?,
        cover: message.f32s(2)?,
        gain: message.f32s(3)?,
        value: message.f32s(4)?,
        roots: unsigned(5)?,
        left: unsigned(6)?,
        right: unsigned(7)?,
        tree_output: signed(8)?,
        feature: signed(9)?,
        default_left: message.blob(10)?.to_vec(),
    };
    trees.check().map_err(|error| error.message().to_owned())?;
    Ok(trees)
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
