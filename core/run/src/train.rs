//! Training: a worker fits the model, the host keeps weights, recipe and curve.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use xbench_data::Splits;
use xbench_host::PluginInfo;
use xbench_host::worker::{Message, Worker};
use xbench_record::write_file;
use xbench_suite::{Chosen, Kind, PluginUse, resolve};

use crate::bench::{Bench, Search, Shelf, cores, hex, load_data};
use crate::error::{RunError, at};
use crate::observer::Observer;
use crate::task::{ModelRef, Reply, Task, TrainingStep, message_of, reply_of};
use crate::weights::stem;

/// A training run ends by itself; this only stops one that hangs.
const LIMIT: Duration = Duration::from_secs(48 * 3600);

/// What to train, on what, and how.
#[derive(Debug, Clone)]
pub(crate) struct TrainOptions {
    pub(crate) model: Chosen,
    pub(crate) data_set: String,
    pub(crate) seed: u64,
    pub(crate) epochs: Option<u32>,
    pub(crate) threads: Option<usize>,
    /// Folder to write to.
    pub(crate) out: PathBuf,
    /// Name of the files before their endings.
    pub(crate) stem: String,
    pub(crate) force: bool,
    pub(crate) offline: bool,
}

/// A request of `xbench train`.
#[derive(Debug, Clone)]
pub struct TrainRequest {
    /// Model by name, with parameters if need be.
    pub model: String,
    /// Data set.
    pub data_set: String,
    /// Preset.
    pub preset: String,
    /// Seed.
    pub seed: u64,
    /// Epochs, in place of the preset's.
    pub epochs: Option<u32>,
    /// Compute threads; the number of cores by default.
    pub threads: Option<usize>,
    /// Folder to write to.
    pub out: PathBuf,
    /// Whether to replace weights that are there.
    pub force: bool,
    /// Where plugins and data are looked for.
    pub search: Search,
}

/// What training made.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The weights' file.
    pub weights: PathBuf,
    /// The recipe's file.
    pub recipe_file: PathBuf,
    /// The curve's file.
    pub curve_file: PathBuf,
    /// The recipe and what it reached.
    pub recipe: Value,
    /// All epochs.
    pub curve: Vec<TrainingStep>,
}

/// Trains a model and keeps its weights.
///
/// # Errors
/// Unknown names, data that cannot be had, weights that are there already, a plugin that fails.
pub fn train(request: &TrainRequest, observer: &dyn Observer) -> Result<Trained, RunError> {
    let bench = Bench::open(&request.search, &[])?;
    bench.tell_problems(observer);
    let info = set_info(&request.data_set)?;
    let mut used: PluginUse = xbench_suite::parse_plugin_use(&request.model)?;
    used.preset = Some(request.preset.clone());
    let chosen = resolve(&used, Kind::Model, &Shelf::of_info(&bench, info))?;
    let plugin = bench.plugin(Kind::Model, &chosen.plugin.id)?;
    let options = TrainOptions {
        model: chosen,
        data_set: request.data_set.clone(),
        seed: request.seed,
        epochs: request.epochs,
        threads: request.threads,
        stem: stem(&plugin.short, &request.preset),
        out: request.out.clone(),
        force: request.force,
        offline: request.search.offline,
    };
    train_plugin(&bench, plugin, &options, observer)
}

/// What is known of a data set, or an error that lists the sets there are.
pub(crate) fn set_info(id: &str) -> Result<&'static xbench_data::SetInfo, RunError> {
    let known = xbench_data::known();
    known.iter().find(|info| info.id == id).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|info| info.id).collect();
        RunError::Flag(format!(
            "unknown data set '{id}'; known are {}",
            names.join(", ")
        ))
    })
}

pub(crate) fn train_plugin(
    bench: &Bench,
    plugin: &PluginInfo,
    options: &TrainOptions,
    observer: &dyn Observer,
) -> Result<Trained, RunError> {
    let chosen = &options.model;
    if !plugin.provides("xbench.model.fit/1") || !plugin.provides("xbench.model.weights/1") {
        return Err(RunError::Plugin(format!(
            "{} cannot be trained",
            plugin.short
        )));
    }
    let preset = chosen.preset.as_deref().unwrap_or("default");
    let folder = &options.out;
    let weights = folder.join(format!("{}.safetensors", options.stem));
    if weights.exists() && !options.force {
        return Err(RunError::Flag(format!(
            "{} exists already; --force replaces it",
            weights.display()
        )));
    }
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let (set, _) = load_data(
        &options.data_set,
        None,
        None,
        Splits::Both,
        options.offline,
        observer,
    )?;
    let threads = options.threads.unwrap_or_else(cores);
    let mut settings = Map::new();
    settings.insert("preset".to_owned(), json!(preset));
    settings.insert("seed".to_owned(), json!(options.seed));
    if let Some(epochs) = options.epochs {
        settings.insert("epochs".to_owned(), json!(epochs));
    }
    let mut request = message_of(&Task::Fit {
        model: ModelRef {
            plugin: bench.reference(Kind::Model, chosen)?,
            weights: None,
        },
        shape: set.shape,
        classes: set.classes.len(),
        settings: Value::Object(settings),
        threads,
    });
    request.blobs.push(set.train.images.clone());
    request.blobs.push(set.train.labels.clone());
    let mut curve = Vec::new();
    let (report, bytes) = fit(
        bench,
        &plugin.short,
        threads,
        &request,
        &mut curve,
        observer,
    )?;
    drop(request);

    // Weights and curve first: minutes or hours of work do not wait for a measurement.
    let recipe_file = weights.with_extension("recipe.json");
    let curve_file = weights.with_extension("curve.csv");
    let write = |path: &Path, bytes: &[u8]| {
        write_file(path, bytes).map_err(|error| RunError::Files(error.to_string()))
    };
    write(&weights, &bytes)?;
    write(&curve_file, curve_csv(&curve).as_bytes())?;
    let trained = ModelRef {
        plugin: bench.reference(Kind::Model, chosen)?,
        weights: Some(weights.clone()),
    };
    let measured = test_accuracy(bench, trained, &set)?;
    let recipe = recipe(
        plugin, chosen, options, &set, threads, report, &bytes, measured,
    );
    let text = serde_json::to_string_pretty(&recipe)
        .map_err(|error| RunError::Files(format!("the recipe cannot be written: {error}")))?;
    write(&recipe_file, format!("{text}\n").as_bytes())?;
    Ok(Trained {
        weights,
        recipe_file,
        curve_file,
        recipe,
        curve,
    })
}

/// The model's report and its weights.
fn fit(
    bench: &Bench,
    model: &str,
    threads: usize,
    request: &Message,
    curve: &mut Vec<TrainingStep>,
    observer: &dyn Observer,
) -> Result<(Value, Vec<u8>), RunError> {
    let failed = |failure: xbench_host::worker::WorkerFailure| {
        RunError::Plugin(format!(
            "training {model}: {}\n{}",
            failure.describe(),
            failure.stderr()
        ))
    };
    let mut worker = Worker::spawn(&bench.worker_config(threads)).map_err(failed)?;
    let mut on_event = |event: Message| {
        if let Ok(step) = serde_json::from_value::<TrainingStep>(event.header) {
            observer.training(model, &step);
            if step.epoch_done {
                curve.push(step);
            }
        }
    };
    let mut answer = worker
        .call(request, LIMIT, Duration::from_secs(3), &mut on_event)
        .map_err(failed)?;
    worker.shutdown();
    observer.end();
    match reply_of(&answer).map_err(RunError::Plugin)? {
        Reply::Fitted { report } if !answer.blobs.is_empty() => {
            Ok((report, answer.blobs.swap_remove(0)))
        }
        Reply::Failed { text, .. } => Err(RunError::Plugin(format!("training {model}: {text}"))),
        _ => Err(RunError::Plugin(format!(
            "training {model}: unexpected answer"
        ))),
    }
}

/// Share of the test images that the trained weights get right. The test images play no part in
/// training; this is what the recipe reports.
fn test_accuracy(
    bench: &Bench,
    model: ModelRef,
    set: &xbench_data::DataSet,
) -> Result<f64, RunError> {
    let mut message = message_of(&Task::Predict {
        model,
        shape: set.shape,
    });
    message.blobs.push(set.test.images.clone());
    let (_, answer) = bench.ask(&message, Duration::from_secs(600))?;
    let logits = answer.f32s(0).map_err(RunError::Plugin)?;
    let classes = set.classes.len();
    let right = logits
        .chunks_exact(classes)
        .zip(&set.test.labels)
        .filter(|(row, label)| argmax(row) == usize::from(**label))
        .count();
    Ok(right as f64 / set.test.len().max(1) as f64)
}

/// The first largest value.
pub(crate) fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = i;
        }
    }
    best
}

#[expect(
    clippy::too_many_arguments,
    reason = "a recipe lists all that went into it"
)]
fn recipe(
    plugin: &PluginInfo,
    chosen: &Chosen,
    options: &TrainOptions,
    set: &xbench_data::DataSet,
    threads: usize,
    report: Value,
    weights: &[u8],
    test_accuracy: f64,
) -> Value {
    let command = format!(
        "xbench train {} --data {} --preset {} --seed {}{}",
        plugin.short,
        options.data_set,
        chosen.preset.as_deref().unwrap_or("default"),
        options.seed,
        options
            .epochs
            .map(|epochs| format!(" --epochs {epochs}"))
            .unwrap_or_default()
    );
    json!({
        "format": 1,
        "command": command,
        "model": plugin.id,
        "model_version": plugin.version,
        "params": chosen.params,
        "preset": chosen.preset,
        "data_set": set.id,
        "data_hash": set.content_hash_hex(),
        "seed": options.seed,
        "threads": threads,
        "training": report,
        "test_accuracy": test_accuracy,
        "test_images": set.test.len(),
        "weights_sha256": hex(&Sha256::digest(weights)),
    })
}

fn curve_csv(curve: &[TrainingStep]) -> String {
    let mut text = String::from(
        "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate\n",
    );
    let cell = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
    for step in curve {
        text.push_str(&format!(
            "{},{:.6},{:.6},{},{},{:.8}\n",
            step.epoch,
            step.loss,
            step.accuracy,
            cell(step.validation_loss),
            cell(step.validation_accuracy),
            step.learning_rate
        ));
    }
    text
}
