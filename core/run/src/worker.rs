//! The worker's side: loads plugins and carries out [`Task`]s.
//!
//! Libraries, models and explainers stay loaded between tasks, since the tasks of a worker
//! mostly concern the same few. A plugin's error becomes a [`Reply::Failed`]; a crash ends this
//! process, which the host records.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use xbench_host::worker::{Message, Responder};
use xbench_host::{
    CallSettings, Counts, FitStep, HostBatch, Library, LoadedExplainer, LoadedModel, ModelProxy,
    OutputKind, PluginError, PluginErrorKind, ProxyOptions, RowSource,
};

use crate::bench::hex;
use crate::evaluate::{Images, Outputs, Predictor, probe, score_chunk};
use crate::task::{
    Evaluations, IMAGE_BLOBS, ImageBlobs, ModelFacts, ModelRef, PluginRef, Reply, Task, Timing,
    TrainingStep, message_of, unpack_images,
};

/// Rows the proxy hands to a model in one call: beyond that its buffers leave the caches.
const MAX_ROWS: usize = 256;

/// Serves requests until the host closes the pipe.
pub fn serve() -> ! {
    let mut state = State::default();
    xbench_host::worker::serve(&mut |message, responder| state.handle(message, responder))
}

#[derive(Default)]
struct State {
    libraries: HashMap<PathBuf, Library>,
    models: Vec<(ModelRef, LoadedModel)>,
    explainers: Vec<(PluginRef, LoadedExplainer)>,
}

/// Why a task could not be done: the plugin's doing, or a defect of ours.
enum Failure {
    Plugin(PluginError),
    Other(String),
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Self::Plugin(error)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Other(text)
    }
}

impl State {
    fn handle(&mut self, message: Message, responder: &Responder) -> Result<Message, String> {
        if message.header["op"] == "scan" {
            return xbench_host::answer_scan(&message);
        }
        let task = Task::deserialize(&message.header)
            .map_err(|error| format!("unreadable task: {error}"))?;
        match self.perform(task, &message, responder) {
            Ok(answer) => Ok(answer),
            Err(Failure::Plugin(error)) => Ok(message_of(&Reply::Failed {
                timeout: error.kind == PluginErrorKind::Deadline,
                text: error.to_string(),
            })),
            Err(Failure::Other(text)) => Err(text),
        }
    }

    fn perform(
        &mut self,
        task: Task,
        message: &Message,
        responder: &Responder,
    ) -> Result<Message, Failure> {
        match task {
            Task::Describe { model } => self.describe(&model),
            Task::Predict { model, shape } => {
                let pixels = scaled(message.blob(0)?);
                self.predict(&model, shape, &pixels)
            }
            Task::Probe {
                model,
                shape,
                settings,
            } => {
                let blobs = unpack_images(message)?;
                let pixels = scaled(&blobs.pixels);
                let model = self.model(&model)?;
                let outcomes = probe(
                    &images_of(&blobs, &pixels, shape),
                    &settings,
                    &mut Scored::new(model, settings.seed),
                )?;
                let mut answer = message_of(&Reply::Array);
                answer.push_f32(&outcomes);
                Ok(answer)
            }
            Task::Explain {
                model,
                explainer,
                shape,
                seed,
                deadline_ms,
            } => {
                let blobs = unpack_images(message)?;
                self.load(&model, &explainer)?;
                let limit = Duration::from_millis(deadline_ms);
                self.explain((&model, &explainer), (&blobs, shape), seed, limit)
            }
            Task::Score {
                model,
                shape,
                settings,
                scores,
            } => {
                let blobs = unpack_images(message)?;
                let pixels = scaled(&blobs.pixels);
                let images = images_of(&blobs, &pixels, shape);
                let shared = message.f32s(IMAGE_BLOBS)?;
                let attributions = message.f32s(IMAGE_BLOBS + 1)?;
                let mut predictor = Scored::new(self.model(&model)?, settings.seed);
                let columns = score_chunk(
                    &images,
                    &attributions,
                    &shared,
                    &scores,
                    &settings,
                    &mut predictor,
                )?;
                Ok(message_of(&Reply::Scored { columns }))
            }
            Task::Time {
                model,
                explainer,
                shape,
                seed,
                warmup,
                repeats,
            } => {
                let blobs = unpack_images(message)?;
                self.load(&model, &explainer)?;
                self.time((&model, &explainer), (&blobs, shape), seed, warmup, repeats)
            }
            Task::Fit {
                model,
                shape,
                classes,
                settings,
                threads,
            } => self.fit(
                model,
                (shape, classes),
                &settings,
                threads,
                message,
                responder,
            ),
        }
    }

    fn describe(&mut self, model: &ModelRef) -> Result<Message, Failure> {
        let weights_sha256 = match &model.weights {
            Some(path) => hex(&Sha256::digest(read_weights(path)?)),
            None => String::new(),
        };
        let model = self.model(model)?;
        let fingerprint = if model.provides("xbench.model.parameters/1") {
            hex(&model.fingerprint(&call(0, None))?)
        } else {
            weights_sha256.clone()
        };
        let spec = model.spec();
        Ok(message_of(&Reply::Described(ModelFacts {
            fingerprint,
            weights_sha256,
            input_shape: spec.input_shape.clone(),
            outputs: spec.outputs,
        })))
    }

    fn predict(
        &mut self,
        model: &ModelRef,
        shape: [usize; 3],
        pixels: &[f32],
    ) -> Result<Message, Failure> {
        let model = self.model(model)?;
        let row_len: usize = shape.iter().product();
        let rows = pixels.len().checked_div(row_len).unwrap_or(0);
        let outputs = model.predict(&call(0, None), pixels, rows)?;
        let mut answer = message_of(&Reply::Array);
        answer.push_f32(&outputs);
        Ok(answer)
    }

    fn explain(
        &self,
        (model, explainer): (&ModelRef, &PluginRef),
        (blobs, shape): (&ImageBlobs, [usize; 3]),
        seed: u64,
        limit: Duration,
    ) -> Result<Message, Failure> {
        let pixels = scaled(&blobs.pixels);
        let mut attributions = vec![0.0; pixels.len()];
        let counts = attribute(
            (self.loaded_model(model)?, self.loaded_explainer(explainer)?),
            (blobs, &pixels, shape),
            &call(seed, Some(Instant::now() + limit)),
            &mut attributions,
        )?;
        let mut answer = message_of(&Reply::Explained(Evaluations {
            forward_rows: counts.forward_rows,
            backward_rows: counts.backward_rows,
        }));
        answer.push_f32(&attributions);
        Ok(answer)
    }

    fn time(
        &self,
        (model, explainer): (&ModelRef, &PluginRef),
        (blobs, shape): (&ImageBlobs, [usize; 3]),
        seed: u64,
        warmup: usize,
        repeats: usize,
    ) -> Result<Message, Failure> {
        let pixels = scaled(&blobs.pixels);
        let (model, explainer) = (self.loaded_model(model)?, self.loaded_explainer(explainer)?);
        let mut attributions = vec![0.0; pixels.len()];
        let images = blobs.targets.len().max(1) as f64;
        let mut timing = Timing {
            cpu_ms: Vec::with_capacity(repeats),
            wall_ms: Vec::with_capacity(repeats),
            peak_memory_bytes: None,
        };
        for round in 0..warmup + repeats {
            let (wall, cpu) = (Instant::now(), ProcessTime::now());
            attribute(
                (model, explainer),
                (blobs, &pixels, shape),
                &call(seed, None),
                &mut attributions,
            )?;
            if round >= warmup {
                timing
                    .cpu_ms
                    .push(cpu.elapsed().as_secs_f64() * 1e3 / images);
                timing
                    .wall_ms
                    .push(wall.elapsed().as_secs_f64() * 1e3 / images);
            }
        }
        Ok(message_of(&Reply::Timed(timing)))
    }

    fn fit(
        &mut self,
        model: ModelRef,
        (shape, classes): ([usize; 3], usize),
        settings: &Value,
        threads: usize,
        message: &Message,
        responder: &Responder,
    ) -> Result<Message, Failure> {
        let data = TrainingRows {
            shape: shape.to_vec(),
            classes,
            pixels: message.blob(0)?,
            labels: message.blob(1)?,
        };
        let model = self.model(&model)?;
        let call = CallSettings {
            threads,
            ..call(0, None)
        };
        let mut monitor = |step: &FitStep| {
            let step = TrainingStep {
                epoch_done: step.epoch_done,
                epoch: step.epoch,
                epochs: step.epochs,
                batch: step.batch,
                batches: step.batches,
                loss: step.loss,
                accuracy: step.accuracy,
                validation_loss: step.validation_loss,
                validation_accuracy: step.validation_accuracy,
                learning_rate: step.learning_rate,
            };
            responder.event(&message_of(&step)).is_ok()
        };
        let report = model.fit(&call, &data, settings, &mut monitor)?;
        let mut answer = message_of(&Reply::Fitted { report });
        answer.blobs.push(model.save(&call)?);
        Ok(answer)
    }

    fn load(&mut self, model: &ModelRef, explainer: &PluginRef) -> Result<(), Failure> {
        self.model(model)?;
        if !self.explainers.iter().any(|(known, _)| known == explainer) {
            let library = self.library(&explainer.library)?;
            let params = explainer.params.to_string();
            let loaded = library.create_explainer(&explainer.id, &params, &call(0, None))?;
            self.explainers.push((explainer.clone(), loaded));
        }
        Ok(())
    }

    /// The model, loaded if need be.
    fn model(&mut self, wanted: &ModelRef) -> Result<&mut LoadedModel, Failure> {
        let found = self.models.iter().position(|(known, _)| known == wanted);
        let index = match found {
            Some(index) => index,
            None => {
                let library = self.library(&wanted.plugin.library)?;
                let params = wanted.plugin.params.to_string();
                let call = call(0, None);
                let mut model = library.create_model(&wanted.plugin.id, &params, &call)?;
                if let Some(path) = &wanted.weights {
                    let bytes = read_weights(path)?;
                    model.load(&call, &bytes)?;
                }
                self.models.push((wanted.clone(), model));
                self.models.len() - 1
            }
        };
        Ok(&mut self.models[index].1)
    }

    fn library(&mut self, path: &PathBuf) -> Result<&Library, Failure> {
        if !self.libraries.contains_key(path) {
            let library = Library::open(path).map_err(|error| error.to_string())?;
            self.libraries.insert(path.clone(), library);
        }
        Ok(&self.libraries[path])
    }

    fn loaded_model(&self, wanted: &ModelRef) -> Result<&LoadedModel, Failure> {
        let found = self.models.iter().find(|(known, _)| known == wanted);
        Ok(&found.ok_or_else(|| "the model is not loaded".to_owned())?.1)
    }

    fn loaded_explainer(&self, wanted: &PluginRef) -> Result<&LoadedExplainer, Failure> {
        let found = self.explainers.iter().find(|(known, _)| known == wanted);
        Ok(&found
            .ok_or_else(|| "the explainer is not loaded".to_owned())?
            .1)
    }
}

/// Explains the rows through a counting proxy.
fn attribute(
    (model, explainer): (&LoadedModel, &LoadedExplainer),
    (blobs, pixels, shape): (&ImageBlobs, &[f32], [usize; 3]),
    settings: &CallSettings,
    attributions: &mut [f32],
) -> Result<Counts, Failure> {
    let [c, h, w] = shape;
    let options = ProxyOptions {
        max_rows: MAX_ROWS,
        deadline: settings.deadline,
        ..ProxyOptions::default()
    };
    let proxy = ModelProxy::new(model, &options);
    let batch = HostBatch {
        x: pixels,
        shape: &[blobs.targets.len(), c, h, w],
        target: &blobs.targets,
        seed: &blobs.seeds,
        mask: (!blobs.masks.is_empty()).then_some(blobs.masks.as_slice()),
    };
    explainer.explain(settings, &proxy, &batch, attributions)?;
    Ok(proxy.counts())
}

/// A loaded model, as scoring sees it. Its calls are not the explainer's and are not counted.
struct Scored<'m> {
    model: &'m LoadedModel,
    call: CallSettings,
}

impl<'m> Scored<'m> {
    fn new(model: &'m LoadedModel, seed: u64) -> Self {
        Self {
            model,
            call: call(seed, None),
        }
    }
}

impl Predictor for Scored<'_> {
    type Error = Failure;

    fn num_outputs(&self) -> usize {
        self.model.spec().outputs
    }

    fn outputs(&self) -> Outputs {
        match self.model.spec().output_kind {
            OutputKind::Logits => Outputs::Logits,
            OutputKind::Probabilities | OutputKind::Values => Outputs::Direct,
        }
    }

    fn predict(&mut self, rows: &[f32], outputs: &mut [f32]) -> Result<(), Failure> {
        let width = self.num_outputs().max(1);
        let n = outputs.len() / width;
        outputs.copy_from_slice(&self.model.predict(&self.call, rows, n)?);
        Ok(())
    }
}

/// The rows a model is trained on, as bytes.
struct TrainingRows<'d> {
    shape: Vec<usize>,
    classes: usize,
    pixels: &'d [u8],
    labels: &'d [u8],
}

impl RowSource for TrainingRows<'_> {
    fn num_rows(&self) -> usize {
        self.labels.len()
    }

    fn num_classes(&self) -> usize {
        self.classes
    }

    fn input_shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, rows: &[usize], pixels: &mut [u8], labels: &mut [i64]) -> Result<(), String> {
        let size: usize = self.shape.iter().product();
        let places = pixels.chunks_exact_mut(size).zip(labels);
        for (&row, (pixels, label)) in rows.iter().zip(places) {
            let beyond = || format!("row {row} of {}", self.labels.len());
            let source = self
                .pixels
                .get(row * size..(row + 1) * size)
                .ok_or_else(beyond)?;
            pixels.copy_from_slice(source);
            *label = i64::from(*self.labels.get(row).ok_or_else(beyond)?);
        }
        Ok(())
    }
}

fn call(seed: u64, deadline: Option<Instant>) -> CallSettings {
    CallSettings {
        seed,
        threads: 1,
        deadline,
        max_rows: MAX_ROWS,
        monitor: None,
    }
}

fn images_of<'a>(blobs: &'a ImageBlobs, pixels: &'a [f32], shape: [usize; 3]) -> Images<'a> {
    Images {
        pixels,
        shape,
        targets: &blobs.targets,
        ids: &blobs.ids,
        masks: (!blobs.masks.is_empty()).then_some(blobs.masks.as_slice()),
    }
}

/// Pixels as the models take them: 0..=1.
fn scaled(pixels: &[u8]) -> Vec<f32> {
    pixels
        .iter()
        .map(|&pixel| f32::from(pixel) / 255.0)
        .collect()
}

fn read_weights(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error| format!("cannot read weights {}: {error}", path.display());
    Ok(std::fs::read(path).map_err(unreadable)?)
}
