//! One square of a strip: a picture, or a map laid over it, with its colour bar.
//!
//! A map as fine as its input is drawn in hard pixels that line up with the input's. A coarser
//! one (Grad-CAM before upsampling) is interpolated, as such figures are by custom.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE};
use crate::colour::{Scale, blend, luminance};
use crate::number::significant;

/// Side of the square that every picture and map is fitted into, in pixels.
pub(crate) const SIDE: u32 = 224;
const BAR_HEIGHT: u32 = 10;
/// How strongly the map covers the input.
const COVER: f64 = 0.72;
const NOT_A_NUMBER: Rgb<u8> = Rgb([0, 190, 120]);

/// A rectangle within the square, as large as the square allows for the picture's proportions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

impl Fit {
    pub(crate) fn of(width: u32, height: u32) -> Self {
        Self::within(SIDE, width, height)
    }

    fn within(square: u32, width: u32, height: u32) -> Self {
        let longest = width.max(height).max(1);
        let scaled = |side: u32| {
            let exact = u64::from(side) * u64::from(square) / u64::from(longest);
            (exact as u32).clamp(1, square)
        };
        let (width, height) = (scaled(width), scaled(height));
        Self {
            x: (square - width) / 2,
            y: (square - height) / 2,
            width,
            height,
        }
    }
}

/// `picture` scaled to fit the square: hard pixels for small ones, smooth for photographs.
fn scaled(picture: &RgbImage, fit: Fit) -> RgbImage {
    let small = picture.width().max(picture.height()) * 2 <= SIDE;
    let filter = if small {
        FilterType::Nearest
    } else {
        FilterType::Triangle
    };
    imageops::resize(picture, fit.width, fit.height, filter)
}

/// Draws `picture` into the square at (`x`, `y`).
pub(crate) fn draw_picture(canvas: &mut Canvas, x: u32, y: u32, picture: &RgbImage) {
    draw_picture_of(canvas, (x, y), SIDE, picture);
}

/// Draws `picture` into a square of that side at (`x`, `y`).
pub(crate) fn draw_picture_of(
    canvas: &mut Canvas,
    (x, y): (u32, u32),
    side: u32,
    picture: &RgbImage,
) {
    let fit = Fit::within(side, picture.width(), picture.height());
    canvas.paste(x + fit.x, y + fit.y, &scaled(picture, fit));
    canvas.frame(x + fit.x, y + fit.y, fit.width, fit.height, RULE);
}

/// A map, checked: `values` are `height × width`, row by row.
pub(crate) struct Map<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) signed: bool,
}

/// What the colours of a map run over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Range {
    /// No finite value at all.
    Nothing,
    /// Every finite value is this one.
    Constant(f64),
    /// Smallest and largest of an unsigned map; −m and m of a signed one.
    Span { low: f64, high: f64 },
}

impl Map<'_> {
    pub(crate) fn range(&self) -> Range {
        let finite = || {
            self.values
                .iter()
                .map(|&v| f64::from(v))
                .filter(|v| v.is_finite())
        };
        let Some(low) = finite().reduce(f64::min) else {
            return Range::Nothing;
        };
        let high = finite().reduce(f64::max).unwrap_or(low);
        if low == high {
            return Range::Constant(low);
        }
        if self.signed {
            let most = low.abs().max(high.abs());
            return Range::Span {
                low: -most,
                high: most,
            };
        }
        Range::Span { low, high }
    }

    fn scale(&self) -> Scale {
        if self.signed {
            Scale::Diverging
        } else {
            Scale::Heat
        }
    }

    pub(crate) fn not_finite(&self) -> usize {
        self.values.iter().filter(|v| !v.is_finite()).count()
    }

    /// The value at the relative position (`u`, `v`) in 0–1; `None` where a value that is not
    /// finite takes part.
    fn sample(&self, u: f64, v: f64, smooth: bool) -> Option<f64> {
        let at = |column: usize, row: usize| f64::from(self.values[row * self.width + column]);
        let inside = |share: f64, side: usize| ((share * side as f64) as usize).min(side - 1);
        if !smooth {
            let value = at(inside(u, self.width), inside(v, self.height));
            return value.is_finite().then_some(value);
        }
        // Pixel centres lie at half positions; beyond the outermost the edge value holds.
        let split = |share: f64, side: usize| {
            let position = (share * side as f64 - 0.5).clamp(0.0, (side - 1) as f64);
            let first = position.floor() as usize;
            (
                first,
                (first + 1).min(side - 1),
                position - position.floor(),
            )
        };
        let (left, right, across) = split(u, self.width);
        let (top, bottom, down) = split(v, self.height);
        let upper = at(left, top) * (1.0 - across) + at(right, top) * across;
        let lower = at(left, bottom) * (1.0 - across) + at(right, bottom) * across;
        let value = upper * (1.0 - down) + lower * down;
        value.is_finite().then_some(value)
    }
}

/// Draws the map over `input` into the square at (`x`, `y`).
pub(crate) fn draw_map(canvas: &mut Canvas, x: u32, y: u32, input: &RgbImage, map: &Map<'_>) {
    let fit = Fit::of(input.width(), input.height());
    let ground = scaled(input, fit);
    let coarse = map.width < input.width() as usize || map.height < input.height() as usize;
    // A map finer than its panel is sampled with interpolation too, or it would alias.
    let fine = map.width > SIDE as usize || map.height > SIDE as usize;
    let range = map.range();
    for (column, row, pixel) in ground.enumerate_pixels() {
        let level = (luminance(*pixel) * 255.0).round() as u8;
        // White stands for zero on the diverging scale; a black ground would drown it.
        let shown = if map.signed {
            90 + (f64::from(level) * 165.0 / 255.0) as u8
        } else {
            level
        };
        let ground = Rgb([shown; 3]);
        let colour = match range {
            Range::Span { low, high } => {
                let u = (f64::from(column) + 0.5) / f64::from(fit.width);
                let v = (f64::from(row) + 0.5) / f64::from(fit.height);
                match map.sample(u, v, coarse || fine) {
                    Some(value) => {
                        let share = (value - low) / (high - low);
                        blend(ground, map.scale().at(share), COVER)
                    }
                    None => NOT_A_NUMBER,
                }
            }
            Range::Constant(_) | Range::Nothing => Rgb([level; 3]),
        };
        canvas.dot(x + fit.x + column, y + fit.y + row, colour);
    }
    canvas.frame(x + fit.x, y + fit.y, fit.width, fit.height, RULE);
}

/// Draws the colour bar with its end values under the square whose upper left corner is at
/// (`x`, `y` − side): two lines high.
pub(crate) fn draw_bar(canvas: &mut Canvas, x: u32, y: u32, map: &Map<'_>) {
    let line = y + BAR_HEIGHT + 3;
    let bad = match map.not_finite() {
        0 => String::new(),
        n => format!("{n} not finite"),
    };
    match map.range() {
        Range::Nothing => {
            canvas.text_centred((x, SIDE), y, "no finite value", Font::BODY, FAINT_INK);
        }
        Range::Constant(value) => {
            let text = format!("constant map ({})", significant(value));
            canvas.text_centred((x, SIDE), y, &text, Font::BODY, FAINT_INK);
            canvas.text_centred(
                (x, SIDE),
                y + Font::BODY.height(),
                &bad,
                Font::BODY,
                FAINT_INK,
            );
        }
        Range::Span { low, high } => {
            for step in 0..SIDE {
                let share = f64::from(step) / f64::from(SIDE - 1);
                canvas.fill(x + step, y, 1, BAR_HEIGHT, map.scale().at(share));
            }
            canvas.frame(x, y, SIDE, BAR_HEIGHT, RULE);
            canvas.text(x, line, &significant(low), Font::BODY, INK);
            canvas.text_right(x + SIDE, line, &significant(high), Font::BODY, INK);
            if !bad.is_empty() {
                canvas.text_centred((x, SIDE), line, &bad, Font::BODY, NOT_A_NUMBER);
            } else if map.signed {
                canvas.text_centred((x, SIDE), line, "0", Font::BODY, INK);
            }
        }
    }
}

/// Height of what [`draw_bar`] draws.
pub(crate) const BAR_BLOCK: u32 = BAR_HEIGHT + 3 + Font::BODY.height();

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: &[f32], height: usize, width: usize, signed: bool) -> Map<'_> {
        Map {
            values,
            height,
            width,
            signed,
        }
    }

    #[test]
    fn pictures_keep_their_proportions() {
        assert_eq!(
            Fit::of(28, 28),
            Fit {
                x: 0,
                y: 0,
                width: 224,
                height: 224
            }
        );
        assert_eq!(
            Fit::of(400, 200),
            Fit {
                x: 0,
                y: 56,
                width: 224,
                height: 112
            }
        );
        assert_eq!(
            Fit::of(1, 4000),
            Fit {
                x: 111,
                y: 0,
                width: 1,
                height: 224
            }
        );
    }

    #[test]
    fn signed_maps_are_centred_at_zero() {
        let values = [-0.5, 0.0, 2.0, 1.0];
        assert_eq!(
            map(&values, 2, 2, true).range(),
            Range::Span {
                low: -2.0,
                high: 2.0
            }
        );
        assert_eq!(
            map(&values, 2, 2, false).range(),
            Range::Span {
                low: -0.5,
                high: 2.0
            }
        );
        assert_eq!(map(&[3.0; 4], 2, 2, true).range(), Range::Constant(3.0));
        assert_eq!(map(&[f32::NAN; 4], 2, 2, true).range(), Range::Nothing);
    }

    #[test]
    fn interpolation_meets_the_values_at_pixel_centres() {
        let values = [0.0, 1.0, 2.0, 3.0];
        let map = map(&values, 2, 2, false);
        assert_eq!(map.sample(0.25, 0.25, true), Some(0.0));
        assert_eq!(map.sample(0.75, 0.75, true), Some(3.0));
        assert_eq!(map.sample(0.5, 0.5, true), Some(1.5));
        assert_eq!(map.sample(0.0, 1.0, true), Some(2.0));
        assert_eq!(map.sample(0.49, 0.51, false), Some(2.0));
        assert_eq!(map.sample(1.0, 1.0, false), Some(3.0));
    }

    #[test]
    fn what_is_not_finite_is_painted_as_such() {
        let input = RgbImage::new(2, 2);
        let mut canvas = Canvas::new("test", 224, 224).unwrap();
        draw_map(
            &mut canvas,
            0,
            0,
            &input,
            &map(&[f32::NAN, 0.0, 1.0, 0.5], 2, 2, false),
        );
        let picture = canvas.finish();
        assert_eq!(picture.get_pixel(50, 50), &NOT_A_NUMBER);
        assert_ne!(picture.get_pixel(150, 50), &NOT_A_NUMBER);
    }
}
