//! The beeswarm: a line per feature, a dot per row at its attribution, coloured by the feature's value,
//! dots of one place beside each other.

use image::{Rgb, RgbImage};

use super::scale::{NONE, draw_scale, scale_width, value_colour, value_range};
use super::{TabularAttributions, by_magnitude, own_lines, rest_name};
use crate::canvas::{Canvas, FAINT_INK, Font, INK};
use crate::chart::{Axes, BELOW, GRID, ticks};
use crate::figure::FigureError;

const MARGIN: u32 = 20;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const LONGEST_NAME: u32 = 300;
const NAME_GAP: u32 = 12;
const PLOT_WIDTH: u32 = 560;
const LINE: u32 = 36;
/// Of a dot, in pixels.
const DIAMETER: f64 = 5.0;
/// Dots that are this close along the axis count as of one place.
const PLACE: f64 = 4.0;
const SCALE_GAP: u32 = 20;

/// Draws the `most` features of the greatest mean magnitude from top to bottom, the rest as a sum in
/// the last line. Colours run from the 5th to the 95th percentile of each feature's values; missing
/// values are grey. Attributions that are not finite are left out and counted.
///
/// # Errors
///
/// [`FigureError::ValueCount`] or [`FigureError::Empty`] for a table that is not as it says,
/// [`FigureError::TooLarge`] beyond 20,000 pixels a side.
pub fn beeswarm_image(table: &TabularAttributions, most: usize) -> Result<RgbImage, FigureError> {
    table.check()?;
    let lines = swarms(table, most);
    let names: Vec<String> = lines
        .iter()
        .map(|line| Font::BODY.elide_middle(&line.name, LONGEST_NAME))
        .collect();
    let longest = names.iter().map(|name| Font::BODY.width(name)).max();
    let left = MARGIN + longest.unwrap_or(0) + NAME_GAP;
    let top = MARGIN + TITLE_BLOCK;
    let bad = table.not_finite();
    let note = if bad > 0 { Font::BODY.height() + 6 } else { 0 };
    let plot = lines.len() as u64 * u64::from(LINE) + 8;
    let least = MARGIN + Font::TITLE.width(&table.title).min(900);
    let width = (left + PLOT_WIDTH + SCALE_GAP + scale_width(None)).max(least) + MARGIN;
    let height = u64::from(top + BELOW + note + MARGIN) + plot;
    let what = format!("the beeswarm {}", table.title);
    let mut canvas = Canvas::new(&what, width.into(), height)?;
    let title = Font::TITLE.elide(&table.title, width - 2 * MARGIN);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    let axes = Axes {
        left,
        top,
        width: PLOT_WIDTH,
        height: plot as u32,
        x: range(&lines),
        y: (0.0, 1.0),
    };
    let columns = ticks(axes.x.0, axes.x.1, 6);
    for &column in &columns {
        let x = axes.column(column).round() as u32;
        canvas.fill(x, top, 1, axes.height, GRID);
    }
    let zero = axes.column(0.0).round() as u32;
    canvas.fill(zero, top, 1, axes.height, FAINT_INK);
    axes.draw_rows(&mut canvas, &[]);
    axes.draw_columns(&mut canvas, &columns);
    axes.draw_names(&mut canvas, &table.unit, "", MARGIN);
    for (number, (line, name)) in lines.iter().zip(&names).enumerate() {
        let middle = top + 4 + number as u32 * LINE + LINE / 2;
        let y = middle - Font::BODY.height() / 2;
        canvas.text_right(left - NAME_GAP, y, name, Font::BODY, INK);
        for (x, offset, colour) in placed(line, &axes) {
            let at = (x, f64::from(middle) + offset);
            canvas.line(at, at, DIAMETER, colour);
        }
    }
    let scale_left = left + PLOT_WIDTH + SCALE_GAP;
    let scale = (scale_left, top, axes.height);
    let name = ["feature value", "value"];
    let fits = Font::BODY.width(name[0]) <= axes.height;
    draw_scale(&mut canvas, scale, name[usize::from(!fits)], None);
    if bad > 0 {
        let text = format!("{bad} of {} not finite", table.attributions.len());
        canvas.text(
            left,
            axes.bottom() + BELOW + 4,
            &text,
            Font::BODY,
            FAINT_INK,
        );
    }
    Ok(canvas.finish())
}

struct Swarm {
    name: String,
    /// Attribution and colour.
    dots: Vec<(f64, Rgb<u8>)>,
}

fn swarms(table: &TabularAttributions, most: usize) -> Vec<Swarm> {
    let order = by_magnitude(&table.magnitudes());
    let (own, rest) = order.split_at(own_lines(order.len(), most));
    let mut lines: Vec<Swarm> = own
        .iter()
        .map(|&feature| {
            let range = value_range(&table.column(feature));
            let dots = (0..table.rows).map(|row| {
                let colour = value_colour(table.value(row, feature), range);
                (table.attribution(row, feature), colour)
            });
            Swarm {
                name: table.features[feature].clone(),
                dots: dots.filter(|dot| dot.0.is_finite()).collect(),
            }
        })
        .collect();
    if !rest.is_empty() {
        let sum = |row: usize| rest.iter().map(|&f| table.attribution(row, f)).sum::<f64>();
        let sums = (0..table.rows).map(sum).filter(|sum| sum.is_finite());
        lines.push(Swarm {
            name: rest_name(rest.len(), order.len()),
            dots: sums.map(|sum| (sum, NONE)).collect(),
        });
    }
    lines
}

fn range(lines: &[Swarm]) -> (f64, f64) {
    let ends = lines
        .iter()
        .flat_map(|line| line.dots.iter().map(|dot| dot.0));
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), end| {
        (low.min(end), high.max(end))
    });
    if high > low {
        let space = 0.03 * (high - low);
        (low - space, high + space)
    } else {
        (-1.0, 1.0)
    }
}

/// Column, offset from the line's middle and colour of each dot. Dots of one place go in turn above
/// and below, closer together where they are many.
fn placed(line: &Swarm, axes: &Axes) -> Vec<(f64, f64, Rgb<u8>)> {
    let place = |value: f64| ((axes.column(value) - f64::from(axes.left)) / PLACE).round() as usize;
    let places = (f64::from(axes.width) / PLACE) as usize + 2;
    let mut count = vec![0_u32; places];
    let layers: Vec<u32> = line
        .dots
        .iter()
        .map(|&(value, _)| {
            let count = &mut count[place(value).min(places - 1)];
            *count += 1;
            *count - 1
        })
        .collect();
    let highest = layers.iter().max().map_or(0, |layer| layer.div_ceil(2));
    let room = f64::from(LINE) / 2.0 - DIAMETER / 2.0 - 1.0;
    let spacing = (DIAMETER - 1.0).min(room / f64::from(highest.max(1)));
    line.dots
        .iter()
        .zip(layers)
        .map(|(&(value, colour), layer)| {
            let side = if layer % 2 == 0 { 1.0 } else { -1.0 };
            let offset = side * spacing * f64::from(layer.div_ceil(2));
            (axes.column(value), offset, colour)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::scale::{HIGH, LOW};
    use super::super::tests::table;
    use super::*;

    #[test]
    fn dots_lie_at_their_attribution_in_the_colour_of_their_value() {
        let picture = beeswarm_image(&table(), 10).unwrap();
        let left = MARGIN + Font::BODY.width("a") + NAME_GAP;
        let top = MARGIN + TITLE_BLOCK;
        let axes = Axes {
            left,
            top,
            width: PLOT_WIDTH,
            height: 3 * LINE + 8,
            x: range(&swarms(&table(), 10)),
            y: (0.0, 1.0),
        };
        let at = |value: f64| {
            let y = top + 4 + LINE / 2;
            *picture.get_pixel(axes.column(value) as u32, y)
        };
        assert_eq!(at(-2.0), LOW);
        assert_eq!(at(1.9), HIGH);
        assert_eq!(
            picture.dimensions(),
            (
                left + PLOT_WIDTH + SCALE_GAP + scale_width(None) + MARGIN,
                top + 3 * LINE + 8 + BELOW + MARGIN
            )
        );
    }

    #[test]
    fn dots_of_one_place_stay_within_their_line() {
        let line = Swarm {
            name: String::new(),
            dots: vec![(0.0, NONE); 1000],
        };
        let axes = Axes {
            left: 0,
            top: 0,
            width: PLOT_WIDTH,
            height: LINE,
            x: (-1.0, 1.0),
            y: (0.0, 1.0),
        };
        let dots = placed(&line, &axes);
        let reach = f64::from(LINE) / 2.0;
        assert!(dots.iter().all(|dot| dot.1.abs() + DIAMETER / 2.0 < reach));
        assert!(dots.iter().any(|dot| dot.1 > 0.0) && dots.iter().any(|dot| dot.1 < 0.0));
        let few = Swarm {
            dots: vec![(0.0, NONE); 3],
            ..line
        };
        let offsets: Vec<f64> = placed(&few, &axes).iter().map(|dot| dot.1).collect();
        assert_eq!(offsets, [0.0, -(DIAMETER - 1.0), DIAMETER - 1.0]);
    }

    #[test]
    fn the_rest_is_summed_and_what_is_not_finite_left_out() {
        let mut table = table();
        table.attributions[1] = f64::NAN;
        let lines = swarms(&table, 2);
        let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["a", "2 other features"]);
        assert_eq!((lines[0].dots.len(), lines[1].dots.len()), (40, 39));
        let with_note = beeswarm_image(&table, 2).unwrap();
        let without = beeswarm_image(&super::super::tests::table(), 2).unwrap();
        assert!(with_note.height() > without.height());
        table.attributions.fill(0.0);
        assert_eq!(range(&swarms(&table, 9)), (-1.0, 1.0));
        table.attributions.fill(f64::NAN);
        assert!(beeswarm_image(&table, 9).is_ok());
    }
}
