//! What a machine is asked for: probabilities of the classes, or scores made of its decisions.
//!
//! Decisions are about pairs. Their score of a class is that of scikit-learn's
//! `SVC.decision_function(decision_function_shape="ovr")`: the votes v of the pairs that the class
//! wins, and s / (3 (|s| + 1)) between −⅓ and ⅓ on top of it, where s is the sum of its decisions
//! (less those in which it is the second class of the pair). So the greatest score is that of the
//! class with the most votes, libsvm's prediction, and sums of decisions settle equal votes.

use xbench_nn::Threads;

use crate::error::length;
use crate::{Svm, SvmError, pairs};

/// What a machine is asked for, `[n, classes]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readout {
    /// Probabilities after Platt, of pairs coupled into those of classes.
    #[default]
    Probabilities,
    /// Votes of the pairs, with a fraction that their decisions' sum decides.
    Decisions,
}

impl Svm {
    /// What is asked for of rows `[n, features]`, as `[n, classes]`.
    ///
    /// # Errors
    /// `NoProbabilities` when they are asked for and the machine was trained without, `Length`
    /// when a length does not fit.
    pub fn outputs(
        &self,
        readout: Readout,
        threads: &Threads,
        x: &[f32],
        out: &mut [f32],
    ) -> Result<(), SvmError> {
        if readout == Readout::Probabilities {
            return self.probabilities(threads, x, out);
        }
        length("scores", out.len(), self.row_count(x)? * self.classes())?;
        let decisions = self.decision_values(threads, x)?;
        let votes = self.votes(&decisions);
        let rows = decisions.chunks_exact(self.pairs());
        let votes = votes.chunks_exact(self.classes());
        let out = out.chunks_exact_mut(self.classes());
        for ((decisions, votes), out) in rows.zip(votes).zip(out) {
            let sums = self.sums(decisions);
            for ((out, sum), &votes) in out.iter_mut().zip(sums).zip(votes) {
                *out = (f64::from(votes) + sum / (3.0 * (sum.abs() + 1.0))) as f32;
            }
        }
        Ok(())
    }

    /// Gradient of Σ g · outputs with respect to the features, `[n, features]`; `g` is
    /// `[n, classes]`. Votes are constant almost everywhere and add nothing.
    ///
    /// # Errors
    /// As [`Svm::outputs`].
    pub fn output_gradient(
        &self,
        readout: Readout,
        threads: &Threads,
        x: &[f32],
        g: &[f32],
    ) -> Result<Vec<f32>, SvmError> {
        if readout == Readout::Probabilities {
            return self.probability_gradient(threads, x, g);
        }
        let count = self.row_count(x)? * self.classes();
        length("weights of scores", g.len(), count)?;
        let mut weights = self.decision_values(threads, x)?;
        let rows = weights.chunks_exact_mut(self.pairs());
        for (row, g) in rows.zip(g.chunks_exact(self.classes())) {
            let by_sum: Vec<f64> = self
                .sums(row)
                .iter()
                .zip(g)
                .map(|(sum, &g)| f64::from(g) / (3.0 * (sum.abs() + 1.0).powi(2)))
                .collect();
            for ((a, b), weight) in pairs(self.classes()).zip(row) {
                *weight = by_sum[a] - by_sum[b];
            }
        }
        self.decision_gradient(threads, x, &weights)
    }

    /// Of one row's decisions, the sum of each class.
    fn sums(&self, decisions: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.classes()];
        for ((a, b), &decision) in pairs(self.classes()).zip(decisions) {
            sums[a] += decision;
            sums[b] -= decision;
        }
        sums
    }
}
