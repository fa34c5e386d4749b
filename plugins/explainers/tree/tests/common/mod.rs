//! Random ensembles, and Shapley values by definition.

use xbench_plugin::TreeEnsemble;
use xbench_plugin::rng::CounterRng;

/// What the trees of a random ensemble look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) features: usize,
    pub(crate) outputs: usize,
    pub(crate) trees: usize,
    /// Questions of a tree, at most.
    pub(crate) splits: usize,
    /// Leaves hold a value per output.
    pub(crate) vector: bool,
    pub(crate) strict: bool,
}

/// Trees with questions at quarters from -1 to 1, some leaves without cover, some trees without any
/// question, features that recur on paths, and both directions for what is missing.
pub(crate) fn random_ensemble(shape: Shape, seed: u64) -> TreeEnsemble {
    let rng = CounterRng::new(seed);
    let mut ensemble = TreeEnsemble {
        num_features: shape.features,
        num_outputs: shape.outputs,
        base: (0..shape.outputs).map(|k| k as f32 - 0.5).collect(),
        strict: shape.strict,
        ..TreeEnsemble::default()
    };
    let values = if shape.vector { shape.outputs } else { 1 };
    for number in 0..shape.trees {
        let rng = rng.stream(number as u64);
        let splits = rng.below(0, shape.splits as u64 + 1) as usize;
        let root = ensemble.feature.len();
        ensemble.roots.push(root as u32);
        ensemble.tree_output.push(if shape.vector {
            -1
        } else {
            (number % shape.outputs) as i32
        });
        let mut leaves = vec![root];
        push_leaf(&mut ensemble, values);
        for split in 0..splits as u64 {
            let rng = rng.stream(split + 1);
            // Rather the latest leaves: paths grow long.
            let among = leaves.len().min(3);
            let chosen = leaves.len() - 1 - rng.below(0, among as u64) as usize;
            let node = leaves.swap_remove(chosen);
            ensemble.feature[node] = rng.below(1, shape.features as u64) as i32;
            ensemble.threshold[node] = (rng.below(2, 9) as f32 - 4.0) / 4.0;
            ensemble.default_left[node] = rng.below(3, 2) as u8;
            ensemble.gain[node] = rng.uniform(4) as f32;
            for child in 0..2 {
                let at = push_leaf(&mut ensemble, values);
                leaves.push(at);
                if child == 0 {
                    ensemble.left[node] = at as u32;
                } else {
                    ensemble.right[node] = at as u32;
                }
            }
        }
        for node in (root..ensemble.feature.len()).rev() {
            let rng = rng.stream(1000 + node as u64);
            if ensemble.feature[node] < 0 {
                ensemble.cover[node] = rng.below(0, 5) as f32;
                for value in &mut ensemble.value[node * values..(node + 1) * values] {
                    *value = rng.normal(1) as f32;
                }
                for k in 0..values {
                    ensemble.value[node * values + k] = rng.normal(1 + k as u64) as f32;
                }
            } else {
                let below = |child: u32| ensemble.cover[child as usize];
                ensemble.cover[node] = below(ensemble.left[node]) + below(ensemble.right[node]);
            }
        }
    }
    ensemble.check().expect("a sound ensemble");
    ensemble
}

fn push_leaf(ensemble: &mut TreeEnsemble, values: usize) -> usize {
    ensemble.feature.push(-1);
    ensemble.threshold.push(0.0);
    ensemble.left.push(0);
    ensemble.right.push(0);
    ensemble.default_left.push(0);
    ensemble.cover.push(0.0);
    ensemble.gain.push(0.0);
    ensemble.value.resize(ensemble.value.len() + values, 0.0);
    ensemble.feature.len() - 1
}

/// Values at quarters, so that thresholds are met, and here and there none.
pub(crate) fn random_rows(rows: usize, features: usize, seed: u64) -> Vec<f32> {
    let rng = CounterRng::new(seed);
    (0..rows * features)
        .map(|i| match rng.below(i as u64, 12) {
            0 => f32::NAN,
            _ => (rng.below((1 << 32) + i as u64, 13) as f32 - 6.0) / 4.0,
        })
        .collect()
}

/// What an output is expected to be when the row's features of `known` (bits) are known and the rest
/// is averaged with the covers: Algorithm 1 of Lundberg et al. 2020, node by node.
pub(crate) fn with_covers(ensemble: &TreeEnsemble, row: &[f32], output: usize, known: u32) -> f64 {
    let mut sum = f64::from(ensemble.base[output]);
    for (&root, &adds_to) in ensemble.roots.iter().zip(&ensemble.tree_output) {
        if adds_to == -1 || adds_to as usize == output {
            sum += expected(ensemble, row, output, known, root as usize);
        }
    }
    sum
}

fn expected(e: &TreeEnsemble, row: &[f32], output: usize, known: u32, node: usize) -> f64 {
    let Ok(feature) = usize::try_from(e.feature[node]) else {
        let values = e.leaf_values();
        let column = if values == 1 { 0 } else { output };
        return f64::from(e.value[node * values + column]);
    };
    let (left, right) = (e.left[node] as usize, e.right[node] as usize);
    if known >> feature & 1 == 1 {
        let x = row[feature];
        let goes_left = if x.is_nan() {
            e.default_left[node] != 0
        } else if e.strict {
            x < e.threshold[node]
        } else {
            x <= e.threshold[node]
        };
        return expected(e, row, output, known, if goes_left { left } else { right });
    }
    let share = if e.cover[node] > 0.0 {
        let share = |child: usize| f64::from(e.cover[child]) / f64::from(e.cover[node]);
        [share(left), share(right)]
    } else {
        [0.5; 2]
    };
    share[0] * expected(e, row, output, known, left)
        + share[1] * expected(e, row, output, known, right)
}

/// The same with what is unknown taken from background rows in turn.
pub(crate) fn with_background(
    ensemble: &TreeEnsemble,
    row: &[f32],
    background: &[f32],
    output: usize,
    known: u32,
) -> f64 {
    let rows = background.chunks(ensemble.num_features);
    let count = rows.len() as f64;
    rows.map(|other| {
        let mixed: Vec<f32> = (0..row.len())
            .map(|i| {
                if known >> i & 1 == 1 {
                    row[i]
                } else {
                    other[i]
                }
            })
            .collect();
        // Plain f64 sums, where the ensemble's own are single precision.
        with_covers(ensemble, &mixed, output, u32::MAX)
    })
    .sum::<f64>()
        / count
}

/// A game on a few features, by the worth of every set.
pub(crate) struct Game {
    worth: Vec<f64>,
    players: usize,
}

impl Game {
    pub(crate) fn new(players: usize, worth: impl Fn(u32) -> f64) -> Self {
        Self {
            worth: (0..1_u32 << players).map(worth).collect(),
            players,
        }
    }

    pub(crate) fn expected(&self) -> f64 {
        self.worth[0]
    }

    /// Shapley values by their definition.
    pub(crate) fn shapley(&self) -> Vec<f64> {
        (0..self.players)
            .map(|i| {
                self.without(1 << i)
                    .map(|set| {
                        let gain = self.worth[set | 1 << i] - self.worth[set];
                        gain * weight(set.count_ones() as usize, self.players - 1)
                    })
                    .sum()
            })
            .collect()
    }

    /// Interaction values by their definition (Lundberg et al. 2020, equations 5 to 7), `[players,
    /// players]`.
    pub(crate) fn interactions(&self) -> Vec<f64> {
        let n = self.players;
        let shapley = self.shapley();
        let mut matrix = vec![0.0; n * n];
        for i in 0..n {
            for j in (0..n).filter(|&j| j != i) {
                let (a, b) = (1 << i, 1 << j);
                matrix[i * n + j] = self
                    .without(a | b)
                    .map(|set| {
                        let together =
                            self.worth[set | a | b] - self.worth[set | a] - self.worth[set | b]
                                + self.worth[set];
                        0.5 * together * weight(set.count_ones() as usize, n - 2)
                    })
                    .sum::<f64>();
            }
            let others: f64 = (0..n).filter(|&j| j != i).map(|j| matrix[i * n + j]).sum();
            matrix[i * n + i] = shapley[i] - others;
        }
        matrix
    }

    fn without(&self, these: usize) -> impl Iterator<Item = usize> {
        (0..1_usize << self.players).filter(move |set| set & these == 0)
    }
}

/// |S|! (n - |S|)! / (n + 1)!, the chance that exactly S of n others come before.
fn weight(size: usize, n: usize) -> f64 {
    let factorial = |k: usize| (1..=k).map(|k| k as f64).product::<f64>();
    factorial(size) * factorial(n - size) / factorial(n + 1)
}
