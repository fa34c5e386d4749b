//! Published figures beside what the run found.

use xbench_record::table::Verdict;
use xbench_stats::Interval;
use xbench_suite::Reproduction;

use crate::session::Session;
use crate::summary::{Classification, Estimate, ModelSummary, ReproductionSummary};

/// Every published figure of the suite with what was measured, or why nothing was.
pub(crate) fn reproduction(
    session: &Session<'_>,
    models: &[ModelSummary],
) -> Vec<ReproductionSummary> {
    let rows = session.suite.reproduction.iter();
    rows.map(|row| {
        let model = model_of(row, models);
        let measured = if session.substituted() {
            Err(format!(
                "{} stands in for {}, of which the figure is",
                session.set.id, session.suite.data.set
            ))
        } else {
            measured(row, model, &session.set.classes)
        };
        let (measured, reason) = match measured {
            Ok(estimate) => (Some(estimate), String::new()),
            Err(reason) => (None, reason),
        };
        let interval = measured.map(Interval::from);
        ReproductionSummary {
            model: row.model.clone(),
            preset: row
                .preset
                .clone()
                .or_else(|| model.map(|m| m.preset.clone()))
                .unwrap_or_default(),
            score: row.score.clone(),
            class: row.class.clone(),
            explainer: row.explainer.clone(),
            published: row.published,
            tolerance: row.tolerance,
            measured,
            verdict: Verdict::of(row.published, row.tolerance, interval)
                .word()
                .to_owned(),
            reason,
            source: row.source.clone(),
        }
    })
    .collect()
}

/// The model that a figure is about, with the preset it names.
fn model_of<'m>(row: &Reproduction, models: &'m [ModelSummary]) -> Option<&'m ModelSummary> {
    let preset = |model: &ModelSummary| {
        row.preset
            .as_ref()
            .is_none_or(|preset| *preset == model.preset)
    };
    models
        .iter()
        .find(|model| model.model == row.model && preset(model))
}

/// What was measured of a figure, or why nothing was.
fn measured(
    row: &Reproduction,
    model: Option<&ModelSummary>,
    classes: &[String],
) -> Result<Estimate, String> {
    let Some(model) = model else {
        let preset = row.preset.as_deref().unwrap_or_default();
        return Err(format!(
            "the run has no {} with the preset {preset}",
            row.model
        ));
    };
    if let Some(error) = &model.error {
        let first = error.lines().next().unwrap_or_default();
        return Err(format!("{} could not be used: {first}", row.model));
    }
    if let Some(explainer) = &row.explainer {
        return of_explainer(row, model, explainer);
    }
    let Some(found) = &model.accuracy else {
        return Err(format!("{} was not asked for predictions", row.model));
    };
    match &row.class {
        Some(class) => of_class(row, found, class, classes),
        None => found.scores.get(&row.score).copied().ok_or_else(|| {
            let why = found.uncalibrated.as_deref().unwrap_or("it has no value");
            format!("{} of {}: {why}", row.score, row.model)
        }),
    }
}

fn of_class(
    row: &Reproduction,
    found: &Classification,
    class: &str,
    classes: &[String],
) -> Result<Estimate, String> {
    let number = classes.iter().position(|known| known == class);
    let scores = number.and_then(|number| found.classes.get(number));
    let Some(scores) = scores else {
        let known = classes.join(", ");
        return Err(format!("the data set has no class {class}; it has {known}"));
    };
    if scores.support == 0 {
        return Err(format!("no row of the class {class} was classified"));
    }
    let score = scores.score(&row.score);
    score.ok_or_else(|| format!("a class has no score {}", row.score))
}

fn of_explainer(
    row: &Reproduction,
    model: &ModelSummary,
    explainer: &str,
) -> Result<Estimate, String> {
    let cell = model.cells.iter().find(|cell| cell.explainer == explainer);
    let Some(cell) = cell else {
        return Err(format!("the run has no {explainer} on {}", row.model));
    };
    if cell.status != "ok" {
        let first = cell.text.lines().next().unwrap_or_default();
        return Err(format!(
            "{} × {explainer} is {}: {first}",
            row.model, cell.status
        ));
    }
    cell.scores.get(&row.score).copied().ok_or_else(|| {
        let why = match cell.not_applicable.get(&row.score) {
            Some(_) => "applies to none of the images",
            None => "is not among the suite's scores",
        };
        format!("{} {why}", row.score)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use xbench_stats::Resamples;

    use super::*;
    use crate::classification::{Answers, classify};
    use crate::summary::CellSummary;
    use crate::task::OutputFacts;

    fn row(score: &str) -> Reproduction {
        Reproduction {
            model: "lenet".to_owned(),
            preset: None,
            score: score.to_owned(),
            class: None,
            explainer: None,
            published: 0.5,
            tolerance: 0.0,
            source: "a study".to_owned(),
            at: xbench_suite::Location { line: 1, column: 1 },
        }
    }

    fn classes() -> Vec<String> {
        ["Shirt", "Coat", "Bag"].map(str::to_owned).to_vec()
    }

    fn model() -> ModelSummary {
        let outputs = [5.0, 1.0, 0.0, 4.0, 2.0, 0.0];
        let answers = Answers {
            predictions: &[0, 0],
            outputs: &outputs,
            kind: OutputFacts::Values,
        };
        let resamples = Resamples::new(2, 50, 0);
        let found = classify(&[Some(answers)], &[0, 1], &[0, 1], 3, &resamples);
        let cell = |explainer: &str, status: &str| CellSummary {
            explainer: explainer.to_owned(),
            cell: String::new(),
            params: serde_json::Value::Null,
            control: false,
            status: status.to_owned(),
            text: "it needs a gradient\nand more".to_owned(),
            n: 2,
            scores: BTreeMap::from([(
                "auroc".to_owned(),
                Estimate {
                    value: 0.75,
                    low: 0.5,
                    high: 1.0,
                    n: 2,
                },
            )]),
            not_applicable: BTreeMap::from([("best_iou".to_owned(), BTreeMap::new())]),
            mean_rank: None,
            rank_group: None,
            p_first: None,
            place: None,
            rank_groups: Vec::new(),
            beats_controls: None,
            forward_rows: None,
            backward_rows: None,
            ms_per_image: None,
            peak_memory_bytes: None,
        };
        ModelSummary {
            model: "lenet".to_owned(),
            preset: "best".to_owned(),
            weights_fingerprint: String::new(),
            error: None,
            accuracy: found.into_iter().next().flatten(),
            order: None,
            cells: vec![cell("cam", "unsupported"), cell("ig", "ok")],
        }
    }

    fn value(row: &Reproduction) -> Result<f64, String> {
        let models = [model()];
        measured(row, model_of(row, &models), &classes()).map(|estimate| estimate.value)
    }

    #[test]
    fn figures_are_found_where_they_belong() {
        assert_eq!(value(&row("accuracy")), Ok(0.5));
        let of = |score: &str, class: &str| Reproduction {
            class: Some(class.to_owned()),
            ..row(score)
        };
        assert_eq!(value(&of("precision", "Shirt")), Ok(0.5));
        assert_eq!(value(&of("sensitivity", "Coat")), Ok(0.0));
        assert_eq!(value(&of("specificity", "Shirt")), Ok(0.0));
        let ig = Reproduction {
            explainer: Some("ig".to_owned()),
            ..row("auroc")
        };
        assert_eq!(value(&ig), Ok(0.75));
    }

    #[test]
    fn what_was_not_measured_says_why() {
        let of = |score: &str, class: Option<&str>, explainer: Option<&str>| {
            value(&Reproduction {
                class: class.map(str::to_owned),
                explainer: explainer.map(str::to_owned),
                ..row(score)
            })
            .unwrap_err()
        };
        assert!(of("ece", None, None).contains("no probabilities"));
        assert!(of("recall", Some("Bag"), None).contains("no row of the class"));
        assert!(of("recall", Some("Hat"), None).contains("Shirt, Coat, Bag"));
        assert!(of("auroc", None, Some("cam")).ends_with("unsupported: it needs a gradient"));
        assert!(of("best_iou", None, Some("ig")).contains("none of the images"));
        assert!(of("gini", None, Some("ig")).contains("not among"));
        let other = Reproduction {
            preset: Some("published".to_owned()),
            ..row("accuracy")
        };
        assert!(value(&other).unwrap_err().contains("preset published"));
    }

    #[test]
    fn a_model_that_failed_says_so() {
        let models = [ModelSummary {
            error: Some("no weights\ntry xbench train".to_owned()),
            accuracy: None,
            ..model()
        }];
        let row = row("accuracy");
        let found = measured(&row, model_of(&row, &models), &classes());
        assert_eq!(found, Err("lenet could not be used: no weights".to_owned()));
    }
}
