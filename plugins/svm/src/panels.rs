//! Rows packed as the right-hand side of matrix products, and kernel values against them.

use pulp::{Arch, Simd, WithSimd};
use xbench_nn::kernel::tile::{Gather, Multiply, Packed, Rows, Run, multiply};

use crate::exp::exp_negative;

/// Rows in a panel: with 784 features it holds 200 kB, which stay in a second-level cache while
/// it meets many left-hand rows.
pub(crate) const PANEL: usize = 64;

/// Some rows in panels of [`PANEL`]; the last is filled up with rows of zeros.
#[derive(Clone, Debug)]
pub(crate) struct Panels {
    width: usize,
    rows: usize,
    gather: Gather,
    /// `[width, PANEL]` each.
    packed: Vec<Packed>,
    /// Squared norm of each row, padding included.
    norms: Vec<f32>,
}

/// Squared norm by the same chain of multiply-adds as a product of the row with itself, so that
/// the distance of a row to itself is exactly 0.
pub(crate) fn squared_norm(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |sum, &v| v.mul_add(v, sum))
}

impl Panels {
    /// Packs `rows`, each of `width` values.
    pub(crate) fn new<'r>(width: usize, rows: impl ExactSizeIterator<Item = &'r [f32]>) -> Self {
        let count = rows.len();
        let mut packed: Vec<Packed> = (0..count.div_ceil(PANEL))
            .map(|_| Packed::zeros(width, PANEL))
            .collect();
        let mut norms = vec![0.0; packed.len() * PANEL];
        for (i, row) in rows.enumerate() {
            let data = packed[i / PANEL].data_mut();
            for (slot, &value) in data[i % PANEL..].iter_mut().step_by(PANEL).zip(row) {
                *slot = value;
            }
            norms[i] = squared_norm(row);
        }
        Self {
            width,
            rows: count,
            gather: Gather::new([Run {
                offset: 0,
                len: width,
            }]),
            packed,
            norms,
        }
    }

    /// Rows, without padding.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Number of panels.
    pub(crate) fn count(&self) -> usize {
        self.packed.len()
    }

    /// Rows with padding.
    pub(crate) fn padded(&self) -> usize {
        self.norms.len()
    }

    /// Copies row `i` into `to` and gives its squared norm.
    pub(crate) fn row(&self, i: usize, to: &mut [f32]) -> f32 {
        let data = self.packed[i / PANEL].data();
        for (to, &value) in to.iter_mut().zip(data[i % PANEL..].iter().step_by(PANEL)) {
            *to = value;
        }
        self.norms[i]
    }

    /// Kernel values of left-hand rows `x`, `[n, width]` with squared norms `norms`, against all
    /// rows of panel `panel`: `out` is `[n, PANEL]`, `stride` apart.
    pub(crate) fn kernel(
        &self,
        panel: usize,
        x: &[f32],
        norms: &[f32],
        gamma: f32,
        out: &mut [f32],
        stride: usize,
    ) {
        multiply(Multiply {
            a: x,
            rows: Rows {
                offsets: &[0],
                images: norms.len(),
                stride: self.width,
            },
            gather: &self.gather,
            weights: &self.packed[panel],
            bias: None,
            relu: false,
            out,
            out_stride: stride,
        });
        let columns = &self.norms[panel * PANEL..(panel + 1) * PANEL];
        Arch::new().dispatch(Exponentials {
            products: out,
            stride,
            norms,
            columns,
            gamma,
        });
    }

    /// The rows of a panel as the right-hand side of a product with weights of rows:
    /// `[PANEL, width]`, written to `to`.
    pub(crate) fn transposed(&self, panel: usize, to: &mut Packed) {
        if to.shape() != (PANEL, self.width) {
            *to = Packed::zeros(PANEL, self.width);
        }
        let from = self.packed[panel].data();
        to.fill(|row, feature| from[feature * PANEL + row]);
    }
}

/// Turns products of rows with a panel into kernel values. A type of its own, since what
/// `dispatch` calls must be inlined to be compiled for the widest vectors, and a closure may not be.
struct Exponentials<'a> {
    products: &'a mut [f32],
    stride: usize,
    norms: &'a [f32],
    columns: &'a [f32],
    gamma: f32,
}

impl WithSimd for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (row, &norm) in self.products.chunks_mut(self.stride).zip(self.norms) {
            for (value, &column) in row[..PANEL].iter_mut().zip(self.columns) {
                let distance = (-2.0_f32).mul_add(*value, norm + column);
                let distance = if distance < 0.0 { 0.0 } else { distance };
                *value = exp_negative(-self.gamma * distance);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_values_follow_the_definition_and_are_symmetric_to_the_bit() {
        let (width, count) = (37, 70);
        let rows: Vec<f32> = (0..width * count)
            .map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0)
            .collect();
        let row = |i: usize| &rows[i * width..(i + 1) * width];
        let panels = Panels::new(width, (0..count).map(row));
        assert_eq!(
            (panels.len(), panels.count(), panels.padded()),
            (70, 2, 128)
        );
        let norms: Vec<f32> = (0..count).map(|i| squared_norm(row(i))).collect();
        let mut out = vec![0.0; count * 128];
        for panel in 0..2 {
            panels.kernel(panel, &rows, &norms, 0.05, &mut out[panel * PANEL..], 128);
        }
        let mut back = vec![0.0; width];
        assert_eq!(panels.row(69, &mut back), norms[69]);
        assert_eq!(back, row(69));
        for i in 0..count {
            assert_eq!(out[i * 128 + i], 1.0);
            for j in 0..count {
                let distance: f64 = row(i)
                    .iter()
                    .zip(row(j))
                    .map(|(a, b)| f64::from(a - b).powi(2))
                    .sum();
                let want = (-0.05 * distance).exp();
                assert!((f64::from(out[i * 128 + j]) - want).abs() < 1e-6);
                assert_eq!(out[i * 128 + j], out[j * 128 + i]);
            }
        }
    }
}
