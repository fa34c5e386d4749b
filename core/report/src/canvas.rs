//! Drawing on an RGB picture: rectangles, other pictures, and text from a rasterised font.
//!
//! The font is a fixed set of anti-aliased glyphs compiled in, so a picture looks the same on
//! every machine, with or without fonts installed. Characters it lacks are replaced by near ones,
//! failing that by a question mark.

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::colour::blend;
use crate::figure::{FigureError, checked_size};
use crate::style::{Style, width_of};

pub(crate) const INK: Rgb<u8> = Rgb([33, 33, 33]);
pub(crate) const FAINT_INK: Rgb<u8> = Rgb([110, 110, 110]);
pub(crate) const RULE: Rgb<u8> = Rgb([205, 205, 205]);
pub(crate) const WHITE: Rgb<u8> = Rgb([255, 255, 255]);

/// Size and weight of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Font {
    size: RasterHeight,
    weight: FontWeight,
}

impl Font {
    pub(crate) const BODY: Self = Self {
        size: RasterHeight::Size16,
        weight: FontWeight::Regular,
    };
    pub(crate) const BOLD: Self = Self {
        size: RasterHeight::Size16,
        weight: FontWeight::Bold,
    };
    pub(crate) const TITLE: Self = Self {
        size: RasterHeight::Size20,
        weight: FontWeight::Bold,
    };

    /// Height of a line in pixels.
    pub(crate) const fn height(self) -> u32 {
        self.size.val() as u32
    }

    const fn advance(self) -> u32 {
        get_raster_width(self.weight, self.size) as u32
    }

    /// Width of `text` in pixels.
    pub(crate) fn width(self, text: &str) -> u32 {
        printable(text).chars().count() as u32 * self.advance()
    }

    /// `text` cut at the end to at most `pixels`.
    pub(crate) fn elide(self, text: &str, pixels: u32) -> String {
        FIGURE_STYLE.elide(&printable(text), (pixels / self.advance()) as usize)
    }

    /// `text` cut in the middle to at most `pixels`.
    pub(crate) fn elide_middle(self, text: &str, pixels: u32) -> String {
        FIGURE_STYLE.elide_middle(&printable(text), (pixels / self.advance()) as usize)
    }
}

/// Only its ellipsis matters here; the font has none, so it is two dots.
const FIGURE_STYLE: Style = Style {
    colour: false,
    width: 0,
    unicode: false,
};

/// `text` in characters that the font has, each one column wide.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            '–' | '—' | '−' | '‑' => out.push('-'),
            '…' => out.push_str(".."),
            '‘' | '’' => out.push('\''),
            '“' | '”' => out.push('"'),
            '→' => out.push_str("->"),
            '≈' => out.push('~'),
            '≤' => out.push_str("<="),
            '≥' => out.push_str(">="),
            c if get_raster(c, FontWeight::Regular, RasterHeight::Size16).is_some() => out.push(c),
            c if width_of(c.encode_utf8(&mut [0; 4])) == 0 => {}
            _ => out.push('?'),
        }
    }
    out
}

/// A picture being drawn. Whatever falls outside is cut off.
pub(crate) struct Canvas {
    picture: RgbImage,
}

impl Canvas {
    /// A white picture.
    pub(crate) fn new(what: &str, width: u64, height: u64) -> Result<Self, FigureError> {
        let (width, height) = checked_size(what, width, height)?;
        Ok(Self {
            picture: RgbImage::from_pixel(width, height, WHITE),
        })
    }

    pub(crate) fn finish(self) -> RgbImage {
        self.picture
    }

    pub(crate) fn dot(&mut self, x: u32, y: u32, colour: Rgb<u8>) {
        if let Some(pixel) = self.picture.get_pixel_mut_checked(x, y) {
            *pixel = colour;
        }
    }

    pub(crate) fn fill(&mut self, x: u32, y: u32, width: u32, height: u32, colour: Rgb<u8>) {
        for row in y..y + height {
            for column in x..x + width {
                self.dot(column, row, colour);
            }
        }
    }

    /// A frame one pixel wide, just outside the rectangle.
    pub(crate) fn frame(&mut self, x: u32, y: u32, width: u32, height: u32, colour: Rgb<u8>) {
        let (left, top) = (x.saturating_sub(1), y.saturating_sub(1));
        self.fill(left, top, width + 2, 1, colour);
        self.fill(left, y + height, width + 2, 1, colour);
        self.fill(left, top, 1, height + 2, colour);
        self.fill(x + width, top, 1, height + 2, colour);
    }

    pub(crate) fn paste(&mut self, x: u32, y: u32, other: &RgbImage) {
        for (column, row, pixel) in other.enumerate_pixels() {
            self.dot(x + column, y + row, *pixel);
        }
    }

    /// `text` with its upper left corner at (`x`, `y`).
    pub(crate) fn text(&mut self, x: u32, y: u32, text: &str, font: Font, colour: Rgb<u8>) {
        each_glyph_pixel(text, font, |dx, dy, alpha| {
            self.ink(x + dx, y + dy, colour, alpha)
        });
    }

    /// `text` reading upwards, its first character at the bottom: the column that it fills has
    /// its lower left corner at (`x`, `bottom`).
    pub(crate) fn text_upwards(
        &mut self,
        x: u32,
        bottom: u32,
        text: &str,
        font: Font,
        colour: Rgb<u8>,
    ) {
        each_glyph_pixel(text, font, |dx, dy, alpha| {
            if let Some(y) = bottom.checked_sub(dx + 1) {
                self.ink(x + dy, y, colour, alpha);
            }
        });
    }

    pub(crate) fn text_centred(
        &mut self,
        (x, width): (u32, u32),
        y: u32,
        text: &str,
        font: Font,
        colour: Rgb<u8>,
    ) {
        let left = x + width.saturating_sub(font.width(text)) / 2;
        self.text(left, y, text, font, colour);
    }

    pub(crate) fn text_right(
        &mut self,
        right: u32,
        y: u32,
        text: &str,
        font: Font,
        colour: Rgb<u8>,
    ) {
        self.text(
            right.saturating_sub(font.width(text)),
            y,
            text,
            font,
            colour,
        );
    }

    /// A straight line with round ends between two points in pixels, smooth at its edges.
    /// `width` is at least 1.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, colour: Rgb<u8>) {
        let reach = width / 2.0 + 1.0;
        // A cast saturates, so that what lies outside the picture costs no more than its edge.
        let low = |a: f64, b: f64| (a.min(b) - reach).floor().max(0.0) as u32;
        let high =
            |a: f64, b: f64, side: u32| ((a.max(b) + reach).ceil().max(0.0) as u32).min(side);
        let (columns, rows) = self.picture.dimensions();
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let squared = dx * dx + dy * dy;
        for y in low(from.1, to.1)..high(from.1, to.1, rows) {
            for x in low(from.0, to.0)..high(from.0, to.0, columns) {
                let (px, py) = (f64::from(x) + 0.5 - from.0, f64::from(y) + 0.5 - from.1);
                let along = if squared > 0.0 {
                    ((px * dx + py * dy) / squared).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let distance = (px - along * dx).hypot(py - along * dy);
                let cover = (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
                if cover > 0.0 {
                    self.ink(x, y, colour, cover);
                }
            }
        }
    }

    /// A line of dashes.
    pub(crate) fn dashes(&mut self, from: (f64, f64), to: (f64, f64), width: f64, colour: Rgb<u8>) {
        const DASH: f64 = 6.0;
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |along: f64| {
            let share = (along / length).min(1.0);
            (
                from.0 + share * (to.0 - from.0),
                from.1 + share * (to.1 - from.1),
            )
        };
        let pieces = (length / (2.0 * DASH)).ceil() as u32;
        for piece in 0..pieces {
            let start = f64::from(piece) * 2.0 * DASH;
            self.line(at(start), at(start + DASH), width, colour);
        }
    }

    fn ink(&mut self, x: u32, y: u32, colour: Rgb<u8>, alpha: f64) {
        if let Some(pixel) = self.picture.get_pixel_mut_checked(x, y) {
            *pixel = blend(*pixel, colour, alpha);
        }
    }
}

fn each_glyph_pixel(text: &str, font: Font, mut draw: impl FnMut(u32, u32, f64)) {
    for (i, c) in printable(text).chars().enumerate() {
        let Some(glyph) = get_raster(c, font.weight, font.size) else {
            continue;
        };
        for (y, row) in glyph.rows().enumerate() {
            for (x, &level) in row.iter().enumerate() {
                if level > 0 {
                    let dx = i as u32 * font.advance() + x as u32;
                    draw(dx, y as u32, f64::from(level) / 255.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inked(picture: &RgbImage) -> Vec<(u32, u32)> {
        let dark = picture
            .enumerate_pixels()
            .filter(|(_, _, pixel)| **pixel != WHITE);
        dark.map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn text_stays_within_its_measured_box() {
        let text = "Ankle boot 0.93 ±";
        let (w, h) = (Font::BODY.width(text), Font::BODY.height());
        let mut canvas = Canvas::new("test", u64::from(w) + 20, u64::from(h) + 20).unwrap();
        canvas.text(10, 10, text, Font::BODY, INK);
        let dots = inked(&canvas.finish());
        assert!(dots.len() > 100);
        assert!(
            dots.iter()
                .all(|&(x, y)| (10..10 + w).contains(&x) && (10..10 + h).contains(&y))
        );
    }

    #[test]
    fn upward_text_is_the_same_text_turned() {
        let (w, h) = (Font::BODY.width("Lf"), Font::BODY.height());
        let mut flat = Canvas::new("test", u64::from(w), u64::from(h)).unwrap();
        flat.text(0, 0, "Lf", Font::BODY, INK);
        let mut turned = Canvas::new("test", u64::from(h), u64::from(w)).unwrap();
        turned.text_upwards(0, w, "Lf", Font::BODY, INK);
        assert_eq!(image::imageops::rotate270(&flat.finish()), turned.finish());
    }

    #[test]
    fn unknown_characters_are_replaced_and_text_is_elided() {
        assert_eq!(printable("0.5 – 1…服"), "0.5 - 1..?");
        let advance = Font::BODY.advance();
        assert_eq!(
            Font::BODY.elide("integrated gradients", advance * 8),
            "integr.."
        );
        assert_eq!(
            Font::BODY.elide_middle("ig{steps: 50}", advance * 9),
            "ig{s..50}"
        );
    }

    #[test]
    fn lines_cover_what_lies_within_their_width() {
        let mut canvas = Canvas::new("test", 20, 20).unwrap();
        canvas.line((2.0, 10.0), (18.0, 10.0), 2.0, INK);
        let picture = canvas.finish();
        assert_eq!(*picture.get_pixel(10, 9), INK);
        assert_eq!(*picture.get_pixel(10, 10), INK);
        assert_eq!(*picture.get_pixel(10, 12), WHITE);
        assert_eq!(*picture.get_pixel(0, 10), WHITE);
        let mut outside = Canvas::new("test", 4, 4).unwrap();
        outside.line((-1e12, -50.0), (1e12, -40.0), 2.0, INK);
        outside.dashes((1.0, 1.0), (1.0, 1.0), 2.0, INK);
        assert!(outside.finish().pixels().all(|pixel| *pixel == WHITE));
    }

    #[test]
    fn dashes_leave_gaps() {
        let mut canvas = Canvas::new("test", 40, 8).unwrap();
        canvas.dashes((0.0, 4.0), (40.0, 4.0), 2.0, INK);
        let picture = canvas.finish();
        assert_eq!(*picture.get_pixel(3, 4), INK);
        assert_eq!(*picture.get_pixel(9, 4), WHITE);
        assert_eq!(*picture.get_pixel(15, 4), INK);
    }

    #[test]
    fn drawing_outside_is_cut_off() {
        let mut canvas = Canvas::new("test", 4, 4).unwrap();
        canvas.text(2, 2, "WWW", Font::TITLE, INK);
        canvas.fill(3, 3, 10, 10, INK);
        assert_eq!(canvas.finish().get_pixel(3, 3), &INK);
    }
}
