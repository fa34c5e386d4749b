//! The worker's side: loads plugins and carries out [`Task`]s.
//!
//! Libraries, models and explainers stay loaded between tasks, since the tasks of a worker
//! mostly concern the same few. A plugin's error becomes a [`Reply::Failed`]; a crash ends this
//! process, which the host records.

mod challenge;
mod training;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use xbench_host::worker::{Message, Responder};
use xbench_host::{
    CallSettings, Counts, HostBatch, Library, LoadedExplainer, LoadedModel, ModelProxy, OutputKind,
    PluginError, PluginErrorKind, ProxyOptions,
};

use self::training::{ToHost, TrainingRows};
use crate::bench::hex;
use crate::evaluate::{Images, Outputs, Predictor, Shared, probe, score_chunk};
use crate::task::{
    Evaluations, IMAGE_BLOBS, ImageBlobs, ModelFacts, ModelRef, OutputFacts, PluginRef, Reply,
    RowLayout, Task, Timing, message_of, pack_trees, unpack_background, unpack_images,
};

/// Rows the proxy hands to a model in one call: beyond that its buffers leave the caches.
const MAX_ROWS: usize = 256;

/// Serves requests until the host closes the pipe.
pub fn serve() -> ! {
    let mut state = State::default();
    xbench_host::worker::serve(&mut |message, responder| state.handle(message, responder))
}

/// What is loaded.
#[derive(Default)]
pub(crate) struct State {
    libraries: HashMap<PathBuf, Library>,
    models: Vec<(ModelRef, LoadedModel)>,
    explainers: Vec<(PluginRef, LoadedExplainer)>,
}

/// Why a task could not be done: the plugin's doing, or a defect of ours.
pub(crate) enum Failure {
    Plugin(PluginError),
    Other(String),
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Self::Plugin(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plugin(error) => error.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
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
        match self.perform(task, &message, Some(responder)) {
            Ok(answer) => Ok(answer),
            Err(Failure::Plugin(error)) => Ok(message_of(&Reply::Failed {
                timeout: error.kind == PluginErrorKind::Deadline,
                text: error.to_string(),
            })),
            Err(Failure::Other(text)) => Err(text),
        }
    }

    /// Carries out a task; `responder` is told how training goes, and only training needs it.
    pub(crate) fn perform(
        &mut self,
        task: Task,
        message: &Message,
        responder: Option<&Responder>,
    ) -> Result<Message, Failure> {
        match task {
            Task::Describe { model } => self.describe(&model),
            Task::Predict { model, layout } => {
                let values = layout.unpack(message.blob(0)?);
                self.predict(&model, &layout, &values)
            }
            Task::Trees { model } => {
                let trees = self.model(&model)?.trees(&call(0, None))?;
                Ok(pack_trees(&trees))
            }
            Task::Probe {
                model,
                layout,
                probed,
                settings,
            } => {
                let blobs = unpack_images(message)?;
                let pixels = layout.unpack(&blobs.values);
                let model = self.model(&model)?;
                let outcomes = probe(
                    &images_of(&blobs, &pixels, &layout),
                    &probed,
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
                layout,
                seed,
                deadline_ms,
            } => {
                let blobs = unpack_images(message)?;
                let background = unpack_background(message, &layout)?;
                self.load(&model, &explainer)?;
                let limit = Duration::from_millis(deadline_ms);
                let data = (&blobs, &layout, background.as_deref());
                self.explain((&model, &explainer), data, seed, limit)
            }
            Task::Score {
                model,
                layout,
                probed,
                settings,
                scores,
            } => {
                let blobs = unpack_images(message)?;
                let pixels = layout.unpack(&blobs.values);
                let images = images_of(&blobs, &pixels, &layout);
                let outcomes = message.f32s(IMAGE_BLOBS)?;
                let attributions = message.f32s(IMAGE_BLOBS + 1)?;
                let mut predictor = Scored::new(self.model(&model)?, settings.seed);
                let shared = Shared {
                    probed: &probed,
                    outcomes: &outcomes,
                };
                let columns = score_chunk(
                    &images,
                    &attributions,
                    shared,
                    &scores,
                    &settings,
                    &mut predictor,
                )?;
                Ok(message_of(&Reply::Scored { columns }))
            }
            Task::Challenge {
                model,
                twin,
                explainer,
                layout,
                settings,
                scores,
                deadline_ms,
            } => {
                let limit = Duration::from_millis(deadline_ms);
                let wanted = (&settings, scores.as_slice());
                let who = (&model, twin.as_ref(), &explainer);
                self.challenge(who, &layout, limit, wanted, message)
            }
            Task::Time {
                model,
                explainer,
                layout,
                seed,
                warmup,
                repeats,
            } => {
                let blobs = unpack_images(message)?;
                let background = unpack_background(message, &layout)?;
                self.load(&model, &explainer)?;
                self.time(
                    (&model, &explainer),
                    (&blobs, &layout, background.as_deref()),
                    seed,
                    warmup,
                    repeats,
                )
            }
            Task::Fit {
                model,
                layout,
                classes,
                validation,
                settings,
                threads,
            } => {
                let responder = responder.ok_or_else(|| "nobody listens".to_owned())?;
                let data = TrainingRows {
                    values: message.blob(0)?,
                    labels: message.i64s(1)?,
                    masks: message.blob(2)?,
                    present: message.blob(3)?,
                    layout,
                    classes,
                    validation,
                };
                self.fit(
                    &model,
                    &data,
                    &settings,
                    threads,
                    message.blob(4)?,
                    responder,
                )
            }
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
            parameter_layers: model.parameter_layers().len(),
            output_kind: match spec.output_kind {
                OutputKind::Logits => OutputFacts::Logits,
                OutputKind::Probabilities => OutputFacts::Probabilities,
                OutputKind::Values => OutputFacts::Values,
            },
        })))
    }

    fn predict(
        &mut self,
        model: &ModelRef,
        layout: &RowLayout,
        pixels: &[f32],
    ) -> Result<Message, Failure> {
        let model = self.model(model)?;
        let row_len = layout.len();
        let rows = pixels.len().checked_div(row_len).unwrap_or(0);
        let outputs = model.predict(&call(0, None), pixels, rows)?;
        let mut answer = message_of(&Reply::Array);
        answer.push_f32(&outputs);
        Ok(answer)
    }

    fn explain(
        &self,
        (model, explainer): (&ModelRef, &PluginRef),
        (blobs, layout, background): (&ImageBlobs, &RowLayout, Option<&[f32]>),
        seed: u64,
        limit: Duration,
    ) -> Result<Message, Failure> {
        let pixels = layout.unpack(&blobs.values);
        let mut attributions = vec![0.0; pixels.len()];
        let (counts, local_fit) = attribute(
            (self.loaded_model(model)?, self.loaded_explainer(explainer)?),
            (blobs, &pixels, layout, background),
            (&call(seed, Some(Instant::now() + limit)), 0.0),
            &mut attributions,
        )?;
        let mut answer = message_of(&Reply::Explained(Evaluations {
            forward_rows: counts.forward_rows,
            backward_rows: counts.backward_rows,
        }));
        answer.push_f32(&attributions);
        answer.push_f32(&local_fit);
        Ok(answer)
    }

    fn time(
        &self,
        (model, explainer): (&ModelRef, &PluginRef),
        (blobs, layout, background): (&ImageBlobs, &RowLayout, Option<&[f32]>),
        seed: u64,
        warmup: usize,
        repeats: usize,
    ) -> Result<Message, Failure> {
        let pixels = layout.unpack(&blobs.values);
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
                (blobs, &pixels, layout, background),
                (&call(seed, None), 0.0),
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
        model: &ModelRef,
        data: &TrainingRows<'_>,
        settings: &Value,
        threads: usize,
        resume: &[u8],
        responder: &Responder,
    ) -> Result<Message, Failure> {
        let model = self.model(model)?;
        let call = CallSettings {
            threads,
            ..call(0, None)
        };
        let mut monitor = ToHost {
            responder,
            resume: (!resume.is_empty()).then_some(resume),
        };
        let report = model.fit(&call, data, settings, &mut monitor)?;
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
                    model.load(&call, &bytes).map_err(|mut error| {
                        error.message = format!("{}: {}", path.display(), error.message);
                        error
                    })?;
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

/// Explains the rows through a counting proxy, which takes `shift` from all that the model sees.
fn attribute(
    (model, explainer): (&LoadedModel, &LoadedExplainer),
    (blobs, pixels, layout, background): (&ImageBlobs, &[f32], &RowLayout, Option<&[f32]>),
    (settings, shift): (&CallSettings, f32),
    attributions: &mut [f32],
) -> Result<(Counts, Vec<f32>), Failure> {
    let mut shape = vec![blobs.targets.len()];
    shape.extend(&layout.shape);
    let options = ProxyOptions {
        max_rows: MAX_ROWS,
        deadline: settings.deadline,
        shift,
        ..ProxyOptions::default()
    };
    let proxy = ModelProxy::new(model, &options);
    let batch = HostBatch {
        x: pixels,
        shape: &shape,
        target: &blobs.targets,
        seed: &blobs.seeds,
        mask: (!blobs.masks.is_empty()).then_some(blobs.masks.as_slice()),
        background,
    };
    let mut local_fit = vec![f64::NAN; blobs.targets.len()];
    explainer.explain_and_fit(settings, &proxy, &batch, attributions, &mut local_fit)?;
    let local_fit = local_fit.iter().map(|&fit| fit as f32).collect();
    Ok((proxy.counts(), local_fit))
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

fn call(seed: u64, deadline: Option<Instant>) -> CallSettings {
    CallSettings {
        seed,
        threads: 1,
        deadline,
        max_rows: MAX_ROWS,
        monitor: None,
    }
}

fn images_of<'a>(blobs: &'a ImageBlobs, pixels: &'a [f32], layout: &RowLayout) -> Images<'a> {
    Images {
        pixels,
        shape: layout.plane(),
        targets: &blobs.targets,
        ids: &blobs.ids,
        masks: (!blobs.masks.is_empty()).then_some(blobs.masks.as_slice()),
    }
}

fn read_weights(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error| format!("cannot read weights {}: {error}", path.display());
    Ok(std::fs::read(path).map_err(unreadable)?)
}
