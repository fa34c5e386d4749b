//! Training on the host's data.

use serde_json::json;
use xbench_nn::Threads;
use xbench_plugin::rng::CounterRng;
use xbench_plugin::{Context, DataHandle, Element, Error, FitMonitor, FitStep, Result, Status};
use xbench_svm::{PairStates, Problem, Progress, Stop, Svm, SvmError};

use crate::scaling::Scaler;
use crate::settings::{Recipe, parse};

/// Rows asked of the host at once.
const READ: usize = 4096;
/// Random streams of a training besides those of the pairs.
const DRAW_ROWS: u64 = u64::MAX;

/// A trained machine with what it needs around it.
#[derive(Clone, Debug)]
pub struct Trained {
    /// How features are scaled.
    pub scaler: Scaler,
    /// The machine, on scaled features.
    pub svm: Svm,
    /// The support vectors' own pixels, `[support vectors, width]`, when trained on images.
    pub pixels: Option<Vec<u8>>,
}

/// As the host is told of it.
pub(crate) fn error(error: SvmError) -> Error {
    let status = match &error {
        SvmError::Stopped => Status::Cancelled,
        SvmError::Threads(_) => Status::ResourceExhausted,
        SvmError::NotConverged { .. } => Status::Internal,
        _ => Status::InvalidArgument,
    };
    Error::new(status, error.to_string())
}

/// Labelled rows, and for images their pixels.
struct Table {
    values: Vec<f32>,
    pixels: Option<Vec<u8>>,
    labels: Vec<usize>,
}

/// Pixels as models get them.
pub(crate) fn unit(pixel: u8) -> f32 {
    f32::from(pixel) / 255.0
}

fn read(data: &DataHandle<'_>, rows: &[i64], width: usize) -> Result<Table> {
    let images = data.element() == Element::Pixels;
    let total = rows.len() * width;
    let mut values = vec![0.0; if images { 0 } else { total }];
    let mut pixels = vec![0; if images { total } else { 0 }];
    let mut labels = vec![0_i64; rows.len()];
    for start in (0..rows.len()).step_by(READ) {
        let end = rows.len().min(start + READ);
        let (rows, labels) = (&rows[start..end], &mut labels[start..end]);
        let range = start * width..end * width;
        if images {
            data.read(rows, &mut pixels[range], labels)?;
        } else {
            data.read_f32(rows, &mut values[range], labels)?;
        }
    }
    if images {
        values = pixels.iter().copied().map(unit).collect();
    }
    let label = |label: i64| {
        usize::try_from(label)
            .map_err(|_| Error::invalid_argument(format!("label {label} is negative")))
    };
    Ok(Table {
        values,
        pixels: images.then_some(pixels),
        labels: labels.into_iter().map(label).collect::<Result<_>>()?,
    })
}

/// The rows to train on and the rows to measure on.
fn split(data: &DataHandle<'_>, recipe: &Recipe) -> Result<(Vec<i64>, Vec<i64>)> {
    let own = data.validation_rows().min(data.len());
    let available = data.len() - own;
    if recipe.held_out_rows >= available || recipe.training_rows > available - recipe.held_out_rows
    {
        return Err(Error::invalid_argument(format!(
            "training settings: {} held-out and {} training rows of {available} rows; ask for \
             fewer, or for 0 training rows to take all that are left",
            recipe.held_out_rows, recipe.training_rows
        )));
    }
    let validation = (available..data.len()).map(|row| row as i64);
    if recipe.held_out_rows == 0 && recipe.training_rows == 0 {
        return Ok(((0..available as i64).collect(), validation.collect()));
    }
    let rng = CounterRng::new(recipe.seed).stream(DRAW_ROWS);
    let order: Vec<i64> = rng
        .permutation(available)
        .into_iter()
        .map(|row| row as i64)
        .collect();
    let (held, rest) = order.split_at(recipe.held_out_rows);
    let count = match recipe.training_rows {
        0 => rest.len(),
        count => count,
    };
    let held = if held.is_empty() {
        validation.collect()
    } else {
        held.to_vec()
    };
    Ok((rest[..count].to_vec(), held))
}

/// Trains a machine for rows of `width` features and `classes` classes. Returns the report too.
pub(crate) fn fit(
    ctx: &Context<'_>,
    (width, classes): (usize, usize),
    threads: &Threads,
    data: &DataHandle<'_>,
    settings: &str,
    monitor: &mut dyn FitMonitor,
) -> Result<(Trained, String)> {
    let (preset, recipe) = parse(settings)?;
    let (rows, held) = split(data, &recipe)?;
    let mut table = read(data, &rows, width)?;
    let scaler = Scaler::fit(recipe.scaling, &table.values, width);
    scaler.apply(&mut table.values);
    let problem = Problem {
        features: &table.values,
        width,
        labels: &table.labels,
        classes,
    };
    let resume = monitor.resume().map(<[u8]>::to_vec);
    let mut reason = None;
    let mut share = 0.0;
    let mut tell = |progress: Progress<'_>| {
        let answer = match pair_step(&progress) {
            Some((step, states)) => {
                share = f64::from(step.epoch) / f64::from(step.epochs);
                report(monitor, &step, states)
            }
            None => ctx.checkpoint(share),
        };
        answer.map_err(|error| {
            reason = Some(error);
            Stop
        })
    };
    let fitted = Svm::fit(
        problem,
        &recipe.svm(),
        threads.count(),
        resume.as_deref(),
        &mut tell,
    );
    if let Some(reason) = reason {
        return Err(reason);
    }
    let svm = fitted.map_err(error)?;
    let pixels = table.pixels.map(|pixels| {
        let rows = svm.support_rows().iter();
        rows.flat_map(|&row| &pixels[row as usize * width..(row as usize + 1) * width])
            .copied()
            .collect()
    });
    let accuracy = measure(&svm, &scaler, threads, data, &held)?;
    let report = json!({
        "preset": preset.name(),
        "recipe": recipe,
        "training_rows": rows.len(),
        "validation_rows": held.len(),
        "validation_accuracy": accuracy.map(|a| a.by_probability),
        "validation_accuracy_by_votes": accuracy.map(|a| a.by_votes),
        "gamma": svm.gamma(),
        "support_vectors": svm.support_vectors(),
        "support_vectors_by_class": svm.support_counts(),
    });
    let trained = Trained {
        scaler,
        svm,
        pixels,
    };
    Ok((trained, report.to_string()))
}

/// A solved pair as an epoch of the training.
fn pair_step<'p>(progress: &Progress<'p>) -> Option<(FitStep, &'p PairStates)> {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    match *progress {
        Progress::Pair {
            done,
            pairs,
            hinge,
            accuracy,
            states,
            ..
        } => {
            let step = FitStep {
                epoch_done: true,
                epoch: count(done),
                epochs: count(pairs),
                batch: 1,
                batches: 1,
                loss: hinge,
                accuracy,
                validation_loss: f64::NAN,
                validation_accuracy: f64::NAN,
                learning_rate: 0.0,
            };
            Some((step, states))
        }
        _ => None,
    }
}

fn report(monitor: &mut dyn FitMonitor, step: &FitStep, states: &PairStates) -> Result<()> {
    monitor.step(step)?;
    monitor.checkpoint(&states.to_bytes().map_err(error)?)
}

#[derive(Clone, Copy)]
struct Accuracy {
    by_probability: f64,
    by_votes: f64,
}

/// Accuracy on held-out rows, if there are any.
fn measure(
    svm: &Svm,
    scaler: &Scaler,
    threads: &Threads,
    data: &DataHandle<'_>,
    rows: &[i64],
) -> Result<Option<Accuracy>> {
    if rows.is_empty() {
        return Ok(None);
    }
    let (classes, width) = (svm.classes(), svm.features());
    let (mut probable, mut voted) = (0, 0);
    for rows in rows.chunks(READ) {
        let mut table = read(data, rows, width)?;
        scaler.apply(&mut table.values);
        let mut probabilities = vec![0.0; rows.len() * classes];
        svm.probabilities(threads, &table.values, &mut probabilities)
            .map_err(error)?;
        let votes = svm.predict(threads, &table.values).map_err(error)?;
        for ((p, vote), &label) in probabilities
            .chunks_exact(classes)
            .zip(votes)
            .zip(&table.labels)
        {
            let better = |best: usize, class| if p[class] > p[best] { class } else { best };
            probable += usize::from((1..classes).fold(0, better) == label);
            voted += usize::from(vote == label);
        }
    }
    let share = |n: usize| n as f64 / rows.len() as f64;
    Ok(Some(Accuracy {
        by_probability: share(probable),
        by_votes: share(voted),
    }))
}
