//! Derives what a run found from the results of its cells and models.

use std::collections::BTreeMap;

use xbench_metrics::Family;
use xbench_metrics::localisation::{FOCUS, FOCUS_CHANCE};
use xbench_record::Status;
use xbench_stats::{
    DEFAULT_DRAWS, DEFAULT_FLIPS, Resamples, SignFlips, mean_intervals_masked, median_interval,
};

use crate::agreement::{agreement, are_seeds};
use crate::cells::CellResult;
use crate::classification::{Answers, classify};
use crate::concordance::{Order, concordance};
use crate::contrast::contrasts;
use crate::known_cause;
use crate::models::{ModelResult, ReadyModel};
use crate::ranks::Ranks;
use crate::regions;
use crate::reliability::reliability;
use crate::reproduction::reproduction;
use crate::resolution::resolution;
use crate::scored::scored;
use crate::session::Session;
use crate::significance::differences;
use crate::summary::{
    CellSummary, Classification, Estimate, ExamplePicture, ModelSummary, Summary,
};
use crate::tables::tables;

/// Derives everything from the results of cells and models.
pub(crate) fn summarise(
    session: &Session<'_>,
    models: &[ModelResult],
    results: &[CellResult],
) -> Summary {
    let suite = session.suite;
    let resamples = Resamples::new(session.rows.len(), DEFAULT_DRAWS, suite.seed);
    let mut summaries: Vec<ModelSummary> = Vec::new();
    let classified = classifications(session, models);
    for (index, (model, accuracy)) in models.iter().zip(classified).enumerate() {
        let chosen = &session.checked.models[index];
        let cells: Vec<&CellResult> = results.iter().filter(|cell| cell.model == index).collect();
        let ranks = Ranks::of(session, &cells, &resamples);
        summaries.push(ModelSummary {
            model: chosen.label.clone(),
            preset: chosen.preset.clone().unwrap_or_default(),
            weights_fingerprint: model
                .as_ref()
                .map_or_else(|_| String::new(), |model| model.facts.fingerprint.clone()),
            error: model.as_ref().err().cloned(),
            accuracy,
            order: ranks.order(session, &cells),
            cells: cell_summaries(session, &cells, &ranks, &resamples),
        });
    }
    let reproduction = reproduction(session, &summaries);
    let scored = scored(session, results);
    let flips = SignFlips::new(session.rows.len(), DEFAULT_FLIPS, suite.seed);
    let differences = differences(&scored, &resamples, &flips);
    let agreement = agreement(session, results, &resamples);
    Summary {
        suite: suite.name.clone(),
        suite_version: suite.version,
        data_set: session.set.id.clone(),
        split: suite.data.split.to_string(),
        n: session.rows.len(),
        seed: suite.seed,
        classes: session.set.classes.clone(),
        scores: session
            .checked
            .explanation_scores()
            .map(|score| score.id.to_owned())
            .collect(),
        ranking: session
            .checked
            .ranking
            .iter()
            .map(|score| score.id.to_owned())
            .collect(),
        chance: chance(session),
        failed_cells: results
            .iter()
            .filter(|cell| !cell.is_ok() && cell.status != Status::Unsupported)
            .count(),
        agreement: agreement.pairs,
        agreement_groups: agreement.groups,
        regions: regions::shares(session, results, &resamples),
        contrasts: contrasts(session, results, &resamples),
        resolution: resolution(&scored, &differences),
        concordance: concordance(&scored, &orders(&summaries), &seeds(session), suite.seed),
        reliability: reliability(&scored),
        differences,
        models: summaries,
        reproduction,
        warnings: session
            .warnings
            .iter()
            .cloned()
            .chain(without_imagenet(session, models))
            .collect(),
        tables: tables(session, models, results),
        folder: session.store.folder().to_owned(),
        parts: Vec::new(),
    }
}

/// The order of each model's explainers, controls aside.
fn orders(models: &[ModelSummary]) -> Vec<Order> {
    let of = |(model, summary): (usize, &ModelSummary)| {
        let cells = summary.cells.iter().filter(|cell| !cell.control);
        let ranks: Vec<(String, f64)> = cells
            .filter_map(|cell| Some((cell.explainer.clone(), cell.mean_rank?.value)))
            .collect();
        (!ranks.is_empty()).then_some(Order { model, ranks })
    };
    models.iter().enumerate().filter_map(of).collect()
}

/// Positions of the models that something explains, those together that differ in their seed
/// alone.
fn seeds(session: &Session<'_>) -> Vec<Vec<usize>> {
    let models = &session.checked.models;
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for index in 0..models.len() {
        let explained = session.checked.plan.cells.iter();
        if !explained.clone().any(|cell| cell.model == index) {
            continue;
        }
        let fits = |group: &&mut Vec<usize>| {
            let mut members = group.iter();
            members.all(|&member| are_seeds(&models[member], &models[index]))
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}

/// Models that could have begun with ImageNet weights, by their recipes, and did not: published
/// figures of such models mostly did.
fn without_imagenet(session: &Session<'_>, models: &[ModelResult]) -> Option<String> {
    let labels: Vec<&str> = models
        .iter()
        .zip(&session.checked.models)
        .filter_map(|(model, chosen)| {
            let weights = model.as_ref().ok()?.reference.weights.as_ref()?;
            let recipe = std::fs::read(weights.with_extension("recipe.json")).ok()?;
            let recipe: serde_json::Value = serde_json::from_slice(&recipe).ok()?;
            (recipe["training"]["imagenet_weights"] == false).then_some(chosen.label.as_str())
        })
        .collect();
    (!labels.is_empty()).then(|| format!("trained without ImageNet weights: {}", labels.join(", ")))
}

/// How right the models are, on the rows the suite names for that.
fn classifications(session: &Session<'_>, models: &[ModelResult]) -> Vec<Option<Classification>> {
    let rows = session.accuracy_rows();
    let split = session.split();
    let labels = split.labels_of(&rows);
    let answers: Vec<Option<Answers<'_>>> = models
        .iter()
        .map(|model| model.as_ref().ok().map(ReadyModel::answers))
        .collect();
    let resamples = Resamples::new(rows.len(), draws(rows.len()), session.suite.seed);
    let classes = session.set.classes.len();
    let mut found = classify(&answers, &rows, &labels, classes, &resamples);
    let shape = session.layout().plane();
    for example in found
        .iter_mut()
        .flatten()
        .flat_map(|found| &mut found.examples)
    {
        example.picture = split.pixels(example.row).map(|pixels| ExamplePicture {
            shape,
            pixels: pixels.to_vec(),
        });
    }
    found
}

/// Resamples of so many rows: fewer of a large set, whose intervals are narrow and whose
/// resamples take memory, a byte per row and resample.
fn draws(rows: usize) -> usize {
    const CELLS: usize = 24_000_000;
    const LEAST: usize = 200;
    (CELLS / rows.max(1)).clamp(LEAST, DEFAULT_DRAWS)
}

fn cell_summaries(
    session: &Session<'_>,
    cells: &[&CellResult],
    ranks: &Ranks,
    resamples: &Resamples,
) -> Vec<CellSummary> {
    let images = session.rows.len() as f64;
    cells
        .iter()
        .enumerate()
        .map(|(position, cell)| {
            let chosen = &session.checked.explainers[cell.explainer];
            let ids: Vec<&String> = cell.columns.keys().collect();
            let columns: Vec<&[Option<f64>]> = cell
                .columns
                .values()
                .map(|column| column.values.as_slice())
                .collect();
            let intervals = mean_intervals_masked(&columns, resamples);
            let scores = ids
                .iter()
                .zip(intervals)
                .filter_map(|(id, interval)| Some(((*id).clone(), Estimate::from(interval?))));
            let reasons = cell
                .columns
                .iter()
                .filter(|(_, column)| !column.reasons.is_empty());
            let ms_per_image = cell.timing.as_ref().and_then(|timing| {
                let median = median_interval(&timing.cpu_ms)?;
                Some(Estimate {
                    value: median.median,
                    low: median.low,
                    high: median.high,
                    n: median.n,
                })
            });
            CellSummary {
                explainer: chosen.label.clone(),
                cell: cell.key.map(|key| key.to_string()).unwrap_or_default(),
                params: chosen.params.clone(),
                control: chosen.plugin.control,
                status: cell.status.to_string(),
                text: cell.text.clone(),
                n: if cell.is_ok() { session.rows.len() } else { 0 },
                scores: scores.collect(),
                not_applicable: reasons
                    .map(|(id, column)| (id.clone(), column.reasons.clone()))
                    .collect(),
                mean_rank: ranks.mean_rank(position),
                rank_group: ranks.group(position),
                p_first: ranks.place(position).map(|place| place.first),
                place: ranks.place(position).map(|place| (place.low, place.high)),
                rank_groups: ranks.groups(position),
                beats_controls: ranks.beats_controls(session, cells, position),
                forward_rows: cell
                    .is_ok()
                    .then(|| cell.evaluations.forward_rows as f64 / images),
                backward_rows: cell
                    .is_ok()
                    .then(|| cell.evaluations.backward_rows as f64 / images),
                ms_per_image,
                peak_memory_bytes: cell
                    .timing
                    .as_ref()
                    .and_then(|timing| timing.peak_memory_bytes),
            }
        })
        .collect()
}

/// Mean over the images of the score a random map can expect.
fn chance(session: &Session<'_>) -> BTreeMap<String, f64> {
    let mut chance = BTreeMap::new();
    for score in session.checked.family(Family::Localisation) {
        let levels: Vec<f64> = session
            .rows
            .iter()
            .filter_map(|&row| {
                let mask = session.split().mask(row)?;
                xbench_metrics::localisation::chance_level(score.id, &mask)
            })
            .collect();
        if !levels.is_empty() {
            let mean = levels.iter().sum::<f64>() / levels.len() as f64;
            chance.insert(score.id.to_owned(), mean);
        }
        if let Some(level) = known_cause::chance(session.split(), &session.rows, score.id) {
            chance.insert(score.id.to_owned(), level);
        }
        if score.id == FOCUS {
            chance.insert(score.id.to_owned(), FOCUS_CHANCE);
        }
    }
    chance
}
