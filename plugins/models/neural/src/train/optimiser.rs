//! Adam (Kingma and Ba 2015) with decoupled weight decay.

use serde::{Deserialize, Serialize};

use super::Recipe;
use super::checkpoint::State;
use crate::network::Network;

/// Where ε stands in Adam's denominator. The two differ while the second moment's bias
/// correction is far from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Epsilon {
    /// Beside the uncorrected root, as Keras has it ("ε̂" in the paper).
    Keras,
    /// Beside the corrected root, as PyTorch and the paper's algorithm 1 have it.
    Torch,
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;

#[derive(Debug)]
pub(super) struct Adam {
    /// Whether a parameter decays: weights do, biases do not.
    decays: Vec<bool>,
    weight_decay: f64,
    epsilon: f64,
    rule: Epsilon,
}

impl Adam {
    pub(super) fn new(network: &Network, recipe: &Recipe) -> Self {
        let decays = network
            .named_parameters()
            .iter()
            .flat_map(|p| std::iter::repeat_n(p.shape.len() > 1, p.values.len()))
            .collect();
        Adam {
            decays,
            weight_decay: recipe.weight_decay,
            epsilon: recipe.epsilon,
            rule: recipe.epsilon_rule,
        }
    }

    /// Moves the state's weights, and counts the step.
    pub(super) fn step(&self, state: &mut State, gradient: &[f32], rate: f64) {
        state.step += 1;
        let steps = i32::try_from(state.step).unwrap_or(i32::MAX);
        let correction1 = 1.0 - BETA1.powi(steps);
        let root2 = (1.0 - BETA2.powi(steps)).sqrt();
        // rate · m̂ / (√v̂ + ε), with the corrections folded into the rate and ε.
        let scale = (rate * root2 / correction1) as f32;
        let epsilon = match self.rule {
            Epsilon::Keras => self.epsilon,
            Epsilon::Torch => self.epsilon * root2,
        } as f32;
        let keep = (1.0 - rate * self.weight_decay) as f32;
        let (b1, b2) = (BETA1 as f32, BETA2 as f32);
        for ((((p, &g), m), v), &decays) in state
            .weights
            .iter_mut()
            .zip(gradient)
            .zip(&mut state.first)
            .zip(&mut state.second)
            .zip(&self.decays)
        {
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            let kept = if decays { keep * *p } else { *p };
            *p = kept - scale * *m / (v.sqrt() + epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lenet;
    use crate::train::Preset;

    #[test]
    fn first_steps_by_hand() {
        let network = Network::new(lenet::architecture([1, 28, 28], 10), 1).unwrap();
        let count = network.parameter_count();
        for rule in [Epsilon::Keras, Epsilon::Torch] {
            let recipe = Recipe {
                epsilon: 1e-2,
                epsilon_rule: rule,
                ..lenet::recipe(Preset::Published, 1)
            };
            let adam = Adam::new(&network, &recipe);
            let mut state = State::new(vec![1.0; count], &recipe);
            let (mut m, mut v, mut p) = (0.0f64, 0.0f64, 1.0f64);
            for (t, g) in [(1, 0.5f64), (2, -0.25)] {
                adam.step(&mut state, &vec![g as f32; count], 0.1);
                m = 0.9 * m + 0.1 * g;
                v = 0.999 * v + 0.001 * g * g;
                let (c1, c2) = (1.0 - 0.9f64.powi(t), 1.0 - 0.999f64.powi(t));
                p -= match rule {
                    Epsilon::Torch => 0.1 * (m / c1) / ((v / c2).sqrt() + 1e-2),
                    Epsilon::Keras => 0.1 * c2.sqrt() / c1 * m / (v.sqrt() + 1e-2),
                };
            }
            let got = state.weights[0];
            assert!((f64::from(got) - p).abs() < 1e-5, "{got} {p}");
        }
    }

    #[test]
    fn only_weights_decay() {
        let network = Network::new(lenet::architecture([1, 28, 28], 10), 1).unwrap();
        let recipe = Recipe {
            weight_decay: 0.5,
            ..lenet::recipe(Preset::Best, 1)
        };
        let count = network.parameter_count();
        let mut state = State::new(vec![1.0; count], &recipe);
        Adam::new(&network, &recipe).step(&mut state, &vec![0.0; count], 0.1);
        assert!((state.weights[0] - 0.95).abs() < 1e-6);
        assert_eq!(state.weights[150], 1.0, "the first layer's bias");
    }
}
