//! The features that the surrogate may use.

use crate::surrogate::Moments;
use crate::sweep::Swept;

/// How features are chosen (as the lime package names them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of them.
    All,
    /// One after the other, each the one that raises R² most.
    Forward,
    /// Those with the largest effects in a nearly unpenalised fit of all.
    HighestWeights,
    /// Those that the lasso has taken in before it takes in too many.
    LassoPath,
}

impl Selection {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "forward" => Self::Forward,
            "highest_weights" => Self::HighestWeights,
            "lasso_path" => Self::LassoPath,
            _ => Self::All,
        }
    }

    /// At most `count` features, ascending; `own` is the explained input's own sample.
    pub(crate) fn choose(self, moments: &Moments, own: &[f64], count: usize) -> Vec<usize> {
        let mut chosen = match self {
            Self::All => (0..moments.features()).collect(),
            Self::Forward => forward(moments, count),
            Self::HighestWeights => highest_weights(moments, own, count),
            Self::LassoPath => lasso_path(moments, count),
        };
        chosen.sort_unstable();
        chosen
    }
}

/// Greedy: the gain in explained squares from feature j is (what is left of z_j y)² / (what is left of
/// z_j²). The first of equals.
fn forward(moments: &Moments, count: usize) -> Vec<usize> {
    let y = moments.features();
    let mut swept = Swept::new(moments.products.clone(), y + 1);
    let mut chosen = Vec::new();
    while chosen.len() < count.min(y) {
        let mut best = None;
        for feature in (0..y).filter(|feature| !chosen.contains(feature)) {
            let (left, shared) = (swept.at(feature, feature), swept.at(feature, y));
            if left <= 1e-12 * moments.at(feature, feature) {
                continue;
            }
            let gain = shared * shared / left;
            if best.is_none_or(|(_, most)| gain > most) {
                best = Some((feature, gain));
            }
        }
        let Some((feature, _)) = best else {
            break;
        };
        swept.sweep(feature);
        chosen.push(feature);
    }
    chosen
}

/// By |coefficient × own value| in a ridge regression with a penalty of 0.01.
fn highest_weights(moments: &Moments, own: &[f64], count: usize) -> Vec<usize> {
    let all: Vec<usize> = (0..moments.features()).collect();
    let fit = moments.ridge(&all, 0.01);
    let effect = |feature: usize| (fit.coefficients[feature] * own[feature]).abs();
    let mut order = all;
    order.sort_by(|&a, &b| effect(b).total_cmp(&effect(a)).then(a.cmp(&b)));
    order.truncate(count);
    order
}

/// The lasso's path by least angle regression (Efron et al. 2004, with the lasso's modification), from
/// the moments: the features of its last step that has at most `count`.
fn lasso_path(moments: &Moments, count: usize) -> Vec<usize> {
    let n = moments.features();
    let mut swept = Swept::new((0..n * n).map(|i| moments.at(i / n, i % n)).collect(), n);
    let mut coefficients = vec![0.0; n];
    // Sums of w z (y - z c).
    let mut left: Vec<f64> = (0..n).map(|i| moments.at(i, n)).collect();
    let start = left
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    let mut active: Vec<usize> = Vec::new();
    let mut barred = vec![false; n];
    let mut chosen = Vec::new();
    // Just dropped: it leaves the boundary, so it must not come back in the same step.
    let mut dropped = None;
    for _ in 0..8 * n {
        let joins = (0..n).filter(|i| !active.contains(i) && !barred[*i] && Some(*i) != dropped);
        let level = active.iter().map(|&i| left[i].abs()).fold(0.0, f64::max);
        let next = joins.max_by(|&a, &b| left[a].abs().total_cmp(&left[b].abs()).then(b.cmp(&a)));
        if let Some(next) = next
            && dropped.is_none()
            && left[next].abs() >= level * (1.0 - 1e-9)
        {
            if swept.at(next, next) <= 1e-10 * moments.at(next, next) {
                barred[next] = true;
                continue;
            }
            swept.sweep(next);
            active.push(next);
        }
        let level = active.iter().map(|&i| left[i].abs()).fold(0.0, f64::max);
        if active.is_empty() || level <= 1e-12 * start {
            break;
        }
        // Along d = G⁻¹ sign, the level of all active features falls at the rate 1.
        let way: Vec<f64> = active
            .iter()
            .map(|&i| {
                active
                    .iter()
                    .map(|&j| swept.at(i, j) * left[j].signum())
                    .sum()
            })
            .collect();
        let rate = |i: usize| -> f64 {
            active
                .iter()
                .zip(&way)
                .map(|(&j, way)| moments.at(i, j) * way)
                .sum()
        };
        let mut step = level;
        for i in (0..n).filter(|i| !active.contains(i) && !barred[*i]) {
            let rate = rate(i);
            for (gap, speed) in [(level - left[i], 1.0 - rate), (level + left[i], 1.0 + rate)] {
                if speed > 1e-12 && gap / speed < step && (Some(i) != dropped || gap > 1e-9 * level)
                {
                    step = (gap / speed).max(0.0);
                }
            }
        }
        let mut zero = None;
        for (&i, way) in active.iter().zip(&way) {
            let until = -coefficients[i] / way;
            if until > 0.0 && until < step {
                (step, zero) = (until, Some(i));
            }
        }
        let rates: Vec<f64> = (0..n).map(rate).collect();
        for (left, rate) in left.iter_mut().zip(&rates) {
            *left -= step * rate;
        }
        for (&i, way) in active.iter().zip(&way) {
            coefficients[i] += step * way;
        }
        if let Some(zero) = zero {
            coefficients[zero] = 0.0;
            swept.sweep(zero);
            active.retain(|&i| i != zero);
        }
        dropped = zero;
        let support: Vec<usize> = (0..n).filter(|&i| coefficients[i] != 0.0).collect();
        if support.len() <= count {
            chosen = support;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::tests::samples;

    /// R² of the unpenalised fit on some features.
    fn fit(moments: &Moments, used: &[usize]) -> f64 {
        let mut used = used.to_vec();
        used.sort_unstable();
        moments.ridge(&used, 0.0).r_squared.expect("y varies")
    }

    #[test]
    fn forward_takes_what_raises_r_squared_most() {
        let (z, y, w) = samples(60, 7);
        let moments = Moments::new(&z, &y, &w);
        let mut expected: Vec<usize> = Vec::new();
        for count in 1..=7 {
            let best = (0..7)
                .filter(|i| !expected.contains(i))
                .max_by(|&a, &b| {
                    let with = |i: usize| fit(&moments, &[&expected[..], &[i]].concat());
                    with(a).total_cmp(&with(b))
                })
                .expect("one is left");
            expected.push(best);
            assert_eq!(forward(&moments, count), expected);
        }
    }

    #[test]
    fn highest_weights_are_those_of_the_fit() {
        let (z, y, w) = samples(60, 6);
        let moments = Moments::new(&z, &y, &w);
        let own = [1.0, 0.0, 2.0, -3.0, 1.0, 0.5];
        let all = moments.ridge(&[0, 1, 2, 3, 4, 5], 0.01).coefficients;
        let chosen = Selection::HighestWeights.choose(&moments, &own, 3);
        let least = chosen
            .iter()
            .map(|&i| (all[i] * own[i]).abs())
            .fold(f64::MAX, f64::min);
        assert_eq!(chosen.len(), 3);
        assert!((0..6).all(|i| chosen.contains(&i) || (all[i] * own[i]).abs() <= least));
    }

    /// One round of coordinate descent for half the squares plus penalty |c|₁.
    fn descend(moments: &Moments, penalty: f64, c: &mut [f64]) {
        for i in 0..c.len() {
            let others: f64 = (0..c.len())
                .filter(|&j| j != i)
                .map(|j| moments.at(i, j) * c[j])
                .sum();
            let pull = moments.at(i, c.len()) - others;
            c[i] = pull.signum() * (pull.abs() - penalty).max(0.0) / moments.at(i, i);
        }
    }

    #[test]
    fn the_lasso_s_features_are_those_of_coordinate_descent() {
        // With 11 samples a feature leaves the path on the way.
        for rows in [50, 11] {
            let (z, y, w) = samples(rows, 8);
            let moments = Moments::new(&z, &y, &w);
            let most = (0..8).map(|i| moments.at(i, 8).abs()).fold(0.0, f64::max);
            // Supports along the path, from the largest penalty down, each from the one before.
            let mut c = [0.0; 8];
            let supports: Vec<Vec<usize>> = (1..4000)
                .map(|step| {
                    for _ in 0..300 {
                        descend(&moments, most * 0.998_f64.powi(step), &mut c);
                    }
                    (0..8).filter(|&i| c[i].abs() > 1e-12).collect()
                })
                .collect();
            let leaves = supports
                .windows(2)
                .any(|pair| pair[1].len() < pair[0].len());
            assert_eq!(leaves, rows == 11);
            for count in 1..=8 {
                let expected = supports.iter().rev().find(|support| support.len() <= count);
                assert_eq!(
                    Some(&Selection::LassoPath.choose(&moments, &[0.0; 8], count)),
                    expected,
                    "{rows} {count}"
                );
            }
        }
    }

    #[test]
    fn constants_and_copies_are_passed_over() {
        // Features: i, a copy of it, a constant, and something else.
        let rows: Vec<[f64; 4]> = (0..20)
            .map(|i| [f64::from(i), f64::from(i), 4.0, f64::from(i * i % 7)])
            .collect();
        let y: Vec<f64> = rows.iter().map(|z| z[0] + 0.5 * z[3]).collect();
        let moments = Moments::new(&rows.concat(), &y, &[1.0; 20]);
        assert_eq!(Selection::Forward.choose(&moments, &[1.0; 4], 4), [0, 3]);
        assert_eq!(Selection::LassoPath.choose(&moments, &[1.0; 4], 4), [0, 3]);
        let nothing = Moments::new(&rows.concat(), &[1.0; 20], &[1.0; 20]);
        assert!(
            Selection::LassoPath
                .choose(&nothing, &[1.0; 4], 4)
                .is_empty()
        );
    }
}
