//! Sums of outer products: the gradient of weights.

use pulp::{Arch, Simd, WithSimd};

use super::{Packed, Rows, load, store};

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
/// When a length does not fit the others.
pub fn outer(job: Outer<'_>) {
    if job.rows.is_empty() || job.sums.n == 0 || job.taps.is_empty() {
        return;
    }
    assert_eq!(
        job.taps.len(),
        job.sums.k,
        "taps and rows of the sums differ"
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
        job.d_rows.last() + job.sums.n <= job.d.len(),
        "gradient is too short"
    );
    Arch::new().dispatch(job);
}

impl WithSimd for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let n = self.sums.n;
        let mut column = 0;
        while column < n {
            let width = self.sums.ld - column;
            column += match S::F32_LANES {
                16 if width >= 64 => outer_panel::<S, 6, 4>(simd, &mut self, column),
                16 if width >= 48 => outer_panel::<S, 8, 3>(simd, &mut self, column),
                16 if width >= 32 => outer_panel::<S, 9, 2>(simd, &mut self, column),
                16 => outer_panel::<S, 13, 1>(simd, &mut self, column),
                8 => outer_panel::<S, 6, 2>(simd, &mut self, column),
                4 => outer_panel::<S, 6, 4>(simd, &mut self, column),
                _ => outer_panel::<S, 2, 4>(simd, &mut self, column),
            };
        }
    }
}

#[inline(always)]
fn outer_panel<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    job: &mut Outer<'_>,
    column: usize,
) -> usize {
    struct Panel<'a, 'b, const MR: usize, const NV: usize> {
        job: &'a mut Outer<'b>,
        column: usize,
    }
    impl<const MR: usize, const NV: usize> WithSimd for Panel<'_, '_, MR, NV> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Panel { job, column } = self;
            let width = NV * S::F32_LANES;
            let (n, ld) = (job.sums.n, job.sums.ld);
            let valid = (n - column).min(width);
            for (t, taps) in job.taps.chunks(MR).enumerate() {
                let mut tap = [taps[taps.len() - 1]; MR];
                tap[..taps.len()].copy_from_slice(taps);
                let sums = &mut job.sums.data[t * MR * ld..];
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
