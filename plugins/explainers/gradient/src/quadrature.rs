//! Points and weights on [0, 1] for the path integral of integrated gradients.

use std::f64::consts::PI;

/// A quadrature rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Gauss-Legendre: exact for polynomials of degree 2 n - 1.
    GaussLegendre,
    /// Trapezoids between n equidistant points, the ends included.
    Trapezoid,
    /// The middles of n equal intervals.
    Midpoint,
    /// The left ends of n equal intervals.
    Left,
    /// The right ends of n equal intervals.
    Right,
}

/// The points and weights of `rule` with `n` points, by rising point; the weights sum to 1.
///
/// `None` when the rule cannot be had with that few points: none at all, or a single trapezoid end.
#[must_use]
pub fn quadrature(rule: Rule, n: usize) -> Option<Vec<(f64, f64)>> {
    if n == 0 || (rule == Rule::Trapezoid && n == 1) {
        return None;
    }
    let even = |shift: f64| {
        (0..n)
            .map(|i| ((i as f64 + shift) / n as f64, 1.0 / n as f64))
            .collect()
    };
    Some(match rule {
        Rule::GaussLegendre => gauss_legendre(n),
        Rule::Left => even(0.0),
        Rule::Midpoint => even(0.5),
        Rule::Right => even(1.0),
        Rule::Trapezoid => {
            let step = 1.0 / (n - 1) as f64;
            (0..n)
                .map(|i| {
                    let end = i == 0 || i == n - 1;
                    (i as f64 * step, if end { step / 2.0 } else { step })
                })
                .collect()
        }
    })
}

/// The Legendre polynomial of degree `n` at `x` and its derivative, by the three-term recurrence.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        let next = ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k;
        before = value;
        value = next;
    }
    let slope = n as f64 * (x * value - before) / (x * x - 1.0);
    (value, slope)
}

/// Roots of the Legendre polynomial by Newton's method from Tricomi's first-order guess; the weight
/// of root x is 2 / ((1 - x^2) P'(x)^2) on [-1, 1].
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let mut points = vec![(0.5, 1.0); n];
    for i in 0..n.div_ceil(2) {
        let mut x = (PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        // Newton doubles the digits each time; from this guess four steps reach the last bit.
        for _ in 0..8 {
            let (value, slope) = legendre(n, x);
            x -= value / slope;
        }
        if 2 * i + 1 == n {
            x = 0.0;
        }
        let slope = legendre(n, x).1;
        let weight = 1.0 / ((1.0 - x * x) * slope * slope);
        // Root i from the right has its mirror image i from the left.
        points[n - 1 - i] = (0.5 + 0.5 * x, weight);
        points[i] = (0.5 - 0.5 * x, weight);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_gauss_legendre_nodes() {
        // Closed forms on [-1, 1] (Abramowitz and Stegun, table 25.4), as (node, weight).
        let (a, b) = (
            (3.0_f64 / 7.0 - 2.0 / 7.0 * (6.0_f64 / 5.0).sqrt()).sqrt(),
            (3.0_f64 / 7.0 + 2.0 / 7.0 * (6.0_f64 / 5.0).sqrt()).sqrt(),
        );
        let (wa, wb) = (
            (18.0 + 30.0_f64.sqrt()) / 36.0,
            (18.0 - 30.0_f64.sqrt()) / 36.0,
        );
        let third = (1.0_f64 / 3.0).sqrt();
        let fifth = 0.6_f64.sqrt();
        let known: [&[(f64, f64)]; 4] = [
            &[(0.0, 2.0)],
            &[(-third, 1.0), (third, 1.0)],
            &[(-fifth, 5.0 / 9.0), (0.0, 8.0 / 9.0), (fifth, 5.0 / 9.0)],
            &[(-b, wb), (-a, wa), (a, wa), (b, wb)],
        ];
        for nodes in known {
            let ours = quadrature(Rule::GaussLegendre, nodes.len()).unwrap();
            for ((x, w), (node, weight)) in ours.iter().zip(nodes) {
                assert!((x - (0.5 + 0.5 * node)).abs() < 1e-15, "{x}");
                assert!((w - 0.5 * weight).abs() < 1e-15, "{w}");
            }
        }
        // Table 25.4, n = 16: the largest node and its weight.
        let (x, w) = quadrature(Rule::GaussLegendre, 16).unwrap()[15];
        assert!((x - (0.5 + 0.5 * 0.989_400_934_991_649_9)).abs() < 1e-15);
        assert!((w - 0.5 * 0.027_152_459_411_754_1).abs() < 1e-14);
    }

    #[test]
    fn gauss_legendre_is_exact_up_to_twice_its_points() {
        for n in [1_usize, 2, 5, 50, 201] {
            let points = quadrature(Rule::GaussLegendre, n).unwrap();
            for degree in 0..2 * n {
                let sum: f64 = points.iter().map(|(x, w)| w * x.powi(degree as i32)).sum();
                assert!(
                    (sum - 1.0 / (degree + 1) as f64).abs() < 1e-13,
                    "{n} {degree}"
                );
            }
        }
    }

    #[test]
    fn the_other_rules_by_hand() {
        let rule = |rule, n| quadrature(rule, n).unwrap();
        assert_eq!(rule(Rule::Left, 2), [(0.0, 0.5), (0.5, 0.5)]);
        assert_eq!(rule(Rule::Midpoint, 2), [(0.25, 0.5), (0.75, 0.5)]);
        assert_eq!(rule(Rule::Right, 2), [(0.5, 0.5), (1.0, 0.5)]);
        assert_eq!(
            rule(Rule::Trapezoid, 3),
            [(0.0, 0.25), (0.5, 0.5), (1.0, 0.25)]
        );
        assert_eq!(quadrature(Rule::Trapezoid, 1), None);
        assert_eq!(quadrature(Rule::Left, 0), None);
    }
}
