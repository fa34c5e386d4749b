//! How far explainers (or models) agree: a symmetric matrix of correlations.

use crate::number::fixed;
use crate::style::{Emphasis, Style, clean, width_of};
use crate::table::{Cell, Table, TableColumn};

/// Agreement of every pair.
#[derive(Clone, Debug, PartialEq)]
pub struct AgreementMatrix {
    /// What it describes: the score, the model, the data set.
    pub title: String,
    /// Names of the rows and columns.
    pub labels: Vec<String>,
    /// `values[a][b]`, −1 to 1, one row per label; `None` where a pair could not be compared.
    pub values: Vec<Vec<Option<f64>>>,
}

impl AgreementMatrix {
    pub(crate) fn value(&self, row: usize, column: usize) -> Option<f64> {
        let value = self.values.get(row)?.get(column).copied().flatten()?;
        value.is_finite().then_some(value)
    }
}

/// The matrix as text: the lower triangle, columns headed by the row's number.
///
/// Columns that do not fit the width are left out and counted in the last line.
#[must_use]
pub fn agreement_text(matrix: &AgreementMatrix, style: &Style) -> String {
    let n = matrix.labels.len();
    let names: Vec<String> = matrix
        .labels
        .iter()
        .map(|l| style.elide_middle(&clean(l), (style.width / 3).max(12)))
        .collect();
    let numbers = n.saturating_sub(1).to_string().len();
    let lead = numbers + 2 + names.iter().map(|name| width_of(name)).max().unwrap_or(0);
    // A cell is at most `-1.00` wide, with two blanks before it.
    let shown = n.min(style.width.saturating_sub(lead) / 7);
    let mut columns = vec![TableColumn::right("#"), TableColumn::left("")];
    columns.extend((0..shown).map(|i| TableColumn::right(&i.to_string())));
    let mut table = Table::new(columns);
    for (a, name) in names.iter().enumerate() {
        let mut cells = vec![Cell::styled(a.to_string(), Emphasis::Dim), Cell::new(name)];
        for b in 0..shown.min(a + 1) {
            let cell = match matrix.value(a, b) {
                _ if a == b => Cell::styled(style.dot(), Emphasis::Dim),
                None => Cell::styled(style.dash(), Emphasis::Dim),
                Some(value) => {
                    let emphasis = match value.abs() {
                        strong if strong >= 0.7 => Emphasis::Bold,
                        weak if weak < 0.2 => Emphasis::Dim,
                        _ => Emphasis::Plain,
                    };
                    Cell::styled(fixed(value, 2, style), emphasis)
                }
            };
            cells.push(cell);
        }
        table.row(cells);
    }
    let mut text = style.paint(&clean(&matrix.title), Emphasis::Bold) + "\n" + &table.render(style);
    if shown < n {
        let note = format!("{} of {n} columns left out at this width", n - shown);
        text.push_str(&style.paint(&note, Emphasis::Dim));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> AgreementMatrix {
        AgreementMatrix {
            title: "Spearman rank correlation · cnn-gap".to_owned(),
            labels: ["cam", "gradcam", "ig{steps: 50}"]
                .map(str::to_owned)
                .to_vec(),
            values: vec![
                vec![Some(1.0), Some(0.98), Some(-0.113)],
                vec![Some(0.98), Some(1.0), None],
                vec![Some(-0.113), None, Some(1.0)],
            ],
        }
    }

    #[test]
    fn the_lower_triangle_is_shown() {
        insta::assert_snapshot!(agreement_text(&sample(), &Style::plain(80)), @"
        Spearman rank correlation · cnn-gap
        #                    0  1  2
        ────────────────────────────
        0  cam               ·
        1  gradcam         .98  ·
        2  ig{steps: 50}  -.11  –  ·
        ");
    }

    #[test]
    fn columns_that_do_not_fit_are_counted() {
        insta::assert_snapshot!(agreement_text(&sample(), &Style::plain(32)), @"
        Spearman rank correlation · cnn-gap
        #                   0  1
        ────────────────────────
        0  cam              ·
        1  gradcam        .98  ·
        2  ig{ste…: 50}  -.11  –
        1 of 3 columns left out at this width
        ");
    }
}
