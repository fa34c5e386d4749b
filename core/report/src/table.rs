//! A small table: measured columns, wrapped text, no frame.
//!
//! Own code rather than a table crate, because two things are needed that those do not offer
//! together: colour decided by the caller instead of by the terminal library, and a fixed choice
//! of which columns may wrap when the width runs out.

use crate::style::{Emphasis, Style, clean, width_of, wrap};

/// Where text stands in its column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// Words.
    #[default]
    Left,
    /// Numbers.
    Right,
}

/// One piece of text in a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// What it says; control characters are replaced.
    pub text: String,
    /// How it looks.
    pub emphasis: Emphasis,
}

impl Cell {
    /// Plain text.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self::styled(text, Emphasis::Plain)
    }

    /// Text with an emphasis.
    #[must_use]
    pub fn styled(text: impl AsRef<str>, emphasis: Emphasis) -> Self {
        Self {
            text: clean(text.as_ref()),
            emphasis,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// A column of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// The heading.
    pub title: String,
    /// Where its text stands.
    pub align: Align,
    /// Whether its text is wrapped when the table is wider than the terminal.
    pub wraps: bool,
}

impl TableColumn {
    /// Words that are never broken.
    #[must_use]
    pub fn left(title: &str) -> Self {
        Self {
            title: clean(title),
            align: Align::Left,
            wraps: false,
        }
    }

    /// Numbers.
    #[must_use]
    pub fn right(title: &str) -> Self {
        Self {
            align: Align::Right,
            ..Self::left(title)
        }
    }

    /// Prose, wrapped where the width runs out.
    #[must_use]
    pub fn prose(title: &str) -> Self {
        Self {
            wraps: true,
            ..Self::left(title)
        }
    }
}

/// Rows under headings, two blanks between columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Vec<TableColumn>,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Row(Vec<Cell>),
    /// Text over all columns.
    Heading(Cell),
}

const GAP: usize = 2;
/// Prose narrower than this is unreadable; a line that is too long is the lesser evil.
const NARROWEST_PROSE: usize = 10;

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(columns: Vec<TableColumn>) -> Self {
        Self {
            columns,
            lines: Vec::new(),
        }
    }

    /// Adds a row. Missing cells are empty; cells beyond the last column are left out.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.lines.push(Line::Row(cells));
    }

    /// Adds a line over all columns, above the rows that it is about.
    pub fn heading(&mut self, cell: Cell) {
        self.lines.push(Line::Heading(cell));
    }

    /// Columns that the table takes where nothing is wrapped.
    pub(crate) fn natural_width(&self) -> usize {
        let widths = self.widths(usize::MAX);
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }

    /// The table as text, each line ended by a newline and free of trailing blanks.
    #[must_use]
    pub fn render(&self, style: &Style) -> String {
        let widths = self.widths(style.width);
        let heading: Vec<Cell> = self
            .columns
            .iter()
            .map(|c| Cell::styled(&c.title, Emphasis::Bold))
            .collect();
        let mut text = String::new();
        if self.columns.iter().any(|c| !c.title.is_empty()) {
            self.push_row(&mut text, &heading, &widths, style);
            let rule: usize = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            let rule = style.pick("─", "-").repeat(rule);
            text.push_str(&style.paint(&rule, Emphasis::Dim));
            text.push('\n');
        }
        for line in &self.lines {
            match line {
                Line::Row(row) => self.push_row(&mut text, row, &widths, style),
                Line::Heading(cell) => {
                    for line in wrap(&cell.text, style.width) {
                        text.push_str(&style.paint(&line, cell.emphasis));
                        text.push('\n');
                    }
                }
            }
        }
        text
    }

    fn widths(&self, limit: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, column)| {
                let cells = self.lines.iter().filter_map(|line| match line {
                    Line::Row(row) => row.get(i),
                    Line::Heading(_) => None,
                });
                cells
                    .map(|cell| width_of(&cell.text))
                    .fold(width_of(&column.title), usize::max)
            })
            .collect();
        let total =
            |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        // The widest prose column gives way first, one column at a time.
        while total(&widths) > limit {
            let widest = (0..widths.len())
                .filter(|&i| {
                    let floor = NARROWEST_PROSE.max(width_of(&self.columns[i].title));
                    self.columns[i].wraps && widths[i] > floor
                })
                .max_by_key(|&i| widths[i]);
            match widest {
                Some(i) => widths[i] -= 1,
                None => break,
            }
        }
        widths
    }

    fn push_row(&self, text: &mut String, row: &[Cell], widths: &[usize], style: &Style) {
        let wrapped: Vec<Vec<String>> = self
            .columns
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(i, (column, &width))| match row.get(i) {
                Some(cell) if column.wraps => wrap(&cell.text, width),
                Some(cell) => vec![cell.text.clone()],
                None => vec![String::new()],
            })
            .collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let mut pieces = Vec::with_capacity(widths.len());
            for (i, &width) in widths.iter().enumerate() {
                let piece = wrapped[i].get(line).map_or("", String::as_str);
                let emphasis = row.get(i).map_or(Emphasis::Plain, |cell| cell.emphasis);
                pieces.push(pad(piece, width, self.columns[i].align, emphasis, style));
            }
            text.push_str(pieces.join(&" ".repeat(GAP)).trim_end());
            text.push('\n');
        }
    }
}

/// `text` painted, then filled with blanks to `width` (escape sequences take no columns).
pub(crate) fn pad(
    text: &str,
    width: usize,
    align: Align,
    emphasis: Emphasis,
    style: &Style,
) -> String {
    let fill = " ".repeat(width.saturating_sub(width_of(text)));
    let painted = style.paint(text, emphasis);
    match align {
        Align::Left => painted + &fill,
        Align::Right => fill + &painted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(vec![
            TableColumn::left("id"),
            TableColumn::right("n"),
            TableColumn::prose("about"),
        ]);
        table.row(vec![
            "ig".into(),
            "50".into(),
            "averages gradients along a line".into(),
        ]);
        table.row(vec!["random".into(), "1".into()]);
        table
    }

    #[test]
    fn prose_wraps_and_numbers_stand_right() {
        insta::assert_snapshot!(sample().render(&Style::plain(34)), @"
        id       n  about
        ──────────────────────────────────
        ig      50  averages gradients
                    along a line
        random   1
        ");
        insta::assert_snapshot!(sample().render(&Style::plain(80)), @"
        id       n  about
        ───────────────────────────────────────────
        ig      50  averages gradients along a line
        random   1
        ");
    }

    #[test]
    fn colour_changes_no_width() {
        let plain = sample().render(&Style::plain(34));
        let colour = sample().render(&Style {
            colour: true,
            ..Style::plain(34)
        });
        let mut stripped = String::new();
        let mut inside = false;
        for c in colour.chars() {
            match c {
                '\x1b' => inside = true,
                'm' if inside => inside = false,
                c if !inside => stripped.push(c),
                _ => {}
            }
        }
        assert_eq!(stripped, plain);
        assert_ne!(colour, plain);
    }
}
