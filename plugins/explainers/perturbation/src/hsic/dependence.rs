//! The Hilbert-Schmidt independence criterion between binary variables and a number.

use pulp::Arch;

use crate::outcome::is_constant;

/// HSIC of each of several binary variables with `outcomes`, by the estimator of Gretton et al.
/// (2005, "Measuring Statistical Dependence with Hilbert-Schmidt Norms", equation 9):
/// tr(K H L H) / (n - 1)^2, where K holds 1 where the variable agrees between two draws and else 0,
/// L is exp(-(y_i - y_j)^2 / (2 w^2)) with w the median distance (see [`median_distance`]), and H
/// subtracts means.
///
/// `left` is `[n, variables]`, `outcomes` is `[n]`. Never negative; exactly 0 where the outcomes do
/// not vary beyond the rounding of f32, or n is below 2.
#[must_use]
pub fn dependence(left: &[bool], outcomes: &[f64]) -> Vec<f64> {
    let n = outcomes.len();
    let variables = left.len().checked_div(n).unwrap_or(0);
    if n < 2 || is_constant(outcomes) {
        return vec![0.0; variables];
    }
    let width = median_distance(outcomes);
    let scale = -0.5 / (width * width);
    // With s = 1 or -1 for left or not, K is 1/2 + s_i s_j / 2, and H takes the constant away: the
    // trace is t' L t / 2 with t = s minus its mean.
    let mut signs: Vec<f64> = left
        .iter()
        .map(|&left| if left { 1.0 } else { -1.0 })
        .collect();
    let mut means = vec![0.0; variables];
    for row in signs.chunks_exact(variables.max(1)) {
        for (mean, sign) in means.iter_mut().zip(row) {
            *mean += sign / n as f64;
        }
    }
    for row in signs.chunks_exact_mut(variables.max(1)) {
        for (sign, mean) in row.iter_mut().zip(&means) {
            *sign -= mean;
        }
    }
    // t' L t = sum of t_i^2 + 2 sum over i of t_i (sum over j < i of L_ij t_j).
    let mut forms = vec![0.0; variables];
    let mut sums = vec![0.0; variables];
    let mut kernel = vec![0.0; n];
    for i in 0..n {
        for (kernel, y) in kernel.iter_mut().zip(&outcomes[..i]) {
            *kernel = (scale * (outcomes[i] - y).powi(2)).exp();
        }
        sums.fill(0.0);
        Arch::new().dispatch(|| add_rows(&kernel[..i], &signs, &mut sums));
        let own = &signs[i * variables..][..variables];
        for ((form, sum), t) in forms.iter_mut().zip(&sums).zip(own) {
            *form += t * (t + 2.0 * sum);
        }
    }
    let count = (n - 1) as f64;
    // L is positive definite; what is below 0 is rounding.
    forms
        .iter()
        .map(|form| (0.5 * form / (count * count)).max(0.0))
        .collect()
}

/// Adds the rows of a matrix, each times its weight, to `sums`; four rows in one go.
#[inline(always)]
fn add_rows(weights: &[f64], rows: &[f64], sums: &mut [f64]) {
    let width = sums.len();
    let mut start = 0;
    for four in weights.chunks_exact(4) {
        let (a, rest) = rows[start * width..][..4 * width].split_at(width);
        let (b, rest) = rest.split_at(width);
        let (c, d) = rest.split_at(width);
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += (four[0] * a[i] + four[1] * b[i]) + (four[2] * c[i] + four[3] * d[i]);
        }
        start += 4;
    }
    for (row, weight) in (start..).zip(&weights[start..]) {
        for (sum, value) in sums.iter_mut().zip(&rows[row * width..][..width]) {
            *sum += weight * value;
        }
    }
}

/// The median of the distances between all pairs of values: the usual width of a Gaussian kernel.
///
/// Where more than half of the pairs are equal, so that the median is 0, the median of the distances
/// that are not 0; 0 where all values are equal or there is but one.
#[must_use]
pub fn median_distance(values: &[f64]) -> f64 {
    let mut distances: Vec<f64> = Vec::with_capacity(values.len() * values.len() / 2);
    for (i, value) in values.iter().enumerate() {
        distances.extend(values[..i].iter().map(|other| (value - other).abs()));
    }
    let middle = median(&mut distances);
    if middle > 0.0 {
        return middle;
    }
    distances.retain(|&distance| distance > 0.0);
    median(&mut distances)
}

/// The median, 0 of nothing.
fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return 0.0;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        upper
    } else {
        let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        0.5 * (lower + upper)
    }
}

#[cfg(test)]
mod tests {
    use xbench_plugin::rng::CounterRng;

    use super::*;

    /// The definition: tr(K H L H) / (n - 1)^2 with whole matrices.
    fn by_definition(left: &[bool], outcomes: &[f64], variable: usize, variables: usize) -> f64 {
        let n = outcomes.len();
        let width = median_distance(outcomes);
        let matrix = |f: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<f64>> {
            (0..n).map(|i| (0..n).map(|j| f(i, j)).collect()).collect()
        };
        let times = |a: &[Vec<f64>], b: &[Vec<f64>]| {
            matrix(&|i, j| (0..n).map(|k| a[i][k] * b[k][j]).sum())
        };
        let at = |i: usize| left[i * variables + variable];
        let k = matrix(&|i, j| f64::from(at(i) == at(j)));
        let l =
            matrix(&|i, j| (-(outcomes[i] - outcomes[j]).powi(2) / (2.0 * width * width)).exp());
        let h = matrix(&|i, j| f64::from(i == j) - 1.0 / n as f64);
        let product = times(&times(&k, &h), &times(&l, &h));
        (0..n).map(|i| product[i][i]).sum::<f64>() / ((n - 1) as f64).powi(2)
    }

    #[test]
    fn four_draws_by_hand() {
        // Outcomes 0, 0, 1, 1: distances 0, 0, 1, 1, 1, 1 have the median 1, and e = exp(-1/2).
        // The first variable agrees with the outcome: K = L's pattern, t = (1, 1, -1, -1), and
        // t' L t = 4 (1 + 1) - 8 e = 8 (1 - e); halved and over 9: 4 (1 - e) / 9. The second is
        // balanced over the outcome: t = (1, -1, 1, -1) gives 0.
        let left = [true, true, true, false, false, true, false, false];
        let seen = dependence(&left, &[0.0, 0.0, 1.0, 1.0]);
        let expected = 4.0 * (1.0 - (-0.5_f64).exp()) / 9.0;
        assert!((seen[0] - expected).abs() < 1e-15, "{seen:?}");
        assert!(seen[1].abs() < 1e-15, "{seen:?}");
    }

    #[test]
    fn the_short_form_is_the_trace() {
        let (n, variables) = (23, 5);
        let rng = CounterRng::new(11);
        let left: Vec<bool> = (0..n * variables)
            .map(|i| rng.uniform(i as u64) < 0.4)
            .collect();
        let outcomes: Vec<f64> = (0..n)
            .map(|i| rng.stream(1).normal(i as u64) + 2.0 * f64::from(left[i * variables]))
            .collect();
        let seen = dependence(&left, &outcomes);
        for (variable, seen) in seen.iter().enumerate() {
            let expected = by_definition(&left, &outcomes, variable, variables);
            assert!((seen - expected).abs() < 1e-14, "{seen} {expected}");
        }
        // A shift of the output's scale or another unit changes nothing.
        let moved: Vec<f64> = outcomes.iter().map(|y| 100.0 - 3.0 * y).collect();
        for (seen, moved) in seen.iter().zip(dependence(&left, &moved)) {
            assert!((seen - moved).abs() < 1e-12);
        }
    }

    #[test]
    fn medians_skip_what_is_equal() {
        assert_eq!(median_distance(&[]), 0.0);
        assert_eq!(median_distance(&[4.0]), 0.0);
        assert_eq!(median_distance(&[4.0; 3]), 0.0);
        assert_eq!(median_distance(&[1.0, 2.0, 4.0]), 2.0);
        assert_eq!(median_distance(&[0.0, 1.0, 3.0, 7.0]), 3.5);
        assert_eq!(median_distance(&[0.0, 0.0, 0.0, 0.0, 5.0]), 5.0);
    }

    #[test]
    fn what_does_not_vary_depends_on_nothing() {
        let left = [true, false, false, true];
        assert_eq!(dependence(&left, &[0.7; 4]), [0.0]);
        assert_eq!(dependence(&left, &[1.0, 1.0 + 1e-7, 1.0, 1.0]), [0.0]);
        assert_eq!(dependence(&[true], &[1.0]), [0.0]);
        assert!(dependence(&[], &[]).is_empty());
        // A variable that is always the same says nothing of the outcome.
        assert_eq!(dependence(&[true; 3], &[0.0, 1.0, 5.0]), [0.0]);
    }
}
