//! A suite against the plugins there are.

use serde_json::Value;
use xbench_metrics::{Direction, Family, ScoreInfo};

use crate::error::{Location, SuiteError, SuiteErrors};
use crate::plan::Plan;
use crate::plugin_use::PluginUse;
use crate::suite::{Scores, Suite};

/// A kind of plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A model.
    Model,
    /// An explainer or control.
    Explainer,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Explainer => "explainer",
        }
    }
}

/// What a suite must know of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Full id, such as `org.xbench.gradcam`.
    pub id: String,
    /// Last segment of the id.
    pub short: String,
    /// Version.
    pub version: String,
    /// Capabilities a model provides.
    pub provides: Vec<String>,
    /// Capabilities an explainer requires of the model; `a|b` for either.
    pub requires_model: Vec<String>,
    /// Whether an explainer is a control.
    pub control: bool,
    /// Whether an explainer asks for the object's mask.
    pub wants_mask: bool,
    /// Whether an explainer asks for rows of the training split.
    pub wants_background: bool,
    /// Named recipes of a model, the preferred one last or called `best`.
    pub presets: Vec<String>,
}

/// The plugins there are.
pub trait Registry {
    /// All models.
    fn models(&self) -> Vec<Known>;

    /// All explainers and controls.
    fn explainers(&self) -> Vec<Known>;

    /// Holds parameters against the plugin's schema and fills in its defaults.
    ///
    /// # Errors
    /// What is wrong with them; further lines are help.
    fn check_params(&self, kind: Kind, id: &str, params: &Value) -> Result<Value, String>;
}

/// A plugin of a suite, found.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Label in tables.
    pub label: String,
    /// What is known of the plugin.
    pub plugin: Known,
    /// Its parameters, with defaults.
    pub params: Value,
    /// Recipe of a model: the one named, else `best`, else the plugin's first; `None` where the
    /// plugin has none or `weights` are given without one.
    pub preset: Option<String>,
    /// Weights file of a model, if named.
    pub weights: Option<std::path::PathBuf>,
    /// Training settings that differ from the preset's.
    pub train: serde_json::Map<String, Value>,
    /// Labels of the explainers that explain a model; all where none are named.
    pub explain: Option<Vec<String>>,
    /// Where the suite names it.
    pub at: Option<Location>,
}

/// A suite with all names resolved and its plan.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Models in the suite's order.
    pub models: Vec<Chosen>,
    /// Explainers in the suite's order, then controls; [`Known::control`] tells them apart.
    pub explainers: Vec<Chosen>,
    /// Scores to compute, in the catalogue's order.
    pub scores: Vec<&'static ScoreInfo>,
    /// Scores whose mean rank orders the leaderboard, in the suite's order; may be empty when
    /// no score of faithfulness is computed.
    pub ranking: Vec<&'static ScoreInfo>,
    /// Every model with every explainer.
    pub plan: Plan,
}

impl Checked {
    /// The scores that have a value per explanation: the columns of the leaderboard.
    pub fn explanation_scores(&self) -> impl Iterator<Item = &'static ScoreInfo> {
        self.scores
            .iter()
            .copied()
            .filter(|score| is_of_explanation(score))
    }

    /// The scores of one family.
    pub fn family(&self, family: Family) -> impl Iterator<Item = &'static ScoreInfo> {
        self.scores
            .iter()
            .copied()
            .filter(move |score| score.family == family)
    }
}

fn is_of_explanation(score: &ScoreInfo) -> bool {
    score.family.per_explanation()
}

/// Finds the plugin of one use and checks its parameters and preset.
///
/// # Errors
/// An unknown or ambiguous name, parameters the plugin refuses, a preset it does not have.
pub fn resolve(
    chosen: &PluginUse,
    kind: Kind,
    registry: &dyn Registry,
) -> Result<Chosen, SuiteError> {
    let known = match kind {
        Kind::Model => registry.models(),
        Kind::Explainer => registry.explainers(),
    };
    resolve_among(chosen, kind, &known, registry)
}

fn resolve_among(
    chosen: &PluginUse,
    kind: Kind,
    known: &[Known],
    registry: &dyn Registry,
) -> Result<Chosen, SuiteError> {
    let plugin = find(&chosen.plugin, kind, known).map_err(|error| error.at(chosen.at))?;
    let params = Value::Object(chosen.params.clone());
    let params = registry
        .check_params(kind, &plugin.id, &params)
        .map_err(|why| {
            let mut lines = why.lines().map(str::trim);
            let error = SuiteError::new(format!(
                "parameters of \"{}\": {}",
                chosen.plugin,
                lines.next().unwrap_or_default()
            ));
            lines.fold(error, SuiteError::help).at(chosen.at)
        })?;
    let preset = match &chosen.preset {
        Some(name) if !plugin.presets.contains(name) => {
            return Err(
                SuiteError::new(format!("\"{}\" has no preset \"{name}\"", chosen.plugin))
                    .among(
                        name,
                        plugin.presets.iter().map(String::as_str),
                        "its presets",
                    )
                    .at(chosen.at),
            );
        }
        Some(name) => Some(name.clone()),
        None if chosen.weights.is_some() => None,
        None => plugin
            .presets
            .iter()
            .find(|name| *name == "best")
            .or(plugin.presets.first())
            .cloned(),
    };
    Ok(Chosen {
        label: chosen.name.clone(),
        plugin: plugin.clone(),
        params,
        preset,
        weights: chosen.weights.clone(),
        train: chosen.train.clone(),
        explain: chosen.explain.clone(),
        at: chosen.at,
    })
}

fn find<'k>(name: &str, kind: Kind, known: &'k [Known]) -> Result<&'k Known, SuiteError> {
    if let Some(exact) = known.iter().find(|plugin| plugin.id == name) {
        return Ok(exact);
    }
    let short: Vec<&Known> = known.iter().filter(|plugin| plugin.short == name).collect();
    let word = kind.word();
    match short.as_slice() {
        [one] => Ok(one),
        [] => {
            let names = known.iter().map(|plugin| {
                if name.contains('.') {
                    plugin.id.as_str()
                } else {
                    plugin.short.as_str()
                }
            });
            Err(SuiteError::new(format!("unknown {word} \"{name}\""))
                .among(name, names, &format!("known {word}s"))
                .help("plugins are looked for in the folders that \"xbench plugin list\" shows"))
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|plugin| plugin.id.as_str()).collect();
            Err(
                SuiteError::new(format!("\"{name}\" is the short name of several {word}s"))
                    .help(format!("write one of the ids: {}", ids.join(", "))),
            )
        }
    }
}

impl Suite {
    /// Resolves all names, checks all parameters and makes the plan.
    ///
    /// # Errors
    /// All that is wrong, at once, in the order of the file.
    pub fn check(&self, registry: &dyn Registry) -> Result<Checked, SuiteErrors> {
        let mut errors = Vec::new();
        let (known_models, known_explainers) = (registry.models(), registry.explainers());
        let mut resolve_all = |uses: &[PluginUse], kind: Kind, known: &[Known]| -> Vec<Chosen> {
            uses.iter()
                .filter_map(|one| {
                    resolve_among(one, kind, known, registry)
                        .map_err(|error| errors.push(error))
                        .ok()
                })
                .collect()
        };
        let models = resolve_all(&self.models, Kind::Model, &known_models);
        let mut explainers = resolve_all(&self.explainers, Kind::Explainer, &known_explainers);
        let controls = resolve_all(&self.controls, Kind::Explainer, &known_explainers);
        errors.extend(
            controls
                .iter()
                .filter(|control| !control.plugin.control)
                .map(|control| {
                    SuiteError::new(format!("\"{}\" is not a control", control.plugin.short))
                        .help("list it under \"explainers\"")
                        .at(control.at)
                }),
        );
        for reproduced in &self.reproduction {
            let presets = models
                .iter()
                .find(|model| model.label == reproduced.model)
                .map(|model| &model.plugin.presets);
            if let (Some(preset), Some(presets)) = (&reproduced.preset, presets)
                && !presets.contains(preset)
            {
                errors.push(
                    SuiteError::new(format!(
                        "\"{}\" has no preset \"{preset}\"",
                        reproduced.model
                    ))
                    .among(preset, presets.iter().map(String::as_str), "its presets")
                    .at(Some(reproduced.at)),
                );
            }
        }
        explainers.extend(controls);
        for model in &models {
            let known = || explainers.iter().map(|one| one.label.as_str());
            for label in model.explain.iter().flatten() {
                if known().all(|one| one != label) {
                    errors.push(
                        SuiteError::new(format!("\"{label}\" is not an explainer of this suite"))
                            .among(label, known(), "its explainers")
                            .at(model.at),
                    );
                }
            }
        }
        let scores = self.chosen_scores();
        let ranking = self.chosen_ranking(&scores, &mut errors);
        if !errors.is_empty() {
            errors.sort_by_key(|error| error.at);
            return Err(SuiteErrors(
                errors
                    .into_iter()
                    .map(|error| error.in_file(&self.file))
                    .collect(),
            ));
        }
        let provides: Vec<&[String]> = models
            .iter()
            .map(|model| model.plugin.provides.as_slice())
            .collect();
        let requires: Vec<&[String]> = explainers
            .iter()
            .map(|explainer| explainer.plugin.requires_model.as_slice())
            .collect();
        let wanted = |model: usize, explainer: usize| {
            let labels = models[model].explain.as_ref();
            labels.is_none_or(|labels| labels.contains(&explainers[explainer].label))
        };
        let plan = Plan::new(&provides, &requires, wanted);
        Ok(Checked {
            models,
            explainers,
            scores,
            ranking,
            plan,
        })
    }

    fn chosen_scores(&self) -> Vec<&'static ScoreInfo> {
        let wanted = |score: &&ScoreInfo| match &self.scores {
            Scores::Standard => score.standard,
            Scores::All => true,
            Scores::Only(names) => names.iter().any(|name| name.id == score.id),
        };
        xbench_metrics::catalogue().iter().filter(wanted).collect()
    }

    fn chosen_ranking(
        &self,
        scores: &[&'static ScoreInfo],
        errors: &mut Vec<SuiteError>,
    ) -> Vec<&'static ScoreInfo> {
        let Some(names) = &self.ranking else {
            let default = |score: &&ScoreInfo| {
                score.family == Family::Faithfulness && score.direction != Direction::None
            };
            return scores.iter().copied().filter(default).collect();
        };
        let mut ranking = Vec::with_capacity(names.len());
        for name in names {
            let refused = match scores.iter().find(|score| score.id == name.id) {
                None => "is not among the suite's scores",
                Some(score) if !is_of_explanation(score) => "is not a score of an explanation",
                Some(score) if score.direction == Direction::None => "has no better and worse",
                Some(score) => {
                    ranking.push(*score);
                    continue;
                }
            };
            let can = scores
                .iter()
                .filter(|score| is_of_explanation(score) && score.direction != Direction::None)
                .map(|score| score.id);
            errors.push(
                SuiteError::new(format!("\"{}\" cannot rank: it {refused}", name.id))
                    .among(&name.id, can, "scores that can")
                    .at(Some(name.at)),
            );
        }
        ranking
    }
}
