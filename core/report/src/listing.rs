//! Lists: what failed and what to do, which plugins there are, which scores.

use crate::style::{Emphasis, Style, clean, wrap};
use crate::table::{Cell, Table, TableColumn};

/// A cell that did not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellFailure {
    /// Which: model × explainer, and the data set where there is more than one.
    pub cell: String,
    /// The recorded status: `crashed`, `timed out`, `unsupported`, …
    pub status: String,
    /// What happened.
    pub text: String,
    /// What the user can do; may be empty.
    pub remedy: String,
}

/// The failures, one paragraph each; empty text for none.
#[must_use]
pub fn failures_text(failures: &[CellFailure], style: &Style) -> String {
    let mut text = String::new();
    for failure in failures {
        let mark = style.paint(style.pick("✗", "x"), Emphasis::Bad);
        let cell = style.paint(&clean(&failure.cell), Emphasis::Bold);
        let status = style.paint(&clean(&failure.status), Emphasis::Bad);
        text.push_str(&format!("{mark} {cell} {} {status}\n", style.dash()));
        for (paragraph, emphasis) in [
            (&failure.text, Emphasis::Plain),
            (&failure.remedy, Emphasis::Dim),
        ] {
            if paragraph.is_empty() {
                continue;
            }
            for line in wrap(&clean(paragraph), style.width.saturating_sub(4)) {
                text.push_str(&format!("    {}\n", style.paint(&line, emphasis)));
            }
        }
    }
    text
}

/// A plugin that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRow {
    /// `model` or `explainer`, or another kind the ABI names.
    pub kind: String,
    /// The id used in suites.
    pub id: String,
    /// The plugin's own version.
    pub version: String,
    /// What it offers (models) or needs (explainers), by short names.
    pub capabilities: Vec<String>,
    /// One line about it.
    pub about: String,
    /// The library that holds it, as the reader would name it.
    pub library: String,
    /// Why it cannot be used, if so.
    pub refused: Option<String>,
}

/// The plugins as a table, in the order given; refused ones say why in place of the description.
#[must_use]
pub fn plugins_text(plugins: &[PluginRow], style: &Style) -> String {
    let mut table = Table::new(vec![
        TableColumn::left("kind"),
        TableColumn::left("id"),
        TableColumn::left("version"),
        TableColumn::prose("offers or needs"),
        TableColumn::prose("about"),
        TableColumn::prose("from"),
    ]);
    for plugin in plugins {
        let about = match &plugin.refused {
            Some(why) => Cell::styled(format!("refused: {why}"), Emphasis::Bad),
            None => Cell::new(&plugin.about),
        };
        table.row(vec![
            Cell::styled(&plugin.kind, Emphasis::Dim),
            Cell::styled(&plugin.id, Emphasis::Bold),
            Cell::new(&plugin.version),
            Cell::new(plugin.capabilities.join(", ")),
            about,
            Cell::styled(&plugin.library, Emphasis::Dim),
        ]);
    }
    table.render(style)
}

/// A score of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreRow {
    /// The question it answers: `mask`, `faithfulness`, …
    pub family: String,
    /// The id used in suites and files.
    pub id: String,
    /// Which values are better.
    pub direction: crate::Direction,
    /// Smallest and largest possible value, as text.
    pub range: String,
    /// One line about it.
    pub about: String,
    /// The source of its definition.
    pub citation: String,
}

/// The catalogue as a table, in the order given.
#[must_use]
pub fn catalogue_text(scores: &[ScoreRow], style: &Style) -> String {
    let mut table = Table::new(vec![
        TableColumn::left("score"),
        TableColumn::left("range"),
        TableColumn::prose("what it is"),
    ]);
    let mut family = "";
    for score in scores {
        // A family is named once, above its first score.
        if score.family != family {
            table.row(vec![
                Cell::styled(&score.family, Emphasis::Dim),
                Cell::new(""),
                Cell::new(""),
            ]);
            family = &score.family;
        }
        let arrow = score.direction.arrow(style.unicode);
        let gap = if arrow.is_empty() { "" } else { " " };
        let about = match score.citation.as_str() {
            "" => score.about.clone(),
            citation => format!("{} ({citation})", score.about),
        };
        table.row(vec![
            Cell::styled(format!("  {}{gap}{arrow}", score.id), Emphasis::Bold),
            Cell::new(&score.range),
            Cell::new(about),
        ]);
    }
    table.render(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Direction;

    #[test]
    fn a_failure_says_what_where_and_what_to_do() {
        let failures = [CellFailure {
            cell: "lenet × cam".to_owned(),
            status: "unsupported".to_owned(),
            text: "the explainer needs `linear` on the last feature layer; the model has two \
                   dense layers behind it"
                .to_owned(),
            remedy: "use gradcam, or leave the pair out of the suite".to_owned(),
        }];
        insta::assert_snapshot!(failures_text(&failures, &Style::plain(60)), @"
        ✗ lenet × cam – unsupported
            the explainer needs `linear` on the last feature layer;
            the model has two dense layers behind it
            use gradcam, or leave the pair out of the suite
        ");
        assert_eq!(failures_text(&[], &Style::plain(60)), "");
    }

    #[test]
    fn plugins_are_listed_with_why_one_was_refused() {
        let row = |id: &str, refused: Option<&str>| PluginRow {
            kind: "explainer".to_owned(),
            id: id.to_owned(),
            version: "0.1.0".to_owned(),
            capabilities: vec!["vjp".to_owned(), "layers".to_owned()],
            about: "class activation by gradients".to_owned(),
            library: "libxbench_cam.so".to_owned(),
            refused: refused.map(str::to_owned),
        };
        let rows = [
            row("gradcam", None),
            row("theirs", Some("built for ABI 2, this host has 1")),
        ];
        insta::assert_snapshot!(plugins_text(&rows, &Style::plain(100)), @"
        kind       id       version  offers or needs  about                                 from
        ────────────────────────────────────────────────────────────────────────────────────────────────────
        explainer  gradcam  0.1.0    vjp, layers      class activation by gradients         libxbench_cam.so
        explainer  theirs   0.1.0    vjp, layers      refused: built for ABI 2, this host   libxbench_cam.so
                                                      has 1
        ");
    }

    #[test]
    fn the_catalogue_names_each_family_once() {
        let row = |family: &str, id: &str, direction| ScoreRow {
            family: family.to_owned(),
            id: id.to_owned(),
            direction,
            range: "0..1".to_owned(),
            about: "share of relevance inside the mask".to_owned(),
            citation: "Arras et al. 2022".to_owned(),
        };
        let rows = [
            row("mask", "relevance-mass", Direction::Higher),
            row("mask", "auroc", Direction::Higher),
            row("complexity", "gini", Direction::Neither),
        ];
        insta::assert_snapshot!(catalogue_text(&rows, &Style::plain(100)), @"
        score               range  what it is
        ─────────────────────────────────────────────────────────────────────────────────
        mask
          relevance-mass ↑  0..1   share of relevance inside the mask (Arras et al. 2022)
          auroc ↑           0..1   share of relevance inside the mask (Arras et al. 2022)
        complexity
          gini              0..1   share of relevance inside the mask (Arras et al. 2022)
        ");
    }
}
