//! From a well-formed document to a suite: ranges, unique names, names of sets and scores.
//!
//! All that is wrong is collected, so that a user mends a file once.

mod challenge;
mod compare;
mod data;
mod perturbation;
mod reproduction;
mod scores;
mod uses;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::document::{AccuracyDoc, AgreementDoc, Document, PartDoc, TimingDoc};
use crate::error::{Location, SuiteError, SuiteErrors};
use crate::read::At;
use crate::suite::{Accuracy, Agreement, Suite, Timing};

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
