//! How large is a difference? Effect sizes with 95% intervals.
//!
//! A p value falls with the number of images however small a difference is; an effect size does
//! not.

use serde::{Deserialize, Serialize};

/// The 97.5% quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// An effect size with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Cohen's d_z: mean of the differences over their standard deviation (Cohen 1988, section 2.3.5).
///
/// Unbounded; 0.2 counts as small, 0.5 as medium, 0.8 as large. The interval is from the large
/// sample variance `(1 − γ₃d + (γ₄ − 1)d²/4) / n` with the sample's own skewness γ₃ and kurtosis
/// γ₄ (the delta method; Mertens 2002 gives it for the Sharpe ratio, which is the same quotient),
/// so that it does not assume normal differences. `None` with fewer than two differences, where
/// they do not vary (d_z would be infinite or 0/0), or where one is not finite.
#[must_use]
pub fn cohen_dz(differences: &[f64]) -> Option<Effect> {
    let n = differences.len() as f64;
    if differences.len() < 2 || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / n;
    let mut moments = [0.0; 3];
    for difference in differences {
        let from = difference - mean;
        let square = from * from;
        moments[0] += square;
        moments[1] += square * from;
        moments[2] += square * square;
    }
    let largest = differences.iter().fold(0.0f64, |most, d| most.max(d.abs()));
    let population = moments[0] / n;
    // What is left of equal values after rounding is no spread.
    if population.sqrt() <= 1e-12 * largest {
        return None;
    }
    let value = mean / (moments[0] / (n - 1.0)).sqrt();
    let skewness = moments[1] / n / population.powf(1.5);
    let kurtosis = moments[2] / n / (population * population);
    let variance = (1.0 - skewness * value + (kurtosis - 1.0) * value * value / 4.0) / n;
    let half = Z * variance.max(0.0).sqrt();
    Some(Effect {
        value,
        low: value - half,
        high: value + half,
    })
}

/// Matched-pairs rank-biserial correlation of differences: share of rank sum in favour less share
/// against, in −1..=1 (Kerby 2014); zeros are dropped, as by the signed-rank test.
///
/// It is the mean sign of the averages of all pairs of differences, so its variance is that of a
/// U-statistic (Hoeffding 1948): four times the variance of each difference's mean sign with the
/// others over n. The interval takes this through Fisher's transformation; at ±1 it has no width.
/// `None` without a difference that is not zero, or where one is not finite.
#[must_use]
pub fn rank_biserial(differences: &[f64]) -> Option<Effect> {
    if differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let mut sorted: Vec<f64> = differences.iter().copied().filter(|&d| d != 0.0).collect();
    if sorted.is_empty() {
        return None;
    }
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len() as f64;
    // For rising d the partners with d + partner ≤ 0 get fewer.
    let (mut not_above, mut below) = (sorted.len(), sorted.len());
    let (mut total, mut squares, mut own) = (0.0, 0.0, 0.0);
    for &d in &sorted {
        while not_above > 0 && sorted[not_above - 1] > -d {
            not_above -= 1;
        }
        while below > 0 && sorted[below - 1] >= -d {
            below -= 1;
        }
        let sign = (n - not_above as f64 - below as f64) / n;
        total += sign;
        squares += sign * sign;
        own += d.signum();
    }
    // Pairs of one with itself count once among the n(n + 1)/2, those of two once and not twice.
    let value = (n * total + own) / (n * (n + 1.0));
    let mean = total / n;
    let variance = 4.0 * (squares / n - mean * mean).max(0.0) / n;
    let end = |sign: f64| {
        if value.abs() >= 1.0 {
            value
        } else {
            let error = variance.sqrt() / (1.0 - value * value);
            (value.atanh() + sign * Z * error).tanh()
        }
    };
    Some(Effect {
        value,
        low: end(-1.0),
        high: end(1.0),
    })
}

/// Probability that `a` is greater than `b` on the same image, ties counting half (the paired
/// common language effect size; Grissom and Kim 2012), with Wilson's interval (1927),
/// which stays within 0..=1 and has width even where all images agree.
///
/// Pairs with a missing or non-finite side are left out; `None` without any other.
#[must_use]
pub fn superiority(a: &[Option<f64>], b: &[Option<f64>]) -> Option<Effect> {
    let (mut n, mut wins) = (0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        if let (Some(a), Some(b)) = (a, b)
            && a.is_finite()
            && b.is_finite()
        {
            n += 1.0;
            wins += if a > b {
                1.0
            } else if a == b {
                0.5
            } else {
                0.0
            };
        }
    }
    if n == 0.0 {
        return None;
    }
    let value: f64 = wins / n;
    let shrink = 1.0 + Z * Z / n;
    let centre = (value + Z * Z / (2.0 * n)) / shrink;
    let half = Z * (value * (1.0 - value) / n + Z * Z / (4.0 * n * n)).sqrt() / shrink;
    Some(Effect {
        value,
        low: (centre - half).clamp(0.0, value),
        high: (centre + half).clamp(value, 1.0),
    })
}

/// Cliff's delta of two independent samples: P(a > b) − P(a < b), in −1..=1 (Cliff 1993).
///
/// The interval is the asymmetric one of Feng and Cliff (2004) on the unbiased
/// variance of Cliff (1996), at ±1 theirs for samples that do not overlap. `None`
/// if a sample has fewer than two values or one that is not finite.
#[must_use]
pub fn cliffs_delta(a: &[f64], b: &[f64]) -> Option<Effect> {
    let (n, m) = (a.len() as f64, b.len() as f64);
    if a.len() < 2 || b.len() < 2 || a.iter().chain(b).any(|value| !value.is_finite()) {
        return None;
    }
    let dominance = |of: f64, over: &[f64]| {
        let below = over.partition_point(|&value| value < of) as f64;
        let above = over.len() as f64 - over.partition_point(|&value| value <= of) as f64;
        (below, above)
    };
    let sorted = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    };
    let (sorted_a, sorted_b) = (sorted(a), sorted(b));
    // Mean dominance of each value; signs of pairs are −1, 0, 1, so their squares count those
    // that are not tied.
    let mut untied = 0.0;
    let rows: Vec<f64> = a
        .iter()
        .map(|&value| {
            let (below, above) = dominance(value, &sorted_b);
            untied += below + above;
            (below - above) / m
        })
        .collect();
    let columns: Vec<f64> = b
        .iter()
        .map(|&value| {
            let (below, above) = dominance(value, &sorted_a);
            (above - below) / n
        })
        .collect();
    let value = rows.iter().sum::<f64>() / n;
    if value.abs() >= 1.0 {
        let fewer = n.min(m);
        let limit = (fewer - Z * Z) / (fewer + Z * Z);
        let (low, high) = if value > 0.0 {
            (limit, 1.0)
        } else {
            (-1.0, -limit)
        };
        return Some(Effect { value, low, high });
    }
    let spread = |values: &[f64]| {
        values
            .iter()
            .map(|v| (v - value) * (v - value))
            .sum::<f64>()
    };
    let all = untied - n * m * value * value;
    let unbiased =
        (m * m * spread(&rows) + n * n * spread(&columns) - all) / (n * m * (n - 1.0) * (m - 1.0));
    // The unbiased variance can fall below zero; Cliff's floor.
    let variance = unbiased.max((1.0 - value * value) / (n * m - 1.0));
    let square = value * value;
    let root = ((1.0 - square) * (1.0 - square) + Z * Z * variance).sqrt();
    let end = |sign: f64| {
        (value - value * square + sign * Z * variance.sqrt() * root)
            / (1.0 - square + Z * Z * variance)
    };
    Some(Effect {
        value,
        low: end(-1.0).max(-1.0),
        high: end(1.0).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::normal_quantile;
    use crate::paired::wilcoxon_signed_rank;
    use crate::random::Stream;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * b.abs().max(1.0)
    }

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    fn normal(stream: &mut Stream) -> f64 {
        normal_quantile(((stream.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64)
    }

    #[test]
    fn dz_by_hand() {
        // Mean 2, deviations −1 0 1: sd 1; skewness 0, kurtosis (2/3)/(4/9) = 1.5, so that the
        // variance is (1 + 0.5·4/4)/3 = 0.5.
        let effect = cohen_dz(&[1.0, 2.0, 3.0]).unwrap();
        assert!(close(effect.value, 2.0));
        assert!(close(effect.high - effect.value, Z * 0.5f64.sqrt()));
        assert!(close(effect.value - effect.low, Z * 0.5f64.sqrt()));
    }

    #[test]
    fn intervals_cover_as_often_as_they_say() {
        let (mut dz, mut delta, mut biserial) = (0, 0, 0);
        const RUNS: u64 = 1000;
        // P(X > Y) − P(X < Y) of normals 0.5 apart, and of |differences| shifted by 0.5 the
        // rank-biserial in the limit: 2·P(D₁ + D₂ > 0) − 1 = 2Φ(0.5·√2) − 1.
        let true_delta = 2.0 * crate::distributions::normal_cdf(0.5 / 2f64.sqrt()) - 1.0;
        let true_biserial = 2.0 * crate::distributions::normal_cdf(0.5 * 2f64.sqrt()) - 1.0;
        for run in 0..RUNS {
            let mut stream = Stream::new(5, run);
            let a: Vec<f64> = (0..60).map(|_| normal(&mut stream) + 0.5).collect();
            let b: Vec<f64> = (0..60).map(|_| normal(&mut stream)).collect();
            let holds =
                |effect: Effect, truth: f64| u32::from(effect.low <= truth && truth <= effect.high);
            dz += holds(cohen_dz(&a).unwrap(), 0.5);
            delta += holds(cliffs_delta(&a, &b).unwrap(), true_delta);
            biserial += holds(rank_biserial(&a).unwrap(), true_biserial);
        }
        for covered in [dz, delta, biserial] {
            // 95% of 1000, standard deviation 7; the intervals are approximate.
            assert!((920..=990).contains(&covered), "{dz} {delta} {biserial}");
        }
    }

    #[test]
    fn rank_biserial_is_what_the_signed_ranks_give() {
        // Of 1 2 −3 4 the rank sums are 7 and 3.
        let effect = rank_biserial(&[1.0, 2.0, -3.0, 4.0]).unwrap();
        assert!(close(effect.value, 0.4));
        // Mean signs with 1 2 −3 4: of 1: + + − + = 1/2; of 2: 1/2; of −3: − − − + = −1/2;
        // of 4: 1; mean 3/8, mean square 7/16, variance 4·(7/16 − 9/64)/4 = 19/64.
        let error = 19f64.sqrt() / 8.0 / (1.0 - 0.16);
        assert!(close(effect.low, (0.4f64.atanh() - Z * error).tanh()));
        for tied in [
            vec![1.0, 1.0, -1.0, 2.0, -2.0, 0.0, 3.0, 1.0],
            (0..30).map(|i| (f64::from(i) * 0.7).sin() + 0.2).collect(),
        ] {
            let test = wilcoxon_signed_rank(&tied).unwrap();
            assert!(close(rank_biserial(&tied).unwrap().value, test.effect));
        }
        let all = rank_biserial(&[1.0, 2.0]).unwrap();
        assert_eq!((all.value, all.low, all.high), (1.0, 1.0, 1.0));
        assert_eq!(rank_biserial(&[0.0, 0.0]), None);
        assert_eq!(rank_biserial(&[f64::NAN]), None);
    }

    #[test]
    fn superiority_by_hand() {
        let a = [Some(1.0), Some(2.0), Some(3.0), None, Some(0.0)];
        let b = [Some(0.0), Some(2.0), Some(4.0), Some(1.0), Some(-1.0)];
        assert_eq!(superiority(&a, &b).unwrap().value, 2.5 / 4.0);
        // Wilson (1927): all of 10 wins give 1/(1 + z²/10) as the lower end.
        let sure = superiority(&some(&[1.0; 10]), &some(&[0.0; 10])).unwrap();
        assert_eq!((sure.value, sure.high), (1.0, 1.0));
        assert!(close(sure.low, 1.0 / (1.0 + Z * Z / 10.0)));
        assert_eq!(superiority(&[None], &[Some(1.0)]), None);
    }

    #[test]
    fn cliffs_delta_by_hand() {
        // a = 1 3 5, b = 2 3 4: signs −−−, + 0 −, +++ : sum 0.
        let effect = cliffs_delta(&[1.0, 3.0, 5.0], &[2.0, 3.0, 4.0]).unwrap();
        assert!(effect.value.abs() < 1e-15);
        // rows −1 0 1, columns 1/3−… : columns (−1+1+1, −1+0+1, −1−1+1)/3 = 1/3, 0, −1/3.
        // variance (9·2 + 9·2/9 − 8) / (9·2·2) = 12/36; root √(1 + z²/3).
        let variance: f64 = 12.0 / 36.0;
        let expected =
            Z * variance.sqrt() * (1.0 + Z * Z * variance).sqrt() / (1.0 + Z * Z * variance);
        assert!(close(effect.high, expected), "{effect:?} {expected}");
        let apart = cliffs_delta(&[5.0; 10], &[1.0; 12]).unwrap();
        assert_eq!((apart.value, apart.high), (1.0, 1.0));
        assert!(close(apart.low, (10.0 - Z * Z) / (10.0 + Z * Z)));
        let flipped = cliffs_delta(&[1.0; 12], &[5.0; 10]).unwrap();
        assert_eq!((flipped.value, flipped.low), (-1.0, -1.0));
        let equal = cliffs_delta(&[1.0; 4], &[1.0; 4]).unwrap();
        assert_eq!(equal.value, 0.0);
    }

    #[test]
    fn no_effect() {
        assert_eq!(cohen_dz(&[]), None);
        assert_eq!(cohen_dz(&[1.0]), None);
        assert_eq!(cohen_dz(&[0.1; 9]), None);
        assert_eq!(cohen_dz(&[0.0; 9]), None);
        assert_eq!(cohen_dz(&[1.0, f64::NAN]), None);
        assert_eq!(cliffs_delta(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(cliffs_delta(&[1.0, f64::INFINITY], &[1.0, 2.0]), None);
    }
}
