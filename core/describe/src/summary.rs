//! Centre and spread of some values.

use serde::Serialize;
use xbench_stats::median;

/// Median, mean and variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Number of values, at least 1.
    pub count: usize,
    /// Median.
    pub median: f64,
    /// Mean.
    pub mean: f64,
    /// Variance: the mean squared distance from the mean (divided by `count`).
    pub variance: f64,
}

impl Summary {
    /// Of finite values; `None` without any.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let median = median(values)?;
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Some(Self {
            count,
            median,
            mean,
            variance: squares / count as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let summary = Summary::of(&[1.0, 4.0, 2.0, 3.0]).unwrap();
        let Summary {
            count,
            median,
            mean,
            variance,
        } = summary;
        assert_eq!((count, median, mean, variance), (4, 2.5, 2.5, 1.25));
        assert_eq!(Summary::of(&[]), None);
    }
}
