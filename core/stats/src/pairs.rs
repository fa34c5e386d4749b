//! All pairs of columns compared at once: difference, tests and effect sizes, image by image.

use crate::bootstrap::{Interval, Resamples, interval};
use crate::effect::{Effect, cohen_dz, rank_biserial};
use crate::paired::wilcoxon_signed_rank;
use crate::permutation::{SignFlips, exact_or_trivial, monte_carlo};
use serde::{Deserialize, Serialize};

/// One column less another on the images where both have a value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
    /// Mean difference with its paired 95% bootstrap interval.
    pub difference: Interval,
    /// Standard deviation of the differences (n − 1); `None` of a single one.
    pub deviation: Option<f64>,
    /// Two-sided p of the Wilcoxon signed-rank test.
    pub wilcoxon: f64,
    /// Two-sided p of the paired permutation test of the mean.
    pub permutation: f64,
    /// Cohen's d_z; `None` where the differences do not vary.
    pub cohen_dz: Option<Effect>,
    /// Matched-pairs rank-biserial correlation; `None` where all differences are zero.
    pub rank_biserial: Option<Effect>,
}

/// Compares pairs of columns, each with an entry per image, `None` where there is no value.
///
/// As [`crate::mean_interval_masked`], [`wilcoxon_signed_rank`], [`crate::paired_permutation`],
/// [`cohen_dz`] and [`rank_biserial`] of the differences, at a small part of their cost: resampling
/// and flipping are linear, so that each column is summed up once and not once per pair; what only
/// one of a pair has is taken out again. `None` for a pair without an image in common or with a
/// value that is not finite.
///
/// # Panics
/// If columns, resamples and flips differ in their number of images, or a pair names a column
/// that is not there.
#[must_use]
pub fn compare_pairs(
    columns: &[&[Option<f64>]],
    pairs: &[(usize, usize)],
    resamples: &Resamples,
    flips: &SignFlips,
) -> Vec<Option<PairedComparison>> {
    let images = resamples.images();
    assert_eq!(flips.images(), images, "flips and resamples of one run");
    for column in columns {
        assert_eq!(column.len(), images, "one entry for each image");
    }
    let plain: Vec<Vec<f64>> = columns
        .iter()
        .map(|column| column.iter().map(|value| value.unwrap_or(0.0)).collect())
        .collect();
    let slices: Vec<&[f64]> = plain.iter().map(Vec::as_slice).collect();
    let mut scratch = Scratch {
        columns,
        resampled: resamples.sums(&slices),
        flipped: flips.sums(&slices),
        resamples,
        flips,
        sums: Vec::new(),
        weights: Vec::new(),
    };
    pairs.iter().map(|&(a, b)| scratch.compare(a, b)).collect()
}

/// What resampling and flipping make of the columns, and room to work in.
struct Scratch<'a> {
    columns: &'a [&'a [Option<f64>]],
    resampled: Vec<Vec<f64>>,
    flipped: Vec<Vec<f64>>,
    resamples: &'a Resamples,
    flips: &'a SignFlips,
    sums: Vec<f64>,
    weights: Vec<f64>,
}

impl Scratch<'_> {
    fn compare(&mut self, a: usize, b: usize) -> Option<PairedComparison> {
        let (left, right) = (self.columns[a], self.columns[b]);
        let differences: Vec<Option<f64>> = left
            .iter()
            .zip(right)
            .map(|(a, b)| Some((*a)? - (*b)?))
            .collect();
        let present: Vec<f64> = differences.iter().copied().flatten().collect();
        let n = present.len();
        if present.iter().any(|difference| !difference.is_finite()) {
            return None;
        }
        let wilcoxon = wilcoxon_signed_rank(&present)?;
        let trivial = exact_or_trivial(&differences)?;
        let total: f64 = present.iter().sum();
        let mean = total / n as f64;
        let difference = if wilcoxon.n == 0 {
            Interval {
                mean: 0.0,
                low: 0.0,
                high: 0.0,
                n,
            }
        } else {
            self.resample(a, b, n);
            interval(mean, n, &mut self.sums)?
        };
        let permutation = trivial.unwrap_or_else(|| {
            let flips = self.flips;
            fill(
                &mut self.sums,
                &self.flipped,
                (left, right),
                (a, b),
                |image, value, sums| {
                    flips.add(image, value, sums);
                },
            );
            let scale =
                |column: &[Option<f64>]| column.iter().flatten().map(|v| v.abs()).sum::<f64>();
            monte_carlo(total, scale(left) + scale(right), self.sums.iter().copied())
        });
        let squares: f64 = present.iter().map(|d| (d - mean) * (d - mean)).sum();
        Some(PairedComparison {
            difference,
            deviation: (n > 1).then(|| (squares / (n as f64 - 1.0)).sqrt()),
            wilcoxon: wilcoxon.p_value,
            permutation,
            cohen_dz: cohen_dz(&present),
            rank_biserial: rank_biserial(&present),
        })
    }

    /// Leaves the mean difference of every resample that holds an image of both in `sums`.
    fn resample(&mut self, a: usize, b: usize, n: usize) {
        let (left, right) = (self.columns[a], self.columns[b]);
        let resamples = self.resamples;
        fill(
            &mut self.sums,
            &self.resampled,
            (left, right),
            (a, b),
            |image, value, sums| {
                resamples.add(image, value, sums);
            },
        );
        if n == left.len() {
            self.sums.iter_mut().for_each(|sum| *sum /= n as f64);
            return;
        }
        // A resample's size, less what it holds of images without a difference.
        self.weights.clear();
        self.weights.resize(self.sums.len(), left.len() as f64);
        for (image, (a, b)) in left.iter().zip(right).enumerate() {
            if a.is_none() || b.is_none() {
                resamples.add(image, -1.0, &mut self.weights);
            }
        }
        let mut kept = 0;
        for draw in 0..self.sums.len() {
            if self.weights[draw] > 0.0 {
                self.sums[kept] = self.sums[draw] / self.weights[draw];
                kept += 1;
            }
        }
        self.sums.truncate(kept);
    }
}

/// Sums of the differences of two columns from the sums of each, without what only one has.
fn fill(
    sums: &mut Vec<f64>,
    known: &[Vec<f64>],
    (left, right): (&[Option<f64>], &[Option<f64>]),
    (a, b): (usize, usize),
    add: impl Fn(usize, f64, &mut [f64]),
) {
    sums.clear();
    sums.extend(known[a].iter().zip(&known[b]).map(|(a, b)| a - b));
    for (image, sides) in left.iter().zip(right).enumerate() {
        match sides {
            (Some(a), None) => add(image, -*a, sums),
            (None, Some(b)) => add(image, *b, sums),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mean_interval_masked, paired_permutation};

    fn column(number: u32, images: u32, gaps: u32) -> Vec<Option<f64>> {
        (0..images)
            .map(|i| {
                let value = (f64::from(i * 7 + number * 13) * 0.61).sin() + f64::from(number) * 0.1;
                (gaps == 0 || !(i + number).is_multiple_of(gaps)).then_some(value)
            })
            .collect()
    }

    /// Every pair is what the functions for one give.
    fn agrees(columns: &[Vec<Option<f64>>]) {
        let images = columns[0].len();
        let (resamples, flips) = (
            Resamples::new(images, 400, 1),
            SignFlips::new(images, 500, 1),
        );
        let slices: Vec<&[Option<f64>]> = columns.iter().map(Vec::as_slice).collect();
        let pairs: Vec<(usize, usize)> = (0..columns.len())
            .flat_map(|a| (0..a).map(move |b| (a, b)))
            .collect();
        let found = compare_pairs(&slices, &pairs, &resamples, &flips);
        for (&(a, b), found) in pairs.iter().zip(found) {
            let sides = columns[a].iter().zip(&columns[b]);
            let differences: Vec<Option<f64>> = sides.map(|(a, b)| Some((*a)? - (*b)?)).collect();
            let present: Vec<f64> = differences.iter().copied().flatten().collect();
            let Some(found) = found else {
                assert!(present.is_empty());
                continue;
            };
            let expected = mean_interval_masked(&differences, &resamples).unwrap();
            for (x, y) in [
                (found.difference.mean, expected.mean),
                (found.difference.low, expected.low),
                (found.difference.high, expected.high),
            ] {
                assert!((x - y).abs() < 1e-12, "{a} {b}: {x} {y}");
            }
            assert_eq!(found.difference.n, expected.n);
            let test = wilcoxon_signed_rank(&present).unwrap();
            assert_eq!(found.wilcoxon, test.p_value);
            let permutation = paired_permutation(&differences, &flips).unwrap();
            assert!((found.permutation - permutation).abs() < 1e-12);
            assert_eq!(found.cohen_dz, cohen_dz(&present));
            assert_eq!(found.rank_biserial, rank_biserial(&present));
        }
    }

    #[test]
    fn pairs_are_what_each_alone_would_be() {
        agrees(&(0..5).map(|k| column(k, 70, 0)).collect::<Vec<_>>());
        agrees(&(0..5).map(|k| column(k, 70, 3)).collect::<Vec<_>>());
        agrees(&(0..4).map(|k| column(k, 20, 5)).collect::<Vec<_>>());
        // Equal gaps in some of the columns, none in others, nothing in the last.
        let mut mixed: Vec<_> = (0..4).map(|k| column(k, 60, 0)).collect();
        mixed[1][7] = None;
        mixed[2][7] = None;
        mixed.push(vec![None; 60]);
        agrees(&mixed);
    }

    #[test]
    fn equal_columns_differ_by_nothing() {
        let one = column(1, 40, 4);
        let (resamples, flips) = (Resamples::new(40, 100, 1), SignFlips::new(40, 100, 1));
        let found = compare_pairs(&[&one, &one], &[(0, 1)], &resamples, &flips);
        let found = found[0].unwrap();
        assert_eq!((found.difference.low, found.difference.high), (0.0, 0.0));
        assert_eq!((found.wilcoxon, found.permutation), (1.0, 1.0));
        assert_eq!((found.cohen_dz, found.rank_biserial), (None, None));
        assert_eq!(found.deviation, Some(0.0));
    }

    #[test]
    fn one_image_tells_nothing() {
        let (resamples, flips) = (Resamples::new(1, 100, 1), SignFlips::new(1, 100, 1));
        let (a, b): ([_; 1], [_; 1]) = ([Some(1.0)], [Some(3.0)]);
        let found = compare_pairs(&[&a, &b], &[(0, 1)], &resamples, &flips)[0].unwrap();
        assert_eq!(
            (found.difference.low, found.difference.high, found.deviation),
            (-2.0, -2.0, None)
        );
        assert_eq!((found.wilcoxon, found.permutation), (1.0, 1.0));
        assert!(compare_pairs(&[], &[], &resamples, &flips).is_empty());
    }
}
