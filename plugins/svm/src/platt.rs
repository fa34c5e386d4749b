//! Platt's sigmoid: probabilities of a pair from its decision values.
//!
//! J. Platt, "Probabilistic Outputs for Support Vector Machines", 2000, with the stable
//! Newton method of H.-T. Lin, C.-J. Lin and R. C. Weng, "A Note on Platt's Probabilistic Outputs
//! for Support Vector Machines", 2007, which libsvm uses.

/// P(first class | decision f) = 1 / (1 + exp(a f + b)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sigmoid {
    pub(crate) a: f64,
    pub(crate) b: f64,
}

/// Newton steps at most.
const STEPS: usize = 100;
/// Added to the Hessian's diagonal.
const RIDGE: f64 = 1e-12;
/// The gradient that counts as 0.
const TOLERANCE: f64 = 1e-5;
/// The shortest step of the line search.
const SHORTEST: f64 = 1e-10;
/// Probabilities of pairs are kept this far from 0 and 1, as in libsvm.
const MARGIN: f64 = 1e-7;

impl Sigmoid {
    /// Maximum likelihood with Platt's targets, (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2).
    pub(crate) fn fit(decisions: &[f64], first: &[bool]) -> Self {
        let positives = first.iter().filter(|&&first| first).count() as f64;
        let negatives = first.len() as f64 - positives;
        let high = (positives + 1.0) / (positives + 2.0);
        let low = 1.0 / (negatives + 2.0);
        let targets: Vec<f64> = first
            .iter()
            .map(|&first| if first { high } else { low })
            .collect();
        // −log likelihood; written so that no exponential overflows.
        let objective = |a: f64, b: f64| -> f64 {
            decisions
                .iter()
                .zip(&targets)
                .map(|(&f, &t)| {
                    let z = f * a + b;
                    let linear = if z >= 0.0 { t * z } else { (t - 1.0) * z };
                    linear + (-z.abs()).exp().ln_1p()
                })
                .sum()
        };
        let (mut a, mut b) = (0.0, ((negatives + 1.0) / (positives + 1.0)).ln());
        let mut value = objective(a, b);
        for _ in 0..STEPS {
            let (mut h11, mut h22, mut h21) = (RIDGE, RIDGE, 0.0);
            let (mut g1, mut g2) = (0.0, 0.0);
            for (&f, &t) in decisions.iter().zip(&targets) {
                let p = probability(f * a + b);
                let weight = p * (1.0 - p);
                h11 += f * f * weight;
                h22 += weight;
                h21 += f * weight;
                g1 += f * (t - p);
                g2 += t - p;
            }
            if g1.abs() < TOLERANCE && g2.abs() < TOLERANCE {
                break;
            }
            let determinant = h11 * h22 - h21 * h21;
            let da = -(h22 * g1 - h21 * g2) / determinant;
            let db = -(-h21 * g1 + h11 * g2) / determinant;
            let slope = g1 * da + g2 * db;
            let mut step = 1.0;
            while step >= SHORTEST {
                let (new_a, new_b) = (a + step * da, b + step * db);
                let new_value = objective(new_a, new_b);
                if new_value < value + 1e-4 * step * slope {
                    (a, b, value) = (new_a, new_b, new_value);
                    break;
                }
                step /= 2.0;
            }
            if step < SHORTEST {
                break;
            }
        }
        Self { a, b }
    }

    /// The probability of the first class, and its derivative by the decision value.
    pub(crate) fn probability(self, decision: f64) -> (f64, f64) {
        let p = probability(decision * self.a + self.b);
        let slope = if (MARGIN..=1.0 - MARGIN).contains(&p) {
            -self.a * p * (1.0 - p)
        } else {
            0.0
        };
        (p.clamp(MARGIN, 1.0 - MARGIN), slope)
    }
}

/// 1 / (1 + exp(z)).
fn probability(z: f64) -> f64 {
    if z >= 0.0 {
        let e = (-z).exp();
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + z.exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For decisions of two values only, the fit is known in closed form: the sigmoid takes the
    /// mean target at each value.
    #[test]
    fn two_values_are_fitted_in_closed_form() {
        // At −1: one of four is first. At 2: five of six.
        let decisions = [[-1.0; 4].as_slice(), &[2.0; 6]].concat();
        let first = [
            true, false, false, false, true, true, true, true, true, false,
        ];
        let (high, low) = (7.0 / 8.0, 1.0 / 6.0);
        let at_low: f64 = (high + 3.0 * low) / 4.0;
        let at_high: f64 = (5.0 * high + low) / 6.0;
        let z = |p: f64| ((1.0 - p) / p).ln();
        let a = (z(at_high) - z(at_low)) / 3.0;
        let b = z(at_low) + a;
        let fit = Sigmoid::fit(&decisions, &first);
        assert!(
            (fit.a - a).abs() < 1e-5 && (fit.b - b).abs() < 1e-5,
            "{fit:?} {a} {b}"
        );
        let (p, slope) = fit.probability(2.0);
        assert!((p - at_high).abs() < 1e-5);
        let h = 1e-5;
        let numeric = (fit.probability(2.0 + h).0 - fit.probability(2.0 - h).0) / (2.0 * h);
        assert!((slope - numeric).abs() < 1e-8);
    }

    #[test]
    fn far_decisions_and_lone_classes_stay_finite() {
        let sigmoid = Sigmoid { a: -3.0, b: 0.5 };
        assert_eq!(sigmoid.probability(1e6), (1.0 - MARGIN, 0.0));
        assert_eq!(sigmoid.probability(-1e6), (MARGIN, 0.0));
        for first in [true, false] {
            let fit = Sigmoid::fit(&[1.0, 2.0, 1e9], &[first; 3]);
            assert!(fit.a.is_finite() && fit.b.is_finite());
        }
        assert!(sigmoid.probability(f64::NAN).0.is_nan());
    }

    /// SciPy's minimum of the same likelihood (`tests/fixtures/libsvm.py`).
    #[test]
    fn the_fit_is_the_minimum_that_scipy_finds() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../tests/fixtures/libsvm.json")).unwrap();
        let read = |value: &serde_json::Value| -> Vec<f64> {
            serde_json::from_value(value.clone()).unwrap()
        };
        let decisions = read(&fixture["platt"]["decisions"]);
        let first: Vec<bool> = serde_json::from_value(fixture["platt"]["first"].clone()).unwrap();
        let want = read(&fixture["platt"]["sigmoid"]);
        let fit = Sigmoid::fit(&decisions, &first);
        assert!(
            (fit.a - want[0]).abs() < 1e-5 && (fit.b - want[1]).abs() < 1e-5,
            "{fit:?} {want:?}"
        );
    }
}
