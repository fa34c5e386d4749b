//! The importance of every pixel as a heat map.

use image::{Rgb, RgbImage};

use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE};
use crate::chart::{Axes, tick_texts, ticks, whole_ticks};
use crate::colour::Scale;
use crate::figure::{FigureError, check_count};

/// One number per pixel, none below zero: gain, weight or cover of a boosted model, say.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportanceMap {
    /// Above all: model and kind of importance.
    pub title: String,
    /// What the colour means, with its unit.
    pub unit: String,
    /// `height × width` values, row by row; need not be finite.
    pub values: Vec<f64>,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

const MARGIN: u32 = 20;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const LEFT: u32 = MARGIN + 36;
const LARGEST: u32 = 448;
const BAR_GAP: u32 = 24;
const BAR_WIDTH: u32 = 16;
const BELOW: u32 = 24;
const NOT_A_NUMBER: Rgb<u8> = Rgb([0, 190, 120]);

/// Draws the map from black (zero) to bright (the greatest value) with a colour bar, rows and
/// columns numbered from 0. Values that are not finite are green and counted.
///
/// # Errors
///
/// [`FigureError::ValueCount`], [`FigureError::Empty`] without pixels, [`FigureError::TooLarge`]
/// beyond 20,000 pixels a side.
pub fn importance_image(map: &ImportanceMap) -> Result<RgbImage, FigureError> {
    let what = format!("the map {}", map.title);
    check_count(&what, map.values.len(), map.height, map.width)?;
    let longest = map.height.max(map.width) as u64;
    // Whole pixels of one size, as large as fit; at least one each.
    let zoom = (u64::from(LARGEST) / longest).max(1);
    let (columns, rows) = (map.width as u64 * zoom, map.height as u64 * zoom);
    let finite = || map.values.iter().copied().filter(|value| value.is_finite());
    let high = finite().fold(0.0, f64::max);
    let low = finite().fold(0.0, f64::min);
    let bad = map.values.len() - finite().count();
    let bar_block = u64::from(BAR_GAP + BAR_WIDTH + 10 + 72);
    let words = [
        Font::TITLE.width(&map.title),
        Font::BODY.width(&map.unit) + 40,
    ];
    let least = u64::from(2 * MARGIN + words[0].max(words[1]).min(700));
    let top = MARGIN + TITLE_BLOCK + Font::BODY.height() + 8;
    let bottom = BELOW + if bad > 0 { Font::BODY.height() + 4 } else { 0 } + MARGIN;
    let width = (u64::from(LEFT + MARGIN) + columns + bar_block).max(least);
    let height = u64::from(top) + rows.max(80) + u64::from(bottom);
    let mut canvas = Canvas::new(&what, width, height)?;
    let room = width as u32 - 2 * MARGIN;
    let title = Font::TITLE.elide(&map.title, room);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    let unit = Font::BODY.elide(&format!("colour: {}", map.unit), room);
    canvas.text(
        MARGIN,
        MARGIN + TITLE_BLOCK - 4,
        &unit,
        Font::BODY,
        FAINT_INK,
    );
    let share = |value: f64| {
        if high > low {
            (value - low) / (high - low)
        } else {
            0.0
        }
    };
    for (i, &value) in map.values.iter().enumerate() {
        let (x, y) = ((i % map.width) as u32, (i / map.width) as u32);
        let colour = if value.is_finite() {
            Scale::Heat.at(share(value))
        } else {
            NOT_A_NUMBER
        };
        let side = zoom as u32;
        canvas.fill(LEFT + x * side, top + y * side, side, side, colour);
    }
    let (columns, rows) = (columns as u32, rows as u32);
    canvas.frame(LEFT, top, columns, rows, RULE);
    number_pixels(&mut canvas, map, (top, zoom as u32));
    let bar = Axes {
        left: LEFT + columns + BAR_GAP,
        top,
        width: BAR_WIDTH,
        height: rows.max(80),
        x: (0.0, 1.0),
        y: (low, if high > low { high } else { low + 1.0 }),
    };
    for step in 0..bar.height {
        let share = 1.0 - f64::from(step) / f64::from(bar.height - 1);
        canvas.fill(bar.left, top + step, BAR_WIDTH, 1, Scale::Heat.at(share));
    }
    canvas.frame(bar.left, top, BAR_WIDTH, bar.height, RULE);
    let marks = ticks(bar.y.0, bar.y.1, 4);
    for (&tick, text) in marks.iter().zip(tick_texts(&marks)) {
        let row = bar.row(tick).round() as u32;
        canvas.fill(
            bar.left + BAR_WIDTH + 1,
            row.min(bar.bottom() - 1),
            4,
            1,
            FAINT_INK,
        );
        let y = row.saturating_sub(Font::BODY.height() / 2);
        canvas.text(bar.left + BAR_WIDTH + 8, y, &text, Font::BODY, INK);
    }
    if bad > 0 {
        let text = format!("{bad} of {} not finite", map.values.len());
        canvas.text(
            LEFT,
            top + rows.max(80) + BELOW,
            &text,
            Font::BODY,
            FAINT_INK,
        );
    }
    Ok(canvas.finish())
}

fn number_pixels(canvas: &mut Canvas, map: &ImportanceMap, (top, zoom): (u32, u32)) {
    let bottom = top + map.height as u32 * zoom;
    for column in whole_ticks(0.0, map.width as f64 - 1.0, 6) {
        let text = format!("{column:.0}");
        let middle = LEFT + column as u32 * zoom + zoom / 2;
        let left = middle.saturating_sub(Font::BODY.width(&text) / 2);
        canvas.text(left, bottom + 5, &text, Font::BODY, INK);
    }
    for row in whole_ticks(0.0, map.height as f64 - 1.0, 6) {
        let y = (top + row as u32 * zoom + zoom / 2).saturating_sub(Font::BODY.height() / 2);
        canvas.text_right(LEFT - 6, y, &format!("{row:.0}"), Font::BODY, INK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: Vec<f64>, height: usize, width: usize) -> ImportanceMap {
        ImportanceMap {
            title: "xgboost, gain".to_owned(),
            unit: "mean gain of the splits on the pixel".to_owned(),
            values,
            height,
            width,
        }
    }

    #[test]
    fn the_greatest_value_is_the_brightest() {
        let picture = importance_image(&map(vec![0.0, 1.0, f64::NAN, 2.0], 2, 2)).unwrap();
        let top = MARGIN + TITLE_BLOCK + Font::BODY.height() + 8;
        let at = |x: u32, y: u32| *picture.get_pixel(LEFT + x * 224 + 9, top + y * 224 + 9);
        assert_eq!(at(0, 0), Scale::Heat.at(0.0));
        assert_eq!(at(1, 0), Scale::Heat.at(0.5));
        assert_eq!(at(1, 1), Scale::Heat.at(1.0));
        assert_eq!(at(0, 1), NOT_A_NUMBER);
    }

    #[test]
    fn odd_maps_are_drawn_or_refused() {
        assert!(importance_image(&map(vec![0.0; 3], 1, 3)).is_ok());
        assert!(importance_image(&map(vec![f64::NAN], 1, 1)).is_ok());
        assert!(importance_image(&map(vec![1e-9; 900], 1, 900)).is_ok());
        let short = importance_image(&map(vec![0.0; 3], 2, 2));
        assert!(matches!(short, Err(FigureError::ValueCount { .. })));
        let none = importance_image(&map(vec![], 0, 0));
        assert!(matches!(none, Err(FigureError::Empty { .. })));
    }
}
