//! Training of all pairs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use sha2::{Digest, Sha256};
use xbench_plugin::rng::CounterRng;

use crate::error::length;
use crate::model::Parts;
use crate::pair::{PairProblem, PairSolution};
use crate::panels::{Panels, squared_norm};
use crate::{Calibration, PairStates, Stop, Svm, SvmError, SvmSettings, pair_index, pairs};

/// Labelled rows.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// `[rows, width]`, finite.
    pub features: &'a [f32],
    /// Features of a row.
    pub width: usize,
    /// `[rows]`, each below `classes`.
    pub labels: &'a [usize],
    /// Number of classes, at least 2, each with a row.
    pub classes: usize,
}

/// How far a training is; the answer may be the wish to [`Stop`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// Some pair took some hundreds of steps: a chance to stop.
    Working,
    /// A pair is solved.
    Pair {
        /// Its classes.
        classes: (usize, usize),
        /// Pairs solved, those of an interrupted training included.
        done: usize,
        /// Pairs in all.
        pairs: usize,
        /// Mean hinge loss over the rows of the pair.
        hinge: f64,
        /// Share of the rows of the pair that its machine decides right, 0 to 1.
        accuracy: f64,
        /// Steps of the optimiser, those of the folds included.
        iterations: u64,
        /// Kernel rows computed.
        kernel_rows: u64,
        /// What an interrupted training can go on from.
        states: &'a PairStates,
    },
}

enum Message {
    Working,
    Solved(usize, Result<PairSolution, SvmError>),
}

impl Svm {
    /// Trains a machine for each pair of classes, on up to `threads` threads of its own; their
    /// number changes no bit of the result. `resume` is [`PairStates::to_bytes`] of an
    /// interrupted training of the same problem with the same settings.
    ///
    /// # Errors
    /// When the problem or the settings make no sense, a pair does not converge, `resume` does not
    /// belong to this training, or `progress` wants to stop.
    pub fn fit(
        problem: Problem<'_>,
        settings: &SvmSettings,
        threads: usize,
        resume: Option<&[u8]>,
        progress: &mut dyn FnMut(Progress<'_>) -> Result<(), Stop>,
    ) -> Result<Self, SvmError> {
        settings.check()?;
        let members = members(problem)?;
        let gamma = settings.gamma.value(problem.features, problem.width);
        let centre = centre(problem);
        let panels = panels(problem, &members, &centre, gamma)?;
        let key = key(problem, settings, gamma);
        let mut states = match resume {
            None => PairStates::new(key, problem.classes),
            Some(bytes) => {
                let rows: Vec<usize> = members.iter().map(Vec::len).collect();
                PairStates::from_bytes(bytes, key, &rows)?
            }
        };
        let open: Vec<(usize, (usize, usize))> = pairs(problem.classes)
            .enumerate()
            .filter(|&(pair, _)| states.solved[pair].is_none())
            .collect();
        let workers = threads.clamp(1, open.len().max(1));
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (send, receive) = mpsc::channel();
        let work = |send: mpsc::Sender<Message>| {
            while let Some(&(pair, (a, b))) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                let check = || {
                    // Nobody listens once the caller has left.
                    let listening = send.send(Message::Working).is_ok();
                    if listening && !stop.load(Ordering::Relaxed) {
                        Ok(())
                    } else {
                        Err(Stop)
                    }
                };
                let task = PairProblem {
                    first: &panels[a],
                    second: &panels[b],
                    width: problem.width,
                    gamma,
                    settings,
                    cache_bytes: settings.cache_bytes / workers,
                    rng: CounterRng::new(settings.seed).stream(pair as u64),
                };
                let solution = check()
                    .map_err(|Stop| SvmError::Stopped)
                    .and_then(|()| task.solve(&check))
                    .map_err(|error| named(error, a, b));
                if send.send(Message::Solved(pair, solution)).is_err() {
                    return;
                }
            }
        };
        let mut failure = None;
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let (send, work) = (send.clone(), &work);
                scope.spawn(move || work(send));
            }
            drop(send);
            for message in &receive {
                let answer = match message {
                    Message::Working => progress(Progress::Working),
                    Message::Solved(_, Err(error)) => {
                        failure.get_or_insert(error);
                        Err(Stop)
                    }
                    Message::Solved(pair, Ok(solution)) => {
                        let record = solution.record;
                        states.solved[pair] = Some(solution);
                        let classes = pairs(problem.classes).nth(pair).unwrap_or_default();
                        progress(Progress::Pair {
                            classes,
                            done: states.done(),
                            pairs: states.solved.len(),
                            hinge: record.hinge,
                            accuracy: record.accuracy,
                            iterations: record.iterations + record.fold_iterations,
                            kernel_rows: record.kernel_rows,
                            states: &states,
                        })
                    }
                };
                if answer.is_err() {
                    failure.get_or_insert(SvmError::Stopped);
                    stop.store(true, Ordering::Relaxed);
                    break;
                }
            }
            // Threads that still send find nobody, and stop.
            drop(receive);
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        assemble(problem, &members, &states, gamma, centre)
    }
}

fn named(error: SvmError, first: usize, second: usize) -> SvmError {
    match error {
        SvmError::NotConverged {
            iterations,
            violation,
            ..
        } => SvmError::NotConverged {
            a: first,
            b: second,
            iterations,
            violation,
        },
        other => other,
    }
}

/// The rows of each class.
fn members(problem: Problem<'_>) -> Result<Vec<Vec<usize>>, SvmError> {
    let Problem {
        features,
        width,
        labels,
        classes,
    } = problem;
    if width == 0 || classes < 2 {
        return Err(SvmError::Setting(format!(
            "{width} features and {classes} classes; there must be 1 feature and 2 classes at least"
        )));
    }
    let expected = labels.len().saturating_mul(width);
    length("features", features.len(), expected)?;
    if u32::try_from(labels.len()).is_err() {
        return Err(SvmError::Setting(format!(
            "{} rows are more than 2³²",
            labels.len()
        )));
    }
    let mut members = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        members
            .get_mut(label)
            .ok_or(SvmError::Label {
                row,
                label,
                classes,
            })?
            .push(row);
    }
    match members.iter().position(Vec::is_empty) {
        Some(class) => Err(SvmError::EmptyClass { class, classes }),
        None => Ok(members),
    }
}

/// The mean row. Distances do not change when it is taken off, but the products of rows that they
/// are computed from become smaller, and with them what rounding takes away.
fn centre(problem: Problem<'_>) -> Vec<f32> {
    let mut sums = vec![0.0_f64; problem.width];
    for row in problem.features.chunks_exact(problem.width) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += f64::from(value);
        }
    }
    let count = problem.labels.len() as f64;
    sums.into_iter().map(|sum| (sum / count) as f32).collect()
}

fn panels(
    problem: Problem<'_>,
    members: &[Vec<usize>],
    centre: &[f32],
    gamma: f64,
) -> Result<Vec<Panels>, SvmError> {
    let mut centred = vec![0.0; problem.features.len()];
    let rows = problem.features.chunks_exact(problem.width);
    for (row, (from, to)) in rows
        .zip(centred.chunks_exact_mut(problem.width))
        .enumerate()
    {
        for ((to, &from), &centre) in to.iter_mut().zip(from).zip(centre) {
            *to = from - centre;
        }
        // Four times the larger norm bounds a squared distance.
        if !((4.0 * squared_norm(to)).is_finite() && (gamma as f32).is_finite()) {
            let largest = |a: &usize, b: &usize| to[*a].abs().total_cmp(&to[*b].abs());
            let feature = (0..problem.width).max_by(largest).unwrap_or(0);
            return Err(SvmError::Value {
                row,
                feature,
                value: from[feature],
            });
        }
    }
    let row = |&row: &usize| &centred[row * problem.width..(row + 1) * problem.width];
    Ok(members
        .iter()
        .map(|members| Panels::new(problem.width, members.iter().map(row)))
        .collect())
}

/// SHA-256 over all that decides the solutions.
fn key(problem: Problem<'_>, settings: &SvmSettings, gamma: f64) -> [u8; 32] {
    let mut hash = Sha256::new();
    let (folds, used) = match settings.calibration {
        Calibration::None => (0, 0),
        Calibration::CrossValidation { folds } => (folds, folds),
        Calibration::OneSplit { folds } => (folds, 1),
    };
    let sizes = [
        problem.width,
        problem.labels.len(),
        problem.classes,
        folds,
        used,
    ];
    for size in sizes.into_iter().chain(problem.labels.iter().copied()) {
        hash.update((size as u64).to_le_bytes());
    }
    for number in [settings.c, gamma, settings.tolerance] {
        hash.update(number.to_le_bytes());
    }
    hash.update(settings.seed.to_le_bytes());
    let mut bytes = Vec::new();
    for row in problem.features.chunks(problem.width) {
        bytes.clear();
        bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        hash.update(&bytes);
    }
    hash.finalize().into()
}

/// One machine of all pairs: each support vector once, with its coefficient in every pair.
fn assemble(
    problem: Problem<'_>,
    members: &[Vec<usize>],
    states: &PairStates,
    gamma: f64,
    centre: Vec<f32>,
) -> Result<Svm, SvmError> {
    let classes = problem.classes;
    let solved: Vec<&PairSolution> = states.solved.iter().flatten().collect();
    length("solved pairs", solved.len(), states.solved.len())?;
    let (mut counts, mut rows, mut features) = (Vec::new(), Vec::new(), Vec::new());
    let mut columns: Vec<Vec<f32>> = vec![Vec::new(); classes - 1];
    for (class, members) in members.iter().enumerate() {
        let mut all = vec![0.0_f32; members.len() * (classes - 1)];
        let mut used = vec![false; members.len()];
        for other in (0..classes).filter(|&other| other != class) {
            let at = other - usize::from(other > class);
            let pair = solved[pair_index(class.min(other), class.max(other), classes)];
            let side = if class < other {
                &pair.first
            } else {
                &pair.second
            };
            for &(row, beta) in side {
                all[row as usize * (classes - 1) + at] = beta as f32;
                used[row as usize] = true;
            }
        }
        counts.push(used.iter().filter(|&&used| used).count());
        for (row, _) in used.iter().enumerate().filter(|(_, used)| **used) {
            let source = members[row];
            rows.push(source as u32);
            features.extend(&problem.features[source * problem.width..][..problem.width]);
            for (at, column) in columns.iter_mut().enumerate() {
                column.push(all[row * (classes - 1) + at]);
            }
        }
    }
    let sigmoids = solved.iter().map(|pair| pair.sigmoid).collect();
    Svm::from_parts(Parts {
        counts,
        rows,
        coefficients: columns.concat(),
        bias: solved.iter().map(|pair| pair.bias).collect(),
        gamma,
        centre,
        sigmoids,
        features,
        centred: false,
    })
}
