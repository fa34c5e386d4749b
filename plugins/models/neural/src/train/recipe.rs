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
    /// As the published study trained.
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
    /// Images held out of the training set, the same share of every class. Data that come with a
    /// validation split of their own are split by that, whatever this says.
    pub validation_images: usize,
    /// Share held out, 0 to 1; above 0 it stands in for `validation_images`.
    pub validation_share: f64,
    /// Decides which images are held out; none takes `seed`.
    pub validation_seed: Option<u64>,
    /// Which epoch is kept.
    pub keep: KeptEpoch,
    /// Stops after so many epochs that did no better on the images held out; none trains to the
    /// end.
    pub patience: Option<usize>,
    /// Decides initial weights, held-out images, order and augmentation.
    pub seed: u64,
}

impl Recipe {
    /// Ten epochs of plain Adam as Keras has it, 64 images a step, on all training images, the
    /// last epoch kept.
    pub fn plain(seed: u64) -> Self {
        Recipe {
            epochs: 10,
            batch_size: 64,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            epsilon: 1e-7,
            epsilon_rule: Epsilon::Keras,
            label_smoothing: 0.0,
            flip: false,
            shift: 0,
            average_decay: None,
            validation_images: 0,
            validation_share: 0.0,
            validation_seed: None,
            keep: KeptEpoch::Last,
            patience: None,
            seed,
        }
    }

    /// Forty epochs of one cycle with flips, shifts and a running average of the weights, 5,000
    /// images held out to choose the epoch by.
    pub fn one_cycle(seed: u64) -> Self {
        Recipe {
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
            ..Recipe::plain(seed)
        }
    }

    /// About how many of `images` images are held out.
    pub fn held_out(&self, images: usize) -> usize {
        if self.validation_share > 0.0 {
            (self.validation_share * images as f64).round() as usize
        } else {
            self.validation_images.min(images)
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

    /// Refuses settings that make no sense with `held_out` images held out.
    pub(super) fn check(&self, held_out: usize) -> Result<(), NetworkError> {
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
        if !share(self.validation_share) {
            return refuse("validation_share: at least 0, below 1");
        }
        if self.patience == Some(0) {
            return refuse("patience: at least 1 epoch");
        }
        if held_out == 0 && self.keep == KeptEpoch::Best {
            return refuse(
                "keep: the best epoch cannot be told where no image is held out; say keep=last, or \
                 hold some out with validation_share",
            );
        }
        if held_out == 0 && self.patience.is_some() {
            return refuse("patience: there is nothing to wait for where no image is held out");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cycle_rises_and_falls() {
        let recipe = Recipe::one_cycle(1);
        let rate = |step| recipe.learning_rate_at(step, 1000);
        assert!((rate(0) - 8e-3 / 25.0).abs() < 1e-12);
        assert!((rate(299) - 8e-3).abs() < 1e-12);
        assert!((rate(999) - 8e-3 / 25e4).abs() < 1e-12);
        assert!((0..299).all(|i| rate(i) < rate(i + 1)));
        assert!((299..999).all(|i| rate(i) > rate(i + 1)));
    }

    #[test]
    fn a_share_stands_in_for_a_number() {
        let mut recipe = Recipe::one_cycle(1);
        assert_eq!(recipe.held_out(60_000), 5000);
        assert_eq!(recipe.held_out(100), 100);
        recipe.validation_share = 0.2;
        assert_eq!(recipe.held_out(60_000), 12_000);
    }

    #[test]
    fn senseless_settings_are_refused() {
        let good = Recipe::one_cycle(1);
        assert!(good.check(10).is_ok());
        assert!(good.check(0).is_err(), "no best epoch");
        let wrong: [fn(&mut Recipe); 6] = [
            |r| r.epochs = 0,
            |r| r.learning_rate = f64::NAN,
            |r| r.average_decay = Some(1.0),
            |r| r.validation_share = 1.0,
            |r| r.validation_share = f64::NAN,
            |r| r.patience = Some(0),
        ];
        for change in wrong {
            let mut recipe = good.clone();
            change(&mut recipe);
            assert!(recipe.check(10).is_err(), "{recipe:?}");
        }
        let waiting = Recipe {
            patience: Some(3),
            ..Recipe::plain(1)
        };
        assert!(waiting.check(0).is_err());
        assert!(waiting.check(1).is_ok());
    }
}
