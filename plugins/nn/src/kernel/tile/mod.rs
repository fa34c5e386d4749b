//! The two register-tiled loops under every matrix-like operation of this crate.
//!
//! Images are held channel-last here, so that the window of a convolution is a few contiguous
//! runs of memory, at the same relative offsets for every output pixel. A convolution is then a
//! matrix product whose left rows are *gathered* by the loop itself: nothing is unrolled into a
//! column matrix, which for small images costs as much as the arithmetic. The same loop serves
//! dense layers (one run per row) and the gradient with respect to the input.
//!
//! Every element of a result is one chain of fused multiply-adds in the order of `k`, whatever
//! the vector width, the number of rows or a row's place in its tile. So a row's value depends on
//! that row alone, to the bit, at every batch size and on every processor with fused
//! multiply-add; that is why this crate does not call a general matrix library here.

mod multiply;
mod outer;

use pulp::{Arch, Simd};

pub use multiply::{Multiply, multiply};
pub use outer::{Outer, OuterPanel, outer, outer_panel};

/// Columns of packed weights are padded to a multiple of this.
pub const COLUMN_STEP: usize = 16;

/// Columns that lie together in packed weights: a panel of 1024 rows is 256 KiB in one stretch.
/// With wide rows instead, a panel's lines would fall on few sets of a cache and evict each other.
pub const PANEL: usize = 64;

/// The longest stretch of `k` worked through before moving to the next rows: 1024 rows of 64
/// columns are 256 KiB, which stay in a second-level cache.
const K_BLOCK: usize = 1024;

/// Where the rows of an operand start: `images` copies, `stride` apart, of the same offsets.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Start of each row inside one image, in elements.
    pub offsets: &'a [usize],
    /// Number of images.
    pub images: usize,
    /// Elements from one image to the next.
    pub stride: usize,
}

impl Rows<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() * self.images
    }

    /// Whether there is no row at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn last(&self) -> usize {
        crate::vectorised!(|| self.offsets.iter().copied().max()).unwrap_or(0)
            + self.images.saturating_sub(1) * self.stride
    }
}

/// A contiguous piece of every gathered row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Offset from the start of the row.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
}

/// The runs that make up a gathered row of `k` elements, cut into blocks that fit a cache.
#[derive(Clone, Debug)]
pub struct Gather {
    runs: Vec<Run>,
    blocks: Vec<std::ops::Range<usize>>,
    k: usize,
    span: usize,
}

impl Gather {
    /// Joins neighbouring runs, splits very long ones, and groups them into cache blocks.
    pub fn new(runs: impl IntoIterator<Item = Run>) -> Self {
        let mut joined: Vec<Run> = Vec::new();
        for run in runs {
            match joined.last_mut() {
                Some(last) if last.offset + last.len == run.offset => last.len += run.len,
                _ => joined.push(run),
            }
        }
        let mut runs = Vec::new();
        for run in joined {
            let mut done = 0;
            while done < run.len {
                let len = (run.len - done).min(K_BLOCK);
                runs.push(Run {
                    offset: run.offset + done,
                    len,
                });
                done += len;
            }
        }
        let mut blocks = Vec::new();
        let (mut start, mut filled) = (0, 0);
        for (i, run) in runs.iter().enumerate() {
            if filled > 0 && filled + run.len > K_BLOCK {
                blocks.push(start..i);
                (start, filled) = (i, 0);
            }
            filled += run.len;
        }
        if start < runs.len() {
            blocks.push(start..runs.len());
        }
        let k = runs.iter().map(|r| r.len).sum();
        let span = runs.iter().map(|r| r.offset + r.len).max().unwrap_or(0);
        Gather {
            runs,
            blocks,
            k,
            span,
        }
    }

    /// Elements in a gathered row.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Offset of each of the `k` elements from the start of its row.
    pub fn taps(&self) -> Vec<usize> {
        self.runs
            .iter()
            .flat_map(|r| r.offset..r.offset + r.len)
            .collect()
    }
}

/// A `[k, n]` matrix whose columns are padded to a multiple of [`COLUMN_STEP`] and cut into panels
/// of [`PANEL`] columns (the last may be narrower), one panel after the other, each `[k, width]`.
/// Up to [`PANEL`] columns that is a plain row-major matrix.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    k: usize,
    n: usize,
    ld: usize,
    data: Vec<f32>,
}

impl Packed {
    /// A matrix of zeros.
    pub fn zeros(k: usize, n: usize) -> Self {
        let ld = n.div_ceil(COLUMN_STEP) * COLUMN_STEP;
        Packed {
            k,
            n,
            ld,
            data: vec![0.0; k * ld],
        }
    }

    /// Fills row `i`, column `j` with `value(i, j)`.
    pub fn fill(&mut self, mut value: impl FnMut(usize, usize) -> f32) {
        let (k, n, ld) = (self.k, self.n, self.ld);
        if k == 0 {
            return;
        }
        for (p, panel) in self.data.chunks_mut((k * PANEL).max(1)).enumerate() {
            let (start, width) = (p * PANEL, panel_width(ld, p));
            for (i, row) in panel.chunks_exact_mut(width).enumerate() {
                for (j, slot) in row[..width.min(n - start)].iter_mut().enumerate() {
                    *slot = value(i, start + j);
                }
            }
        }
    }

    /// Calls `visit(i, j, value)` for every row `i` and column `j`, panel by panel.
    pub fn each(&self, mut visit: impl FnMut(usize, usize, f32)) {
        for panel in 0..self.panels() {
            let (start, width) = (panel * PANEL, panel_width(self.ld, panel));
            for (i, row) in self.panel(panel).chunks_exact(width).enumerate() {
                for (j, &value) in row[..width.min(self.n - start)].iter().enumerate() {
                    visit(i, start + j, value);
                }
            }
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.k, self.n)
    }

    /// Number of panels.
    pub fn panels(&self) -> usize {
        self.ld.div_ceil(PANEL)
    }

    /// Columns of a panel, padding included.
    pub fn panel_width(&self, panel: usize) -> usize {
        panel_width(self.ld, panel)
    }

    /// A panel's elements, `[k, panel_width]`.
    ///
    /// # Panics
    /// When there is no such panel.
    pub fn panel(&self, panel: usize) -> &[f32] {
        let start = panel * PANEL * self.k;
        &self.data[start..start + self.k * panel_width(self.ld, panel)]
    }

    /// Multiplies every column by its factor.
    ///
    /// # Panics
    /// When there are not as many factors as columns.
    pub fn scale_columns(&mut self, factors: &[f32]) {
        assert_eq!(factors.len(), self.n, "factors and columns");
        let (k, ld) = (self.k, self.ld);
        for (p, panel) in self.data.chunks_mut((k * PANEL).max(1)).enumerate() {
            let factors = &factors[p * PANEL..];
            for row in panel.chunks_exact_mut(panel_width(ld, p)) {
                for (value, factor) in row.iter_mut().zip(factors) {
                    *value *= factor;
                }
            }
        }
    }

    /// Writes some rows, turned into columns, to `to`: element (r, j) to row `row + j`, column
    /// `column + r - rows.start`.
    ///
    /// # Panics
    /// When they do not fit.
    pub fn transpose_rows(
        &self,
        rows: std::ops::Range<usize>,
        to: &mut Packed,
        row: usize,
        column: usize,
    ) {
        const TILE: usize = 16;
        assert!(
            rows.end <= self.k && row + self.n <= to.k && column + rows.len() <= to.n,
            "a turned matrix does not fit"
        );
        for panel in 0..self.panels() {
            let (first, width) = (panel * PANEL, self.panel_width(panel));
            let columns = width.min(self.n - first);
            let from = self.panel(panel);
            for start in rows.clone().step_by(TILE) {
                let end = (start + TILE).min(rows.end);
                for j in 0..columns {
                    for r in start..end {
                        let at = to.index(row + first + j, column + r - rows.start);
                        to.data[at] = from[r * width + j];
                    }
                }
            }
        }
    }

    /// Where row `i`, column `j` lies in [`Packed::data`].
    pub fn index(&self, i: usize, j: usize) -> usize {
        let panel = j / PANEL;
        panel * PANEL * self.k + i * panel_width(self.ld, panel) + j % PANEL
    }

    /// The elements, padding included.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The elements, padding included; the padding must stay zero.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }
}

fn panel_width(ld: usize, panel: usize) -> usize {
    (ld - panel * PANEL).min(PANEL)
}

/// Loads up to `NV` vectors, leaving zeros beyond the slice.
#[inline(always)]
fn load<S: Simd, const NV: usize>(simd: S, from: &[f32], to: &mut [S::f32s; NV]) {
    let lanes = S::F32_LANES;
    if from.len() == NV * lanes {
        let (head, _) = S::as_simd_f32s(from);
        to.copy_from_slice(head);
    } else {
        for (v, to) in to.iter_mut().enumerate() {
            let start = (v * lanes).min(from.len());
            *to = simd.partial_load_f32s(&from[start..(start + lanes).min(from.len())]);
        }
    }
}

/// Stores as much of `NV` vectors as the slice holds.
#[inline(always)]
fn store<S: Simd, const NV: usize>(simd: S, to: &mut [f32], from: &[S::f32s; NV]) {
    let lanes = S::F32_LANES;
    if to.len() == NV * lanes {
        let (head, _) = S::as_mut_simd_f32s(to);
        head.copy_from_slice(from);
    } else {
        let len = to.len();
        for (v, from) in from.iter().enumerate() {
            let start = (v * lanes).min(len);
            simd.partial_store_f32s(&mut to[start..(start + lanes).min(len)], *from);
        }
    }
}

/// Runs a closure for the widest vectors this processor has, if the compiler inlines it; prefer
/// [`vectorised!`](crate::vectorised), which asks for that.
#[inline(always)]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

/// Compiles the body of a closure without arguments for each kind of vectors, and runs the one for
/// the widest that this processor has.
///
/// A closure that is merely passed on is compiled once, for the baseline processor, wherever it
/// is too large to be inlined into its three callers: a loop then has narrow vectors, and each
/// `mul_add` is a call of the C library. The bits of the result are the same either way. Whether the
/// compiler followed shows in the benchmarks; a type of one's own with `pulp::WithSimd` always works.
#[macro_export]
macro_rules! vectorised {
    (|| $body:expr) => {
        $crate::kernel::tile::vectorised(
            #[inline(always)]
            || $body,
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect()
    }

    #[test]
    fn multiply_agrees_with_a_triple_loop() {
        for (k_runs, n, offsets, images) in [
            (vec![(0, 3), (7, 3)], 10, 5, 1),
            (vec![(0, 2500)], 6, 1, 9),
            (vec![(1, 96), (200, 96), (400, 96)], 64, 13, 2),
            (vec![(0, 40)], 120, 1, 17),
            (vec![(0, 5)], 33, 29, 3),
            (vec![(0, 5)], 48, 3, 3),
        ] {
            let runs: Vec<Run> = k_runs
                .iter()
                .map(|&(offset, len)| Run { offset, len })
                .collect();
            let gather = Gather::new(runs.clone());
            let offsets: Vec<usize> = (0..offsets).map(|i| i * 2).collect();
            let stride = gather.span + 2 * offsets.len();
            let a = numbers(stride * images, 1);
            let mut weights = Packed::zeros(gather.k(), n);
            let flat = numbers(gather.k() * n, 2);
            weights.fill(|i, j| flat[i * n + j]);
            let bias = numbers(n, 3);
            let rows = Rows {
                offsets: &offsets,
                images,
                stride,
            };
            for relu in [false, true] {
                let mut out = vec![f32::NAN; rows.len() * n];
                multiply(Multiply {
                    a: &a,
                    rows,
                    gather: &gather,
                    weights: &weights,
                    bias: Some(&bias),
                    relu,
                    out: &mut out,
                    out_stride: n,
                });
                let taps = gather.taps();
                for image in 0..images {
                    for (p, offset) in offsets.iter().enumerate() {
                        for j in 0..n {
                            let mut want = f64::from(bias[j]);
                            for (k, tap) in taps.iter().enumerate() {
                                want += f64::from(a[image * stride + offset + tap])
                                    * f64::from(flat[k * n + j]);
                            }
                            if relu {
                                want = want.max(0.0);
                            }
                            let got = out[(image * offsets.len() + p) * n + j];
                            assert!((f64::from(got) - want).abs() < 1e-4, "{got} {want}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_in_a_batch() {
        let gather = Gather::new([Run {
            offset: 0,
            len: 1500,
        }]);
        let images = 23;
        let a = numbers(1500 * images, 5);
        let mut weights = Packed::zeros(1500, 70);
        let flat = numbers(1500 * 70, 6);
        weights.fill(|i, j| flat[i * 70 + j]);
        let run = |a: &[f32], images: usize| {
            let mut out = vec![0.0; images * 70];
            multiply(Multiply {
                a,
                rows: Rows {
                    offsets: &[0],
                    images,
                    stride: 1500,
                },
                gather: &gather,
                weights: &weights,
                bias: None,
                relu: false,
                out: &mut out,
                out_stride: 70,
            });
            out
        };
        let all = run(&a, images);
        for i in 0..images {
            assert_eq!(
                run(&a[i * 1500..(i + 1) * 1500], 1),
                all[i * 70..(i + 1) * 70]
            );
        }
    }

    #[test]
    fn outer_agrees_with_a_triple_loop_and_adds() {
        for n in [6, 10, 32, 50, 64, 120] {
            let taps = [0, 1, 2, 5, 6, 7, 11, 12, 13, 14];
            let (offsets, d_offsets) = ([0, 3, 4, 9], [0, n, 2 * n + 1, 3 * n + 1]);
            let (images, stride, d_stride) = (3, 30, 4 * n + 5);
            let a = numbers(stride * images, 7);
            let d = numbers(d_stride * images, 8);
            let mut sums = Packed::zeros(taps.len(), n);
            sums.fill(|_, _| 1.0);
            outer(Outer {
                a: &a,
                rows: Rows {
                    offsets: &offsets,
                    images,
                    stride,
                },
                taps: &taps,
                d: &d,
                d_rows: Rows {
                    offsets: &d_offsets,
                    images,
                    stride: d_stride,
                },
                sums: &mut sums,
            });
            let mut values = vec![0.0; taps.len() * n];
            sums.each(|k, j, value| values[k * n + j] = value);
            for (k, tap) in taps.iter().enumerate() {
                for j in 0..n {
                    let mut want = 1.0;
                    for image in 0..images {
                        for r in 0..offsets.len() {
                            want += f64::from(a[image * stride + offsets[r] + tap])
                                * f64::from(d[image * d_stride + d_offsets[r] + j]);
                        }
                    }
                    let got = f64::from(values[k * n + j]);
                    assert!((got - want).abs() < 1e-5, "{got} {want}");
                }
            }
        }
    }
}
