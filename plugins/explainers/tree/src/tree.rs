//! A tree made ready for walks: its edges in the order of a walk, parents before children.

use xbench_plugin::TreeEnsemble;

/// No leaf lies at the edge's end.
pub(crate) const NO_LEAF: u32 = u32::MAX;

/// A question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    pub(crate) feature: u32,
    pub(crate) threshold: f32,
    pub(crate) nan_left: bool,
}

impl Split {
    /// Does this value go left?
    #[inline(always)]
    pub(crate) fn left(&self, x: f32, strict: bool) -> bool {
        let below = if strict {
            x < self.threshold
        } else {
            x <= self.threshold
        };
        below | (x.is_nan() & self.nan_left)
    }
}

/// An edge and the node that it leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Edges from the root, this one included.
    pub(crate) depth: u32,
    /// Depth of the edge before on the path that asks about the same feature; 0 for none.
    pub(crate) previous: u32,
    /// Number of the question that the edge answers.
    pub(crate) split: u32,
    pub(crate) feature: u32,
    /// The answer no.
    pub(crate) right: bool,
    /// Number of the leaf's node, or [`NO_LEAF`].
    pub(crate) leaf: u32,
    /// Number of the first step that lies not below this one.
    pub(crate) end: u32,
    /// Share of the training weight that answers all of the path's questions about this feature, up
    /// to this one, as the path does.
    pub(crate) share: f64,
    /// The same up to `previous`; 1 where there is none.
    pub(crate) share_before: f64,
}

/// A tree whose root is no leaf.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) splits: Vec<Split>,
    pub(crate) steps: Vec<Step>,
    /// Edges of the longest path.
    pub(crate) depth: usize,
    /// The most distinct features on a path.
    pub(crate) distinct: usize,
    /// Sum of the leaves, each times its share of the training weight, per value of a leaf.
    pub(crate) expected: Vec<f64>,
    open: Vec<Open>,
    /// Depth of the latest edge on the path that asks about a feature.
    latest: Vec<u32>,
    todo: Vec<Todo>,
}

#[derive(Clone, Copy, Debug)]
struct Todo {
    node: u32,
    depth: u32,
    split: u32,
    right: bool,
    ratio: f64,
}

/// What is known of a depth of the current path.
#[derive(Clone, Copy, Debug)]
struct Open {
    step: usize,
    feature: u32,
    previous: u32,
    share: f64,
    distinct: usize,
    /// Share of the training weight that comes here.
    reach: f64,
}

const ROOT: Open = Open {
    step: 0,
    feature: 0,
    previous: 0,
    share: 1.0,
    distinct: 0,
    reach: 1.0,
};

impl Tree {
    /// Takes tree `number` of a well-formed ensemble, whatever was held before.
    ///
    /// An edge's share is its node's cover by its parent's, at most 1. Below a node without cover both
    /// edges get a half: no training row says how to share out.
    pub(crate) fn read(&mut self, ensemble: &TreeEnsemble, number: usize) {
        self.splits.clear();
        self.steps.clear();
        self.todo.clear();
        self.latest.clear();
        self.latest.resize(ensemble.num_features, 0);
        self.open.clear();
        self.open.push(ROOT);
        (self.depth, self.distinct) = (0, 0);
        let values = ensemble.leaf_values();
        self.expected.clear();
        self.expected.resize(values, 0.0);
        self.enter(ensemble, ensemble.roots[number], 0, 1.0);
        while let Some(edge) = self.todo.pop() {
            self.leave(edge.depth as usize);
            let feature = self.splits[edge.split as usize].feature;
            let above = self.open[edge.depth as usize - 1];
            let previous = self.latest[feature as usize];
            let share_before = self.open[previous as usize].share;
            let share_before = if previous == 0 { 1.0 } else { share_before };
            let here = Open {
                step: self.steps.len(),
                feature,
                previous,
                share: share_before * edge.ratio,
                distinct: above.distinct + usize::from(previous == 0),
                reach: above.reach * edge.ratio,
            };
            self.latest[feature as usize] = edge.depth;
            self.open.push(here);
            self.depth = self.depth.max(edge.depth as usize);
            self.distinct = self.distinct.max(here.distinct);
            let leaf = ensemble.feature[edge.node as usize] < 0;
            self.steps.push(Step {
                depth: edge.depth,
                previous,
                split: edge.split,
                feature,
                right: edge.right,
                leaf: if leaf { edge.node } else { NO_LEAF },
                end: 0,
                share: here.share,
                share_before,
            });
            self.enter(ensemble, edge.node, edge.depth, here.reach);
        }
        self.leave(1);
    }

    /// Goes back up until so many places are left of the path, the root being one.
    fn leave(&mut self, places: usize) {
        while self.open.len() > places {
            let Some(left) = self.open.pop() else { break };
            self.latest[left.feature as usize] = left.previous;
            self.steps[left.step].end = self.steps.len() as u32;
        }
    }

    /// Notes the edges below a node, or adds a leaf to what is expected.
    fn enter(&mut self, ensemble: &TreeEnsemble, node: u32, depth: u32, reach: f64) {
        let at = node as usize;
        let Ok(feature) = u32::try_from(ensemble.feature[at]) else {
            let values = self.expected.len();
            let leaf = &ensemble.value[at * values..(at + 1) * values];
            for (expected, &value) in self.expected.iter_mut().zip(leaf) {
                *expected += reach * f64::from(value);
            }
            return;
        };
        let split = self.splits.len() as u32;
        self.splits.push(Split {
            feature,
            threshold: ensemble.threshold[at],
            nan_left: ensemble.default_left[at] != 0,
        });
        for (node, right) in [(ensemble.right[at], true), (ensemble.left[at], false)] {
            self.todo.push(Todo {
                node,
                depth: depth + 1,
                split,
                right,
                ratio: ratio(ensemble.cover[at], ensemble.cover[node as usize]),
            });
        }
    }
}

fn ratio(parent: f32, child: f32) -> f64 {
    let weight = |cover: f32| {
        if cover.is_finite() {
            f64::from(cover.max(0.0))
        } else {
            0.0
        }
    };
    if weight(parent) > 0.0 {
        (weight(child) / weight(parent)).min(1.0)
    } else {
        0.5
    }
}
