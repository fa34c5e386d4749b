//! Options of a training.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xbench_plugin::{Error, Result};
use xbench_svm::{Calibration, Gamma, SvmSettings};

use crate::scaling::Scaling;

/// What decides a training. The study's values are the defaults of both presets, the scaling
/// aside: C 10, γ 1 / features, probabilities as libsvm makes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// How features are scaled first.
    pub scaling: Scaling,
    /// Penalty of a row on the wrong side of its margin, above 0.
    pub c: f64,
    /// Width of the kernel: "auto" (1 / features), "scale" (1 / (features · variance)), or a
    /// number above 0.
    pub gamma: GammaSetting,
    /// The largest violation of the optimality conditions that is accepted, at least 1e-9.
    pub tolerance: f64,
    /// Where the decision values come from that probabilities are fitted to: held-out rows of
    /// all folds ("cross_validation", as libsvm) or of the first fold ("one_split", quicker).
    pub probabilities: Probabilities,
    /// Number of folds, at least 2.
    pub folds: usize,
    /// Rows to train on, drawn by the seed; 0: all.
    pub training_rows: usize,
    /// Training rows held out to measure the accuracy on, drawn by the seed; 0: none, or the data
    /// set's own validation split where it has one.
    pub held_out_rows: usize,
    /// Memory for kernel rows, in MiB. It changes the time, but no bit of the result.
    pub cache_mib: usize,
    /// Draws folds and rows.
    pub seed: u64,
}

/// γ by name or value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GammaSetting {
    /// By name.
    Rule(GammaRule),
    /// The number itself.
    Value(f64),
}

/// γ by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GammaRule {
    /// 1 / features.
    Auto,
    /// 1 / (features · variance of all values).
    Scale,
}

/// Where the decision values come from that probabilities are fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probabilities {
    /// Held-out rows of all folds.
    CrossValidation,
    /// Held-out rows of the first fold.
    OneSplit,
}

/// A recipe by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// The study's, as far as it says: pixels in 0 to 1 less their mean.
    Published,
    /// With the scaling that reaches the study's figures.
    Best,
}

impl Preset {
    /// As it is written in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Best => "best",
        }
    }

    /// Its recipe.
    #[must_use]
    pub fn recipe(self) -> Recipe {
        Recipe {
            scaling: match self {
                Self::Published => Scaling::Centred,
                Self::Best => Scaling::Global,
            },
            c: 10.0,
            gamma: GammaSetting::Rule(GammaRule::Auto),
            tolerance: 1e-3,
            probabilities: Probabilities::CrossValidation,
            folds: 5,
            training_rows: 0,
            held_out_rows: 0,
            cache_mib: 512,
            seed: 0,
        }
    }
}

impl Recipe {
    /// For the machine itself.
    #[must_use]
    pub fn svm(&self) -> SvmSettings {
        SvmSettings {
            c: self.c,
            gamma: match self.gamma {
                GammaSetting::Rule(GammaRule::Auto) => Gamma::Auto,
                GammaSetting::Rule(GammaRule::Scale) => Gamma::Scale,
                GammaSetting::Value(value) => Gamma::Value(value),
            },
            tolerance: self.tolerance,
            calibration: match self.probabilities {
                Probabilities::CrossValidation => {
                    Calibration::CrossValidation { folds: self.folds }
                }
                Probabilities::OneSplit => Calibration::OneSplit { folds: self.folds },
            },
            cache_bytes: self.cache_mib.saturating_mul(1 << 20),
            seed: self.seed,
        }
    }
}

/// Reads settings: a JSON object with a `preset`, whose other fields replace the preset's.
///
/// # Errors
/// `InvalidArgument` for an unknown preset or option, or a value of the wrong type; it lists the
/// options there are with their defaults.
pub fn parse(settings: &str) -> Result<(Preset, Recipe)> {
    let refuse = |why: String| Error::invalid_argument(format!("training settings: {why}"));
    let mut given: Map<String, Value> =
        serde_json::from_str(settings).map_err(|e| refuse(e.to_string()))?;
    let name = given.remove("preset");
    let preset = match name.as_ref().map(Value::as_str) {
        Some(Some("published")) => Preset::Published,
        Some(Some("best")) | None => Preset::Best,
        _ => {
            let name = name.unwrap_or_default();
            return Err(refuse(format!(
                "preset {name}: there are \"published\" and \"best\""
            )));
        }
    };
    let defaults = serde_json::to_value(preset.recipe());
    let Ok(Value::Object(defaults)) = defaults else {
        return Err(Error::internal("a recipe is not an object"));
    };
    let mut fields = defaults.clone();
    fields.extend(given);
    let recipe = serde_json::from_value(Value::Object(fields)).map_err(|e| {
        let options: Vec<String> = defaults
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let scalings: Vec<String> = Scaling::ALL
            .iter()
            .filter_map(|scaling| serde_json::to_string(scaling).ok())
            .collect();
        refuse(format!(
            "{e}; the options of preset \"{}\" are {}; scalings are {}",
            preset.name(),
            options.join(", "),
            scalings.join(", ")
        ))
    })?;
    Ok((preset, recipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_replace_the_presets_fields() {
        let text = r#"{"preset": "published", "seed": 7, "gamma": "scale", "scaling": "row"}"#;
        let (preset, recipe) = parse(text).unwrap();
        assert_eq!((preset, recipe.seed), (Preset::Published, 7));
        assert_eq!(recipe.scaling, Scaling::Row);
        assert_eq!(recipe.svm().gamma, Gamma::Scale);
        let (_, recipe) = parse(r#"{"preset": "best", "gamma": 0.5}"#).unwrap();
        assert_eq!(recipe.svm().gamma, Gamma::Value(0.5));
        assert_eq!(recipe.svm().calibration, Calibration::LIBSVM);
    }

    #[test]
    fn unknown_settings_are_refused_with_those_there_are() {
        for settings in [
            "",
            "[]",
            r#"{"preset": "worst"}"#,
            r#"{"preset": 3}"#,
            r#"{"preset": "best", "cost": 2}"#,
            r#"{"preset": "best", "scaling": "none_at_all"}"#,
            r#"{"preset": "best", "gamma": "wide"}"#,
            r#"{"preset": "best", "folds": -2}"#,
        ] {
            assert!(parse(settings).is_err(), "{settings}");
        }
        let why = parse(r#"{"preset": "best", "cost": 2}"#).unwrap_err();
        for part in ["cost", "c = 10.0", "unit_norm"] {
            assert!(why.message().contains(part), "{}", why.message());
        }
    }
}
