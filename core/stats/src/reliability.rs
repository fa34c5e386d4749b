//! Do images agree on explainers? Reliability of a score: intraclass correlation and
//! Krippendorff's alpha.

use crate::distributions::{f_quantile_upper, f_survival};
use crate::rank::average_ranks;
use serde::{Deserialize, Serialize};

/// Intraclass correlation, two-way, consistency: ICC(3,1) and ICC(3,k) of Shrout and Fleiss 1979.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Icc {
    /// ICC(3,1): share of variance between targets in what one rater says, raters' own levels
    /// aside; from −1/(k − 1) to 1.
    pub single: f64,
    /// Lower end of its 95% interval.
    pub single_low: f64,
    /// Upper end of its 95% interval.
    pub single_high: f64,
    /// ICC(3,k): the same of the mean over all raters (Cronbach's alpha), 0..=1; what would fall
    /// below 0 is 0.
    pub mean: f64,
    /// Mean square between targets over that of the residual.
    pub f: f64,
    /// p of an F as large where targets do not differ.
    pub p_value: f64,
    /// Targets.
    pub targets: usize,
    /// Raters.
    pub raters: usize,
}

/// Intraclass correlation of `values[target][rater]` (Shrout and Fleiss 1979, case 3).
///
/// With explainers as targets and images as raters it says how much of what a score says on one
/// image is about the explainer. `None` with fewer than two targets or raters, differing numbers
/// of raters, a value that is not finite, or no residual variance at all (F would be infinite or
/// 0/0).
#[must_use]
pub fn icc(values: &[&[f64]]) -> Option<Icc> {
    let targets = values.len();
    let raters = values.first()?.len();
    let bad = |row: &&[f64]| row.len() != raters || row.iter().any(|value| !value.is_finite());
    if targets < 2 || raters < 2 || values.iter().any(bad) {
        return None;
    }
    let (n, k) = (targets as f64, raters as f64);
    let means: Vec<f64> = values
        .iter()
        .map(|row| row.iter().sum::<f64>() / k)
        .collect();
    let grand = means.iter().sum::<f64>() / n;
    let raters_means: Vec<f64> = (0..raters)
        .map(|rater| values.iter().map(|row| row[rater]).sum::<f64>() / n)
        .collect();
    let between = means.iter().map(|m| (m - grand) * (m - grand)).sum::<f64>() * k / (n - 1.0);
    let mut residual = 0.0;
    let mut largest = 0.0f64;
    for (row, mean) in values.iter().zip(&means) {
        for (value, rater) in row.iter().zip(&raters_means) {
            let left = value - mean - rater + grand;
            residual += left * left;
            largest = largest.max(value.abs());
        }
    }
    residual /= (n - 1.0) * (k - 1.0);
    if residual.sqrt() <= 1e-12 * largest {
        return None;
    }
    let f = between / residual;
    let (freedom, rest) = (n - 1.0, (n - 1.0) * (k - 1.0));
    let single = |f: f64| (f - 1.0) / (f + k - 1.0);
    let low = f / f_quantile_upper(0.025, freedom, rest)?;
    let high = f * f_quantile_upper(0.025, rest, freedom)?;
    Some(Icc {
        single: single(f),
        single_low: single(low),
        single_high: single(high),
        mean: (1.0 - 1.0 / f).max(0.0),
        f,
        p_value: f_survival(f, freedom, rest)?,
        targets,
        raters,
    })
}

/// Krippendorff's alpha for ranks: how far images agree on the order of explainers
/// (Krippendorff 2011; Tomsett et al. 2020 judge scores of saliency by it).
///
/// `values[unit][rater]`; each rater's values are ranked over its units, the smallest first, ties
/// sharing the mean of their places, and the ranks are taken as ordinal data. 1 is perfect
/// agreement, 0 what chance gives, below it opposition. A rater counts where it has at least two
/// values. `None` where fewer than two values of any unit can be paired, where all ranks are equal
/// (nothing could disagree), or where raters differ in number.
#[must_use]
pub fn krippendorff_alpha(values: &[&[Option<f64>]]) -> Option<f64> {
    let units = values.len();
    let raters = values.first()?.len();
    if values.iter().any(|row| row.len() != raters) {
        return None;
    }
    // Twice a rank, which is whole, is the category; counts are [unit][category].
    let categories = 2 * units + 1;
    let mut counts = vec![vec![0.0f64; categories]; units];
    for rater in 0..raters {
        let column = values.iter().map(|row| row[rater]).enumerate();
        let given: Vec<(usize, f64)> = column
            .filter_map(|(unit, value)| Some((unit, value.filter(|v| v.is_finite())?)))
            .collect();
        if given.len() < 2 {
            continue;
        }
        let ranks = average_ranks(&given.iter().map(|(_, value)| *value).collect::<Vec<_>>());
        for ((unit, _), rank) in given.iter().zip(ranks) {
            counts[*unit][(2.0 * rank) as usize] += 1.0;
        }
    }
    counts.retain(|unit| unit.iter().sum::<f64>() >= 2.0);
    let margin: Vec<f64> = (0..categories)
        .map(|category| counts.iter().map(|unit| unit[category]).sum())
        .collect();
    let total: f64 = margin.iter().sum();
    let mut before = vec![0.0; categories + 1];
    for (category, count) in margin.iter().enumerate() {
        before[category + 1] = before[category] + count;
    }
    // δ² of two ordinal categories: the squared number of values from the middle of one to the
    // middle of the other.
    let distance = |c: usize, d: usize| {
        let (c, d) = (c.min(d), c.max(d));
        let across = before[d + 1] - before[c] - (margin[c] + margin[d]) / 2.0;
        across * across
    };
    let (mut observed, mut expected) = (0.0, 0.0);
    for c in 0..categories {
        for d in c + 1..categories {
            if margin[c] == 0.0 || margin[d] == 0.0 {
                continue;
            }
            let apart = distance(c, d);
            expected += margin[c] * margin[d] * apart;
            for unit in &counts {
                let here: f64 = unit.iter().sum();
                observed += unit[c] * unit[d] / (here - 1.0) * apart;
            }
        }
    }
    (expected > 0.0).then(|| 1.0 - (total - 1.0) * observed / expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn icc_is_that_of_the_published_example() {
        // Shrout and Fleiss 1979, tables 2 to 4: six targets, four judges.
        let rows: [&[f64]; 6] = [
            &[9.0, 2.0, 5.0, 8.0],
            &[6.0, 1.0, 3.0, 2.0],
            &[8.0, 4.0, 6.0, 8.0],
            &[7.0, 1.0, 2.0, 6.0],
            &[10.0, 5.0, 6.0, 9.0],
            &[6.0, 2.0, 4.0, 7.0],
        ];
        let found = icc(&rows).unwrap();
        assert!((found.single - 0.71).abs() < 0.005, "{found:?}");
        assert!((found.mean - 0.91).abs() < 0.005, "{found:?}");
        assert!((found.f - 11.02).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn levels_of_raters_do_not_matter() {
        let a: [&[f64]; 3] = [&[1.0, 2.0, 3.5], &[2.0, 3.0, 3.0], &[4.0, 1.0, 5.0]];
        let b: [&[f64]; 3] = [
            &[1.0, 12.0, 103.5],
            &[2.0, 13.0, 103.0],
            &[4.0, 11.0, 105.0],
        ];
        let (a, b) = (icc(&a).unwrap(), icc(&b).unwrap());
        assert!((a.single - b.single).abs() < 1e-12);
    }

    #[test]
    fn no_icc() {
        assert_eq!(icc(&[]), None);
        assert_eq!(icc(&[&[1.0, 2.0]]), None);
        assert_eq!(icc(&[&[1.0], &[2.0]]), None);
        assert_eq!(icc(&[&[1.0, 2.0], &[1.0, 2.0]]), None, "nothing differs");
        assert_eq!(icc(&[&[0.1; 4], &[0.7; 4]]), None, "no residual");
        assert_eq!(icc(&[&[1.0, f64::NAN], &[2.0, 1.0]]), None);
        assert_eq!(icc(&[&[1.0, 2.0], &[2.0]]), None);
    }

    #[test]
    fn alpha_of_equal_and_opposed_orders() {
        let (a, b, c) = (some(&[1.0, 5.0]), some(&[2.0, 6.0]), some(&[3.0, 7.0]));
        let same = krippendorff_alpha(&[&a, &b, &c]).unwrap();
        assert!((same - 1.0).abs() < 1e-15, "{same}");
        // Two raters with opposed orders of two units: D_o = δ², D_e = 2·2·δ²/3 over 4 values,
        // alpha = 1 − 3·(1 + 1)/(2·2) = −0.5.
        let (a, b) = (some(&[1.0, 2.0]), some(&[2.0, 1.0]));
        let opposed = krippendorff_alpha(&[&a, &b]).unwrap();
        assert!((opposed + 0.5).abs() < 1e-15, "{opposed}");
    }

    #[test]
    fn no_alpha() {
        assert_eq!(krippendorff_alpha(&[]), None);
        assert_eq!(krippendorff_alpha(&[&[None, None]]), None);
        let (flat, same) = (some(&[1.0, 1.0]), some(&[1.0, 1.0]));
        assert_eq!(krippendorff_alpha(&[&flat, &same]), None, "all tied");
        assert_eq!(krippendorff_alpha(&[&flat, &[Some(1.0)]]), None);
    }
}
