//! Percentile bootstrap over images (Efron 1979).
//!
//! A resample is kept as how often it holds each image, so that the means of all resamples of
//! all columns are one product of two matrices, and every score of a run is resampled alike:
//! intervals of differences between columns come from the same resamples as those of the
//! columns.

use crate::quantile::central_95;
use crate::random::Stream;
use crate::weights::weighted_sums;
use serde::{Deserialize, Serialize};

/// Resamples drawn unless a suite says otherwise.
pub const DEFAULT_DRAWS: usize = 2000;

/// A mean with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean of the values.
    pub mean: f64,
    /// The 2.5% quantile of the resampled means.
    pub low: f64,
    /// The 97.5% quantile of the resampled means.
    pub high: f64,
    /// The number of values.
    pub n: usize,
}

/// Random resamples of n images with replacement, shared by all scores of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Resamples {
    images: usize,
    draws: usize,
    /// How often a resample holds an image, `[image][draw]`. A count above 255 takes more than
    /// 255 images and then has a probability below 1e-500.
    counts: Vec<u8>,
}

impl Resamples {
    /// Draws `draws` resamples of `images` images; each is a function of seed and its number.
    #[must_use]
    pub fn new(images: usize, draws: usize, seed: u64) -> Self {
        let mut counts = vec![0u8; images * draws];
        for draw in 0..draws {
            let mut stream = Stream::new(seed, draw as u64);
            for _ in 0..images {
                let image = stream.below(images);
                let count = &mut counts[image * draws + draw];
                *count = count.saturating_add(1);
            }
        }
        Self {
            images,
            draws,
            counts,
        }
    }

    /// The number of images n.
    #[must_use]
    pub fn images(&self) -> usize {
        self.images
    }

    /// The number of resamples.
    #[must_use]
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// How often resample `draw` holds each image.
    ///
    /// # Panics
    /// If `draw` is not below [`Self::draws`].
    #[must_use]
    pub fn weights(&self, draw: usize) -> Vec<u8> {
        assert!(draw < self.draws, "resample {draw} of {}", self.draws);
        self.counts
            .iter()
            .skip(draw)
            .step_by(self.draws)
            .copied()
            .collect()
    }

    /// Adds `value` times how often each resample holds `image` to its sum.
    pub(crate) fn add(&self, image: usize, value: f64, sums: &mut [f64]) {
        let counts = &self.counts[image * self.draws..(image + 1) * self.draws];
        for (sum, &count) in sums.iter_mut().zip(counts) {
            *sum += value * f64::from(count);
        }
    }

    /// For each column the weighted sums of all resamples, `[column][draw]`.
    pub(crate) fn sums(&self, columns: &[&[f64]]) -> Vec<Vec<f64>> {
        weighted_sums(self.images, self.draws, columns, |image, first, line| {
            let start = image * self.draws + first;
            let counts = &self.counts[start..start + line.len()];
            for (wide, &count) in line.iter_mut().zip(counts) {
                *wide = f64::from(count);
            }
        })
    }
}

/// The mean of `values`, one per image, with its 95% percentile bootstrap interval.
///
/// `None` if there are no values or one is not finite. A single value is its own interval,
/// which says nothing about its spread. Give the differences of two columns for the interval
/// of a paired difference.
///
/// # Panics
/// If the number of values is not that of the resampled images.
#[must_use]
pub fn mean_interval(values: &[f64], resamples: &Resamples) -> Option<Interval> {
    mean_intervals(&[values], resamples).pop().flatten()
}

/// [`mean_interval`] of each column, at far less than the cost of one by one.
///
/// # Panics
/// If a column's length is not the number of resampled images.
#[must_use]
pub fn mean_intervals(columns: &[&[f64]], resamples: &Resamples) -> Vec<Option<Interval>> {
    for column in columns {
        assert_eq!(
            column.len(),
            resamples.images,
            "one value for each resampled image"
        );
    }
    let n = resamples.images as f64;
    let mut replicates = resamples.sums(columns);
    let intervals = columns.iter().zip(&mut replicates).map(|(column, sums)| {
        sums.iter_mut().for_each(|sum| *sum /= n);
        let mean = column.iter().sum::<f64>() / n;
        interval(mean, column.len(), sums)
    });
    intervals.collect()
}

/// The mean of the values there are, with its 95% percentile bootstrap interval.
///
/// Images are resampled, with or without a value; a resample's mean is over its values, and a
/// resample without any is left out. `n` is the number of values. `None` if there are none or
/// one is not finite.
///
/// # Panics
/// If the number of entries is not that of the resampled images.
#[must_use]
pub fn mean_interval_masked(values: &[Option<f64>], resamples: &Resamples) -> Option<Interval> {
    mean_intervals_masked(&[values], resamples).pop().flatten()
}

/// [`mean_interval_masked`] of each column, at far less than the cost of one by one.
///
/// # Panics
/// If a column's length is not the number of resampled images.
#[must_use]
pub fn mean_intervals_masked(
    columns: &[&[Option<f64>]],
    resamples: &Resamples,
) -> Vec<Option<Interval>> {
    // Two plain columns for each with gaps (values, and where there are any), one for others.
    let mut plain: Vec<Vec<f64>> = Vec::with_capacity(columns.len());
    let mut gaps = Vec::with_capacity(columns.len());
    for column in columns {
        assert_eq!(
            column.len(),
            resamples.images,
            "one entry for each resampled image"
        );
        let defined = column.iter().flatten().count();
        plain.push(column.iter().map(|value| value.unwrap_or(0.0)).collect());
        gaps.push(defined < column.len());
        if defined < column.len() {
            plain.push(
                column
                    .iter()
                    .map(|value| f64::from(u8::from(value.is_some())))
                    .collect(),
            );
        }
    }
    let plain: Vec<&[f64]> = plain.iter().map(Vec::as_slice).collect();
    let mut sums = resamples.sums(&plain).into_iter();
    let mut intervals = Vec::with_capacity(columns.len());
    for (column, gaps) in columns.iter().zip(gaps) {
        let sums_of_values = sums.next().unwrap_or_default();
        let mut means: Vec<f64> = if gaps {
            let weights = sums.next().unwrap_or_default();
            let pairs = sums_of_values.iter().zip(weights);
            pairs
                .filter(|&(_, weight)| weight > 0.0)
                .map(|(sum, weight)| sum / weight)
                .collect()
        } else {
            sums_of_values
                .iter()
                .map(|sum| sum / column.len() as f64)
                .collect()
        };
        let defined = column.iter().flatten().count();
        let mean = column.iter().flatten().sum::<f64>() / defined as f64;
        intervals.push(interval(mean, defined, &mut means));
    }
    intervals
}

/// A statistic with its 95% percentile bootstrap interval, for statistics that are no mean over
/// images, such as macro F1.
///
/// `statistic` gets how often each image counts (first 1 for all, then each resample's
/// [`Resamples::weights`]) and may have no value; such resamples are left out. `None` if it has
/// none for the data themselves.
pub fn statistic_interval(
    resamples: &Resamples,
    mut statistic: impl FnMut(&[u8]) -> Option<f64>,
) -> Option<Interval> {
    let value = statistic(&vec![1; resamples.images])?;
    let mut replicates: Vec<f64> = (0..resamples.draws)
        .filter_map(|draw| statistic(&resamples.weights(draw)))
        .collect();
    interval(value, resamples.images, &mut replicates)
}

pub(crate) fn interval(mean: f64, n: usize, replicates: &mut [f64]) -> Option<Interval> {
    if n == 0 || !mean.is_finite() || replicates.iter().any(|value| !value.is_finite()) {
        return None;
    }
    if n == 1 {
        let (low, high) = (mean, mean);
        return Some(Interval { mean, low, high, n });
    }
    // Rounding differs between the sum in image order and the weighted sums: a mean of equal
    // values must still lie inside its interval.
    let (low, high) = central_95(replicates).unwrap_or((mean, mean));
    let rounding = 1e-12 * mean.abs();
    let low = if (low - mean).abs() <= rounding {
        mean
    } else {
        low
    };
    let high = if (high - mean).abs() <= rounding {
        mean
    } else {
        high
    };
    Some(Interval { mean, low, high, n })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::mix;

    fn values(n: usize, seed: u64) -> Vec<f64> {
        (0..n as u64)
            .map(|i| (mix(mix(seed) ^ i) >> 11) as f64 / (1u64 << 53) as f64)
            .collect()
    }

    #[test]
    fn resamples_hold_n_images_each() {
        let resamples = Resamples::new(37, 50, 3);
        for draw in 0..50 {
            let total: usize = resamples
                .weights(draw)
                .iter()
                .map(|&count| usize::from(count))
                .sum();
            assert_eq!(total, 37);
        }
        assert_ne!(resamples, Resamples::new(37, 50, 4));
    }

    #[test]
    fn a_resample_does_not_depend_on_how_many_are_drawn() {
        let (few, many) = (Resamples::new(20, 5, 9), Resamples::new(20, 300, 9));
        assert!((0..5).all(|draw| few.weights(draw) == many.weights(draw)));
    }

    #[test]
    fn images_are_drawn_evenly() {
        // 40 000 draws of 10 images: 40 000 each, standard deviation 190
        let resamples = Resamples::new(10, 40_000, 0);
        for image in resamples.counts.chunks_exact(40_000) {
            let total: i64 = image.iter().map(|&count| i64::from(count)).sum();
            assert!((total - 40_000).abs() < 950, "{total}");
        }
    }

    #[test]
    fn tiles_agree_with_the_plain_sum() {
        // widths and heights that are no multiples of the tiles
        let resamples = Resamples::new(131, 301, 1);
        let columns = [values(131, 1), values(131, 2)];
        let sums = resamples.sums(&[&columns[0], &columns[1]]);
        for (column, sums) in columns.iter().zip(&sums) {
            for (draw, sum) in sums.iter().enumerate() {
                let weights = resamples.weights(draw);
                let plain: f64 = weights
                    .iter()
                    .zip(column)
                    .map(|(&w, v)| f64::from(w) * v)
                    .sum();
                assert!((sum - plain).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn interval_agrees_with_the_normal_one() {
        // The mean of 400 uniform numbers: standard error 0.01443, so ±0.0283 about the mean.
        let column = values(400, 5);
        let interval = mean_interval(&column, &Resamples::new(400, 4000, 7)).unwrap();
        let mean = column.iter().sum::<f64>() / 400.0;
        let variance = column.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 400.0;
        let half = 1.96 * (variance / 400.0).sqrt();
        assert!((interval.mean - mean).abs() < 1e-12);
        assert!(
            (interval.low - (mean - half)).abs() < 0.1 * half,
            "{interval:?}"
        );
        assert!(
            (interval.high - (mean + half)).abs() < 0.1 * half,
            "{interval:?}"
        );
    }

    #[test]
    fn intervals_cover_the_truth() {
        // 400 samples of 40 uniform numbers; coverage of the percentile interval is near 0.94
        // (standard deviation of the share 0.012).
        let resamples = Resamples::new(40, 1000, 11);
        let columns: Vec<Vec<f64>> = (0..400).map(|seed| values(40, 1000 + seed)).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let covered = mean_intervals(&columns, &resamples)
            .into_iter()
            .flatten()
            .filter(|interval| interval.low <= 0.5 && 0.5 <= interval.high)
            .count();
        assert!((355..=395).contains(&covered), "{covered}");
    }

    #[test]
    fn many_columns_give_what_one_gives() {
        let resamples = Resamples::new(50, 500, 2);
        let columns = [values(50, 1), values(50, 2), values(50, 3)];
        let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let together = mean_intervals(&slices, &resamples);
        for (column, interval) in columns.iter().zip(together) {
            assert_eq!(mean_interval(column, &resamples), interval);
            let entries: Vec<Option<f64>> = column.iter().copied().map(Some).collect();
            assert_eq!(mean_interval_masked(&entries, &resamples), interval);
        }
    }

    #[test]
    fn missing_values_are_left_out() {
        let resamples = Resamples::new(6, 500, 2);
        let entries = [Some(1.0), None, Some(3.0), None, None, Some(2.0)];
        let interval = mean_interval_masked(&entries, &resamples).unwrap();
        assert_eq!((interval.mean, interval.n), (2.0, 3));
        assert!(interval.low >= 1.0 && interval.high <= 3.0 && interval.low < interval.high);
        assert_eq!(mean_interval_masked(&[None; 6], &resamples), None);
    }

    #[test]
    fn few_values() {
        assert_eq!(mean_interval(&[], &Resamples::new(0, 10, 0)), None);
        let one = mean_interval(&[0.3], &Resamples::new(1, 10, 0)).unwrap();
        assert_eq!((one.mean, one.low, one.high, one.n), (0.3, 0.3, 0.3, 1));
        let mut gap = [None; 9];
        gap[4] = Some(0.1);
        let one = mean_interval_masked(&gap, &Resamples::new(9, 100, 0)).unwrap();
        assert_eq!((one.low, one.high, one.n), (0.1, 0.1, 1));
        let equal = mean_interval(&[0.1; 7], &Resamples::new(7, 100, 0)).unwrap();
        assert_eq!((equal.low, equal.high), (equal.mean, equal.mean));
        assert_eq!(
            mean_interval(&[0.1, f64::NAN], &Resamples::new(2, 10, 0)),
            None
        );
    }

    #[test]
    fn a_general_statistic_agrees_with_the_mean() {
        let column = values(30, 4);
        let resamples = Resamples::new(30, 400, 5);
        let mean = |weights: &[u8]| {
            let sum: f64 = weights
                .iter()
                .zip(&column)
                .map(|(&w, v)| f64::from(w) * v)
                .sum();
            Some(sum / 30.0)
        };
        let general = statistic_interval(&resamples, mean).unwrap();
        let special = mean_interval(&column, &resamples).unwrap();
        assert!((general.low - special.low).abs() < 1e-12);
        assert!((general.high - special.high).abs() < 1e-12);
    }
}
