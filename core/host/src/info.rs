//! What is known of a plugin once it is in the catalogue.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manifest::Kind;
use crate::schema::{self, ParamsError};

/// What a plugin says of itself beyond what it can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginFlags {
    /// Its result depends on the seeds.
    pub stochastic: bool,
    /// Explainers: it needs the object mask (a control, not a method).
    pub wants_mask: bool,
    /// Explainers: it needs background rows, a sample of the training split.
    pub wants_background: bool,
    /// Explainers: a reference row of the leaderboard, not a method.
    pub control: bool,
    /// Its objects may be used off the thread that made them.
    pub any_thread: bool,
    /// Calls on one object may overlap.
    pub concurrent: bool,
}

/// A plugin that can be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// Reverse DNS id.
    pub id: String,
    /// Last segment of the id.
    pub short: String,
    /// Name for people.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// SPDX expression.
    pub license: String,
    /// The paper: authors, title, year.
    pub citation: String,
    /// One sentence.
    pub summary: String,
    /// What it is.
    pub kind: Kind,
    /// What else it says of itself.
    pub flags: PluginFlags,
    /// Rows a call may have; 0 for no limit.
    pub max_batch: u32,
    /// Ids of the capabilities it provides, sorted.
    pub provides: Vec<String>,
    /// Explainers: ids of the capabilities it needs of a model, sorted; `a|b` is either.
    pub requires_model: Vec<String>,
    /// Models: training presets, in the manifest's order.
    pub presets: Vec<String>,
    /// JSON Schema of its parameters.
    pub params_schema: Value,
    /// The library's file.
    pub library: PathBuf,
    /// SHA-256 of the library's file, in lower-case hexadecimal.
    pub library_sha256: String,
    /// The folder with manifest, library and weights.
    pub folder: PathBuf,
}

impl PluginInfo {
    /// Does it provide the capability?
    #[must_use]
    pub fn provides(&self, capability: &str) -> bool {
        self.provides.iter().any(|id| id == capability)
    }

    /// Checks `params` against the plugin's schema; returns them in canonical form with the
    /// defaults filled in. `null` stands for no parameters.
    ///
    /// # Errors
    ///
    /// [`ParamsError`] with the parameter's path, what is wrong, and what was probably meant.
    pub fn check_params(&self, params: &Value) -> Result<Value, ParamsError> {
        schema::check(&self.params_schema, params)
    }

    /// The capabilities this explainer needs and `model` lacks; empty when they fit together.
    /// Where either of two would do, both are named: `a|b`.
    #[must_use]
    pub fn missing_from(&self, model: &PluginInfo) -> Vec<String> {
        self.requires_model
            .iter()
            .filter(|either| {
                !either
                    .split('|')
                    .any(|capability| model.provides(capability))
            })
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_lacks_is_named() {
        let plugin = |kind, provides: &[&str], requires_model: &[&str]| {
            let words = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
            PluginInfo {
                id: "org.x.y".to_owned(),
                short: "y".to_owned(),
                name: String::new(),
                version: "0.1.0".to_owned(),
                license: String::new(),
                citation: String::new(),
                summary: String::new(),
                kind,
                flags: PluginFlags::default(),
                max_batch: 0,
                provides: words(provides),
                requires_model: words(requires_model),
                presets: Vec::new(),
                params_schema: Value::Null,
                library: PathBuf::new(),
                library_sha256: String::new(),
                folder: PathBuf::new(),
            }
        };
        let (vjp, linear, predict) = (
            "xbench.model.vjp/1",
            "xbench.model.linear/1",
            "xbench.model.predict/1",
        );
        let either = format!("{linear}|{predict}");
        let explainer = plugin(
            Kind::Explainer,
            &["xbench.explainer.explain/1"],
            &[vjp, &either],
        );
        assert_eq!(
            explainer.missing_from(&plugin(Kind::Model, &[predict], &[])),
            [vjp]
        );
        assert_eq!(
            explainer.missing_from(&plugin(Kind::Model, &[vjp], &[])),
            [either]
        );
        assert!(
            explainer
                .missing_from(&plugin(Kind::Model, &[vjp, linear], &[]))
                .is_empty()
        );
    }
}
