//! Sums of gradients by bin, and the best split that they show.
//!
//! A row's gradient and Hessian are rounded to multiples of a power of two and packed into one
//! 64-bit integer, so that a histogram is made by one addition per value and its sums are exact: the
//! same in any order, for any number of threads, and a node's sums minus one child's are the other
//! child's. The power is chosen for each tree so that the sum over all rows takes 30 bits; rounding
//! moves a sum of n rows by some √n · 2⁻³¹ of that total. Only the choice of splits rests on
//! these sums; gains and leaf weights are computed from the gradients themselves (`grow`).
//!
//! Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System", 2016: algorithm 3 (sparsity-aware
//! split finding) and equation 7.

use super::bins::{Bins, MAX_BINS};

/// Features of a block: their bins of one row lie side by side.
pub(super) const LANES: usize = 8;

/// Sums by bin of a block of features. 16 KiB: two of them fit a first-level cache.
pub(super) type BlockSums = [[u64; MAX_BINS]; LANES];

/// Gradients rounded and packed: the gradient in the upper 32 bits, the Hessian in the lower.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    /// Of each row.
    pub values: Vec<u64>,
    /// What a unit of the upper half stands for.
    pub gradient_unit: f64,
    /// What a unit of the lower half stands for.
    pub hessian_unit: f64,
}

/// Bits that a sum over all rows may take.
const BITS: i32 = 30;

impl Packed {
    /// Packs the pairs of those rows that a tree is grown on.
    pub(super) fn fill(&mut self, pairs: &[[f32; 2]], rows: &[u32]) {
        let (mut gradient, mut hessian) = (0.0f64, 0.0f64);
        for &row in rows {
            let [g, h] = pairs[row as usize];
            gradient += f64::from(g.abs());
            hessian += f64::from(h);
        }
        self.gradient_unit = unit(gradient);
        self.hessian_unit = unit(hessian);
        let (up_g, up_h) = (1.0 / self.gradient_unit, 1.0 / self.hessian_unit);
        self.values.clear();
        self.values.resize(pairs.len(), 0);
        for &row in rows {
            let [g, h] = pairs[row as usize];
            let g = (f64::from(g) * up_g).round_ties_even() as i64;
            let h = (f64::from(h) * up_h).round_ties_even() as i64;
            self.values[row as usize] = (g << 32).wrapping_add(h) as u64;
        }
    }
}

/// The power of two of which `total` is at most 2³⁰ multiples.
fn unit(total: f64) -> f64 {
    if total > 0.0 && total.is_finite() {
        2f64.powi(total.log2().ceil() as i32 - BITS)
    } else {
        1.0
    }
}

/// The bins that one tree sees, block by block: `[blocks, rows]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// Features of the tree, ascending.
    pub columns: Vec<u32>,
    pub rows: usize,
    bins: Vec<[u8; LANES]>,
}

impl Blocks {
    /// Gathers the columns.
    pub(super) fn gather(&mut self, bins: &Bins, columns: Vec<u32>) {
        self.rows = bins.rows();
        self.bins
            .resize(columns.len().div_ceil(LANES) * self.rows, [0; LANES]);
        for (chosen, block) in columns
            .chunks(LANES)
            .zip(self.bins.chunks_mut(self.rows.max(1)))
        {
            for (lane, &column) in chosen.iter().enumerate() {
                for (to, &code) in block.iter_mut().zip(bins.column(column as usize)) {
                    to[lane] = code;
                }
            }
        }
        self.columns = columns;
    }

    pub(super) fn block(&self, block: usize) -> &[[u8; LANES]] {
        &self.bins[block * self.rows..(block + 1) * self.rows]
    }

    /// Bin of a row in the tree's column number `column`.
    pub(super) fn bin(&self, column: usize, row: u32) -> u8 {
        self.bins[column / LANES * self.rows + row as usize][column % LANES]
    }
}

/// Adds the rows' values to the bins that they are in.
pub(super) fn accumulate(bins: &[[u8; LANES]], rows: &[u32], values: &[u64], sums: &mut BlockSums) {
    for (&row, &value) in rows.iter().zip(values) {
        let codes = bins[row as usize];
        for (sums, code) in sums.iter_mut().zip(codes) {
            let sum = &mut sums[usize::from(code)];
            *sum = sum.wrapping_add(value);
        }
    }
}

/// What decides whether and where a node is split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub lambda: f64,
    pub alpha: f64,
    pub min_child_weight: f64,
}

impl Rules {
    /// Half of what a leaf gains the objective, doubled as XGBoost does: G² / (H + λ).
    pub(super) fn score(&self, gradient: f64, hessian: f64) -> f64 {
        let g = self.shrink(gradient);
        let denominator = hessian + self.lambda;
        if denominator > 0.0 {
            g * g / denominator
        } else {
            0.0
        }
    }

    /// Weight of a leaf before shrinkage: -G / (H + λ), equation 5.
    pub(super) fn weight(&self, gradient: f64, hessian: f64) -> f64 {
        let denominator = hessian + self.lambda;
        if denominator > 0.0 {
            -self.shrink(gradient) / denominator
        } else {
            0.0
        }
    }

    /// The gradient moved towards 0 by α.
    #[inline(always)]
    fn shrink(&self, gradient: f64) -> f64 {
        gradient.signum() * (gradient.abs() - self.alpha).max(0.0)
    }
}

/// A way to split a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Split {
    /// Sum of the children's scores.
    pub score: f64,
    /// Number of the feature among the tree's columns.
    pub column: usize,
    /// Bins up to this one go left.
    pub bin: u8,
    /// Where missing values go.
    pub default_left: bool,
}

/// The node whose split is sought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Packed sum over its rows.
    pub total: u64,
    pub gradient_unit: f64,
    pub hessian_unit: f64,
}

/// The best split of a node on one feature: `sums` by bin, of which the first `values` are of values
/// and the next, if `missing`, is of missing ones. Of equal splits the lowest bin is taken, and
/// missing values go right.
#[inline(always)]
pub(super) fn best_split(
    sums: &[u64; MAX_BINS],
    values: usize,
    missing: bool,
    node: Node,
    rules: Rules,
    best: &mut Option<Split>,
    column: usize,
) {
    let mut left = [0u64; MAX_BINS];
    let mut sum = 0u64;
    for (left, &bin) in left.iter_mut().zip(&sums[..values]) {
        sum = sum.wrapping_add(bin);
        *left = sum;
    }
    let absent = if missing { sums[values] } else { 0 };
    // The last edge separates values from missing ones.
    let cuts = if absent != 0 { values } else { values - 1 };
    scan(&left, cuts, node, rules, best, column, false);
    if absent != 0 {
        for left in &mut left[..cuts] {
            *left = left.wrapping_add(absent);
        }
        // With all on the left there is no split.
        scan(&left, values - 1, node, rules, best, column, true);
    }
}

#[inline(always)]
fn scan(
    left: &[u64; MAX_BINS],
    cuts: usize,
    node: Node,
    rules: Rules,
    best: &mut Option<Split>,
    column: usize,
    default_left: bool,
) {
    let mut scores = [0f64; MAX_BINS];
    let plain = rules.alpha == 0.0;
    let least = rules.min_child_weight;
    let total_g = (node.total >> 32) as u32 as i32;
    let total_h = node.total as u32 as i32;
    for (score, &left) in scores[..cuts].iter_mut().zip(&left[..cuts]) {
        let g = (left >> 32) as u32 as i32;
        let h = left as u32 as i32;
        let gl = f64::from(g) * node.gradient_unit;
        let hl = f64::from(h) * node.hessian_unit;
        let gr = f64::from(total_g.wrapping_sub(g)) * node.gradient_unit;
        let hr = f64::from(total_h.wrapping_sub(h)) * node.hessian_unit;
        let (gl, gr) = if plain {
            (gl, gr)
        } else {
            (rules.shrink(gl), rules.shrink(gr))
        };
        let (dl, dr) = (hl + rules.lambda, hr + rules.lambda);
        let value = (gl * gl * dr + gr * gr * dl) / (dl * dr);
        let allowed = (hl >= least) & (hr >= least) & (h > 0) & (total_h.wrapping_sub(h) > 0);
        *score = if allowed { value } else { -1.0 };
    }
    let mut top = [-1f64; 8];
    for scores in scores[..cuts.next_multiple_of(8)].chunks_exact(8) {
        for (top, &score) in top.iter_mut().zip(scores) {
            *top = if score > *top { score } else { *top };
        }
    }
    let top = top
        .iter()
        .fold(-1.0, |a: f64, &b| if b > a { b } else { a });
    if top > best.map_or(0.0, |best| best.score)
        && let Some(bin) = scores[..cuts].iter().position(|&score| score == top)
    {
        *best = Some(Split {
            score: top,
            column,
            bin: bin as u8,
            default_left,
        });
    }
}
