//! Training on the host's data.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use xbench_nn::Threads;
use xbench_plugin::{DataHandle, Error, FitMonitor, FitStep, Result};

use super::error;
use crate::network::{Network, NetworkError};
use crate::train::{self, Images, Monitor, Preset, Progress, Recipe};

/// Rows asked of the host at once.
const READ: usize = 4096;

/// How a model's presets are written down.
pub(super) type Recipes = fn(Preset, u64) -> Recipe;

/// Trains from freshly drawn weights. `settings` names a `preset`; any field of [`Recipe`] beside
/// it replaces the preset's. On failure the network is as before.
pub(super) fn fit(
    network: &mut Network,
    recipes: Recipes,
    threads: Arc<Threads>,
    data: &DataHandle<'_>,
    settings: &str,
    monitor: &mut dyn FitMonitor,
) -> Result<String> {
    let (preset, recipe) = recipe(settings, recipes)?;
    let set = Set::read(data, network)?;
    let recipe = set.fitted(recipe);
    let mut fresh = Network::new(network.architecture().clone(), recipe.seed).map_err(error)?;
    let mut teller = Teller::new(monitor);
    let outcome = train::train(&mut fresh, set.images(), &recipe, threads, &mut teller);
    let report = teller.outcome(outcome)?;
    network.set_parameters(fresh.parameters()).map_err(error)?;
    let mut report = serde_json::to_value(&report)
        .map_err(|e| Error::internal(format!("the report of the training: {e}")))?;
    report["preset"] = json!(preset.name());
    report["parameters"] = json!(network.parameter_count());
    Ok(report.to_string())
}

/// The training's monitor that passes everything on to the host's.
pub(super) struct Teller<'m> {
    monitor: &'m mut dyn FitMonitor,
    /// The host's own reason to stop, to be given back as it is.
    stopped: Option<Error>,
}

impl<'m> Teller<'m> {
    pub(super) fn new(monitor: &'m mut dyn FitMonitor) -> Self {
        Teller {
            monitor,
            stopped: None,
        }
    }

    /// The training's outcome, or why the host stopped it.
    pub(super) fn outcome<T>(self, outcome: std::result::Result<T, NetworkError>) -> Result<T> {
        match self.stopped {
            Some(reason) => Err(reason),
            None => outcome.map_err(error),
        }
    }

    fn pass(&mut self, outcome: Result<()>) -> std::result::Result<(), String> {
        outcome.map_err(|reason| {
            let text = reason.message().to_owned();
            self.stopped = Some(reason);
            text
        })
    }
}

impl Monitor for Teller<'_> {
    fn progress(&mut self, progress: Progress<'_>) -> std::result::Result<(), String> {
        let outcome = self.monitor.step(&step(&progress));
        self.pass(outcome)
    }

    fn resume(&self) -> Option<&[u8]> {
        self.monitor.resume()
    }

    fn checkpoint(&mut self, state: &[u8]) -> std::result::Result<(), String> {
        let outcome = self.monitor.checkpoint(state);
        self.pass(outcome)
    }
}

fn refuse(why: impl std::fmt::Display) -> Error {
    Error::invalid_argument(format!("training settings: {why}"))
}

/// The settings' preset, and what stands beside it.
pub(super) fn preset(settings: &str) -> Result<(Preset, Map<String, Value>)> {
    let mut given: Map<String, Value> = serde_json::from_str(settings).map_err(refuse)?;
    let name = given.remove("preset");
    let known = name.as_ref().and_then(Value::as_str);
    match (known.and_then(Preset::from_name), name) {
        (Some(preset), _) => Ok((preset, given)),
        (None, Some(name)) => Err(refuse(format!(
            "preset {name}: there are \"published\" and \"best\""
        ))),
        (None, None) => Err(refuse("preset: \"published\" or \"best\" is needed")),
    }
}

/// Two sets of options, with the fields that are given in place of the defaults. What `second` does
/// not know is `first`'s; what neither knows is an error that lists all there are.
pub(super) fn options<A, B>(
    preset: Preset,
    given: Map<String, Value>,
    first: A,
    second: B,
) -> Result<(A, B)>
where
    A: Serialize + DeserializeOwned,
    B: Serialize + DeserializeOwned,
{
    let object = |value: serde_json::Result<Value>| match value {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(Error::internal("training options are not an object")),
    };
    let mut first = object(serde_json::to_value(first))?;
    let mut second = object(serde_json::to_value(second))?;
    let mut all = first.clone();
    all.extend(second.clone());
    let there = |all: &Map<String, Value>| {
        format!(
            "the options of preset \"{}\" and their values are {}",
            preset.name(),
            Value::Object(all.clone())
        )
    };
    for (name, value) in given {
        if !all.contains_key(&name) {
            return Err(refuse(format!("no option `{name}`; {}", there(&all))));
        }
        let fields = if second.contains_key(&name) {
            &mut second
        } else {
            &mut first
        };
        fields.insert(name, value);
    }
    let wrong = |e: serde_json::Error| refuse(format!("{e}; {}", there(&all)));
    Ok((
        serde_json::from_value(Value::Object(first)).map_err(wrong)?,
        serde_json::from_value(Value::Object(second)).map_err(wrong)?,
    ))
}

/// The settings' preset and its recipe, with the fields that stand beside it.
fn recipe(settings: &str, recipes: Recipes) -> Result<(Preset, Recipe)> {
    /// No options.
    #[derive(Serialize, Deserialize)]
    struct Nothing {}
    let (preset, given) = preset(settings)?;
    let (recipe, Nothing {}) = options(preset, given, recipes(preset, 0), Nothing {})?;
    Ok((preset, recipe))
}

/// The host's data in memory.
#[derive(Debug)]
pub(super) struct Set {
    pixels: Vec<u8>,
    labels: Vec<usize>,
    validation: usize,
}

impl Set {
    /// Reads images that fit the network.
    pub(super) fn read(data: &DataHandle<'_>, network: &Network) -> Result<Self> {
        let input = network.architecture().input;
        if data.input_shape() != input {
            return Err(Error::invalid_argument(format!(
                "the data are {:?}, the network takes {input:?}",
                data.input_shape(),
            )));
        }
        let size = network.input_len();
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
                    usize::try_from(label).map_err(|_| {
                        Error::invalid_argument(format!("label {label} is negative"))
                    })?,
                );
            }
        }
        Ok(Set {
            pixels,
            labels,
            validation: data.validation_rows(),
        })
    }

    /// The recipe with fewer images held out where the set is small: it keeps most of its images
    /// for training.
    pub(super) fn fitted(&self, recipe: Recipe) -> Recipe {
        Recipe {
            validation_images: recipe.validation_images.min(self.labels.len() / 10),
            ..recipe
        }
    }

    /// As training takes them.
    pub(super) fn images(&self) -> Images<'_> {
        Images {
            pixels: &self.pixels,
            labels: &self.labels,
            validation: self.validation,
        }
    }
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
    use crate::hybrid::{Kernel, Machine};
    use crate::lenet;

    #[test]
    fn settings_replace_the_presets_fields() {
        let settings = r#"{"preset": "best", "seed": 7, "epochs": 2, "validation_share": 0.2}"#;
        let (preset, recipe) = recipe(settings, lenet::recipe).unwrap();
        assert_eq!((preset, recipe.seed, recipe.epochs), (Preset::Best, 7, 2));
        assert_eq!((recipe.batch_size, recipe.validation_share), (128, 0.2));
    }

    #[test]
    fn options_go_to_whom_they_belong() {
        let settings = r#"{"preset": "best", "c": 2.5, "gamma": "scale", "epochs": 3, "seed": 1}"#;
        let (preset, given) = preset(settings).unwrap();
        let first = lenet::recipe(preset, 0);
        let (recipe, machine) = options(preset, given, first, Machine::default()).unwrap();
        assert_eq!((recipe.epochs, recipe.seed), (3, 1));
        assert_eq!((machine.c, machine.gamma), (2.5, Kernel::Scale));
        for (settings, part) in [
            (r#"{"preset": "best", "C": 2.5}"#, "\"probability_folds\":5"),
            (
                r#"{"preset": "best", "gamma": "wide"}"#,
                "\"gamma\":\"auto\"",
            ),
        ] {
            let (preset, given) = super::preset(settings).unwrap();
            let first = lenet::recipe(preset, 0);
            let refused = options(preset, given, first, Machine::default()).unwrap_err();
            assert!(refused.message().contains(part), "{}", refused.message());
        }
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
            assert!(recipe(settings, lenet::recipe).is_err(), "{settings}");
        }
        let refused = recipe(r#"{"preset": "best", "epoch": 2}"#, lenet::recipe).unwrap_err();
        for part in ["`epoch`", "\"epochs\":40", "\"flip\":true"] {
            assert!(refused.message().contains(part), "{}", refused.message());
        }
    }
}
