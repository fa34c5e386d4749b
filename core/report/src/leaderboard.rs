//! The leaderboard in the terminal: one block per model, explainers and controls together.
//!
//! The terminal is a window onto `leaderboard.csv`, not a replacement: what does not fit is left
//! out in a fixed order (ends of long names, intervals, score columns from the last, costs) and
//! named in the last line, never squeezed until it misleads.

mod grid;

use self::grid::Grid;
use crate::number::{fixed, with_interval};
use crate::style::{Emphasis, Style, clean, wrap};
use crate::{Direction, Estimate};

/// Everything the terminal leaderboard shows.
#[derive(Clone, Debug)]
pub struct LeaderboardView {
    /// Name of the suite.
    pub suite: String,
    /// The data set the numbers stand for.
    pub data_set: String,
    /// Images explained per row.
    pub n: usize,
    /// The scores, most important first: the last is the first to be left out.
    pub columns: Vec<Column>,
    /// One block per model, in the order shown.
    pub models: Vec<ModelBlock>,
    /// What a reader must know before trusting the table, one sentence each.
    pub warnings: Vec<String>,
    /// Where the complete table is, as the reader would type it.
    pub full_table: String,
}

/// A score.
#[derive(Clone, Debug)]
pub struct Column {
    /// The score's id in the catalogue.
    pub id: String,
    /// A short heading, a word or two.
    pub title: String,
    /// Which values are better.
    pub direction: Direction,
    /// What a map that knows nothing would score, where that is known.
    pub chance: Option<f64>,
}

/// A model and the explainers run on it.
#[derive(Clone, Debug)]
pub struct ModelBlock {
    /// The model's name, with its preset where there is more than one.
    pub name: String,
    /// Share of test images classified correctly, 0–1.
    pub accuracy: Option<Estimate>,
    /// Unweighted mean of the per-class F1 scores, 0–1.
    pub macro_f1: Option<f64>,
    /// Explainers and controls, in any order.
    pub rows: Vec<Row>,
}

/// An explainer on a model.
#[derive(Clone, Debug)]
pub struct Row {
    /// The explainer with its parameters, as in the suite.
    pub explainer: String,
    /// Whether it is a control rather than a contestant.
    pub control: bool,
    /// What became of its cells.
    pub status: RowStatus,
    /// Names of the groups it belongs to, a letter each; rows that share one cannot be told apart.
    /// Empty for none.
    pub group: String,
    /// Mean rank over the suite's named scores, 1 is best.
    pub mean_rank: Option<f64>,
    /// Interval of the mean rank, low then high.
    pub rank_interval: Option<(f64, f64)>,
    /// Probability that its mean rank is the best, over resamples of the images.
    pub p_first: Option<f64>,
    /// One entry per [`LeaderboardView::columns`]; `None` where the score does not apply.
    pub scores: Vec<Option<Estimate>>,
    /// Images the model evaluated per explanation.
    pub forward_rows: Option<f64>,
    /// Images whose gradients were computed per explanation.
    pub backward_rows: Option<f64>,
    /// CPU time per explanation in milliseconds.
    pub ms_per_image: Option<Estimate>,
    /// Whether it does better than the controls; `None` where that was not decided.
    pub beats_controls: Option<bool>,
}

/// What became of a row's cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowStatus {
    /// Every chunk was computed.
    Complete,
    /// Something is missing: the recorded status word (`crashed`, `unsupported`, …) and why.
    /// The scores that were reached are shown if `partial`.
    Incomplete {
        /// The recorded status.
        status: String,
        /// Why, in a few words; may be empty.
        note: String,
        /// Whether the row's scores stand for the part that was computed.
        partial: bool,
    },
}

/// Which parts of the table fit the width.
#[derive(Clone, Copy)]
struct Layout {
    intervals: bool,
    scores: usize,
    costs: bool,
    /// Columns that an explainer's name may take.
    name: usize,
}

const LONG_NAME: usize = 40;
const SHORT_NAME: usize = 24;

/// The leaderboard as text, ending in a newline.
///
/// Rows are sorted by mean rank, rows without one last, ties by name. The best contestant of a
/// column is bold (marked `*` where there is no colour); controls are dim and never marked.
#[must_use]
pub fn leaderboard_text(view: &LeaderboardView, style: &Style) -> String {
    let dot = style.dot();
    let mut text = format!(
        "{} {dot} {} {dot} {} {} per row\n",
        style.paint(&clean(&view.suite), Emphasis::Bold),
        clean(&view.data_set),
        view.n,
        if view.n == 1 { "image" } else { "images" },
    );
    let layout = choose_layout(view, style);
    let grid = Grid::build(view, layout, style);
    for (model, block) in view.models.iter().zip(&grid.blocks) {
        text.push('\n');
        text.push_str(&model_heading(model, style));
        grid.render(block, style, &mut text);
    }
    text.push('\n');
    for line in footnotes(view, layout, style) {
        for line in wrap(&line, style.width) {
            text.push_str(&style.paint(&line, Emphasis::Dim));
            text.push('\n');
        }
    }
    for warning in &view.warnings {
        for (i, line) in wrap(&clean(warning), style.width.saturating_sub(2))
            .iter()
            .enumerate()
        {
            let mark = if i == 0 { "! " } else { "  " };
            text.push_str(&style.paint(&format!("{mark}{line}"), Emphasis::Caution));
            text.push('\n');
        }
    }
    text
}

fn choose_layout(view: &LeaderboardView, style: &Style) -> Layout {
    let all = view.columns.len();
    let least = all.min(3);
    let full = Layout {
        intervals: true,
        scores: all,
        costs: true,
        name: LONG_NAME,
    };
    let mut candidates = vec![
        full,
        Layout {
            name: SHORT_NAME,
            ..full
        },
    ];
    candidates.push(Layout {
        intervals: false,
        ..full
    });
    let narrow = Layout {
        intervals: false,
        name: SHORT_NAME,
        ..full
    };
    candidates.extend(
        (least..=all)
            .rev()
            .map(|scores| Layout { scores, ..narrow }),
    );
    let bare = Layout {
        costs: false,
        ..narrow
    };
    candidates.extend((0..=least).rev().map(|scores| Layout { scores, ..bare }));
    let fits = |layout: &Layout| Grid::build(view, *layout, style).width() <= style.width;
    let narrowest = *candidates.last().expect("the list above is never empty");
    candidates.into_iter().find(fits).unwrap_or(narrowest)
}

fn model_heading(model: &ModelBlock, style: &Style) -> String {
    let mut parts = vec![style.paint(&clean(&model.name), Emphasis::Bold)];
    if let Some(accuracy) = &model.accuracy {
        parts.push(format!("accuracy {}", with_interval(accuracy, 3, style)));
    }
    if let Some(f1) = model.macro_f1 {
        parts.push(format!("macro F1 {}", fixed(f1, 3, style)));
    }
    parts.join(&format!(" {} ", style.dot())) + "\n"
}

fn footnotes(view: &LeaderboardView, layout: Layout, style: &Style) -> Vec<String> {
    let rows = || view.models.iter().flat_map(|model| &model.rows);
    let mut notes = vec![if style.colour {
        "bold: best explainer of the column".to_owned()
    } else {
        "*: best explainer of the column".to_owned()
    }];
    let has_intervals = rows().flat_map(|row| row.scores.iter().flatten());
    let has_intervals = has_intervals.filter(|e| e.half_width().is_some()).count() > 0;
    if layout.intervals && has_intervals {
        notes.push(format!("{}: half the 95% interval", style.pick("±", "+-")));
    }
    if rows().any(|row| !row.control && row.beats_controls == Some(false)) {
        notes.push(format!(
            "{}: no better than a control",
            style.pick("≈control", "~control")
        ));
    }
    if rows().any(|row| !row.group.is_empty()) {
        notes.push("same letter: ranks cannot be told apart".to_owned());
    }
    if layout.intervals && rows().any(|row| row.p_first.is_some()) {
        notes.push("1st: share of resamples in which it ranks first".to_owned());
    }
    if layout.costs {
        notes.push(
            "fwd, bwd, ms: images evaluated, gradients computed, CPU time per explanation"
                .to_owned(),
        );
    }
    let mut left_out = Vec::new();
    if !layout.intervals && has_intervals {
        left_out.push("intervals".to_owned());
    }
    left_out.extend(
        view.columns[layout.scores..]
            .iter()
            .map(|c| clean(&c.title)),
    );
    if !layout.costs {
        left_out.push("costs".to_owned());
    }
    let separator = format!(" {} ", style.dot());
    let mut lines = vec![notes.join(&separator)];
    let table = clean(&view.full_table);
    lines.push(if left_out.is_empty() {
        format!("full table: {table}")
    } else {
        format!(
            "left out at this width: {} {} full table: {table}",
            left_out.join(", "),
            style.dot()
        )
    });
    lines
}
