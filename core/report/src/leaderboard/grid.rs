//! The cells of the leaderboard: formatted with the same digits down a column, measured over all
//! models so that the blocks line up.

use super::{Layout, LeaderboardView, ModelBlock, Row, RowStatus};
use crate::Estimate;
use crate::number::{count, decimals_for, fixed, largest, milliseconds};
use crate::style::{Emphasis, Style, clean, width_of};
use crate::table::{Align, Cell, pad};

/// The whole board at one layout.
pub(super) struct Grid {
    heading: Vec<Cell>,
    aligns: Vec<Align>,
    widths: Vec<usize>,
    /// The lines of each model, in the view's order.
    pub(super) blocks: Vec<Vec<Line>>,
}

/// One line of a block.
pub(super) struct Line {
    cells: Vec<Cell>,
    /// Text standing in place of the cells behind the name.
    instead: Option<Cell>,
}

/// Cells before the scores: rank, share of first places, group, explainer.
const LEADING: usize = 4;
const GAP: &str = "  ";

impl Grid {
    pub(super) fn build(view: &LeaderboardView, layout: Layout, style: &Style) -> Self {
        let columns = &view.columns[..layout.scores];
        let mut heading = vec![
            Cell::styled("rank", Emphasis::Bold),
            first_heading(view, layout),
            Cell::default(),
            Cell::styled("explainer", Emphasis::Bold),
        ];
        let mut aligns = vec![Align::Left, Align::Right, Align::Left, Align::Left];
        for column in columns {
            let arrow = column.direction.arrow(style.unicode);
            let gap = if arrow.is_empty() { "" } else { " " };
            heading.push(Cell::styled(
                format!("{}{gap}{arrow}", column.title),
                Emphasis::Bold,
            ));
        }
        if layout.costs {
            heading.extend(["fwd", "bwd", "ms"].map(|t| Cell::styled(t, Emphasis::Bold)));
        }
        aligns.resize(heading.len(), Align::Right);

        let scores = ScoreCells::new(view, layout, style);
        let blocks: Vec<Vec<Line>> = view
            .models
            .iter()
            .map(|model| scores.block(view, model))
            .collect();
        let mut widths: Vec<usize> = heading.iter().map(|cell| width_of(&cell.text)).collect();
        for cells in blocks.iter().flatten().map(|line| &line.cells) {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(width_of(&cell.text));
            }
        }
        Self {
            heading,
            aligns,
            widths,
            blocks,
        }
    }

    fn shown(&self) -> impl Iterator<Item = usize> {
        // The group column has no heading and vanishes where nobody is grouped.
        (0..self.widths.len()).filter(|&i| self.widths[i] > 0)
    }

    pub(super) fn width(&self) -> usize {
        let columns = self.shown().count();
        self.shown().map(|i| self.widths[i]).sum::<usize>() + GAP.len() * columns.saturating_sub(1)
    }

    pub(super) fn render(&self, lines: &[Line], style: &Style, text: &mut String) {
        self.push(&self.heading, None, style, text);
        for line in lines {
            self.push(&line.cells, line.instead.as_ref(), style, text);
        }
    }

    fn push(&self, cells: &[Cell], instead: Option<&Cell>, style: &Style, text: &mut String) {
        let mut pieces = Vec::new();
        for i in self.shown().filter(|&i| instead.is_none() || i < LEADING) {
            let cell = cells.get(i).cloned().unwrap_or_default();
            pieces.push(pad(
                &cell.text,
                self.widths[i],
                self.aligns[i],
                cell.emphasis,
                style,
            ));
        }
        if let Some(instead) = instead {
            let room = style
                .width
                .max(self.width())
                .saturating_sub(self.leading_width());
            pieces.push(style.paint(&style.elide(&instead.text, room), instead.emphasis));
        }
        text.push_str(pieces.join(GAP).trim_end());
        text.push('\n');
    }

    fn leading_width(&self) -> usize {
        self.shown()
            .filter(|&i| i < LEADING)
            .map(|i| self.widths[i] + GAP.len())
            .sum()
    }
}

/// Formats the cells of every block with the same digits per column.
struct ScoreCells<'a> {
    layout: Layout,
    style: &'a Style,
    decimals: Vec<usize>,
}

impl<'a> ScoreCells<'a> {
    fn new(view: &LeaderboardView, layout: Layout, style: &'a Style) -> Self {
        let decimals = (0..layout.scores)
            .map(|i| {
                let rows = view.models.iter().flat_map(|model| &model.rows);
                let values = rows.filter_map(|row| row.scores.get(i).copied().flatten());
                decimals_for(largest(
                    values.map(|e| e.value).chain(view.columns[i].chance),
                ))
            })
            .collect();
        Self {
            layout,
            style,
            decimals,
        }
    }

    fn block(&self, view: &LeaderboardView, model: &ModelBlock) -> Vec<Line> {
        let best: Vec<Option<f64>> = (0..self.layout.scores)
            .map(|i| {
                let contestants = model
                    .rows
                    .iter()
                    .filter(|r| !r.control && r.status == RowStatus::Complete);
                let values = contestants.filter_map(|row| row.scores.get(i).copied().flatten());
                view.columns[i].direction.best(values.map(|e| e.value))
            })
            .collect();
        let mut rows: Vec<&Row> = model.rows.iter().collect();
        rows.sort_by(|a, b| {
            let rank = |row: &Row| row.mean_rank.filter(|r| r.is_finite()).unwrap_or(f64::MAX);
            rank(a)
                .total_cmp(&rank(b))
                .then_with(|| a.explainer.cmp(&b.explainer))
        });
        let mut lines: Vec<Line> = rows.into_iter().map(|row| self.line(row, &best)).collect();
        if view.columns[..self.layout.scores]
            .iter()
            .any(|c| c.chance.is_some())
        {
            lines.push(self.chance(view));
        }
        lines
    }

    fn line(&self, row: &Row, best: &[Option<f64>]) -> Line {
        let style = self.style;
        let mut cells = vec![
            self.rank(row),
            self.first(row),
            Cell::new(&row.group),
            self.name(row),
        ];
        let instead = match &row.status {
            RowStatus::Incomplete {
                status,
                note,
                partial: false,
            } => {
                let gap = if note.is_empty() { "" } else { ": " };
                Some(Cell::styled(format!("{status}{gap}{note}"), Emphasis::Bad))
            }
            _ => None,
        };
        if instead.is_none() {
            for (i, &best) in best.iter().enumerate() {
                let estimate = row.scores.get(i).copied().flatten();
                let is_best = !row.control
                    && row.status == RowStatus::Complete
                    && estimate.is_some_and(|e| Some(e.value) == best);
                cells.push(self.score(i, estimate, is_best, row.control));
            }
            if self.layout.costs {
                let cost = |value: Option<f64>| count(value.unwrap_or(f64::NAN), style);
                let time = row.ms_per_image.map_or(f64::NAN, |e| e.value);
                for text in [
                    cost(row.forward_rows),
                    cost(row.backward_rows),
                    milliseconds(time, style),
                ] {
                    cells.push(Cell::styled(text, dim_if(row.control)));
                }
            }
        }
        Line { cells, instead }
    }

    fn rank(&self, row: &Row) -> Cell {
        let emphasis = dim_if(row.control);
        let Some(rank) = row.mean_rank.filter(|rank| rank.is_finite()) else {
            return Cell::styled(format!("   {}", self.style.dash()), Emphasis::Dim);
        };
        let text = match row.rank_interval {
            Some((low, high)) if self.layout.intervals => {
                format!("{rank:>4.1} [{low:.1}{}{high:.1}]", self.style.dash())
            }
            _ => format!("{rank:>4.1}"),
        };
        Cell::styled(text, emphasis)
    }

    /// Share of first places, two digits; nothing where intervals are left out.
    fn first(&self, row: &Row) -> Cell {
        match row.p_first.filter(|_| self.layout.intervals) {
            Some(share) => Cell::styled(fixed(share, 2, self.style), dim_if(row.control)),
            None => Cell::default(),
        }
    }

    fn name(&self, row: &Row) -> Cell {
        let style = self.style;
        let mark = if row.control {
            style.pick(" ·control", " -control")
        } else if row.beats_controls == Some(false) {
            style.pick(" ≈control", " ~control")
        } else {
            ""
        };
        let partial = match &row.status {
            RowStatus::Incomplete {
                partial: true,
                status,
                ..
            } => format!(" ({status})"),
            _ => String::new(),
        };
        let name = style.elide_middle(&clean(&row.explainer), self.layout.name);
        let emphasis = if row.control {
            Emphasis::Dim
        } else if !mark.is_empty() || !partial.is_empty() {
            Emphasis::Caution
        } else {
            Emphasis::Plain
        };
        Cell::styled(format!("{name}{mark}{partial}"), emphasis)
    }

    fn score(&self, column: usize, estimate: Option<Estimate>, best: bool, dim: bool) -> Cell {
        let style = self.style;
        let decimals = self.decimals[column];
        let Some(estimate) = estimate else {
            return Cell::styled(self.filled(style.dash(), ""), dim_if(true));
        };
        let value = fixed(estimate.value, decimals, style);
        let half = match estimate.half_width() {
            Some(half) if self.layout.intervals => {
                format!("{}{}", style.pick("±", "+-"), fixed(half, decimals, style))
            }
            _ => String::new(),
        };
        let mark = if best && !style.colour { "*" } else { "" };
        let emphasis = if best { Emphasis::Bold } else { dim_if(dim) };
        Cell::styled(self.filled(&format!("{value}{mark}"), &half), emphasis)
    }

    /// Keeps the values below one another: room for the mark, and for the interval if there are
    /// any in the table.
    fn filled(&self, value: &str, half: &str) -> String {
        let style = self.style;
        let marked = value.ends_with('*') || (style.colour && !self.layout.intervals);
        let value = if marked {
            value.to_owned()
        } else {
            format!("{value} ")
        };
        if !self.layout.intervals {
            return value;
        }
        let room = width_of(style.pick("±.000", "+-.000"));
        format!(
            "{value}{half}{}",
            " ".repeat(room.saturating_sub(width_of(half)))
        )
    }

    fn chance(&self, view: &LeaderboardView) -> Line {
        let mut cells = vec![
            Cell::default(),
            Cell::default(),
            Cell::default(),
            Cell::styled("chance level", Emphasis::Dim),
        ];
        for (i, column) in view.columns[..self.layout.scores].iter().enumerate() {
            let text = match column.chance {
                Some(chance) => self.filled(&fixed(chance, self.decimals[i], self.style), ""),
                None => String::new(),
            };
            cells.push(Cell::styled(text, Emphasis::Dim));
        }
        Line {
            cells,
            instead: None,
        }
    }
}

/// No heading, and so no column, where no row has a share to show.
fn first_heading(view: &LeaderboardView, layout: Layout) -> Cell {
    let mut rows = view.models.iter().flat_map(|model| &model.rows);
    if layout.intervals && rows.any(|row| row.p_first.is_some()) {
        Cell::styled("1st", Emphasis::Bold)
    } else {
        Cell::default()
    }
}

fn dim_if(dim: bool) -> Emphasis {
    if dim { Emphasis::Dim } else { Emphasis::Plain }
}
