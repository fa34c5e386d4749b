//! Which scores deserve trust, and whether the order of explainers is real.

use crate::number::fixed;
use crate::style::{Emphasis, Style, wrap};
use crate::table::{Cell, Table, TableColumn};
use crate::{Direction, Estimate};

/// A score and what it is worth here.
#[derive(Clone, Debug, PartialEq)]
pub struct TrustLine {
    /// Id of the score.
    pub score: String,
    /// Which values are better.
    pub better: Direction,
    /// Probability that the oracle scores better than the random control on an image.
    pub superiority: Option<Estimate>,
    /// By how many standard deviations of their difference it does.
    pub distance: Option<f64>,
    /// Share of variance on one image that is about the explainer.
    pub separation: Option<f64>,
    /// `trust`, `caution`, `says nothing here` or `describes`.
    pub verdict: String,
    /// Why.
    pub reason: String,
}

fn emphasis(verdict: &str) -> Emphasis {
    match verdict {
        "trust" => Emphasis::Good,
        "caution" => Emphasis::Caution,
        "describes" => Emphasis::Dim,
        _ => Emphasis::Bad,
    }
}

/// Columns from which on reasons are shown.
const WIDE: usize = 100;

/// The scores as a table under a line that says what it is, then `notes` (on the order of
/// explainers, say), a line each. Reasons are left out below 100 columns. Empty without scores.
#[must_use]
pub fn trust_text(lines: &[TrustLine], notes: &[String], style: &Style) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut columns = vec![
        TableColumn::left("score"),
        TableColumn::left("oracle > random"),
        TableColumn::right("SDs"),
        TableColumn::right("ICC"),
        TableColumn::left("verdict"),
    ];
    // Squeezed into a few columns a reason cannot be read; it stands in the file of results too.
    let reasons = style.width >= WIDE;
    if reasons {
        columns.push(TableColumn::prose("why"));
    }
    let mut table = Table::new(columns);
    for line in lines {
        let arrow = line.better.arrow(style.unicode);
        let gap = if arrow.is_empty() { "" } else { " " };
        let number = |value: Option<f64>, decimals: usize| {
            Cell::new(fixed(value.unwrap_or(f64::NAN), decimals, style))
        };
        let superiority = line.superiority.map_or_else(
            || style.dash().to_owned(),
            |one| crate::number::with_interval(&one, 2, style),
        );
        table.row(vec![
            Cell::new(format!("{}{gap}{arrow}", line.score)),
            Cell::new(superiority),
            number(line.distance, 1),
            number(line.separation, 2),
            Cell::styled(&line.verdict, emphasis(&line.verdict)),
            Cell::styled(&line.reason, Emphasis::Dim),
        ]);
    }
    let heading = "which scores to trust here (oracle > random: share of images on which the \
                   control that knows the object beats the one that knows nothing; SDs: by how \
                   many standard deviations; ICC: share of variance on one image that is about \
                   the explainer; of several models the weakest)";
    let mut text = String::new();
    for line in wrap(heading, style.width) {
        text.push_str(&style.paint(&line, Emphasis::Bold));
        text.push('\n');
    }
    text.push_str(&table.render(style));
    for note in notes {
        for line in wrap(&crate::style::clean(note), style.width) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(score: &str, verdict: &str, superiority: Option<Estimate>) -> TrustLine {
        TrustLine {
            score: score.to_owned(),
            better: Direction::Higher,
            superiority,
            distance: superiority.map(|one| 3.0 * one.value),
            separation: Some(0.42),
            verdict: verdict.to_owned(),
            reason: "oracle above random on 98% of images; explainers differ".to_owned(),
        }
    }

    #[test]
    fn scores_stand_with_their_verdicts() {
        let lines = vec![
            line("auroc", "trust", Some(Estimate::new(0.98, 0.95, 0.99))),
            line(
                "deletion_auc",
                "says nothing here",
                Some(Estimate::new(0.51, 0.44, 0.57)),
            ),
            TrustLine {
                better: Direction::Neither,
                separation: None,
                ..line("gini", "describes", None)
            },
        ];
        let notes = ["order across scores: W .31, weak agreement".to_owned()];
        insta::assert_snapshot!(trust_text(&lines, &notes, &Style::plain(110)), @r#"
        which scores to trust here (oracle > random: share of images on which the control that knows the object beats
        the one that knows nothing; SDs: by how many standard deviations; ICC: share of variance on one image that is
        about the explainer; of several models the weakest)
        score           oracle > random  SDs  ICC  verdict            why
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
        auroc ↑         .98 [.95–.99]    2.9  .42  trust              oracle above random on 98% of images; explainers
                                                                      differ
        deletion_auc ↑  .51 [.44–.57]    1.5  .42  says nothing here  oracle above random on 98% of images; explainers
                                                                      differ
        gini            –                  –    –  describes          oracle above random on 98% of images; explainers
                                                                      differ
        order across scores: W .31, weak agreement
        "#);
        insta::assert_snapshot!(trust_text(&lines[..2], &[], &Style::plain(80)), @r#"
        which scores to trust here (oracle > random: share of images on which the
        control that knows the object beats the one that knows nothing; SDs: by how many
        standard deviations; ICC: share of variance on one image that is about the
        explainer; of several models the weakest)
        score           oracle > random  SDs  ICC  verdict
        ────────────────────────────────────────────────────────────
        auroc ↑         .98 [.95–.99]    2.9  .42  trust
        deletion_auc ↑  .51 [.44–.57]    1.5  .42  says nothing here
        "#);
        assert_eq!(trust_text(&[], &notes, &Style::plain(80)), "");
    }
}
