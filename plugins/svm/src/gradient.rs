//! Derivatives by the features.
//!
//! A decision is Σ_s c_s K(x, s) + b, and ∂K/∂x = −2γ (x − s) K. So for weights g of the pairs the
//! gradient is −2γ (x Σ_s w_s − Σ_s w_s s) with w_s = K(x, s) Σ_pairs g c_s: two more products with
//! the support vectors.

use xbench_nn::Threads;
use xbench_nn::kernel::tile::Packed;

use crate::coupling::Coupling;
use crate::error::length;
use crate::model::{Chunk, Group, product, whole};
use crate::panels::PANEL;
use crate::{Svm, SvmError, pair_index};

/// Chunks of rows whose sums are held at once.
const CHUNKS: usize = 8;

/// Σ w and Σ w s of the support vectors of a class, for each row.
struct Pull {
    weights: Vec<f64>,
    vectors: Vec<f64>,
}

impl Svm {
    /// Gradient of Σ g · decision values with respect to the features, `[n, features]`; `g` is
    /// `[n, pairs]`.
    ///
    /// # Errors
    /// `Length` when a length does not fit.
    pub fn decision_gradient(
        &self,
        threads: &Threads,
        x: &[f32],
        g: &[f64],
    ) -> Result<Vec<f32>, SvmError> {
        let rows = self.row_count(x)?;
        length("weights of decisions", g.len(), rows * self.pairs())?;
        let width = self.features();
        let chunks = self.chunks(threads, x);
        let mut gradient = Vec::with_capacity(x.len());
        let mut start = 0;
        for chunks in chunks.chunks(CHUNKS) {
            let mut jobs = Vec::new();
            for chunk in chunks {
                let count = chunk.norms.len() * self.pairs();
                let g = &g[start..start + count];
                start += count;
                jobs.extend((0..self.classes()).map(|class| (class, chunk, g)));
            }
            let pulls = threads.map(jobs, |(class, chunk, g)| self.class_pull(class, chunk, g));
            for (chunk, pulls) in chunks.iter().zip(pulls.chunks_exact(self.classes())) {
                for (row, x) in chunk.x.chunks_exact(width).enumerate() {
                    let weight: f64 = pulls.iter().map(|pull| pull.weights[row]).sum();
                    for (feature, &x) in x.iter().enumerate() {
                        let at = row * width + feature;
                        let vectors: f64 = pulls.iter().map(|pull| pull.vectors[at]).sum();
                        let sum = weight * f64::from(x) - vectors;
                        gradient.push((-2.0 * self.gamma() * sum) as f32);
                    }
                }
            }
        }
        Ok(gradient)
    }

    fn class_pull(&self, class: usize, chunk: &Chunk, g: &[f64]) -> Pull {
        let (classes, width) = (self.classes(), self.features());
        let rows = chunk.norms.len();
        // The pairs of this class, in the order of its coefficients.
        let others = (0..classes).filter(|&other| other != class);
        let own: Vec<usize> = others
            .map(|other| pair_index(class.min(other), class.max(other), classes))
            .collect();
        let g: Vec<f32> = g
            .chunks_exact(self.pairs())
            .flat_map(|g| own.iter().map(|&pair| g[pair] as f32))
            .collect();
        let Group {
            panels, backward, ..
        } = &self.groups[class];
        let (spread, gather) = (whole(classes - 1), whole(PANEL));
        let mut pull = Pull {
            weights: vec![0.0; rows],
            vectors: vec![0.0; rows * width],
        };
        let mut kernel = vec![0.0; rows * PANEL];
        let mut weights = vec![0.0; rows * PANEL];
        let mut vectors = vec![0.0; rows * width];
        let mut support = Packed::default();
        for (panel, coefficients) in backward.iter().enumerate() {
            let gamma = self.gamma() as f32;
            panels.kernel(panel, &chunk.x, &chunk.norms, gamma, &mut kernel, PANEL);
            product(&spread, &g, (rows, classes - 1), coefficients, &mut weights);
            for (weight, &k) in weights.iter_mut().zip(&kernel) {
                *weight *= k;
            }
            panels.transposed(panel, &mut support);
            product(&gather, &weights, (rows, PANEL), &support, &mut vectors);
            let own = weights.chunks_exact(PANEL);
            for (sum, weights) in pull.weights.iter_mut().zip(own) {
                *sum += weights.iter().map(|&w| f64::from(w)).sum::<f64>();
            }
            for (sum, &part) in pull.vectors.iter_mut().zip(&vectors) {
                *sum += f64::from(part);
            }
        }
        pull
    }

    /// Gradient of Σ g · probabilities with respect to the features, `[n, features]`; `g` is
    /// `[n, classes]`. Where the probability of a pair has reached libsvm's limits of 10⁻⁷ and
    /// 1 − 10⁻⁷ that pair adds nothing, as the probabilities no longer change with it.
    ///
    /// # Errors
    /// `NoProbabilities` when trained without, `Length` when a length does not fit.
    pub fn probability_gradient(
        &self,
        threads: &Threads,
        x: &[f32],
        g: &[f32],
    ) -> Result<Vec<f32>, SvmError> {
        let sigmoids = self.sigmoids().ok_or(SvmError::NoProbabilities)?;
        let rows = self.row_count(x)?;
        length("weights of probabilities", g.len(), rows * self.classes())?;
        let mut weights = self.decision_values(threads, x)?;
        let mut coupling = Coupling::new(self.classes());
        let mut r = vec![0.0; self.pairs()];
        let mut slopes = vec![0.0; self.pairs()];
        let mut by_pair = vec![0.0; self.pairs()];
        let rows = weights.chunks_exact_mut(self.pairs());
        for (row, g) in rows.zip(g.chunks_exact(self.classes())) {
            for (pair, &decision) in row.iter().enumerate() {
                (r[pair], slopes[pair]) = sigmoids[pair].probability(decision);
            }
            let g: Vec<f64> = g.iter().map(|&g| f64::from(g)).collect();
            coupling.gradient(&r, &g, &mut by_pair);
            for ((weight, slope), by_pair) in row.iter_mut().zip(&slopes).zip(&by_pair) {
                *weight = slope * by_pair;
            }
        }
        self.decision_gradient(threads, x, &weights)
    }
}
