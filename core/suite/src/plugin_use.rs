//! A plugin with its parameters as users write it: `gradcam`, `ig{steps: 50, baseline: 0}`.
//!
//! The same form serves suites and the command line. The braces hold a YAML flow mapping.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::error::{Location, SuiteError};
use crate::node;
use crate::read::read;

/// One use of a plugin: which, under what label, with what parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginUse {
    /// Short name or full id, as written.
    pub plugin: String,
    /// Label in tables and file names; without one given, the last segment of `plugin`.
    pub name: String,
    /// Parameters that differ from the plugin's defaults.
    pub params: Map<String, Value>,
    /// Named recipe of a model, such as `best` or `published`.
    pub preset: Option<String>,
    /// Weights file of a model, instead of the preset's.
    pub weights: Option<PathBuf>,
    /// Training settings of a model that differ from its preset's.
    pub train: Map<String, Value>,
    /// Labels of the explainers that explain a model; all of the suite's where none are named.
    pub explain: Option<Vec<String>>,
    /// Place in the suite; none on the command line.
    pub at: Option<Location>,
}

impl PluginUse {
    /// `plugin` with its defaults, labelled by its short name.
    #[must_use]
    pub fn named(plugin: &str) -> Self {
        Self {
            plugin: plugin.to_owned(),
            name: plugin.rsplit('.').next().unwrap_or(plugin).to_owned(),
            params: Map::new(),
            preset: None,
            weights: None,
            train: Map::new(),
            explain: None,
            at: None,
        }
    }
}

/// Plugin and parameters in the form that [`parse_plugin_use`] reads; the rest is not shown.
impl fmt::Display for PluginUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plugin)?;
        if self.params.is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (i, (key, value)) in self.params.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{}: {}", flow_key(key), Flow(value))?;
        }
        f.write_str("}")
    }
}

fn flow_key(key: &str) -> String {
    let word = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !matches!(key, "null" | "true" | "false");
    if word {
        key.to_owned()
    } else {
        Flow(&Value::from(key)).to_string()
    }
}

/// JSON that is YAML too: everything outside printable ASCII is escaped.
struct Flow<'v>(&'v Value);

impl fmt::Display for Flow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => {
                f.write_str("\"")?;
                for c in text.chars() {
                    match c {
                        '"' | '\\' => write!(f, "\\{c}")?,
                        ' '..='~' => write!(f, "{c}")?,
                        c => write!(f, "\\U{:08x}", u32::from(c))?,
                    }
                }
                f.write_str("\"")
            }
            Value::Array(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if i > 0 { ", " } else { "" }, Flow(item))?;
                }
                f.write_str("]")
            }
            Value::Object(map) => {
                f.write_str("{")?;
                for (i, (key, value)) in map.iter().enumerate() {
                    write!(
                        f,
                        "{}{}: {}",
                        if i > 0 { ", " } else { "" },
                        flow_key(key),
                        Flow(value)
                    )?;
                }
                f.write_str("}")
            }
            plain => write!(f, "{plain}"),
        }
    }
}

/// Parses `name` or `name{key: value, ...}`. A name that ends in `.onnx` is the path of a model's
/// file and stands for the plugin `onnx` with these weights.
///
/// # Errors
/// A name with other characters than letters, digits, `.`, `-` and `_`, braces that do not
/// match, or parameters that are not a YAML mapping.
pub fn parse_plugin_use(text: &str) -> Result<PluginUse, SuiteError> {
    let text = text.trim();
    let (name, braces) = match text.find('{') {
        Some(open) => (text[..open].trim_end(), &text[open..]),
        None => (text, ""),
    };
    let onnx = name.ends_with(".onnx");
    if !onnx && !is_plugin_name(name) {
        let what = if name.is_empty() {
            "a plugin's name is missing".to_owned()
        } else {
            format!("\"{name}\" is not a plugin's name")
        };
        return Err(SuiteError::new(what)
            .help("write it like gradcam, org.example.gradcam or 'ig{steps: 50}'"));
    }
    let mut parsed = if onnx {
        onnx_file(name)
    } else {
        PluginUse::named(name)
    };
    if !braces.is_empty() {
        if matching_brace(braces) != Some(braces.len() - 1) {
            return Err(
                SuiteError::new(format!("the braces of \"{text}\" do not match"))
                    .help("write parameters like 'ig{steps: 50, baseline: 0}'"),
            );
        }
        let inside = |error: SuiteError| SuiteError {
            message: format!("parameters of {name}: {}", error.message),
            at: None,
            ..error
        };
        let node = node::parse(braces).map_err(inside)?;
        parsed.params = read(&node).map_err(inside)?;
    }
    Ok(parsed)
}

/// The model that an ONNX file is: the plugin `onnx` with these weights, labelled by the file's name.
fn onnx_file(path: &str) -> PluginUse {
    let stem = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = stem.trim_end_matches(".onnx").to_lowercase();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let label: String = stem
        .chars()
        .map(|c| if plain(c) { c } else { '-' })
        .collect();
    let label = label.trim_start_matches(['.', '_', '-']);
    PluginUse {
        name: if label.is_empty() { "onnx" } else { label }.to_owned(),
        weights: Some(PathBuf::from(path)),
        ..PluginUse::named("onnx")
    }
}

/// Parses a list separated by commas, as in `gradcam,ig{steps: 5, baseline: 0},occlusion`.
///
/// # Errors
/// As [`parse_plugin_use`], for any of them; an empty list.
pub fn parse_plugin_uses(text: &str) -> Result<Vec<PluginUse>, SuiteError> {
    let mut uses = Vec::new();
    let mut rest = text;
    loop {
        let end = list_end(rest);
        uses.push(parse_plugin_use(&rest[..end])?);
        match rest.get(end + 1..) {
            Some(tail) => rest = tail,
            None => return Ok(uses),
        }
    }
}

pub(crate) fn is_plugin_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 200
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Depth of brackets outside quotes, byte by byte.
fn depths(text: &str) -> impl Iterator<Item = (usize, u8, usize)> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    text.bytes().enumerate().map(move |(i, byte)| {
        match (quote, byte) {
            (Some(b'"'), b'\\') if !escaped => {
                escaped = true;
                return (i, 0, depth);
            }
            (Some(open), close) if open == close && !escaped => quote = None,
            (Some(_), _) => {
                escaped = false;
                return (i, 0, depth);
            }
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{' | b'[') => depth += 1,
            (None, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        (i, byte, depth)
    })
}

fn matching_brace(text: &str) -> Option<usize> {
    depths(text)
        .find(|&(_, byte, depth)| byte == b'}' && depth == 0)
        .map(|(i, ..)| i)
}

fn list_end(text: &str) -> usize {
    depths(text)
        .find(|&(_, byte, depth)| byte == b',' && depth == 0)
        .map_or(text.len(), |(i, ..)| i)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_forms_users_write() {
        let parsed = parse_plugin_use("ig{steps: 50, baseline: 0}").unwrap();
        assert_eq!((parsed.plugin.as_str(), parsed.name.as_str()), ("ig", "ig"));
        assert_eq!(
            Value::Object(parsed.params),
            json!({"steps": 50, "baseline": 0})
        );
        let parsed = parse_plugin_use(" org.example.cam ").unwrap();
        assert_eq!(
            (parsed.plugin.as_str(), parsed.name.as_str()),
            ("org.example.cam", "cam")
        );
        assert!(parse_plugin_use("ig{}").unwrap().params.is_empty());
    }

    #[test]
    fn lists_respect_braces_and_quotes() {
        let list =
            parse_plugin_uses("gradcam, ig{steps: 5, baseline: 0},occlusion{fill: 'a,}'}").unwrap();
        let names: Vec<String> = list.iter().map(PluginUse::to_string).collect();
        assert_eq!(
            names,
            [
                "gradcam",
                "ig{baseline: 0, steps: 5}",
                "occlusion{fill: \"a,}\"}"
            ]
        );
    }

    #[test]
    fn what_is_not_a_use_is_refused() {
        for bad in [
            "",
            " ",
            "ig{",
            "ig{steps: 1}}",
            "ig{steps: 1} x",
            "ig{[}",
            "a b",
            "../x",
            "ig{1}2",
            "ig{{}}",
            "-x",
        ] {
            assert!(parse_plugin_use(bad).is_err(), "{bad}");
        }
        for bad in ["", "a,", ",a", "a,,b", "ig{a: 1,b"] {
            assert!(parse_plugin_uses(bad).is_err(), "{bad}");
        }
        let error = parse_plugin_use("ig{steps: [1}").unwrap_err().to_string();
        assert!(error.contains("ig"), "{error}");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("finite", |x| x.is_finite())
                .prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "(true|null|~|-|0x1|1e3|off|[a-z,{}: ']{0,6})".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn shown_uses_parse_back(
            names in prop::collection::vec("[a-z][a-z0-9-]{0,8}(\\.[a-z]{1,4})?", 1..4),
            params in prop::collection::vec(prop::collection::btree_map("[a-z_]{1,5}|\\PC{0,4}", values(), 0..4), 4),
        ) {
            let uses: Vec<PluginUse> = names.iter().zip(params).map(|(name, params)| PluginUse {
                params: params.into_iter().collect(),
                ..PluginUse::named(name)
            }).collect();
            let text: Vec<String> = uses.iter().map(PluginUse::to_string).collect();
            prop_assert_eq!(parse_plugin_uses(&text.join(",")).unwrap(), uses);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            drop(parse_plugin_uses(&text));
        }
    }
}
