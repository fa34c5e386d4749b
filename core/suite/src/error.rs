//! What is wrong, where, and what to do about it.

use std::fmt;

/// A place in a suite file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One thing wrong with a suite, a plugin's name or its parameters.
///
/// Displayed as `suites/fashion.yaml:14:5: unknown explainer "gradcm"`, followed by the lines of
/// help, indented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteError {
    /// The suite's file as the user named it; empty for text from the command line.
    pub file: String,
    /// Where in the file.
    pub at: Option<Location>,
    /// What is wrong.
    pub message: String,
    /// What to do: a suggestion, the values that are allowed.
    pub help: Vec<String>,
}

impl SuiteError {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            file: String::new(),
            at: None,
            message: message.into(),
            help: Vec::new(),
        }
    }

    pub(crate) fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    /// Adds the nearest of `known` if one is near.
    pub(crate) fn near<'a>(
        mut self,
        wrong: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        if let Some(near) = nearest(wrong, &known) {
            self.help.push(format!("did you mean \"{near}\"?"));
        }
        self
    }

    /// Adds the nearest of `known` if one is near, and then all of them.
    pub(crate) fn among<'a>(
        self,
        wrong: &str,
        known: impl IntoIterator<Item = &'a str>,
        what: &str,
    ) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let mut this = self.near(wrong, known.iter().copied());
        let list = if known.is_empty() {
            "none".to_owned()
        } else {
            by_nearness(wrong, &known).join(", ")
        };
        this.help.push(format!("{what}: {list}"));
        this
    }

    /// Says where, unless that is known already.
    #[must_use]
    pub fn at(mut self, at: Option<Location>) -> Self {
        self.at = self.at.or(at);
        self
    }

    pub(crate) fn in_file(mut self, file: &str) -> Self {
        file.clone_into(&mut self.file);
        self
    }
}

impl fmt::Display for SuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
        }
        if let Some(at) = self.at {
            write!(f, "{}:{}:", at.line, at.column)?;
        }
        if !self.file.is_empty() || self.at.is_some() {
            f.write_str(" ")?;
        }
        f.write_str(&self.message)?;
        self.help
            .iter()
            .try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for SuiteError {}

/// Everything wrong that could be found at once, in the order of the file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteErrors(pub Vec<SuiteError>);

impl fmt::Display for SuiteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for SuiteErrors {}

impl From<SuiteError> for SuiteErrors {
    fn from(error: SuiteError) -> Self {
        Self(vec![error])
    }
}

fn distance(a: &str, b: &str) -> usize {
    strsim::damerau_levenshtein(&a.to_lowercase(), &b.to_lowercase())
}

fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = (wrong.chars().count() / 3).max(1);
    let near = known.iter().min_by_key(|name| distance(wrong, name))?;
    (distance(wrong, near) <= close).then_some(near)
}

/// `known`, the names that begin like `wrong` or differ little first, otherwise in their order.
fn by_nearness<'a>(wrong: &str, known: &[&'a str]) -> Vec<&'a str> {
    let mut sorted = known.to_vec();
    if let Some(near) = nearest(wrong, known) {
        sorted.sort_by_key(|name| *name != near);
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_display_names_the_place_and_the_remedy() {
        let error = SuiteError::new("unknown explainer \"gradcm\"")
            .among("gradcm", ["cam", "gradcam"], "known explainers")
            .at(Some(Location {
                line: 14,
                column: 5,
            }))
            .in_file("suites/fashion.yaml");
        assert_eq!(
            error.to_string(),
            "suites/fashion.yaml:14:5: unknown explainer \"gradcm\"\n  \
             did you mean \"gradcam\"?\n  known explainers: gradcam, cam"
        );
    }

    #[test]
    fn far_names_are_not_suggested() {
        assert_eq!(nearest("xyzzy", &["cam", "ig"]), None);
        assert_eq!(nearest("IG", &["cam", "ig"]), Some("ig"));
        assert_eq!(nearest("x", &[]), None);
    }
}
