//! The confusion matrix as text, with the per-class scores that follow from it.

use crate::number::fixed;
use crate::style::{Emphasis, Style};
use crate::table::{Cell, Table, TableColumn};

/// How often each class was taken for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// What it describes: model and data set.
    pub title: String,
    /// Class names.
    pub classes: Vec<String>,
    /// `counts[truth][prediction]`, square, one row per class.
    pub counts: Vec<Vec<u64>>,
}

impl ConfusionMatrix {
    pub(crate) fn count(&self, truth: usize, prediction: usize) -> u64 {
        self.counts
            .get(truth)
            .and_then(|row| row.get(prediction))
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn of_truth(&self, class: usize) -> u64 {
        (0..self.classes.len()).map(|p| self.count(class, p)).sum()
    }

    fn of_prediction(&self, class: usize) -> u64 {
        (0..self.classes.len()).map(|t| self.count(t, class)).sum()
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        f64::NAN
    } else {
        part as f64 / whole as f64
    }
}

/// The matrix as text: truth down, prediction across, then recall, precision and F1 per class.
///
/// Predictions are headed by the class's number, which stands before its name at the left. A
/// score whose denominator is zero (a class never predicted, say) is a dash. Where the width does
/// not hold the counts, only the scores and the most frequent mistake of each class are given.
#[must_use]
pub fn confusion_text(matrix: &ConfusionMatrix, style: &Style) -> String {
    let full = render(matrix, style, true);
    let widest = full.lines().map(crate::style::width_of).max().unwrap_or(0);
    let body = if style.colour || widest <= style.width {
        full
    } else {
        render(matrix, style, false)
    };
    format!(
        "{}\n{body}",
        style.paint(&crate::style::clean(&matrix.title), Emphasis::Bold)
    )
}

fn render(matrix: &ConfusionMatrix, style: &Style, counts: bool) -> String {
    let classes = matrix.classes.len();
    let mut columns = vec![TableColumn::right("#"), TableColumn::left("truth")];
    if counts {
        columns.extend((0..classes).map(|i| TableColumn::right(&i.to_string())));
    }
    columns.extend(["recall", "precision", "F1"].map(TableColumn::right));
    if !counts {
        columns.push(TableColumn::left("most often taken for"));
    }
    let mut table = Table::new(columns);
    for truth in 0..classes {
        let hits = matrix.count(truth, truth);
        let (of_truth, of_prediction) = (matrix.of_truth(truth), matrix.of_prediction(truth));
        let mut cells = vec![
            Cell::styled(truth.to_string(), Emphasis::Dim),
            Cell::new(style.elide(&matrix.classes[truth], 20)),
        ];
        if counts {
            cells.extend((0..classes).map(|prediction| {
                let count = matrix.count(truth, prediction);
                match count {
                    0 => Cell::styled(style.dot(), Emphasis::Dim),
                    _ if truth == prediction => Cell::styled(count.to_string(), Emphasis::Good),
                    // One in twenty is worth a look.
                    _ if count * 20 >= of_truth => {
                        Cell::styled(count.to_string(), Emphasis::Caution)
                    }
                    _ => Cell::new(count.to_string()),
                }
            }));
        }
        let scores = [
            ratio(hits, of_truth),
            ratio(hits, of_prediction),
            ratio(2 * hits, of_truth + of_prediction),
        ];
        cells.extend(scores.map(|score| Cell::new(fixed(score, 3, style))));
        if !counts {
            let wrong = (0..classes).filter(|&p| p != truth && matrix.count(truth, p) > 0);
            // The first of equals, by class number.
            let worst = wrong.max_by_key(|&p| (matrix.count(truth, p), std::cmp::Reverse(p)));
            cells.push(worst.map_or_else(Cell::default, |p| {
                Cell::new(format!(
                    "{} ({})",
                    matrix.classes[p],
                    matrix.count(truth, p)
                ))
            }));
        }
        table.row(cells);
    }
    table.render(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> ConfusionMatrix {
        ConfusionMatrix {
            title: "cnn-gap on fashion-mnist:test".to_owned(),
            classes: ["T-shirt", "Dress", "Never seen"]
                .map(str::to_owned)
                .to_vec(),
            counts: vec![vec![90, 10, 0], vec![3, 97, 0], vec![0, 0, 0]],
        }
    }

    #[test]
    fn scores_follow_from_the_counts() {
        // recall 90/100, precision 90/93, F1 180/193; 97/100, 97/107, 194/207; 0/0.
        insta::assert_snapshot!(confusion_text(&three(), &Style::plain(80)), @"
        cnn-gap on fashion-mnist:test
        #  truth        0   1  2  recall  precision    F1
        ─────────────────────────────────────────────────
        0  T-shirt     90  10  ·    .900       .968  .933
        1  Dress        3  97  ·    .970       .907  .937
        2  Never seen   ·   ·  ·       –          –     –
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_the_mistakes_instead_of_the_counts() {
        insta::assert_snapshot!(confusion_text(&three(), &Style::plain(48)), @"
        cnn-gap on fashion-mnist:test
        #  truth       recall  precision    F1  most often taken for
        ────────────────────────────────────────────────────────────
        0  T-shirt       .900       .968  .933  Dress (10)
        1  Dress         .970       .907  .937  T-shirt (3)
        2  Never seen       –          –     –
        ");
    }

    #[test]
    fn missing_counts_are_zero() {
        let ragged = ConfusionMatrix {
            counts: vec![vec![1]],
            ..three()
        };
        assert!(confusion_text(&ragged, &Style::plain(80)).contains("Dress"));
    }
}
