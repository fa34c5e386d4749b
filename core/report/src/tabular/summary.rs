//! The summary bars: mean magnitude of each feature's attributions.

use image::RgbImage;

use super::{TabularAttributions, by_magnitude, own_lines, rest_name};
use crate::Estimate;
use crate::bars::{BarChart, BarGroup, bar_image};
use crate::figure::FigureError;

/// Draws a bar per feature and series as long as the mean magnitude of the feature's attributions: the
/// `most` features of the greatest sum over the series from top to bottom, the sum of the rest in the
/// last line. A series is a class, say, or a model; all have the same features.
///
/// # Errors
///
/// [`FigureError::Empty`] without series, rows or features, [`FigureError::ValueCount`] for a table
/// that is not as it says or has other features than the first, [`FigureError::TooLarge`] beyond
/// 20,000 pixels a side.
pub fn summary_bar_image(
    title: &str,
    series: &[(&str, &TabularAttributions)],
    most: usize,
) -> Result<RgbImage, FigureError> {
    bar_image(&summary_bars(title, series, most)?)
}

fn summary_bars(
    title: &str,
    series: &[(&str, &TabularAttributions)],
    most: usize,
) -> Result<BarChart, FigureError> {
    let Some((_, first)) = series.first() else {
        return Err(FigureError::Empty {
            what: format!("the summary {title}"),
        });
    };
    for (name, table) in series {
        table.check()?;
        if table.features.len() != first.features.len() {
            return Err(FigureError::ValueCount {
                what: format!("the features of {name}"),
                height: 1,
                width: first.features.len(),
                found: table.features.len(),
            });
        }
    }
    let magnitudes: Vec<Vec<f64>> = series.iter().map(|(_, t)| t.magnitudes()).collect();
    let features = first.features.len();
    let sums: Vec<f64> = (0..features)
        .map(|feature| magnitudes.iter().map(|of| of[feature]).sum())
        .collect();
    let order = by_magnitude(&sums);
    let (own, rest) = order.split_at(own_lines(features, most));
    let group = |name: String, features: &[usize]| BarGroup {
        name,
        values: magnitudes
            .iter()
            .map(|of| Some(Estimate::exact(features.iter().map(|&f| of[f]).sum())))
            .collect(),
    };
    let mut groups: Vec<BarGroup> = own
        .iter()
        .map(|&feature| group(first.features[feature].clone(), &[feature]))
        .collect();
    if !rest.is_empty() {
        groups.push(group(rest_name(rest.len(), features), rest));
    }
    Ok(BarChart {
        title: title.to_owned(),
        axis: format!("mean |{}|", first.unit),
        series: series.iter().map(|(name, _)| (*name).to_owned()).collect(),
        groups,
        range: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::table;
    use super::*;

    #[test]
    fn bars_are_mean_magnitudes() {
        let (one, mut other) = (table(), table());
        other.attributions.fill(-0.25);
        let chart = summary_bars("both", &[("x", &one), ("y", &other)], 2).unwrap();
        let names: Vec<&str> = chart.groups.iter().map(|g| g.name.as_str()).collect();
        assert_eq!(names, ["a", "2 other features"]);
        let value = |group: usize, series: usize| {
            let estimate: Option<Estimate> = chart.groups[group].values[series];
            estimate.unwrap().value
        };
        assert!((value(0, 0) - 1.0).abs() < 1e-9);
        assert_eq!((value(0, 1), value(1, 1)), (0.25, 0.5));
        assert_eq!(chart.axis, "mean |SHAP value|");
        assert!(summary_bar_image("both", &[("x", &one)], 9).is_ok());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let none = summary_bar_image("none", &[], 5);
        assert!(matches!(none, Err(FigureError::Empty { .. })));
        let narrow = TabularAttributions {
            features: vec!["a".to_owned()],
            rows: 120,
            ..table()
        };
        let mixed = summary_bar_image("mixed", &[("x", &table()), ("y", &narrow)], 5);
        assert!(matches!(mixed, Err(FigureError::ValueCount { .. })));
    }
}
