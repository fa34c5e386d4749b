//! Gathered rows times packed weights: convolutions and dense layers forward, and their gradient
//! with respect to the input.

use pulp::{Arch, Simd, WithSimd};

use super::{Gather, PANEL, Packed, Rows, Run, load, panel_width, store};

/// `out[r, j] = act(bias[j] + Σ_k a[rows[r] + gather[k]] · weights[k, j])`.
#[derive(Debug)]
pub struct Multiply<'a> {
    /// Source of the gathered rows.
    pub a: &'a [f32],
    /// Where each row starts.
    pub rows: Rows<'a>,
    /// Which elements belong to a row.
    pub gather: &'a Gather,
    /// `[k, n]`.
    pub weights: &'a Packed,
    /// `[n]`, or nothing for zero.
    pub bias: Option<&'a [f32]>,
    /// Whether `act` is max(0, ·) rather than the identity.
    pub relu: bool,
    /// Result; row `r` starts at `r * out_stride`.
    pub out: &'a mut [f32],
    /// Elements from one result row to the next, at least `n`.
    pub out_stride: usize,
}

/// Runs a [`Multiply`].
///
/// # Panics
/// When a length does not fit the others.
pub fn multiply(job: Multiply<'_>) {
    if job.rows.is_empty() || job.weights.n == 0 {
        return;
    }
    assert_eq!(
        job.gather.k, job.weights.k,
        "gathered row length and weight rows differ"
    );
    assert!(
        job.rows.last() + job.gather.span <= job.a.len(),
        "left operand is too short"
    );
    assert!(job.out_stride >= job.weights.n, "result rows overlap");
    assert!(
        (job.rows.len() - 1) * job.out_stride + job.weights.n <= job.out.len(),
        "result is too short"
    );
    if let Some(bias) = job.bias {
        assert_eq!(
            bias.len(),
            job.weights.n,
            "bias length and weight columns differ"
        );
    }
    Arch::new().dispatch(job);
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let ld = self.weights.ld;
        let mut column = 0;
        while column < ld {
            // What is left of the panel.
            let width = panel_width(ld, column / PANEL) - column % PANEL;
            column += match S::F32_LANES {
                16 if width >= 64 => multiply_panel::<S, 6, 4>(simd, &mut self, column),
                16 if width >= 48 => multiply_panel::<S, 8, 3>(simd, &mut self, column),
                16 if width >= 32 => multiply_panel::<S, 9, 2>(simd, &mut self, column),
                16 if self.gather.runs.len() == 1 => {
                    multiply_panel::<S, 8, 1>(simd, &mut self, column)
                }
                16 => multiply_panel::<S, 14, 1>(simd, &mut self, column),
                8 => multiply_panel::<S, 6, 2>(simd, &mut self, column),
                4 => multiply_panel::<S, 6, 4>(simd, &mut self, column),
                _ => multiply_panel::<S, 2, 4>(simd, &mut self, column),
            };
        }
    }
}

/// One panel of columns; returns its width.
#[inline(always)]
fn multiply_panel<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    job: &mut Multiply<'_>,
    column: usize,
) -> usize {
    struct Panel<'a, 'b, const MR: usize, const NV: usize> {
        job: &'a mut Multiply<'b>,
        column: usize,
    }
    impl<const MR: usize, const NV: usize> WithSimd for Panel<'_, '_, MR, NV> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Panel { job, column } = self;
            let lanes = S::F32_LANES;
            let n = job.weights.n;
            let ld = job.weights.panel_width(column / PANEL);
            let panel = job.weights.panel(column / PANEL);
            let valid = (n - column.min(n)).min(NV * lanes);
            let mut k0 = 0;
            for (b, block) in job.gather.blocks.iter().enumerate() {
                let runs = &job.gather.runs[block.clone()];
                let k: usize = runs.iter().map(|r| r.len).sum();
                let weights = &panel[k0 * ld..(k0 + k) * ld];
                k0 += k;
                let last = b + 1 == job.gather.blocks.len();
                let total = job.rows.len();
                let mut row = 0;
                let (mut image, mut pixel) = (0, 0);
                while row < total {
                    let live = (total - row).min(MR);
                    // A short last tile repeats its last row; the repeats are not stored.
                    let mut bases = [0; MR];
                    let ahead = &job.rows.offsets[pixel..];
                    if let Some(offsets) = ahead.get(..MR) {
                        bases.copy_from_slice(offsets);
                        for base in &mut bases {
                            *base += image * job.rows.stride;
                        }
                        pixel += MR;
                        if pixel == job.rows.offsets.len() {
                            (image, pixel) = (image + 1, 0);
                        }
                    } else {
                        for (i, base) in bases.iter_mut().enumerate() {
                            *base = image * job.rows.stride + job.rows.offsets[pixel];
                            if i + 1 < live || live == MR {
                                pixel += 1;
                                if pixel == job.rows.offsets.len() {
                                    (image, pixel) = (image + 1, 0);
                                }
                            }
                        }
                    }
                    let mut acc = [[simd.splat_f32s(0.0); NV]; MR];
                    if b > 0 {
                        for (i, acc) in acc[..live].iter_mut().enumerate() {
                            let at = (row + i) * job.out_stride + column;
                            load(simd, &job.out[at..at + valid], acc);
                        }
                    } else if let Some(bias) = job.bias {
                        let mut start = [simd.splat_f32s(0.0); NV];
                        load(
                            simd,
                            &bias[column.min(n)..column.min(n) + valid],
                            &mut start,
                        );
                        acc = [start; MR];
                    }
                    let within = column % PANEL;
                    accumulate(simd, job.a, bases, runs, weights, ld, within, &mut acc);
                    for (i, acc) in acc[..live].iter().enumerate() {
                        let mut values = *acc;
                        if last && job.relu {
                            for v in &mut values {
                                // Second operand last, so that a NaN stays a NaN.
                                *v = simd.max_f32s(simd.splat_f32s(0.0), *v);
                            }
                        }
                        let at = (row + i) * job.out_stride + column;
                        store(simd, &mut job.out[at..at + valid], &values);
                    }
                    row += live;
                }
            }
        }
    }
    simd.vectorize(Panel::<MR, NV> { job, column });
    NV * S::F32_LANES
}

#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "the innermost loop, inlined into its one caller"
)]
fn accumulate<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    a: &[f32],
    bases: [usize; MR],
    runs: &[Run],
    weights: &[f32],
    ld: usize,
    column: usize,
    acc: &mut [[S::f32s; NV]; MR],
) {
    let width = NV * S::F32_LANES;
    assert!(column + width <= ld);
    let mut sum = *acc;
    let mut k = 0;
    for run in runs {
        let mut xs: [&[f32]; MR] = [&[]; MR];
        for (x, base) in xs.iter_mut().zip(bases) {
            *x = &a[base + run.offset..][..run.len];
        }
        let rows = weights[k * ld..(k + run.len) * ld].chunks_exact(ld);
        for (i, row) in rows.enumerate().take(run.len) {
            let (w, _) = S::as_simd_f32s(&row[column..column + width]);
            for m in 0..MR {
                let x = simd.splat_f32s(xs[m][i]);
                for v in 0..NV {
                    sum[m][v] = simd.mul_add_f32s(x, w[v], sum[m][v]);
                }
            }
        }
        k += run.len;
    }
    *acc = sum;
}
