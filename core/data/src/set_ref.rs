//! A set as users write it: `busi`, `busi{size: 96, division: study}`, `sets/birds.toml`.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::error::{DataError, Result};

/// A data set by name with options, or by the path of a description (ends in `.toml`).
///
/// Which options a set has is checked when it is looked up, not here. The text in braces
/// is a YAML flow mapping, as for plugins in suites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRef {
    /// Name of a known set, or path of a description.
    pub name: String,
    /// Options as written.
    pub options: Map<String, Value>,
}

impl SetRef {
    /// The set of this name with its default options; the text is not parsed.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            options: Map::new(),
        }
    }

    /// Whether it names a description in a file, not a known set.
    pub fn is_path(&self) -> bool {
        self.name.ends_with(".toml")
    }
}

/// What does not parse becomes a name as it stands, which no set has: [`crate::load`]
/// then tells why. Use [`str::parse`] to know at once.
impl From<&str> for SetRef {
    fn from(text: &str) -> Self {
        text.parse().unwrap_or_else(|_| Self::named(text))
    }
}

impl FromStr for SetRef {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |reason: String| DataError::Reference {
            text: text.to_owned(),
            reason,
        };
        let trimmed = text.trim();
        let (name, braces) = match trimmed.find('{') {
            Some(open) => (trimmed[..open].trim_end(), &trimmed[open..]),
            None => (trimmed, ""),
        };
        if name.is_empty() {
            return Err(refuse("the name is missing".to_owned()));
        }
        if name.contains(['}', '\n', '\0']) {
            return Err(refuse("a brace is not opened".to_owned()));
        }
        let options = if braces.is_empty() {
            Map::new()
        } else {
            if !braces.ends_with('}') {
                return Err(refuse("the brace is not closed at the end".to_owned()));
            }
            serde_saphyr::from_str(braces).map_err(|error| {
                let error = error.to_string();
                let first = error.lines().next().unwrap_or_default();
                refuse(format!("the options cannot be read: {first}"))
            })?
        };
        Ok(Self {
            name: name.to_owned(),
            options,
        })
    }
}

/// The canonical form: options in alphabetical order, values as JSON. Parses to the same.
impl fmt::Display for SetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.options.is_empty() {
            return Ok(());
        }
        let mut options: Vec<_> = self.options.iter().collect();
        options.sort_by_key(|(key, _)| *key);
        f.write_str("{")?;
        for (i, (key, value)) in options.into_iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match value {
                Value::String(text) if is_word(text) => write!(f, "{comma}{key}: {text}")?,
                value => write!(f, "{comma}{key}: {value}")?,
            }
        }
        f.write_str("}")
    }
}

/// Whether YAML reads the text as this string without quotes.
fn is_word(text: &str) -> bool {
    const NOT_STRINGS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && !NOT_STRINGS.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_forms_are_read_and_shown_canonically() {
        let cases = [
            ("busi", "busi"),
            (
                " busi { size: 96 ,division: study} ",
                "busi{division: study, size: 96}",
            ),
            ("x{classes: [a, 'B b']}", "x{classes: [\"a\",\"B b\"]}"),
            ("x{division: 'true'}", "x{division: \"true\"}"),
            (
                "sets/my-birds.toml{size: 32}",
                "sets/my-birds.toml{size: 32}",
            ),
        ];
        for (text, canonical) in cases {
            let set: SetRef = text.parse().unwrap();
            assert_eq!(set.to_string(), canonical);
            assert_eq!(canonical.parse::<SetRef>().unwrap(), set);
            assert_eq!(SetRef::from(text), set);
        }
        let set: SetRef = "busi{size: 96, division: study}".parse().unwrap();
        assert_eq!(set.options["size"], 96);
        assert_eq!(set.options["division"], "study");
        assert!(!set.is_path() && SetRef::from("a/b.toml").is_path());
    }

    #[test]
    fn what_is_no_reference_says_why() {
        for (text, needle) in [
            ("", "name is missing"),
            ("{size: 3}", "name is missing"),
            ("busi{size: 3", "not closed"),
            ("busi}", "not opened"),
            ("busi{size: 3, size: 4}", "cannot be read"),
            ("busi{[}", "cannot be read"),
        ] {
            let error = text.parse::<SetRef>().unwrap_err().to_string();
            assert!(
                error.contains(needle) && error.contains("remedy: "),
                "{error}"
            );
            let unknown = crate::info(&SetRef::from(text), &crate::Locate::offline());
            assert!(unknown.is_err());
        }
    }
}
