//! Cholesky's factor of a small symmetric matrix.

/// The lower factor L of A = L Lᵀ, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Cholesky {
    factor: Vec<f64>,
    n: usize,
}

impl Cholesky {
    /// Factors `[n, n]`; none where the matrix is not positive definite to working precision.
    pub(crate) fn new(mut matrix: Vec<f64>, n: usize) -> Option<Self> {
        for column in 0..n {
            let diagonal = matrix[column * n + column];
            for row in column..n {
                let (a, b) = (row * n, column * n);
                let dot: f64 = matrix[a..a + column]
                    .iter()
                    .zip(&matrix[b..b + column])
                    .map(|(x, y)| x * y)
                    .sum();
                let rest = matrix[a + column] - dot;
                matrix[a + column] = if row == column {
                    // What is left of the diagonal is rounding error when the column depends on
                    // those before it.
                    if rest.is_nan() || rest <= 1e-11 * diagonal {
                        return None;
                    }
                    rest.sqrt()
                } else {
                    rest / matrix[b + column]
                };
            }
        }
        Some(Self { factor: matrix, n })
    }

    /// Replaces b by the solution of A x = b.
    pub(crate) fn solve(&self, b: &mut [f64]) {
        let n = self.n;
        for row in 0..n {
            let line = &self.factor[row * n..][..row];
            let dot: f64 = line.iter().zip(&b[..row]).map(|(x, y)| x * y).sum();
            b[row] = (b[row] - dot) / self.factor[row * n + row];
        }
        for row in (0..n).rev() {
            let line = &self.factor[row * n..][..row + 1];
            let value = b[row] / line[row];
            b[row] = value;
            for (before, factor) in b[..row].iter_mut().zip(line) {
                *before -= factor * value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_system_is_solved() {
        // A = L Lᵀ with L = [[2, 0, 0], [1, 3, 0], [-1, 2, 1]], x = [1, -2, 3].
        let a = vec![4.0, 2.0, -2.0, 2.0, 10.0, 5.0, -2.0, 5.0, 6.0];
        let mut b = vec![4.0 - 4.0 - 6.0, 2.0 - 20.0 + 15.0, -2.0 - 10.0 + 18.0];
        Cholesky::new(a, 3).expect("definite").solve(&mut b);
        for (found, expected) in b.iter().zip([1.0, -2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-14, "{found}");
        }
    }

    #[test]
    fn what_is_not_definite_has_no_factor() {
        assert!(Cholesky::new(vec![1.0, 1.0, 1.0, 1.0], 2).is_none());
        assert!(Cholesky::new(vec![1.0, 2.0, 2.0, 1.0], 2).is_none());
        assert!(Cholesky::new(vec![0.0], 1).is_none());
        assert!(Cholesky::new(vec![f64::NAN], 1).is_none());
    }
}
