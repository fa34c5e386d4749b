//! Training of the network, then of the machine on its features.
//!
//! The machine's training is told as one more epoch, whose batches are the pairs of classes. The
//! kept state is the network's last state and the solved pairs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use xbench_nn::Threads;
use xbench_svm::{Calibration, Gamma, Problem, Stop, Svm, SvmError, SvmSettings};

use super::{FEATURES, Hybrid};
use crate::hybrid_cnn::POOLED_LAYER;
use crate::network::{Network, NetworkError};
use crate::train::{self, EpochReport, Images, Monitor, Progress, Recipe, Split, TrainReport};

/// Images whose features are found at once.
const CHUNK: usize = 1024;
/// The least time between two chances to stop within a pair.
const CHANCE: Duration = Duration::from_millis(200);

/// Width of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// 1 / number of features.
    Auto,
    /// 1 / (number of features · variance of all features).
    Scale,
    /// The number itself.
    #[serde(untagged)]
    Value(f64),
}

/// How the machine is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Penalty of an image on the wrong side of its margin, above 0.
    pub c: f64,
    /// γ of the kernel exp(−γ‖x − z‖²): `auto`, `scale` or a number above 0.
    pub gamma: Kernel,
    /// The largest violation of the optimality conditions that is accepted.
    pub tolerance: f64,
    /// Folds of the cross-validation that Platt's sigmoids are fitted in, at least 2.
    pub probability_folds: usize,
}

impl Default for Machine {
    /// The study's: C = 10, γ = auto, probabilities as libsvm has them.
    fn default() -> Self {
        Machine {
            c: 10.0,
            gamma: Kernel::Auto,
            tolerance: 1e-3,
            probability_folds: 5,
        }
    }
}

impl Machine {
    fn settings(&self, seed: u64) -> SvmSettings {
        SvmSettings {
            c: self.c,
            gamma: match self.gamma {
                Kernel::Auto => Gamma::Auto,
                Kernel::Scale => Gamma::Scale,
                Kernel::Value(value) => Gamma::Value(value),
            },
            tolerance: self.tolerance,
            calibration: Calibration::CrossValidation {
                folds: self.probability_folds,
            },
            seed,
            ..SvmSettings::default()
        }
    }
}

/// What a training arrived at; the figures are those of the machine's probabilities.
#[derive(Clone, Debug, Serialize)]
pub struct HybridReport {
    /// How the machine was trained.
    pub machine: Machine,
    /// γ as a number.
    pub gamma: f64,
    /// Support vectors of all pairs, each counted once.
    pub support_vectors: usize,
    /// Seconds that the machine took.
    pub machine_seconds: f64,
    /// Images learned from.
    pub training_images: usize,
    /// Images held out.
    pub validation_images: usize,
    /// Cross-entropy on the images learned from, in nats.
    pub train_loss: f64,
    /// Accuracy on the images learned from.
    pub train_accuracy: f64,
    /// Cross-entropy on the images held out, in nats; NaN where there are none.
    pub validation_loss: f64,
    /// Accuracy on the images held out; NaN where there are none.
    pub validation_accuracy: f64,
    /// The network with its own dense layer.
    pub network: TrainReport,
}

/// Trains both, from the weights that the hybrid's network has.
///
/// # Errors
/// As [`train::train`], or when the machine's settings make no sense or a class has no image; the
/// hybrid is then as before.
pub fn train(
    hybrid: &mut Hybrid,
    data: Images<'_>,
    recipe: &Recipe,
    machine: &Machine,
    threads: &Arc<Threads>,
    monitor: &mut dyn Monitor,
) -> Result<HybridReport, NetworkError> {
    let (resumed, pairs) = match monitor.resume() {
        None => (None, None),
        Some(bytes) => {
            let (network, pairs) = parts(bytes)?;
            (
                Some(network.to_vec()),
                Some(pairs.to_vec()).filter(|pairs| !pairs.is_empty()),
            )
        }
    };
    let mut network = hybrid.network.duplicate();
    let mut phase = NetworkPhase {
        state: resumed,
        monitor,
    };
    let report = train::train(&mut network, data, recipe, Arc::clone(threads), &mut phase)?;
    let state = phase.state.unwrap_or_default();

    let classes = network.outputs();
    let split = Split::new(data, classes, recipe);
    let start = Instant::now();
    let learned = Rows::new(&network, threads, data, &split.training)?;
    let svm = fit(
        Problem {
            features: &learned.features,
            width: FEATURES,
            labels: &learned.labels,
            classes,
        },
        &machine.settings(recipe.seed),
        (threads.count(), recipe.epochs + 1),
        (&state, pairs.as_deref()),
        monitor,
    )?;
    let machine_seconds = start.elapsed().as_secs_f64();
    let [train_loss, train_accuracy] = learned.judge(&svm, threads)?;
    let held = Rows::new(&network, threads, data, &split.validation)?;
    let [validation_loss, validation_accuracy] = held.judge(&svm, threads)?;
    let epochs = recipe.epochs + 1;
    monitor
        .progress(Progress::Epoch(&EpochReport {
            epoch: epochs,
            epochs,
            step: svm.pairs() * epochs,
            steps: svm.pairs() * epochs,
            train_loss,
            train_accuracy,
            validation_loss,
            validation_accuracy,
            learning_rate: 0.0,
            seconds: machine_seconds,
        }))
        .map_err(NetworkError::Cancelled)?;
    let done = HybridReport {
        machine: machine.clone(),
        gamma: svm.gamma(),
        support_vectors: svm.support_vectors(),
        machine_seconds,
        training_images: split.training.len(),
        validation_images: split.validation.len(),
        train_loss,
        train_accuracy,
        validation_loss,
        validation_accuracy,
        network: report,
    };
    hybrid.set(network, svm);
    Ok(done)
}

/// Trains the machine, and keeps the solved pairs once for each class but one.
fn fit(
    problem: Problem<'_>,
    settings: &SvmSettings,
    (threads, epochs): (usize, usize),
    (network, resume): (&[u8], Option<&[u8]>),
    monitor: &mut dyn Monitor,
) -> Result<Svm, NetworkError> {
    let mut reason = None;
    let mut last = (0, f64::NAN, f64::NAN);
    let mut told = Instant::now();
    let every = problem.classes - 1;
    let count = xbench_svm::pair_count(problem.classes);
    let mut progress = |step: xbench_svm::Progress<'_>| {
        let mut outcome = Ok(());
        match step {
            xbench_svm::Progress::Pair {
                done,
                hinge,
                accuracy,
                states,
                ..
            } => {
                last = (done, hinge, accuracy);
                if done.is_multiple_of(every) {
                    outcome = states
                        .to_bytes()
                        .map_err(|e| e.to_string())
                        .and_then(|pairs| monitor.checkpoint(&framed(network, &pairs)));
                }
            }
            _ if told.elapsed() < CHANCE || last.0 == 0 => return Ok(()),
            _ => {}
        }
        told = Instant::now();
        let (batch, loss, accuracy) = last;
        outcome
            .and_then(|()| {
                monitor.progress(Progress::Batch {
                    epoch: epochs,
                    epochs,
                    batch,
                    batches: count,
                    loss,
                    accuracy,
                    learning_rate: 0.0,
                })
            })
            .map_err(|why| {
                reason = Some(why);
                Stop
            })
    };
    let outcome = Svm::fit(problem, settings, threads, resume, &mut progress);
    match (outcome, reason) {
        (Err(SvmError::Stopped), Some(reason)) => Err(NetworkError::Cancelled(reason)),
        (outcome, _) => Ok(outcome?),
    }
}

/// Features and labels of some images.
struct Rows {
    features: Vec<f32>,
    labels: Vec<usize>,
}

impl Rows {
    fn new(
        network: &Network,
        threads: &Threads,
        data: Images<'_>,
        rows: &[usize],
    ) -> Result<Self, NetworkError> {
        let size = network.input_len();
        let mut features = Vec::with_capacity(rows.len() * FEATURES);
        let mut pixels = Vec::new();
        for rows in rows.chunks(CHUNK) {
            pixels.clear();
            for &row in rows {
                let image = &data.pixels[row * size..(row + 1) * size];
                pixels.extend(image.iter().map(|&v| f32::from(v) / 255.0));
            }
            features.extend(network.activation(threads, &pixels, POOLED_LAYER)?);
        }
        Ok(Rows {
            features,
            labels: rows.iter().map(|&row| data.labels[row]).collect(),
        })
    }

    /// Mean cross-entropy of the machine's probabilities, and the share of right answers.
    fn judge(&self, machine: &Svm, threads: &Threads) -> Result<[f64; 2], NetworkError> {
        let classes = machine.classes();
        let mut probabilities = vec![0.0; self.labels.len() * classes];
        let chunks = probabilities.chunks_mut(CHUNK * classes);
        for (features, out) in self.features.chunks(CHUNK * FEATURES).zip(chunks) {
            machine.probabilities(threads, features, out)?;
        }
        let (mut loss, mut right) = (0.0, 0usize);
        for (row, &label) in probabilities.chunks_exact(classes).zip(&self.labels) {
            loss -= f64::from(row[label].max(f32::MIN_POSITIVE)).ln();
            right += usize::from(xbench_nn::kernel::loss::argmax(row) == label);
        }
        let count = self.labels.len() as f64;
        Ok([loss / count, right as f64 / count])
    }
}

/// The network's training within the hybrid's: one epoch more is to come.
struct NetworkPhase<'m> {
    monitor: &'m mut dyn Monitor,
    /// The network's last state.
    state: Option<Vec<u8>>,
}

impl Monitor for NetworkPhase<'_> {
    fn progress(&mut self, progress: Progress<'_>) -> Result<(), String> {
        match progress {
            Progress::Epoch(report) => {
                let batches = report.steps / report.epochs.max(1);
                self.monitor.progress(Progress::Epoch(&EpochReport {
                    epochs: report.epochs + 1,
                    steps: report.steps + batches,
                    ..*report
                }))
            }
            Progress::Batch {
                epoch,
                epochs,
                batch,
                batches,
                loss,
                accuracy,
                learning_rate,
            } => self.monitor.progress(Progress::Batch {
                epoch,
                epochs: epochs + 1,
                batch,
                batches,
                loss,
                accuracy,
                learning_rate,
            }),
        }
    }

    fn resume(&self) -> Option<&[u8]> {
        self.state.as_deref()
    }

    fn checkpoint(&mut self, state: &[u8]) -> Result<(), String> {
        self.state = Some(state.to_vec());
        self.monitor.checkpoint(&framed(state, &[]))
    }
}

/// Both states in one: the length of the network's, the network's, the pairs'.
fn framed(network: &[u8], pairs: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + network.len() + pairs.len());
    bytes.extend((network.len() as u64).to_le_bytes());
    bytes.extend(network);
    bytes.extend(pairs);
    bytes
}

fn parts(bytes: &[u8]) -> Result<(&[u8], &[u8]), NetworkError> {
    bytes
        .split_first_chunk::<8>()
        .and_then(|(length, rest)| {
            rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
        })
        .ok_or_else(|| NetworkError::Checkpoint("it is cut short".to_owned()))
}
