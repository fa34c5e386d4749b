//! The distributions that tests and intervals are read from.
//!
//! Each function is checked against SciPy in `tests/fixtures/reference.json`.

use statrs::function::beta::checked_beta_reg;
use statrs::function::gamma::{checked_gamma_ur, ln_gamma};

/// P(Z ≤ x) of the standard normal distribution.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    let tail = 0.5 * erfc(x.abs() / std::f64::consts::SQRT_2);
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// The standard normal quantile of `p` in (0, 1).
#[cfg(test)]
pub(crate) fn normal_quantile(p: f64) -> f64 {
    -std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(2.0 * p)
}

/// P(χ² ≥ x) with `freedom` degrees of freedom.
pub(crate) fn chi_square_survival(x: f64, freedom: f64) -> Option<f64> {
    if x <= 0.0 {
        return Some(1.0);
    }
    checked_gamma_ur(freedom / 2.0, x / 2.0).ok()
}

/// P(F ≥ f) of the F distribution: the regularised incomplete beta function I_x(d₂/2, d₁/2) at
/// x = d₂ / (d₂ + d₁·f) (Abramowitz and Stegun 26.6.2).
pub(crate) fn f_survival(f: f64, between: f64, within: f64) -> Option<f64> {
    let x = within / (within + between * f);
    checked_beta_reg(within / 2.0, between / 2.0, x).ok()
}

/// The f that an F distribution exceeds with probability `tail` in (0, 1).
pub(crate) fn f_quantile_upper(tail: f64, between: f64, within: f64) -> Option<f64> {
    let above = |f: f64| f_survival(f, between, within).map(|p| p > tail);
    let mut high = 1.0;
    while above(high)? {
        high *= 2.0;
        if high > 1e300 {
            return None;
        }
    }
    bisect(0.0, high, above)
}

/// The t that Student's distribution exceeds with probability `tail` in (0, ½): the root of the
/// F quantile, since t² is F with 1 and `freedom` degrees of freedom.
pub(crate) fn t_quantile_upper(tail: f64, freedom: f64) -> Option<f64> {
    f_quantile_upper(2.0 * tail, 1.0, freedom).map(f64::sqrt)
}

/// P(T ≤ t) of the noncentral t distribution (Lenth 1989, algorithm AS 243): a sum over Poisson
/// weights of incomplete beta functions, each from the one before by
/// `I_x(a + 1, b) = I_x(a, b) − x^a (1 − x)^b / (a B(a, b))`.
pub(crate) fn noncentral_t_cdf(t: f64, freedom: f64, shift: f64) -> Option<f64> {
    if t < 0.0 {
        return noncentral_t_cdf(-t, freedom, -shift).map(|p| 1.0 - p);
    }
    let mut sum = normal_cdf(-shift);
    if t == 0.0 {
        return Some(sum);
    }
    let x = t * t / (freedom + t * t);
    let b = freedom / 2.0;
    let half_square = shift * shift / 2.0;
    let mut series = [Series::new(0.5, b, x)?, Series::new(1.0, b, x)?];
    let last = (half_square + 12.0 * half_square.sqrt() + 40.0) as usize;
    for j in 0..=last {
        let j = j as f64;
        // In logarithms, since the weights peak at half_square and would underflow on the way.
        let power = if half_square > 0.0 {
            j * half_square.ln()
        } else if j == 0.0 {
            0.0
        } else {
            break;
        };
        let even = 0.5 * (power - half_square - ln_gamma(j + 1.0)).exp();
        let odd = (power - half_square - ln_gamma(j + 1.5)).exp() * shift
            / (2.0 * std::f64::consts::SQRT_2);
        sum += even * series[0].value + odd * series[1].value;
        series.iter_mut().for_each(Series::advance);
    }
    Some(sum.clamp(0.0, 1.0))
}

/// I_x(a, b) for a, a + 1, a + 2, …
struct Series {
    a: f64,
    b: f64,
    x: f64,
    value: f64,
    step: f64,
}

impl Series {
    fn new(a: f64, b: f64, x: f64) -> Option<Self> {
        let log = ln_gamma(a + b) - ln_gamma(a + 1.0) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
        Some(Self {
            a,
            b,
            x,
            value: checked_beta_reg(a, b, x).ok()?,
            step: log.exp(),
        })
    }

    fn advance(&mut self) {
        self.value = (self.value - self.step).max(0.0);
        self.step *= self.x * (self.a + self.b) / (self.a + 1.0);
        self.a += 1.0;
    }
}

/// P(range of `count` independent standard normal values ≤ q): the studentised range distribution
/// with infinitely many degrees of freedom, `k ∫ φ(z) (Φ(z) − Φ(z − q))^(k−1) dz`.
pub(crate) fn normal_range_cdf(q: f64, count: usize) -> f64 {
    if q <= 0.0 {
        return 0.0;
    }
    // The trapezoid rule converges faster than any power of the step on such integrands.
    const STEP: f64 = 1.0 / 64.0;
    let steps = ((16.0 + q) / STEP).ceil() as usize;
    let density = |z: f64| (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let power = i32::try_from(count).map_or(i32::MAX, |count| count - 1);
    let sum: f64 = (0..=steps)
        .map(|i| {
            let z = -8.0 + i as f64 * STEP;
            density(z) * (normal_cdf(z) - normal_cdf(z - q)).max(0.0).powi(power)
        })
        .sum();
    (count as f64 * sum * STEP).min(1.0)
}

/// The q with `P(range ≤ q) = 1 − tail`.
pub(crate) fn normal_range_quantile_upper(tail: f64, count: usize) -> Option<f64> {
    bisect(0.0, 64.0, |q| Some(1.0 - normal_range_cdf(q, count) > tail))
}

/// The point between `low` and `high` where `before` turns false, to the last bits.
pub(crate) fn bisect(
    mut low: f64,
    mut high: f64,
    before: impl Fn(f64) -> Option<bool>,
) -> Option<f64> {
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if before(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(low + (high - low) / 2.0)
}

/// Complementary error function for x ≥ 0, to about 1e-15 of absolute and 1e-12 of relative
/// error: the power series of erf below 2.5, the continued fraction of erfc above.
pub(crate) fn erfc(x: f64) -> f64 {
    let scale = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.5 {
        let (mut term, mut sum, mut n) = (2.0 * x, 2.0 * x, 1.0);
        while term > sum * 1e-17 {
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        1.0 - scale * sum
    } else {
        let mut fraction = x;
        for n in (1..=80).rev() {
            fraction = x + f64::from(n) / 2.0 / fraction;
        }
        scale / fraction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-10 * b.abs()
    }

    #[test]
    fn erfc_agrees_with_tables() {
        // scipy.special.erfc
        for (x, expected) in [
            (0.0, 1.0),
            (0.1, 0.8875370839817152),
            (1.0, 0.15729920705028516),
            (2.4999, 0.0004071699003334512),
            (2.5001, 0.0004067342434706796),
            (5.0, 1.5374597944280347e-12),
            (10.0, 2.0884875837625446e-45),
        ] {
            assert!(close(erfc(x), expected), "erfc({x}) = {}", erfc(x));
        }
    }

    #[test]
    fn quantiles_turn_probabilities_round() {
        for p in [1e-12, 0.001, 0.025, 0.5, 0.8, 0.999] {
            assert!((normal_cdf(normal_quantile(p)) - p).abs() < 1e-12, "{p}");
        }
        for (tail, between, within) in [(0.05, 3.0, 20.0), (0.975, 1.0, 400.0), (0.2, 9.0, 2.0)] {
            let f = f_quantile_upper(tail, between, within).unwrap();
            assert!(close(f_survival(f, between, within).unwrap(), tail));
        }
    }

    #[test]
    fn a_shift_of_zero_is_the_central_t() {
        // P(T₅ ≤ 2.015) = 0.95 to four digits
        let p = noncentral_t_cdf(2.0150483733, 5.0, 0.0).unwrap();
        assert!((p - 0.95).abs() < 1e-9, "{p}");
        assert!((noncentral_t_cdf(0.0, 5.0, 0.0).unwrap() - 0.5).abs() < 1e-15);
    }

    #[test]
    fn noncentral_t_is_that_of_scipy() {
        // scipy.stats.nct.cdf(t, df, nc)
        for (t, freedom, shift, expected) in [
            (2.0, 10.0, 1.5, 0.6591540724421909),
            (-1.0, 4.0, 0.7, 0.059925595055688424),
            (12.7, 1.0, 16.0, 0.20913226139033825),
            (1.97, 255.0, 2.8, 0.2036122937897833),
            (-2.0, 20.0, -3.0, 0.8358989270421169),
            (0.5, 7.0, 0.0, 0.6837964321553578),
        ] {
            let p = noncentral_t_cdf(t, freedom, shift).unwrap();
            assert!((p - expected).abs() < 1e-9, "{t} {freedom} {shift}: {p}");
        }
    }

    #[test]
    fn the_range_of_two_is_a_difference() {
        // X − Y has variance 2: P(|X − Y| ≤ q) = 2Φ(q/√2) − 1.
        for q in [0.1, 1.0, 2.77, 6.0] {
            let expected = 2.0 * normal_cdf(q / std::f64::consts::SQRT_2) - 1.0;
            assert!((normal_range_cdf(q, 2) - expected).abs() < 1e-12, "{q}");
        }
        assert_eq!(normal_range_cdf(0.0, 4), 0.0);
    }
}
