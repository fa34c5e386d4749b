//! A trained machine, and what it answers.

use xbench_nn::Threads;
use xbench_nn::kernel::tile::{Gather, Multiply, Packed, Rows, Run, multiply};

use crate::coupling::Coupling;
use crate::error::length;
use crate::panels::{PANEL, Panels, squared_norm};
use crate::platt::Sigmoid;
use crate::{SvmError, pair_count, pair_index, pairs};

/// Rows that one job takes through the support vectors of one class. With 784 features they fill
/// 400 kB, next to a panel of support vectors in a second-level cache.
const ROWS: usize = 128;

/// Everything that makes a machine; lengths and values are checked by
/// [`Svm::from_parts`] and by whoever read them.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// Support vectors of each class.
    pub(crate) counts: Vec<usize>,
    /// Their rows in the training data, class by class.
    pub(crate) rows: Vec<u32>,
    /// `[classes − 1, support]`.
    pub(crate) coefficients: Vec<f32>,
    /// `[pairs]`.
    pub(crate) bias: Vec<f64>,
    pub(crate) gamma: f64,
    /// `[width]`.
    pub(crate) centre: Vec<f32>,
    /// `[pairs]`.
    pub(crate) sigmoids: Option<Vec<Sigmoid>>,
    /// `[support, width]`.
    pub(crate) features: Vec<f32>,
    /// Is the centre taken off the features?
    pub(crate) centred: bool,
}

/// The support vectors of one class.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) panels: Panels,
    /// Coefficients of each panel's vectors, `[PANEL, classes − 1]`, one column for each other
    /// class.
    pub(crate) forward: Vec<Packed>,
    /// The same, `[classes − 1, PANEL]`.
    pub(crate) backward: Vec<Packed>,
}

/// A trained support vector machine of several classes. See the [crate] for what it computes.
#[derive(Clone, Debug)]
pub struct Svm {
    gamma: f64,
    bias: Vec<f64>,
    sigmoids: Option<Vec<Sigmoid>>,
    rows: Vec<u32>,
    centre: Vec<f32>,
    /// `[classes − 1, support]`.
    coefficients: Vec<f32>,
    pub(crate) groups: Vec<Group>,
    weigh: Gather,
}

/// Some rows with the centre taken off, and their squared norms.
pub(crate) struct Chunk {
    pub(crate) x: Vec<f32>,
    pub(crate) norms: Vec<f32>,
}

/// A run of all elements of a row.
pub(crate) fn whole(len: usize) -> Gather {
    Gather::new([Run { offset: 0, len }])
}

/// `out = x · weights` for rows of `x` `stride` apart.
pub(crate) fn product(
    gather: &Gather,
    x: &[f32],
    (rows, stride): (usize, usize),
    weights: &Packed,
    out: &mut [f32],
) {
    multiply(Multiply {
        a: x,
        rows: Rows {
            offsets: &[0],
            images: rows,
            stride,
        },
        gather,
        weights,
        bias: None,
        relu: false,
        out,
        out_stride: weights.shape().1,
    });
}

impl Svm {
    pub(crate) fn from_parts(parts: Parts) -> Result<Self, SvmError> {
        let classes = parts.counts.len();
        let (support, width) = (parts.rows.len(), parts.centre.len());
        let others = classes.saturating_sub(1);
        length("support vectors", parts.counts.iter().sum(), support)?;
        length("support features", parts.features.len(), support * width)?;
        length("coefficients", parts.coefficients.len(), support * others)?;
        length("biases", parts.bias.len(), pair_count(classes))?;
        let mut features = parts.features;
        let uncentred = if parts.centred {
            &mut []
        } else {
            &mut features[..]
        };
        for row in uncentred.chunks_exact_mut(width) {
            for (value, &centre) in row.iter_mut().zip(&parts.centre) {
                *value -= centre;
            }
        }
        let mut groups = Vec::with_capacity(classes);
        let mut start = 0;
        for &count in &parts.counts {
            let rows = features[start * width..(start + count) * width].chunks_exact(width);
            let panels = Panels::new(width, rows);
            let coefficient = |panel: usize, row: usize, other: usize| {
                let at = panel * PANEL + row;
                if at < count {
                    parts.coefficients[other * support + start + at]
                } else {
                    0.0
                }
            };
            let forward = (0..panels.count()).map(|panel| {
                let mut packed = Packed::zeros(PANEL, others);
                packed.fill(|row, other| coefficient(panel, row, other));
                packed
            });
            let backward = (0..panels.count()).map(|panel| {
                let mut packed = Packed::zeros(others, PANEL);
                packed.fill(|other, row| coefficient(panel, row, other));
                packed
            });
            groups.push(Group {
                forward: forward.collect(),
                backward: backward.collect(),
                panels,
            });
            start += count;
        }
        Ok(Self {
            gamma: parts.gamma,
            bias: parts.bias,
            sigmoids: parts.sigmoids,
            rows: parts.rows,
            centre: parts.centre,
            coefficients: parts.coefficients,
            groups,
            weigh: whole(PANEL),
        })
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.groups.len()
    }

    /// Features of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.centre.len()
    }

    /// Number of pairs of classes.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.bias.len()
    }

    /// γ.
    #[must_use]
    pub fn gamma(&self) -> f64 {
        self.gamma
    }

    /// Number of support vectors, each counted once however many pairs it serves.
    #[must_use]
    pub fn support_vectors(&self) -> usize {
        self.rows.len()
    }

    /// Support vectors of each class.
    #[must_use]
    pub fn support_counts(&self) -> Vec<usize> {
        self.groups.iter().map(|group| group.panels.len()).collect()
    }

    /// The support vectors' rows in the training data, class by class.
    #[must_use]
    pub fn support_rows(&self) -> &[u32] {
        &self.rows
    }

    /// y α, `[classes − 1, support vectors]`: entry (j, s) belongs to the pair of the class of s
    /// with the j-th other class (libsvm's `sv_coef`, scikit-learn's `dual_coef_`).
    #[must_use]
    pub fn coefficients(&self) -> Vec<f32> {
        self.coefficients.clone()
    }

    /// Constants of the decisions, `[pairs]` (libsvm's −rho, scikit-learn's `intercept_`).
    #[must_use]
    pub fn bias(&self) -> &[f64] {
        &self.bias
    }

    /// The support vectors with the centre taken off, `[support vectors, features]`.
    pub(crate) fn support_features(&self) -> Vec<f32> {
        let mut features = vec![0.0; self.support_vectors() * self.features()];
        let mut slots = features.chunks_exact_mut(self.features());
        for group in &self.groups {
            for (row, slot) in (0..group.panels.len()).zip(&mut slots) {
                group.panels.row(row, slot);
            }
        }
        features
    }

    /// Platt's a and b of each pair.
    pub(crate) fn sigmoids(&self) -> Option<&[Sigmoid]> {
        self.sigmoids.as_deref()
    }

    pub(crate) fn centre(&self) -> &[f32] {
        &self.centre
    }

    /// Does it give probabilities?
    #[must_use]
    pub fn has_probabilities(&self) -> bool {
        self.sigmoids.is_some()
    }

    /// Rows of `x`, `[n, features]`.
    pub(crate) fn row_count(&self, x: &[f32]) -> Result<usize, SvmError> {
        let rows = x.len() / self.features();
        length("features", x.len(), rows * self.features())?;
        Ok(rows)
    }

    pub(crate) fn chunks(&self, threads: &Threads, x: &[f32]) -> Vec<Chunk> {
        let width = self.features();
        threads.map(x.chunks(ROWS * width).collect(), |rows| {
            let centred = rows.chunks_exact(width).flat_map(|row| {
                let pairs = row.iter().zip(&self.centre);
                pairs.map(|(value, centre)| value - centre)
            });
            let x: Vec<f32> = centred.collect();
            Chunk {
                norms: x.chunks_exact(width).map(squared_norm).collect(),
                x,
            }
        })
    }

    /// What the support vectors of one class add to its pairs: `[rows, classes − 1]`.
    ///
    /// Sums over a panel are f32, over the panels f64.
    fn class_sums(&self, group: &Group, chunk: &Chunk) -> Vec<f64> {
        let others = self.classes() - 1;
        let rows = chunk.norms.len();
        let mut kernel = vec![0.0; rows * PANEL];
        let mut part = vec![0.0; rows * others];
        let mut sums = vec![0.0; rows * others];
        for (panel, coefficients) in group.forward.iter().enumerate() {
            let gamma = self.gamma as f32;
            group
                .panels
                .kernel(panel, &chunk.x, &chunk.norms, gamma, &mut kernel, PANEL);
            product(&self.weigh, &kernel, (rows, PANEL), coefficients, &mut part);
            for (sum, &part) in sums.iter_mut().zip(&part) {
                *sum += f64::from(part);
            }
        }
        sums
    }

    /// Decision values of the pairs, `[n, pairs]`, in the order (0, 1), (0, 2), …; above 0 for the
    /// first class of a pair. `x` is `[n, features]`.
    ///
    /// # Errors
    /// `Length` when `x` has no whole number of rows.
    pub fn decision_values(&self, threads: &Threads, x: &[f32]) -> Result<Vec<f64>, SvmError> {
        let (rows, classes) = (self.row_count(x)?, self.classes());
        let others = classes - 1;
        let chunks = self.chunks(threads, x);
        let jobs = chunks
            .iter()
            .flat_map(|chunk| self.groups.iter().map(move |group| (group, chunk)))
            .collect();
        let sums: Vec<Vec<f64>> = threads.map(jobs, |(group, chunk)| self.class_sums(group, chunk));
        let mut decisions = Vec::with_capacity(rows * self.pairs());
        for (chunk, sums) in chunks.iter().zip(sums.chunks_exact(classes)) {
            for row in 0..chunk.norms.len() {
                for (a, b) in pairs(classes) {
                    let first = sums[a][row * others + b - 1];
                    let second = sums[b][row * others + a];
                    let bias = self.bias[pair_index(a, b, classes)];
                    decisions.push(first + second + bias);
                }
            }
        }
        Ok(decisions)
    }

    /// How many pairs each class wins, `[n, classes]`, from decision values `[n, pairs]`.
    #[must_use]
    pub fn votes(&self, decisions: &[f64]) -> Vec<u32> {
        let classes = self.classes();
        let mut votes = Vec::with_capacity(decisions.len() / self.pairs() * classes);
        for decisions in decisions.chunks_exact(self.pairs()) {
            let start = votes.len();
            votes.resize(start + classes, 0);
            for ((a, b), &decision) in pairs(classes).zip(decisions) {
                votes[start + if decision > 0.0 { a } else { b }] += 1;
            }
        }
        votes
    }

    /// The class with the most votes for each row, the first of them when several have: libsvm's
    /// prediction. The class of the largest probability may be another one.
    ///
    /// # Errors
    /// `Length` when `x` has no whole number of rows.
    pub fn predict(&self, threads: &Threads, x: &[f32]) -> Result<Vec<usize>, SvmError> {
        let votes = self.votes(&self.decision_values(threads, x)?);
        Ok(votes
            .chunks_exact(self.classes())
            .map(|votes| {
                let best = |best: usize, class| {
                    if votes[class] > votes[best] {
                        class
                    } else {
                        best
                    }
                };
                (1..votes.len()).fold(0, best)
            })
            .collect())
    }

    /// Probabilities of the classes, `[n, classes]`; `x` is `[n, features]`.
    ///
    /// # Errors
    /// `NoProbabilities` when trained without, `Length` when a length does not fit.
    pub fn probabilities(
        &self,
        threads: &Threads,
        x: &[f32],
        out: &mut [f32],
    ) -> Result<(), SvmError> {
        let sigmoids = self.sigmoids().ok_or(SvmError::NoProbabilities)?;
        length(
            "probabilities",
            out.len(),
            self.row_count(x)? * self.classes(),
        )?;
        let decisions = self.decision_values(threads, x)?;
        let mut coupling = Coupling::new(self.classes());
        let mut r = vec![0.0; self.pairs()];
        let rows = decisions.chunks_exact(self.pairs());
        for (decisions, out) in rows.zip(out.chunks_exact_mut(self.classes())) {
            for ((r, sigmoid), &decision) in r.iter_mut().zip(sigmoids).zip(decisions) {
                *r = sigmoid.probability(decision).0;
            }
            for (out, &p) in out.iter_mut().zip(coupling.probabilities(&r)) {
                *out = p as f32;
            }
        }
        Ok(())
    }
}
