//! Pictures of the attributions of a table's columns.

use image::RgbImage;
use xbench_report::{
    Contribution, DependencePlot, FigureError, TabularAttributions, Waterfall, beeswarm_image,
    dependence_image, strongest_interaction, summary_bar_image, waterfall_image,
};
use xbench_run::{Summary, TableExplanations};

/// Features with a line of their own.
const MOST: usize = 20;
/// The same where each has a bar per explainer, of which so many have a colour of their own.
const MOST_COMPARED: usize = 8;
const MOST_SERIES: usize = 6;

/// Pictures of a run on a table, with the names of their files less `.png`: for each model and
/// explainer a beeswarm, the feature of the greatest effect along its values, and how the first row
/// comes to its output; for each model the mean effect of its features by the first explainers.
pub(crate) fn pictures(summary: &Summary) -> Vec<(String, Result<RgbImage, FigureError>)> {
    let mut pictures = Vec::new();
    for table in &summary.tables {
        let name = |kind: &str| format!("{}-{}-{kind}", table.model, table.explainer);
        let shown = shown(summary, table);
        pictures.push((name("beeswarm"), beeswarm_image(&shown, MOST)));
        if let Some(feature) = greatest(table) {
            let plot = DependencePlot {
                table: &shown,
                feature,
                colour: strongest_interaction(&shown, feature),
            };
            pictures.push((name("dependence"), dependence_image(&plot)));
        }
        if let Some(waterfall) = waterfall(summary, table) {
            pictures.push((name("waterfall"), waterfall_image(&waterfall, MOST)));
        }
    }
    for model in &summary.models {
        let own = summary.tables.iter().filter(|t| t.model == model.model);
        let series: Vec<(String, TabularAttributions)> = own
            .take(MOST_SERIES)
            .map(|table| (table.explainer.clone(), shares(shown(summary, table))))
            .collect();
        if !series.is_empty() {
            let title = format!(
                "{} on {}: share of the effect",
                model.model, summary.data_set
            );
            let series: Vec<(&str, &TabularAttributions)> = series
                .iter()
                .map(|(name, table)| (name.as_str(), table))
                .collect();
            pictures.push((
                format!("{}-features", model.model),
                summary_bar_image(&title, &series, MOST_COMPARED),
            ));
        }
    }
    pictures
}

fn shown(summary: &Summary, table: &TableExplanations) -> TabularAttributions {
    TabularAttributions {
        title: format!(
            "{} by {}, {} {}",
            table.model, table.explainer, summary.data_set, summary.split
        ),
        unit: "attribution to the explained output".to_owned(),
        features: table.features.clone(),
        rows: table.targets.len(),
        values: table.values.clone(),
        attributions: table.attributions.clone(),
    }
}

/// The attributions in shares of the mean sum of their magnitudes, so that explainers of different
/// units stand side by side.
fn shares(mut table: TabularAttributions) -> TabularAttributions {
    let sum: f64 = table.attributions.iter().map(|a| a.abs()).sum();
    let mean = sum / table.rows.max(1) as f64;
    if mean > 0.0 && mean.is_finite() {
        table.attributions.iter_mut().for_each(|a| *a /= mean);
    }
    table.unit = "share of all attribution".to_owned();
    table
}

/// The feature of the greatest mean magnitude; none where all are zero.
fn greatest(table: &TableExplanations) -> Option<usize> {
    let features = table.features.len();
    let mut sums = vec![0.0; features];
    for row in table.attributions.chunks_exact(features.max(1)) {
        for (sum, attribution) in sums.iter_mut().zip(row) {
            *sum += attribution.abs();
        }
    }
    let best = (0..features).max_by(|&a, &b| sums[a].total_cmp(&sums[b]).then(b.cmp(&a)))?;
    (sums[best] > 0.0).then_some(best)
}

/// From the output less all attributions to the output of the first row.
fn waterfall(summary: &Summary, table: &TableExplanations) -> Option<Waterfall> {
    let features = table.features.len();
    let output = *table.outputs.first()?;
    let target = *table.targets.first()?;
    let attributions = table.attributions.get(..features)?;
    let class = summary.classes.get(target).cloned();
    let contributions = table
        .features
        .iter()
        .zip(&table.values)
        .zip(attributions)
        .map(|((feature, &value), &attribution)| Contribution {
            feature: feature.clone(),
            value,
            attribution,
        });
    Some(Waterfall {
        title: format!(
            "{} by {}: first row, {}",
            table.model,
            table.explainer,
            class.unwrap_or_else(|| format!("output {target}"))
        ),
        unit: "output".to_owned(),
        base: output - attributions.iter().sum::<f64>(),
        contributions: contributions.collect(),
    })
}
