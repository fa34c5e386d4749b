//! Jansen's estimator of total Sobol indices.

use crate::outcome::is_constant;

/// Total Sobol indices by Jansen (1999, "Analysis of variance designs for model output"; Saltelli et
/// al. 2010, table 2 (f)): S_i = sum over j of (f(A_j) - f(A_B^i_j))^2 / (2 N) / V, where V is the
/// variance of the f(A_j), with N - 1 in its denominator.
///
/// `of_a` is `[N]`; `exchanged` is `[cells, N]`, the outcomes at A with the cell's column of B. All
/// indices are 0 where `of_a` does not vary beyond the rounding of f32: a share of nothing.
#[must_use]
pub fn total_indices(of_a: &[f64], exchanged: &[f64]) -> Vec<f64> {
    let n = of_a.len();
    if n < 2 || is_constant(of_a) {
        return vec![0.0; exchanged.len().checked_div(n).unwrap_or(0)];
    }
    let mean = of_a.iter().sum::<f64>() / n as f64;
    let variance = of_a.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    exchanged
        .chunks_exact(n)
        .map(|of_c| {
            let squares: f64 = of_a.iter().zip(of_c).map(|(a, c)| (a - c).powi(2)).sum();
            squares / (2 * n) as f64 / variance
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_case_by_hand() {
        // Mean 3, variance (4 + 0 + 4) / 2 = 4; squares 4 + 4 + 1 = 9 over 6 over 4; and nothing.
        let of_a = [1.0, 3.0, 5.0];
        let exchanged = [3.0, 1.0, 4.0, 1.0, 3.0, 5.0];
        assert_eq!(total_indices(&of_a, &exchanged), [0.375, 0.0]);
    }

    #[test]
    fn what_does_not_vary_has_no_shares() {
        assert_eq!(total_indices(&[2.0; 4], &[2.0; 8]), [0.0; 2]);
        assert_eq!(total_indices(&[1.0, 1.0 + 1e-7], &[1.0, 1.0]), [0.0]);
        assert!(total_indices(&[], &[]).is_empty());
    }
}
