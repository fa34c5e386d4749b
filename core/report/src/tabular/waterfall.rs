//! The waterfall: from what the model says of nothing known to what it says of one row, feature by
//! feature.

use image::RgbImage;

use super::scale::{HIGH, LOW};
use super::{by_magnitude, own_lines, rest_name};
use crate::canvas::{Canvas, FAINT_INK, Font, INK};
use crate::chart::{Axes, BELOW, GRID, ticks};
use crate::colour::ink_on;
use crate::figure::FigureError;
use crate::number::significant;

/// What a feature adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// Its name.
    pub feature: String,
    /// Its value in the row; NaN where it is missing.
    pub value: f64,
    /// Its attribution.
    pub attribution: f64,
}

/// How a row comes to its output.
#[derive(Clone, Debug, PartialEq)]
pub struct Waterfall {
    /// Above all: model, explainer, output and row.
    pub title: String,
    /// In lines below it: what the model says of the row, say.
    pub notes: Vec<String>,
    /// What is added up, with its unit.
    pub unit: String,
    /// What the output is expected to be before any feature is known.
    pub base: f64,
    /// One per feature. Attributions that are complete add up to the output less the base.
    pub contributions: Vec<Contribution>,
}

const MARGIN: u32 = 20;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const NOTE: u32 = Font::BODY.height() + 4;
const LONGEST_NAME: u32 = 340;
const NAME_GAP: u32 = 12;
const PLOT_WIDTH: u32 = 560;
const LINE: u32 = 30;
const BAR: u32 = 20;
/// Above and below the bars, for what they begin and end with.
const STRIP: u32 = Font::BODY.height() + 8;

/// Draws a bar per feature: the `most` of the greatest magnitude from top to bottom, below them the
/// sum of the rest, so that reading upwards leads from the base to the output. What is not finite
/// counts as 0 and is counted below.
///
/// # Errors
///
/// [`FigureError::Empty`] without features or with a base that is not finite,
/// [`FigureError::TooLarge`] beyond 20,000 pixels a side.
pub fn waterfall_image(waterfall: &Waterfall, most: usize) -> Result<RgbImage, FigureError> {
    let what = format!("the waterfall {}", waterfall.title);
    if waterfall.contributions.is_empty() || !waterfall.base.is_finite() {
        return Err(FigureError::Empty { what });
    }
    let bars = bars(waterfall, most);
    let names: Vec<String> = bars
        .iter()
        .map(|bar| Font::BODY.elide_middle(&bar.name, LONGEST_NAME))
        .collect();
    let longest = names.iter().map(|name| Font::BODY.width(name)).max();
    let left = MARGIN + longest.unwrap_or(0) + NAME_GAP;
    let top = MARGIN + TITLE_BLOCK + waterfall.notes.len() as u32 * NOTE;
    let finite = |one: &&Contribution| one.attribution.is_finite();
    let bad = waterfall.contributions.len() - waterfall.contributions.iter().filter(finite).count();
    let note = if bad > 0 { Font::BODY.height() + 6 } else { 0 };
    let plot = bars.len() as u64 * u64::from(LINE) + 2 * u64::from(STRIP);
    let notes = waterfall.notes.iter().map(|note| Font::BODY.width(note));
    let texts = notes
        .max()
        .unwrap_or(0)
        .max(Font::TITLE.width(&waterfall.title));
    let width = (left + PLOT_WIDTH).max(MARGIN + texts.min(900)) + MARGIN;
    let height = u64::from(top + BELOW + note + MARGIN) + plot;
    let mut canvas = Canvas::new(&what, width.into(), height)?;
    let title = Font::TITLE.elide(&waterfall.title, width - 2 * MARGIN);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    for (number, line) in waterfall.notes.iter().enumerate() {
        let y = MARGIN + TITLE_BLOCK - 6 + number as u32 * NOTE;
        let line = Font::BODY.elide(line, width - 2 * MARGIN);
        canvas.text(MARGIN, y, &line, Font::BODY, FAINT_INK);
    }
    let axes = Axes {
        left,
        top,
        width: PLOT_WIDTH,
        height: plot as u32,
        x: range(&bars),
        y: (0.0, 1.0),
    };
    let columns = ticks(axes.x.0, axes.x.1, 6);
    for &column in &columns {
        canvas.fill(
            axes.column(column).round() as u32,
            top,
            1,
            axes.height,
            GRID,
        );
    }
    axes.draw_rows(&mut canvas, &[]);
    axes.draw_columns(&mut canvas, &columns);
    axes.draw_names(&mut canvas, &waterfall.unit, "", MARGIN);
    let output = bars.first().map_or(waterfall.base, |bar| bar.to);
    let first = top + STRIP;
    let last = axes.bottom() - STRIP;
    for (value, text, y, ends) in [
        (output, "output", top + 4, (top + STRIP - 4, first)),
        (waterfall.base, "base", last + 6, (last, last + 6)),
    ] {
        let text = format!("{text} {}", significant(value));
        let column = axes.column(value);
        let half = f64::from(Font::BODY.width(&text)) / 2.0;
        let room = f64::from(left + 6)..=f64::from(left + PLOT_WIDTH - 6) - 2.0 * half;
        let x = (column - half).clamp(*room.start(), room.end().max(*room.start()));
        canvas.text(x.round() as u32, y, &text, Font::BODY, INK);
        canvas.fill(column.round() as u32, ends.0, 1, ends.1 - ends.0, INK);
    }
    for (number, (bar, name)) in bars.iter().zip(&names).enumerate() {
        let y = first + number as u32 * LINE;
        let text_y = y + (LINE - Font::BODY.height()) / 2;
        canvas.text_right(left - NAME_GAP, text_y, name, Font::BODY, INK);
        draw_bar(&mut canvas, &axes, bar, y);
        // Down to where the bar below ends, or to the base.
        let from = axes.column(bar.from).round() as u32;
        let below = y + LINE / 2 + BAR / 2;
        canvas.fill(from, below, 1, LINE - BAR, FAINT_INK);
    }
    if bad > 0 {
        let text = format!("{bad} of {} not finite", waterfall.contributions.len());
        let y = axes.bottom() + BELOW + 4;
        canvas.text(left, y, &text, Font::BODY, FAINT_INK);
    }
    Ok(canvas.finish())
}

/// The bar in its line that begins at `y`, with its number within, or beside it where it is short.
fn draw_bar(canvas: &mut Canvas, axes: &Axes, bar: &Bar, y: u32) {
    let place = |value: f64| axes.column(value).round() as u32;
    let (from, to) = (place(bar.from), place(bar.to));
    let (low, high) = (from.min(to), from.max(to));
    let change = bar.to - bar.from;
    let colour = if change >= 0.0 { HIGH } else { LOW };
    canvas.fill(low, y + (LINE - BAR) / 2, (high - low).max(1), BAR, colour);
    let sign = if change > 0.0 { "+" } else { "" };
    let text = format!("{sign}{}", significant(change));
    let needed = Font::BODY.width(&text);
    let text_y = y + (LINE - Font::BODY.height()) / 2;
    if high - low >= needed + 8 {
        let ink = ink_on(colour);
        canvas.text_centred((low, high - low), text_y, &text, Font::BODY, ink);
        return;
    }
    let fits_right = high + 6 + needed <= axes.left + axes.width;
    let fits_left = low >= axes.left + needed + 6;
    // Beyond the end that the bar points to, if there is room.
    if fits_right && (change >= 0.0 || !fits_left) {
        canvas.text(high + 6, text_y, &text, Font::BODY, INK);
    } else {
        canvas.text(
            low.saturating_sub(needed + 6),
            text_y,
            &text,
            Font::BODY,
            INK,
        );
    }
}

struct Bar {
    name: String,
    from: f64,
    to: f64,
}

/// From top to bottom; each begins where the one below it ends.
fn bars(waterfall: &Waterfall, most: usize) -> Vec<Bar> {
    let all = &waterfall.contributions;
    let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
    let changes: Vec<f64> = all.iter().map(|one| finite(one.attribution)).collect();
    let order = by_magnitude(&changes);
    let (own, rest) = order.split_at(own_lines(order.len(), most));
    let mut lines: Vec<(String, f64)> = own
        .iter()
        .map(|&feature| {
            let one = &all[feature];
            let value = if one.value.is_nan() {
                "missing".to_owned()
            } else {
                value_text(one.value)
            };
            (format!("{} = {value}", one.feature), changes[feature])
        })
        .collect();
    if !rest.is_empty() {
        let sum = rest.iter().map(|&feature| changes[feature]).sum();
        lines.push((rest_name(rest.len(), all.len()), sum));
    }
    let mut at = waterfall.base;
    let mut bars: Vec<Bar> = lines
        .into_iter()
        .rev()
        .map(|(name, change)| {
            let from = at;
            at += change;
            Bar { name, from, to: at }
        })
        .collect();
    bars.reverse();
    bars
}

/// Whole numbers as they are, others to three digits.
fn value_text(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e6 {
        format!("{value:.0}")
    } else {
        significant(value)
    }
}

fn range(bars: &[Bar]) -> (f64, f64) {
    let ends = bars.iter().flat_map(|bar| [bar.from, bar.to]);
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| {
        (low.min(end), high.max(end))
    });
    let room = if high > low {
        0.06 * (high - low)
    } else {
        0.5 * low.abs().max(1.0)
    };
    (low - room, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waterfall() -> Waterfall {
        let contributions = [("a", 3.0, 0.5), ("b", f64::NAN, -0.25), ("c", 0.125, 0.05)];
        Waterfall {
            title: "row 7".to_owned(),
            notes: Vec::new(),
            unit: "probability".to_owned(),
            base: 0.25,
            contributions: contributions
                .map(|(feature, value, attribution)| Contribution {
                    feature: feature.to_owned(),
                    value,
                    attribution,
                })
                .to_vec(),
        }
    }

    #[test]
    fn bars_lead_from_the_base_to_the_output() {
        let lines = bars(&waterfall(), 9);
        let names: Vec<&str> = lines.iter().map(|bar| bar.name.as_str()).collect();
        assert_eq!(names, ["a = 3", "b = missing", "c = 0.125"]);
        assert_eq!(lines[2].from, 0.25);
        assert!((lines[0].to - 0.55).abs() < 1e-12);
        assert!(lines.windows(2).all(|pair| pair[0].from == pair[1].to));
        let merged = bars(&waterfall(), 2);
        assert_eq!(merged[1].name, "2 other features");
        assert!((merged[1].to - 0.05).abs() < 1e-12);
    }

    #[test]
    fn bars_have_the_colour_of_their_sign() {
        let picture = waterfall_image(&waterfall(), 9).unwrap();
        let lines = bars(&waterfall(), 9);
        let axes = Axes {
            left: MARGIN + Font::BODY.width("b = missing") + NAME_GAP,
            top: MARGIN + TITLE_BLOCK,
            width: PLOT_WIDTH,
            height: 3 * LINE + 2 * STRIP,
            x: range(&lines),
            y: (0.0, 1.0),
        };
        for (number, (bar, colour)) in lines.iter().zip([HIGH, LOW, HIGH]).enumerate() {
            let near_end = bar.from + 0.9 * (bar.to - bar.from);
            let x = axes.column(near_end).round() as u32;
            // Below the number.
            let y = axes.top + STRIP + number as u32 * LINE + (LINE + BAR) / 2 - 1;
            assert_eq!(*picture.get_pixel(x, y), colour, "{}", bar.name);
        }
    }

    #[test]
    fn odd_waterfalls_are_drawn_or_refused() {
        let mut odd = waterfall();
        odd.contributions[0].attribution = f64::NAN;
        odd.contributions[1].attribution = 0.0;
        odd.contributions[2].attribution = 0.0;
        assert!(waterfall_image(&odd, 3).is_ok());
        assert!(waterfall_image(&odd, 0).is_ok());
        odd.contributions.clear();
        assert!(matches!(
            waterfall_image(&odd, 3),
            Err(FigureError::Empty { .. })
        ));
        let adrift = Waterfall {
            base: f64::NAN,
            ..waterfall()
        };
        assert!(waterfall_image(&adrift, 3).is_err());
    }
}
