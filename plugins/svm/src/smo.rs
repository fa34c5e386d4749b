//! Sequential minimal optimisation of the dual problem of two classes.
//!
//! The problem of libsvm, min ½ αᵀQα − Σα with Q_st = y_s y_t K_st, 0 ≤ α ≤ C, Σ y α = 0, in the
//! variables β = yα: −C ≤ β ≤ 0 for y = −1, 0 ≤ β ≤ C for y = 1, and Σβ = 0. With
//! F_t = y_t − Σ_s β_s K_st, which is −y_t times libsvm's gradient, a variable may grow while it is
//! below its upper bound and shrink while it is above its lower one, and β is optimal when no
//! growing F exceeds a shrinking F. Each step moves the pair that libsvm moves: the largest F that
//! may grow, and the partner that promises the largest gain to second order (Fan, Chen and Lin,
//! "Working Set Selection Using Second Order Information for Training Support Vector Machines",
//! 2005, WSS 2); it stops at libsvm's rule, a largest violation below the tolerance.

use pulp::{Arch, Simd, WithSimd};

use crate::cache::KernelRows;
use crate::{Stop, SvmError};

/// Lanes of the reductions: two vectors of eight f64.
const LANES: usize = 16;
/// Curvatures are at least this, as in libsvm.
const TAU: f64 = 1e-12;
/// Steps between two looks at the caller's wish to stop.
const BETWEEN_CHECKS: u64 = 512;

/// A problem and how far it is solved. All slices are over the columns of the kernel rows.
#[derive(Clone, Debug)]
pub(crate) struct Smo {
    /// The variables.
    pub(crate) beta: Vec<f64>,
    /// y − Σ β K, for every column, of padding and held-out rows too.
    pub(crate) f: Vec<f64>,
    /// Largest value of each variable, 0 for columns that take no part.
    upper: Vec<f64>,
    /// Smallest value.
    lower: Vec<f64>,
    /// 0 where the variable may grow, else −∞.
    may_grow: Vec<f32>,
    /// 0 where it may shrink, else ∞.
    may_shrink: Vec<f32>,
    /// Steps done.
    pub(crate) iterations: u64,
}

/// A column and its value.
#[derive(Clone, Copy, Debug)]
struct Best {
    column: usize,
    value: f64,
}

impl Smo {
    /// `sign` is +1 or −1 for each column, or 0 for those that take no part; the others' variables
    /// go up to `c`.
    pub(crate) fn new(sign: &[f64], c: f64) -> Self {
        let mut smo = Self {
            beta: vec![0.0; sign.len()],
            f: sign.to_vec(),
            upper: sign
                .iter()
                .map(|&y| if y > 0.0 { c } else { 0.0 })
                .collect(),
            lower: sign
                .iter()
                .map(|&y| if y < 0.0 { -c } else { 0.0 })
                .collect(),
            may_grow: vec![f32::NEG_INFINITY; sign.len()],
            may_shrink: vec![f32::INFINITY; sign.len()],
            iterations: 0,
        };
        for column in 0..sign.len() {
            smo.mark(column);
        }
        smo
    }

    /// Takes columns out of the problem: their variables become 0. F is kept up, and the sum of
    /// the variables is brought back to 0 by lowering, towards 0, those of the side that is now
    /// too heavy.
    pub(crate) fn hold_out(&mut self, out: &[usize], rows: &mut KernelRows<'_>) {
        let mut changes = Vec::new();
        for &column in out {
            (self.upper[column], self.lower[column]) = (0.0, 0.0);
            if self.beta[column] != 0.0 {
                changes.push((column, -self.beta[column]));
                self.beta[column] = 0.0;
            }
            self.mark(column);
        }
        let mut surplus: f64 = self.beta.iter().sum();
        for column in 0..self.beta.len() {
            let beta = self.beta[column];
            if beta * surplus > 0.0 {
                let change = if surplus > 0.0 {
                    -beta.min(surplus)
                } else {
                    -beta.max(surplus)
                };
                self.beta[column] = if change == -beta { 0.0 } else { beta + change };
                surplus += change;
                changes.push((column, change));
                self.mark(column);
            }
        }
        for (at, &(column, change)) in changes.iter().enumerate() {
            let next = |rows: &KernelRows<'_>, n: usize| {
                let rest = changes[at + 1..].iter().map(|&(column, _)| column);
                rest.filter(|&column| !rows.holds(column)).take(n).collect()
            };
            let row = rows.fetch(column, None, next);
            for (f, &k) in self.f.iter_mut().zip(row) {
                *f -= change * f64::from(k);
            }
        }
    }

    fn mark(&mut self, column: usize) {
        let beta = self.beta[column];
        self.may_grow[column] = if beta < self.upper[column] {
            0.0
        } else {
            f32::NEG_INFINITY
        };
        self.may_shrink[column] = if beta > self.lower[column] {
            0.0
        } else {
            f32::INFINITY
        };
    }

    /// Steps until the largest violation is below `tolerance`. `check` is asked now and then.
    ///
    /// # Errors
    /// `Stopped`, or the violation and `NotConverged` for classes 0 and 0 after
    /// max(10⁷, 100 · columns) steps, as libsvm's limit is.
    pub(crate) fn solve(
        &mut self,
        rows: &mut KernelRows<'_>,
        tolerance: f64,
        check: &dyn Fn() -> Result<(), Stop>,
    ) -> Result<(), SvmError> {
        let limit = self.iterations + 10_000_000.max(100 * self.beta.len() as u64);
        let (mut grow, mut lowest) = self.extremes();
        while grow.value - lowest >= tolerance {
            if self.iterations.is_multiple_of(BETWEEN_CHECKS) {
                check().map_err(|Stop| SvmError::Stopped)?;
            }
            if self.iterations == limit {
                return Err(SvmError::NotConverged {
                    a: 0,
                    b: 0,
                    iterations: self.iterations,
                    violation: grow.value - lowest,
                });
            }
            let i = grow.column;
            let row = rows.fetch(i, None, |rows, n| self.violators(rows, n));
            let j = self.partner(grow, row);
            rows.fetch(j, Some(i), |rows, n| self.violators(rows, n));
            let (row_i, row_j) = rows.two(i, j);
            let curvature = (2.0 - 2.0 * f64::from(row_i[j])).max(TAU);
            let up = self.upper[i] - self.beta[i];
            let down = self.beta[j] - self.lower[j];
            let step = ((grow.value - self.f[j]) / curvature).min(up).min(down);
            // A bound is hit exactly, so that the variable counts as bounded.
            self.beta[i] = if step == up {
                self.upper[i]
            } else {
                self.beta[i] + step
            };
            self.beta[j] = if step == down {
                self.lower[j]
            } else {
                self.beta[j] - step
            };
            self.mark(i);
            self.mark(j);
            (grow, lowest) = self.update(step, row_i, row_j);
            self.iterations += 1;
        }
        Ok(())
    }

    fn extremes(&mut self) -> (Best, f64) {
        let zeros = vec![0.0; self.f.len()];
        self.update(0.0, &zeros, &zeros)
    }

    /// F −= step (K_i − K_j); then the largest F that may grow and the smallest that may shrink.
    fn update(&mut self, step: f64, row_i: &[f32], row_j: &[f32]) -> (Best, f64) {
        Arch::new().dispatch(Update {
            f: &mut self.f,
            may_grow: &self.may_grow,
            may_shrink: &self.may_shrink,
            step,
            row_i,
            row_j,
        })
    }

    /// Among the columns that may shrink and whose F is smaller, the one with the largest
    /// (F_i − F_j)² / (K_ii + K_jj − 2 K_ij).
    fn partner(&self, grow: Best, row: &[f32]) -> usize {
        Arch::new().dispatch(Partner {
            f: &self.f,
            may_shrink: &self.may_shrink,
            highest: grow.value,
            row,
        })
    }

    /// Columns that violate most and whose rows are not held: half of them would grow, half would
    /// shrink.
    fn violators(&self, rows: &KernelRows<'_>, wanted: usize) -> Vec<usize> {
        let pick = |mask: &[f32], wanted: usize, sign: f64| {
            let mut open: Vec<(f64, usize)> = (0..mask.len())
                .filter(|&column| mask[column] == 0.0 && !rows.holds(column))
                .map(|column| (sign * self.f[column], column))
                .collect();
            let order =
                |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            if open.len() > wanted && wanted > 0 {
                open.select_nth_unstable_by(wanted - 1, order);
            }
            open.truncate(wanted);
            open.sort_unstable_by(order);
            open
        };
        let growing = pick(&self.may_grow, wanted, 1.0);
        let shrinking = pick(&self.may_shrink, wanted, -1.0);
        let mut chosen: Vec<usize> = Vec::with_capacity(2 * wanted);
        for at in 0..wanted {
            for side in [&growing, &shrinking] {
                if let Some(&(_, column)) = side.get(at)
                    && !chosen.contains(&column)
                {
                    chosen.push(column);
                }
            }
        }
        chosen.truncate(wanted);
        chosen
    }

    /// The constant b of the decision Σ β K + b: the mean of F over the free variables, else the
    /// middle of what the bounded ones allow (libsvm's −rho).
    pub(crate) fn bias(&self) -> f64 {
        let (mut sum, mut free) = (0.0, 0_usize);
        let (mut above, mut below) = (f64::INFINITY, f64::NEG_INFINITY);
        for column in 0..self.beta.len() {
            let f = self.f[column];
            match (self.may_grow[column] == 0.0, self.may_shrink[column] == 0.0) {
                (true, true) => {
                    sum += f;
                    free += 1;
                }
                (true, false) => below = below.max(f),
                (false, true) => above = above.min(f),
                (false, false) => {}
            }
        }
        if free > 0 {
            sum / free as f64
        } else {
            (above + below) / 2.0
        }
    }
}

/// The loop of [`Smo::update`]. A type of its own, since what `dispatch` calls must be inlined to
/// be compiled for the widest vectors, and a closure may not be.
struct Update<'a> {
    f: &'a mut [f64],
    may_grow: &'a [f32],
    may_shrink: &'a [f32],
    step: f64,
    row_i: &'a [f32],
    row_j: &'a [f32],
}

impl WithSimd for Update<'_> {
    type Output = (Best, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (Best, f64) {
        let mut best = [f64::NEG_INFINITY; LANES];
        let mut at = [0_u32; LANES];
        let mut lowest = [f64::INFINITY; LANES];
        let (f, _) = self.f.as_chunks_mut::<LANES>();
        let (grow, _) = self.may_grow.as_chunks::<LANES>();
        let (shrink, _) = self.may_shrink.as_chunks::<LANES>();
        let (row_i, _) = self.row_i.as_chunks::<LANES>();
        let (row_j, _) = self.row_j.as_chunks::<LANES>();
        let masks = grow.iter().zip(shrink);
        let kernels = row_i.iter().zip(row_j);
        for (chunk, ((f, (grow, shrink)), (k_i, k_j))) in
            f.iter_mut().zip(masks).zip(kernels).enumerate()
        {
            for lane in 0..LANES {
                let value = f[lane] - self.step * f64::from(k_i[lane] - k_j[lane]);
                f[lane] = value;
                let growing = value + f64::from(grow[lane]);
                let better = growing > best[lane];
                best[lane] = if better { growing } else { best[lane] };
                at[lane] = if better { chunk as u32 } else { at[lane] };
                let shrinking = value + f64::from(shrink[lane]);
                lowest[lane] = if shrinking < lowest[lane] {
                    shrinking
                } else {
                    lowest[lane]
                };
            }
        }
        let mut found = Best {
            column: at[0] as usize * LANES,
            value: best[0],
        };
        let mut low = lowest[0];
        for lane in 1..LANES {
            if best[lane] > found.value {
                found = Best {
                    column: at[lane] as usize * LANES + lane,
                    value: best[lane],
                };
            }
            low = low.min(lowest[lane]);
        }
        (found, low)
    }
}

/// The loop of [`Smo::partner`].
struct Partner<'a> {
    f: &'a [f64],
    may_shrink: &'a [f32],
    highest: f64,
    row: &'a [f32],
}

impl WithSimd for Partner<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let mut best = [f32::NEG_INFINITY; LANES];
        let mut at = [0_u32; LANES];
        let (f, _) = self.f.as_chunks::<LANES>();
        let (shrink, _) = self.may_shrink.as_chunks::<LANES>();
        let (row, _) = self.row.as_chunks::<LANES>();
        for (chunk, ((f, shrink), k)) in f.iter().zip(shrink).zip(row).enumerate() {
            for lane in 0..LANES {
                let fall = (self.highest - f[lane]) as f32 - shrink[lane];
                let curvature = 2.0 - 2.0 * k[lane];
                let curvature = if curvature > TAU as f32 {
                    curvature
                } else {
                    TAU as f32
                };
                let gain = fall * fall / curvature;
                let better = fall > 0.0 && gain > best[lane];
                best[lane] = if better { gain } else { best[lane] };
                at[lane] = if better { chunk as u32 } else { at[lane] };
            }
        }
        let mut found = (best[0], at[0] as usize * LANES);
        for lane in 1..LANES {
            if best[lane] > found.0 {
                found = (best[lane], at[lane] as usize * LANES + lane);
            }
        }
        found.1
    }
}
