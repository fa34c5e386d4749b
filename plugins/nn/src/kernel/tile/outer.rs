//! Sums of outer products: the gradient of weights.

use pulp::{Arch, Simd, WithSimd};

use super::{COLUMN_STEP, PANEL, Packed, Rows, load, panel_width, store};

/// `sums[k, j] += Σ_r a[rows[r] + taps[k]] · d[d_rows[r] + j]`, the gradient of weights.
#[derive(Debug)]
pub struct Outer<'a> {
    /// Source of the gathered rows.
    pub a: &'a [f32],
    /// Where each row starts.
    pub rows: Rows<'a>,
    /// Offset of each element of a row from its start.
    pub taps: &'a [usize],
    /// Gradient of the result.
    pub d: &'a [f32],
    /// Where each of its rows starts; as many as `rows`.
    pub d_rows: Rows<'a>,
    /// `[taps, n]`, added to.
    pub sums: &'a mut Packed,
}

/// Runs an [`Outer`].
///
/// # Panics
/// When a length does not fit.
pub fn outer(job: Outer<'_>) {
    assert_eq!(
        job.taps.len(),
        job.sums.k,
        "taps and rows of the sums differ"
    );
    let (k, n, ld) = (job.sums.k, job.sums.n, job.sums.ld);
    if k == 0 {
        return;
    }
    for (p, sums) in job.sums.data.chunks_mut(k * PANEL).enumerate() {
        let start = p * PANEL;
        outer_panel(OuterPanel {
            a: job.a,
            rows: job.rows,
            taps: job.taps,
            d: &job.d[start.min(job.d.len())..],
            d_rows: job.d_rows,
            columns: (n - start).min(PANEL),
            width: panel_width(ld, p),
            sums,
        });
    }
}

/// Some rows of one panel of an [`Outer`]: the sums of different panels and taps can be found by
/// different threads.
#[derive(Debug)]
pub struct OuterPanel<'a> {
    /// Source of the gathered rows.
    pub a: &'a [f32],
    /// Where each row starts.
    pub rows: Rows<'a>,
    /// Offset of each element of a row from its start, for these rows of the sums.
    pub taps: &'a [usize],
    /// Gradient of the result, from the panel's first column on.
    pub d: &'a [f32],
    /// Where each of its rows starts; as many as `rows`.
    pub d_rows: Rows<'a>,
    /// Columns without padding.
    pub columns: usize,
    /// Columns with padding.
    pub width: usize,
    /// `[taps, width]`, added to.
    pub sums: &'a mut [f32],
}

/// Runs an [`OuterPanel`].
///
/// # Panics
/// When a length does not fit the others.
pub fn outer_panel(job: OuterPanel<'_>) {
    if job.rows.is_empty() || job.columns == 0 || job.taps.is_empty() {
        return;
    }
    assert_eq!(
        job.taps.len() * job.width,
        job.sums.len(),
        "taps and rows of the sums differ"
    );
    assert!(
        job.columns <= job.width && job.width.is_multiple_of(COLUMN_STEP) && job.width <= PANEL,
        "columns of a panel"
    );
    assert_eq!(
        job.rows.offsets.len(),
        job.d_rows.offsets.len(),
        "row counts differ"
    );
    assert_eq!(job.rows.images, job.d_rows.images, "image counts differ");
    let span = job.taps.iter().copied().max().unwrap_or(0) + 1;
    assert!(
        job.rows.last() + span <= job.a.len(),
        "left operand is too short"
    );
    assert!(
        job.d_rows.last() + job.columns <= job.d.len(),
        "gradient is too short"
    );
    Arch::new().dispatch(job);
}

impl WithSimd for OuterPanel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut column = 0;
        while column < self.columns {
            let width = self.width - column;
            column += match S::F32_LANES {
                16 if width >= 64 => outer_columns::<S, 6, 4>(simd, &mut self, column),
                16 if width >= 48 => outer_columns::<S, 8, 3>(simd, &mut self, column),
                16 if width >= 32 => outer_columns::<S, 9, 2>(simd, &mut self, column),
                16 => outer_columns::<S, 13, 1>(simd, &mut self, column),
                8 => outer_columns::<S, 6, 2>(simd, &mut self, column),
                4 => outer_columns::<S, 6, 4>(simd, &mut self, column),
                _ => outer_columns::<S, 2, 4>(simd, &mut self, column),
            };
        }
    }
}

#[inline(always)]
fn outer_columns<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    job: &mut OuterPanel<'_>,
    column: usize,
) -> usize {
    struct Panel<'a, 'b, const MR: usize, const NV: usize> {
        job: &'a mut OuterPanel<'b>,
        column: usize,
    }
    impl<const MR: usize, const NV: usize> WithSimd for Panel<'_, '_, MR, NV> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Panel { job, column } = self;
            let width = NV * S::F32_LANES;
            let ld = job.width;
            let valid = (job.columns - column).min(width);
            for (t, taps) in job.taps.chunks(MR).enumerate() {
                let mut tap = [taps[taps.len() - 1]; MR];
                tap[..taps.len()].copy_from_slice(taps);
                let sums = &mut job.sums[t * MR * ld..];
                let mut acc = [[simd.splat_f32s(0.0); NV]; MR];
                for (m, acc) in acc[..taps.len()].iter_mut().enumerate() {
                    load(simd, &sums[m * ld + column..][..width], acc);
                }
                outer_rows(
                    simd, job.a, job.rows, tap, job.d, job.d_rows, column, valid, &mut acc,
                );
                for (m, acc) in acc[..taps.len()].iter().enumerate() {
                    store(simd, &mut sums[m * ld + column..][..width], acc);
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
fn outer_rows<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    a: &[f32],
    rows: Rows<'_>,
    tap: [usize; MR],
    d: &[f32],
    d_rows: Rows<'_>,
    column: usize,
    valid: usize,
    acc: &mut [[S::f32s; NV]; MR],
) {
    let span = tap.iter().copied().max().unwrap_or(0) + 1;
    let mut sum = *acc;
    for image in 0..rows.images {
        for (&offset, &d_offset) in rows.offsets.iter().zip(d_rows.offsets) {
            let x = &a[image * rows.stride + offset..][..span];
            let at = image * d_rows.stride + d_offset + column;
            let mut g = [simd.splat_f32s(0.0); NV];
            load(simd, &d[at..at + valid], &mut g);
            for m in 0..MR {
                let x = simd.splat_f32s(x[tap[m]]);
                for v in 0..NV {
                    sum[m][v] = simd.mul_add_f32s(x, g[v], sum[m][v]);
                }
            }
        }
    }
    *acc = sum;
}
