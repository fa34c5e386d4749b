//! Probabilities of classes from probabilities of pairs: the second method of T.-F. Wu, C.-J. Lin
//! and R. C. Weng, "Probability Estimates for Multi-class Classification by Pairwise Coupling",
//! 2004, which libsvm uses.
//!
//! With r_ij the probability of class i when it is either i or j, p minimises
//! Σ_i Σ_{j≠i} (r_ji p_i − r_ij p_j)² under Σp = 1. libsvm iterates until the gradient is below
//! 0.005 / classes; here the linear system of the optimality conditions (their equation 22) is
//! solved, so that p is the minimum itself and its derivative is known.

use crate::{pair_count, pairs};

/// Room for one system; reused from row to row.
#[derive(Debug)]
pub(crate) struct Coupling {
    classes: usize,
    /// `[classes + 1, classes + 2]`: the system with its right-hand side.
    system: Vec<f64>,
    solution: Vec<f64>,
    p: Vec<f64>,
}

impl Coupling {
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            classes,
            system: vec![0.0; (classes + 1) * (classes + 2)],
            solution: vec![0.0; classes + 1],
            p: vec![0.0; classes],
        }
    }

    /// The probabilities; `r` is r_ij for each pair i < j.
    pub(crate) fn probabilities(&mut self, r: &[f64]) -> &[f64] {
        self.fill(r);
        let last = self.classes;
        self.system[last * (last + 2) + last + 1] = 1.0;
        self.solve();
        // The minimum has no negative entry (their theorem 1); rounding may leave −10⁻¹⁷.
        for (p, &value) in self.p.iter_mut().zip(&self.solution) {
            *p = if value < 0.0 { 0.0 } else { value };
        }
        &self.p
    }

    /// Gradient of Σ g p with respect to each r_ij, i < j, with r_ji = 1 − r_ij; written to `to`.
    pub(crate) fn gradient(&mut self, r: &[f64], g: &[f64], to: &mut [f64]) {
        self.probabilities(r);
        // The system is symmetric: with λ its solution for g, dL = −λᵀ dQ p.
        self.fill(r);
        let last = self.classes;
        for (row, &g) in g.iter().enumerate() {
            self.system[row * (last + 2) + last + 1] = g;
        }
        self.solve();
        let (lambda, p) = (&self.solution, &self.p);
        for (((i, j), &r), to) in pairs(self.classes).zip(r).zip(to) {
            let back = 1.0 - r;
            *to = 2.0 * (back * lambda[i] * p[i] - r * lambda[j] * p[j])
                - (r - back) * (lambda[i] * p[j] + lambda[j] * p[i]);
        }
    }

    /// The matrix [Q e; eᵀ 0], with Q_ii = Σ_s r_si² and Q_ij = −r_ji r_ij.
    fn fill(&mut self, r: &[f64]) {
        debug_assert_eq!(r.len(), pair_count(self.classes));
        let (last, stride) = (self.classes, self.classes + 2);
        self.system.fill(0.0);
        for ((i, j), &r) in pairs(self.classes).zip(r) {
            let back = 1.0 - r;
            self.system[i * stride + i] += back * back;
            self.system[j * stride + j] += r * r;
            self.system[i * stride + j] = -back * r;
            self.system[j * stride + i] = -back * r;
        }
        for class in 0..last {
            self.system[class * stride + last] = 1.0;
            self.system[last * stride + class] = 1.0;
        }
    }

    /// Gaussian elimination with row pivoting.
    fn solve(&mut self) {
        let (size, stride) = (self.classes + 1, self.classes + 2);
        let a = &mut self.system;
        for column in 0..size {
            let mut pivot = column;
            for row in column + 1..size {
                if a[row * stride + column].abs() > a[pivot * stride + column].abs() {
                    pivot = row;
                }
            }
            if pivot != column {
                for k in column..stride {
                    a.swap(pivot * stride + k, column * stride + k);
                }
            }
            let (above, below) = a.split_at_mut((column + 1) * stride);
            let lead = &above[column * stride..];
            for row in below.chunks_exact_mut(stride) {
                let factor = row[column] / lead[column];
                for (value, &lead) in row[column..].iter_mut().zip(&lead[column..]) {
                    *value -= factor * lead;
                }
            }
        }
        for row in (0..size).rev() {
            let equation = &a[row * stride..(row + 1) * stride];
            let known: f64 = (row + 1..size)
                .map(|k| equation[k] * self.solution[k])
                .sum();
            self.solution[row] = (equation[size] - known) / equation[row];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platt::Sigmoid;

    #[test]
    fn two_classes_keep_the_pairs_probability() {
        let mut coupling = Coupling::new(2);
        for r in [1e-7, 0.2, 0.5, 0.9] {
            let p = coupling.probabilities(&[r]);
            assert!((p[0] - r).abs() < 1e-12 && (p[1] - 1.0 + r).abs() < 1e-12);
        }
    }

    /// Pairs made from class probabilities are consistent, and give them back.
    #[test]
    fn consistent_pairs_give_their_classes_back() {
        let want = [0.4, 0.3, 0.2, 0.07, 0.03];
        let r: Vec<f64> = pairs(5)
            .map(|(i, j)| want[i] / (want[i] + want[j]))
            .collect();
        let mut coupling = Coupling::new(5);
        let p = coupling.probabilities(&r);
        for (p, want) in p.iter().zip(want) {
            assert!((p - want).abs() < 1e-12);
        }
    }

    /// Three classes that contradict each other, worked out by hand: r₁₂ = r₂₃ = r₃₁ = 0.8 is
    /// symmetric, so every class gets a third.
    #[test]
    fn a_cycle_is_a_draw() {
        let mut coupling = Coupling::new(3);
        for p in coupling.probabilities(&[0.8, 0.2, 0.8]) {
            assert!((p - 1.0 / 3.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_result_is_the_minimum_on_the_simplex() {
        let r = [0.9, 0.3, 0.6, 0.2, 0.55, 0.7];
        let objective = |p: &[f64]| -> f64 {
            pairs(4)
                .zip(r)
                .map(|((i, j), r)| 2.0 * ((1.0 - r) * p[i] - r * p[j]).powi(2))
                .sum()
        };
        let mut coupling = Coupling::new(4);
        let p = coupling.probabilities(&r).to_vec();
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for i in 0..4 {
            for j in 0..4 {
                let mut moved = p.clone();
                moved[i] += 1e-3;
                moved[j] -= 1e-3;
                assert!(objective(&moved) >= objective(&p));
            }
        }
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let r = [0.9, 0.3, 0.6, 0.2, 0.55, 0.7];
        let g = [0.3, -1.2, 0.8, 0.1];
        let mut coupling = Coupling::new(4);
        let mut gradient = [0.0; 6];
        coupling.gradient(&r, &g, &mut gradient);
        let mut value = |r: &[f64]| -> f64 {
            let p = coupling.probabilities(r);
            p.iter().zip(g).map(|(p, g)| p * g).sum()
        };
        for (k, gradient) in gradient.iter().enumerate() {
            let h = 1e-6;
            let (mut up, mut down) = (r, r);
            up[k] += h;
            down[k] -= h;
            let numeric = (value(&up) - value(&down)) / (2.0 * h);
            assert!((gradient - numeric).abs() < 1e-8, "{gradient} {numeric}");
        }
    }

    fn fixture() -> serde_json::Value {
        serde_json::from_str(include_str!("../tests/fixtures/libsvm.json")).unwrap()
    }

    fn numbers(value: &serde_json::Value) -> Vec<f64> {
        serde_json::from_value(value.clone()).unwrap()
    }

    /// SciPy's minimum under the constraints (`tests/fixtures/libsvm.py`).
    #[test]
    fn the_result_is_the_minimum_that_scipy_finds() {
        let fixture = fixture();
        let coupled = &fixture["coupling"];
        let mut coupling = Coupling::new(4);
        let (pairs, classes) = (coupled["pairs"].as_array(), coupled["classes"].as_array());
        for (r, want) in pairs.unwrap().iter().zip(classes.unwrap()) {
            let p = coupling.probabilities(&numbers(r));
            for (p, want) in p.iter().zip(numbers(want)) {
                assert!((p - want).abs() < 1e-6, "{p} {want}");
            }
        }
    }

    /// libsvm's own sigmoids and decisions give libsvm's own probabilities, as far as its
    /// iteration goes.
    #[test]
    fn libsvms_sigmoids_give_libsvms_probabilities() {
        let fixture = fixture();
        let (a, b) = (numbers(&fixture["prob_a"]), numbers(&fixture["prob_b"]));
        let decisions = numbers(&fixture["loose_decisions"]);
        let want = numbers(&fixture["probabilities"]);
        let mut coupling = Coupling::new(4);
        for (decisions, want) in decisions.chunks(6).zip(want.chunks(4)) {
            let r: Vec<f64> = (0..6)
                .map(|pair| {
                    let (a, b) = (a[pair], b[pair]);
                    Sigmoid { a, b }.probability(decisions[pair]).0
                })
                .collect();
            for (p, want) in coupling.probabilities(&r).iter().zip(want) {
                assert!((p - want).abs() < 2e-3, "{p} {want}");
            }
        }
    }
}
