//! The colours of a feature's values: blue for low, orange-red for high, grey for missing, told apart
//! by colour-blind eyes and dark enough on white all along.

use image::Rgb;

use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE};
use crate::chart::{Axes, tick_texts, ticks};
use crate::colour::blend;
use crate::number::significant;

pub(super) const LOW: Rgb<u8> = Rgb([0, 114, 178]);
const MIDDLE: Rgb<u8> = Rgb([158, 128, 158]);
pub(super) const HIGH: Rgb<u8> = Rgb([213, 94, 0]);
/// Of a missing value, and of a sum of features.
pub(super) const NONE: Rgb<u8> = Rgb([150, 150, 150]);

/// Colour of a value within the range of its feature.
pub(super) fn value_colour(value: f64, range: Option<(f64, f64)>) -> Rgb<u8> {
    if value.is_nan() {
        return NONE;
    }
    let share = match range {
        Some((low, high)) if high > low => ((value - low) / (high - low)).clamp(0.0, 1.0),
        _ => 0.5,
    };
    if share < 0.5 {
        blend(LOW, MIDDLE, 2.0 * share)
    } else {
        blend(MIDDLE, HIGH, 2.0 * share - 1.0)
    }
}

/// The values that get the scale's ends: the 5th and the 95th percentile, so that a few outliers do not
/// leave all others one colour; where these are equal, least and greatest. None where no value is
/// finite.
pub(super) fn value_range(values: &[f64]) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = |share: f64| sorted[(share * last as f64).round() as usize];
    let ends = (at(0.05), at(0.95));
    Some(if ends.0 < ends.1 {
        ends
    } else {
        (sorted[0], sorted[last])
    })
}

pub(super) const BAR_WIDTH: u32 = 14;

/// A bar of the scale from low (below) to high (above), with a name that reads upwards. With
/// `numbers`, the ends of a range, round numbers stand beside it, else "high" and "low".
pub(super) fn draw_scale(
    canvas: &mut Canvas,
    (left, top, height): (u32, u32, u32),
    name: &str,
    numbers: Option<(f64, f64)>,
) {
    let bar = Axes {
        left,
        top,
        width: BAR_WIDTH,
        height,
        x: (0.0, 1.0),
        y: numbers.unwrap_or((0.0, 1.0)),
    };
    for step in 0..height {
        let share = 1.0 - f64::from(step) / f64::from(height.max(2) - 1);
        let colour = value_colour(share, Some((0.0, 1.0)));
        canvas.fill(left, top + step, BAR_WIDTH, 1, colour);
    }
    canvas.frame(left, top, BAR_WIDTH, height, RULE);
    let beside = left + BAR_WIDTH + 8;
    let half = Font::BODY.height() / 2;
    let marks: Vec<(u32, String)> = match numbers {
        None => vec![(top, "high".to_owned()), (top + height, "low".to_owned())],
        Some(range) => {
            let marks = marks(range).into_iter();
            marks
                .map(|(value, text)| (bar.row(value).round() as u32, text))
                .collect()
        }
    };
    for (row, text) in &marks {
        if numbers.is_some() {
            canvas.fill(
                left + BAR_WIDTH + 1,
                (*row).min(bar.bottom() - 1),
                4,
                1,
                FAINT_INK,
            );
        }
        let y = row
            .saturating_sub(half)
            .clamp(top, top + height.saturating_sub(2 * half));
        canvas.text(beside, y, text, Font::BODY, INK);
    }
    let widest = marks.iter().map(|(_, text)| Font::BODY.width(text)).max();
    let name = Font::BODY.elide_middle(name, height);
    let bottom = top + (height + Font::BODY.width(&name)) / 2;
    let x = beside + widest.unwrap_or(0) + 6;
    canvas.text_upwards(x, bottom, &name, Font::BODY, FAINT_INK);
}

/// Values and their texts beside a bar: round numbers, or the ends where there are not two.
fn marks((low, high): (f64, f64)) -> Vec<(f64, String)> {
    let round = ticks(low, high, 6);
    if round.len() >= 2 {
        let texts = tick_texts(&round);
        return round.into_iter().zip(texts).collect();
    }
    let mut ends = vec![(low, significant(low))];
    if high > low {
        ends.push((high, significant(high)));
    }
    ends
}

/// Pixels that the bar, its numbers and its name take.
pub(super) fn scale_width(numbers: Option<(f64, f64)>) -> u32 {
    let texts: Vec<String> = match numbers {
        None => vec!["high".to_owned()],
        Some(range) => marks(range).into_iter().map(|(_, text)| text).collect(),
    };
    let widest = texts.iter().map(|text| Font::BODY.width(text)).max();
    BAR_WIDTH + 8 + widest.unwrap_or(0) + 6 + Font::BODY.height()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_set_the_scale() {
        let mut values: Vec<f64> = (0..=100).map(f64::from).collect();
        values.extend([1e9, f64::NAN, f64::INFINITY]);
        assert_eq!(value_range(&values), Some((5.0, 96.0)));
        assert_eq!(value_colour(1e9, value_range(&values)), HIGH);
        assert_eq!(value_colour(-1.0, value_range(&values)), LOW);
        // A feature that hardly ever differs.
        let mut rare = vec![0.0; 99];
        rare.push(1.0);
        assert_eq!(value_range(&rare), Some((0.0, 1.0)));
        assert_eq!(value_range(&[2.0, 2.0]), Some((2.0, 2.0)));
        assert_eq!(value_colour(2.0, Some((2.0, 2.0))), MIDDLE);
        assert_eq!(value_range(&[f64::NAN]), None);
        assert_eq!(value_colour(f64::NAN, None), NONE);
    }

    #[test]
    fn a_scale_has_two_numbers_unless_it_is_constant() {
        let texts = |range| -> Vec<String> { marks(range).into_iter().map(|m| m.1).collect() };
        assert_eq!(texts((5.0, 95.0)), ["20", "40", "60", "80"]);
        assert_eq!(texts((3.0, 3.0)), ["3.00"]);
    }
}
