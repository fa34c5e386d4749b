//! `xbench-plugin.toml`, the manifest beside a plugin library.
//!
//! It says what a library holds before any of the library's code is mapped; discovery compares it
//! with the library field by field.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "xbench-plugin.toml";
/// The contract's major version that this host speaks.
pub const ABI_MAJOR: u32 = 1;
/// Largest manifest that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Maps inputs to outputs.
    Model,
    /// Attributes a model's output to its input.
    Explainer,
}

impl Kind {
    /// The word used in manifests, suites and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Explainer => "explainer",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A parsed and checked manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Major version of the contract the library was built for.
    pub abi: u32,
    /// The library's name without the platform's prefix and suffix.
    pub library: String,
    /// What the library holds.
    #[serde(rename = "plugin", default)]
    pub plugins: Vec<ManifestPlugin>,
}

/// One `[[plugin]]` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestPlugin {
    /// Reverse DNS id.
    pub id: String,
    /// Semantic version.
    pub version: String,
    /// What it is.
    pub kind: Kind,
    /// Ids of the capabilities it provides.
    pub provides: Vec<String>,
    /// Explainers: ids of the capabilities it needs of a model; `a|b` is either.
    #[serde(default)]
    pub requires_model: Vec<String>,
    /// Explainers: is it a control, a reference row instead of a method?
    #[serde(default)]
    pub control: bool,
    /// Models that can be fitted: names of their training presets.
    #[serde(default)]
    pub presets: Vec<String>,
}

impl Manifest {
    /// Reads and checks the manifest at `path`.
    ///
    /// # Errors
    ///
    /// A sentence that names the field and the remedy.
    pub fn read(path: &Path) -> Result<Self, String> {
        let unreadable = |error| format!("cannot read it: {error}");
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_BYTES {
            return Err(format!(
                "it has {size} bytes; a manifest has at most {MAX_BYTES}"
            ));
        }
        Self::parse(&std::fs::read_to_string(path).map_err(unreadable)?)
    }

    /// Parses and checks a manifest's text.
    ///
    /// # Errors
    ///
    /// As [`Manifest::read`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|e| e.to_string().trim().to_owned())?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The library's file name on this platform.
    #[must_use]
    pub fn library_file(&self) -> String {
        use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
        format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.library)
    }

    fn check(&self) -> Result<(), String> {
        if self.abi != ABI_MAJOR {
            return Err(format!(
                "abi = {}, but this program speaks abi {ABI_MAJOR}: build the plugin for it",
                self.abi
            ));
        }
        // A name, never a path: the library lies beside its manifest.
        if !is_word(&self.library) {
            return Err(format!(
                "library = {:?} is not a name of letters, digits, `_` and `-`",
                self.library
            ));
        }
        if self.plugins.is_empty() {
            return Err("it lists no [[plugin]]".to_owned());
        }
        for (index, plugin) in self.plugins.iter().enumerate() {
            plugin
                .check()
                .map_err(|error| format!("plugin {}: {error}", plugin.id))?;
            if self.plugins[..index]
                .iter()
                .any(|earlier| earlier.id == plugin.id)
            {
                return Err(format!("plugin {} is listed twice", plugin.id));
            }
        }
        Ok(())
    }
}

impl ManifestPlugin {
    fn check(&self) -> Result<(), String> {
        check_id(&self.id)?;
        if let Err(error) = semver::Version::parse(&self.version) {
            return Err(format!(
                "version {:?} is not a semantic version: {error}",
                self.version
            ));
        }
        let alternatives = self
            .requires_model
            .iter()
            .flat_map(|either| either.split('|'));
        for capability in self.provides.iter().map(String::as_str).chain(alternatives) {
            check_capability(capability)?;
        }
        let needed = match self.kind {
            Kind::Model => "xbench.model.predict/1",
            Kind::Explainer => "xbench.explainer.explain/1",
        };
        if !self.provides.iter().any(|capability| capability == needed) {
            return Err(format!(
                "every {} provides {needed}; `provides` lacks it",
                self.kind
            ));
        }
        if self.kind == Kind::Model && (self.control || !self.requires_model.is_empty()) {
            return Err("`control` and `requires_model` are for explainers".to_owned());
        }
        let fits = self
            .provides
            .iter()
            .any(|capability| capability == "xbench.model.fit/1");
        if !self.presets.is_empty() && !fits {
            return Err("`presets` needs xbench.model.fit/1 among `provides`".to_owned());
        }
        if let Some(preset) = self.presets.iter().find(|preset| !is_word(preset)) {
            return Err(format!(
                "preset {preset:?} is not a word of letters, digits, `_` and `-`"
            ));
        }
        Ok(())
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Is `id` a reverse DNS id: lower-case words of letters, digits and `-`, joined by dots?
pub(crate) fn check_id(id: &str) -> Result<(), String> {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if id.split('.').count() >= 2 && id.split('.').all(word) {
        return Ok(());
    }
    Err(format!(
        "the id {id:?} is not reverse DNS in lower case, such as org.example.gradcam"
    ))
}

fn check_capability(capability: &str) -> Result<(), String> {
    let revision = capability
        .rsplit_once('/')
        .map(|(_, revision)| revision.parse::<u32>());
    if matches!(revision, Some(Ok(_))) && capability.is_ascii() && !capability.contains(' ') {
        return Ok(());
    }
    Err(format!(
        "{capability:?} is not a capability id with a revision, such as xbench.model.vjp/1"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        abi = 1
        library = "xbench_models_neural"
        [[plugin]]
        id = "org.xbench.cnn-gap"
        version = "0.1.0"
        kind = "model"
        provides = ["xbench.model.predict/1", "xbench.model.fit/1"]
        presets = ["published", "best"]
        [[plugin]]
        id = "org.xbench.gradcam"
        version = "0.1.0"
        kind = "explainer"
        provides = ["xbench.explainer.explain/1"]
        requires_model = ["xbench.model.vjp/1|xbench.model.linear/1"]
    "#;

    #[test]
    fn a_good_manifest_is_read() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!(manifest.plugins[0].presets, ["published", "best"]);
        assert_eq!(manifest.plugins[1].kind, Kind::Explainer);
        assert!(!manifest.plugins[1].control);
        #[cfg(target_os = "linux")]
        assert_eq!(manifest.library_file(), "libxbench_models_neural.so");
    }

    #[test]
    fn each_wrong_field_is_named() {
        for (from, to, expected) in [
            ("abi = 1", "abi = 2", "speaks abi 1"),
            ("xbench_models_neural", "../evil", "is not a name"),
            ("xbench_models_neural", "", "is not a name"),
            ("org.xbench.cnn-gap", "cnn-gap", "not reverse DNS"),
            ("org.xbench.cnn-gap", "org.xbench.Cnn", "not reverse DNS"),
            ("org.xbench.cnn-gap", "org.xbench.gradcam", "listed twice"),
            ("0.1.0", "1", "not a semantic version"),
            ("\"model\"", "\"modle\"", "modle"),
            (
                "xbench.model.predict/1",
                "xbench.model.predict",
                "not a capability id",
            ),
            (
                "xbench.model.predict/1",
                "xbench.model.vjp/1",
                "every model provides",
            ),
            (
                "xbench.model.fit/1",
                "xbench.model.vjp/1",
                "`presets` needs",
            ),
            ("\"best\"", "\"../best\"", "is not a word"),
            ("presets", "prests", "prests"),
            (
                "presets = [",
                "control = true\npresets = [",
                "are for explainers",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let error = Manifest::parse(&text).unwrap_err();
            assert!(error.contains(expected), "{from} -> {to}: {error}");
        }
        assert!(
            Manifest::parse("abi = 1\nlibrary = \"x\"")
                .unwrap_err()
                .contains("no [[plugin]]")
        );
    }
}
