//! The sweep operator: regressions on any subset of features from one matrix of moments.

/// A square matrix some of whose indices are swept (Goodnight 1979).
///
/// With the indices S swept, the block of S is the inverse of the original block, the columns beside it
/// are the coefficients of the regression on S, and the rest is what the regression leaves.
#[derive(Clone, Debug)]
pub(crate) struct Swept {
    values: Vec<f64>,
    n: usize,
}

impl Swept {
    /// `[n, n]`, nothing swept.
    pub(crate) fn new(values: Vec<f64>, n: usize) -> Self {
        debug_assert_eq!(values.len(), n * n, "a square matrix");
        Self { values, n }
    }

    pub(crate) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.n + column]
    }

    /// Adds to a diagonal element, before anything is swept.
    pub(crate) fn add(&mut self, k: usize, value: f64) {
        self.values[k * self.n + k] += value;
    }

    /// Sweeps an index; once more takes it back. The pivot must not be 0.
    pub(crate) fn sweep(&mut self, k: usize) {
        let n = self.n;
        let pivot = self.at(k, k);
        for value in &mut self.values[k * n..][..n] {
            *value /= pivot;
        }
        let line = self.values[k * n..][..n].to_vec();
        for (row, values) in self.values.chunks_exact_mut(n).enumerate() {
            if row == k {
                continue;
            }
            let factor = values[k];
            if factor != 0.0 {
                for (value, pivot) in values.iter_mut().zip(&line) {
                    *value -= factor * pivot;
                }
            }
            values[k] = -factor / pivot;
        }
        self.values[k * n + k] = 1.0 / pivot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeping_inverts_regresses_and_goes_back() {
        // G = [[2, 1], [1, 3]], b = [1, 2], s = 5.
        let before = vec![2.0, 1.0, 1.0, 1.0, 3.0, 2.0, 1.0, 2.0, 5.0];
        let mut swept = Swept::new(before.clone(), 3);
        swept.sweep(0);
        swept.sweep(1);
        // G⁻¹ = [[3, -1], [-1, 2]] / 5, G⁻¹ b = [1, 3] / 5, s - b G⁻¹ b = 5 - 7/5.
        let close = |a: f64, b: f64| (a - b).abs() < 1e-15;
        assert!(close(swept.at(0, 0), 0.6) && close(swept.at(0, 1), -0.2));
        assert!(close(swept.at(0, 2), 0.2) && close(swept.at(1, 2), 0.6));
        assert!(close(swept.at(2, 2), 3.6));
        swept.sweep(0);
        swept.sweep(1);
        for (found, expected) in swept.values.iter().zip(&before) {
            assert!((found - expected).abs() < 1e-14);
        }
    }
}
