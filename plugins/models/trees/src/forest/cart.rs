//! A classification tree (Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees",
//! 1984) with the Gini impurity and exact splits, with the conventions of scikit-learn: rows go left
//! where the value is at most the threshold, the threshold is half-way between neighbouring values,
//! a node draws features without replacement until it has seen as many as it may and at least one of
//! them is not constant, and the first of equally good splits is taken. Nodes and features come in its
//! order too, so that the same seed grows the same tree.

use super::random::NodeRandom;
use super::ranks::Ranks;
use crate::tree::Tree;

/// How trees are grown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Features that a node looks at.
    pub features: usize,
    pub max_depth: usize,
    pub min_split: usize,
    pub min_leaf: usize,
}

/// What a tree is grown on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    pub ranks: &'a Ranks,
    pub labels: &'a [u32],
    pub classes: usize,
    /// How often each row was drawn.
    pub counts: &'a [u32],
    /// Weight of each class.
    pub weights: &'a [f64],
    pub rules: Rules,
    /// Leaves hold class frequencies times this.
    pub share: f64,
}

/// Grows a tree on the rows that were drawn at least once. `random` decides the features of each node.
pub(super) fn grow(ground: &Ground<'_>, random: NodeRandom) -> Tree {
    let rows: Vec<u32> = (0..ground.counts.len() as u32)
        .filter(|&row| ground.counts[row as usize] > 0)
        .collect();
    let mut grower = Grower {
        ground,
        random,
        rows,
        spare: Vec::new(),
        sorted: Vec::new(),
        table: Vec::new(),
        features: (0..ground.ranks.values.len()).collect(),
        constant: vec![0; ground.ranks.values.len()],
        tree: Tree::default(),
    };
    grower.run();
    grower.tree
}

struct Grower<'a> {
    ground: &'a Ground<'a>,
    random: NodeRandom,
    rows: Vec<u32>,
    spare: Vec<u32>,
    /// Rank and row of a node's rows, sorted.
    sorted: Vec<(u32, u32)>,
    /// Weight by rank and class.
    table: Vec<f64>,
    /// The features in some order: those known to be constant in a node come first.
    features: Vec<usize>,
    /// The features that were found constant on the way to a node, in the order of finding.
    constant: Vec<usize>,
    tree: Tree,
}

/// Rows `from..to` of the list, whose tree is to hang at `node`.
#[derive(Clone, Copy, Debug)]
struct Place {
    node: usize,
    depth: usize,
    from: usize,
    to: usize,
    /// How many features are known to be constant on its rows.
    constant: usize,
}

/// A way to split a node: ranks up to `low` go left, `high` is the next one in the node.
#[derive(Clone, Copy, Debug)]
struct Split {
    feature: usize,
    low: u32,
    high: u32,
    score: f64,
}

impl Grower<'_> {
    fn run(&mut self) {
        let classes = self.ground.classes;
        self.tree.push_leaf(classes);
        let mut waiting = vec![Place {
            node: 0,
            depth: 0,
            from: 0,
            to: self.rows.len(),
            constant: 0,
        }];
        let mut root_weight = 0.0;
        while let Some(place) = waiting.pop() {
            let weights = self.class_weights(place);
            let total: f64 = weights.iter().sum();
            if place.node == 0 {
                root_weight = total;
            }
            self.tree.cover[place.node] = total as f32;
            let (split, constant) = self.best(place, &weights, total);
            let Some(split) = split else {
                let to = place.node * classes;
                for (value, weight) in self.tree.value[to..to + classes].iter_mut().zip(&weights) {
                    *value = (weight / total * self.ground.share) as f32;
                }
                continue;
            };
            let column = self.ground.ranks.column(split.feature);
            let middle = partition(
                &mut self.rows[place.from..place.to],
                &mut self.spare,
                |row| column[row as usize] <= split.low,
            ) + place.from;
            let threshold = self
                .ground
                .ranks
                .threshold(split.feature, split.low, split.high);
            let left = self
                .tree
                .split(place.node, split.feature, threshold, false, classes);
            // Impurity times weight, here minus there; and as a share of the tree's weight.
            let squares: f64 = weights.iter().map(|w| w * w).sum();
            let gain = (split.score + total - squares / total) / root_weight;
            self.tree.gain[place.node] = gain.max(0.0) as f32;
            let child = |node, from, to| Place {
                node,
                depth: place.depth + 1,
                from,
                to,
                constant,
            };
            // The left one is taken first.
            waiting.push(child(left + 1, middle, place.to));
            waiting.push(child(left, place.from, middle));
        }
    }

    fn class_weights(&self, place: Place) -> Vec<f64> {
        let mut counts = vec![0u64; self.ground.classes];
        for &row in &self.rows[place.from..place.to] {
            counts[self.ground.labels[row as usize] as usize] +=
                u64::from(self.ground.counts[row as usize]);
        }
        counts
            .iter()
            .zip(self.ground.weights)
            .map(|(&count, weight)| count as f64 * weight)
            .collect()
    }

    /// The best split of a node, none for a leaf, and how many features are constant in it.
    ///
    /// Of [`Grower::features`], the first `known` are constant for an ancestor; of these the first
    /// `drawn` were drawn. Then come `found` ones that turned out constant here. From `open` on stand
    /// those that were looked at.
    fn best(&mut self, place: Place, weights: &[f64], total: f64) -> (Option<Split>, usize) {
        let rules = self.ground.rules;
        let n = place.to - place.from;
        let pure = weights.iter().filter(|weight| **weight > 0.0).count() < 2;
        let known = place.constant;
        if pure
            || place.depth >= rules.max_depth
            || n < rules.min_split
            || n < rules.min_leaf.saturating_mul(2)
        {
            return (None, known);
        }
        let mut best: Option<Split> = None;
        let (mut visited, mut drawn, mut found, mut open) = (0, 0, 0, self.features.len());
        while open > known + found && (visited < rules.features || visited <= found + drawn) {
            visited += 1;
            let mut at = self.random.between(drawn, open - found);
            if at < known {
                self.features.swap(drawn, at);
                drawn += 1;
                continue;
            }
            at += found;
            if self.try_feature(self.features[at], place, weights, total, &mut best) {
                open -= 1;
                self.features.swap(open, at);
            } else {
                self.features.swap(known + found, at);
                found += 1;
            }
        }
        // The order in which they were drawn is not handed on, that in which they were found is.
        self.features[..known].copy_from_slice(&self.constant[..known]);
        let here = known..known + found;
        self.constant[here.clone()].copy_from_slice(&self.features[here]);
        (best, known + found)
    }

    /// Looks for a better split on a feature; false where the feature is constant in the node.
    fn try_feature(
        &mut self,
        feature: usize,
        place: Place,
        weights: &[f64],
        total: f64,
        best: &mut Option<Split>,
    ) -> bool {
        let column = self.ground.ranks.column(feature);
        let rows = &self.rows[place.from..place.to];
        self.sorted.clear();
        let (mut low, mut high) = (u32::MAX, 0);
        for &row in rows {
            let rank = column[row as usize];
            (low, high) = (low.min(rank), high.max(rank));
            self.sorted.push((rank, row));
        }
        if low == high {
            return false;
        }
        let mut scan = Scan::new(
            feature,
            weights,
            total,
            rows.len(),
            self.ground.rules.min_leaf,
        );
        let classes = self.ground.classes;
        let width = (high - low) as usize + 1;
        let weight = |row: u32| {
            let row = row as usize;
            let class = self.ground.labels[row] as usize;
            (
                class,
                f64::from(self.ground.counts[row]) * self.ground.weights[class],
            )
        };
        if width <= 2 * rows.len() {
            // Few ranks: a table by rank and class (its last column counts rows) needs no sorting.
            let stride = classes + 1;
            self.table.clear();
            self.table.resize(width * stride, 0.0);
            for &(rank, row) in &self.sorted {
                let at = (rank - low) as usize * stride;
                let (class, weight) = weight(row);
                self.table[at + class] += weight;
                self.table[at + classes] += 1.0;
            }
            for (i, cell) in self.table.chunks_exact(stride).enumerate() {
                if cell[classes] > 0.0 {
                    let rank = low + i as u32;
                    scan.boundary(rank, best);
                    for (class, &weight) in cell[..classes].iter().enumerate() {
                        scan.left[class] += weight;
                    }
                    scan.count += cell[classes] as usize;
                    scan.last = Some(rank);
                }
            }
        } else {
            self.sorted.sort_unstable();
            for &(rank, row) in &self.sorted {
                if scan.last != Some(rank) {
                    scan.boundary(rank, best);
                }
                let (class, weight) = weight(row);
                scan.left[class] += weight;
                scan.count += 1;
                scan.last = Some(rank);
            }
        }
        true
    }
}

/// A walk over a feature's ranks, with the weights of what lies below.
struct Scan<'a> {
    feature: usize,
    all: &'a [f64],
    total: f64,
    rows: usize,
    min_leaf: usize,
    left: Vec<f64>,
    count: usize,
    last: Option<u32>,
}

impl<'a> Scan<'a> {
    fn new(feature: usize, all: &'a [f64], total: f64, rows: usize, min_leaf: usize) -> Self {
        Self {
            feature,
            all,
            total,
            rows,
            min_leaf,
            left: vec![0.0; all.len()],
            count: 0,
            last: None,
        }
    }

    /// Between the last rank and this one: the Gini impurities of both sides times their weights, with
    /// a minus sign. Written as scikit-learn has it, since rounding decides between equal splits.
    fn boundary(&self, rank: u32, best: &mut Option<Split>) {
        let Some(low) = self.last else { return };
        if self.count < self.min_leaf || self.rows - self.count < self.min_leaf {
            return;
        }
        let (mut left, mut right, mut sum) = (0.0, 0.0, 0.0);
        for (&l, &all) in self.left.iter().zip(self.all) {
            left += l * l;
            right += (all - l) * (all - l);
            sum += l;
        }
        let rest = self.total - sum;
        let score = -rest * (1.0 - right / (rest * rest)) - sum * (1.0 - left / (sum * sum));
        if best.is_none_or(|best| score > best.score) {
            *best = Some(Split {
                feature: self.feature,
                low,
                high: rank,
                score,
            });
        }
    }
}

/// Moves the rows that go left to the front, keeping the order on both sides; gives their number.
fn partition(rows: &mut [u32], spare: &mut Vec<u32>, left: impl Fn(u32) -> bool) -> usize {
    spare.clear();
    let mut to = 0;
    for i in 0..rows.len() {
        let row = rows[i];
        if left(row) {
            rows[to] = row;
            to += 1;
        } else {
            spare.push(row);
        }
    }
    rows[to..].copy_from_slice(spare);
    to
}
