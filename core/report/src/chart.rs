//! What charts share: axes with round ticks, lines through points, a legend.

use image::Rgb;

use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE};
use crate::number::decimals_for;

/// Light lines across a plot.
pub(crate) const GRID: Rgb<u8> = Rgb([228, 228, 228]);
const TICK: u32 = 4;

/// A rectangle of pixels that shows a rectangle of values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axes {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Values at the left and right edge.
    pub(crate) x: (f64, f64),
    /// Values at the lower and upper edge.
    pub(crate) y: (f64, f64),
}

fn share(value: f64, (low, high): (f64, f64)) -> f64 {
    if high > low {
        (value - low) / (high - low)
    } else {
        0.5
    }
}

impl Axes {
    pub(crate) fn column(&self, x: f64) -> f64 {
        f64::from(self.left) + share(x, self.x) * f64::from(self.width)
    }

    pub(crate) fn row(&self, y: f64) -> f64 {
        f64::from(self.top) + (1.0 - share(y, self.y)) * f64::from(self.height)
    }

    pub(crate) fn bottom(&self) -> u32 {
        self.top + self.height
    }

    /// The frame, light lines across at `ys` with their numbers at the left.
    pub(crate) fn draw_rows(&self, canvas: &mut Canvas, ys: &[f64]) {
        for (&y, text) in ys.iter().zip(tick_texts(ys)) {
            let row = self.row(y).round() as u32;
            canvas.fill(self.left, row, self.width, 1, GRID);
            canvas.fill(self.left - TICK, row, TICK, 1, FAINT_INK);
            let middle = row.saturating_sub(Font::BODY.height() / 2);
            canvas.text_right(self.left - TICK - 4, middle, &text, Font::BODY, INK);
        }
        canvas.frame(self.left, self.top, self.width, self.height, RULE);
    }

    /// Ticks at `xs` with their numbers below.
    pub(crate) fn draw_columns(&self, canvas: &mut Canvas, xs: &[f64]) {
        for (&x, text) in xs.iter().zip(tick_texts(xs)) {
            let column = self.column(x).round() as u32;
            canvas.fill(column, self.bottom(), 1, TICK, FAINT_INK);
            let half = Font::BODY.width(&text) / 2;
            let left = column.saturating_sub(half);
            canvas.text(left, self.bottom() + TICK + 2, &text, Font::BODY, INK);
        }
    }

    /// Names both axes: `x` below the numbers, `y` upwards at `y_left`.
    pub(crate) fn draw_names(&self, canvas: &mut Canvas, x: &str, y: &str, y_left: u32) {
        let below = self.bottom() + TICK + 2 + Font::BODY.height() + 2;
        let span = (self.left, self.width);
        canvas.text_centred(span, below, x, Font::BODY, FAINT_INK);
        let bottom = self.top + (self.height + Font::BODY.width(y)) / 2;
        canvas.text_upwards(y_left, bottom, y, Font::BODY, FAINT_INK);
    }

    /// Lines between neighbouring points; a point that is not finite leaves a gap.
    pub(crate) fn draw_line(&self, canvas: &mut Canvas, points: &[(f64, f64)], colour: Rgb<u8>) {
        let place = |&(x, y): &(f64, f64)| (self.column(x), self.row(y));
        let finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
        for pair in points.windows(2).filter(|pair| pair.iter().all(finite)) {
            canvas.line(place(&pair[0]), place(&pair[1]), 2.0, colour);
        }
        // Few points are worth a mark each, and a lone one would not be seen otherwise.
        if points.len() <= 40 {
            for point in points.iter().filter(|point| finite(point)) {
                canvas.line(place(point), place(point), 5.0, colour);
            }
        }
    }
}

/// Height of tick numbers and the axis' name below a plot.
pub(crate) const BELOW: u32 = TICK + 2 + 2 * Font::BODY.height() + 2;

/// Round numbers (1, 2 or 5 times a power of ten apart) within `low..=high`, about `wanted` of
/// them; none if there is no range.
pub(crate) fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    if !(low.is_finite() && high.is_finite() && high > low) {
        return Vec::new();
    }
    let raw = (high - low) / wanted.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= raw * 0.999)
        .unwrap_or(10.0 * power);
    let slack = step * 1e-6;
    let first = ((low - slack) / step).ceil();
    let last = ((high + slack) / step).floor();
    let mut ticks = Vec::new();
    // Counted, not added up: 0.1 thirty times is not 3.
    let mut number = first;
    while number <= last && ticks.len() <= 4 * wanted {
        // Adding zero turns −0 into 0.
        ticks.push(number * step + 0.0);
        number += 1.0;
    }
    ticks
}

/// As [`ticks`], whole numbers only.
pub(crate) fn whole_ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let mut found = ticks(low, high, wanted);
    found.retain(|tick| (tick - tick.round()).abs() < 1e-9);
    if found.is_empty() && low.is_finite() {
        found.push(low);
    }
    found
}

/// Digits after the point that tell ticks apart.
fn decimals(values: &[f64]) -> usize {
    let step = values.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    let step = step.fold(f64::INFINITY, f64::min);
    if step.is_finite() && step > 0.0 {
        // A step of 0.05 takes two, of 20 none.
        (-(step * 1.001).log10().floor()).clamp(0.0, 6.0) as usize
    } else {
        let largest = values.first().map_or(0.0, |value| value.abs());
        if largest.fract() == 0.0 {
            0
        } else {
            decimals_for(largest)
        }
    }
}

/// The numbers of ticks, with the digits that tell them apart.
pub(crate) fn tick_texts(values: &[f64]) -> Vec<String> {
    let decimals = decimals(values);
    values
        .iter()
        .map(|&value| tick_text(value, decimals))
        .collect()
}

fn tick_text(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    // Rounding may leave −0.
    if text.trim_start_matches(['-', '0', '.']).is_empty() {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    }
}

/// Names of series beside samples of their colours, from (`x`, `y`) to the right; gives the
/// pixel column behind the last.
pub(crate) fn legend(canvas: &mut Canvas, (x, y): (u32, u32), entries: &[(&str, Rgb<u8>)]) -> u32 {
    let mut x = x;
    for (name, colour) in entries {
        canvas.fill(x, y + 2, 12, 12, *colour);
        canvas.text(x + 18, y, name, Font::BODY, INK);
        x += legend_width(name);
    }
    x
}

/// Pixels that an entry of a legend takes.
pub(crate) fn legend_width(name: &str) -> u32 {
    18 + Font::BODY.width(name) + 20
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64]) -> bool {
        found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-9)
    }

    #[test]
    fn ticks_are_round_and_within() {
        assert!(close(&ticks(0.0, 1.0, 5), &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]));
        assert!(close(&ticks(0.83, 0.97, 4), &[0.85, 0.9, 0.95]));
        assert!(close(&ticks(-3.0, 12.0, 4), &[0.0, 5.0, 10.0]));
        assert!(close(&whole_ticks(1.0, 4.0, 6), &[1.0, 2.0, 3.0, 4.0]));
        assert!(close(&whole_ticks(1.0, 1.0, 6), &[1.0]));
        assert!(ticks(1.0, 1.0, 4).is_empty() && ticks(f64::NAN, 1.0, 4).is_empty());
    }

    #[test]
    fn tick_numbers_have_the_digits_they_need() {
        assert_eq!(decimals(&[0.0, 0.2, 0.4]), 1);
        assert_eq!(decimals(&[0.85, 0.9]), 2);
        assert_eq!(decimals(&[0.0, 20.0]), 0);
        assert_eq!(decimals(&[0.0, 0.001]), 3);
        assert_eq!(decimals(&[1.0]), 0);
        assert_eq!(tick_text(-0.0001, 2), "0.00");
        assert_eq!(tick_text(-0.25, 2), "-0.25");
    }

    #[test]
    fn values_lie_where_they_belong() {
        let axes = Axes {
            left: 10,
            top: 20,
            width: 100,
            height: 50,
            x: (0.0, 10.0),
            y: (-1.0, 1.0),
        };
        assert_eq!((axes.column(5.0), axes.row(1.0)), (60.0, 20.0));
        assert_eq!((axes.row(-1.0), axes.bottom()), (70.0, 70));
        let flat = Axes {
            y: (3.0, 3.0),
            ..axes
        };
        assert_eq!(flat.row(3.0), 45.0);
    }
}
