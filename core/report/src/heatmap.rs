//! Matrices as pictures: a number in every cell, colour behind it, a bar beside it.

use image::RgbImage;

use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE};
use crate::colour::{Scale, ink_on};
use crate::figure::FigureError;
use crate::number::fixed;
use crate::style::Style;
use crate::{AgreementMatrix, ConfusionMatrix};

const MARGIN: u32 = 20;
const CELL_WIDTH: u32 = 52;
const CELL_HEIGHT: u32 = 32;
const LONGEST_LABEL: u32 = 230;
/// A title longer than this is cut, rather than the picture widened for it.
const LONGEST_TITLE: u32 = 900;
const LABEL_GAP: u32 = 8;
const BAR_WIDTH: u32 = 14;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const AXIS_BLOCK: u32 = Font::BODY.height() + 4;
const DIGITS: Style = Style {
    colour: false,
    width: 0,
    unicode: false,
};

/// Agreement as a picture: red for agreement, blue for its opposite, the scale from −1 to 1.
///
/// # Errors
///
/// [`FigureError::Empty`] without labels, [`FigureError::TooLarge`] with too many.
pub fn agreement_image(matrix: &AgreementMatrix) -> Result<RgbImage, FigureError> {
    let cell = |row: usize, column: usize| match matrix.value(row, column) {
        Some(value) => Drawn {
            text: fixed(value, 2, &DIGITS),
            share: Some((value + 1.0) / 2.0),
            strong: false,
        },
        None => Drawn {
            text: "-".to_owned(),
            share: None,
            strong: false,
        },
    };
    let bar = Bar {
        scale: Scale::Diverging,
        ends: ["-1", "0", "1"],
    };
    draw(&matrix.title, &[], &matrix.labels, &[("", &cell)], &bar)
}

/// A confusion matrix as a picture, twice: counts at the left, shares of the true class at the
/// right; truth down, prediction across. The colour shows the share on a square-root scale, on
/// which mistakes of a few percent still show.
///
/// # Errors
///
/// [`FigureError::Empty`] without classes, [`FigureError::TooLarge`] with too many.
pub fn confusion_image(matrix: &ConfusionMatrix) -> Result<RgbImage, FigureError> {
    let totals: Vec<u64> = (0..matrix.classes.len())
        .map(|i| matrix.of_truth(i))
        .collect();
    let share = |truth: usize, prediction: usize| {
        let count = matrix.count(truth, prediction);
        (totals[truth] > 0).then(|| count as f64 / totals[truth] as f64)
    };
    let drawn = |truth: usize, prediction: usize, text: String| Drawn {
        text: if matrix.count(truth, prediction) == 0 {
            String::new()
        } else {
            text
        },
        share: share(truth, prediction).map(f64::sqrt),
        strong: truth == prediction,
    };
    let counts = |truth: usize, prediction: usize| {
        let count = matrix.count(truth, prediction);
        drawn(truth, prediction, count.to_string())
    };
    let shares = |truth: usize, prediction: usize| {
        let share = share(truth, prediction).unwrap_or(f64::NAN);
        drawn(truth, prediction, share_text(share))
    };
    let bar = Bar {
        scale: Scale::Amount,
        ends: ["0", ".25", "1"],
    };
    let notes = [
        "true class (down), predicted (across)",
        "colour: share of the true class, square-root scale",
    ];
    let grids: [Grid<'_>; 2] = [("counts", &counts), ("shares of the true class", &shares)];
    draw(&matrix.title, &notes, &matrix.classes, &grids, &bar)
}

/// A share in three digits; one too small for them, but not nothing, says so.
fn share_text(share: f64) -> String {
    if share < 0.0005 {
        "<.001".to_owned()
    } else {
        fixed(share, 3, &DIGITS)
    }
}

struct Drawn {
    text: String,
    share: Option<f64>,
    strong: bool,
}

/// A heading (may be empty) and what stands in each cell.
type Grid<'a> = (&'a str, &'a dyn Fn(usize, usize) -> Drawn);

struct Bar {
    scale: Scale,
    /// At 0, 0.5 and 1 of the scale.
    ends: [&'static str; 3],
}

const GRID_GAP: u32 = 28;

fn draw(
    title: &str,
    notes: &[&str],
    labels: &[String],
    grids: &[Grid<'_>],
    bar: &Bar,
) -> Result<RgbImage, FigureError> {
    if labels.is_empty() {
        return Err(FigureError::Empty {
            what: format!("the matrix {title}"),
        });
    }
    let names: Vec<String> = labels
        .iter()
        .map(|label| Font::BODY.elide_middle(label, LONGEST_LABEL))
        .collect();
    let longest = names
        .iter()
        .map(|name| Font::BODY.width(name))
        .max()
        .unwrap_or(0);
    let side = labels.len() as u64;
    let (grid_width, grid_height) = (side * u64::from(CELL_WIDTH), side * u64::from(CELL_HEIGHT));
    let left = MARGIN + longest + LABEL_GAP;
    let top = MARGIN + header(notes, grids) + longest + LABEL_GAP;
    let bar_block = u64::from(20 + BAR_WIDTH + 6 + Font::BODY.width(".25"));
    let notes_width = notes.iter().map(|note| Font::BODY.width(note)).max();
    let title_width = Font::TITLE.width(title).min(LONGEST_TITLE);
    let least = u64::from(notes_width.unwrap_or(0).max(title_width) + 2 * MARGIN);
    let count = grids.len() as u64;
    let step = step(grids, labels.len());
    let to_last = (count - 1) * u64::from(step);
    let width = (u64::from(left) + to_last + grid_width.max(u64::from(step - GRID_GAP)))
        .max(u64::from(left) + to_last + grid_width + bar_block)
        + u64::from(MARGIN);
    let width = width.max(least);
    let height = u64::from(top) + grid_height + u64::from(MARGIN);
    let mut canvas = Canvas::new(&format!("the matrix {title}"), width, height)?;
    let room = width as u32 - 2 * MARGIN;
    canvas.text(
        MARGIN,
        MARGIN,
        &Font::TITLE.elide(title, room),
        Font::TITLE,
        INK,
    );
    for (i, note) in notes.iter().enumerate() {
        let y = MARGIN + TITLE_BLOCK + i as u32 * AXIS_BLOCK;
        canvas.text(MARGIN, y, note, Font::BODY, FAINT_INK);
    }
    for (i, name) in names.iter().enumerate() {
        let y = top + i as u32 * CELL_HEIGHT + middle(CELL_HEIGHT);
        canvas.text_right(left - LABEL_GAP, y, name, Font::BODY, INK);
    }
    for (number, grid) in grids.iter().enumerate() {
        let x = left + number as u32 * step;
        draw_grid(&mut canvas, (x, top, longest), &names, grid, bar.scale);
    }
    let bar_left = left + (to_last + grid_width) as u32 + 20;
    draw_bar(&mut canvas, bar_left, top, grid_height as u32, bar);
    Ok(canvas.finish())
}

/// From the left of a grid to that of the next: both the grid and its heading have room.
fn step(grids: &[Grid<'_>], side: usize) -> u32 {
    let headings = grids.iter().map(|(heading, _)| Font::BOLD.width(heading));
    let widest = headings.max().unwrap_or(0);
    // A matrix too large for a picture is refused by the canvas.
    let grid = u32::try_from(side)
        .unwrap_or(u32::MAX)
        .saturating_mul(CELL_WIDTH);
    grid.max(widest).saturating_add(GRID_GAP)
}

/// Height of title, notes and headings.
fn header(notes: &[&str], grids: &[Grid<'_>]) -> u32 {
    let notes = match notes.len() as u32 {
        0 => 0,
        lines => lines * AXIS_BLOCK + 6,
    };
    let headed = grids.iter().any(|(heading, _)| !heading.is_empty());
    TITLE_BLOCK + notes + if headed { AXIS_BLOCK + 6 } else { 0 }
}

fn middle(cell: u32) -> u32 {
    (cell - Font::BODY.height()) / 2
}

/// One grid with its heading and the names of its columns, whose longest takes `longest`.
fn draw_grid(
    canvas: &mut Canvas,
    (left, top, longest): (u32, u32, u32),
    names: &[String],
    (heading, cell): &Grid<'_>,
    scale: Scale,
) {
    let heading_top = top - LABEL_GAP - longest - AXIS_BLOCK - 6;
    if !heading.is_empty() {
        canvas.text(left, heading_top, heading, Font::BOLD, INK);
    }
    for (row, name) in names.iter().enumerate() {
        let (x, y) = (
            left + row as u32 * CELL_WIDTH,
            top + row as u32 * CELL_HEIGHT,
        );
        let bottom = top - LABEL_GAP;
        canvas.text_upwards(x + middle(CELL_WIDTH), bottom, name, Font::BODY, INK);
        for column in 0..names.len() {
            let drawn = cell(row, column);
            let x = left + column as u32 * CELL_WIDTH;
            let ground = match drawn.share {
                Some(share) => scale.at(share),
                None => crate::canvas::WHITE,
            };
            canvas.fill(x, y, CELL_WIDTH - 1, CELL_HEIGHT - 1, ground);
            let font = if drawn.strong { Font::BOLD } else { Font::BODY };
            let text = font.elide(&drawn.text, CELL_WIDTH - 2);
            let place = (x, CELL_WIDTH - 1);
            canvas.text_centred(place, y + middle(CELL_HEIGHT), &text, font, ink_on(ground));
        }
    }
}

fn draw_bar(canvas: &mut Canvas, x: u32, top: u32, height: u32, bar: &Bar) {
    let height = height - 1;
    for step in 0..height {
        let share = 1.0 - f64::from(step) / f64::from(height - 1);
        canvas.fill(x, top + step, BAR_WIDTH, 1, bar.scale.at(share));
    }
    canvas.frame(x, top, BAR_WIDTH, height, RULE);
    let line = Font::BODY.height();
    let places = [top + height - line, top + (height - line) / 2, top];
    for (text, y) in bar.ends.iter().zip(places) {
        // A matrix of one row has no room for the middle.
        if height >= 3 * line || y != places[1] {
            canvas.text(x + BAR_WIDTH + 6, y, text, Font::BODY, INK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_coloured_by_their_values() {
        let matrix = AgreementMatrix {
            title: "Spearman".to_owned(),
            labels: vec!["a".to_owned(), "b".to_owned()],
            values: vec![vec![Some(1.0), Some(-1.0)], vec![None, Some(f64::NAN)]],
        };
        let picture = agreement_image(&matrix).unwrap();
        let left = MARGIN + Font::BODY.width("a") + LABEL_GAP;
        let top = MARGIN + TITLE_BLOCK + Font::BODY.width("a") + LABEL_GAP;
        let at = |row: u32, column: u32| {
            *picture.get_pixel(left + column * CELL_WIDTH + 2, top + row * CELL_HEIGHT + 2)
        };
        assert_eq!(at(0, 0), Scale::Diverging.at(1.0));
        assert_eq!(at(0, 1), Scale::Diverging.at(0.0));
        assert_eq!(at(1, 0), crate::canvas::WHITE);
        assert_eq!(at(1, 1), crate::canvas::WHITE);
    }

    #[test]
    fn confusion_colours_are_shares_of_the_true_class() {
        let matrix = ConfusionMatrix {
            title: "m".to_owned(),
            classes: vec!["a".to_owned(), "b".to_owned()],
            counts: vec![vec![1, 3], vec![0, 0]],
        };
        let picture = confusion_image(&matrix).unwrap();
        let left = MARGIN + Font::BODY.width("a") + LABEL_GAP;
        let headings = TITLE_BLOCK + 3 * AXIS_BLOCK + 12;
        let top = MARGIN + headings + Font::BODY.width("a") + LABEL_GAP;
        // Both grids are coloured alike; the second stands clear of the first one's heading and
        // has room for its own.
        let step = Font::BOLD.width("shares of the true class") + GRID_GAP;
        assert!(step > 2 * CELL_WIDTH + GRID_GAP);
        assert!(picture.width() >= left + 2 * step - GRID_GAP);
        for left in [left, left + step] {
            assert_eq!(*picture.get_pixel(left + 2, top + 2), Scale::Amount.at(0.5));
            assert_eq!(
                *picture.get_pixel(left + CELL_WIDTH + 2, top + 2),
                Scale::Amount.at(0.75f64.sqrt())
            );
        }
    }

    #[test]
    fn small_shares_are_not_shown_as_nothing() {
        assert_eq!(share_text(0.8571), ".857");
        assert_eq!(share_text(0.0005), ".001");
        assert_eq!(share_text(0.0001), "<.001");
        assert_eq!(share_text(1.0), "1.000");
    }

    #[test]
    fn a_small_matrix_has_room_for_its_title() {
        let matrix = AgreementMatrix {
            title: "hybrid: Spearman correlation of maps, mean over images".to_owned(),
            labels: vec!["cam".to_owned(), "ig".to_owned()],
            values: vec![vec![Some(1.0), None], vec![None, Some(1.0)]],
        };
        let picture = agreement_image(&matrix).unwrap();
        assert!(picture.width() >= Font::TITLE.width(&matrix.title) + 2 * MARGIN);
    }

    #[test]
    fn odd_matrices_are_drawn_or_refused() {
        let none = AgreementMatrix {
            title: "t".to_owned(),
            labels: vec![],
            values: vec![],
        };
        assert!(matches!(
            agreement_image(&none),
            Err(FigureError::Empty { .. })
        ));
        let one = AgreementMatrix {
            labels: vec!["only".to_owned()],
            ..none.clone()
        };
        assert!(agreement_image(&one).is_ok());
        let many = AgreementMatrix {
            labels: vec![String::new(); 2000],
            ..none
        };
        assert!(matches!(
            agreement_image(&many),
            Err(FigureError::TooLarge { .. })
        ));
    }
}
