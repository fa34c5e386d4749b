//! How right the models are, class by class, and whether they are as sure as they should be.

use std::collections::BTreeMap;

use xbench_metrics::calibration::{Calibration, softmax};
use xbench_metrics::classification::{ClassCounts, ConfusionMatrix};
use xbench_metrics::{Family, NotApplicable, calibration, catalogue};
use xbench_stats::{Resamples, mean_intervals, quantile};

use crate::summary::{
    CalibrationSummary, ClassSummary, Classification, Estimate, Example, ExampleKind,
};
use crate::task::OutputFacts;

/// Examples of each kind that are kept.
const EXAMPLES: usize = 8;

/// What a model answered to the rows that are classified.
pub(crate) struct Answers<'a> {
    /// The class of each row.
    pub(crate) predictions: &'a [usize],
    /// Outputs, `[rows, classes]`.
    pub(crate) outputs: &'a [f32],
    /// What they are.
    pub(crate) kind: OutputFacts,
}

/// Classifies every model's answers to the same rows; an entry is `None` where there are none.
/// `rows` are the rows' numbers in their split, `labels` their labels.
///
/// Intervals of all models come from the same resamples, each of which is unpacked once.
pub(crate) fn classify(
    models: &[Option<Answers<'_>>],
    rows: &[usize],
    labels: &[usize],
    classes: usize,
    resamples: &Resamples,
) -> Vec<Option<Classification>> {
    let replicates = replicates(models, labels, classes, resamples);
    let calibrations: Vec<Option<Result<Calibration, NotApplicable>>> = models
        .iter()
        .map(|model| Some(calibrated(model.as_ref()?, labels, classes)))
        .collect();
    let losses = losses(&calibrations, resamples);
    let parts = models.iter().zip(replicates).zip(calibrations).zip(losses);
    parts
        .map(|(((model, replicates), calibration), losses)| {
            let model = model.as_ref()?;
            let confusion = ConfusionMatrix::new(labels, model.predictions, classes).ok()?;
            let mut found = counted(confusion, &replicates?)?;
            found.scores.extend(losses);
            match calibration? {
                Ok(calibration) => add_calibration(&mut found, &calibration, rows, labels),
                Err(reason) => found.uncalibrated = Some(why_uncalibrated(model.kind, reason)),
            }
            Some(found)
        })
        .collect()
}

fn why_uncalibrated(kind: OutputFacts, reason: NotApplicable) -> String {
    match kind {
        OutputFacts::Values => "the model's outputs are no probabilities".to_owned(),
        _ => reason.to_string(),
    }
}

fn calibrated(
    model: &Answers<'_>,
    labels: &[usize],
    classes: usize,
) -> Result<Calibration, NotApplicable> {
    let probabilities = match model.kind {
        OutputFacts::Logits => softmax(model.outputs, classes)?,
        OutputFacts::Probabilities => model.outputs.iter().map(|&p| f64::from(p)).collect(),
        OutputFacts::Values => return Err(NotApplicable::NotProbabilities),
    };
    Calibration::new(&probabilities, labels, classes)
}

/// Ids of the scores that follow from counts, in table order.
fn counted_ids() -> impl Iterator<Item = &'static str> {
    let one = ClassCounts::weighted(&[0], &[0], 1, &[1]).ok();
    let accuracy = catalogue()
        .iter()
        .filter(|score| score.family == Family::Accuracy);
    accuracy.map(|score| score.id).filter(move |id| {
        one.as_ref()
            .is_some_and(|counts| counts.score(id).is_some())
    })
}

/// Figures of one resample or of the data themselves: the scores, then four per class. NaN where
/// there is none.
fn figures(counts: &ClassCounts, ids: &[&str]) -> Vec<f64> {
    let scores = ids.iter().map(|id| match counts.score(id) {
        Some(Ok(value)) => value,
        _ => f64::NAN,
    });
    let classes = counts.per_class().into_iter();
    let classes = classes.flat_map(|class| {
        // A resample without examples of the class says nothing about its scores.
        let share = |value: f64, of: u64| if of == 0 { f64::NAN } else { value };
        let others = counts.total() - class.support;
        [
            share(class.precision, class.predicted),
            share(class.recall, class.support),
            share(class.specificity, others),
            share(class.f1, class.support + class.predicted),
        ]
    });
    scores.chain(classes).collect()
}

/// For each model and figure its values over the resamples.
fn replicates(
    models: &[Option<Answers<'_>>],
    labels: &[usize],
    classes: usize,
    resamples: &Resamples,
) -> Vec<Option<Vec<Vec<f64>>>> {
    let ids: Vec<&str> = counted_ids().collect();
    let width = ids.len() + 4 * classes;
    let mut all: Vec<Option<Vec<Vec<f64>>>> = models
        .iter()
        .map(|model| {
            let columns = vec![Vec::with_capacity(resamples.draws()); width];
            model.as_ref().map(|_| columns)
        })
        .collect();
    for draw in 0..resamples.draws() {
        let weights = resamples.weights(draw);
        for (model, columns) in models.iter().zip(&mut all) {
            let (Some(model), Some(columns)) = (model, columns) else {
                continue;
            };
            let counts = ClassCounts::weighted(labels, model.predictions, classes, &weights);
            let Ok(counts) = counts else { continue };
            for (column, value) in columns.iter_mut().zip(figures(&counts, &ids)) {
                if value.is_finite() {
                    column.push(value);
                }
            }
        }
    }
    all
}

/// A figure with the 2.5% and 97.5% quantile of its values over the resamples.
fn estimate(value: f64, replicates: &[f64], n: usize) -> Estimate {
    let end = |q: f64| {
        let end = quantile(replicates, q).unwrap_or(value);
        // Sums in another order differ by rounding: equal values have an interval of no width.
        if (end - value).abs() <= 1e-12 * value.abs() {
            value
        } else {
            end
        }
    };
    let (low, high) = if n == 1 {
        (value, value)
    } else {
        (end(0.025), end(0.975))
    };
    Estimate {
        value,
        low,
        high,
        n,
    }
}

/// All that follows from the counts of a model.
fn counted(confusion: ConfusionMatrix, replicates: &[Vec<f64>]) -> Option<Classification> {
    let n = usize::try_from(confusion.total()).ok()?;
    let ids: Vec<&str> = counted_ids().collect();
    let mut scores = BTreeMap::new();
    for (id, replicates) in ids.iter().zip(replicates) {
        let value = confusion.score(id)?.ok()?;
        scores.insert((*id).to_owned(), estimate(value, replicates, n));
    }
    let classes = confusion.per_class().into_iter().enumerate();
    let classes = classes.map(|(class, scores)| {
        let start = ids.len() + 4 * class;
        let figure = |number: usize, value: f64, of: u64| {
            let of = usize::try_from(of).unwrap_or(n);
            estimate(value, &replicates[start + number], of)
        };
        let others = n as u64 - scores.support;
        ClassSummary {
            precision: figure(0, scores.precision, scores.predicted),
            recall: figure(1, scores.recall, scores.support),
            specificity: figure(2, scores.specificity, others),
            f1: figure(3, scores.f1, scores.support),
            support: scores.support,
            predicted: scores.predicted,
        }
    });
    Some(Classification {
        accuracy: *scores.get("accuracy")?,
        macro_f1: *scores.get("macro_f1")?,
        classes: classes.collect(),
        scores,
        confusion,
        calibration: None,
        uncalibrated: None,
        examples: Vec::new(),
    })
}

/// Log loss and Brier score of each model with their intervals, both being means over rows.
fn losses(
    calibrations: &[Option<Result<Calibration, NotApplicable>>],
    resamples: &Resamples,
) -> Vec<Vec<(String, Estimate)>> {
    let there = || {
        calibrations
            .iter()
            .map(|found| found.as_ref().and_then(|found| found.as_ref().ok()))
    };
    let columns: Vec<&[f64]> = there()
        .flatten()
        .flat_map(|calibration| [calibration.log_losses(), calibration.briers()])
        .collect();
    let mut intervals = mean_intervals(&columns, resamples).into_iter();
    there()
        .map(|calibration| {
            let ids = calibration.map_or(&[][..], |_| &["log_loss", "brier"]);
            ids.iter()
                .filter_map(|id| Some(((*id).to_owned(), intervals.next()??.into())))
                .collect()
        })
        .collect()
}

/// Calibration errors have no interval: of resamples, in which rows occur more than once, they
/// are larger than of the rows themselves, so that the quantiles would lie beside the value.
fn add_calibration(
    found: &mut Classification,
    calibration: &Calibration,
    rows: &[usize],
    labels: &[usize],
) {
    for id in ["ece", "adaptive_ece", "mce"] {
        if let Some(Ok(value)) = calibration.score(id) {
            let exact = Estimate {
                value,
                low: value,
                high: value,
                n: rows.len(),
            };
            found.scores.insert(id.to_owned(), exact);
        }
    }
    found.calibration = Some(CalibrationSummary {
        equal_width: calibration.equal_width(calibration::DEFAULT_BINS),
        equal_mass: calibration.equal_mass(calibration::DEFAULT_BINS),
    });
    found.examples = examples(calibration, rows, labels);
}

/// The surest of the right and of the wrong rows, and the least sure of all; the first of equals.
fn examples(calibration: &Calibration, rows: &[usize], labels: &[usize]) -> Vec<Example> {
    let confidence = calibration.confidences();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| confidence[b].total_cmp(&confidence[a]).then(a.cmp(&b)));
    let mut rising = order.clone();
    rising.sort_by(|&a, &b| confidence[a].total_cmp(&confidence[b]).then(a.cmp(&b)));
    let right = calibration.right();
    let example = |kind: ExampleKind| {
        move |&at: &usize| Example {
            kind,
            row: rows[at],
            label: labels[at],
            prediction: calibration.predictions()[at],
            probability: confidence[at],
            picture: None,
        }
    };
    let surest = |wanted: bool, kind: ExampleKind| {
        order
            .iter()
            .filter(|&&at| right[at] == wanted)
            .take(EXAMPLES)
            .map(example(kind))
            .collect::<Vec<_>>()
    };
    let mut found = surest(true, ExampleKind::Right);
    found.extend(surest(false, ExampleKind::Wrong));
    found.extend(
        rising
            .iter()
            .take(EXAMPLES)
            .map(example(ExampleKind::Unsure)),
    );
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [usize; 6] = [0, 0, 0, 1, 1, 2];
    const ROWS: [usize; 6] = [3, 5, 8, 13, 21, 34];

    fn classified(outputs: &[f32], kind: OutputFacts) -> Classification {
        let predictions: Vec<usize> = outputs.chunks_exact(3).map(crate::train::argmax).collect();
        let answers = Answers {
            predictions: &predictions,
            outputs,
            kind,
        };
        let resamples = Resamples::new(LABELS.len(), 500, 7);
        let mut found = classify(&[None, Some(answers)], &ROWS, &LABELS, 3, &resamples);
        assert!(found[0].is_none());
        found.remove(1).unwrap()
    }

    fn probabilities() -> Vec<f32> {
        [
            [0.9, 0.05, 0.05],
            [0.5, 0.25, 0.25],
            [0.1, 0.8, 0.1],
            [0.0, 1.0, 0.0],
            [0.75, 0.25, 0.0],
            [0.0, 0.625, 0.375],
        ]
        .concat()
    }

    #[test]
    fn scores_are_those_of_the_counts_and_probabilities() {
        let found = classified(&probabilities(), OutputFacts::Probabilities);
        let value = |id: &str| found.scores[id].value;
        assert_eq!(value("accuracy"), 0.5);
        assert_eq!(found.accuracy, found.scores["accuracy"]);
        assert!((value("macro_recall") - (2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
        let labels = [0.9f64, 0.5, 0.1, 1.0, 0.25, 0.375];
        let log_loss = labels.iter().map(|p| -p.ln()).sum::<f64>() / 6.0;
        assert!((value("log_loss") - log_loss).abs() < 1e-6);
        assert_eq!(found.classes[1].support, 2);
        assert!((found.classes[1].precision.value - 1.0 / 3.0).abs() < 1e-12);
        assert!(found.uncalibrated.is_none());
    }

    #[test]
    fn every_score_of_the_family_is_there() {
        let found = classified(&probabilities(), OutputFacts::Probabilities);
        for score in catalogue() {
            let here = score.family == Family::Accuracy;
            assert_eq!(found.scores.contains_key(score.id), here, "{}", score.id);
        }
    }

    #[test]
    fn intervals_hold_their_values() {
        let found = classified(&probabilities(), OutputFacts::Probabilities);
        for (id, estimate) in &found.scores {
            let inside = estimate.low <= estimate.value && estimate.value <= estimate.high;
            assert!(inside, "{id} {estimate:?}");
        }
        let ece = found.scores["ece"];
        assert_eq!((ece.low, ece.high), (ece.value, ece.value));
        assert!(found.scores["accuracy"].low < found.scores["accuracy"].high);
    }

    #[test]
    fn logits_and_their_probabilities_are_one() {
        let logits: Vec<f32> = probabilities().iter().map(|p| (p + 1e-6).ln()).collect();
        let (a, b) = (
            classified(&logits, OutputFacts::Logits),
            classified(&probabilities(), OutputFacts::Probabilities),
        );
        assert!((a.scores["brier"].value - b.scores["brier"].value).abs() < 1e-4);
    }

    #[test]
    fn values_have_counts_but_no_calibration() {
        let found = classified(&probabilities(), OutputFacts::Values);
        assert_eq!(found.scores["accuracy"].value, 0.5);
        assert!(!found.scores.contains_key("ece") && found.calibration.is_none());
        assert!(found.uncalibrated.is_some() && found.examples.is_empty());
    }

    #[test]
    fn examples_are_the_surest_and_the_least_sure() {
        let found = classified(&probabilities(), OutputFacts::Probabilities);
        let rows = |kind: ExampleKind| -> Vec<usize> {
            let own = found.examples.iter().filter(|example| example.kind == kind);
            own.map(|example| example.row).collect()
        };
        assert_eq!(rows(ExampleKind::Right), [13, 3, 5]);
        assert_eq!(rows(ExampleKind::Wrong), [8, 21, 34]);
        assert_eq!(rows(ExampleKind::Unsure), [5, 34, 21, 8, 3, 13]);
        let first = &found.examples[3];
        assert_eq!((first.label, first.prediction), (0, 1));
    }
}
