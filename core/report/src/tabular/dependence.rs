//! The dependence plot: a feature's attribution over its value, coloured by another feature.

use image::RgbImage;

use super::TabularAttributions;
use super::scale::{NONE, draw_scale, scale_width, value_colour, value_range};
use crate::canvas::{Canvas, FAINT_INK, Font, INK};
use crate::chart::{Axes, BELOW, tick_texts, ticks};
use crate::figure::FigureError;

/// What a dependence plot shows.
#[derive(Clone, Copy, Debug)]
pub struct DependencePlot<'t> {
    /// The attributions.
    pub table: &'t TabularAttributions,
    /// Number of the feature along the axis.
    pub feature: usize,
    /// Number of the feature that colours the dots, for instance the
    /// [`strongest_interaction`]; grey dots without.
    pub colour: Option<usize>,
}

const MARGIN: u32 = 20;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const PLOT_WIDTH: u32 = 560;
const PLOT_HEIGHT: u32 = 400;
const DIAMETER: f64 = 6.0;
const SCALE_GAP: u32 = 20;
/// A feature of no more values than this has its dots spread around them.
const FEW_VALUES: usize = 12;

/// Draws a dot per row. Where the feature has few values, dots are spread to both sides of each. Rows
/// without a finite value or attribution are left out and counted.
///
/// # Errors
///
/// [`FigureError::ValueCount`] or [`FigureError::Empty`] for a table that is not as it says or has no
/// such feature.
pub fn dependence_image(plot: &DependencePlot<'_>) -> Result<RgbImage, FigureError> {
    let table = plot.table;
    table.check()?;
    let known = |feature: usize| {
        let name = table.features.get(feature);
        name.map(String::as_str).ok_or_else(|| FigureError::Empty {
            what: format!("feature {feature} of the table {}", table.title),
        })
    };
    let name = known(plot.feature)?;
    let dots = dots(plot);
    let left_out = table.rows - dots.len();
    let scale = match plot.colour {
        None => None,
        Some(feature) => {
            let values = table.column(feature.min(table.features.len() - 1));
            Some((feature, known(feature)?, value_range(&values)))
        }
    };
    let (x, y) = (
        padded(dots.iter().map(|dot| dot.x)),
        padded(dots.iter().map(|dot| dot.y)),
    );
    let rows = ticks(y.0, y.1, 6);
    let numbers = tick_texts(&rows);
    let widest = numbers.iter().map(|text| Font::BODY.width(text)).max();
    let left = MARGIN + Font::BODY.height() + 8 + widest.unwrap_or(0) + 8;
    let top = MARGIN + TITLE_BLOCK;
    let note = if left_out > 0 {
        Font::BODY.height() + 6
    } else {
        0
    };
    let scale_block = scale.map_or(0, |(_, _, range)| SCALE_GAP + scale_width(range));
    let least = MARGIN + Font::TITLE.width(&table.title).min(900);
    let width = (left + PLOT_WIDTH + scale_block).max(least) + MARGIN;
    let height = top + PLOT_HEIGHT + BELOW + note + MARGIN;
    let what = format!("the dependence plot {}", table.title);
    let mut canvas = Canvas::new(&what, width.into(), height.into())?;
    let title = Font::TITLE.elide(&table.title, width - 2 * MARGIN);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    let axes = Axes {
        left,
        top,
        width: PLOT_WIDTH,
        height: PLOT_HEIGHT,
        x,
        y,
    };
    axes.draw_rows(&mut canvas, &rows);
    axes.draw_columns(&mut canvas, &ticks(x.0, x.1, 6));
    let name = Font::BODY.elide_middle(name, PLOT_WIDTH);
    let unit = Font::BODY.elide_middle(&table.unit, PLOT_HEIGHT + TITLE_BLOCK);
    axes.draw_names(&mut canvas, &name, &unit, MARGIN);
    if y.0 < 0.0 && y.1 > 0.0 {
        canvas.fill(left, axes.row(0.0).round() as u32, PLOT_WIDTH, 1, FAINT_INK);
    }
    for dot in &dots {
        let colour = match scale {
            None => NONE,
            Some((feature, _, range)) => value_colour(table.value(dot.row, feature), range),
        };
        let at = (axes.column(dot.x), axes.row(dot.y));
        canvas.line(at, at, DIAMETER, colour);
    }
    if let Some((_, name, range)) = scale {
        let place = (left + PLOT_WIDTH + SCALE_GAP, top, PLOT_HEIGHT);
        draw_scale(&mut canvas, place, name, range);
    }
    if left_out > 0 {
        let text = format!(
            "{left_out} of {} rows left out: no finite value or attribution",
            table.rows
        );
        let y = axes.bottom() + BELOW + 4;
        canvas.text(left, y, &text, Font::BODY, FAINT_INK);
    }
    Ok(canvas.finish())
}

struct Dot {
    row: usize,
    x: f64,
    y: f64,
}

fn dots(plot: &DependencePlot<'_>) -> Vec<Dot> {
    let table = plot.table;
    let mut dots: Vec<Dot> = (0..table.rows)
        .map(|row| Dot {
            row,
            x: table.value(row, plot.feature),
            y: table.attribution(row, plot.feature),
        })
        .filter(|dot| dot.x.is_finite() && dot.y.is_finite())
        .collect();
    let mut values: Vec<f64> = dots.iter().map(|dot| dot.x).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let gaps = values.windows(2).map(|pair| pair[1] - pair[0]);
    let gap = gaps.fold(f64::INFINITY, f64::min);
    if values.len() <= FEW_VALUES && gap.is_finite() && dots.len() > 2 * values.len() {
        for dot in &mut dots {
            // Multiples of the golden ratio spread evenly, whatever rows there are.
            let spread = (dot.row as f64 * 0.618_033_988_749_895).fract() - 0.5;
            dot.x += 0.35 * gap * spread;
        }
    }
    dots
}

/// Least and greatest, with a little room; something around a lone value, and 0 to 1 around none.
fn padded(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        (0.0, 1.0)
    } else if low == high {
        let room = if low == 0.0 { 1.0 } else { 0.5 * low.abs() };
        (low - room, high + room)
    } else {
        let room = 0.04 * (high - low);
        (low - room, high + room)
    }
}

/// The feature whose value goes along most with what is left of `feature`'s attribution when the
/// feature itself hardly changes: rows are sorted by the feature and cut into about ten stretches (of
/// at most 50 rows), and the magnitudes of the correlation within them are added up, as the shap
/// package finds the colour of its dependence plots. None where no feature correlates with it, or the
/// table is not as it says.
#[must_use]
pub fn strongest_interaction(table: &TabularAttributions, feature: usize) -> Option<usize> {
    table.check().ok()?;
    table.features.get(feature)?;
    let mut rows: Vec<usize> = (0..table.rows)
        .filter(|&row| {
            table.value(row, feature).is_finite() && table.attribution(row, feature).is_finite()
        })
        .collect();
    rows.sort_by(|&a, &b| table.value(a, feature).total_cmp(&table.value(b, feature)));
    let stretch = (rows.len() / 10).clamp(1, 50);
    let strength = |other: usize| -> f64 {
        rows.chunks(stretch)
            .map(|rows| {
                let pairs = rows
                    .iter()
                    .map(|&row| (table.attribution(row, feature), table.value(row, other)));
                correlation(pairs.filter(|pair| pair.1.is_finite())).abs()
            })
            .sum()
    };
    let others = (0..table.features.len()).filter(|&other| other != feature);
    let mut best = None;
    for other in others {
        let strength = strength(other);
        if strength > best.map_or(0.0, |(_, best)| best) {
            best = Some((other, strength));
        }
    }
    best.map(|(other, _)| other)
}

/// Pearson's correlation; 0 where one side is constant or there are fewer than three pairs.
fn correlation(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let pairs: Vec<(f64, f64)> = pairs.collect();
    if pairs.len() < 3 {
        return 0.0;
    }
    let n = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (a, b) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for pair in &pairs {
        let (da, db) = (pair.0 - a, pair.1 - b);
        aa += da * da;
        bb += db * db;
        ab += da * db;
    }
    // Below rounding a side is constant.
    let varies = |sum: f64, mean: f64| sum > n * (1e-12 * mean.abs().max(1e-12)).powi(2);
    if varies(aa, a) && varies(bb, b) {
        ab / (aa * bb).sqrt()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::scale::{HIGH, LOW};
    use super::super::tests::table;
    use super::*;
    use crate::canvas::WHITE;

    #[test]
    fn dots_lie_where_value_and_attribution_say() {
        let mut table = table();
        for row in 0..table.rows {
            table.values[3 * row + 2] = f64::from(u8::from(row >= 20));
        }
        let plot = DependencePlot {
            table: &table,
            feature: 0,
            colour: Some(2),
        };
        let picture = dependence_image(&plot).unwrap();
        let y = padded(dots(&plot).iter().map(|dot| dot.y));
        let texts = tick_texts(&ticks(y.0, y.1, 6));
        let widest = texts.iter().map(|text| Font::BODY.width(text)).max();
        let axes = Axes {
            left: MARGIN + Font::BODY.height() + 8 + widest.unwrap() + 8,
            top: MARGIN + TITLE_BLOCK,
            width: PLOT_WIDTH,
            height: PLOT_HEIGHT,
            x: padded([0.0, 39.0 / 40.0].into_iter()),
            y,
        };
        let at = |x: f64, y: f64| *picture.get_pixel(axes.column(x) as u32, axes.row(y) as u32);
        assert_eq!(at(0.25, -1.0), LOW);
        assert_eq!(at(0.75, 1.0), HIGH);
        assert_eq!(at(0.25, 1.1), WHITE);
    }

    #[test]
    fn odd_tables_are_drawn_or_refused() {
        let mut table = table();
        table.values[0] = f64::NAN;
        let plot = |feature, colour| DependencePlot {
            table: &table,
            feature,
            colour,
        };
        assert_eq!(dots(&plot(0, None)).len(), 39);
        for (feature, colour) in [(0, None), (2, Some(2)), (1, Some(0))] {
            assert!(dependence_image(&plot(feature, colour)).is_ok());
        }
        for (feature, colour) in [(3, None), (0, Some(3))] {
            let picture = dependence_image(&plot(feature, colour));
            assert!(matches!(picture, Err(FigureError::Empty { .. })));
        }
        table.values.fill(f64::NAN);
        let nothing = DependencePlot {
            table: &table,
            feature: 0,
            colour: Some(1),
        };
        assert!(dependence_image(&nothing).is_ok());
        assert_eq!(padded([2.0].into_iter()), (1.0, 3.0));
    }

    #[test]
    fn few_values_are_spread_and_kept_apart() {
        let table = table();
        let plot = DependencePlot {
            table: &table,
            feature: 1,
            colour: None,
        };
        for dot in dots(&plot) {
            assert!((dot.x - table.value(dot.row, 1)).abs() < 0.2);
        }
    }

    /// b's attribution is (a - 1/2) (b - 2): within a stretch of like b, a alone moves it.
    #[test]
    fn the_interacting_feature_is_found() {
        let mut table = table();
        assert_eq!(strongest_interaction(&table, 1), Some(0));
        // Nothing varies beside the constant feature's attribution of 0.
        assert_eq!(strongest_interaction(&table, 2), None);
        assert_eq!(strongest_interaction(&table, 3), None);
        table.rows = 2;
        assert_eq!(strongest_interaction(&table, 0), None);
    }
}
