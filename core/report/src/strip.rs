//! The strip of `xbench explain`: one row per image, one column per explainer.
//!
//! Every panel carries its own colour bar with its own end values: maps of different explainers
//! have different units, and a shared scale would show nothing but the largest.

use image::{Rgb, RgbImage};

use crate::canvas::{Canvas, FAINT_INK, Font, INK};
use crate::figure::{FigureError, check_count};
use crate::panel::{BAR_BLOCK, Map, SIDE, draw_bar, draw_map, draw_picture};

/// A figure of inputs and their explanations.
#[derive(Clone, Debug)]
pub struct StripFigure {
    /// Above all: the model and the data.
    pub title: String,
    /// One per image.
    pub rows: Vec<StripRow>,
}

/// An input, what the model says to it, and its maps.
#[derive(Clone, Debug)]
pub struct StripRow {
    /// What the model was given, as a picture (for grey inputs see [`crate::grey_image`]).
    pub input: RgbImage,
    /// The photograph before preprocessing, if there was one.
    pub original: Option<RgbImage>,
    /// Name of the input: a file name, or data set and index.
    pub label: String,
    /// The predicted class.
    pub prediction: String,
    /// Its probability, 0–1; NaN where the model gives none.
    pub probability: f64,
    /// The true class, where known.
    pub truth: Option<String>,
    /// The class that the maps explain, where it is not the predicted one.
    pub target: Option<String>,
    /// One per explainer, in the same order in every row; none where it gave no map.
    pub maps: Vec<Option<MapPanel>>,
}

/// An attribution map.
#[derive(Clone, Debug)]
pub struct MapPanel {
    /// The explainer.
    pub title: String,
    /// `height × width` values, row by row, in the explainer's own unit; need not be finite.
    pub values: Vec<f32>,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Whether the sign has a meaning: red for, blue against, centred at zero. Otherwise colours
    /// run from the smallest to the largest value.
    pub signed: bool,
}

/// Rows that still make a picture one scrolls through; split a longer selection into several
/// figures of this many rows.
pub const STRIP_ROWS: usize = 20;

const MARGIN: u32 = 20;
const COLUMN_GAP: u32 = 18;
const ROW_GAP: u32 = 22;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const HEADING_BLOCK: u32 = Font::BODY.height() + 6;
const BELOW_GAP: u32 = 7;
const ROW_HEIGHT: u32 = HEADING_BLOCK + SIDE + BELOW_GAP + BELOW_BLOCK;
/// Two lines of words beside a colour bar with its numbers.
const BELOW_BLOCK: u32 = if 2 * Font::BODY.height() + 2 > BAR_BLOCK {
    2 * Font::BODY.height() + 2
} else {
    BAR_BLOCK
};
pub(crate) const RIGHT: Rgb<u8> = Rgb([24, 120, 60]);
pub(crate) const WRONG: Rgb<u8> = Rgb([178, 34, 34]);

/// Draws the figure.
///
/// Pictures and maps are scaled to 224 pixels; the map is laid over the input in grey. A map
/// whose values are all equal is stated to be constant, and values that are not finite are
/// painted green and counted.
///
/// # Errors
///
/// [`FigureError::Empty`] without rows or with an input without pixels,
/// [`FigureError::ValueCount`] where a map does not fill its shape, [`FigureError::TooLarge`]
/// where the figure would pass 20,000 pixels a side.
pub fn strip_image(figure: &StripFigure) -> Result<RgbImage, FigureError> {
    check(figure)?;
    let has_original = figure.rows.iter().any(|row| row.original.is_some());
    let leading: u32 = if has_original { 2 } else { 1 };
    let columns = figure
        .rows
        .iter()
        .map(|row| leading as usize + row.maps.len())
        .max()
        .unwrap_or(1);
    let step = u64::from(SIDE + COLUMN_GAP);
    let width = columns as u64 * step - u64::from(COLUMN_GAP) + 2 * u64::from(MARGIN);
    let rows = figure.rows.len() as u64;
    let title = if figure.title.is_empty() {
        0
    } else {
        TITLE_BLOCK
    };
    let height = 2 * u64::from(MARGIN)
        + u64::from(title)
        + rows * u64::from(ROW_HEIGHT)
        + (rows - 1) * u64::from(ROW_GAP);
    let mut canvas = Canvas::new("the strip", width, height)?;
    let room = width as u32 - 2 * MARGIN;
    canvas.text(
        MARGIN,
        MARGIN,
        &Font::TITLE.elide(&figure.title, room),
        Font::TITLE,
        INK,
    );
    for (i, row) in figure.rows.iter().enumerate() {
        let y = MARGIN + title + i as u32 * (ROW_HEIGHT + ROW_GAP);
        draw_row(&mut canvas, y, row, leading);
    }
    Ok(canvas.finish())
}

fn check(figure: &StripFigure) -> Result<(), FigureError> {
    let empty = |what: String| FigureError::Empty { what };
    if figure.rows.is_empty() {
        return Err(empty("the strip".to_owned()));
    }
    for row in &figure.rows {
        let pictures = std::iter::once(&row.input).chain(&row.original);
        if pictures
            .into_iter()
            .any(|p| p.width() == 0 || p.height() == 0)
        {
            return Err(empty(format!("the picture of {}", row.label)));
        }
        for map in row.maps.iter().flatten() {
            let what = format!("map {} of {}", map.title, row.label);
            check_count(&what, map.values.len(), map.height, map.width)?;
        }
    }
    Ok(())
}

fn draw_row(canvas: &mut Canvas, y: u32, row: &StripRow, leading: u32) {
    let column = |i: u32| MARGIN + i * (SIDE + COLUMN_GAP);
    let top = y + HEADING_BLOCK;
    let below = top + SIDE + BELOW_GAP;
    let line = Font::BODY.height() + 2;

    let size = format!("input {}×{}", row.input.width(), row.input.height());
    let input_x = column(leading - 1);
    let label = Font::BOLD.elide_middle(&row.label, SIDE);
    match &row.original {
        Some(original) => {
            canvas.text(column(0), y, &label, Font::BOLD, INK);
            draw_picture(canvas, column(0), top, original);
            let pixels = format!("{}×{} pixels", original.width(), original.height());
            canvas.text(column(0), below, &pixels, Font::BODY, FAINT_INK);
            canvas.text(input_x, y, &size, Font::BODY, FAINT_INK);
        }
        None => canvas.text(input_x, y, &label, Font::BOLD, INK),
    }
    draw_picture(canvas, input_x, top, &row.input);

    let colour = match &row.truth {
        Some(truth) if *truth == row.prediction => RIGHT,
        Some(_) => WRONG,
        None => INK,
    };
    let probability = if row.probability.is_finite() {
        format!(" {:.2}", row.probability)
    } else {
        String::new()
    };
    let room = SIDE.saturating_sub(Font::BOLD.width(&probability));
    let prediction = Font::BOLD.elide(&row.prediction, room) + &probability;
    canvas.text(input_x, below, &prediction, Font::BOLD, colour);
    if let Some(truth) = &row.truth {
        let truth = Font::BODY.elide(&format!("true class: {truth}"), SIDE);
        canvas.text(input_x, below + line, &truth, Font::BODY, FAINT_INK);
    }

    for (i, panel) in row.maps.iter().enumerate() {
        let x = column(leading + i as u32);
        let Some(panel) = panel else {
            let text = "no map";
            let middle = (SIDE - Font::BODY.width(text)) / 2;
            canvas.text(x + middle, top + SIDE / 2, text, Font::BODY, FAINT_INK);
            continue;
        };
        let title = match &row.target {
            Some(target) => format!("{} for {target}", panel.title),
            None => panel.title.clone(),
        };
        canvas.text(
            x,
            y,
            &Font::BOLD.elide_middle(&title, SIDE),
            Font::BOLD,
            INK,
        );
        let map = Map {
            values: &panel.values,
            height: panel.height,
            width: panel.width,
            signed: panel.signed,
        };
        draw_map(canvas, x, top, &row.input, &map);
        draw_bar(canvas, x, below, &map);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::WHITE;

    fn row(maps: Vec<MapPanel>) -> StripRow {
        StripRow {
            input: RgbImage::from_pixel(28, 28, Rgb([200; 3])),
            original: None,
            label: "a name far too long to fit over a panel of this width.jpg".to_owned(),
            prediction: "A class with an unreasonably long name".to_owned(),
            probability: 0.931,
            truth: Some("Dress".to_owned()),
            target: None,
            maps: maps.into_iter().map(Some).collect(),
        }
    }

    fn map(values: Vec<f32>) -> MapPanel {
        MapPanel {
            title: "gradcam".to_owned(),
            values,
            height: 2,
            width: 2,
            signed: false,
        }
    }

    #[test]
    fn size_follows_from_rows_and_columns() {
        let figure = StripFigure {
            title: String::new(),
            rows: vec![row(vec![map(vec![0.0, 1.0, 2.0, 3.0])]), row(vec![])],
        };
        let picture = strip_image(&figure).unwrap();
        assert_eq!(picture.width(), 2 * 224 + 18 + 40);
        assert_eq!(picture.height(), 2 * ROW_HEIGHT + 22 + 40);
    }

    #[test]
    fn nothing_touches_the_margin() {
        let figure = StripFigure {
            title: "long ".repeat(400),
            rows: vec![row(vec![map(vec![-1e-9, f32::NAN, 2e9, 3.0])])],
        };
        let picture = strip_image(&figure).unwrap();
        let (w, h) = picture.dimensions();
        for (x, y, pixel) in picture.enumerate_pixels() {
            // The frame of a panel stands one pixel outside it.
            if x < MARGIN - 1 || y < MARGIN - 1 || x > w - MARGIN || y > h - MARGIN {
                assert_eq!(*pixel, WHITE, "at {x}, {y}");
            }
        }
    }

    #[test]
    fn a_map_that_is_not_there_keeps_its_column() {
        let mut gap = row(vec![map(vec![0.0, 1.0, 2.0, 3.0])]);
        gap.maps.insert(0, None);
        let full = row(vec![map(vec![0.0, 1.0, 2.0, 3.0]); 2]);
        let figure = |row| StripFigure {
            title: String::new(),
            rows: vec![row],
        };
        let (gap, full) = (figure(gap), figure(full));
        let (gap, full) = (strip_image(&gap).unwrap(), strip_image(&full).unwrap());
        assert_eq!(gap.dimensions(), full.dimensions());
        let last = MARGIN + 2 * (SIDE + COLUMN_GAP);
        for (x, y, pixel) in full.enumerate_pixels().filter(|(x, ..)| *x >= last) {
            assert_eq!(gap.get_pixel(x, y), pixel, "at {x}, {y}");
        }
        assert_ne!(gap, full);
    }

    #[test]
    fn degenerate_maps_are_drawn_and_leave_the_input_bare() {
        for value in [0.0, 1.5, f32::NAN, f32::INFINITY] {
            let figure = StripFigure {
                title: "t".to_owned(),
                rows: vec![row(vec![map(vec![value; 4])])],
            };
            let picture = strip_image(&figure).unwrap();
            let x = MARGIN + SIDE + COLUMN_GAP + SIDE / 2;
            let y = MARGIN + TITLE_BLOCK + HEADING_BLOCK + SIDE / 2;
            assert_eq!(picture.get_pixel(x, y), &Rgb([200; 3]));
        }
    }

    #[test]
    fn the_largest_value_is_drawn_in_the_brightest_colour() {
        let figure = StripFigure {
            title: String::new(),
            rows: vec![row(vec![map(vec![0.0, 0.0, 0.0, 1.0])])],
        };
        let picture = strip_image(&figure).unwrap();
        let light = |dx: u32, dy: u32| {
            let x = MARGIN + SIDE + COLUMN_GAP + dx;
            crate::colour::luminance(*picture.get_pixel(x, MARGIN + HEADING_BLOCK + dy))
        };
        assert!(light(200, 200) > light(20, 20) + 0.3);
    }

    #[test]
    fn wrong_input_is_refused_with_its_name() {
        let none = StripFigure {
            title: String::new(),
            rows: vec![],
        };
        assert!(matches!(strip_image(&none), Err(FigureError::Empty { .. })));
        let short = StripFigure {
            title: String::new(),
            rows: vec![row(vec![map(vec![0.0; 3])])],
        };
        let message = strip_image(&short).unwrap_err().to_string();
        assert!(message.contains("map gradcam"), "{message}");
        let many = StripFigure {
            title: String::new(),
            rows: vec![row(vec![]); 200],
        };
        assert!(matches!(
            strip_image(&many),
            Err(FigureError::TooLarge { .. })
        ));
    }
}
