//! Are several explainers ranked alike? Friedman's test, and Nemenyi's critical difference.

use crate::distributions::{
    chi_square_survival, f_survival, normal_range_cdf, normal_range_quantile_upper,
};
use crate::rank::average_ranks;
use serde::{Deserialize, Serialize};

/// Friedman's test of k treatments in n blocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Friedman {
    /// χ²_F with the correction for ties.
    pub chi_square: f64,
    /// Its p by χ² with k − 1 degrees of freedom.
    pub p_value: f64,
    /// The F of Iman and Davenport (1980), which errs less towards caution; `None` where all blocks
    /// give the same order (it would be infinite).
    pub f: Option<f64>,
    /// Its p by F with k − 1 and (k − 1)(n − 1) degrees of freedom; 0 where there is no F.
    pub p_f: f64,
    /// Blocks n.
    pub blocks: usize,
    /// Treatments k.
    pub treatments: usize,
}

/// Tests whether `values[treatment][block]` rank the treatments alike (Friedman 1937; Demšar 2006,
/// section 3.2.2).
///
/// Values are ranked within each block, ties sharing the mean of their places. Where all
/// treatments are tied in every block χ² is 0 and p is 1. `None` with fewer than two treatments or
/// two blocks, differing numbers of blocks, or a value that is not finite.
#[must_use]
pub fn friedman(values: &[&[f64]]) -> Option<Friedman> {
    let treatments = values.len();
    let blocks = values.first()?.len();
    if treatments < 2 || blocks < 2 {
        return None;
    }
    let bad = |row: &&[f64]| row.len() != blocks || row.iter().any(|value| !value.is_finite());
    if values.iter().any(bad) {
        return None;
    }
    let (n, k) = (blocks as f64, treatments as f64);
    let mut sums = vec![0.0; treatments];
    // Σ of squared ranks: without ties k(k+1)(2k+1)/6 per block, less with them.
    let mut squares = 0.0;
    for block in 0..blocks {
        let column: Vec<f64> = values.iter().map(|row| row[block]).collect();
        for (sum, rank) in sums.iter_mut().zip(average_ranks(&column)) {
            *sum += rank;
            squares += rank * rank;
        }
    }
    let expected = n * k * (k + 1.0) * (k + 1.0) / 4.0;
    let between: f64 = sums.iter().map(|sum| sum * sum).sum::<f64>() / n - expected;
    let within = (squares - expected) / (n * (k - 1.0));
    if within <= 1e-12 {
        return Some(Friedman {
            chi_square: 0.0,
            p_value: 1.0,
            f: Some(0.0),
            p_f: 1.0,
            blocks,
            treatments,
        });
    }
    let chi_square = (between / within).max(0.0);
    let rest = n * (k - 1.0) - chi_square;
    let f = (rest > 1e-9 * chi_square).then(|| (n - 1.0) * chi_square / rest);
    Some(Friedman {
        chi_square,
        p_value: chi_square_survival(chi_square, k - 1.0)?,
        f,
        p_f: match f {
            Some(f) => f_survival(f, k - 1.0, (k - 1.0) * (n - 1.0))?,
            None => 0.0,
        },
        blocks,
        treatments,
    })
}

/// Nemenyi's critical difference of mean ranks (Nemenyi 1963; Demšar 2006, section 3.2.2):
/// `q_α √(k(k + 1) / 6n)`, q_α the quantile of the range of k normal values over √2.
///
/// Two of `treatments` whose mean ranks over `blocks` differ by less are not told apart at level
/// `alpha`, all pairs taken together. It looks at mean ranks alone, so that whether two differ
/// hangs on which others take part (Benavoli, Corani and Mangili 2016); tests of pairs are better
/// evidence, this the better scale bar. `None` with fewer than two treatments, without blocks, or
/// with `alpha` outside (0, 1).
#[must_use]
pub fn nemenyi_critical_difference(treatments: usize, blocks: usize, alpha: f64) -> Option<f64> {
    if treatments < 2 || blocks == 0 || !(alpha > 0.0 && alpha < 1.0) {
        return None;
    }
    let (k, n) = (treatments as f64, blocks as f64);
    let q = normal_range_quantile_upper(alpha, treatments)? / std::f64::consts::SQRT_2;
    Some(q * (k * (k + 1.0) / (6.0 * n)).sqrt())
}

/// p of two mean ranks `difference` apart, of all pairs taken together, as
/// [`nemenyi_critical_difference`]. `None` likewise, and for a difference that is not finite.
#[must_use]
pub fn nemenyi_p(difference: f64, treatments: usize, blocks: usize) -> Option<f64> {
    if treatments < 2 || blocks == 0 || !difference.is_finite() {
        return None;
    }
    let (k, n) = (treatments as f64, blocks as f64);
    let q = difference.abs() / (k * (k + 1.0) / (6.0 * n)).sqrt() * std::f64::consts::SQRT_2;
    Some((1.0 - normal_range_cdf(q, treatments)).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_are_those_of_the_published_table() {
        // Demšar 2006, table 5 (a): q at 0.05 and 0.10.
        for (k, q05, q10) in [
            (2, 1.960, 1.645),
            (3, 2.343, 2.052),
            (4, 2.569, 2.291),
            (5, 2.728, 2.459),
            (6, 2.850, 2.589),
            (7, 2.949, 2.693),
            (8, 3.031, 2.780),
            (9, 3.102, 2.855),
            (10, 3.164, 2.920),
        ] {
            for (alpha, expected) in [(0.05, q05), (0.10, q10)] {
                let q = normal_range_quantile_upper(alpha, k).unwrap() / 2f64.sqrt();
                assert!((q - expected).abs() < 1e-3, "{k} {alpha}: {q}");
            }
        }
        // Demšar 2006, section 3.2.3: four classifiers on 14 sets, CD = 1.25.
        let found = nemenyi_critical_difference(4, 14, 0.05).unwrap();
        assert!((found - 1.25).abs() < 0.005, "{found}");
        let p = nemenyi_p(found, 4, 14).unwrap();
        assert!((p - 0.05).abs() < 1e-9, "{p}");
    }

    #[test]
    fn by_hand() {
        // Three blocks that all rank 1 2 3: sums 3 6 9, χ² = 12·126/(3·3·4) − 3·3·4 = 6.
        let found = friedman(&[&[1.0; 3], &[2.0; 3], &[3.0; 3]]).unwrap();
        assert!((found.chi_square - 6.0).abs() < 1e-12);
        assert!((found.p_value - (-3.0f64).exp()).abs() < 1e-12);
        assert_eq!((found.f, found.p_f), (None, 0.0));
    }

    #[test]
    fn ties_everywhere_are_no_evidence() {
        let found = friedman(&[&[1.0; 5], &[1.0; 5]]).unwrap();
        assert_eq!(
            (found.chi_square, found.p_value, found.p_f),
            (0.0, 1.0, 1.0)
        );
    }

    #[test]
    fn no_test() {
        assert_eq!(friedman(&[]), None);
        assert_eq!(friedman(&[&[1.0, 2.0]]), None);
        assert_eq!(friedman(&[&[1.0], &[2.0]]), None);
        assert_eq!(friedman(&[&[1.0, 2.0], &[2.0]]), None);
        assert_eq!(friedman(&[&[1.0, f64::NAN], &[2.0, 1.0]]), None);
        assert_eq!(nemenyi_critical_difference(1, 5, 0.05), None);
        assert_eq!(nemenyi_critical_difference(3, 0, 0.05), None);
        assert_eq!(nemenyi_critical_difference(3, 5, 1.0), None);
        assert_eq!(nemenyi_p(f64::NAN, 3, 5), None);
    }
}
