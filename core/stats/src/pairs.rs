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

/// Pairs whose gaps differ are summed up together, so many at a time: it bounds memory.
const TOGETHER: usize = 64;

/// Which images count, and what that gives per resample.
struct Mask {
    present: Vec<bool>,
    /// How many of a resample's images count, per draw; empty where all do.
    weights: Vec<f64>,
}

/// Columns with what resampling and flipping make of them.
struct Prepared {
    plain: Vec<Vec<f64>>,
    /// Position of each column's mask.
    mask_of: Vec<usize>,
    masks: Vec<Mask>,
    resampled: Vec<Vec<f64>>,
    flipped: Vec<Vec<f64>>,
}

/// Compares pairs of columns, each with an entry per image, `None` where there is no value.
///
/// As [`crate::mean_interval_masked`], [`wilcoxon_signed_rank`], [`crate::paired_permutation`],
/// [`cohen_dz`] and [`rank_biserial`] of the differences, at a small part of their cost: both
/// resampling and flipping are linear, so that columns with the same gaps are summed up once and
/// not once per pair. `None` for a pair without an image in common or with a value that is not
/// finite.
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
    let prepared = prepare(columns, resamples, flips);
    let mut found = vec![None; pairs.len()];
    let mut uneven = Vec::new();
    let mut replicates = Vec::with_capacity(resamples.draws());
    for (place, &(a, b)) in pairs.iter().enumerate() {
        if prepared.mask_of[a] != prepared.mask_of[b] {
            uneven.push(place);
            continue;
        }
        let differences = differences(columns[a], columns[b]);
        let mask = &prepared.masks[prepared.mask_of[a]];
        let scale: f64 = prepared.plain[a].iter().map(|v| v.abs()).sum::<f64>()
            + prepared.plain[b].iter().map(|v| v.abs()).sum::<f64>();
        found[place] = compare(
            &differences,
            &mask.weights,
            (&prepared.resampled[a], Some(&prepared.resampled[b])),
            (&prepared.flipped[a], Some(&prepared.flipped[b])),
            scale,
            &mut replicates,
        );
    }
    for places in uneven.chunks(TOGETHER) {
        let columns: Vec<Vec<Option<f64>>> = places
            .iter()
            .map(|&place| differences(columns[pairs[place].0], columns[pairs[place].1]))
            .collect();
        let slices: Vec<&[Option<f64>]> = columns.iter().map(Vec::as_slice).collect();
        let prepared = prepare(&slices, resamples, flips);
        for (at, &place) in places.iter().enumerate() {
            found[place] = compare(
                &columns[at],
                &prepared.masks[prepared.mask_of[at]].weights,
                (&prepared.resampled[at], None),
                (&prepared.flipped[at], None),
                prepared.plain[at].iter().map(|v| v.abs()).sum(),
                &mut replicates,
            );
        }
    }
    found
}

fn differences(a: &[Option<f64>], b: &[Option<f64>]) -> Vec<Option<f64>> {
    a.iter().zip(b).map(|(a, b)| Some((*a)? - (*b)?)).collect()
}

fn prepare(columns: &[&[Option<f64>]], resamples: &Resamples, flips: &SignFlips) -> Prepared {
    let mut masks: Vec<Mask> = Vec::new();
    let mut mask_of = Vec::with_capacity(columns.len());
    let mut plain: Vec<Vec<f64>> = Vec::with_capacity(columns.len());
    for column in columns {
        let present: Vec<bool> = column.iter().map(Option::is_some).collect();
        let known = masks.iter().position(|mask| mask.present == present);
        mask_of.push(known.unwrap_or(masks.len()));
        if known.is_none() {
            masks.push(Mask {
                present,
                weights: Vec::new(),
            });
        }
        plain.push(column.iter().map(|value| value.unwrap_or(0.0)).collect());
    }
    let gaps: Vec<usize> = (0..masks.len())
        .filter(|&mask| masks[mask].present.contains(&false))
        .collect();
    let indicators: Vec<Vec<f64>> = gaps
        .iter()
        .map(|&mask| {
            let present = masks[mask].present.iter();
            present.map(|&there| f64::from(u8::from(there))).collect()
        })
        .collect();
    let slices: Vec<&[f64]> = plain.iter().chain(&indicators).map(Vec::as_slice).collect();
    let mut resampled = resamples.sums(&slices);
    for (&mask, weights) in gaps.iter().zip(resampled.drain(plain.len()..)) {
        masks[mask].weights = weights;
    }
    let flipped = flips.sums(&slices[..plain.len()]);
    Prepared {
        plain,
        mask_of,
        masks,
        resampled,
        flipped,
    }
}

/// Sums of a column, or of one column less another.
type Sums<'a> = (&'a [f64], Option<&'a Vec<f64>>);

fn less((own, other): Sums<'_>, draw: usize) -> f64 {
    own[draw] - other.map_or(0.0, |other| other[draw])
}

fn compare(
    differences: &[Option<f64>],
    weights: &[f64],
    resampled: Sums<'_>,
    flipped: Sums<'_>,
    scale: f64,
    replicates: &mut Vec<f64>,
) -> Option<PairedComparison> {
    let present: Vec<f64> = differences.iter().copied().flatten().collect();
    let n = present.len();
    let wilcoxon = wilcoxon_signed_rank(&present)?;
    let exact = exact_or_trivial(differences)?;
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
        replicates.clear();
        let draws = 0..resampled.0.len();
        if weights.is_empty() {
            replicates.extend(draws.map(|draw| less(resampled, draw) / n as f64));
        } else {
            let held = draws.filter(|&draw| weights[draw] > 0.0);
            replicates.extend(held.map(|draw| less(resampled, draw) / weights[draw]));
        }
        interval(mean, n, replicates)?
    };
    let permutation = exact.unwrap_or_else(|| {
        let sums = (0..flipped.0.len()).map(|draw| less(flipped, draw));
        monte_carlo(total, scale, sums)
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
            let differences = differences(&columns[a], &columns[b]);
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
