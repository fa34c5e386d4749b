//! Decision trees as flat arrays.

#![expect(unsafe_code, reason = "copies the arrays of the contract")]

use xbench_abi as abi;

use crate::error::{Error, Result};
use crate::ffi;

/// An additive ensemble of decision trees: `output[k] = base[k]` + the sum of the leaves that a row
/// reaches. A forest's leaves are divided by its number of trees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TreeEnsemble {
    /// Columns of a row.
    pub num_features: usize,
    /// Outputs of a row.
    pub num_outputs: usize,
    /// What each output begins with, `[outputs]`.
    pub base: Vec<f32>,
    /// Number of each tree's root, ascending from 0: a tree's nodes are those from its root up to the
    /// next.
    pub roots: Vec<u32>,
    /// The output that each tree adds to, or -1 where its leaves hold a value for every output. All
    /// trees are of one kind.
    pub tree_output: Vec<i32>,
    /// What each node compares, or -1 in a leaf.
    pub feature: Vec<i32>,
    /// With what.
    pub threshold: Vec<f32>,
    /// A row goes left where `x < threshold` (true) or `x <= threshold` (false).
    pub strict: bool,
    /// Number of each node's left child, greater than its own; 0 in leaves.
    pub left: Vec<u32>,
    /// Of the right child.
    pub right: Vec<u32>,
    /// 1 where NaN goes left.
    pub default_left: Vec<u8>,
    /// Training weight that reached each node.
    pub cover: Vec<f32>,
    /// By how much each split reduced the loss; 0 in leaves.
    pub gain: Vec<f32>,
    /// `[nodes]`, or `[nodes, outputs]` where `tree_output` is -1; 0 in inner nodes.
    pub value: Vec<f32>,
}

impl TreeEnsemble {
    /// Copies what a model showed, and checks it.
    ///
    /// # Errors
    /// What does not fit.
    ///
    /// # Safety
    /// The pointers must be null or point to as many elements as the contract says.
    pub unsafe fn from_abi(from: &abi::xb_tree_ensemble) -> Result<Self> {
        let (outputs, trees) = (from.num_outputs as usize, from.num_trees as usize);
        let (nodes, values) = (from.num_nodes as usize, from.leaf_values as usize);
        let values = nodes
            .checked_mul(values)
            .ok_or_else(|| Error::invalid_argument("trees: too many values"))?;
        // SAFETY: the caller's promise.
        let ensemble = unsafe {
            Self {
                num_features: from.num_features as usize,
                num_outputs: outputs,
                base: ffi::slice(from.base, outputs, "trees: base")?.to_vec(),
                roots: ffi::slice(from.roots, trees, "trees: roots")?.to_vec(),
                tree_output: ffi::slice(from.tree_output, trees, "trees: tree_output")?.to_vec(),
                feature: ffi::slice(from.feature, nodes, "trees: feature")?.to_vec(),
                threshold: ffi::slice(from.threshold, nodes, "trees: threshold")?.to_vec(),
                strict: from.strict != 0,
                left: ffi::slice(from.left, nodes, "trees: left")?.to_vec(),
                right: ffi::slice(from.right, nodes, "trees: right")?.to_vec(),
                default_left: ffi::slice(from.default_left, nodes, "trees: default_left")?.to_vec(),
                cover: ffi::slice(from.cover, nodes, "trees: cover")?.to_vec(),
                gain: ffi::slice(from.gain, nodes, "trees: gain")?.to_vec(),
                value: ffi::slice(from.value, values, "trees: value")?.to_vec(),
            }
        };
        ensemble.check()?;
        Ok(ensemble)
    }

    /// Number of nodes of all trees.
    #[must_use]
    pub fn num_nodes(&self) -> usize {
        self.feature.len()
    }

    /// Values of a node: 1, or one for each output.
    #[must_use]
    pub fn leaf_values(&self) -> usize {
        match self.tree_output.first() {
            Some(-1) => self.num_outputs,
            _ => 1,
        }
    }

    /// Does it hold what its fields promise? Where it does, walking from a root down ends in a leaf
    /// and stays within the arrays.
    ///
    /// # Errors
    /// What is wrong, with the number of the tree or the node.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::invalid_argument(format!("trees: {what}")));
        let (nodes, trees) = (self.num_nodes(), self.roots.len());
        let lengths = [
            ("base", self.base.len(), self.num_outputs),
            ("tree_output", self.tree_output.len(), trees),
            ("threshold", self.threshold.len(), nodes),
            ("left", self.left.len(), nodes),
            ("right", self.right.len(), nodes),
            ("default_left", self.default_left.len(), nodes),
            ("cover", self.cover.len(), nodes),
            ("gain", self.gain.len(), nodes),
            ("value", self.value.len(), nodes * self.leaf_values()),
        ];
        if let Some((name, got, want)) = lengths.iter().find(|(_, got, want)| got != want) {
            return wrong(format!("{name} has {got} elements, expected {want}"));
        }
        let vector = self.tree_output.first() == Some(&-1);
        for (tree, &output) in self.tree_output.iter().enumerate() {
            let known = usize::try_from(output).is_ok_and(|k| k < self.num_outputs);
            if known == vector || (vector && output != -1) {
                return wrong(format!("tree {tree} adds to output {output}"));
            }
        }
        for (tree, &root) in self.roots.iter().enumerate() {
            let root = root as usize;
            let end = self
                .roots
                .get(tree + 1)
                .map_or(nodes, |&next| next as usize);
            if root >= end || end > nodes || (tree == 0 && root != 0) {
                return wrong(format!(
                    "tree {tree} has its root at {root} of {nodes} nodes"
                ));
            }
            for node in root..end {
                let within = |child: u32| (node + 1..end).contains(&(child as usize));
                let inner = usize::try_from(self.feature[node]).ok();
                let fits = match inner {
                    None => self.feature[node] == -1,
                    Some(feature) => {
                        feature < self.num_features
                            && within(self.left[node])
                            && within(self.right[node])
                    }
                };
                if !fits {
                    return wrong(format!(
                        "node {node} compares feature {} and has children {} and {}",
                        self.feature[node], self.left[node], self.right[node]
                    ));
                }
            }
        }
        Ok(())
    }

    /// Adds up a row's leaves into `outputs`, which begins with `base`. Slow and plain: for tests and
    /// single rows. The ensemble must have passed [`check`](Self::check).
    pub fn outputs(&self, row: &[f32], outputs: &mut [f32]) {
        outputs.copy_from_slice(&self.base);
        let values = self.leaf_values();
        for (&root, &output) in self.roots.iter().zip(&self.tree_output) {
            let mut node = root as usize;
            while let Ok(feature) = usize::try_from(self.feature[node]) {
                let x = row[feature];
                let left = if x.is_nan() {
                    self.default_left[node] != 0
                } else if self.strict {
                    x < self.threshold[node]
                } else {
                    x <= self.threshold[node]
                };
                node = if left {
                    self.left[node]
                } else {
                    self.right[node]
                } as usize;
            }
            let leaf = &self.value[node * values..(node + 1) * values];
            match usize::try_from(output) {
                Ok(k) => outputs[k] += leaf[0],
                Err(_) => outputs.iter_mut().zip(leaf).for_each(|(y, v)| *y += v),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x0 < 0.5 ? 1 : (x1 <= ... )`: one tree of five nodes for output 1 of 2.
    fn stump() -> TreeEnsemble {
        TreeEnsemble {
            num_features: 2,
            num_outputs: 2,
            base: vec![0.25, -1.0],
            roots: vec![0],
            tree_output: vec![1],
            feature: vec![0, -1, 1, -1, -1],
            threshold: vec![0.5, 0.0, 2.0, 0.0, 0.0],
            strict: true,
            left: vec![1, 0, 3, 0, 0],
            right: vec![2, 0, 4, 0, 0],
            default_left: vec![0, 0, 1, 0, 0],
            cover: vec![5.0, 2.0, 3.0, 1.0, 2.0],
            gain: vec![1.0, 0.0, 0.5, 0.0, 0.0],
            value: vec![0.0, 1.0, 0.0, 2.0, 4.0],
        }
    }

    #[test]
    fn rows_walk_to_their_leaf() {
        let ensemble = stump();
        ensemble.check().expect("well formed");
        let outputs = |row: [f32; 2]| {
            let mut outputs = [0.0; 2];
            ensemble.outputs(&row, &mut outputs);
            outputs
        };
        assert_eq!(outputs([0.0, 9.0]), [0.25, 0.0]);
        assert_eq!(outputs([0.5, 1.0]), [0.25, 1.0]);
        assert_eq!(outputs([0.5, 2.0]), [0.25, 3.0]);
        // NaN goes right at the root, left at node 2.
        assert_eq!(outputs([f32::NAN, f32::NAN]), [0.25, 1.0]);
    }

    #[test]
    fn what_would_loop_or_leave_the_arrays_is_refused() {
        let broken = |change: fn(&mut TreeEnsemble)| {
            let mut ensemble = stump();
            change(&mut ensemble);
            ensemble.check().is_err()
        };
        assert!(broken(|e| e.left[2] = 0), "a cycle");
        assert!(broken(|e| e.right[2] = 5), "beyond the end");
        assert!(broken(|e| e.feature[0] = 2), "no such feature");
        assert!(broken(|e| e.feature[0] = -2), "no such feature");
        assert!(broken(|e| e.tree_output[0] = 2), "no such output");
        assert!(
            broken(|e| e.tree_output[0] = -1),
            "values of one output only"
        );
        assert!(broken(|e| e.roots[0] = 1), "nodes of no tree");
        assert!(
            broken(|e| {
                e.value.pop();
            }),
            "too short"
        );
    }
}
