//! Gauss and Legendre's quadrature on [0, 1].

use std::f64::consts::PI;

/// `n` points within (0, 1), ascending, with their weights, which sum to 1: exact for polynomials of
/// degree 2n - 1. `n` is at least 1.
///
/// The points are the roots of Legendre's polynomial, found by Newton's iteration (Abramowitz and
/// Stegun 1964, 25.4.29).
pub(crate) fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let mut points = vec![(0.5, 1.0); n];
    for i in 0..n.div_ceil(2) {
        let mut root = (PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        // Quadratic convergence from a good start: a handful of rounds reaches rounding.
        for _ in 0..100 {
            let (value, derivative) = legendre(n, root);
            slope = derivative;
            let step = value / derivative;
            root -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        if 2 * i + 1 == n {
            root = 0.0;
            slope = legendre(n, root).1;
        }
        let weight = 1.0 / ((1.0 - root * root) * slope * slope);
        points[i] = (0.5 * (1.0 - root), weight);
        points[n - 1 - i] = (0.5 * (1.0 + root), weight);
    }
    points
}

/// Legendre's polynomial of degree `n` at `x` within (-1, 1), and its derivative.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (
            value,
            ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
        );
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_integrated_exactly() {
        for n in [1, 2, 3, 4, 5, 8, 15, 40, 392] {
            let points = gauss_legendre(n);
            assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0));
            assert!(points.iter().all(|&(t, w)| t > 0.0 && t < 1.0 && w > 0.0));
            for power in 0..2 * n as i32 {
                let integral: f64 = points.iter().map(|&(t, w)| w * t.powi(power)).sum();
                let error = (integral * f64::from(power + 1) - 1.0).abs();
                assert!(error < 1e-11, "{n} points, power {power}: {error:e}");
            }
        }
    }
}
