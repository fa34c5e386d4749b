//! Weighted ridge regression.

use crate::sweep::Swept;

/// Share of the outcomes' squares below which their spread is taken for rounding: they are f32.
const ROUNDING: f64 = 1e-13;

/// Weighted moments of samples of features z and an outcome y, both about their weighted means.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    features: usize,
    /// `[features + 1, features + 1]`: sums of w z zᵀ, w z y and w y².
    pub(crate) products: Vec<f64>,
    /// Is the spread of y more than rounding?
    spread: bool,
}

/// A fitted surrogate.
#[derive(Clone, Debug)]
pub(crate) struct Surrogate {
    /// Of every feature; 0 for those that were not used.
    pub(crate) coefficients: Vec<f64>,
    /// The weighted share of the outcomes' variance that the fit explains; none where they do not
    /// vary.
    pub(crate) r_squared: Option<f64>,
}

impl Moments {
    /// Of samples `z`, `[samples, features]`, outcomes `y` and weights.
    pub(crate) fn new(z: &[f64], y: &[f64], weights: &[f64]) -> Self {
        let features = z.len() / y.len();
        let n = features + 1;
        let total: f64 = weights.iter().sum();
        let mut means = vec![0.0; n];
        let mut raw = 0.0;
        for ((z, y), weight) in z.chunks_exact(features).zip(y).zip(weights) {
            for (mean, value) in means.iter_mut().zip(z.iter().chain([y])) {
                *mean += weight * value;
            }
            raw += weight * y * y;
        }
        means.iter_mut().for_each(|mean| *mean /= total);
        let mut products = vec![0.0; n * n];
        let mut centred = vec![0.0; n];
        for ((z, y), weight) in z.chunks_exact(features).zip(y).zip(weights) {
            for ((centred, value), mean) in centred.iter_mut().zip(z.iter().chain([y])).zip(&means)
            {
                *centred = value - mean;
            }
            for (row, line) in products.chunks_exact_mut(n).enumerate() {
                let factor = weight * centred[row];
                for (sum, value) in line[..row + 1].iter_mut().zip(&centred) {
                    *sum += factor * value;
                }
            }
        }
        for row in 0..n {
            for column in row + 1..n {
                products[row * n + column] = products[column * n + row];
            }
        }
        let spread = products[n * n - 1] > ROUNDING * raw;
        Self {
            features,
            products,
            spread,
        }
    }

    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// Sum of w z_i z_j; the index `features` stands for y.
    pub(crate) fn at(&self, row: usize, column: usize) -> f64 {
        self.products[row * (self.features + 1) + column]
    }

    /// Minimises the sum of w (y - a - z c)² plus `alpha` |c|² over a and c, c being 0 outside `used`,
    /// which is ascending. A feature without spread beside those ahead of it gets 0. Where the
    /// outcomes do not vary all coefficients are 0.
    pub(crate) fn ridge(&self, used: &[usize], alpha: f64) -> Surrogate {
        let mut coefficients = vec![0.0; self.features];
        if !self.spread {
            return Surrogate {
                coefficients,
                r_squared: None,
            };
        }
        let chosen: Vec<usize> = used.iter().copied().chain([self.features]).collect();
        let n = chosen.len();
        let mut values = Vec::with_capacity(n * n);
        for &row in &chosen {
            values.extend(chosen.iter().map(|&column| self.at(row, column)));
        }
        let mut swept = Swept::new(values, n);
        for place in 0..n - 1 {
            swept.add(place, alpha);
        }
        let swept_in: Vec<bool> = (0..n - 1)
            .map(|place| {
                let spread = self.at(used[place], used[place]) + alpha;
                let pivot = swept.at(place, place);
                let independent = pivot > 1e-12 * spread;
                if independent {
                    swept.sweep(place);
                }
                independent
            })
            .collect();
        let mut squares = 0.0;
        for (place, &feature) in used.iter().enumerate() {
            if swept_in[place] {
                let value = swept.at(place, n - 1);
                coefficients[feature] = value;
                squares += value * value;
            }
        }
        // What is left in the corner counts the penalty in.
        let left = swept.at(n - 1, n - 1) - alpha * squares;
        let r_squared = 1.0 - left / self.at(self.features, self.features);
        Surrogate {
            coefficients,
            r_squared: Some(r_squared.min(1.0)),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use xbench_plugin::rng::CounterRng;

    /// Samples with correlated features: z, y, weights.
    pub(crate) fn samples(count: usize, features: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let number = |i: usize| CounterRng::new(4).uniform(i as u64) * 2.0 - 1.0;
        let mut z = Vec::new();
        for row in 0..count {
            for feature in 0..features {
                z.push(number(row * features + feature) + 0.5 * number(row) + feature as f64);
            }
        }
        let y = z
            .chunks_exact(features)
            .enumerate()
            .map(|(row, z)| {
                let line: f64 = z.iter().enumerate().map(|(i, z)| number(i + 3) * z).sum();
                line + 0.3 * number(row + 5000) + 2.0
            })
            .collect();
        let weights = (0..count)
            .map(|row| 0.2 + number(row + 900).abs())
            .collect();
        (z, y, weights)
    }

    #[test]
    fn one_feature_is_the_textbook_s_slope() {
        // z = 0, 1, 2, 3 with weights 1, 1, 2, 1: mean 1.6, y = 1, 3, 4, 9: mean 4.2.
        let (z, y, w) = (
            [0.0, 1.0, 2.0, 3.0],
            [1.0, 3.0, 4.0, 9.0],
            [1.0, 1.0, 2.0, 1.0],
        );
        let moments = Moments::new(&z, &y, &w);
        // Sums of squares: 5.2 of z, 34.8 of y, 12.4 of both.
        assert!((moments.at(0, 0) - 5.2).abs() < 1e-14);
        assert!((moments.at(1, 1) - 34.8).abs() < 1e-13);
        for alpha in [0.0, 1.0, 10.0] {
            let fit = moments.ridge(&[0], alpha);
            let slope = 12.4 / (5.2 + alpha);
            assert!((fit.coefficients[0] - slope).abs() < 1e-14);
            let left = 34.8 - 2.0 * slope * 12.4 + slope * slope * 5.2;
            let expected = 1.0 - left / 34.8;
            assert!((fit.r_squared.expect("y varies") - expected).abs() < 1e-14);
        }
    }

    #[test]
    fn the_fit_minimises_the_penalised_squares() {
        let (z, y, w) = samples(40, 5);
        let moments = Moments::new(&z, &y, &w);
        for (used, alpha) in [
            (vec![0, 1, 2, 3, 4], 1.0),
            (vec![1, 4], 0.0),
            (vec![0, 2, 3], 5.0),
        ] {
            let fit = moments.ridge(&used, alpha);
            let total: f64 = w.iter().sum();
            // The intercept is at its best by the means; then the objective by its definition.
            let objective = |c: &[f64]| {
                let rest: Vec<f64> = z
                    .chunks_exact(5)
                    .zip(&y)
                    .map(|(z, y)| y - z.iter().zip(c).map(|(z, c)| z * c).sum::<f64>())
                    .collect();
                let a = rest.iter().zip(&w).map(|(r, w)| r * w).sum::<f64>() / total;
                let squares: f64 = rest.iter().zip(&w).map(|(r, w)| w * (r - a).powi(2)).sum();
                (
                    squares,
                    squares + alpha * c.iter().map(|c| c * c).sum::<f64>(),
                )
            };
            let (squares, best) = objective(&fit.coefficients);
            for &feature in &used {
                for step in [1e-3, -1e-3] {
                    let mut c = fit.coefficients.clone();
                    c[feature] += step;
                    assert!(objective(&c).1 > best, "{used:?} {alpha} {feature}");
                    // Quadratic: equally much worse on both sides.
                    let mut d = fit.coefficients.clone();
                    d[feature] -= step;
                    assert!((objective(&c).1 - objective(&d).1).abs() < 1e-10);
                }
            }
            let none = objective(&[0.0; 5]).0;
            let r_squared = fit.r_squared.expect("y varies");
            assert!((r_squared - (1.0 - squares / none)).abs() < 1e-12);
            assert!((0..5).all(|i| used.contains(&i) || fit.coefficients[i] == 0.0));
        }
    }

    #[test]
    fn constants_and_copies_are_defined() {
        let (z, _, w) = samples(20, 3);
        for constant in [0.0, 0.1, -7.3] {
            let fit = Moments::new(&z, &[constant; 20], &w).ridge(&[0, 1, 2], 1.0);
            assert_eq!(fit.coefficients, [0.0; 3]);
            assert!(fit.r_squared.is_none());
        }
        // The second feature is a copy of the first; without a penalty the first has it all.
        let twice: Vec<f64> = (0..20).flat_map(|i| [f64::from(i); 2]).collect();
        let y: Vec<f64> = (0..20).map(|i| 3.0 * f64::from(i)).collect();
        let fit = Moments::new(&twice, &y, &w).ridge(&[0, 1], 0.0);
        assert!((fit.coefficients[0] - 3.0).abs() < 1e-10 && fit.coefficients[1] == 0.0);
        assert!((fit.r_squared.expect("y varies") - 1.0).abs() < 1e-12);
    }
}
