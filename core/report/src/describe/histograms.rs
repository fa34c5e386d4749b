//! Distribution of each column in each class, as small multiples.

use image::{Rgb, RgbImage};
use xbench_describe::Description;
use xbench_describe::table::{Column, Distribution, TableDescription};

use super::palette::colour;
use crate::canvas::{Canvas, FAINT_INK, Font, INK, RULE};
use crate::figure::FigureError;
use crate::number::significant;

const MARGIN: u32 = 24;
const ACROSS: usize = 4;
const PLOT: (u32, u32) = (250, 110);
const PANEL: (u32, u32) = (PLOT.0 + 70, PLOT.1 + 62);
const LINE: u32 = Font::BODY.height() + 5;
/// Classes beyond these would not be told apart in one panel.
const MOST_CLASSES: usize = 10;
/// Columns beyond these are left out, with a line that says so.
const MOST_COLUMNS: usize = 120;

/// One panel per column: for each class a line over common bins, the height of a bin being its
/// share of the class.
pub(super) fn distributions(
    description: &Description,
    table: &TableDescription,
) -> Result<RgbImage, FigureError> {
    let columns = &table.columns[..table.columns.len().min(MOST_COLUMNS)];
    let across = columns.len().clamp(1, ACROSS);
    let down = columns.len().div_ceil(across);
    let classes = description.classes.len().min(MOST_CLASSES);
    let title = format!("Distribution of each column by class: {}", description.set);
    let mut notes = vec![format!(
        "across: value; up: share of the class in each of up to {} equal bins",
        columns
            .iter()
            .filter_map(|c| Some(c.distribution.as_ref()?.edges.len() - 1))
            .max()
            .unwrap_or(0)
    )];
    let (cut_classes, cut_columns) = (
        description.classes.len() - classes,
        table.columns.len() - columns.len(),
    );
    if cut_classes + cut_columns > 0 {
        notes.push(format!(
            "left out: {cut_classes} classes, {cut_columns} columns"
        ));
    }
    let legend: Vec<String> = description.classes[..classes]
        .iter()
        .map(|name| Font::BODY.elide_middle(name, 230))
        .collect();
    let entry = |name: &String| 24 + Font::BODY.width(name) + 24;
    let panels = across as u32 * PANEL.0;
    let texts = notes.iter().map(|note| Font::BODY.width(note));
    let least = texts.max().unwrap_or(0).max(Font::TITLE.width(&title));
    let longest_entry = legend.iter().map(entry).max().unwrap_or(0);
    let width = panels.max(least).max(longest_entry) + 2 * MARGIN;
    // The legend fills lines from the left.
    let (mut places, mut x, mut line) = (Vec::new(), MARGIN, 0);
    for name in &legend {
        if x > MARGIN && x + entry(name) > width - MARGIN {
            (x, line) = (MARGIN, line + 1);
        }
        places.push((x, line));
        x += entry(name);
    }
    let legend_top = MARGIN + Font::TITLE.height() + 10 + notes.len() as u32 * LINE;
    let top = legend_top + (line + 1) * LINE + 14;
    let height = u64::from(top + MARGIN) + down as u64 * u64::from(PANEL.1);
    let mut canvas = Canvas::new(&title, u64::from(width), height)?;
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    for (i, note) in notes.iter().enumerate() {
        let y = MARGIN + Font::TITLE.height() + 10 + i as u32 * LINE;
        canvas.text(MARGIN, y, note, Font::BODY, FAINT_INK);
    }
    for (class, (name, (x, line))) in legend.iter().zip(places).enumerate() {
        let y = legend_top + line * LINE;
        canvas.fill(x, y + 7, 18, 4, colour(class));
        canvas.text(x + 24, y, name, Font::BODY, INK);
    }
    for (i, column) in columns.iter().enumerate() {
        let x = MARGIN + (i % across) as u32 * PANEL.0 + 44;
        let y = top + (i / across) as u32 * PANEL.1;
        panel(&mut canvas, (x, y), column, classes);
    }
    Ok(canvas.finish())
}

fn panel(canvas: &mut Canvas, (x, y): (u32, u32), column: &Column, classes: usize) {
    let name = Font::BOLD.elide_middle(&column.name, PLOT.0 + 16);
    canvas.text(x, y, &name, Font::BOLD, INK);
    let top = y + LINE;
    let bottom = top + PLOT.1;
    canvas.frame(x, top, PLOT.0, PLOT.1, RULE);
    let Some(distribution) = &column.distribution else {
        canvas.text_centred(
            (x, PLOT.0),
            top + PLOT.1 / 2,
            "no values",
            Font::BODY,
            FAINT_INK,
        );
        return;
    };
    let shares = shares(distribution, classes);
    let highest = shares.iter().flatten().copied().fold(0.0, f64::max);
    let up = format!("{highest:.2}");
    canvas.text_right(
        x - 6,
        top,
        up.trim_start_matches('0'),
        Font::BODY,
        FAINT_INK,
    );
    canvas.text_right(
        x - 6,
        bottom - Font::BODY.height(),
        "0",
        Font::BODY,
        FAINT_INK,
    );
    let (low, high) = (
        distribution.edges.first().copied().unwrap_or(0.0),
        distribution.edges.last().copied().unwrap_or(0.0),
    );
    canvas.text(x, bottom + 4, &significant(low), Font::BODY, FAINT_INK);
    if high > low {
        canvas.text_right(
            x + PLOT.0,
            bottom + 4,
            &significant(high),
            Font::BODY,
            FAINT_INK,
        );
    }
    // Large classes first: the rare ones, whose shape matters as much, stay on top.
    for (class, shares) in shares.iter().enumerate() {
        let level = |share: f64| {
            let room = f64::from(PLOT.1 - 6);
            bottom - 2 - (share / highest.max(f64::MIN_POSITIVE) * room).round() as u32
        };
        steps(
            canvas,
            x,
            shares.iter().map(|&s| level(s)).collect(),
            colour(class),
        );
    }
}

/// Each bin's share of its class's values; classes without values have no line.
fn shares(distribution: &Distribution, classes: usize) -> Vec<Vec<f64>> {
    let counts = distribution.counts.iter().take(classes);
    counts
        .map(|counts| {
            let total: usize = counts.iter().sum();
            let share = |&count: &usize| count as f64 / total as f64;
            if total == 0 {
                Vec::new()
            } else {
                counts.iter().map(share).collect()
            }
        })
        .collect()
}

/// A line of horizontal steps, two pixels thick, through the given heights.
fn steps(canvas: &mut Canvas, left: u32, levels: Vec<u32>, colour: Rgb<u8>) {
    let bins = levels.len() as u32;
    let edge = |bin: u32| left + bin * PLOT.0 / bins.max(1);
    for (bin, &y) in (0..).zip(&levels) {
        canvas.fill(edge(bin), y, edge(bin + 1) - edge(bin), 2, colour);
        if let Some(&next) = levels.get(bin as usize + 1) {
            let (from, to) = (y.min(next), y.max(next));
            canvas.fill(edge(bin + 1) - 1, from, 2, to - from + 2, colour);
        }
    }
}
