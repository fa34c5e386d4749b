//! What of a model's outputs is watched while its input is changed.

use xbench_plugin::{Error, OutputKind, Result};

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The model's own output.
    Output,
    /// The probability of the target.
    Probability,
    /// 1 where the target is the predicted class, else 0.
    Kept,
}

impl Outcome {
    /// From the parameter `outcome`, whose choices the schema has checked.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "probability" => Self::Probability,
            "kept" => Self::Kept,
            _ => Self::Output,
        }
    }

    /// Refuses what a model's outputs cannot tell.
    pub(crate) fn check(self, kind: OutputKind) -> Result<()> {
        if self != Self::Output && kind == OutputKind::Values {
            return Err(Error::invalid_argument(
                "a probability or predicted class has no meaning for a model whose outputs are \
                 values; use the outcome \"logit\", its output as it is",
            ));
        }
        Ok(())
    }

    /// What is watched, from a row of the model's outputs.
    pub(crate) fn of(self, kind: OutputKind, outputs: &[f32], target: usize) -> f64 {
        let value = f64::from(outputs[target]);
        match self {
            Self::Kept => f64::from(outputs.iter().all(|&y| y <= outputs[target])),
            // 1 / sum of exp(y_j - y_target): no overflow hurts, since exp may only grow to
            // infinity.
            Self::Probability if kind == OutputKind::Logits => {
                let ratios = outputs.iter().map(|&y| (f64::from(y) - value).exp());
                1.0 / ratios.sum::<f64>()
            }
            Self::Probability | Self::Output => value,
        }
    }

    /// The derivative of what is watched with respect to the outputs; `None` where it is the same
    /// for all outputs: 1 at the target. `Kept` has no derivative and counts as the output.
    pub(crate) fn derivative(
        self,
        kind: OutputKind,
        outputs: &[f32],
        target: usize,
    ) -> Option<Vec<f32>> {
        (self == Self::Probability && kind == OutputKind::Logits).then(|| {
            let share = self.of(kind, outputs, target);
            // d p_t / d y_j = p_t (1[j = t] - p_j).
            (0..outputs.len())
                .map(|j| {
                    let other = self.of(kind, outputs, j);
                    (share * (f64::from(j == target) - other)) as f32
                })
                .collect()
        })
    }
}

/// Do the values differ by no more than the rounding of outputs in f32? Shares of a variance that
/// is nothing but rounding would be noise.
pub(crate) fn is_constant(values: &[f64]) -> bool {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let size = low.abs().max(high.abs());
    values.is_empty() || high - low <= 4.0 * f64::from(f32::EPSILON) * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivative_is_that_of_the_probability() {
        let outputs = [0.3_f32, -1.2, 2.0, 0.9];
        for target in 0..4 {
            let derivative = Outcome::Probability
                .derivative(OutputKind::Logits, &outputs, target)
                .expect("depends on the outputs");
            for (j, &derivative) in derivative.iter().enumerate() {
                let at = |step: f32| {
                    let mut moved = outputs;
                    moved[j] += step;
                    Outcome::Probability.of(OutputKind::Logits, &moved, target)
                };
                let difference = (at(1e-2) - at(-1e-2)) / 2e-2;
                assert!((f64::from(derivative) - difference).abs() < 1e-5);
            }
        }
        let none = Outcome::Output.derivative(OutputKind::Logits, &outputs, 0);
        assert!(none.is_none());
    }

    #[test]
    fn probabilities_survive_large_logits() {
        let of =
            |outputs: &[f32], target| Outcome::Probability.of(OutputKind::Logits, outputs, target);
        assert_eq!(of(&[1e4, -1e4], 0), 1.0);
        assert_eq!(of(&[1e4, -1e4], 1), 0.0);
        assert_eq!(of(&[5.0; 4], 1), 0.25);
        let flat = Outcome::Probability.derivative(OutputKind::Logits, &[1e4, -1e4], 1);
        assert_eq!(flat, Some(vec![0.0, 0.0]));
    }

    #[test]
    fn rounding_is_no_variation() {
        assert!(is_constant(&[]));
        assert!(is_constant(&[0.0; 3]));
        assert!(is_constant(&[1.0, 1.0 + 1e-7]));
        assert!(!is_constant(&[1.0, 1.0 + 1e-5]));
        assert!(!is_constant(&[0.0, 1e-30]));
    }
}
