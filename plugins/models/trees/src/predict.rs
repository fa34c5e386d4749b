//! Running an ensemble on many rows.
//!
//! Rows are taken in blocks that stay in the cache while tree after tree passes over them, eight rows
//! at a time, so that one row's wait for memory is filled by the others'. A row's sum is taken in the
//! order of the trees: it does not depend on its block.

use xbench_nn::Threads;
use xbench_plugin::{Result, TreeEnsemble};

/// Rows that go down a tree together.
const LANES: usize = 8;
/// Bytes of input that a block of rows may have: about a half of a second-level cache.
const BLOCK_BYTES: usize = 256 << 10;
/// Rows of a job for a thread.
const JOB: usize = 512;
/// Flag in `Node::feature`: NaN goes left.
const NAN_LEFT: u32 = 1 << 31;

/// A node as the walk wants it. A leaf leads to itself.
#[derive(Clone, Copy, Debug)]
struct Node {
    threshold: f32,
    /// Number of the feature, with [`NAN_LEFT`].
    feature: u32,
    left: u32,
    /// From the left child to the right one; 0 in leaves.
    step: u32,
}

/// An ensemble made ready to run.
#[derive(Clone, Debug)]
pub struct Predictor {
    nodes: Vec<Node>,
    /// Root and depth of each tree.
    trees: Vec<(u32, u32)>,
    tree_output: Vec<i32>,
    /// As in the ensemble.
    value: Vec<f32>,
    values: usize,
    base: Vec<f32>,
    features: usize,
}

impl Predictor {
    /// Makes an ensemble ready.
    ///
    /// # Errors
    /// When the ensemble is not well formed.
    pub fn new(ensemble: &TreeEnsemble) -> Result<Self> {
        ensemble.check()?;
        let mut nodes = Vec::with_capacity(ensemble.num_nodes());
        for node in 0..ensemble.num_nodes() {
            nodes.push(match u32::try_from(ensemble.feature[node]) {
                Err(_) => Node {
                    threshold: 0.0,
                    feature: 0,
                    left: node as u32,
                    step: 0,
                },
                Ok(feature) => Node {
                    // x <= t is x < (the next number after t).
                    threshold: if ensemble.strict {
                        ensemble.threshold[node]
                    } else {
                        ensemble.threshold[node].next_up()
                    },
                    feature: feature
                        | if ensemble.default_left[node] != 0 {
                            NAN_LEFT
                        } else {
                            0
                        },
                    left: ensemble.left[node],
                    step: ensemble.right[node].wrapping_sub(ensemble.left[node]),
                },
            });
        }
        let trees = (0..ensemble.roots.len())
            .map(|tree| (ensemble.roots[tree], depth(ensemble, tree) as u32))
            .collect();
        Ok(Self {
            nodes,
            trees,
            tree_output: ensemble.tree_output.clone(),
            value: ensemble.value.clone(),
            values: ensemble.leaf_values(),
            base: ensemble.base.clone(),
            features: ensemble.num_features,
        })
    }

    /// Fills `outputs`, `[n, outputs]`, for rows `x`, `[n, features]`.
    pub fn predict(&self, threads: &Threads, x: &[f32], outputs: &mut [f32]) {
        let k = self.base.len();
        if k == 0 || outputs.is_empty() {
            return;
        }
        let jobs: Vec<_> = outputs
            .chunks_mut(JOB * k)
            .enumerate()
            .map(|(i, outputs)| {
                let rows = outputs.len() / k;
                let from = i * JOB * self.features;
                (&x[from..from + rows * self.features], outputs)
            })
            .collect();
        threads.map(jobs, |(x, outputs)| {
            for row in outputs.chunks_exact_mut(k) {
                row.copy_from_slice(&self.base);
            }
            let block = (BLOCK_BYTES / (4 * self.features.max(1))).clamp(LANES, JOB);
            for (i, outputs) in outputs.chunks_mut(block * k).enumerate() {
                let from = i * block * self.features;
                let rows = outputs.len() / k;
                self.block(&x[from..from + rows * self.features], outputs);
            }
        });
    }

    /// Rows that fit the cache: all trees over them.
    fn block(&self, x: &[f32], outputs: &mut [f32]) {
        let (d, k) = (self.features, self.base.len());
        for (tree, &output) in self.trees.iter().zip(&self.tree_output) {
            for (i, outputs) in outputs.chunks_mut(LANES * k).enumerate() {
                let x = &x[i * LANES * d..];
                let count = outputs.len() / k;
                let leaves = self.leaves(*tree, x, count);
                for (row, &leaf) in outputs.chunks_exact_mut(k).zip(&leaves) {
                    match usize::try_from(output) {
                        Ok(output) => row[output] += self.value[leaf as usize],
                        Err(_) => {
                            let at = leaf as usize * self.values;
                            for (y, v) in row.iter_mut().zip(&self.value[at..at + self.values]) {
                                *y += v;
                            }
                        }
                    }
                }
            }
        }
    }

    /// The leaves of a tree that the first `count` rows reach.
    fn leaves(&self, (root, depth): (u32, u32), x: &[f32], count: usize) -> [u32; LANES] {
        let d = self.features;
        let mut at = [root; LANES];
        if count == LANES && d > 0 {
            let x = &x[..LANES * d];
            for _ in 0..depth {
                for (lane, at) in at.iter_mut().enumerate() {
                    *at = self.step(*at, &x[lane * d..(lane + 1) * d]);
                }
            }
        } else {
            for (at, row) in at.iter_mut().zip(x.chunks_exact(d.max(1))).take(count) {
                for _ in 0..depth {
                    *at = self.step(*at, row);
                }
            }
        }
        at
    }

    #[inline(always)]
    fn step(&self, at: u32, row: &[f32]) -> u32 {
        let node = self.nodes[at as usize];
        let x = row[(node.feature & !NAN_LEFT) as usize];
        let left = (x < node.threshold) | (x.is_nan() & (node.feature & NAN_LEFT != 0));
        node.left
            .wrapping_add(u32::from(!left).wrapping_mul(node.step))
    }
}

/// Levels below a tree's root.
fn depth(ensemble: &TreeEnsemble, tree: usize) -> usize {
    let root = ensemble.roots[tree] as usize;
    let end = ensemble
        .roots
        .get(tree + 1)
        .map_or(ensemble.num_nodes(), |&next| next as usize);
    let mut depth = vec![0; end - root];
    let mut deepest = 0;
    // Children come after their parents.
    for node in root..end {
        if ensemble.feature[node] >= 0 {
            let below = depth[node - root] + 1;
            deepest = deepest.max(below);
            depth[ensemble.left[node] as usize - root] = below;
            depth[ensemble.right[node] as usize - root] = below;
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{self, Tree};
    use xbench_plugin::rng::CounterRng;

    fn random_tree(rng: CounterRng, features: u64, splits: u64, values: usize) -> Tree {
        let mut tree = Tree::default();
        tree.push_leaf(values);
        for i in 0..splits {
            let leaves: Vec<usize> = (0..tree.len()).filter(|&n| tree.feature[n] < 0).collect();
            let node = leaves[rng.below(4 * i, leaves.len() as u64) as usize];
            let threshold = (rng.below(4 * i + 1, 5) as f32) * 0.25;
            let feature = rng.below(4 * i + 2, features) as usize;
            let nan_left = rng.bits(4 * i + 3) & 1 == 1;
            tree.split(node, feature, threshold, nan_left, values);
        }
        for (i, value) in tree.value.iter_mut().enumerate() {
            *value = rng.normal(1000 + i as u64) as f32;
        }
        tree
    }

    /// Against the plain walk, bit for bit, with values on thresholds, NaN and infinities, whatever
    /// the number of rows and threads.
    #[test]
    fn agrees_with_the_plain_walk() {
        let rng = CounterRng::new(5);
        for (strict, vector) in [(true, false), (false, false), (false, true)] {
            let mut ensemble = tree::empty(7, vec![0.5, -0.25, 0.0], strict);
            for t in 0..20 {
                let values = if vector { 3 } else { 1 };
                let tree = random_tree(rng.stream(t), 7, t % 9, values);
                let output = (!vector).then_some(t as usize % 3);
                tree::push(&mut ensemble, &tree, output).unwrap();
            }
            let predictor = Predictor::new(&ensemble).unwrap();
            for n in [1, 7, 8, 9, 1100] {
                let x: Vec<f32> = (0..n * 7)
                    .map(|i| match rng.below(i as u64, 9) {
                        0 => f32::NAN,
                        1 => f32::INFINITY,
                        2 => f32::NEG_INFINITY,
                        j => (j - 3) as f32 * 0.25,
                    })
                    .collect();
                let mut got = vec![0.0; n * 3];
                for count in [1, 3] {
                    predictor.predict(&Threads::new(count).unwrap(), &x, &mut got);
                    for (row, got) in got.chunks(3).enumerate() {
                        let mut want = [0.0; 3];
                        ensemble.outputs(&x[row * 7..(row + 1) * 7], &mut want);
                        assert_eq!(got, want, "row {row} of {n}");
                    }
                }
            }
        }
    }
}
