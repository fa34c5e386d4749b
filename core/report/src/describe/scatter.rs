//! Rows as points in the plane, coloured by class.

use image::RgbImage;
use xbench_describe::Description;
use xbench_describe::embed::{Embeddings, Layout};

use super::palette::{colour, mark};
use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE, WHITE};
use crate::figure::FigureError;

const MARGIN: u32 = 24;
const SIDE: u32 = 760;
/// Room between points and frame.
const PADDING: f64 = 16.0;
const LEGEND_WIDTH: u32 = 230;
const LEGEND_LINE: u32 = 24;
const LINE: u32 = Font::BODY.height() + 5;
const POINT_RADIUS: f64 = 3.4;
/// A legend longer than the plot is cut, with a line that says so.
const LEGEND_ROWS: usize = (SIDE / LEGEND_LINE) as usize;

/// One layout: points, a legend, and below the title how far to trust it.
pub(super) fn layout(
    description: &Description,
    embeddings: &Embeddings,
    layout: &Layout,
) -> Result<RgbImage, FigureError> {
    let what = format!("{} of {}", layout.method.title(), description.set);
    let header = Font::TITLE.height() + 10 + 3 * LINE + 8;
    let width = 2 * MARGIN + SIDE + 24 + LEGEND_WIDTH;
    let height = 2 * MARGIN + header + SIDE + LINE + 4;
    let mut canvas = Canvas::new(&what, u64::from(width), u64::from(height))?;
    let room = width - 2 * MARGIN;
    let title = Font::TITLE.elide(&what, room);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    let settings: Vec<String> = layout
        .settings
        .iter()
        .map(|(name, value)| format!("{} {value}", name.replace('_', " ")))
        .collect();
    let trust = &layout.trust;
    let notes = [
        format!(
            "{} rows as {}; {}",
            layout.points.len(),
            embeddings.input,
            settings.join(", ")
        ),
        format!(
            "trustworthiness {:.3}, continuity {:.3} over {} neighbours (1: all kept, about 0.5: \
             chance)",
            trust.trustworthiness, trust.continuity, trust.neighbours
        ),
        "near points are near rows; axes, sizes of clusters and gaps between them mean nothing"
            .to_owned(),
    ];
    for (i, note) in notes.iter().enumerate() {
        let y = MARGIN + Font::TITLE.height() + 10 + i as u32 * LINE;
        let note = Font::BODY.elide(note, room);
        canvas.text(MARGIN, y, &note, Font::BODY, FAINT_INK);
    }
    let top = MARGIN + header;
    canvas.frame(MARGIN, top, SIDE, SIDE, RULE);
    canvas.paste(MARGIN, top, &points(embeddings, layout));
    let axis = format!("{} 1 (no unit)", layout.method.title());
    canvas.text_centred((MARGIN, SIDE), top + SIDE + 6, &axis, Font::BODY, FAINT_INK);
    let axis = format!("{} 2 (no unit)", layout.method.title());
    let bottom = top + SIDE / 2 + Font::BODY.width(&axis) / 2;
    canvas.text_upwards(MARGIN - 20, bottom, &axis, Font::BODY, FAINT_INK);
    legend(
        &mut canvas,
        description,
        embeddings,
        (MARGIN + SIDE + 24, top),
    );
    Ok(canvas.finish())
}

fn points(embeddings: &Embeddings, layout: &Layout) -> RgbImage {
    let mut plot = RgbImage::from_pixel(SIDE, SIDE, WHITE);
    let bounds = |axis: usize| {
        let values = layout.points.iter().map(|p| f64::from(p[axis]));
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        })
    };
    let (x, y) = (bounds(0), bounds(1));
    // One scale for both axes: distances are what the picture shows.
    let span = (x.1 - x.0).max(y.1 - y.0).max(f64::MIN_POSITIVE);
    let scale = (f64::from(SIDE) - 2.0 * PADDING) / span;
    let centre = f64::from(SIDE) / 2.0;
    let n = layout.points.len();
    for i in drawing_order(n) {
        let [px, py] = layout.points[i].map(f64::from);
        let class = embeddings.rows.get(i).map_or(0, |row| row.class);
        let place = (
            centre + (px - (x.0 + x.1) / 2.0) * scale,
            // Upwards on paper is downwards in rows of pixels.
            centre - (py - (y.0 + y.1) / 2.0) * scale,
        );
        mark(class).draw(&mut plot, place, POINT_RADIUS, colour(class), 0.8);
    }
    plot
}

/// Points come by class; drawn so, the last class would hide the others.
fn drawing_order(n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&i| (i as u32).wrapping_mul(0x9e37_79b1));
    order
}

fn legend(
    canvas: &mut Canvas,
    description: &Description,
    embeddings: &Embeddings,
    (left, top): (u32, u32),
) {
    let count = |class: usize| {
        let rows = embeddings.rows.iter();
        rows.filter(|row| row.class == class).count()
    };
    let classes: Vec<(usize, usize)> = (0..description.classes.len())
        .map(|class| (class, count(class)))
        .filter(|&(_, rows)| rows > 0)
        .collect();
    let shown = if classes.len() > LEGEND_ROWS {
        LEGEND_ROWS - 1
    } else {
        classes.len()
    };
    for (line, &(class, rows)) in classes[..shown].iter().enumerate() {
        let y = top + line as u32 * LEGEND_LINE;
        let mut swatch = RgbImage::from_pixel(18, 18, WHITE);
        mark(class).draw(&mut swatch, (9.0, 9.0), 6.0, colour(class), 1.0);
        canvas.paste(left, y, &swatch);
        let count = format!(" ({rows})");
        let room = LEGEND_WIDTH - 24 - Font::BODY.width(&count);
        let name = Font::BODY.elide_middle(&description.classes[class], room);
        let text = format!("{name}{count}");
        canvas.text(left + 24, y + 1, &text, Font::BODY, INK);
    }
    if shown < classes.len() {
        let y = top + shown as u32 * LEGEND_LINE;
        let rest = format!("and {} more", classes.len() - shown);
        canvas.text(left + 24, y + 1, &rest, Font::BODY, FAINT_INK);
    }
}
