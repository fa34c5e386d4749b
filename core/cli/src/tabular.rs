//! Pictures of the attributions of a table's columns.

use image::RgbImage;
use xbench_report::{
    Contribution, DependencePlot, FigureError, TabularAttributions, Waterfall, beeswarm_image,
    dependence_image, significant, strongest_interaction, summary_bar_image, waterfall_image,
};
use xbench_run::{Summary, TableExplanations};

/// Features with a line of their own.
pub(crate) const MOST: usize = 20;
/// The same where each has a bar per explainer, of which so many have a colour of their own.
const MOST_COMPARED: usize = 8;
const MOST_SERIES: usize = 6;

/// What was explained.
pub(crate) struct Scene<'s> {
    /// Data set and split or rows, or files.
    pub(crate) data: String,
    /// Class names.
    pub(crate) classes: &'s [String],
}

/// Pictures of a run on a table, with the names of their files less `.png`: for each model and
/// explainer a beeswarm, the feature of the greatest effect along its values, and how the first row
/// comes to its output; for each model the mean effect of its features by the first explainers.
pub(crate) fn pictures(summary: &Summary) -> Vec<(String, Result<RgbImage, FigureError>)> {
    let scene = Scene {
        data: format!("{} {}", summary.data_set, summary.split),
        classes: &summary.classes,
    };
    let mut pictures = Vec::new();
    for table in &summary.tables {
        let name = |kind: &str| format!("{}-{}-{kind}", table.model, table.explainer);
        // Importances of the model as a whole are no contributions of a row's values.
        if table.same_for_all() {
            continue;
        }
        pictures.push((name("beeswarm"), beeswarm(&scene, table)));
        if let Some(&feature) = greatest(table, 1).first() {
            pictures.push((name("dependence"), dependence(&scene, table, feature)));
        }
        let title = format!("{} by {}: first row", table.model, table.explainer);
        if let Some(waterfall) = waterfall(&scene, table, 0, title, Vec::new()) {
            pictures.push((name("waterfall"), waterfall_image(&waterfall, MOST)));
        }
    }
    for model in &summary.models {
        let own = summary.tables.iter().filter(|t| t.model == model.model);
        let own: Vec<&TableExplanations> = own.collect();
        if !own.is_empty() {
            let name = format!("{}-features", model.model);
            pictures.push((name, features(&scene, &model.model, &own)));
        }
    }
    pictures
}

/// A dot per row and feature.
pub(crate) fn beeswarm(
    scene: &Scene<'_>,
    table: &TableExplanations,
) -> Result<RgbImage, FigureError> {
    beeswarm_image(&shown(scene, table), MOST)
}

/// A feature's attributions along its values, coloured by the feature that it goes with most.
pub(crate) fn dependence(
    scene: &Scene<'_>,
    table: &TableExplanations,
    feature: usize,
) -> Result<RgbImage, FigureError> {
    let shown = shown(scene, table);
    dependence_image(&DependencePlot {
        table: &shown,
        feature,
        colour: strongest_interaction(&shown, feature),
    })
}

/// The mean effect of a model's features: by one explainer in its unit, by several in shares.
pub(crate) fn features(
    scene: &Scene<'_>,
    model: &str,
    tables: &[&TableExplanations],
) -> Result<RgbImage, FigureError> {
    if let [table] = tables {
        let shown = shown(scene, table);
        return summary_bar_image(&shown.title, &[(&table.explainer, &shown)], MOST);
    }
    let first = tables.iter().take(MOST_SERIES);
    let series: Vec<(&str, TabularAttributions)> = first
        .map(|table| (table.explainer.as_str(), shares(shown(scene, table))))
        .collect();
    let series: Vec<(&str, &TabularAttributions)> =
        series.iter().map(|(name, table)| (*name, table)).collect();
    let title = format!("{model} on {}: share of the effect", scene.data);
    summary_bar_image(&title, &series, MOST_COMPARED)
}

/// What is explained: `probability of suspect`, `logit of the explained class`.
pub(crate) fn unit(scene: &Scene<'_>, table: &TableExplanations) -> String {
    let mut targets = table.targets.iter();
    let first = targets.next();
    let class = first
        .filter(|first| targets.all(|other| other == *first))
        .and_then(|&class| scene.classes.get(class));
    let class = class.map_or("the explained class", String::as_str);
    format!("{} of {class}", table.unit)
}

fn shown(scene: &Scene<'_>, table: &TableExplanations) -> TabularAttributions {
    TabularAttributions {
        title: format!("{} by {}, {}", table.model, table.explainer, scene.data),
        unit: format!("attribution to the {}", unit(scene, table)),
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

/// Mean magnitude of each feature's attributions.
pub(crate) fn magnitudes(table: &TableExplanations) -> Vec<f64> {
    let features = table.features.len();
    let rows = table.targets.len().max(1) as f64;
    let mut means = vec![0.0; features];
    for row in table.attributions.chunks_exact(features.max(1)) {
        for (mean, attribution) in means.iter_mut().zip(row) {
            *mean += attribution.abs() / rows;
        }
    }
    means
}

/// The features of the greatest mean magnitudes, at most `count`; none that is given nothing.
pub(crate) fn greatest(table: &TableExplanations, count: usize) -> Vec<usize> {
    let means = magnitudes(table);
    let mut order: Vec<usize> = (0..means.len()).filter(|&f| means[f] > 0.0).collect();
    order.sort_by(|&a, &b| means[b].total_cmp(&means[a]));
    order.truncate(count);
    order
}

/// From the output less all attributions to the output of a row.
pub(crate) fn waterfall(
    scene: &Scene<'_>,
    table: &TableExplanations,
    row: usize,
    title: String,
    notes: Vec<String>,
) -> Option<Waterfall> {
    let features = table.features.len();
    let target = *table.targets.get(row)?;
    let place = row * features..(row + 1) * features;
    let attributions = table.attributions.get(place.clone())?;
    let values = table.values.get(place)?;
    let class = scene.classes.get(target);
    let class = class.map_or_else(|| format!("output {target}"), Clone::clone);
    let contributions = table.features.iter().zip(values).zip(attributions);
    Some(Waterfall {
        title,
        notes,
        unit: format!("{} of {class}", table.unit),
        base: table.base(row),
        contributions: contributions
            .map(|((feature, &value), &attribution)| Contribution {
                feature: feature.clone(),
                value,
                attribution,
            })
            .collect(),
    })
}

/// Whole numbers as they are, others to three digits.
pub(crate) fn value_text(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e6 {
        format!("{value:.0}")
    } else {
        significant(value)
    }
}
