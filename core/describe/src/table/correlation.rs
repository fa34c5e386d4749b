//! Correlation of columns.

use rayon::prelude::*;
use xbench_stats::average_ranks;

/// Pearson's correlation of two columns over the rows where both are finite; −1..=1.
///
/// `None` with fewer than two such rows and where a column does not vary over them.
#[must_use]
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = complete(a, b);
    pearson_of(&a, &b)
}

/// Spearman's: Pearson's correlation of the ranks, ties sharing the mean of their ranks.
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = complete(a, b);
    pearson_of(&average_ranks(&a), &average_ranks(&b))
}

fn complete(a: &[f64], b: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let both = a.iter().zip(b);
    both.filter(|(a, b)| a.is_finite() && b.is_finite())
        .map(|(&a, &b)| (a, b))
        .unzip()
}

fn pearson_of(a: &[f64], b: &[f64]) -> Option<f64> {
    let constant = |v: &[f64]| v.iter().all(|x| x == &v[0]);
    if a.len() < 2 || constant(a) || constant(b) {
        return None;
    }
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    // Only values beyond those of `f32` overflow.
    let scale = (aa * bb).sqrt();
    (scale.is_finite() && scale > 0.0).then(|| (ab / scale).clamp(-1.0, 1.0))
}

/// A correlation of each pair of columns; the diagonal is exactly 1 where it is defined.
pub(super) fn matrix(
    columns: &[Vec<f64>],
    correlation: impl Fn(&[f64], &[f64]) -> Option<f64> + Sync,
) -> Vec<Vec<Option<f64>>> {
    let lower: Vec<Vec<Option<f64>>> = columns
        .par_iter()
        .enumerate()
        .map(|(i, a)| {
            let mut row: Vec<_> = columns[..i].iter().map(|b| correlation(a, b)).collect();
            row.push(correlation(a, a).map(|_| 1.0));
            row
        })
        .collect();
    let n = columns.len();
    (0..n)
        .map(|i| (0..n).map(|j| lower[i.max(j)][i.min(j)]).collect())
        .collect()
}

/// Spearman's correlation of each pair; columns without gaps are ranked once.
pub(super) fn matrix_of_ranks(columns: &[Vec<f64>]) -> Vec<Vec<Option<f64>>> {
    let whole = columns.iter().flatten().all(|v| v.is_finite());
    if !whole {
        return matrix(columns, spearman);
    }
    let ranks: Vec<Vec<f64>> = columns.par_iter().map(|c| average_ranks(c)).collect();
    matrix(&ranks, pearson_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_by_hand() {
        // Deviations (−1.5, −.5, .5, 1.5) and (−1.5, .5, −.5, 1.5): Σab = 4 of Σaa = Σbb = 5.
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]);
        assert!((pearson(&a, &b).unwrap() - 0.8).abs() < 1e-15);
        assert!((spearman(&a, &b).unwrap() - 0.8).abs() < 1e-15);
        // Ranks see the order alone.
        assert_eq!(spearman(&a, &[1.0, 10.0, 100.0, 1e9]), Some(1.0));
        assert_eq!(pearson(&a, &a.map(|v| -2.0 * v)), Some(-1.0));
    }

    #[test]
    fn no_correlation() {
        assert_eq!(pearson(&[1.0, 2.0], &[3.0, 3.0]), None);
        assert_eq!(pearson(&[1.0], &[3.0]), None);
        assert_eq!(spearman(&[], &[]), None);
        assert_eq!(pearson(&[1.0, f64::NAN, 2.0], &[5.0, 6.0, 5.0]), None);
        assert_eq!(pearson(&[1e200, -1e200], &[1.0, 2.0]), None);
    }
}
