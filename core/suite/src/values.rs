//! From a well-formed document to a suite: ranges, unique names, names of sets and scores.
//!
//! All that is wrong is collected, so that a user mends a file once.

mod challenge;
mod compare;
mod perturbation;
mod reproduction;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use xbench_data::{Locate, Selection, SetInfo, SetRef};
use xbench_metrics::{Family, ScoreInfo};

use crate::document::{
    AccuracyDoc, AgreementDoc, DataDoc, Document, ExplainerDoc, IntoUse, ModelDoc, PartDoc,
    ScoreDoc, ScoresDoc, ScoresWordDoc, SelectDoc, SetDoc, SplitDoc, TargetDoc, TimingDoc, UseDoc,
    score_words,
};
use crate::error::{Location, SuiteError, SuiteErrors};
use crate::plugin_use::PluginUse;
use crate::read::At;
use crate::suite::{
    Accuracy, Agreement, Data, ScoreName, Scores, SplitName, Suite, Target, Timing,
};

use self::reproduction::Figures;

/// Collects all that is wrong with a document that is well-formed.
struct Checker<'f> {
    file: &'f str,
    errors: Vec<SuiteError>,
}

/// The suite that a document describes.
pub(crate) fn suite_of(document: Document, file: &str) -> Result<Suite, SuiteErrors> {
    Checker {
        file,
        errors: Vec::new(),
    }
    .suite(document)
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
        let target = self.target(&target, set.as_ref());
        let models = self.models(models);
        let (explainers, controls) = self.explainers(explainers, controls);
        let scores = self.scores(document.scores);
        let ranking = document.ranking.map(|list| self.ranking(list));
        let perturbation = self.perturbation(document.perturbation);
        let agreement = self.agreement(&document.agreement);
        let robustness = self.robustness(&document.robustness);
        let randomisation = self.randomisation(&document.randomisation);
        let timing = self.timing(&document.timing);
        let chunk = self.whole("chunk", &document.chunk, 1, 4096);
        let background = self.whole("background", &document.background, 1, 10_000);
        let deadline = self.deadline(&document.deadline);
        let about = Figures {
            models: &models,
            explainers: &explainers,
            controls: &controls,
            set: set.as_ref(),
        };
        let reproduction = self.reproduction(document.reproduction, &about);
        let compare = self.compare(document.compare, &about);
        let mut whole = Suite {
            file: self.file.to_owned(),
            name: suite.value,
            version,
            summary,
            data,
            accuracy: rows_of(accuracy),
            seed,
            target,
            models,
            explainers,
            controls,
            scores,
            ranking,
            perturbation,
            agreement,
            robustness,
            randomisation,
            timing,
            chunk,
            background,
            deadline,
            plugins: document.plugins.into_iter().map(PathBuf::from).collect(),
            reproduction,
            compare,
            parts: Vec::new(),
        };
        whole.parts = self.parts(document.also, &whole);
        if !self.errors.is_empty() {
            self.errors.sort_by_key(|error| error.at);
            return Err(SuiteErrors(self.errors));
        }
        Ok(whole)
    }

    fn parts(&mut self, parts: Vec<At<PartDoc>>, whole: &Suite) -> Vec<Suite> {
        let mut suites: Vec<Suite> = Vec::with_capacity(parts.len());
        for At { at, value: part } in parts {
            let name = format!("{}-{}", whole.name, part.part.value);
            self.ensure(
                is_name(&part.part.value, "-"),
                part.part.at,
                format!("\"{}\" is not a part's name", part.part.value),
                "use lower-case letters, digits and hyphens: it names the folder of results",
            );
            self.ensure(
                suites.iter().all(|earlier| earlier.name != name),
                at,
                format!("the part \"{}\" occurs twice", part.part.value),
                "give one of them another name",
            );
            let suite = self.part(part, name, whole);
            suites.push(suite);
        }
        suites
    }

    fn part(&mut self, part: PartDoc, name: String, whole: &Suite) -> Suite {
        let (data, set) = self.data(part.data);
        let models = match part.models {
            Some(list) => self.models(list),
            None => whole.models.clone(),
        };
        let (explainers, controls) = match (part.explainers, part.controls) {
            (Some(list), controls) => self.explainers(list, controls.unwrap_or_default()),
            (None, Some(controls)) => (
                whole.explainers.clone(),
                self.uses(controls, &mut BTreeMap::new()),
            ),
            (None, None) => (whole.explainers.clone(), whole.controls.clone()),
        };
        let about = Figures {
            models: &models,
            explainers: &explainers,
            controls: &controls,
            set: set.as_ref(),
        };
        let reproduction = self.reproduction(part.reproduction, &about);
        let compare = self.compare(part.compare, &about);
        Suite {
            name,
            summary: part.summary.unwrap_or_else(|| whole.summary.clone()),
            data,
            accuracy: part.accuracy.map_or(whole.accuracy, rows_of),
            target: part
                .target
                .map_or(whole.target, |target| self.target(&target, set.as_ref())),
            scores: part
                .scores
                .map_or_else(|| whole.scores.clone(), |scores| self.scores(scores)),
            ranking: match part.ranking {
                Some(list) => Some(self.ranking(list)),
                None => whole.ranking.clone(),
            },
            timing: part
                .timing
                .map_or(whole.timing, |timing| self.timing(&timing)),
            chunk: part
                .chunk
                .map_or(whole.chunk, |chunk| self.whole("chunk", &chunk, 1, 4096)),
            reproduction,
            compare,
            models,
            explainers,
            controls,
            ..whole.clone()
        }
    }

    /// The set, and what is known of it without reading it; of a description nothing is.
    fn set(&mut self, name: &At<SetDoc>) -> (SetRef, Option<SetInfo>) {
        let refuse = |checker: &mut Self, error: &dyn std::fmt::Display| {
            let text = error.to_string();
            let mut lines = text.lines().map(str::trim);
            let error = SuiteError::new(lines.next().unwrap_or_default());
            checker.refuse(name.at, lines.fold(error, SuiteError::help));
        };
        let set: SetRef = match name.value.0.parse() {
            Ok(set) => set,
            Err(error) => {
                refuse(self, &error);
                return (SetRef::named(&name.value.0), None);
            }
        };
        if set.is_path() {
            return (set, None);
        }
        let known: Vec<String> = xbench_data::known().into_iter().map(|set| set.id).collect();
        if !known.contains(&set.name) {
            let error = SuiteError::new(format!("unknown data set \"{}\"", set.name)).among(
                &set.name,
                known.iter().map(String::as_str),
                "known data sets",
            );
            self.refuse(name.at, error);
            return (set, None);
        }
        match xbench_data::info(&set, &Locate::offline()) {
            Ok(info) => (set, Some(info)),
            Err(error) => {
                refuse(self, &error);
                (set, None)
            }
        }
    }

    fn data(&mut self, data: DataDoc) -> (Data, Option<SetInfo>) {
        let (set, info) = self.set(&data.set);
        let otherwise = data.otherwise.map(|otherwise| {
            let (other, _) = self.set(&otherwise);
            self.ensure(
                other != set,
                otherwise.at,
                "\"otherwise\" names the same set".to_owned(),
                "name another set, or leave it out",
            );
            other
        });
        let split = match data.split {
            SplitDoc::Train => SplitName::Train,
            SplitDoc::Validation => SplitName::Validation,
            SplitDoc::Test => SplitName::Test,
            SplitDoc::Photos => SplitName::Photos,
        };
        let size = info.as_ref().and_then(|set| match split {
            SplitName::Train => set.train,
            SplitName::Validation => set.validation,
            SplitName::Test => set.test,
            SplitName::Photos => set.photos,
        });
        let size = size.unwrap_or(usize::MAX);
        let (select, last, some) = match data.select.value {
            SelectDoc::All => (Selection::All, 0, true),
            SelectDoc::First(n) => (Selection::First(n), n, n > 0),
            SelectDoc::Range([start, end]) => (Selection::Range(start..end), end, start < end),
            SelectDoc::Balanced(n) => (Selection::Balanced(n), n, n > 0),
        };
        let at = data.select.at;
        self.ensure(
            some && size > 0,
            at,
            format!("\"select: {select}\" selects nothing of the split \"{split}\""),
            "select at least one row of a split that the set has",
        );
        self.ensure(
            last <= size || size == 0,
            at,
            format!("\"select: {select}\" goes beyond the split \"{split}\""),
            &format!("it has {size} rows"),
        );
        let data = Data {
            set,
            root: data.root.map(PathBuf::from),
            split,
            select,
            otherwise,
        };
        (data, info)
    }

    fn target(&mut self, target: &At<TargetDoc>, set: Option<&SetInfo>) -> Target {
        match target.value {
            TargetDoc::Predicted => Target::Predicted,
            TargetDoc::Label => Target::Label,
            TargetDoc::Class(class) => {
                let known = set
                    .map(|set| set.classes.len())
                    .filter(|&classes| classes > 0);
                let classes = known.unwrap_or(usize::MAX);
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
            self.refuse(at, unknown_score(&id.0));
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
            ScoresDoc::Standard => Scores::Standard,
            ScoresDoc::All => Scores::All,
            ScoresDoc::Only(list) => Scores::Only(self.score_words(&list)),
        }
    }

    /// The scores of a list that may name families; each once, where it is first named.
    fn score_words(&mut self, list: &[At<ScoresWordDoc>]) -> Vec<ScoreName> {
        let mut names: Vec<ScoreName> = Vec::with_capacity(list.len());
        for (place, At { at, value }) in list.iter().enumerate() {
            let (at, word) = (*at, value.0.as_str());
            self.ensure(
                list[..place].iter().all(|earlier| earlier.value.0 != word),
                at,
                format!("\"{word}\" occurs twice"),
                "name it once",
            );
            let scores = scores_of_word(word);
            if scores.is_empty() {
                let families: Vec<&str> = Family::ALL.iter().map(|family| family.word()).collect();
                let error = SuiteError::new(format!("unknown score \"{word}\""))
                    .near(word, score_words())
                    .help("\"xbench scores\" lists the scores")
                    .help(format!(
                        "a list may also name families: {}",
                        families[1..].join(", ")
                    ));
                self.refuse(at, error);
            }
            for score in scores {
                if names.iter().all(|name| name.id != score.id) {
                    let id = score.id.to_owned();
                    names.push(ScoreName { id, at });
                }
            }
        }
        names
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

    fn agreement(&mut self, doc: &AgreementDoc) -> Agreement {
        Agreement {
            segment: self.whole("segment", &doc.segment, 1, 256),
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
}

/// A score that the catalogue has not.
fn unknown_score(id: &str) -> SuiteError {
    let known = xbench_metrics::catalogue().iter().map(|score| score.id);
    SuiteError::new(format!("unknown score \"{id}\""))
        .near(id, known)
        .help("\"xbench scores\" lists the scores")
}

/// The scores that a word of a list stands for: a score of that name, else a family.
fn scores_of_word(word: &str) -> Vec<&'static ScoreInfo> {
    if let Some(score) = xbench_metrics::find(word) {
        return vec![score];
    }
    xbench_metrics::catalogue()
        .iter()
        .filter(|score| match word {
            "standard" => score.standard,
            _ => score.family.word() == word,
        })
        .collect()
}

fn rows_of(accuracy: AccuracyDoc) -> Accuracy {
    match accuracy {
        AccuracyDoc::All => Accuracy::All,
        AccuracyDoc::Same => Accuracy::Same,
    }
}

/// Lower-case letters, digits and, after the first character, `marks`. Safe as a file name.
fn is_name(name: &str, marks: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(plain)
        && name.len() <= 100
        && name.chars().all(|c| plain(c) || marks.contains(c))
}
