//! Bar charts: a name at the left, a bar to the right for each series, its number behind it.

use image::RgbImage;

use crate::Estimate;
use crate::canvas::{Canvas, FAINT_INK, Font, INK};
use crate::chart::{Axes, BELOW, GRID, legend, legend_width, ticks};
use crate::colour::series;
use crate::figure::FigureError;
use crate::number::significant;

/// A chart of bars that run to the right.
#[derive(Clone, Debug, PartialEq)]
pub struct BarChart {
    /// Above all.
    pub title: String,
    /// What the length of a bar means, with its unit.
    pub axis: String,
    /// Names of the series; with one alone there is no legend.
    pub series: Vec<String>,
    /// One per name at the left, from top to bottom.
    pub groups: Vec<BarGroup>,
    /// Ends of the axis; by default from zero (or the least value) to the greatest.
    pub range: Option<(f64, f64)>,
}

/// The bars that share a name.
#[derive(Clone, Debug, PartialEq)]
pub struct BarGroup {
    /// The name.
    pub name: String,
    /// One per series; `None` where there is no value. An interval is drawn where there is one.
    pub values: Vec<Option<Estimate>>,
}

impl BarChart {
    /// The `most` greatest of `values` (by magnitude, the first of equals first) from top to
    /// bottom, and a note in the title of how many are left out.
    #[must_use]
    pub fn sorted(title: &str, axis: &str, values: &[(String, f64)], most: usize) -> Self {
        let mut order: Vec<&(String, f64)> = values.iter().filter(|(_, v)| v.is_finite()).collect();
        order.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let shown = order.len().min(most);
        let title = if shown < values.len() {
            format!("{title} (the {shown} greatest of {})", values.len())
        } else {
            title.to_owned()
        };
        let groups = order.iter().take(shown).map(|(name, value)| BarGroup {
            name: name.clone(),
            values: vec![Some(Estimate::exact(*value))],
        });
        Self {
            title,
            axis: axis.to_owned(),
            series: vec![axis.to_owned()],
            groups: groups.collect(),
            range: None,
        }
    }
}

const MARGIN: u32 = 20;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const LEGEND_BLOCK: u32 = Font::BODY.height() + 12;
const LONGEST_NAME: u32 = 360;
const NAME_GAP: u32 = 10;
const PLOT_WIDTH: u32 = 480;
const BAR: u32 = 18;
const GROUP_GAP: u32 = 10;
const VALUE_BLOCK: u32 = 76;

/// Draws the chart.
///
/// # Errors
///
/// [`FigureError::Empty`] without groups or series, [`FigureError::TooLarge`] beyond 20,000
/// pixels a side.
pub fn bar_image(chart: &BarChart) -> Result<RgbImage, FigureError> {
    if chart.groups.is_empty() || chart.series.is_empty() {
        return Err(FigureError::Empty {
            what: format!("the chart {}", chart.title),
        });
    }
    let names: Vec<String> = chart
        .groups
        .iter()
        .map(|group| Font::BODY.elide_middle(&group.name, LONGEST_NAME))
        .collect();
    let longest = names.iter().map(|name| Font::BODY.width(name)).max();
    let left = MARGIN + longest.unwrap_or(0) + NAME_GAP;
    let legend_block = if chart.series.len() > 1 {
        LEGEND_BLOCK
    } else {
        0
    };
    let top = MARGIN + TITLE_BLOCK + legend_block;
    let group = chart.series.len() as u64 * u64::from(BAR);
    let plot = chart.groups.len() as u64 * (group + u64::from(GROUP_GAP)) + u64::from(GROUP_GAP);
    let legend_end: u32 = chart.series.iter().map(|name| legend_width(name)).sum();
    let least = (left + legend_end).max(MARGIN + Font::TITLE.width(&chart.title).min(900));
    let width = (left + PLOT_WIDTH + VALUE_BLOCK).max(least) + MARGIN;
    let height = u64::from(top + BELOW + MARGIN) + plot;
    let mut canvas = Canvas::new(&format!("the chart {}", chart.title), width.into(), height)?;
    let title = Font::TITLE.elide(&chart.title, width - 2 * MARGIN);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    if chart.series.len() > 1 {
        let entries = chart.series.iter().enumerate();
        let entries: Vec<_> = entries
            .map(|(i, name)| (name.as_str(), series(i)))
            .collect();
        legend(&mut canvas, (left, MARGIN + TITLE_BLOCK - 4), &entries);
    }
    let axes = Axes {
        left,
        top,
        width: PLOT_WIDTH,
        height: plot as u32,
        x: range(chart),
        y: (0.0, 1.0),
    };
    let columns = ticks(axes.x.0, axes.x.1, 5);
    for &column in &columns {
        let x = axes.column(column).round() as u32;
        canvas.fill(x, top, 1, plot as u32, GRID);
    }
    axes.draw_rows(&mut canvas, &[]);
    axes.draw_columns(&mut canvas, &columns);
    axes.draw_names(&mut canvas, &chart.axis, "", MARGIN);
    let digits = digits(chart);
    for (number, (group_of, name)) in chart.groups.iter().zip(&names).enumerate() {
        let y = top + GROUP_GAP + number as u32 * (group as u32 + GROUP_GAP);
        let middle = y + (group as u32 - Font::BODY.height()) / 2;
        canvas.text_right(left - NAME_GAP, middle, name, Font::BODY, INK);
        for number in 0..chart.series.len() {
            let value = group_of.values.get(number).copied().flatten();
            let y = y + number as u32 * BAR;
            draw_bar(&mut canvas, &axes, y, value, (number, digits));
        }
    }
    Ok(canvas.finish())
}

/// How the numbers of a chart are written, the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digits {
    /// Counts.
    Whole,
    /// Shares of one: three decimals.
    Share,
    /// Three significant digits.
    Significant,
}

impl Digits {
    fn text(self, value: f64) -> String {
        match self {
            Self::Whole => format!("{value:.0}"),
            Self::Share => format!("{value:.3}"),
            Self::Significant => significant(value),
        }
    }
}

fn digits(chart: &BarChart) -> Digits {
    let values = chart.groups.iter().flat_map(|group| &group.values);
    let values = values.flatten().map(|estimate| estimate.value);
    if chart.range == Some((0.0, 1.0)) {
        Digits::Share
    } else if values
        .filter(|value| value.is_finite())
        .all(|value| value.fract() == 0.0)
    {
        Digits::Whole
    } else {
        Digits::Significant
    }
}

fn draw_bar(
    canvas: &mut Canvas,
    axes: &Axes,
    y: u32,
    value: Option<Estimate>,
    (number, digits): (usize, Digits),
) {
    let after = axes.left + axes.width + 8;
    let Some(estimate) = value.filter(|estimate| estimate.value.is_finite()) else {
        canvas.text(after, y + 1, "-", Font::BODY, FAINT_INK);
        return;
    };
    let place = |value: f64| axes.column(value.clamp(axes.x.0, axes.x.1)).round() as u32;
    let zero = place(0.0);
    let end = place(estimate.value);
    let (from, to) = (zero.min(end), zero.max(end));
    canvas.fill(from, y + 1, to - from, BAR - 3, series(number));
    if estimate.half_width().is_some() {
        let row = f64::from(y) + f64::from(BAR) / 2.0 - 0.5;
        let (low, high) = (place(estimate.low), place(estimate.high));
        canvas.line((f64::from(low), row), (f64::from(high), row), 1.5, INK);
        for cap in [low, high] {
            canvas.fill(cap, y + 4, 1, BAR - 9, INK);
        }
    }
    canvas.text(after, y + 1, &digits.text(estimate.value), Font::BODY, INK);
}

fn range(chart: &BarChart) -> (f64, f64) {
    if let Some((low, high)) = chart.range.filter(|(low, high)| high > low) {
        return (low, high);
    }
    let values = chart
        .groups
        .iter()
        .flat_map(|group| group.values.iter().flatten());
    let ends = values.flat_map(|estimate| [estimate.value, estimate.low, estimate.high]);
    let (low, high) = ends
        .filter(|end| end.is_finite())
        .fold((0.0f64, 0.0f64), |(low, high), end| {
            (low.min(end), high.max(end))
        });
    if high > low { (low, high) } else { (0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::WHITE;

    fn chart() -> BarChart {
        BarChart {
            title: "scores".to_owned(),
            axis: "share".to_owned(),
            series: vec!["recall".to_owned(), "F1".to_owned()],
            groups: vec![
                BarGroup {
                    name: "Shirt".to_owned(),
                    values: vec![Some(Estimate::exact(0.5)), None],
                },
                BarGroup {
                    name: "Bag".to_owned(),
                    values: vec![
                        Some(Estimate::exact(1.0)),
                        Some(Estimate::new(0.8, 0.7, 0.9)),
                    ],
                },
            ],
            range: Some((0.0, 1.0)),
        }
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let picture = bar_image(&chart()).unwrap();
        let left = MARGIN + Font::BODY.width("Shirt") + NAME_GAP;
        let row = MARGIN + TITLE_BLOCK + LEGEND_BLOCK + GROUP_GAP + 4;
        let at = |share: f64, row: u32| {
            *picture.get_pixel(left + (share * f64::from(PLOT_WIDTH)) as u32, row)
        };
        assert_eq!(at(0.45, row), series(0));
        assert_eq!(at(0.55, row), WHITE);
        // No value, no bar.
        assert_eq!(at(0.01, row + BAR), WHITE);
        let below = row + 2 * BAR + GROUP_GAP;
        assert_eq!(at(0.95, below), series(0));
        assert_eq!(at(0.3, below + BAR), series(1));
    }

    #[test]
    fn numbers_of_a_chart_are_written_alike() {
        let with = |range, values: &[f64]| {
            let chart = BarChart {
                groups: vec![BarGroup {
                    name: String::new(),
                    values: values.iter().map(|&v| Some(Estimate::exact(v))).collect(),
                }],
                range,
                ..chart()
            };
            let digits = digits(&chart);
            values.iter().map(|&v| digits.text(v)).collect::<Vec<_>>()
        };
        assert_eq!(with(None, &[12_345.0, 12.0, 0.0]), ["12345", "12", "0"]);
        let shares = with(Some((0.0, 1.0)), &[1.0, 0.25, 0.0]);
        assert_eq!(shares, ["1.000", "0.250", "0.000"]);
        assert_eq!(with(None, &[1.5, 812.0]), ["1.50", "812"]);
    }

    #[test]
    fn features_are_sorted_and_the_rest_is_counted() {
        let values = [("a", 0.1), ("b", -0.7), ("c", 0.3), ("d", f64::NAN)];
        let values: Vec<(String, f64)> = values
            .iter()
            .map(|(name, v)| ((*name).to_owned(), *v))
            .collect();
        let chart = BarChart::sorted("importance", "gain", &values, 2);
        let names: Vec<&str> = chart
            .groups
            .iter()
            .map(|group| group.name.as_str())
            .collect();
        assert_eq!(names, ["b", "c"]);
        assert!(chart.title.ends_with("(the 2 greatest of 4)"));
        assert_eq!(range(&chart), (-0.7, 0.3));
        assert!(bar_image(&chart).is_ok());
    }

    #[test]
    fn a_chart_of_nothing_is_refused() {
        let none = BarChart {
            groups: vec![],
            ..chart()
        };
        assert!(matches!(bar_image(&none), Err(FigureError::Empty { .. })));
        let tall = BarChart {
            groups: vec![chart().groups[0].clone(); 2000],
            ..chart()
        };
        assert!(matches!(
            bar_image(&tall),
            Err(FigureError::TooLarge { .. })
        ));
    }
}
