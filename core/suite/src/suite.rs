//! A suite whose values are in range and whose names are unique.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use xbench_data::{Selection, SetRef};

use crate::challenge::{Randomisation, Robustness};
use crate::document::Document;
use crate::error::{Location, SuiteError, SuiteErrors};
use crate::node;
use crate::perturbation::Perturbation;
use crate::plugin_use::PluginUse;
use crate::read::read;
use crate::values::suite_of;

/// A suite as its file says it, with defaults filled in and every value checked that can be
/// checked without plugins. [`Suite::check`] does the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// The file as the user named it, for messages.
    pub file: String,
    /// Name: `[a-z0-9][a-z0-9-]*`.
    pub name: String,
    /// Version, from 1.
    pub version: u32,
    /// One line on what it is for; may be empty.
    pub summary: String,
    /// The data: images, or the rows of a table.
    pub data: Data,
    /// Rows for accuracy and its kin.
    pub accuracy: Accuracy,
    /// Seed of everything random.
    pub seed: u64,
    /// The class whose score is explained.
    pub target: Target,
    /// Models; never empty, labels unique.
    pub models: Vec<PluginUse>,
    /// Explainers; labels unique together with `controls`.
    pub explainers: Vec<PluginUse>,
    /// Controls.
    pub controls: Vec<PluginUse>,
    /// Scores to compute.
    pub scores: Scores,
    /// Scores whose mean rank orders the leaderboard; `None`: those of faithfulness.
    pub ranking: Option<Vec<ScoreName>>,
    /// Settings of scores that perturb the input or compare the highest pixels.
    pub perturbation: Perturbation,
    /// Settings of the scores that compare maps with maps.
    pub agreement: Agreement,
    /// Settings of scores of robustness.
    pub robustness: Robustness,
    /// Settings of scores of randomisation.
    pub randomisation: Randomisation,
    /// How explainers are timed; `None`: not at all.
    pub timing: Option<Timing>,
    /// Rows per unit of work, 1 to 4096.
    pub chunk: usize,
    /// Rows of the training split for explainers that ask for background rows, 1 to 10,000.
    pub background: usize,
    /// Time an explainer may take for one unit of work.
    pub deadline: Duration,
    /// Folders with plugins; relative ones are resolved against the suite's file.
    pub plugins: Vec<PathBuf>,
    /// Published figures to compare with.
    pub reproduction: Vec<Reproduction>,
    /// Models compared with other models.
    pub compare: Vec<Compare>,
    /// Further parts, run after this one: whole suites called `<suite>-<part>`, without parts.
    pub parts: Vec<Suite>,
}

/// The data of a suite: images, or the rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// The set.
    pub set: SetRef,
    /// Folder of its files, if named.
    pub root: Option<PathBuf>,
    /// Split.
    pub split: SplitName,
    /// Rows that are explained.
    pub select: Selection,
    /// Set to use, under its own name, where `set` cannot be had.
    pub otherwise: Option<SetRef>,
}

/// A split of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitName {
    /// The training rows.
    Train,
    /// The rows on which the best epoch is chosen.
    Validation,
    /// The test rows.
    Test,
    /// Photographs from outside the set.
    Photos,
}

impl fmt::Display for SplitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::Photos => "photos",
        })
    }
}

/// Rows on which accuracy and its kin are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accuracy {
    /// The whole split.
    All,
    /// The rows that are explained.
    Same,
}

/// The class whose score is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The class the model predicts.
    Predicted,
    /// The class of the label.
    Label,
    /// Always this one.
    Class(usize),
}

/// `predicted`, `label` or `class 3`, as in [`crate::CellIdentity::target`].
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Predicted => f.write_str("predicted"),
            Self::Label => f.write_str("label"),
            Self::Class(class) => write!(f, "class {class}"),
        }
    }
}

/// A score named in a suite. It is in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreName {
    /// Id in [`xbench_metrics::catalogue`].
    pub id: String,
    /// Where it is named.
    pub at: Location,
}

/// Which scores to compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scores {
    /// Those that the catalogue calls standard.
    Standard,
    /// All of the catalogue.
    All,
    /// These; a family's name stands for all of its scores.
    Only(Vec<ScoreName>),
}

/// Settings of the scores that compare maps with maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// Side of the grid segments of the measures of Krishna et al., in pixels; 1 for pixels.
    pub segment: usize,
}

/// How explainers are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Images per measurement.
    pub images: usize,
    /// Measurements.
    pub repeats: usize,
    /// Measurements thrown away before them.
    pub warmup: usize,
}

/// Models compared with other models, explanation by explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compare {
    /// Name.
    pub name: String,
    /// Labels of models of the suite; of several the mean per row counts.
    pub models: Vec<String>,
    /// Labels of the models they are compared with.
    pub against: Vec<String>,
    /// Labels of explainers or controls of the suite.
    pub explainers: Vec<String>,
    /// Ids of scores of explanations, in the catalogue.
    pub scores: Vec<String>,
}

/// A published figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Reproduction {
    /// Label of a model of the suite.
    pub model: String,
    /// Preset the figure is about; `None`: the one the suite uses for this model.
    pub preset: Option<String>,
    /// Id of a score: of a classifier, such as `accuracy`; of a class, such as `recall`; of an
    /// explanation.
    pub score: String,
    /// Name of the class it is about, if it is about one.
    pub class: Option<String>,
    /// Label of the explainer it is about, if it is about one.
    pub explainer: Option<String>,
    /// The published value.
    pub published: f64,
    /// How far from the published value still counts as reproduced.
    pub tolerance: f64,
    /// Where it was published.
    pub source: String,
    /// Where it stands in the suite.
    pub at: Location,
}

impl Suite {
    /// Reads a suite file.
    ///
    /// # Errors
    /// When it cannot be read, is not YAML, has unknown or missing keys, values of the wrong
    /// type or out of range, or names that occur twice.
    pub fn from_file(path: &Path) -> Result<Self, SuiteErrors> {
        let file = path.display().to_string();
        let unreadable = |why: String| {
            SuiteErrors::from(
                SuiteError::new(format!("the suite cannot be read: {why}"))
                    .help("name a YAML file, such as suites/quickstart.yaml")
                    .in_file(&file),
            )
        };
        // Not by the length in the file system: a device says 0 and never ends.
        let limit = node::MAX_BYTES as u64;
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
            .map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() as u64 > limit {
            return Err(unreadable(format!("it is longer than {limit} bytes")));
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| unreadable(format!("it is not UTF-8: {error}")))?;
        let mut suite = Self::from_str(&file, &text)?;
        suite.resolve_paths(path.parent().unwrap_or(Path::new("")));
        Ok(suite)
    }

    /// Reads a suite from text; `file` is its name in messages. Relative paths stay relative.
    ///
    /// # Errors
    /// As [`Suite::from_file`].
    pub fn from_str(file: &str, text: &str) -> Result<Self, SuiteErrors> {
        let document: Document = node::parse(text)
            .and_then(|node| read(&node))
            .map_err(|error| error.in_file(file))?;
        suite_of(document, file)
    }

    fn resolve_paths(&mut self, folder: &Path) {
        for set in std::iter::once(&mut self.data.set).chain(self.data.otherwise.as_mut()) {
            if set.is_path() {
                set.name = folder.join(&set.name).display().to_string();
            }
        }
        let paths = self.plugins.iter_mut().chain(self.data.root.as_mut());
        for path in paths.chain(
            self.models
                .iter_mut()
                .filter_map(|model| model.weights.as_mut()),
        ) {
            *path = folder.join(&*path);
        }
        for part in &mut self.parts {
            part.resolve_paths(folder);
        }
    }
}
