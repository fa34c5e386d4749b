//! Rows of many images and scores in full batches.

use xbench_metrics::faithfulness::softmax_probability;

use super::{Outputs, Predictor};

/// Rows of one call to the model while scoring: large enough for the kernels, small enough for
/// the caches. Fixed, so that a score does not depend on the machine.
const BATCH_ROWS: usize = 128;

/// What the model says of a row about its target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// The probability of the target.
    pub(super) probability: f32,
    /// The model's own output for the target: its logit, where it gives logits.
    pub(super) output: f32,
    /// Is the target the class the model predicts? The first of equals is.
    pub(super) top: bool,
}

/// Where the outcome of a row comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Point {
    Known(Outcome),
    Slot(usize),
}

/// The outcomes of the rows that were asked for.
pub(super) struct Answers(Vec<Outcome>);

impl Answers {
    pub(super) fn of(&self, point: Point) -> Outcome {
        match point {
            Point::Known(outcome) => outcome,
            Point::Slot(slot) => self.0[slot],
        }
    }

    /// The probabilities of some points.
    pub(super) fn probabilities(&self, points: &[Point]) -> Vec<f64> {
        let probability = |&point| f64::from(self.of(point).probability);
        points.iter().map(probability).collect()
    }
}

/// Packs rows into batches and gives each row's outcome.
pub(super) struct Outcomes<'p, P> {
    predictor: &'p mut P,
    row_len: usize,
    rows: Vec<f32>,
    targets: Vec<i64>,
    outputs: Vec<f32>,
    done: Vec<Outcome>,
}

impl<'p, P: Predictor> Outcomes<'p, P> {
    pub(super) fn new(predictor: &'p mut P, row_len: usize) -> Self {
        let outputs = vec![0.0; BATCH_ROWS * predictor.num_outputs()];
        Self {
            predictor,
            row_len,
            rows: vec![0.0; BATCH_ROWS * row_len],
            targets: Vec::with_capacity(BATCH_ROWS),
            outputs,
            done: Vec::new(),
        }
    }

    /// The buffer of the next row, to be written before [`Self::push`].
    pub(super) fn row(&mut self) -> &mut [f32] {
        let start = self.targets.len() * self.row_len;
        &mut self.rows[start..start + self.row_len]
    }

    /// Takes the row that was written; answers where its outcome will stand.
    pub(super) fn push(&mut self, target: i64) -> Result<Point, P::Error> {
        self.targets.push(target);
        let slot = self.done.len() + self.targets.len() - 1;
        if self.targets.len() == BATCH_ROWS {
            self.flush()?;
        }
        Ok(Point::Slot(slot))
    }

    fn flush(&mut self) -> Result<(), P::Error> {
        let n = self.targets.len();
        if n == 0 {
            return Ok(());
        }
        let width = self.predictor.num_outputs();
        let kind = self.predictor.outputs();
        let outputs = &mut self.outputs[..n * width];
        self.predictor
            .predict(&self.rows[..n * self.row_len], outputs)?;
        for (row, &target) in outputs.chunks_exact(width).zip(&self.targets) {
            self.done.push(outcome(row, target, kind));
        }
        self.targets.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Answers, P::Error> {
        self.flush()?;
        Ok(Answers(self.done))
    }
}

fn outcome(row: &[f32], target: i64, kind: Outputs) -> Outcome {
    let target = usize::try_from(target).unwrap_or(usize::MAX);
    let output = row.get(target).copied().unwrap_or(f32::NAN);
    let probability = match kind {
        Outputs::Logits => softmax_probability(row, target).map_or(f32::NAN, |p| p as f32),
        Outputs::Direct => output,
    };
    let before = row.iter().take(target);
    let after = row.iter().skip(target.saturating_add(1));
    let top =
        before.clone().all(|&other| other < output) && after.clone().all(|&other| other <= output);
    Outcome {
        probability,
        output,
        top,
    }
}
