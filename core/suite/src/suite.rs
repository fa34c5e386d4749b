//! A suite whose values are in range and whose names are unique.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use xbench_data::{Selection, SetInfo};
use xbench_metrics::{Family, ScoreInfo};

use crate::document::{
    AccuracyDoc, DataDoc, Document, ExplainerDoc, IntoUse, ModelDoc, PerturbationDoc,
    ReproductionDoc, ScoreDoc, ScoresDoc, SelectDoc, SetDoc, SplitDoc, TargetDoc, TimingDoc,
    UseDoc,
};
use crate::error::{Location, SuiteError, SuiteErrors};
use crate::node;
use crate::plugin_use::PluginUse;
use crate::read::{At, read};

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
    /// The images.
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
    /// How explainers are timed; `None`: not at all.
    pub timing: Option<Timing>,
    /// Images per unit of work, 1 to 4096.
    pub chunk: usize,
    /// Time an explainer may take for one unit of work.
    pub deadline: Duration,
    /// Folders with plugins; relative ones are resolved against the suite's file.
    pub plugins: Vec<PathBuf>,
    /// Published figures to compare with.
    pub reproduction: Vec<Reproduction>,
}

/// The images of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// Name of a set in [`xbench_data::known`].
    pub set: String,
    /// Folder of its files, if named.
    pub root: Option<PathBuf>,
    /// Split.
    pub split: SplitName,
    /// Rows that are explained.
    pub select: Selection,
    /// Set to use, under its own name, where `set` cannot be had.
    pub otherwise: Option<String>,
}

/// A split of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitName {
    /// The training images.
    Train,
    /// The test images.
    Test,
}

impl fmt::Display for SplitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
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
    /// All of the catalogue.
    All,
    /// These.
    Only(Vec<ScoreName>),
}

/// Settings of scores that perturb the input or compare the highest pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perturbation {
    /// Value a removed pixel takes, in the units of the input.
    pub baseline: f32,
    /// Steps of the deletion and insertion curves, from 2.
    pub steps: usize,
    /// Random subsets of faithfulness correlation, from 2.
    pub subsets: usize,
    /// Share of the pixels in such a subset, in (0, 1].
    pub subset_share: f64,
    /// Share of the pixels that count as the top k, in (0, 1].
    pub top_k_share: f64,
}

impl Perturbation {
    /// The settings that determine a score beside the map and the mask: an object without
    /// fields where there are none. Its canonical JSON identifies cached score columns.
    #[must_use]
    pub fn of_score(&self, score: &ScoreInfo, seed: u64) -> Value {
        // The shortest decimal of an f32, as users write it.
        let baseline: f64 = self.baseline.to_string().parse().unwrap_or_default();
        match (score.family, score.id) {
            (Family::Faithfulness, "faithfulness_correlation") => json!({
                "baseline": baseline, "subsets": self.subsets, "subset_share": self.subset_share, "seed": seed,
            }),
            (Family::Faithfulness, _) => {
                json!({"baseline": baseline, "steps": self.steps, "seed": seed})
            }
            (Family::Agreement, "top_k_overlap") => json!({"top_k_share": self.top_k_share}),
            _ => json!({}),
        }
    }
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

/// A published figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Reproduction {
    /// Label of a model of the suite.
    pub model: String,
    /// Preset the figure is about; `None`: the one the suite uses for this model.
    pub preset: Option<String>,
    /// Id of a score of a classifier, such as `accuracy`.
    pub score: String,
    /// The published value.
    pub published: f64,
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
        let length = std::fs::metadata(path)
            .map_err(|error| unreadable(error.to_string()))?
            .len();
        if length > node::MAX_BYTES as u64 {
            return Err(unreadable(format!(
                "it is {length} bytes long, a suite may have {}",
                node::MAX_BYTES
            )));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
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
        Checker {
            file,
            errors: Vec::new(),
        }
        .suite(document)
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let paths = self.plugins.iter_mut().chain(self.data.root.as_mut());
        for path in paths.chain(
            self.models
                .iter_mut()
                .filter_map(|model| model.weights.as_mut()),
        ) {
            *path = folder.join(&*path);
        }
    }
}

/// Collects all that is wrong with a document that is well-formed.
struct Checker<'f> {
    file: &'f str,
    errors: Vec<SuiteError>,
}

impl Checker<'_> {
    fn refuse(&mut self, at: Location, error: SuiteError) {
        self.errors.push(error.at(Some(at)).in_file(self.file));
    }

    fn ensure(&mut self, holds: bool, at: Location, what: String, remedy: &str) {
        if !holds {
            self.refuse(at, SuiteError::new(what).help(remedy));
        }
    }

    fn whole(&mut self, key: &str, value: &At<u32>, min: u32, max: u32) -> usize {
        self.ensure(
            (min..=max).contains(&value.value),
            value.at,
            format!("\"{key}\" is {}", value.value),
            &format!("give a whole number from {min} to {max}"),
        );
        value.value as usize
    }

    fn share(&mut self, key: &str, value: &At<f64>) -> f64 {
        self.ensure(
            value.value > 0.0 && value.value <= 1.0,
            value.at,
            format!("\"{key}\" is {}", value.value),
            "give a share above 0 and at most 1",
        );
        value.value
    }

    fn suite(mut self, document: Document) -> Result<Suite, SuiteErrors> {
        let Document {
            suite,
            version,
            summary,
            data,
            accuracy,
            seed,
            target,
            models,
            explainers,
            controls,
            ..
        } = document;
        self.ensure(
            is_name(&suite.value, "-"),
            suite.at,
            format!("\"{}\" is not a suite's name", suite.value),
            "use lower-case letters, digits and hyphens: it names the folder of results",
        );
        let version = self.whole("version", &version, 1, u32::MAX) as u32;
        let (data, set) = self.data(data);
        let target = self.target(&target, set);
        let models = self.models(models);
        let (explainers, controls) = self.explainers(explainers, controls);
        let scores = self.scores(document.scores);
        let ranking = document.ranking.map(|list| self.ranking(list));
        let perturbation = self.perturbation(&document.perturbation);
        let timing = self.timing(&document.timing);
        let chunk = self.whole("chunk", &document.chunk, 1, 4096);
        let deadline = self.deadline(&document.deadline);
        let reproduction = self.reproduction(document.reproduction, &models);
        if !self.errors.is_empty() {
            self.errors.sort_by_key(|error| error.at);
            return Err(SuiteErrors(self.errors));
        }
        Ok(Suite {
            file: self.file.to_owned(),
            name: suite.value,
            version,
            summary,
            data,
            accuracy: match accuracy {
                AccuracyDoc::All => Accuracy::All,
                AccuracyDoc::Same => Accuracy::Same,
            },
            seed,
            target,
            models,
            explainers,
            controls,
            scores,
            ranking,
            perturbation,
            timing,
            chunk,
            deadline,
            plugins: document.plugins.into_iter().map(PathBuf::from).collect(),
            reproduction,
        })
    }

    fn set(&mut self, name: &At<SetDoc>) -> Option<&'static SetInfo> {
        let known = xbench_data::known();
        let found = known.iter().find(|set| set.id == name.value.0);
        if found.is_none() {
            let error = SuiteError::new(format!("unknown data set \"{}\"", name.value.0)).among(
                &name.value.0,
                known.iter().map(|set| set.id),
                "known data sets",
            );
            self.refuse(name.at, error);
        }
        found
    }

    fn data(&mut self, data: DataDoc) -> (Data, Option<&'static SetInfo>) {
        let set = self.set(&data.set);
        if let Some(otherwise) = &data.otherwise {
            self.set(otherwise);
            self.ensure(
                otherwise.value.0 != data.set.value.0,
                otherwise.at,
                "\"otherwise\" names the same set".to_owned(),
                "name another set, or leave it out",
            );
        }
        let split = match data.split {
            SplitDoc::Train => SplitName::Train,
            SplitDoc::Test => SplitName::Test,
        };
        let size = set.map_or(usize::MAX, |set| match split {
            SplitName::Train => set.train,
            SplitName::Test => set.test,
        });
        let (select, last, some) = match data.select.value {
            SelectDoc::All => (Selection::All, 0, true),
            SelectDoc::First(n) => (Selection::First(n), n, n > 0),
            SelectDoc::Range([start, end]) => (Selection::Range(start..end), end, start < end),
            SelectDoc::Balanced(n) => (Selection::Balanced(n), n, n > 0),
        };
        let at = data.select.at;
        self.ensure(
            some,
            at,
            format!("\"select: {select}\" selects nothing"),
            "select at least one row",
        );
        self.ensure(
            last <= size,
            at,
            format!("\"select: {select}\" goes beyond the split \"{split}\""),
            &format!("it has {size} rows"),
        );
        let data = Data {
            set: data.set.value.0,
            root: data.root.map(PathBuf::from),
            split,
            select,
            otherwise: data.otherwise.map(|set| set.value.0),
        };
        (data, set)
    }

    fn target(&mut self, target: &At<TargetDoc>, set: Option<&SetInfo>) -> Target {
        match target.value {
            TargetDoc::Predicted => Target::Predicted,
            TargetDoc::Label => Target::Label,
            TargetDoc::Class(class) => {
                let classes = set.map_or(usize::MAX, |set| set.classes.len());
                self.ensure(
                    class < classes,
                    target.at,
                    format!("there is no class {class}"),
                    &format!("the set has {classes} classes, counted from 0"),
                );
                Target::Class(class)
            }
        }
    }

    fn uses<T: IntoUse>(
        &mut self,
        list: Vec<At<UseDoc<T>>>,
        labels: &mut BTreeMap<String, Location>,
    ) -> Vec<PluginUse> {
        let mut uses = Vec::with_capacity(list.len());
        for At { at, value } in list {
            let name = value.plugin.name.clone();
            self.ensure(
                is_name(&name, "._-"),
                at,
                format!("\"{name}\" is not a label"),
                "use lower-case letters, digits, '.', '-' and '_': it names rows and files",
            );
            let first = *labels.entry(name.clone()).or_insert(at);
            if first != at {
                let error = SuiteError::new(format!("\"{name}\" occurs twice"))
                    .help(format!("the first is on line {}", first.line))
                    .help("give one of them another label: {..., name: another-label}");
                self.refuse(at, error);
            }
            uses.push(PluginUse {
                at: Some(at),
                ..value.plugin
            });
        }
        uses
    }

    fn models(&mut self, list: At<Vec<At<UseDoc<ModelDoc>>>>) -> Vec<PluginUse> {
        self.ensure(
            !list.value.is_empty(),
            list.at,
            "there are no models".to_owned(),
            "name at least one",
        );
        self.uses(list.value, &mut BTreeMap::new())
    }

    fn explainers(
        &mut self,
        list: At<Vec<At<UseDoc<ExplainerDoc>>>>,
        controls: Vec<At<UseDoc<ExplainerDoc>>>,
    ) -> (Vec<PluginUse>, Vec<PluginUse>) {
        self.ensure(
            !list.value.is_empty(),
            list.at,
            "there are no explainers".to_owned(),
            "name at least one",
        );
        let mut labels = BTreeMap::new();
        let explainers = self.uses(list.value, &mut labels);
        (explainers, self.uses(controls, &mut labels))
    }

    fn score(&mut self, id: &ScoreDoc, at: Location) -> Option<&'static ScoreInfo> {
        let found = xbench_metrics::find(&id.0);
        if found.is_none() {
            let known = xbench_metrics::catalogue().iter().map(|score| score.id);
            self.refuse(
                at,
                SuiteError::new(format!("unknown score \"{}\"", id.0)).among(
                    &id.0,
                    known,
                    "known scores",
                ),
            );
        }
        found
    }

    fn score_list(&mut self, list: Vec<At<ScoreDoc>>) -> Vec<ScoreName> {
        let mut names: Vec<ScoreName> = Vec::with_capacity(list.len());
        for At { at, value } in list {
            self.score(&value, at);
            self.ensure(
                names.iter().all(|name| name.id != value.0),
                at,
                format!("\"{}\" occurs twice", value.0),
                "name it once",
            );
            names.push(ScoreName { id: value.0, at });
        }
        names
    }

    fn scores(&mut self, scores: ScoresDoc) -> Scores {
        match scores {
            ScoresDoc::All => Scores::All,
            ScoresDoc::Only(list) => Scores::Only(self.score_list(list)),
        }
    }

    fn ranking(&mut self, list: At<Vec<At<ScoreDoc>>>) -> Vec<ScoreName> {
        self.ensure(
            !list.value.is_empty(),
            list.at,
            "the ranking names no score".to_owned(),
            "name scores, or leave \"ranking\" out for those of faithfulness",
        );
        self.score_list(list.value)
    }

    fn perturbation(&mut self, doc: &PerturbationDoc) -> Perturbation {
        let baseline = doc.baseline.value as f32;
        self.ensure(
            baseline.is_finite(),
            doc.baseline.at,
            format!("\"baseline\" is {}", doc.baseline.value),
            "give a number that fits 32-bit floating point",
        );
        Perturbation {
            baseline,
            steps: self.whole("steps", &doc.steps, 2, 10_000),
            subsets: self.whole("subsets", &doc.subsets, 2, 10_000),
            subset_share: self.share("subset_share", &doc.subset_share),
            top_k_share: self.share("top_k_share", &doc.top_k_share),
        }
    }

    fn timing(&mut self, doc: &TimingDoc) -> Option<Timing> {
        let TimingDoc::On(doc) = doc else { return None };
        Some(Timing {
            images: self.whole("images", &doc.images, 1, 4096),
            repeats: self.whole("repeats", &doc.repeats, 1, 1000),
            warmup: self.whole("warmup", &doc.warmup, 0, 100),
        })
    }

    fn deadline(&mut self, seconds: &At<f64>) -> Duration {
        self.ensure(
            (0.1..=86_400.0).contains(&seconds.value),
            seconds.at,
            format!("\"deadline\" is {}", seconds.value),
            "give seconds from 0.1 to 86400",
        );
        Duration::try_from_secs_f64(seconds.value).unwrap_or_default()
    }

    fn reproduction(
        &mut self,
        rows: Vec<At<ReproductionDoc>>,
        models: &[PluginUse],
    ) -> Vec<Reproduction> {
        let mut figures = Vec::with_capacity(rows.len());
        for At { at, value: row } in rows {
            if models.iter().all(|model| model.name != row.model) {
                let error =
                    SuiteError::new(format!("\"{}\" is not a model of this suite", row.model))
                        .among(
                            &row.model,
                            models.iter().map(|model| model.name.as_str()),
                            "its models",
                        );
                self.refuse(at, error);
            }
            if let Some(score) = self.score(&row.score, at) {
                self.ensure(
                    score.family == Family::Accuracy,
                    at,
                    format!("\"{}\" is not a score of a model alone", score.id),
                    "published figures are compared for accuracy and its kin",
                );
            }
            figures.push(Reproduction {
                model: row.model,
                preset: row.preset,
                score: row.score.0,
                published: row.published,
                source: row.source,
                at,
            });
        }
        figures
    }
}

/// Lower-case letters, digits and, after the first character, `marks`. Safe as a file name.
fn is_name(name: &str, marks: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(plain)
        && name.len() <= 100
        && name.chars().all(|c| plain(c) || marks.contains(c))
}
