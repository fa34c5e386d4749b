//! Published figures beside measured ones, one line each, with what the comparison comes to.

use crate::number::{fixed, signed, with_interval};
use crate::style::{Emphasis, Style, wrap};
use crate::table::{Cell, Table, TableColumn};
use crate::{Direction, Estimate};

/// A published figure and what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What the figure is about: model, class or explainer, split.
    pub what: String,
    /// Id of the score.
    pub score: String,
    /// Which values of the score are better.
    pub better: Direction,
    /// The published value.
    pub published: f64,
    /// How far from it still counts as reproduced; 0 where nothing is known of its spread.
    pub tolerance: f64,
    /// What was measured, with its interval.
    pub measured: Option<Estimate>,
    /// What it comes to.
    pub outcome: Outcome,
    /// Where the figure was published.
    pub source: String,
}

/// What a comparison comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The measured interval meets the published value, give or take its tolerance.
    Reproduced,
    /// All of the interval lies above.
    Above,
    /// All of the interval lies below.
    Below,
    /// There is nothing to compare, for this reason.
    NotMeasured(String),
}

impl Outcome {
    /// The word shown for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Above => "above",
            Self::Below => "below",
            Self::NotMeasured(_) => "not measured",
        }
    }
}

impl Comparison {
    /// Whether it counts for the reproduction, where that can be said: reproduced or better
    /// (true), worse (false).
    #[must_use]
    pub fn reached(&self) -> Option<bool> {
        match (&self.outcome, self.better) {
            (Outcome::Reproduced, _) => Some(true),
            (Outcome::Above, Direction::Higher) | (Outcome::Below, Direction::Lower) => Some(true),
            (Outcome::Above, Direction::Lower) | (Outcome::Below, Direction::Higher) => Some(false),
            (Outcome::NotMeasured(_), _) | (_, Direction::Neither) => None,
        }
    }

    fn emphasis(&self) -> Emphasis {
        match (self.reached(), &self.outcome) {
            (Some(true), _) => Emphasis::Good,
            (Some(false), _) => Emphasis::Bad,
            (None, Outcome::NotMeasured(_)) => Emphasis::Dim,
            (None, _) => Emphasis::Caution,
        }
    }

    fn difference(&self) -> Option<f64> {
        self.measured
            .map(|measured| measured.value - self.published)
    }

    fn published_text(&self, style: &Style) -> String {
        let value = fixed(self.published, 4, style);
        if self.tolerance > 0.0 {
            let tolerance = fixed(self.tolerance, 4, style);
            format!("{value} {} {tolerance}", style.pick("±", "+-"))
        } else {
            value
        }
    }
}

/// How many figures were reproduced or better, worse, different without being either, and not
/// measured.
fn tally(rows: &[Comparison]) -> String {
    let count =
        |wanted: &dyn Fn(&Comparison) -> bool| rows.iter().filter(|row| wanted(row)).count();
    let missing = |row: &Comparison| matches!(row.outcome, Outcome::NotMeasured(_));
    let mut parts = vec![format!(
        "{} of {} reproduced or better",
        count(&|row| row.reached() == Some(true)),
        rows.len()
    )];
    for (number, word) in [
        (count(&|row| row.reached() == Some(false)), "worse"),
        (
            count(&|row| row.reached().is_none() && !missing(row)),
            "different",
        ),
        (count(&missing), "not measured"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    parts.join(", ")
}

/// The comparison as a table with a line that sums it up; the difference is measured less
/// published, the interval that of the measurement. Four digits, as accuracies are published.
/// Reasons why figures were not measured stand below, each once. Empty for no rows.
#[must_use]
pub fn comparison_text(rows: &[Comparison], style: &Style) -> String {
    if rows.is_empty() {
        return String::new();
    }
    // Sources stand in a column of their own where they fit, else above the rows they belong to.
    let beside = comparison_table(rows, style, true);
    let table = if beside.natural_width() <= style.width {
        beside
    } else {
        comparison_table(rows, style, false)
    };
    let mut text = table.render(style);
    for line in wrap(&tally(rows), style.width) {
        text.push_str(&style.paint(&line, Emphasis::Bold));
        text.push('\n');
    }
    let mut reasons: Vec<&str> = Vec::new();
    for row in rows {
        if let Outcome::NotMeasured(reason) = &row.outcome
            && !reason.is_empty()
            && !reasons.contains(&reason.as_str())
        {
            reasons.push(reason);
        }
    }
    for reason in reasons {
        let reason = crate::style::clean(reason);
        for line in wrap(&format!("not measured: {reason}"), style.width) {
            text.push_str(&style.paint(&line, Emphasis::Dim));
            text.push('\n');
        }
    }
    text
}

fn comparison_table(rows: &[Comparison], style: &Style, sources_beside: bool) -> Table {
    let mut columns = vec![
        TableColumn::prose("what"),
        TableColumn::left("score"),
        TableColumn::left("published"),
        TableColumn::left("measured"),
        TableColumn::right("difference"),
        TableColumn::left("verdict"),
    ];
    if sources_beside {
        columns.push(TableColumn::left("source"));
    }
    let mut table = Table::new(columns);
    let mut source = None;
    for row in rows {
        if !sources_beside && source != Some(&row.source) {
            table.heading(Cell::styled(&row.source, Emphasis::Dim));
            source = Some(&row.source);
        }
        let (measured, difference) = match (&row.measured, row.difference()) {
            (Some(measured), Some(difference)) => (
                with_interval(measured, 4, style),
                signed(difference, 4, style),
            ),
            _ => (style.dash().to_owned(), style.dash().to_owned()),
        };
        let gap = if row.better == Direction::Neither {
            ""
        } else {
            " "
        };
        let mut cells = vec![
            Cell::new(&row.what),
            Cell::new(format!(
                "{}{gap}{}",
                row.score,
                row.better.arrow(style.unicode)
            )),
            Cell::new(row.published_text(style)),
            Cell::new(measured),
            Cell::new(difference),
            Cell::styled(row.outcome.word(), row.emphasis()),
        ];
        if sources_beside {
            cells.push(Cell::styled(&row.source, Emphasis::Dim));
        }
        table.row(cells);
    }
    table
}

/// The comparison as a table in Markdown (GitHub's), for a document; empty for no rows.
#[must_use]
pub fn comparison_markdown(rows: &[Comparison]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    const STYLE: Style = Style::plain(usize::MAX);
    let mut text = String::from(
        "| what | score | published | measured | difference | verdict | source |\n\
         |---|---|---|---|---:|---|---|\n",
    );
    for row in rows {
        let measured = row.measured.as_ref();
        let verdict = match &row.outcome {
            Outcome::NotMeasured(reason) if !reason.is_empty() => format!("not measured: {reason}"),
            outcome => outcome.word().to_owned(),
        };
        let cells = [
            row.what.clone(),
            row.score.clone(),
            row.published_text(&STYLE),
            measured.map_or_else(String::new, |value| with_interval(value, 4, &STYLE)),
            row.difference()
                .map_or_else(String::new, |value| signed(value, 4, &STYLE)),
            verdict,
            row.source.clone(),
        ];
        text.push('|');
        for cell in cells {
            let cell = crate::style::clean(&cell)
                .replace('\\', "\\\\")
                .replace('|', "\\|");
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text.push_str(&format!("\n{}\n", tally(rows)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(what: &str, published: f64, measured: Option<Estimate>, outcome: Outcome) -> Comparison {
        Comparison {
            what: what.to_owned(),
            score: "accuracy".to_owned(),
            better: Direction::Higher,
            published,
            tolerance: 0.0,
            measured,
            outcome,
            source: "study, table 2".to_owned(),
        }
    }

    fn rows() -> Vec<Comparison> {
        let measured = Some(Estimate::new(0.919, 0.9136, 0.9243));
        vec![
            row("cnn-gap", 0.9086, measured, Outcome::Above),
            Comparison {
                score: "log_loss".to_owned(),
                better: Direction::Lower,
                tolerance: 0.01,
                ..row(
                    "cnn-gap",
                    0.2089,
                    Some(Estimate::new(0.25, 0.24, 0.26)),
                    Outcome::Above,
                )
            },
            Comparison {
                score: "f1".to_owned(),
                ..row("cnn-gap, Shirt", 0.92, measured, Outcome::Reproduced)
            },
            Comparison {
                better: Direction::Neither,
                score: "gini".to_owned(),
                ..row("cnn-gap × cam", 0.95, measured, Outcome::Below)
            },
            row(
                "resnet-spn | masks 1",
                0.913,
                None,
                Outcome::NotMeasured("no ImageNet weights".to_owned()),
            ),
        ]
    }

    #[test]
    fn published_and_measured_stand_side_by_side() {
        insta::assert_snapshot!(comparison_text(&rows(), &Style::plain(110)), @"
        what                  score       published      measured             difference  verdict       source
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
        cnn-gap               accuracy ↑  .9086          .9190 [.9136–.9243]      +.0104  above         study, table 2
        cnn-gap               log_loss ↓  .2089 ± .0100  .2500 [.2400–.2600]      +.0411  above         study, table 2
        cnn-gap, Shirt        f1 ↑        .9200          .9190 [.9136–.9243]      -.0010  reproduced    study, table 2
        cnn-gap × cam         gini        .9500          .9190 [.9136–.9243]      -.0310  below         study, table 2
        resnet-spn | masks 1  accuracy ↑  .9130          –                             –  not measured  study, table 2
        2 of 5 reproduced or better, 1 worse, 1 different, 1 not measured
        not measured: no ImageNet weights
        ");
        let ascii = Style {
            unicode: false,
            ..Style::plain(80)
        };
        insta::assert_snapshot!(comparison_text(&rows()[1..2], &ascii), @"
        what     score       published       measured             difference  verdict
        -----------------------------------------------------------------------------
        study, table 2
        cnn-gap  log_loss v  .2089 +- .0100  .2500 [.2400-.2600]      +.0411  above
        0 of 1 reproduced or better, 1 worse
        ");
        assert_eq!(comparison_text(&[], &ascii), "");
    }

    #[test]
    fn markdown_cells_are_escaped() {
        insta::assert_snapshot!(comparison_markdown(&rows()), @r#"
        | what | score | published | measured | difference | verdict | source |
        |---|---|---|---|---:|---|---|
        | cnn-gap | accuracy | .9086 | .9190 [.9136–.9243] | +.0104 | above | study, table 2 |
        | cnn-gap | log_loss | .2089 ± .0100 | .2500 [.2400–.2600] | +.0411 | above | study, table 2 |
        | cnn-gap, Shirt | f1 | .9200 | .9190 [.9136–.9243] | -.0010 | reproduced | study, table 2 |
        | cnn-gap × cam | gini | .9500 | .9190 [.9136–.9243] | -.0310 | below | study, table 2 |
        | resnet-spn \| masks 1 | accuracy | .9130 |  |  | not measured: no ImageNet weights | study, table 2 |

        2 of 5 reproduced or better, 1 worse, 1 different, 1 not measured
        "#);
    }

    #[test]
    fn better_counts_as_reached_and_worse_does_not() {
        let reached: Vec<Option<bool>> = rows().iter().map(Comparison::reached).collect();
        assert_eq!(reached, [Some(true), Some(false), Some(true), None, None]);
    }
}
