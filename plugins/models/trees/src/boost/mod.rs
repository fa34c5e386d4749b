//! Gradient boosting of trees with a softmax objective (Chen and Guestrin, "XGBoost: A Scalable Tree
//! Boosting System", 2016), with XGBoost's names, defaults and objective, histograms as its `hist`
//! method, one tree per class and round, grown depth-wise.
//!
//! Settings, data and seed decide every bit: histograms are sums of integers, all other sums are taken
//! in the order of the rows, and samples are drawn by number of round, class, row and column.

mod bins;
mod grow;
mod histogram;
mod objective;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use xbench_nn::Threads;
use xbench_plugin::rng::CounterRng;
use xbench_plugin::{Error, FitMonitor, FitStep, Result, TreeEnsemble};

pub use bins::{Bins, Cuts, MAX_BINS};
pub use settings::{BoostSettings, PRESETS, ROUNDS};

use crate::predict::Predictor;
use crate::tree::{self, Tree};
use grow::{Ground, Sample, Scratch};
use histogram::{Blocks, Rules};
use objective::{Scores, gradients};

/// Streams of the seed.
const ROWS: u64 = 1;
const COLUMNS: u64 = 2;
/// Rounds between two states that are kept.
const CHECKPOINT: usize = 10;

/// Binned rows with their labels; those to learn from come first, the others are held out.
#[derive(Clone, Debug)]
pub struct BoostData {
    /// The features.
    pub bins: Bins,
    /// Class of each row.
    pub labels: Vec<u32>,
    /// Number of classes.
    pub classes: usize,
    /// How many rows to learn from.
    pub training: usize,
}

/// What a round reached. Held-out scores are none where nothing is held out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Mean cross-entropy of the training rows after the round, in nats.
    pub train_loss: f64,
    /// Share of the training rows classified rightly.
    pub train_accuracy: f64,
    /// Mean cross-entropy of the held-out rows.
    pub validation_loss: Option<f64>,
    /// Share of the held-out rows classified rightly.
    pub validation_accuracy: Option<f64>,
}

/// How far a training is, beside its trees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Every round so far.
    pub rounds: Vec<Round>,
    /// Number of the best round so far, from 1; 0 before the first.
    pub best: usize,
}

/// A state of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct BoostState {
    /// All trees so far, also those after the best round.
    pub ensemble: TreeEnsemble,
    /// How they came.
    pub curve: Curve,
}

/// Trains, from the start or from a state that `keep` was given by an earlier training with the same
/// settings and data. The state that comes back is cut after its best round if there is early
/// stopping.
///
/// `keep` gets the state every ten rounds.
///
/// # Errors
/// When data and settings do not fit, the state is of another training, or the monitor stops it.
pub fn train(
    threads: &Threads,
    data: &BoostData,
    settings: &BoostSettings,
    resume: Option<BoostState>,
    monitor: &mut dyn FitMonitor,
    keep: &mut dyn FnMut(&mut dyn FitMonitor, &BoostState) -> Result<()>,
) -> Result<BoostState> {
    check(data, settings)?;
    let rounds = settings.rounds as usize;
    let rows = data.labels.len();
    let base = settings.base_score as f32;
    let mut state = resume.unwrap_or_else(|| BoostState {
        ensemble: tree::empty(data.bins.features(), vec![base; data.classes], true),
        curve: Curve::default(),
    });
    check_state(&state, data, rounds)?;
    let mut margins = margins(threads, data, &state.ensemble)?;
    let mut pairs = vec![vec![[0f32; 2]; data.training]; data.classes];
    gradients(threads, &margins, &data.labels, &mut pairs);

    let everything = settings.columns(data.bins.features()) == data.bins.features();
    let mut shared = Blocks::default();
    if everything {
        shared.gather(&data.bins, (0..data.bins.features() as u32).collect());
    }
    // Trees of a round are independent; where they are few, each shares its features out instead.
    let one = Threads::one();
    let (outer, inner) = if data.classes >= threads.count() {
        (threads, &one)
    } else {
        (&one, threads)
    };
    let scratch: Mutex<Vec<Scratch>> = Mutex::default();
    let stopping = settings.early_stopping_rounds as usize;
    for round in state.curve.rounds.len()..rounds {
        if stopping > 0 && round - state.curve.best >= stopping && round > 0 {
            break;
        }
        let jobs: Vec<_> = pairs.iter().zip(&mut margins).enumerate().collect();
        let trees: Vec<Tree> = outer.map(jobs, |(class, (pairs, margins))| {
            let ground = Ground {
                bins: &data.bins,
                pairs,
                rules: Rules {
                    lambda: settings.lambda,
                    alpha: settings.alpha,
                    min_child_weight: settings.min_child_weight,
                },
                gamma: settings.gamma,
                eta: settings.eta,
                max_depth: settings.max_depth as usize,
                threads: inner,
            };
            let sample = sample(data, settings, everything.then_some(&shared), round, class);
            let lock = || scratch.lock().unwrap_or_else(PoisonError::into_inner);
            let mut mine = lock().pop().unwrap_or_default();
            let tree = grow::grow(&ground, sample, &mut mine, margins);
            lock().push(mine);
            tree
        });
        for (class, tree) in trees.iter().enumerate() {
            tree::push(&mut state.ensemble, tree, Some(class))?;
        }
        let scores = gradients(threads, &margins, &data.labels, &mut pairs);
        record(&mut state.curve, scores, rows > data.training);
        monitor.step(&step(&state.curve, settings))?;
        if (round + 1) % CHECKPOINT == 0 {
            keep(monitor, &state)?;
        }
    }
    if stopping > 0 {
        tree::truncate(&mut state.ensemble, state.curve.best * data.classes);
    } else {
        state.curve.best = state.curve.rounds.len();
    }
    Ok(state)
}

fn check(data: &BoostData, settings: &BoostSettings) -> Result<()> {
    let refuse = |why: &str| Err(Error::invalid_argument(format!("training: {why}")));
    if data.training == 0 || data.bins.features() == 0 {
        return refuse("there is no row or no feature to learn from");
    }
    if settings.early_stopping_rounds > 0 && data.training == data.labels.len() {
        return refuse("early_stopping_rounds needs held-out rows: raise validation_share");
    }
    Ok(())
}

fn check_state(state: &BoostState, data: &BoostData, rounds: usize) -> Result<()> {
    let done = state.curve.rounds.len();
    let fits = state.ensemble.num_features == data.bins.features()
        && state.ensemble.num_outputs == data.classes
        && state.ensemble.roots.len() == done * data.classes
        && done <= rounds
        && state.curve.best <= done;
    if fits {
        Ok(())
    } else {
        Err(Error::invalid_argument(
            "the kept state is of a training with other settings or data",
        ))
    }
}

/// Margins of all rows, class by class, with the same bits as a training adds up.
fn margins(threads: &Threads, data: &BoostData, ensemble: &TreeEnsemble) -> Result<Vec<Vec<f32>>> {
    let (rows, features, classes) = (data.labels.len(), data.bins.features(), data.classes);
    if ensemble.roots.is_empty() {
        return Ok(ensemble.base.iter().map(|&base| vec![base; rows]).collect());
    }
    let predictor = Predictor::new(ensemble)?;
    let mut margins = vec![vec![0f32; rows]; classes];
    const CHUNK: usize = 4096;
    for from in (0..rows).step_by(CHUNK) {
        let count = CHUNK.min(rows - from);
        // A bin is represented by its lower edge, which goes every way that its values go.
        let mut x = vec![0f32; count * features];
        for (feature, cuts) in data.bins.cuts.iter().enumerate() {
            let codes = &data.bins.column(feature)[from..from + count];
            for (row, &code) in codes.iter().enumerate() {
                x[row * features + feature] = match usize::from(code) {
                    0 => f32::NEG_INFINITY,
                    bin if bin == cuts.edges.len() => f32::NAN,
                    bin => cuts.edges[bin - 1],
                };
            }
        }
        let mut outputs = vec![0f32; count * classes];
        predictor.predict(threads, &x, &mut outputs);
        for (row, outputs) in outputs.chunks_exact(classes).enumerate() {
            for (margins, &output) in margins.iter_mut().zip(outputs) {
                margins[from + row] = output;
            }
        }
    }
    Ok(margins)
}

/// The rows and columns of a tree: rows by one toss each, columns without replacement.
fn sample<'a>(
    data: &BoostData,
    settings: &BoostSettings,
    shared: Option<&'a Blocks>,
    round: usize,
    class: usize,
) -> Sample<'a> {
    let rng = CounterRng::new(settings.seed);
    let of = |purpose: u64| {
        rng.stream(purpose)
            .stream(round as u64)
            .stream(class as u64)
    };
    let (training, all) = (data.training as u32, data.labels.len() as u32);
    let tosses = of(ROWS);
    let (rows, mut followers): (Vec<u32>, Vec<u32>) = (0..training).partition(|&row| {
        settings.subsample >= 1.0 || tosses.uniform(u64::from(row)) < settings.subsample
    });
    followers.extend(training..all);
    let columns = shared.ok_or_else(|| {
        let features = data.bins.features();
        let mut columns = of(COLUMNS).permutation(features);
        columns.truncate(settings.columns(features));
        columns.sort_unstable();
        columns.into_iter().map(|column| column as u32).collect()
    });
    Sample {
        rows,
        followers,
        columns,
    }
}

fn record(curve: &mut Curve, [training, held]: [Scores; 2], held_out: bool) {
    let some = |value: f64| held_out.then_some(value);
    let round = Round {
        train_loss: training.loss,
        train_accuracy: training.accuracy,
        validation_loss: some(held.loss),
        validation_accuracy: some(held.accuracy),
    };
    let best = curve.best.checked_sub(1).map(|best| curve.rounds[best]);
    let better = match (round.validation_loss, best.and_then(|b| b.validation_loss)) {
        (Some(now), Some(best)) => now < best,
        _ => true,
    };
    curve.rounds.push(round);
    if better {
        curve.best = curve.rounds.len();
    }
}

fn step(curve: &Curve, settings: &BoostSettings) -> FitStep {
    let last = curve.rounds.last();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    FitStep {
        epoch_done: true,
        epoch: count(curve.rounds.len()),
        epochs: settings.rounds,
        batch: 1,
        batches: 1,
        loss: last.map_or(f64::NAN, |round| round.train_loss),
        accuracy: last.map_or(f64::NAN, |round| round.train_accuracy),
        validation_loss: last
            .and_then(|round| round.validation_loss)
            .unwrap_or(f64::NAN),
        validation_accuracy: last
            .and_then(|round| round.validation_accuracy)
            .unwrap_or(f64::NAN),
        learning_rate: settings.eta,
    }
}
