//! One tree, and how trees become an ensemble.
//!
//! The order of nodes is canonical: level by level, so that the children of a tree's `i`-th inner
//! node are its nodes `2i + 1` and `2i + 2`. A right child always follows its sister, and files need
//! not store the children.

use xbench_plugin::{Error, Result, TreeEnsemble};

/// One tree; children are numbers within it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// What each node compares, or -1 in a leaf.
    pub feature: Vec<i32>,
    /// With what.
    pub threshold: Vec<f32>,
    /// Left child; 0 in leaves.
    pub left: Vec<u32>,
    /// Right child; 0 in leaves.
    pub right: Vec<u32>,
    /// 1 where NaN goes left.
    pub default_left: Vec<u8>,
    /// Training weight that reached the node.
    pub cover: Vec<f32>,
    /// By how much the split reduced the loss.
    pub gain: Vec<f32>,
    /// `[nodes, values]`; 0 in inner nodes.
    pub value: Vec<f32>,
}

impl Tree {
    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.feature.len()
    }

    /// Has it no node?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.feature.is_empty()
    }

    /// Adds a leaf with `values` zeros and gives its number.
    pub fn push_leaf(&mut self, values: usize) -> usize {
        self.feature.push(-1);
        self.threshold.push(0.0);
        self.left.push(0);
        self.right.push(0);
        self.default_left.push(0);
        self.cover.push(0.0);
        self.gain.push(0.0);
        self.value.resize(self.value.len() + values, 0.0);
        self.feature.len() - 1
    }

    /// Makes an inner node of a leaf, with two new leaves below; gives the left one's number, which
    /// the right one's follows.
    pub fn split(
        &mut self,
        node: usize,
        feature: usize,
        threshold: f32,
        default_left: bool,
        values: usize,
    ) -> usize {
        let left = self.push_leaf(values);
        let right = self.push_leaf(values);
        self.feature[node] = feature as i32;
        self.threshold[node] = threshold;
        self.default_left[node] = u8::from(default_left);
        self.left[node] = left as u32;
        self.right[node] = right as u32;
        left
    }
}

/// An ensemble without trees.
#[must_use]
pub fn empty(num_features: usize, base: Vec<f32>, strict: bool) -> TreeEnsemble {
    TreeEnsemble {
        num_features,
        num_outputs: base.len(),
        base,
        strict,
        ..TreeEnsemble::default()
    }
}

/// Appends a tree in the canonical order; nodes that its root does not lead to are left out.
///
/// # Errors
/// When a child's number is out of range, a node is reached twice (a cycle, or two parents), or the
/// ensemble grows beyond 2³¹ nodes.
pub fn push(ensemble: &mut TreeEnsemble, tree: &Tree, output: Option<usize>) -> Result<()> {
    let values = if output.is_some() {
        1
    } else {
        ensemble.num_outputs
    };
    let wrong = |what: String| Error::invalid_argument(format!("a tree: {what}"));
    let n = tree.len();
    let root = ensemble.feature.len();
    if n == 0 {
        return Err(wrong("it has no node".to_owned()));
    }
    if root + n > i32::MAX as usize {
        return Err(wrong("the ensemble has more than 2^31 nodes".to_owned()));
    }
    // Level by level: `order` is the queue as well as the result.
    let mut order = vec![0usize];
    let mut seen = vec![false; n];
    seen[0] = true;
    let mut at = 0;
    while at < order.len() {
        let node = order[at];
        at += 1;
        if tree.feature[node] < 0 {
            continue;
        }
        for child in [tree.left[node], tree.right[node]] {
            let child = child as usize;
            match seen.get_mut(child) {
                None => return Err(wrong(format!("node {node} has the child {child} of {n}"))),
                Some(seen) if *seen => {
                    return Err(wrong(format!("node {child} is reached twice")));
                }
                Some(seen) => *seen = true,
            }
            order.push(child);
        }
    }
    ensemble.roots.push(root as u32);
    ensemble
        .tree_output
        .push(output.map_or(-1, |output| output as i32));
    let mut inner = 0;
    for &node in &order {
        let leaf = tree.feature[node] < 0;
        ensemble
            .feature
            .push(if leaf { -1 } else { tree.feature[node] });
        ensemble
            .threshold
            .push(if leaf { 0.0 } else { tree.threshold[node] });
        let (left, right) = if leaf {
            (0, 0)
        } else {
            let left = root + 2 * inner + 1;
            inner += 1;
            (left as u32, left as u32 + 1)
        };
        ensemble.left.push(left);
        ensemble.right.push(right);
        ensemble
            .default_left
            .push(u8::from(!leaf && tree.default_left[node] != 0));
        ensemble.cover.push(tree.cover[node]);
        ensemble.gain.push(if leaf { 0.0 } else { tree.gain[node] });
        for value in &tree.value[node * values..(node + 1) * values] {
            ensemble.value.push(if leaf { *value } else { 0.0 });
        }
    }
    Ok(())
}

/// Keeps the first `trees` trees.
pub fn truncate(ensemble: &mut TreeEnsemble, trees: usize) {
    let Some(&end) = ensemble.roots.get(trees) else {
        return;
    };
    let (end, values) = (end as usize, ensemble.leaf_values());
    ensemble.roots.truncate(trees);
    ensemble.tree_output.truncate(trees);
    ensemble.feature.truncate(end);
    ensemble.threshold.truncate(end);
    ensemble.left.truncate(end);
    ensemble.right.truncate(end);
    ensemble.default_left.truncate(end);
    ensemble.cover.truncate(end);
    ensemble.gain.truncate(end);
    ensemble.value.truncate(end * values);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Root; left child a leaf; right child inner with two leaves; an unreachable node between.
    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.push_leaf(1);
        let left = tree.split(0, 2, 0.5, true, 1);
        tree.push_leaf(1);
        let below = tree.split(left + 1, 1, 1.5, false, 1);
        for (node, value) in [(left, 1.0), (below, 2.0), (below + 1, 3.0)] {
            tree.value[node] = value;
        }
        tree
    }

    #[test]
    fn trees_are_appended_level_by_level() {
        let mut ensemble = empty(3, vec![0.0, 0.0], true);
        push(&mut ensemble, &tree(), Some(1)).unwrap();
        push(&mut ensemble, &tree(), Some(0)).unwrap();
        ensemble.check().unwrap();
        assert_eq!(ensemble.roots, [0, 5]);
        assert_eq!(ensemble.feature[..5], [2, -1, 1, -1, -1]);
        assert_eq!(ensemble.left[5..], [6, 0, 8, 0, 0]);
        assert_eq!(ensemble.value[..5], [0.0, 1.0, 0.0, 2.0, 3.0]);
        let mut outputs = [0.0; 2];
        ensemble.outputs(&[0.0, 2.0, 0.5], &mut outputs);
        assert_eq!(outputs, [3.0, 3.0]);
        let whole = ensemble.clone();
        truncate(&mut ensemble, 2);
        assert_eq!(ensemble, whole);
        truncate(&mut ensemble, 1);
        assert_eq!((ensemble.roots.len(), ensemble.num_nodes()), (1, 5));
        ensemble.check().unwrap();
    }

    #[test]
    fn cycles_and_strangers_are_refused() {
        for change in [
            |tree: &mut Tree| tree.left[2] = 0,
            |tree: &mut Tree| tree.left[2] = 2,
            |tree: &mut Tree| tree.right[0] = tree.left[0],
            |tree: &mut Tree| tree.right[0] = 99,
            |tree: &mut Tree| tree.right[2] = u32::MAX,
        ] {
            let mut tree = tree();
            change(&mut tree);
            assert!(push(&mut empty(3, vec![0.0], true), &tree, Some(0)).is_err());
        }
        assert!(push(&mut empty(3, vec![0.0], true), &Tree::default(), Some(0)).is_err());
    }
}
