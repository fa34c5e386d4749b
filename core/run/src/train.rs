//! Training: a worker fits the model, the host keeps weights, recipe and curve.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use xbench_data::{DataError, DataSet, Locate, Masks, SetInfo, SetRef, Split, Splits};
use xbench_host::PluginInfo;
use xbench_host::worker::{Message, Worker};
use xbench_metrics::DrawKey;
use xbench_metrics::classification::ConfusionMatrix;
use xbench_record::write_file;
use xbench_suite::{Chosen, Key, Kind, PluginUse, Registry as _, resolve};

use crate::bench::{Bench, Search, Shelf, cores, hex, load_data};
use crate::checkpoint::CheckpointFile;
use crate::error::{RunError, at};
use crate::observer::Observer;
use crate::task::{
    Checkpoint, ModelRef, Reply, RowLayout, Task, TrainingStep, message_of, reply_of,
};
use crate::weights::{ending, stem};

/// A training run ends by itself; this only stops one that hangs.
const LIMIT: Duration = Duration::from_secs(48 * 3600);

/// A whole test split's predictions: generous, it only stops what hangs.
const PREDICT_LIMIT: Duration = Duration::from_secs(3600);

/// Setting of a training that the host itself heeds: which labels the model is given.
pub(crate) const LABELS: &str = "labels";
/// Value of [`LABELS`]: in a random order, so that there is nothing to learn from them.
pub(crate) const SHUFFLED: &str = "shuffled";

/// What to train, on what, and how.
#[derive(Debug, Clone)]
pub(crate) struct TrainOptions {
    pub(crate) model: Chosen,
    pub(crate) data: SetRef,
    /// The preset's settings that differ, `seed` and `epochs` among them.
    pub(crate) settings: Map<String, Value>,
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
    pub data: SetRef,
    /// Preset; the model's own choice where none is named.
    pub preset: Option<String>,
    /// Settings that differ from the preset's, `seed` and `epochs` among them.
    pub settings: Map<String, Value>,
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
    let (chosen, set) = chosen_for(&bench, request, observer)?;
    let plugin = bench.plugin(Kind::Model, &chosen.plugin.id)?;
    let preset = chosen
        .preset
        .clone()
        .unwrap_or_else(|| "default".to_owned());
    let options = TrainOptions {
        model: chosen,
        data: request.data.clone(),
        settings: request.settings.clone(),
        threads: request.threads,
        stem: stem(&plugin.short, &preset),
        out: request.out.clone(),
        force: request.force,
        offline: request.search.offline,
    };
    train_on(&bench, plugin, &options, &set, observer)
}

/// The model of a request held against its data.
pub(crate) fn chosen_for(
    bench: &Bench,
    request: &TrainRequest,
    observer: &dyn Observer,
) -> Result<(Chosen, DataSet), RunError> {
    let mut used: PluginUse = xbench_suite::parse_plugin_use(&request.model)?;
    used.preset.clone_from(&request.preset);
    // A wrong name is told before anything is read.
    let info = set_info(&request.data)?;
    if !info.shape.is_empty() {
        resolve(&used, Kind::Model, &Shelf::of_info(bench, &info))?;
    }
    let offline = request.search.offline;
    let (set, _) = load_data(&request.data, None, None, Splits::All, offline, observer)?;
    let chosen = resolve(&used, Kind::Model, &Shelf::of_set(bench, &set))?;
    Ok((chosen, set))
}

/// What is known of a data set, or an error that lists the sets there are.
pub(crate) fn set_info(set: &SetRef) -> Result<SetInfo, RunError> {
    xbench_data::info(set, &Locate::from_environment()).map_err(|error| match error {
        DataError::UnknownSet { .. } | DataError::Reference { .. } | DataError::Option { .. } => {
            RunError::Flag(error.to_string())
        }
        error => error.into(),
    })
}

pub(crate) fn train_plugin(
    bench: &Bench,
    plugin: &PluginInfo,
    options: &TrainOptions,
    observer: &dyn Observer,
) -> Result<Trained, RunError> {
    let (set, _) = load_data(
        &options.data,
        None,
        None,
        Splits::All,
        options.offline,
        observer,
    )?;
    train_on(bench, plugin, options, &set, observer)
}

fn train_on(
    bench: &Bench,
    plugin: &PluginInfo,
    options: &TrainOptions,
    set: &DataSet,
    observer: &dyn Observer,
) -> Result<Trained, RunError> {
    let chosen = &options.model;
    can_train(plugin)?;
    let folder = &options.out;
    let weights = folder.join(format!("{}.{}", options.stem, ending(chosen)));
    if weights.exists() && !options.force {
        return Err(RunError::Flag(format!(
            "{} exists already; --force replaces it",
            weights.display()
        )));
    }
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let threads = options.threads.unwrap_or_else(cores);
    let told = settings_of(chosen, &options.settings);
    let mut settings = told.clone();
    let labels = settings.as_object_mut().and_then(|all| all.remove(LABELS));
    let shuffled = labels
        .as_ref()
        .map(|labels| shuffled_labels(set, labels, &settings));
    let shuffled = shuffled.transpose()?;
    let [train, validation] = shuffled
        .as_ref()
        .map_or([&set.train, &set.validation], |both| [&both[0], &both[1]]);
    let training = TrainingData {
        training: train,
        rows: None,
        validation,
        classes: set.classes.len(),
    };
    let model = ModelRef {
        plugin: bench.reference(Kind::Model, chosen)?,
        weights: None,
    };
    let identity = Key::of(&json!({
        "identity": "checkpoint/1",
        "model": plugin.id,
        "version": plugin.version,
        "library": plugin.library_sha256,
        "params": chosen.params,
        "settings": told,
        "data": set.content_hash_hex(),
    }));
    let checkpoint = CheckpointFile::new(&weights, identity.to_string());
    let mut run = FitRun {
        model: &plugin.short,
        threads,
        curve: Vec::new(),
        checkpoint: Some(&checkpoint),
        observer,
    };
    let (report, bytes) = run.fit(bench, &training, model, settings.clone())?;
    let curve = run.curve;

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
    let measured = measure(bench, trained, &set.test, set.classes.len())?;
    let model = as_written(bench, plugin, chosen, set);
    let recipe = recipe(
        plugin, &model, options, set, threads, report, &bytes, measured,
    );
    let text = serde_json::to_string_pretty(&recipe)
        .map_err(|error| RunError::Files(format!("the recipe cannot be written: {error}")))?;
    write(&recipe_file, format!("{text}\n").as_bytes())?;
    checkpoint.remove();
    Ok(Trained {
        weights,
        recipe_file,
        curve_file,
        recipe,
        curve,
    })
}

/// The training and validation rows with their labels in a random order (Adebayo et al. 2018,
/// section 3.2), drawn from the training's seed.
fn shuffled_labels(
    set: &DataSet,
    labels: &Value,
    settings: &Value,
) -> Result<[Split; 2], RunError> {
    if labels != SHUFFLED {
        return Err(RunError::Flag(format!(
            "the training setting \"{LABELS}\" is {labels}; give \"{SHUFFLED}\", or leave it out for the \
             true ones"
        )));
    }
    let key = DrawKey::new(settings["seed"].as_u64().unwrap_or(0), "shuffled_labels", 0);
    let mut both = [set.train.clone(), set.validation.clone()];
    for (draw, split) in both.iter_mut().enumerate() {
        key.draws(draw as u64).shuffle(&mut split.labels);
    }
    Ok(both)
}

/// Refuses a model that has no training.
pub(crate) fn can_train(plugin: &PluginInfo) -> Result<(), RunError> {
    if plugin.provides("xbench.model.fit/1") && plugin.provides("xbench.model.weights/1") {
        return Ok(());
    }
    Err(RunError::Plugin(format!(
        "{} cannot be trained",
        plugin.short
    )))
}

/// The settings that a model's fit gets: the preset and what differs from it.
pub(crate) fn settings_of(chosen: &Chosen, differing: &Map<String, Value>) -> Value {
    let mut settings = differing.clone();
    let preset = chosen.preset.as_deref().unwrap_or("default");
    settings.insert("preset".to_owned(), json!(preset));
    settings.entry("seed").or_insert_with(|| json!(0));
    Value::Object(settings)
}

/// The rows a model is trained on.
pub(crate) struct TrainingData<'d> {
    pub(crate) training: &'d Split,
    /// Rows of `training`; all of them where none are named.
    pub(crate) rows: Option<&'d [usize]>,
    /// The set's own validation split; may be empty.
    pub(crate) validation: &'d Split,
    pub(crate) classes: usize,
}

/// A training under way.
pub(crate) struct FitRun<'r> {
    pub(crate) model: &'r str,
    pub(crate) threads: usize,
    /// The epochs so far.
    pub(crate) curve: Vec<TrainingStep>,
    /// Where its state is kept, if it is.
    pub(crate) checkpoint: Option<&'r CheckpointFile>,
    pub(crate) observer: &'r dyn Observer,
}

impl FitRun<'_> {
    /// The model's report and its weights.
    pub(crate) fn fit(
        &mut self,
        bench: &Bench,
        data: &TrainingData<'_>,
        model: ModelRef,
        settings: Value,
    ) -> Result<(Value, Vec<u8>), RunError> {
        let mut request = fit_request(data, model, settings, self.threads);
        let kept = self.checkpoint.and_then(CheckpointFile::read);
        request.blobs.push(match kept {
            Some(kept) => {
                if let Some(last) = kept.curve.last() {
                    self.observer.notice(&format!(
                        "{}: an interrupted training goes on after epoch {} of {}",
                        self.model, last.epoch, last.epochs
                    ));
                }
                self.curve = kept.curve;
                kept.state
            }
            None => {
                if let Some(file) = self.checkpoint.filter(|file| file.exists()) {
                    self.observer.notice(&format!(
                        "{}: {} is damaged, or of another recipe, data set or program: beginning \
                         anew",
                        self.model,
                        file.path().display()
                    ));
                }
                Vec::new()
            }
        });
        self.ask(bench, &request)
    }

    fn ask(&mut self, bench: &Bench, request: &Message) -> Result<(Value, Vec<u8>), RunError> {
        let name = self.model;
        let failed = |failure: xbench_host::worker::WorkerFailure| {
            RunError::Plugin(format!(
                "training {name}: {}\n{}",
                failure.describe(),
                failure.stderr()
            ))
        };
        let mut worker = Worker::spawn(&bench.worker_config(self.threads)).map_err(failed)?;
        let mut unkept = None;
        let mut on_event = |event: Message| {
            if Checkpoint::deserialize(&event.header).is_ok() {
                if let (Some(file), Some(state)) = (self.checkpoint, event.blobs.first())
                    && let Err(error) = file.write(&self.curve, state)
                {
                    unkept.get_or_insert(error);
                }
            } else if let Ok(step) = serde_json::from_value::<TrainingStep>(event.header) {
                self.observer.training(name, &step);
                if step.epoch_done {
                    self.curve.push(step);
                }
            }
        };
        let mut answer = worker
            .call(request, LIMIT, Duration::from_secs(3), &mut on_event)
            .map_err(failed)?;
        worker.shutdown();
        self.observer.end();
        if let Some(error) = unkept {
            self.observer.warning(&format!(
                "training {name}: its state could not be kept, so that it could not have gone on \
                 after an interruption: {error}"
            ));
        }
        match reply_of(&answer).map_err(RunError::Plugin)? {
            Reply::Fitted { report } if !answer.blobs.is_empty() => {
                Ok((report, answer.blobs.swap_remove(0)))
            }
            Reply::Failed { text, .. } => Err(RunError::Plugin(format!("training {name}: {text}"))),
            _ => Err(RunError::Plugin(format!(
                "training {name}: unexpected answer"
            ))),
        }
    }
}

/// The request to a worker, but for the state to go on from.
fn fit_request(
    data: &TrainingData<'_>,
    model: ModelRef,
    settings: Value,
    threads: usize,
) -> Message {
    let layout = RowLayout::of(data.training);
    let all: Vec<usize> = (0..data.training.len()).collect();
    let training = data.rows.unwrap_or(&all);
    let held_out: Vec<usize> = (0..data.validation.len()).collect();
    let parts = [(data.training, training), (data.validation, &held_out[..])];
    let mut request = message_of(&Task::Fit {
        model,
        layout: layout.clone(),
        classes: data.classes,
        validation: held_out.len(),
        settings,
        threads,
    });
    let mut values = Vec::new();
    let (mut labels, mut masks, mut present) = (Vec::new(), Vec::new(), Vec::new());
    let masked = parts
        .iter()
        .any(|(split, rows)| !rows.is_empty() && !matches!(split.masks, Masks::None));
    for (split, rows) in parts {
        values.extend(layout.pack(split, rows));
        labels.extend(rows.iter().map(|&row| split.label(row) as i64));
        if masked && !layout.table {
            let [_, height, width] = layout.plane();
            for &row in rows {
                let mask = split.mask(row);
                present.push(u8::from(mask.is_some()));
                match mask {
                    Some(mask) => masks.extend(mask.into_iter().map(u8::from)),
                    None => masks.resize(masks.len() + height * width, 0),
                }
            }
        }
    }
    request.blobs.push(values);
    request.push_i64(&labels);
    request.blobs.push(masks);
    request.blobs.push(present);
    request
}

/// How right a model is on rows that played no part in its training.
pub(crate) struct Measured {
    pub(crate) accuracy: f64,
    pub(crate) macro_f1: f64,
    pub(crate) rows: usize,
}

/// Asks the model for its predictions on a split.
pub(crate) fn measure(
    bench: &Bench,
    model: ModelRef,
    split: &Split,
    classes: usize,
) -> Result<Option<Measured>, RunError> {
    if split.is_empty() {
        return Ok(None);
    }
    let layout = RowLayout::of(split);
    let rows: Vec<usize> = (0..split.len()).collect();
    let values = layout.pack(split, &rows);
    let predictions = predictions_of(bench, model, &layout, values, classes)?;
    let confusion = ConfusionMatrix::new(&split.labels_of(&rows), &predictions, classes)
        .map_err(|reason| RunError::Plugin(format!("the predictions: {}", reason.code())))?;
    Ok(Some(Measured {
        accuracy: confusion.accuracy().unwrap_or(f64::NAN),
        macro_f1: confusion.macro_average().f1,
        rows: rows.len(),
    }))
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

/// The predicted class of every row.
pub(crate) fn predictions_of(
    bench: &Bench,
    model: ModelRef,
    layout: &RowLayout,
    values: Vec<u8>,
    classes: usize,
) -> Result<Vec<usize>, RunError> {
    let mut message = message_of(&Task::Predict {
        model,
        layout: layout.clone(),
    });
    message.blobs.push(values);
    let (_, answer) = bench.ask(&message, PREDICT_LIMIT)?;
    let outputs = answer.f32s(0).map_err(RunError::Plugin)?;
    Ok(outputs.chunks_exact(classes).map(argmax).collect())
}

#[expect(
    clippy::too_many_arguments,
    reason = "a recipe lists all that went into it"
)]
fn recipe(
    plugin: &PluginInfo,
    model: &PluginUse,
    options: &TrainOptions,
    set: &xbench_data::DataSet,
    threads: usize,
    report: Value,
    weights: &[u8],
    measured: Option<Measured>,
) -> Value {
    let chosen = &options.model;
    let mut command = format!(
        "xbench train {} --data {}",
        quoted(&model.to_string()),
        quoted(&options.data.to_string())
    );
    if let Some(preset) = &chosen.preset {
        command.push_str(&format!(" --preset {preset}"));
    }
    let mut settings = options.settings.clone();
    let seed = settings.remove("seed").unwrap_or_else(|| json!(0));
    command.push_str(&format!(" --seed {seed}"));
    if let Some(epochs) = settings.remove("epochs") {
        command.push_str(&format!(" --epochs {epochs}"));
    }
    for (name, value) in &settings {
        command.push_str(&format!(" --set {name}={value}"));
    }
    let mut recipe = json!({
        "format": 1,
        "command": command,
        "model": plugin.id,
        "model_version": plugin.version,
        "params": chosen.params,
        "preset": chosen.preset,
        "data_set": set.id,
        "data_hash": set.content_hash_hex(),
        "seed": seed,
        "threads": threads,
        "training": report,
        "weights_sha256": hex(&Sha256::digest(weights)),
    });
    if let Some(measured) = measured {
        recipe["test_accuracy"] = json!(measured.accuracy);
        recipe["test_macro_f1"] = json!(measured.macro_f1);
        recipe["test_images"] = json!(measured.rows);
    }
    recipe
}

/// The model with the parameters that differ from those it would have by itself.
fn as_written(bench: &Bench, plugin: &PluginInfo, chosen: &Chosen, set: &DataSet) -> PluginUse {
    let own = Shelf::of_set(bench, set).check_params(Kind::Model, &plugin.id, &json!({}));
    let own = own.unwrap_or_default();
    let mut written = PluginUse::named(&plugin.short);
    for (name, value) in chosen.params.as_object().into_iter().flatten() {
        if own.get(name) != Some(value) {
            written.params.insert(name.clone(), value.clone());
        }
    }
    written
}

/// A word as a shell takes it.
fn quoted(text: &str) -> String {
    if text.contains(|c: char| !(c.is_ascii_alphanumeric() || "-_./".contains(c))) {
        format!("'{text}'")
    } else {
        text.to_owned()
    }
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
