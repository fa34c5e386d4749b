//! Published figures: what each is about, and how near counts as the same.

use xbench_data::SetInfo;
use xbench_metrics::classification::CLASS_SCORES;
use xbench_metrics::{Family, find};

use super::Checker;
use super::scores::unknown_score;
use crate::document::ReproductionDoc;
use crate::error::{Location, SuiteError};
use crate::plugin_use::PluginUse;
use crate::read::At;
use crate::suite::Reproduction;

/// What published figures may be about.
pub(super) struct Figures<'a> {
    pub(super) models: &'a [PluginUse],
    pub(super) explainers: &'a [PluginUse],
    pub(super) controls: &'a [PluginUse],
    /// What is known of the data set without reading it.
    pub(super) set: Option<&'a SetInfo>,
}

impl Checker<'_> {
    pub(super) fn reproduction(
        &mut self,
        rows: Vec<At<ReproductionDoc>>,
        about: &Figures<'_>,
    ) -> Vec<Reproduction> {
        let rows = rows.into_iter();
        rows.map(|At { at, value: row }| {
            let models = about.models.iter().map(|model| model.name.as_str());
            self.one_of(at, &row.model, models, "model");
            if let Some(explainer) = &row.explainer {
                let all = about.explainers.iter().chain(about.controls);
                self.one_of(at, explainer, all.map(|one| one.name.as_str()), "explainer");
            }
            // Of some sets only reading tells the classes; then the run says that there is none.
            let classes = about.set.map_or(&[][..], |set| &set.classes);
            if let Some(class) = &row.class
                && !classes.is_empty()
                && !classes.contains(class)
            {
                let error = SuiteError::new(format!("\"{class}\" is not a class of the data set"));
                let classes = classes.iter().map(String::as_str);
                self.refuse(at, error.among(class, classes, "its classes"));
            }
            self.published_score(at, &row);
            let tolerance = self.tolerance(at, &row);
            Reproduction {
                model: row.model,
                preset: row.preset,
                score: row.score.0,
                class: row.class,
                explainer: row.explainer,
                published: row.published,
                tolerance,
                source: row.source,
                at,
            }
        })
        .collect()
    }

    pub(super) fn one_of<'n>(
        &mut self,
        at: Location,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
        what: &str,
    ) {
        if known.clone().all(|one| one != name) {
            let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) {
                "an"
            } else {
                "a"
            };
            let error =
                SuiteError::new(format!("\"{name}\" is not {article} {what} of this suite"));
            self.refuse(at, error.among(name, known, &format!("its {what}s")));
        }
    }

    /// Whether the score is one of what the figure is about.
    fn published_score(&mut self, at: Location, row: &ReproductionDoc) {
        let id = row.score.0.as_str();
        if row.class.is_some() {
            self.ensure(
                row.explainer.is_none(),
                at,
                "a figure is about a class or about an explainer, not both".to_owned(),
                "leave out \"class\" or \"explainer\"",
            );
            if !CLASS_SCORES.contains(&id) {
                let error = SuiteError::new(format!("\"{id}\" is not a score of a class"));
                self.refuse(at, error.among(id, CLASS_SCORES, "they are"));
            }
            return;
        }
        let Some(score) = find(id) else {
            let error = if CLASS_SCORES.contains(&id) {
                SuiteError::new(format!("\"{id}\" is a score of a class"))
                    .help("name the class beside it, as in class: Shirt")
            } else {
                unknown_score(id)
            };
            self.refuse(at, error);
            return;
        };
        match (&row.explainer, score.family) {
            (None, Family::Accuracy) => {}
            (Some(_), family) if family.per_explanation() => {}
            (None, family) if family.per_explanation() => self.refuse(
                at,
                SuiteError::new(format!("\"{id}\" is not a score of a model alone"))
                    .help("name the explainer beside it, as in explainer: gradcam"),
            ),
            (Some(_), Family::Accuracy) => self.refuse(
                at,
                SuiteError::new(format!("\"{id}\" is a score of a model alone"))
                    .help("leave out \"explainer\""),
            ),
            _ => self.refuse(
                at,
                SuiteError::new(format!("\"{id}\" is not compared with published figures"))
                    .help("scores of models, of classes and of explanations are"),
            ),
        }
    }

    fn tolerance(&mut self, at: Location, row: &ReproductionDoc) -> f64 {
        self.ensure(
            row.published.is_finite(),
            at,
            format!("\"published\" is {}", row.published),
            "give a finite number",
        );
        self.ensure(
            row.tolerance.is_none() || row.sd.is_none(),
            at,
            "there is both a \"tolerance\" and an \"sd\"".to_owned(),
            "leave one out: an sd stands for a tolerance of twice itself",
        );
        let tolerance = row.tolerance.or(row.sd.map(|sd| 2.0 * sd)).unwrap_or(0.0);
        self.ensure(
            tolerance.is_finite() && tolerance >= 0.0,
            at,
            format!("the tolerance is {tolerance}"),
            "give a number of at least 0",
        );
        tolerance
    }
}
