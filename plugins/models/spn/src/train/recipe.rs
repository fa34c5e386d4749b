//! Everything that decides a training run, in one record.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xbench_plugin::{Error, Result};

/// How the predicted map is compared with the mask, as a mean over pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalisationLoss {
    /// Binary cross-entropy.
    Ce,
    /// Absolute difference.
    L1,
    /// Squared difference.
    L2,
}

/// How the learning rate changes over the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same throughout.
    Constant,
    /// One cycle (Smith and Topin 2018): a cosine rise from 1/25 of the rate over the first 30 % of
    /// the steps, then a cosine fall to 1/250,000 of it.
    OneCycle,
}

/// Which epoch's weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The last one.
    Last,
    /// That of the highest validation accuracy; of equal ones the lower loss, then the earlier.
    BestAccuracy,
    /// That of the lowest validation cross-entropy of the class; of equal ones the earlier.
    BestLoss,
}

/// A training recipe. The optimiser is Adam (β 0.9 and 0.999, ε 1e-8) with decoupled weight decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Share of the training images whose masks are shown, the same of every class, 0 to 1. With 0
    /// there is no saliency prediction network at all: the study's baseline.
    pub masks: f64,
    /// Weight λ of the localisation loss.
    pub lambda: f64,
    /// Which localisation loss.
    pub localisation_loss: LocalisationLoss,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images in a step; the last, smaller batch of an epoch is left out.
    pub batch_size: usize,
    /// Learning rate, the highest one where it changes.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Decoupled weight decay of weights, not of biases (Loshchilov and Hutter 2019).
    pub weight_decay: f64,
    /// Weight of the uniform distribution in the class targets.
    pub label_smoothing: f64,
    /// Images are turned by up to this many degrees either way.
    pub rotation: f64,
    /// Smallest share of an image's area that is cut out and enlarged; 1 for none. The aspect ratio
    /// of the cut is 3/4 to 4/3.
    pub crop: f64,
    /// Mirror left to right with probability one half.
    pub flip_horizontal: bool,
    /// Mirror top to bottom with probability one half.
    pub flip_vertical: bool,
    /// Brightness, contrast and (of RGB images) saturation are multiplied by 1 ± up to this.
    pub colour_jitter: f64,
    /// Decay of the running average of the weights, which is what is kept; none keeps the weights
    /// themselves.
    pub average_decay: Option<f64>,
    /// Share of the images held out for validation where the data bring no validation split.
    pub validation_share: f64,
    /// Which epoch is kept.
    pub keep: Keep,
    /// Path of a safetensors file with torchvision's weights for the backbone, or none. What the
    /// file held is part of the report, by its SHA-256.
    pub backbone: Option<String>,
    /// Epochs from one kept state of the training to the next.
    pub checkpoint_every: usize,
    /// Decides initial weights, held-out images, masked images, order and augmentation.
    pub seed: u64,
}

impl Recipe {
    /// The recipe of a preset, `quick` or `full`.
    pub fn preset(name: &str) -> Option<Self> {
        let full = Recipe {
            masks: 1.0,
            lambda: 0.5,
            localisation_loss: LocalisationLoss::Ce,
            epochs: 40,
            batch_size: 16,
            learning_rate: 1e-4,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            label_smoothing: 0.0,
            rotation: 45.0,
            crop: 0.75,
            flip_horizontal: true,
            flip_vertical: true,
            colour_jitter: 0.2,
            average_decay: None,
            validation_share: 0.1,
            keep: Keep::BestAccuracy,
            backbone: None,
            checkpoint_every: 5,
            seed: 0,
        };
        match name {
            "full" => Some(full),
            "quick" => Some(Recipe {
                batch_size: 32,
                learning_rate: 1e-3,
                schedule: Schedule::OneCycle,
                weight_decay: 0.05,
                average_decay: Some(0.99),
                keep: Keep::BestLoss,
                ..full
            }),
            _ => None,
        }
    }

    /// Reads settings: a JSON object that names a `preset`; any field beside it replaces the
    /// preset's.
    ///
    /// # Errors
    /// For anything unknown or out of range; the text lists what there is, with defaults.
    pub fn parse(settings: &str) -> Result<(String, Self)> {
        let refuse = |why: String| Error::invalid_argument(format!("training settings: {why}"));
        let mut given: Map<String, Value> =
            serde_json::from_str(settings).map_err(|e| refuse(e.to_string()))?;
        let name = match given.remove("preset") {
            None => "quick".to_owned(),
            Some(Value::String(name)) => name,
            Some(other) => return Err(refuse(format!("preset {other} is not a name"))),
        };
        let preset = Recipe::preset(&name).ok_or_else(|| {
            refuse(format!(
                "preset \"{name}\": there are \"quick\" and \"full\""
            ))
        })?;
        let defaults = serde_json::to_value(&preset).map_err(|e| Error::internal(e.to_string()))?;
        let Value::Object(mut fields) = defaults.clone() else {
            return Err(Error::internal("a recipe is not an object"));
        };
        fields.extend(given);
        let recipe: Recipe = serde_json::from_value(Value::Object(fields)).map_err(|e| {
            refuse(format!(
                "{e}; the settings of preset \"{name}\" are {defaults}"
            ))
        })?;
        recipe.check().map_err(refuse)?;
        Ok((name, recipe))
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

    fn check(&self) -> std::result::Result<(), String> {
        let within = |name: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("{name}: {value} is not within {low} to {high}"))
            }
        };
        let count = |name: &str, value: usize, high: usize| {
            if (1..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("{name}: {value} is not within 1 to {high}"))
            }
        };
        within("masks", self.masks, 0.0, 1.0)?;
        within("lambda", self.lambda, 0.0, 1000.0)?;
        within("learning_rate", self.learning_rate, 1e-12, 10.0)?;
        within("weight_decay", self.weight_decay, 0.0, 1.0)?;
        within("label_smoothing", self.label_smoothing, 0.0, 0.9)?;
        within("rotation", self.rotation, 0.0, 180.0)?;
        within("crop", self.crop, 0.05, 1.0)?;
        within("colour_jitter", self.colour_jitter, 0.0, 0.9)?;
        within("validation_share", self.validation_share, 0.0, 0.5)?;
        within(
            "average_decay",
            self.average_decay.unwrap_or(0.0),
            0.0,
            0.99999,
        )?;
        count("epochs", self.epochs, 10_000)?;
        count("batch_size", self.batch_size, 1024)?;
        count("checkpoint_every", self.checkpoint_every, 10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_replace_the_presets_fields() {
        let settings = r#"{"preset": "full", "masks": 0.25, "localisation_loss": "l2", "seed": 3}"#;
        let (name, recipe) = Recipe::parse(settings).unwrap();
        assert_eq!(
            (name.as_str(), recipe.masks, recipe.seed),
            ("full", 0.25, 3)
        );
        assert_eq!(recipe.localisation_loss, LocalisationLoss::L2);
        assert_eq!(recipe.batch_size, 16);
        assert_eq!(Recipe::parse("{}").unwrap().0, "quick");
    }

    #[test]
    fn wrong_settings_are_refused_with_what_there_is() {
        for (settings, part) in [
            (r#"{"preset": "slow"}"#, "\"quick\" and \"full\""),
            (r#"{"mask": 1}"#, "\"masks\":1.0"),
            (r#"{"localisation_loss": "l3"}"#, "l3"),
            (r#"{"masks": 1.5}"#, "masks: 1.5 is not within 0 to 1"),
            (r#"{"epochs": 0}"#, "epochs"),
            (r#"{"learning_rate": 0}"#, "learning_rate"),
            (r#"{"seed": -1}"#, "settings of preset"),
            ("[]", "training settings"),
        ] {
            let refused = Recipe::parse(settings).unwrap_err();
            assert!(refused.message().contains(part), "{}", refused.message());
        }
    }

    #[test]
    fn one_cycle_rises_and_falls() {
        let recipe = Recipe::preset("quick").unwrap();
        let rate = |step| recipe.learning_rate_at(step, 1000) / recipe.learning_rate;
        assert!((rate(0) - 0.04).abs() < 1e-12 && (rate(299) - 1.0).abs() < 1e-12);
        assert!((rate(999) - 4e-6).abs() < 1e-12);
        assert!((0..299).all(|i| rate(i) < rate(i + 1)));
        assert!((299..999).all(|i| rate(i) > rate(i + 1)));
    }
}
