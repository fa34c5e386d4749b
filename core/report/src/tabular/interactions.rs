//! The interaction values of a table's features as a matrix: how much each does alone (the diagonal)
//! and with each other.

use image::{Rgb, RgbImage};

use super::{by_magnitude, own_lines, rest_name};
use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE, WHITE};
use crate::colour::{Scale, ink_on};
use crate::figure::{FigureError, check_count};
use crate::number::significant;

/// What a matrix of interaction values shows.
#[derive(Clone, Debug, PartialEq)]
pub struct InteractionMatrix {
    /// Above all: model, explainer and row.
    pub title: String,
    /// In lines below it: what is explained, what the model says.
    pub notes: Vec<String>,
    /// Names of the features.
    pub features: Vec<String>,
    /// `[features, features]`, symmetric: main effects on the diagonal, off it halves of interactions.
    pub values: Vec<f64>,
    /// Whether they are values of one row with their signs, whose sums (the features' SHAP values) are
    /// shown too; else mean magnitudes over rows.
    pub signed: bool,
}

const MARGIN: u32 = 20;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const NOTE: u32 = Font::BODY.height() + 4;
const LONGEST_NAME: u32 = 300;
const NAME_GAP: u32 = 8;
const CELL_WIDTH: u32 = 66;
const CELL_HEIGHT: u32 = 30;
/// Before the column of sums, and before the bar.
const GAP: u32 = 14;
const BAR_WIDTH: u32 = 14;
const SUM: &str = "sum";

/// Draws the `most` features of the greatest rows from top to bottom and from left to right, the rest
/// as a sum in the last line, so that no value is lost. Colours run on a square-root scale, on which
/// interactions still show beside main effects; a number that is less than a hundredth of the
/// greatest is a dot.
///
/// # Errors
///
/// [`FigureError::ValueCount`] or [`FigureError::Empty`] for a matrix that is not as it says,
/// [`FigureError::TooLarge`] beyond 20,000 pixels a side.
pub fn interactions_image(
    matrix: &InteractionMatrix,
    most: usize,
) -> Result<RgbImage, FigureError> {
    let what = format!("the interactions {}", matrix.title);
    let side = matrix.features.len();
    check_count(&what, matrix.values.len(), side, side)?;
    let shown = Shown::of(matrix, most);
    let names: Vec<String> = shown
        .names
        .iter()
        .map(|name| Font::BODY.elide_middle(name, LONGEST_NAME))
        .collect();
    let widest = names.iter().map(|name| Font::BODY.width(name)).max();
    let longest = widest.unwrap_or(0);
    let lines = names.len() as u32;
    let notes = notes(matrix);
    let left = MARGIN + longest + NAME_GAP;
    let top = MARGIN + TITLE_BLOCK + notes.len() as u32 * NOTE + 2 * NAME_GAP + longest;
    let grid = lines * CELL_WIDTH;
    let sums = if matrix.signed { GAP + CELL_WIDTH } else { 0 };
    let ends = ends(shown.greatest, matrix.signed);
    let number = ends.iter().map(|text| Font::BODY.width(text)).max();
    let bar = GAP + BAR_WIDTH + 6 + number.unwrap_or(0);
    let texts = notes.iter().map(|note| Font::BODY.width(note)).max();
    let least = texts.unwrap_or(0).max(Font::TITLE.width(&matrix.title));
    let width = (left + grid + sums + bar).max(MARGIN + least.min(900)) + MARGIN;
    let height = u64::from(top + lines * CELL_HEIGHT + MARGIN);
    let mut canvas = Canvas::new(&what, width.into(), height)?;
    let room = width - 2 * MARGIN;
    let title = Font::TITLE.elide(&matrix.title, room);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    for (number, note) in notes.iter().enumerate() {
        let y = MARGIN + TITLE_BLOCK + number as u32 * NOTE;
        let note = Font::BODY.elide(note, room);
        canvas.text(MARGIN, y, &note, Font::BODY, FAINT_INK);
    }
    let upright = (CELL_WIDTH - Font::BODY.height()) / 2;
    let middle = (CELL_HEIGHT - Font::BODY.height()) / 2;
    for (row, name) in names.iter().enumerate() {
        let (x, y) = (
            left + row as u32 * CELL_WIDTH,
            top + row as u32 * CELL_HEIGHT,
        );
        canvas.text_right(left - NAME_GAP, y + middle, name, Font::BODY, INK);
        canvas.text_upwards(x + upright, top - NAME_GAP, name, Font::BODY, INK);
        for column in 0..names.len() {
            let x = left + column as u32 * CELL_WIDTH;
            let value = shown.values[row * names.len() + column];
            let font = if row == column {
                Font::BOLD
            } else {
                Font::BODY
            };
            draw_cell(
                &mut canvas,
                (x, y),
                value,
                shown.colour(value),
                font,
                shown.greatest,
            );
        }
        if matrix.signed {
            let x = left + grid + GAP;
            let sum: f64 = shown.line(row).iter().sum();
            draw_cell(&mut canvas, (x, y), sum, WHITE, Font::BODY, 0.0);
        }
    }
    if matrix.signed {
        let x = left + grid + GAP;
        canvas.text_upwards(x + upright, top - NAME_GAP, SUM, Font::BODY, INK);
    }
    let bar = (left + grid + sums + GAP, top, lines * CELL_HEIGHT - 1);
    draw_bar(&mut canvas, bar, &shown, &ends);
    Ok(canvas.finish())
}

/// What is said below the title.
fn notes(matrix: &InteractionMatrix) -> Vec<String> {
    let mut notes = matrix.notes.clone();
    notes.push(if matrix.signed {
        "diagonal: main effects; elsewhere halves of interactions; rows sum to the SHAP values"
            .to_owned()
    } else {
        "mean magnitude; diagonal: main effects; elsewhere halves of interactions".to_owned()
    });
    notes.push("colour: square-root scale".to_owned());
    notes
}

/// The matrix as it is drawn: sorted, the rest summed up.
struct Shown {
    names: Vec<String>,
    values: Vec<f64>,
    greatest: f64,
    signed: bool,
}

impl Shown {
    fn of(matrix: &InteractionMatrix, most: usize) -> Self {
        let side = matrix.features.len();
        let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
        let at = |row: usize, column: usize| finite(matrix.values[row * side + column]);
        let weight = |row: usize| (0..side).map(|column| at(row, column).abs()).sum::<f64>();
        let order = by_magnitude(&(0..side).map(weight).collect::<Vec<f64>>());
        let (own, rest) = order.split_at(own_lines(side, most));
        let mut groups: Vec<&[usize]> = own.chunks(1).collect();
        let mut names: Vec<String> = own.iter().map(|&f| matrix.features[f].clone()).collect();
        if !rest.is_empty() {
            groups.push(rest);
            names.push(rest_name(rest.len(), side));
        }
        let mut values = Vec::with_capacity(groups.len() * groups.len());
        for rows in &groups {
            for columns in &groups {
                let pairs = rows
                    .iter()
                    .flat_map(|&r| columns.iter().map(move |&c| (r, c)));
                values.push(pairs.map(|(row, column)| at(row, column)).sum());
            }
        }
        let greatest = values
            .iter()
            .fold(0.0, |most: f64, value: &f64| most.max(value.abs()));
        Self {
            names,
            values,
            greatest,
            signed: matrix.signed,
        }
    }

    fn line(&self, row: usize) -> &[f64] {
        &self.values[row * self.names.len()..(row + 1) * self.names.len()]
    }

    fn colour(&self, value: f64) -> Rgb<u8> {
        let share = if self.greatest > 0.0 {
            (value.abs() / self.greatest).sqrt()
        } else {
            0.0
        };
        if self.signed {
            Scale::Diverging.at(0.5 + 0.5 * share.copysign(value))
        } else {
            Scale::Amount.at(share)
        }
    }
}

/// Below this share of the greatest value a number says nothing.
const FAINT: f64 = 0.01;

fn draw_cell(
    canvas: &mut Canvas,
    (x, y): (u32, u32),
    value: f64,
    ground: Rgb<u8>,
    font: Font,
    greatest: f64,
) {
    canvas.fill(x, y, CELL_WIDTH - 1, CELL_HEIGHT - 1, ground);
    let text = if value == 0.0 {
        String::new()
    } else if value.abs() < FAINT * greatest {
        "·".to_owned()
    } else {
        significant(value)
    };
    let text = font.elide(&text, CELL_WIDTH - 2);
    let middle = y + (CELL_HEIGHT - Font::BODY.height()) / 2;
    canvas.text_centred((x, CELL_WIDTH - 1), middle, &text, font, ink_on(ground));
}

/// What stands beside the bar at its foot, in the middle and on top.
fn ends(greatest: f64, signed: bool) -> [String; 3] {
    let top = significant(greatest);
    if signed {
        [significant(-greatest), "0".to_owned(), top]
    } else {
        ["0".to_owned(), significant(greatest / 4.0), top]
    }
}

fn draw_bar(
    canvas: &mut Canvas,
    (x, top, height): (u32, u32, u32),
    shown: &Shown,
    ends: &[String; 3],
) {
    for step in 0..height {
        let place = 1.0 - f64::from(step) / f64::from(height.max(2) - 1);
        let value = if shown.signed {
            let along = 2.0 * place - 1.0;
            along * along.abs()
        } else {
            place * place
        };
        let colour = shown.colour(value * shown.greatest);
        canvas.fill(x, top + step, BAR_WIDTH, 1, colour);
    }
    canvas.frame(x, top, BAR_WIDTH, height, RULE);
    let line = Font::BODY.height();
    let below = height.saturating_sub(line);
    for (text, y) in ends.iter().zip([top + below, top + below / 2, top]) {
        // One line of cells has room for the top alone, two have none for the middle.
        let room = y == top || height >= 3 * line || (height >= 2 * line && y == top + below);
        if room {
            canvas.text(x + BAR_WIDTH + 6, y, text, Font::BODY, INK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> InteractionMatrix {
        InteractionMatrix {
            title: "a forest, row 3".to_owned(),
            notes: vec!["predicted b (.7)".to_owned()],
            features: ["a", "b", "c"].map(str::to_owned).to_vec(),
            values: vec![0.1, -0.4, 0.0, -0.4, 1.6, 0.2, 0.0, 0.2, 0.001],
            signed: true,
        }
    }

    #[test]
    fn cells_are_sorted_and_coloured() {
        let shown = Shown::of(&matrix(), 9);
        assert_eq!(shown.names, ["b", "a", "c"]);
        assert_eq!(
            shown.values,
            [1.6, -0.4, 0.2, -0.4, 0.1, 0.0, 0.2, 0.0, 0.001]
        );
        assert_eq!(shown.colour(1.6), Scale::Diverging.at(1.0));
        assert_eq!(shown.colour(-0.4), Scale::Diverging.at(0.25));
        assert_eq!(shown.colour(0.0), Scale::Diverging.at(0.5));
        let picture = interactions_image(&matrix(), 9).unwrap();
        let left = MARGIN + Font::BODY.width("a") + NAME_GAP;
        let top = MARGIN + TITLE_BLOCK + 3 * NOTE + 2 * NAME_GAP + Font::BODY.width("a");
        let at = |row: u32, column: u32| {
            *picture.get_pixel(left + column * CELL_WIDTH + 2, top + row * CELL_HEIGHT + 2)
        };
        assert_eq!(at(0, 0), Scale::Diverging.at(1.0));
        assert_eq!(at(1, 0), Scale::Diverging.at(0.25));
        // The sums have no colour.
        let sums = left + 3 * CELL_WIDTH + GAP + 2;
        assert_eq!(*picture.get_pixel(sums, top + 2), WHITE);
    }

    #[test]
    fn the_rest_is_summed_so_that_nothing_is_lost() {
        let shown = Shown::of(&matrix(), 2);
        assert_eq!(shown.names, ["b", "2 other features"]);
        let sums: Vec<f64> = (0..2).map(|row| shown.line(row).iter().sum()).collect();
        assert!((sums[0] - 1.4).abs() < 1e-12 && (sums[1] + 0.099).abs() < 1e-12);
        assert_eq!(shown.values[1], shown.values[2]);
    }

    #[test]
    fn odd_matrices_are_drawn_or_refused() {
        let nothing = InteractionMatrix {
            values: vec![0.0; 9],
            signed: false,
            ..matrix()
        };
        assert_eq!(Shown::of(&nothing, 9).colour(0.0), Scale::Amount.at(0.0));
        assert!(interactions_image(&nothing, 0).is_ok());
        let one = InteractionMatrix {
            features: vec!["only".to_owned()],
            values: vec![f64::NAN],
            ..matrix()
        };
        assert!(interactions_image(&one, 5).is_ok());
        let narrow = InteractionMatrix {
            values: vec![0.0; 4],
            ..matrix()
        };
        assert!(matches!(
            interactions_image(&narrow, 5),
            Err(FigureError::ValueCount { .. })
        ));
        let none = InteractionMatrix {
            features: Vec::new(),
            values: Vec::new(),
            ..matrix()
        };
        assert!(matches!(
            interactions_image(&none, 5),
            Err(FigureError::Empty { .. })
        ));
    }
}
