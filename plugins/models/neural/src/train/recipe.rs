//! Everything that decides a training run, in one record that is kept beside the weights.

use serde::{Deserialize, Serialize};

use super::optimiser::Epsilon;
use crate::network::NetworkError;

/// How the learning rate changes over the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same throughout.
    Constant,
    /// One cycle (Smith and Topin 2018): a cosine rise from 1/25 of the rate over the first
    /// 30 % of the steps, then a cosine fall to 1/250,000 of it.
    OneCycle,
}

/// Which epoch's weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptEpoch {
    /// The last one.
    Last,
    /// The one with the highest validation accuracy; of equal ones the lower loss, then the
    /// earlier.
    Best,
}

/// A named recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// As the published study trained: ten epochs of plain Adam on all training images, the last
    /// one kept.
    Published,
    /// The same architecture trained as well as is cheap today.
    Best,
}

impl Preset {
    /// The preset of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "published" => Some(Preset::Published),
            "best" => Some(Preset::Best),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Published => "published",
            Preset::Best => "best",
        }
    }
}

/// A training recipe. Adam's β are 0.9 and 0.999.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images in a step.
    pub batch_size: usize,
    /// Learning rate, the highest one where it changes.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Decoupled weight decay of weights, not of biases (Loshchilov and Hutter 2019).
    pub weight_decay: f64,
    /// ε in Adam's denominator.
    pub epsilon: f64,
    /// Where that ε stands.
    pub epsilon_rule: Epsilon,
    /// Weight of the uniform distribution in the targets.
    pub label_smoothing: f64,
    /// Whether each image is mirrored left to right with probability one half.
    pub flip: bool,
    /// Each image is moved by up to this many pixels, background coming in.
    pub shift: usize,
    /// Decay of the running average of the weights, which is what is kept; none keeps the
    /// weights themselves.
    pub average_decay: Option<f64>,
    /// Images held out of the training set, the same share of every class.
    pub validation_images: usize,
    /// Which epoch is kept.
    pub keep: KeptEpoch,
    /// Decides initial weights, held-out images, order and augmentation.
    pub seed: u64,
}

impl Recipe {
    /// The recipe of a preset for one of this crate's models.
    pub fn preset(preset: Preset, epsilon_rule: Epsilon, seed: u64) -> Self {
        let published = Recipe {
            epochs: 10,
            batch_size: 64,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            epsilon: match epsilon_rule {
                Epsilon::Keras => 1e-7,
                Epsilon::Torch => 1e-8,
            },
            epsilon_rule,
            label_smoothing: 0.0,
            flip: false,
            shift: 0,
            average_decay: None,
            validation_images: 0,
            keep: KeptEpoch::Last,
            seed,
        };
        match preset {
            Preset::Published => published,
            Preset::Best => Recipe {
                epochs: 40,
                batch_size: 128,
                learning_rate: 8e-3,
                schedule: Schedule::OneCycle,
                weight_decay: 0.02,
                epsilon: 1e-8,
                epsilon_rule: Epsilon::Torch,
                flip: true,
                shift: 1,
                average_decay: Some(0.999),
                validation_images: 5000,
                keep: KeptEpoch::Best,
                ..published
            },
        }
    }

    /// Learning rate of step `step` (from 0) of `steps`.
    pub fn learning_rate_at(&self, step: usize, steps: usize) -> f64 {
        match self.schedule {
            Schedule::Constant => self.learning_rate,
            Schedule::OneCycle => {
                let cosine = |from: f64, to: f64, share: f64| {
                    to + (from - to) * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
                };
                let (top, low) = (self.learning_rate, self.learning_rate / 25.0);
                let last = (steps.max(2) - 1) as f64;
                let peak = (0.3 * steps as f64 - 1.0).max(1.0).min(last);
                let at = step as f64;
                if at <= peak {
                    cosine(low, top, at / peak)
                } else {
                    cosine(top, low / 1e4, (at - peak) / (last - peak))
                }
            }
        }
    }

    /// Refuses settings that make no sense.
    pub(super) fn check(&self) -> Result<(), NetworkError> {
        let refuse = |what: &str| Err(NetworkError::Setting(what.to_owned()));
        let share = |v: f64| (0.0..1.0).contains(&v);
        if self.epochs == 0 || self.epochs > 10_000 {
            return refuse("epochs: from 1 to 10000");
        }
        if self.batch_size == 0 || self.batch_size > 65_536 {
            return refuse("batch_size: from 1 to 65536");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 10.0) {
            return refuse("learning_rate: above 0, at most 10");
        }
        if !(self.epsilon > 0.0 && self.epsilon <= 1.0) {
            return refuse("epsilon: above 0, at most 1");
        }
        if !share(self.weight_decay) || !share(self.label_smoothing) {
            return refuse("weight_decay and label_smoothing: at least 0, below 1");
        }
        if self.average_decay.is_some_and(|d| !share(d)) {
            return refuse("average_decay: at least 0, below 1");
        }
        if self.shift > 64 {
            return refuse("shift: at most 64 pixels");
        }
        if self.keep == KeptEpoch::Best && self.validation_images == 0 {
            return refuse("keep: the best epoch cannot be told without validation_images");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cycle_rises_and_falls() {
        let recipe = Recipe::preset(Preset::Best, Epsilon::Torch, 1);
        let rate = |step| recipe.learning_rate_at(step, 1000);
        assert!((rate(0) - 8e-3 / 25.0).abs() < 1e-12);
        assert!((rate(299) - 8e-3).abs() < 1e-12);
        assert!((rate(999) - 8e-3 / 25e4).abs() < 1e-12);
        assert!((0..299).all(|i| rate(i) < rate(i + 1)));
        assert!((299..999).all(|i| rate(i) > rate(i + 1)));
    }

    #[test]
    fn senseless_settings_are_refused() {
        let good = Recipe::preset(Preset::Best, Epsilon::Torch, 1);
        assert!(good.check().is_ok());
        assert!(
            Recipe {
                epochs: 0,
                ..good.clone()
            }
            .check()
            .is_err()
        );
        assert!(
            Recipe {
                learning_rate: f64::NAN,
                ..good.clone()
            }
            .check()
            .is_err()
        );
        assert!(
            Recipe {
                validation_images: 0,
                ..good.clone()
            }
            .check()
            .is_err()
        );
        assert!(
            Recipe {
                average_decay: Some(1.0),
                ..good
            }
            .check()
            .is_err()
        );
    }
}
