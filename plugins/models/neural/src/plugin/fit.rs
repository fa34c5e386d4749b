//! Training on the host's data.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use xbench_nn::Threads;
use xbench_plugin::{DataHandle, Error, FitStep, Result};

use super::error;
use crate::network::Network;
use crate::train::{self, Epsilon, Images, Preset, Progress, Recipe};

/// Rows asked of the host at once.
const READ: usize = 4096;

/// Trains from freshly drawn weights. `settings` names a `preset`; any field of [`Recipe`] beside
/// it replaces the preset's. On failure the network is as before.
pub(super) fn fit(
    network: &mut Network,
    epsilon: Epsilon,
    threads: Arc<Threads>,
    data: &DataHandle<'_>,
    settings: &str,
    monitor: &mut dyn FnMut(&FitStep) -> Result<()>,
) -> Result<String> {
    let (preset, mut recipe) = recipe(settings, epsilon)?;
    // A small set keeps most of its images for training.
    recipe.validation_images = recipe.validation_images.min(data.len() / 10);
    if data.input_shape() != network.architecture().input {
        return Err(Error::invalid_argument(format!(
            "the data are {:?}, the network takes {:?}",
            data.input_shape(),
            network.architecture().input
        )));
    }
    let (pixels, labels) = read(data, network.input_len())?;
    let images = Images {
        pixels: &pixels,
        labels: &labels,
    };
    let mut fresh = Network::new(network.architecture().clone(), recipe.seed).map_err(error)?;
    let mut stopped = None;
    let outcome = train::train(&mut fresh, images, &recipe, threads, &mut |progress| {
        monitor(&step(&progress)).map_err(|reason| {
            let text = reason.message().to_owned();
            stopped = Some(reason);
            text
        })
    });
    if let Some(reason) = stopped {
        return Err(reason);
    }
    let report = outcome.map_err(error)?;
    network.set_parameters(fresh.parameters()).map_err(error)?;
    let mut report = serde_json::to_value(&report)
        .map_err(|e| Error::internal(format!("the report of the training: {e}")))?;
    report["preset"] = json!(preset.name());
    report["parameters"] = json!(network.parameter_count());
    Ok(report.to_string())
}

fn recipe(settings: &str, epsilon: Epsilon) -> Result<(Preset, Recipe)> {
    let refuse = |why: String| Error::invalid_argument(format!("training settings: {why}"));
    let mut given: Map<String, Value> =
        serde_json::from_str(settings).map_err(|e| refuse(e.to_string()))?;
    let name = given.remove("preset");
    let preset = name
        .as_ref()
        .and_then(Value::as_str)
        .and_then(Preset::from_name)
        .ok_or_else(|| match &name {
            Some(name) => refuse(format!(
                "preset {name}: there are \"published\" and \"best\""
            )),
            None => refuse("preset: \"published\" or \"best\" is needed".to_owned()),
        })?;
    let defaults = serde_json::to_value(Recipe::preset(preset, epsilon, 0))
        .map_err(|e| Error::internal(e.to_string()))?;
    let Value::Object(mut fields) = defaults else {
        return Err(Error::internal("a recipe is not an object"));
    };
    fields.extend(given);
    let recipe =
        serde_json::from_value(Value::Object(fields)).map_err(|e| refuse(e.to_string()))?;
    Ok((preset, recipe))
}

fn read(data: &DataHandle<'_>, size: usize) -> Result<(Vec<u8>, Vec<usize>)> {
    let mut pixels = vec![0; data.len() * size];
    let mut labels = Vec::with_capacity(data.len());
    for (i, pixels) in pixels.chunks_mut(READ * size).enumerate() {
        let rows: Vec<i64> = (0..pixels.len() / size)
            .map(|j| (i * READ + j) as i64)
            .collect();
        let mut some = vec![0i64; rows.len()];
        data.read(&rows, pixels, &mut some)?;
        for label in some {
            labels.push(
                usize::try_from(label)
                    .map_err(|_| Error::invalid_argument(format!("label {label} is negative")))?,
            );
        }
    }
    Ok((pixels, labels))
}

fn step(progress: &Progress<'_>) -> FitStep {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    match *progress {
        Progress::Batch {
            epoch,
            epochs,
            batch,
            batches,
            loss,
            accuracy,
            learning_rate,
        } => FitStep {
            epoch_done: false,
            epoch: count(epoch),
            epochs: count(epochs),
            batch: count(batch),
            batches: count(batches),
            loss,
            accuracy,
            validation_loss: f64::NAN,
            validation_accuracy: f64::NAN,
            learning_rate,
        },
        Progress::Epoch(e) => {
            let batches = count(e.steps / e.epochs.max(1));
            FitStep {
                epoch_done: true,
                epoch: count(e.epoch),
                epochs: count(e.epochs),
                batch: batches,
                batches,
                loss: e.train_loss,
                accuracy: e.train_accuracy,
                validation_loss: e.validation_loss,
                validation_accuracy: e.validation_accuracy,
                learning_rate: e.learning_rate,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_replace_the_presets_fields() {
        let settings = r#"{"preset": "best", "seed": 7, "epochs": 2}"#;
        let (preset, recipe) = recipe(settings, Epsilon::Keras).unwrap();
        assert_eq!((preset, recipe.seed, recipe.epochs), (Preset::Best, 7, 2));
        assert_eq!(recipe.batch_size, 128);
    }

    #[test]
    fn unknown_settings_are_refused() {
        for settings in [
            "",
            "[]",
            "{}",
            r#"{"preset": "worst"}"#,
            r#"{"preset": 3}"#,
            r#"{"preset": "best", "epoch": 2}"#,
            r#"{"preset": "best", "epochs": -2}"#,
        ] {
            assert!(recipe(settings, Epsilon::Torch).is_err(), "{settings}");
        }
    }
}
