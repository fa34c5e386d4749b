//! Growing one tree.
//!
//! A node's best split does not depend on other nodes, so that nodes are visited depth first: at
//! most one histogram per level is alive, and a child's histogram is made while its parent's is in the
//! cache. The rows of the smaller child are added up; the larger child's sums are the parent's minus
//! those.

use std::ops::Range;

use xbench_nn::Threads;

use super::bins::{Bins, Cuts, MAX_BINS};
use super::histogram::{
    BlockSums, Blocks, LANES, Node, Packed, Rules, Split, accumulate, best_split,
};
use crate::tree::Tree;

/// Blocks of features that a job has when features are shared out over threads.
const JOB_BLOCKS: usize = 4;
/// The least loss reduction that counts as one, as in XGBoost.
const LEAST_GAIN: f64 = 1e-6;

/// What a tree is grown on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    pub bins: &'a Bins,
    /// Gradient and Hessian of each training row.
    pub pairs: &'a [[f32; 2]],
    pub rules: Rules,
    pub gamma: f64,
    pub eta: f64,
    pub max_depth: usize,
    /// Share the features of this tree out over these threads.
    pub threads: &'a Threads,
}

/// Memory that is used again for the next tree.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    blocks: Blocks,
    packed: Packed,
    spare: Vec<u32>,
    values: Vec<u64>,
    sums: Vec<Vec<BlockSums>>,
}

/// Which rows and columns a tree sees.
#[derive(Clone, Debug)]
pub(super) struct Sample<'a> {
    /// Rows that it learns from, ascending.
    pub rows: Vec<u32>,
    /// Rows that only go along to their leaf: not drawn, or held out.
    pub followers: Vec<u32>,
    /// Its columns, ascending; or blocks that hold them all.
    pub columns: Result<&'a Blocks, Vec<u32>>,
}

/// Grows a tree and adds its leaves to `margins`, one per row.
pub(super) fn grow(
    ground: &Ground<'_>,
    sample: Sample<'_>,
    scratch: &mut Scratch,
    margins: &mut [f32],
) -> Tree {
    let Scratch {
        blocks: own,
        packed,
        spare,
        values,
        sums,
    } = scratch;
    let blocks = match sample.columns {
        Ok(shared) => shared,
        Err(columns) => {
            own.gather(ground.bins, columns);
            &*own
        }
    };
    packed.fill(ground.pairs, &sample.rows);
    let mut grower = Grower {
        ground,
        blocks,
        packed,
        rows: sample.rows,
        followers: sample.followers,
        spare,
        values,
        pool: sums,
        tree: Tree::default(),
        leaves: Vec::new(),
    };
    grower.root();
    let Grower {
        mut tree,
        rows,
        followers,
        leaves,
        ..
    } = grower;
    finish(ground, &mut tree, &leaves, &rows);
    for leaf in &leaves {
        let value = tree.value[leaf.node];
        for &row in &rows[leaf.rows.clone()] {
            margins[row as usize] += value;
        }
        for &row in &followers[leaf.followers.clone()] {
            margins[row as usize] += value;
        }
    }
    tree
}

/// A node and the rows in it, as ranges of the lists of rows.
#[derive(Clone, Debug)]
struct Place {
    node: usize,
    depth: usize,
    rows: Range<usize>,
    followers: Range<usize>,
    total: u64,
}

struct Grower<'a> {
    ground: &'a Ground<'a>,
    blocks: &'a Blocks,
    packed: &'a Packed,
    rows: Vec<u32>,
    followers: Vec<u32>,
    spare: &'a mut Vec<u32>,
    values: &'a mut Vec<u64>,
    pool: &'a mut Vec<Vec<BlockSums>>,
    tree: Tree,
    leaves: Vec<Place>,
}

impl Grower<'_> {
    fn root(&mut self) {
        self.tree.push_leaf(1);
        let mut total = 0u64;
        self.values.clear();
        for &row in &self.rows {
            let value = self.packed.values[row as usize];
            total = total.wrapping_add(value);
            self.values.push(value);
        }
        let place = Place {
            node: 0,
            depth: 0,
            rows: 0..self.rows.len(),
            followers: 0..self.followers.len(),
            total,
        };
        if !self.may_split(&place) {
            self.leaves.push(place);
            return;
        }
        let mut sums = self.take_sums();
        let [best, _] = self.search(place.rows.clone(), [Some(total), None], &mut sums, None);
        self.expand(place, best, sums);
    }

    fn expand(&mut self, place: Place, best: Option<Split>, mut sums: Vec<BlockSums>) {
        let split = best.filter(|split| {
            let gain = split.score - self.score(place.total);
            gain > LEAST_GAIN && gain >= self.ground.gamma
        });
        let Some(split) = split else {
            self.pool.push(sums);
            self.leaves.push(place);
            return;
        };
        let column = self.blocks.columns[split.column] as usize;
        let cuts = &self.ground.bins.cuts[column];
        let threshold = cuts.edges[usize::from(split.bin)];
        let node = self
            .tree
            .split(place.node, column, threshold, split.default_left, 1);
        let absent = cuts.edges.len();
        let goes_left = |blocks: &Blocks, row| {
            let bin = usize::from(blocks.bin(split.column, row));
            if bin == absent {
                split.default_left
            } else {
                bin <= usize::from(split.bin)
            }
        };
        let rows = &mut self.rows[place.rows.clone()];
        let middle =
            place.rows.start + partition(rows, self.spare, |row| goes_left(self.blocks, row));
        let followers = &mut self.followers[place.followers.clone()];
        let follow = place.followers.start
            + partition(followers, self.spare, |row| goes_left(self.blocks, row));
        let child = |right: bool| Place {
            node: node + usize::from(right),
            depth: place.depth + 1,
            rows: if right {
                middle..place.rows.end
            } else {
                place.rows.start..middle
            },
            followers: if right {
                follow..place.followers.end
            } else {
                place.followers.start..follow
            },
            total: 0,
        };
        let (left, right) = (child(false), child(true));
        let left_is_small = left.rows.len() <= right.rows.len();
        let (mut small, mut large) = if left_is_small {
            (left, right)
        } else {
            (right, left)
        };
        self.values.clear();
        for &row in &self.rows[small.rows.clone()] {
            let value = self.packed.values[row as usize];
            small.total = small.total.wrapping_add(value);
            self.values.push(value);
        }
        large.total = place.total.wrapping_sub(small.total);
        let wanted = [&small, &large].map(|child| self.may_split(child).then_some(child.total));
        if wanted == [None, None] {
            self.pool.push(sums);
            self.leaves.extend([small, large]);
            return;
        }
        let mut small_sums = self.take_sums();
        let [small_best, large_best] =
            self.search(small.rows.clone(), wanted, &mut small_sums, Some(&mut sums));
        self.expand(small, small_best, small_sums);
        self.expand(large, large_best, sums);
    }

    /// Could a split of this node obey the rules?
    fn may_split(&self, place: &Place) -> bool {
        let hessian = f64::from(place.total as u32 as i32) * self.packed.hessian_unit;
        place.depth < self.ground.max_depth
            && place.rows.len() >= 2
            && hessian >= 2.0 * self.ground.rules.min_child_weight
            && !self.blocks.columns.is_empty()
    }

    fn score(&self, total: u64) -> f64 {
        let gradient = f64::from((total >> 32) as u32 as i32) * self.packed.gradient_unit;
        let hessian = f64::from(total as u32 as i32) * self.packed.hessian_unit;
        self.ground.rules.score(gradient, hessian)
    }

    fn take_sums(&mut self) -> Vec<BlockSums> {
        let blocks = self.blocks.columns.len().div_ceil(LANES);
        let mut sums = self.pool.pop().unwrap_or_default();
        sums.resize(blocks, [[0; MAX_BINS]; LANES]);
        sums
    }

    /// Makes the histogram of the rows (whose packed values are in `self.values`) in `sums`, takes it
    /// from the parent's, which becomes the sister's, and looks for the best split of those of the
    /// two nodes whose totals are given.
    fn search(
        &self,
        rows: Range<usize>,
        totals: [Option<u64>; 2],
        sums: &mut [BlockSums],
        parent: Option<&mut [BlockSums]>,
    ) -> [Option<Split>; 2] {
        let job = Search {
            blocks: self.blocks,
            cuts: &self.ground.bins.cuts,
            rows: &self.rows[rows],
            values: self.values,
            totals,
            units: [self.packed.gradient_unit, self.packed.hessian_unit],
            rules: self.ground.rules,
        };
        let threads = self.ground.threads;
        let size = if threads.count() > 1 {
            JOB_BLOCKS
        } else {
            sums.len().max(1)
        };
        let mut parents = parent.map(|parent| parent.chunks_mut(size));
        let jobs: Vec<_> = sums
            .chunks_mut(size)
            .enumerate()
            .map(|(i, sums)| (i * size, sums, parents.as_mut().and_then(Iterator::next)))
            .collect();
        let found = threads.map(jobs, |(first, sums, parent)| job.run(first, sums, parent));
        // In the order of the columns: of equal splits the first is taken.
        let mut best = [None; 2];
        for found in found {
            for (best, found) in best.iter_mut().zip(found) {
                let score = |split: &Option<Split>| split.map_or(0.0, |split| split.score);
                if score(&found) > score(best) {
                    *best = found;
                }
            }
        }
        best
    }
}

/// A search over blocks of features.
struct Search<'a> {
    blocks: &'a Blocks,
    cuts: &'a [Cuts],
    rows: &'a [u32],
    values: &'a [u64],
    totals: [Option<u64>; 2],
    units: [f64; 2],
    rules: Rules,
}

impl Search<'_> {
    fn run(
        &self,
        first: usize,
        sums: &mut [BlockSums],
        mut parents: Option<&mut [BlockSums]>,
    ) -> [Option<Split>; 2] {
        let mut best = [None; 2];
        let arch = pulp::Arch::new();
        for (i, sums) in sums.iter_mut().enumerate() {
            let block = first + i;
            sums.as_flattened_mut().fill(0);
            accumulate(self.blocks.block(block), self.rows, self.values, sums);
            let parent = parents.as_mut().map(|parents| &mut parents[i]);
            // The closure is compiled for the processor's vector units.
            arch.dispatch(
                #[inline(always)]
                || self.evaluate(block, sums, parent, &mut best),
            );
        }
        best
    }

    #[inline(always)]
    fn evaluate(
        &self,
        block: usize,
        sums: &BlockSums,
        mut parent: Option<&mut BlockSums>,
        best: &mut [Option<Split>; 2],
    ) {
        let columns = &self.blocks.columns[block * LANES..];
        for (lane, &column) in columns.iter().take(LANES).enumerate() {
            let cuts = &self.cuts[column as usize];
            let sums = &sums[lane];
            let sister = parent.as_mut().map(|parent| {
                let sister = &mut parent[lane];
                for (sister, &sum) in sister.iter_mut().zip(sums) {
                    *sister = sister.wrapping_sub(sum);
                }
                &*sister
            });
            let nodes = [Some(sums), sister];
            for ((sums, total), best) in nodes.into_iter().zip(self.totals).zip(&mut *best) {
                if let (Some(sums), Some(total)) = (sums, total) {
                    let node = Node {
                        total,
                        gradient_unit: self.units[0],
                        hessian_unit: self.units[1],
                    };
                    best_split(
                        sums,
                        cuts.edges.len(),
                        cuts.missing,
                        node,
                        self.rules,
                        best,
                        block * LANES + lane,
                    );
                }
            }
        }
    }
}

/// Moves the rows that go left to the front, keeping the order on both sides; gives their number.
fn partition(rows: &mut [u32], spare: &mut Vec<u32>, left: impl Fn(u32) -> bool) -> usize {
    spare.clear();
    spare.resize(rows.len(), 0);
    let (mut to, mut others) = (0, 0);
    for i in 0..rows.len() {
        let row = rows[i];
        let goes_left = left(row);
        // Without a branch: both places are written, one of them counts.
        rows[to] = row;
        spare[others] = row;
        to += usize::from(goes_left);
        others += usize::from(!goes_left);
    }
    rows[to..].copy_from_slice(&spare[..others]);
    to
}

/// Leaf weights, covers and gains from the gradients themselves.
fn finish(ground: &Ground<'_>, tree: &mut Tree, leaves: &[Place], rows: &[u32]) {
    let mut sums = vec![[0f64; 2]; tree.len()];
    for leaf in leaves {
        for &row in &rows[leaf.rows.clone()] {
            let [g, h] = ground.pairs[row as usize];
            sums[leaf.node][0] += f64::from(g);
            sums[leaf.node][1] += f64::from(h);
        }
        let [g, h] = sums[leaf.node];
        tree.value[leaf.node] = (ground.rules.weight(g, h) * ground.eta) as f32;
        tree.cover[leaf.node] = h as f32;
    }
    let score = |[g, h]: [f64; 2]| ground.rules.score(g, h);
    for node in (0..tree.len()).rev() {
        if tree.feature[node] < 0 {
            continue;
        }
        let (left, right) = (tree.left[node] as usize, tree.right[node] as usize);
        sums[node] = [0, 1].map(|i| sums[left][i] + sums[right][i]);
        // Covers add up exactly, so that files need to store those of the leaves alone.
        tree.cover[node] = tree.cover[left] + tree.cover[right];
        let gain = score(sums[left]) + score(sums[right]) - score(sums[node]);
        tree.gain[node] = gain.max(0.0) as f32;
    }
}
