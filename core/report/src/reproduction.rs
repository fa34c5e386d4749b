//! Published numbers beside ours.

use crate::Estimate;
use crate::number::{fixed, signed, with_interval};
use crate::style::{Emphasis, Style};
use crate::table::{Cell, Table, TableColumn};

/// A published number and what was measured.
#[derive(Clone, Debug)]
pub struct ReproductionRow {
    /// What was measured: model, preset, score.
    pub what: String,
    /// Where the published number stands.
    pub source: String,
    /// The published number.
    pub published: f64,
    /// Ours, with its interval; `None` if not measured.
    pub measured: Option<Estimate>,
    /// What the comparison comes to.
    pub verdict: Verdict,
}

/// What a comparison with a published number comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The published number lies within the interval or tolerance asked for.
    Reproduced,
    /// Ours is better.
    Better,
    /// Ours is worse.
    Worse,
    /// There is nothing to compare yet.
    NotMeasured,
}

impl Verdict {
    /// The word shown for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NotMeasured => "not measured",
        }
    }

    fn emphasis(self) -> Emphasis {
        match self {
            Self::Reproduced | Self::Better => Emphasis::Good,
            Self::Worse => Emphasis::Bad,
            Self::NotMeasured => Emphasis::Dim,
        }
    }
}

/// The comparison as a table; the difference is measured minus published. Four digits, as
/// accuracies are published.
#[must_use]
pub fn reproduction_text(rows: &[ReproductionRow], style: &Style) -> String {
    let mut table = Table::new(vec![
        TableColumn::prose("what"),
        TableColumn::right("published"),
        TableColumn::left("measured"),
        TableColumn::right("difference"),
        TableColumn::left("verdict"),
        TableColumn::prose("source"),
    ]);
    for row in rows {
        let (measured, difference) = match &row.measured {
            Some(measured) => (
                with_interval(measured, 4, style),
                signed(measured.value - row.published, 4, style),
            ),
            None => (style.dash().to_owned(), style.dash().to_owned()),
        };
        table.row(vec![
            Cell::new(&row.what),
            Cell::new(fixed(row.published, 4, style)),
            Cell::new(measured),
            Cell::new(difference),
            Cell::styled(row.verdict.word(), row.verdict.emphasis()),
            Cell::styled(&row.source, Emphasis::Dim),
        ]);
    }
    table.render(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_and_measured_stand_side_by_side() {
        let rows = [
            ReproductionRow {
                what: "cnn-gap best, accuracy".to_owned(),
                source: "study, table 2".to_owned(),
                published: 0.9086,
                measured: Some(Estimate::new(0.919, 0.9136, 0.9243)),
                verdict: Verdict::Better,
            },
            ReproductionRow {
                what: "lenet published, accuracy".to_owned(),
                source: "study, table 2".to_owned(),
                published: 0.9126,
                measured: None,
                verdict: Verdict::NotMeasured,
            },
        ];
        insta::assert_snapshot!(reproduction_text(&rows, &Style::plain(120)), @"
        what                       published  measured             difference  verdict       source
        ───────────────────────────────────────────────────────────────────────────────────────────────────
        cnn-gap best, accuracy         .9086  .9190 [.9136–.9243]      +.0104  better        study, table 2
        lenet published, accuracy      .9126  –                             –  not measured  study, table 2
        ");
        insta::assert_snapshot!(
            reproduction_text(&rows[..1], &Style { unicode: false, ..Style::plain(80) }), @"
            what           published  measured             difference  verdict  source
            --------------------------------------------------------------------------------
            cnn-gap best,      .9086  .9190 [.9136-.9243]      +.0104  better   study, table
            accuracy                                                            2
            ");
    }
}
