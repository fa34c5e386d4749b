//! How right the models of a run are, for tables and pictures.

use image::{Rgb, RgbImage};
use xbench_metrics::{Direction as Better, find};
use xbench_report::{
    BarChart, BarGroup, ClassLine, ClassificationReport, Comparison, ConfusionMatrix, Estimate,
    FigureError, Gallery, GalleryItem, GallerySection, ModelLine, Outcome, ReliabilityBin,
    ReliabilityDiagram, bar_image, confusion_image, gallery_image, reliability_image,
};
use xbench_run::{
    Classification, ExampleKind, ExamplePicture, ModelSummary, ReproductionSummary, Summary,
};

use crate::view::{direction, estimate};

/// An estimate as the report shows it: one of no width is a number without an interval.
fn shown(from: xbench_run::Estimate) -> Estimate {
    if from.low == from.high {
        Estimate::exact(from.value)
    } else {
        estimate(from)
    }
}

/// A class's score, if there is anything that it is a share of: a class without rows has no recall.
fn of_class(score: xbench_run::Estimate) -> Option<Estimate> {
    (score.n > 0).then(|| shown(score))
}

/// The models below each other.
pub(crate) fn lines(summary: &Summary) -> Vec<ModelLine> {
    let line = |model: &ModelSummary| {
        let found = model.accuracy.as_ref();
        let score = |id: &str| found?.scores.get(id).copied().map(shown);
        ModelLine {
            name: crate::view::model_name(model),
            n: found.map_or(0, |found| found.accuracy.n),
            accuracy: score("accuracy"),
            macro_f1: score("macro_f1"),
            log_loss: score("log_loss"),
            calibration_error: score("ece"),
            error: model.error.clone(),
        }
    };
    summary.models.iter().map(line).collect()
}

fn title(summary: &Summary, model: &ModelSummary) -> String {
    format!("{} on {}, {}", model.model, summary.data_set, summary.split)
}

/// The classification report of a model.
pub(crate) fn report(summary: &Summary, model: &ModelSummary) -> Option<ClassificationReport> {
    let found = model.accuracy.as_ref()?;
    let classes = summary.classes.iter().zip(&found.classes);
    let score = |score| of_class(score).unwrap_or(Estimate::exact(f64::NAN));
    let classes = classes.map(|(name, class)| ClassLine {
        name: name.clone(),
        precision: score(class.precision),
        recall: score(class.recall),
        specificity: score(class.specificity),
        f1: score(class.f1),
        support: class.support,
    });
    let average = |kind: &str| {
        let score = |name: &str| {
            let found = found.scores.get(&format!("{kind}_{name}")).copied();
            found.map_or(Estimate::exact(f64::NAN), shown)
        };
        ClassLine {
            name: format!("{kind} average"),
            precision: score("precision"),
            recall: score("recall"),
            specificity: score("specificity"),
            f1: score("f1"),
            support: found.accuracy.n as u64,
        }
    };
    Some(ClassificationReport {
        title: title(summary, model),
        classes: classes.collect(),
        averages: vec![average("macro"), average("weighted")],
        figures: figures(found),
    })
}

/// Accuracy and what the probabilities say, by name.
fn figures(found: &Classification) -> Vec<(String, Estimate)> {
    let named = [
        ("accuracy", "accuracy"),
        ("log_loss", "log loss (nats)"),
        ("brier", "Brier score (0 to 2)"),
        ("ece", "ECE, 15 equal widths"),
        ("adaptive_ece", "ECE, 15 equal masses"),
        ("mce", "greatest gap (MCE)"),
    ];
    let there = named
        .iter()
        .filter_map(|(id, name)| Some(((*name).to_owned(), shown(*found.scores.get(*id)?))));
    there.collect()
}

/// The pictures of a model, each with the end of its file's name.
pub(crate) fn pictures(
    summary: &Summary,
    model: &ModelSummary,
) -> Vec<(&'static str, Result<RgbImage, FigureError>)> {
    let Some(found) = model.accuracy.as_ref() else {
        return Vec::new();
    };
    let mut pictures = Vec::new();
    if let Some(matrix) = confusion(summary, model) {
        pictures.push(("confusion", confusion_image(&matrix)));
    }
    pictures.push(("classes", bar_image(&class_chart(summary, model, found))));
    if let Some(calibration) = &found.calibration {
        let bins = calibration.equal_width.iter().map(|bin| ReliabilityBin {
            low: bin.low,
            high: bin.high,
            count: bin.count,
            confidence: bin.confidence,
            accuracy: bin.accuracy,
        });
        let diagram = ReliabilityDiagram {
            title: format!("{}: calibration", title(summary, model)),
            bins: bins.collect(),
            figures: figures(found),
        };
        pictures.push(("calibration", reliability_image(&diagram)));
    }
    if let Some(gallery) = gallery(summary, model, found) {
        pictures.push(("examples", gallery_image(&gallery)));
    }
    pictures
}

/// Labels against predictions.
pub(crate) fn confusion(summary: &Summary, model: &ModelSummary) -> Option<ConfusionMatrix> {
    let counts = model.accuracy.as_ref()?.confusion.counts();
    let rows = counts.chunks(summary.classes.len().max(1));
    Some(ConfusionMatrix {
        title: format!("{}: labels and predictions", title(summary, model)),
        classes: summary.classes.clone(),
        counts: rows.map(<[u64]>::to_vec).collect(),
    })
}

fn class_chart(summary: &Summary, model: &ModelSummary, found: &Classification) -> BarChart {
    let classes = summary.classes.iter().zip(&found.classes);
    BarChart {
        title: format!("{}: scores per class", title(summary, model)),
        axis: "share, with 95% interval".to_owned(),
        series: ["precision", "recall (sensitivity)", "specificity", "F1"]
            .map(str::to_owned)
            .to_vec(),
        groups: classes
            .map(|(name, class)| BarGroup {
                name: name.clone(),
                values: [class.precision, class.recall, class.specificity, class.f1]
                    .map(of_class)
                    .to_vec(),
            })
            .collect(),
        range: Some((0.0, 1.0)),
    }
}

/// Right and wrong examples with their pictures; `None` for tables, whose rows have none.
fn gallery(summary: &Summary, model: &ModelSummary, found: &Classification) -> Option<Gallery> {
    let class = |number: usize| summary.classes.get(number).cloned().unwrap_or_default();
    let mut sections = Vec::new();
    for (kind, title) in [
        (ExampleKind::Right, "right, and surest"),
        (ExampleKind::Wrong, "wrong, and surest"),
        (ExampleKind::Unsure, "least sure"),
    ] {
        let own = found.examples.iter().filter(|example| example.kind == kind);
        let items = own.map(|example| {
            Some(GalleryItem {
                picture: picture(example.picture.as_ref()?)?,
                label: format!("{}[{}]", summary.split, example.row),
                truth: class(example.label),
                prediction: class(example.prediction),
                probability: example.probability,
            })
        });
        sections.push(GallerySection {
            title: title.to_owned(),
            items: items.collect::<Option<Vec<_>>>()?,
        });
    }
    let any = sections.iter().any(|section| !section.items.is_empty());
    any.then(|| Gallery {
        title: format!("{}: examples", title(summary, model)),
        sections,
    })
}

/// Grey or colour, from channels one behind the other.
fn picture(from: &ExamplePicture) -> Option<RgbImage> {
    let [channels, height, width] = from.shape;
    let plane = height.checked_mul(width)?;
    if channels == 0 || from.pixels.len() != plane.checked_mul(channels)? {
        return None;
    }
    let (w, h) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    Some(RgbImage::from_fn(w, h, |x, y| {
        let at = y as usize * width + x as usize;
        let channel = |number: usize| from.pixels[number.min(channels - 1) * plane + at];
        if channels >= 3 {
            Rgb([channel(0), channel(1), channel(2)])
        } else {
            Rgb([channel(0); 3])
        }
    }))
}

/// Published figures beside ours.
pub(crate) fn comparisons(summary: &Summary) -> Vec<Comparison> {
    let rows = summary.reproduction.iter();
    rows.map(|row| comparison(summary, row)).collect()
}

fn comparison(summary: &Summary, row: &ReproductionSummary) -> Comparison {
    let mut what = crate::view::with_preset(&row.model, &row.preset);
    if let Some(explainer) = &row.explainer {
        what.push_str(&format!(" × {explainer}"));
    }
    if let Some(class) = &row.class {
        what.push_str(&format!(", {class}"));
    }
    if summary.split != "test" {
        what.push_str(&format!(", {}", summary.split));
    }
    // Scores of a class have no entry of their own; all of them are shares of what is right.
    let better = match find(&row.score) {
        Some(score) => direction(score.direction),
        None => direction(Better::Higher),
    };
    Comparison {
        what,
        score: row.score.clone(),
        better,
        published: row.published,
        tolerance: row.tolerance,
        measured: row.measured.map(shown),
        outcome: match row.verdict.as_str() {
            "reproduced" => Outcome::Reproduced,
            "above" => Outcome::Above,
            "below" => Outcome::Below,
            _ => Outcome::NotMeasured(row.reason.clone()),
        },
        source: row.source.clone(),
    }
}
