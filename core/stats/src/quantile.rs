//! Quantiles, and an interval for a median that assumes nothing about the values.
//!
//! Timings are skewed and have outliers to one side, so they are summed up by their median.

use serde::{Deserialize, Serialize};

/// A median with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MedianInterval {
    /// The median of the values.
    pub median: f64,
    /// Lower end: one of the values.
    pub low: f64,
    /// Upper end: one of the values.
    pub high: f64,
    /// The number of values.
    pub n: usize,
}

/// The `q` quantile (0..=1) by linear interpolation between order statistics, type 7 of
/// Hyndman and Fan 1996 (the default of NumPy and R).
///
/// `None` if there are no values, one is NaN, or `q` lies outside 0..=1.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    quantile_of_sorted(&sorted(values)?, q)
}

/// The median: [`quantile`] at one half.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The median with the interval between the order statistics k and n + 1 − k, for the greatest
/// k with `P(Binomial(n, ½) < k) ≤ 2.5%`.
///
/// Exact for any continuous distribution, with coverage of at least 95% from n = 6 on; below,
/// least and greatest value are given, which cover `1 − 2^(1−n)`. `None` as [`quantile`].
#[must_use]
pub fn median_interval(values: &[f64]) -> Option<MedianInterval> {
    let sorted = sorted(values)?;
    let n = sorted.len();
    // ln P(Binomial(n, ½) = i), i rising; 2⁻ⁿ itself would underflow for n > 1074.
    let mut log_probability = -(n as f64) * std::f64::consts::LN_2;
    let mut below = 0.0;
    let mut place = 0;
    while place < n / 2 {
        below += log_probability.exp();
        if below > 0.025 {
            break;
        }
        log_probability += ((n - place) as f64 / (place + 1) as f64).ln();
        place += 1;
    }
    let place = place.max(1);
    Some(MedianInterval {
        median: quantile_of_sorted(&sorted, 0.5)?,
        low: sorted[place - 1],
        high: sorted[n - place],
        n,
    })
}

pub(crate) fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    if sorted.is_empty() || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let position = q * (sorted.len() - 1) as f64;
    let (below, share) = (position.floor() as usize, position.fract());
    let low = sorted[below];
    let high = sorted[(below + 1).min(sorted.len() - 1)];
    Some(if share == 0.0 || low == high {
        low
    } else {
        low + share * (high - low)
    })
}

/// The 2.5% and 97.5% quantiles (as [`quantile`]) of finite values, which are put into another
/// order: selection instead of sorting, since thousands of intervals are read off.
pub(crate) fn central_95(values: &mut [f64]) -> Option<(f64, f64)> {
    let last = values.len().checked_sub(1)?;
    let mut at = |q: f64| {
        let position = q * last as f64;
        let (place, share) = (position.floor() as usize, position.fract());
        let (_, &mut low, above) = values.select_nth_unstable_by(place, f64::total_cmp);
        let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
        if share == 0.0 || low == high {
            low
        } else {
            low + share * (high - low)
        }
    };
    Some((at(0.025), at(0.975)))
}

fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    if values.is_empty() || values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Some(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_hand() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(median(&values), Some(2.5));
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 1.0), Some(4.0));
        // numpy.quantile([4,1,3,2], 0.1) == 1.3
        assert!((quantile(&values, 0.1).unwrap() - 1.3).abs() < 1e-15);
        assert_eq!(median(&[7.0]), Some(7.0));
    }

    #[test]
    fn no_quantile() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, f64::NAN]), None);
        assert_eq!(quantile(&[1.0], 1.1), None);
        assert_eq!(quantile(&[1.0], f64::NAN), None);
    }

    #[test]
    fn selection_finds_the_quantiles_that_sorting_finds() {
        for n in [1usize, 2, 3, 39, 40, 41, 81, 2000] {
            let values: Vec<f64> = (0..n).map(|i| (i as f64 * 0.7).sin()).collect();
            let (low, high) = central_95(&mut values.clone()).unwrap();
            assert_eq!(Some(low), quantile(&values, 0.025), "{n}");
            assert_eq!(Some(high), quantile(&values, 0.975), "{n}");
        }
        assert_eq!(central_95(&mut []), None);
    }

    #[test]
    fn median_interval_places() {
        // scipy.stats.binom.ppf(0.025, n, 0.5), the first count i with P(B ≤ i) ≥ 2.5%: no
        // smaller k than i and no greater one has P(B < k) ≤ 2.5%.
        for (n, place) in [(6, 1), (9, 2), (10, 2), (20, 6), (100, 40), (10_000, 4902)] {
            let values: Vec<f64> = (1..=n).rev().map(f64::from).collect();
            let interval = median_interval(&values).unwrap();
            assert_eq!(interval.low, f64::from(place), "n = {n}");
            assert_eq!(interval.high, f64::from(n + 1 - place), "n = {n}");
            assert_eq!(interval.median, f64::from(n + 1) / 2.0);
        }
    }

    #[test]
    fn few_values_give_their_range() {
        let interval = median_interval(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!(
            (interval.low, interval.median, interval.high, interval.n),
            (1.0, 2.0, 3.0, 3)
        );
        assert_eq!(median_interval(&[5.0]).unwrap().low, 5.0);
        assert_eq!(median_interval(&[]), None);
    }
}
