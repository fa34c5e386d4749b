//! The reliability diagram: how often a model is right, over how sure it is.

use image::{Rgb, RgbImage};

use crate::Estimate;
use crate::canvas::{Canvas, FAINT_INK, Font, INK};
use crate::chart::{Axes, BELOW, legend, legend_width};
use crate::colour::{blend, series};
use crate::figure::FigureError;
use crate::number::fixed;
use crate::style::Style;

/// The examples whose confidence lies in one range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// Lower end of the range, 0–1.
    pub low: f64,
    /// Upper end of the range, 0–1.
    pub high: f64,
    /// Examples in it.
    pub count: u64,
    /// Their mean confidence, 0–1.
    pub confidence: f64,
    /// Share of them that are right, 0–1.
    pub accuracy: f64,
}

/// What a reliability diagram shows.
#[derive(Clone, Debug, PartialEq)]
pub struct ReliabilityDiagram {
    /// What it describes: model and data set.
    pub title: String,
    /// Ranges of confidence, side by side.
    pub bins: Vec<ReliabilityBin>,
    /// Figures stated beside the diagram: a name and its value, in the order given.
    pub figures: Vec<(String, Estimate)>,
}

const MARGIN: u32 = 20;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const LEFT: u32 = MARGIN + Font::BODY.height() + 8 + 44;
const SIDE: u32 = 400;
const HISTOGRAM: u32 = 110;
const BETWEEN: u32 = 20;
const FIGURES_GAP: u32 = 36;
const FIGURES_WIDTH: u32 = 250;
const LINE: u32 = Font::BODY.height() + 6;
const DIGITS: Style = Style {
    colour: false,
    width: 0,
    unicode: false,
};

fn accuracy_colour() -> Rgb<u8> {
    series(0)
}

/// Where accuracy and confidence part.
fn gap_colour() -> Rgb<u8> {
    blend(crate::canvas::WHITE, series(5), 0.55)
}

/// Draws the diagram: a bar per range up to its accuracy, the gap to its mean confidence in
/// another colour (above the bar the model is too sure, within it not sure enough), the line of
/// perfect calibration, and below it where the examples lie.
///
/// # Errors
///
/// [`FigureError::Empty`] without examples.
pub fn reliability_image(diagram: &ReliabilityDiagram) -> Result<RgbImage, FigureError> {
    let total: u64 = diagram.bins.iter().map(|bin| bin.count).sum();
    if total == 0 {
        return Err(FigureError::Empty {
            what: format!("the reliability diagram of {}", diagram.title),
        });
    }
    let width = LEFT + SIDE + FIGURES_GAP + FIGURES_WIDTH + MARGIN;
    let top = MARGIN + TITLE_BLOCK + LINE + 6;
    let height = top + SIDE + BETWEEN + HISTOGRAM + BELOW + MARGIN;
    let mut canvas = Canvas::new("the reliability diagram", width.into(), height.into())?;
    let title = Font::TITLE.elide(&diagram.title, width - 2 * MARGIN);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    let words = ["accuracy", "gap to confidence", "perfect"];
    let at = (LEFT, MARGIN + TITLE_BLOCK);
    let entries = [(words[0], accuracy_colour()), (words[1], gap_colour())];
    let behind = legend(&mut canvas, at, &entries);
    debug_assert_eq!(
        behind,
        at.0 + legend_width(words[0]) + legend_width(words[1])
    );
    let y = f64::from(at.1) + 8.0;
    let (from, to) = (f64::from(behind), f64::from(behind) + 24.0);
    canvas.dashes((from, y), (to, y), 2.0, FAINT_INK);
    canvas.text(behind + 32, at.1, words[2], Font::BODY, INK);

    let main = Axes {
        left: LEFT,
        top,
        width: SIDE,
        height: SIDE,
        x: (0.0, 1.0),
        y: (0.0, 1.0),
    };
    let fifths = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
    main.draw_rows(&mut canvas, &fifths);
    let name_bottom = top + (SIDE + Font::BODY.width("accuracy")) / 2;
    canvas.text_upwards(MARGIN, name_bottom, "accuracy", Font::BODY, FAINT_INK);
    for bin in diagram.bins.iter().filter(|bin| bin.count > 0) {
        bar(
            &mut canvas,
            &main,
            bin,
            (0.0, bin.accuracy),
            accuracy_colour(),
        );
        let ends = (
            bin.accuracy.min(bin.confidence),
            bin.accuracy.max(bin.confidence),
        );
        bar(&mut canvas, &main, bin, ends, gap_colour());
        mark(&mut canvas, &main, bin, bin.accuracy);
    }
    let corner = |value: f64| (main.column(value), main.row(value));
    canvas.dashes(corner(0.0), corner(1.0), 2.0, FAINT_INK);

    let shares = Axes {
        top: top + SIDE + BETWEEN,
        height: HISTOGRAM,
        ..main
    };
    shares.draw_rows(&mut canvas, &[0.0, 0.5, 1.0]);
    for bin in &diagram.bins {
        let share = bin.count as f64 / total as f64;
        bar(&mut canvas, &shares, bin, (0.0, share), FAINT_INK);
    }
    shares.draw_columns(&mut canvas, &fifths);
    shares.draw_names(
        &mut canvas,
        "confidence (probability of the prediction)",
        "share of all",
        MARGIN,
    );
    figures(&mut canvas, diagram, total, LEFT + SIDE + FIGURES_GAP, top);
    Ok(canvas.finish())
}

/// The columns of a range, one pixel short of the next.
fn columns(axes: &Axes, bin: &ReliabilityBin) -> (u32, u32) {
    let left = axes.column(bin.low.clamp(0.0, 1.0)).round() as u32;
    let right = axes.column(bin.high.clamp(0.0, 1.0)).round() as u32;
    (left, right.saturating_sub(left).saturating_sub(1).max(1))
}

fn bar(
    canvas: &mut Canvas,
    axes: &Axes,
    bin: &ReliabilityBin,
    (low, high): (f64, f64),
    colour: Rgb<u8>,
) {
    let (left, width) = columns(axes, bin);
    let top = axes.row(high.clamp(0.0, 1.0)).round() as u32;
    let bottom = axes.row(low.clamp(0.0, 1.0)).round() as u32;
    canvas.fill(left, top, width, bottom.saturating_sub(top), colour);
}

/// The accuracy as a strong line, since gaps run to both sides of it.
fn mark(canvas: &mut Canvas, axes: &Axes, bin: &ReliabilityBin, value: f64) {
    let (left, width) = columns(axes, bin);
    let row = axes.row(value.clamp(0.0, 1.0)).round() as u32;
    canvas.fill(left, row.saturating_sub(1), width, 2, INK);
}

fn figures(canvas: &mut Canvas, diagram: &ReliabilityDiagram, total: u64, x: u32, top: u32) {
    let mut y = top;
    let right = x + FIGURES_WIDTH;
    for (name, estimate) in &diagram.figures {
        let value = fixed(estimate.value, 4, &DIGITS);
        let room = FIGURES_WIDTH - Font::BOLD.width(&value) - 12;
        canvas.text(x, y, &Font::BODY.elide(name, room), Font::BODY, INK);
        canvas.text_right(right, y, &value, Font::BOLD, INK);
        y += LINE;
        if estimate.half_width().is_some() {
            let low = fixed(estimate.low, 4, &DIGITS);
            let high = fixed(estimate.high, 4, &DIGITS);
            let text = format!("95% {low} to {high}");
            canvas.text_right(right, y, &text, Font::BODY, FAINT_INK);
            y += LINE;
        }
    }
    let bins = diagram.bins.iter().filter(|bin| bin.count > 0).count();
    let text = format!("{total} examples in");
    canvas.text(x, y + 6, &text, Font::BODY, FAINT_INK);
    let text = format!("{bins} of {} ranges", diagram.bins.len());
    canvas.text(x, y + 6 + LINE, &text, Font::BODY, FAINT_INK);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram() -> ReliabilityDiagram {
        let bin = |low: f64, count: u64, confidence: f64, accuracy: f64| ReliabilityBin {
            low,
            high: low + 0.5,
            count,
            confidence,
            accuracy,
        };
        ReliabilityDiagram {
            title: "lenet on fashion-mnist".to_owned(),
            bins: vec![bin(0.0, 0, 0.0, 0.0), bin(0.5, 10, 0.9, 0.6)],
            figures: vec![("ECE".to_owned(), Estimate::exact(0.3))],
        }
    }

    #[test]
    fn bars_reach_the_accuracy_and_gaps_the_confidence() {
        let picture = reliability_image(&diagram()).unwrap();
        let top = MARGIN + TITLE_BLOCK + LINE + 6;
        let at = |x: f64, y: f64| {
            let column = LEFT + (x * f64::from(SIDE)) as u32;
            *picture.get_pixel(column, top + ((1.0 - y) * f64::from(SIDE)) as u32)
        };
        assert_eq!(at(0.75, 0.3), accuracy_colour());
        assert_eq!(at(0.65, 0.8), gap_colour());
        assert_eq!(at(0.75, 0.95), crate::canvas::WHITE);
        // No example, no bar.
        assert_eq!(at(0.33, 0.1), crate::canvas::WHITE);
    }

    #[test]
    fn a_diagram_of_nothing_is_refused() {
        let none = ReliabilityDiagram {
            bins: vec![],
            ..diagram()
        };
        assert!(matches!(
            reliability_image(&none),
            Err(FigureError::Empty { .. })
        ));
    }
}
