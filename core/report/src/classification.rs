//! How right a classifier is, and whether it is as sure as it should be, as text.

use crate::Estimate;
use crate::number::{fixed, with_interval};
use crate::style::{Emphasis, Style, clean};
use crate::table::{Cell, Table, TableColumn};

/// A classification report.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassificationReport {
    /// What it describes: model and data set.
    pub title: String,
    /// One per class, in class order.
    pub classes: Vec<ClassLine>,
    /// Means over the classes: `macro average`, `weighted average`.
    pub averages: Vec<ClassLine>,
    /// Figures of the whole, such as accuracy and calibration error, in the order given.
    pub figures: Vec<(String, Estimate)>,
}

/// Scores of a class, or of a mean over classes. All are shares, 0–1; NaN where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassLine {
    /// The class or the mean.
    pub name: String,
    /// Share of its predictions that are right.
    pub precision: Estimate,
    /// Share of its examples that are found; also called sensitivity.
    pub recall: Estimate,
    /// Share of the others' examples that are not taken for it.
    pub specificity: Estimate,
    /// Harmonic mean of precision and recall.
    pub f1: Estimate,
    /// Its examples.
    pub support: u64,
}

/// The report as a table, a line per class, and the figures below. Intervals are shown where
/// there are any and the width holds them.
#[must_use]
pub fn classification_text(report: &ClassificationReport, style: &Style) -> String {
    // Escape sequences take no columns: the plain text decides what fits.
    let plain = Style {
        colour: false,
        ..*style
    };
    let widest = class_table(report, &plain, true).render(&plain);
    let widest = widest.lines().map(crate::style::width_of).max();
    let intervals = widest.is_none_or(|widest| widest <= style.width);
    let table = class_table(report, style, intervals).render(style);
    let mut text = style.paint(&clean(&report.title), Emphasis::Bold) + "\n" + &table;
    if !report.figures.is_empty() {
        let mut figures = Table::new(vec![TableColumn::left(""), TableColumn::left("")]);
        for (name, estimate) in &report.figures {
            figures.row(vec![
                Cell::new(name),
                Cell::new(with_interval(estimate, 4, style)),
            ]);
        }
        text.push('\n');
        text.push_str(&figures.render(style));
    }
    text
}

fn class_table(report: &ClassificationReport, style: &Style, intervals: bool) -> Table {
    let names = ["precision", "recall (sensitivity)", "specificity", "F1"];
    let mut columns = vec![TableColumn::left("class")];
    columns.extend(names.map(|name| {
        if intervals {
            TableColumn::left(name)
        } else {
            TableColumn::right(name)
        }
    }));
    columns.push(TableColumn::right("support"));
    let mut table = Table::new(columns);
    let groups = [
        (&report.classes, Emphasis::Plain),
        (&report.averages, Emphasis::Bold),
    ];
    for (lines, emphasis) in groups {
        for line in lines {
            let mut cells = vec![Cell::styled(style.elide(&line.name, 24), emphasis)];
            for score in [line.precision, line.recall, line.specificity, line.f1] {
                let text = if intervals {
                    with_interval(&score, 3, style)
                } else {
                    fixed(score.value, 3, style)
                };
                cells.push(Cell::styled(text, emphasis));
            }
            cells.push(Cell::styled(line.support.to_string(), emphasis));
            table.row(cells);
        }
    }
    table
}

/// A model among others.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelLine {
    /// The model, with its preset where there is more than one.
    pub name: String,
    /// Examples classified.
    pub n: usize,
    /// Share of them that are right, 0–1.
    pub accuracy: Option<Estimate>,
    /// Mean of the classes' F1, 0–1.
    pub macro_f1: Option<Estimate>,
    /// Mean −ln of the label's probability, in nats.
    pub log_loss: Option<Estimate>,
    /// Expected calibration error, 0–1.
    pub calibration_error: Option<Estimate>,
    /// Why it could not be used; then nothing else is known.
    pub error: Option<String>,
}

/// The models below each other: the short answer to how right they are.
#[must_use]
pub fn models_text(models: &[ModelLine], style: &Style) -> String {
    let mut table = Table::new(vec![
        TableColumn::left("model"),
        TableColumn::right("n"),
        TableColumn::left("accuracy"),
        TableColumn::left("macro F1"),
        TableColumn::right("log loss"),
        TableColumn::right("ECE"),
    ]);
    for model in models {
        let mut cells = vec![Cell::styled(&model.name, Emphasis::Bold)];
        if model.error.is_some() {
            cells.push(Cell::styled(style.dash(), Emphasis::Dim));
            cells.push(Cell::styled("failed", Emphasis::Bad));
            table.row(cells);
            continue;
        }
        cells.push(Cell::new(model.n.to_string()));
        for score in [&model.accuracy, &model.macro_f1] {
            cells.push(match score {
                Some(score) => Cell::new(with_interval(score, 4, style)),
                None => Cell::styled(style.dash(), Emphasis::Dim),
            });
        }
        for score in [&model.log_loss, &model.calibration_error] {
            cells.push(match score {
                Some(score) => Cell::new(fixed(score.value, 4, style)),
                None => Cell::styled(style.dash(), Emphasis::Dim),
            });
        }
        table.row(cells);
    }
    table.render(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, support: u64) -> ClassLine {
        ClassLine {
            name: name.to_owned(),
            precision: Estimate::new(0.91, 0.89, 0.93),
            recall: Estimate::new(0.84, 0.82, 0.86),
            specificity: Estimate::new(0.991, 0.989, 0.993),
            f1: Estimate::exact(0.875),
            support,
        }
    }

    fn report() -> ClassificationReport {
        ClassificationReport {
            title: "lenet on fashion-mnist, test".to_owned(),
            classes: vec![line("T-shirt/top", 1000), line("Trouser", 1000)],
            averages: vec![line("macro average", 2000), line("weighted average", 2000)],
            figures: vec![
                ("accuracy".to_owned(), Estimate::new(0.9245, 0.9193, 0.9296)),
                ("ECE".to_owned(), Estimate::exact(0.0123)),
            ],
        }
    }

    #[test]
    fn classes_stand_above_their_averages() {
        insta::assert_snapshot!(classification_text(&report(), &Style::plain(80)), @"
        lenet on fashion-mnist, test
        class             precision  recall (sensitivity)  specificity    F1  support
        ─────────────────────────────────────────────────────────────────────────────
        T-shirt/top            .910                  .840         .991  .875     1000
        Trouser                .910                  .840         .991  .875     1000
        macro average          .910                  .840         .991  .875     2000
        weighted average       .910                  .840         .991  .875     2000

        accuracy  .9245 [.9193–.9296]
        ECE       .0123
        ");
        insta::assert_snapshot!(classification_text(&report(), &Style::plain(120)), @"
        lenet on fashion-mnist, test
        class             precision         recall (sensitivity)  specificity       F1    support
        ─────────────────────────────────────────────────────────────────────────────────────────
        T-shirt/top       .910 [.890–.930]  .840 [.820–.860]      .991 [.989–.993]  .875     1000
        Trouser           .910 [.890–.930]  .840 [.820–.860]      .991 [.989–.993]  .875     1000
        macro average     .910 [.890–.930]  .840 [.820–.860]      .991 [.989–.993]  .875     2000
        weighted average  .910 [.890–.930]  .840 [.820–.860]      .991 [.989–.993]  .875     2000

        accuracy  .9245 [.9193–.9296]
        ECE       .0123
        ");
    }

    #[test]
    fn colour_does_not_decide_what_fits() {
        let colour = Style {
            colour: true,
            ..Style::plain(120)
        };
        assert!(classification_text(&report(), &colour).contains("[.890–.930]"));
        let narrow = Style {
            colour: true,
            ..Style::plain(80)
        };
        assert!(!classification_text(&report(), &narrow).contains("[.890–.930]"));
    }

    #[test]
    fn models_are_compared_in_a_line_each() {
        let model = ModelLine {
            name: "lenet (best)".to_owned(),
            n: 10_000,
            accuracy: Some(Estimate::new(0.9245, 0.9193, 0.9296)),
            macro_f1: Some(Estimate::new(0.9241, 0.9189, 0.9291)),
            log_loss: Some(Estimate::new(0.2112, 0.2, 0.22)),
            calibration_error: Some(Estimate::exact(0.0123)),
            error: None,
        };
        let models = [
            model.clone(),
            ModelLine {
                name: "svm-values".to_owned(),
                log_loss: None,
                calibration_error: None,
                ..model.clone()
            },
            ModelLine {
                name: "broken".to_owned(),
                error: Some("no weights".to_owned()),
                ..model
            },
        ];
        insta::assert_snapshot!(models_text(&models, &Style::plain(80)), @"
        model             n  accuracy             macro F1             log loss    ECE
        ──────────────────────────────────────────────────────────────────────────────
        lenet (best)  10000  .9245 [.9193–.9296]  .9241 [.9189–.9291]     .2112  .0123
        svm-values    10000  .9245 [.9193–.9296]  .9241 [.9189–.9291]         –      –
        broken            –  failed
        ");
    }
}
