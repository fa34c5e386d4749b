//! Writes what a run found: records first, then the tables derived from it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use xbench_metrics::calibration::ReliabilityBin;
use xbench_record::table::{
    AgreementRow, CalibrationRow, ClassRow, ExampleRow, LeaderboardRow, ModelRow, ReproductionRow,
    ScoreRow, agreement, calibration, classes, concordance, confusion, differences, examples,
    leaderboard, models, reliability, reproduction, resolution, scores,
};
use xbench_record::{
    CellRecord, FORMAT, Machine, ScoreSummary, Status, StoreError, Time, latest, write_table,
};
use xbench_stats::{DEFAULT_DRAWS, Interval, Resamples};

use crate::agreement::group_table;
use crate::cells::CellResult;
use crate::challenge::{CellCurves, curve_table};
use crate::session::Session;
use crate::summary::{CellSummary, Classification, Estimate, ModelSummary, Summary};

impl From<Estimate> for Interval {
    fn from(estimate: Estimate) -> Self {
        Self {
            mean: estimate.value,
            low: estimate.low,
            high: estimate.high,
            n: estimate.n,
        }
    }
}

/// Appends a record of every cell that is new or has changed, and writes the tables.
pub(crate) fn publish(
    session: &Session<'_>,
    results: &[CellResult],
    summary: &Summary,
) -> Result<(), StoreError> {
    append_records(session, results, summary)?;
    let folder = session.store.folder();
    let ids: Vec<&str> = summary.scores.iter().map(String::as_str).collect();
    write_table(
        folder,
        "leaderboard.csv",
        &leaderboard(&ids, &leaderboard_rows(summary, results))?,
    )?;
    write_table(folder, "models.csv", &models(&model_rows(summary))?)?;
    write_table(
        folder,
        "agreement.csv",
        &agreement(&agreement_rows(summary))?,
    )?;
    write_table(
        folder,
        "agreement_groups.csv",
        &group_table(&summary.data_set, &summary.agreement_groups)?,
    )?;
    if !summary.regions.is_empty() {
        let table = crate::regions::table(&summary.data_set, &summary.regions)?;
        write_table(folder, "regions.csv", &table)?;
    }
    write_table(folder, "classes.csv", &classes(&class_rows(summary))?)?;
    write_table(
        folder,
        "calibration.csv",
        &calibration(&calibration_rows(summary))?,
    )?;
    write_table(folder, "examples.csv", &examples(&example_rows(summary))?)?;
    write_table(folder, "costs.csv", &costs(summary))?;
    if !summary.reproduction.is_empty() {
        write_table(
            folder,
            "reproduction.csv",
            &reproduction(&reproduction_rows(summary))?,
        )?;
    }
    if !summary.contrasts.is_empty() {
        let table = crate::contrast::table(&summary.contrasts);
        write_table(folder, "contrasts.csv", &table)?;
    }
    let rows = score_rows(session, summary, results);
    write_table(folder, "scores.csv", &scores(&rows)?)?;
    write_table(
        folder,
        "differences.csv",
        &differences(&summary.differences)?,
    )?;
    write_table(folder, "resolution.csv", &resolution(&summary.resolution)?)?;
    write_table(
        folder,
        "concordance.csv",
        &concordance(&summary.concordance)?,
    )?;
    write_table(
        folder,
        "reliability.csv",
        &reliability(&summary.reliability)?,
    )?;
    let curves = curves(session, summary, results)?;
    if let Some(table) = &curves {
        write_table(folder, "randomisation.csv", table)?;
    } else {
        remove(&folder.join("randomisation.csv"))?;
    }
    remove_leftovers(session, summary)?;
    let names: Vec<&str> = summary.classes.iter().map(String::as_str).collect();
    for model in &summary.models {
        if let Some(classification) = &model.accuracy {
            let table = confusion(&names, classification.confusion.counts())?;
            write_table(folder, &format!("confusion/{}.csv", model.model), &table)?;
        }
    }
    Ok(())
}

/// Pictures of a model, by the end of their file's name in `pictures/`.
const PICTURES: [&str; 5] = ["confusion", "classes", "calibration", "examples", "ranks"];

/// Removes what an earlier run of the suite derived and this one does not.
fn remove_leftovers(session: &Session<'_>, summary: &Summary) -> Result<(), StoreError> {
    let folder = session.store.folder();
    if summary.reproduction.is_empty() {
        remove(&folder.join("reproduction.csv"))?;
        remove(&folder.join("reproduction.md"))?;
    }
    for place in ["confusion", "pictures", "."] {
        let Ok(entries) = std::fs::read_dir(folder.join(place)) else {
            continue;
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            let model = match place {
                "confusion" => Some(stem),
                "pictures" => PICTURES
                    .iter()
                    .find_map(|kind| stem.strip_suffix(kind)?.strip_suffix('-')),
                _ => stem.strip_prefix("agreement-"),
            };
            let known = |name: &str| summary.models.iter().any(|model| model.model == name);
            // Pictures of confusion stood beside its tables once.
            let moved = place == "confusion" && path.extension().is_some_and(|end| end == "png");
            if moved || model.is_some_and(|name| !known(name)) {
                remove(&path)?;
            }
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::Io {
            action: "cannot remove",
            path: path.to_owned(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// Cells in the order of the tables, each with its model and its raw result.
fn cells<'s>(
    summary: &'s Summary,
    results: &'s [CellResult],
) -> impl Iterator<Item = (&'s ModelSummary, &'s CellSummary, &'s CellResult)> {
    summary
        .models
        .iter()
        .enumerate()
        .flat_map(move |(index, model)| {
            let own = results.iter().filter(move |result| result.model == index);
            model
                .cells
                .iter()
                .zip(own)
                .map(move |(cell, result)| (model, cell, result))
        })
}

/// `randomisation.csv`; none where no cell has curves.
fn curves(
    session: &Session<'_>,
    summary: &Summary,
    results: &[CellResult],
) -> Result<Option<String>, StoreError> {
    let with_curves: Vec<CellCurves<'_>> = cells(summary, results)
        .filter(|(.., result)| !result.curves.is_empty())
        .map(|(model, cell, result)| CellCurves {
            model: &model.model,
            explainer: &cell.explainer,
            curves: &result.curves,
        })
        .collect();
    if with_curves.is_empty() {
        return Ok(None);
    }
    let resamples = Resamples::new(session.rows.len(), DEFAULT_DRAWS, session.suite.seed);
    curve_table(&summary.data_set, &with_curves, &resamples).map(Some)
}

fn append_records(
    session: &Session<'_>,
    results: &[CellResult],
    summary: &Summary,
) -> Result<(), StoreError> {
    let known = latest(session.store.records()?);
    let machine = Machine::detect();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .map(|since| since.as_secs());
    for (model, cell, result) in cells(summary, results) {
        let mut record = record(session, &machine, summary, model, cell, result);
        let same = known
            .iter()
            .find(|known| known.row() == record.row())
            .is_some_and(|known| {
                CellRecord {
                    recorded_at: None,
                    ..known.clone()
                } == record
            });
        if !same {
            record.recorded_at = now;
            session.store.append(&record)?;
        }
    }
    Ok(())
}

fn record(
    session: &Session<'_>,
    machine: &Machine,
    summary: &Summary,
    model: &ModelSummary,
    cell: &CellSummary,
    result: &CellResult,
) -> CellRecord {
    let chosen_model = &session.checked.models[result.model];
    let chosen = &session.checked.explainers[result.explainer];
    let mut scores = BTreeMap::new();
    for (id, column) in &result.columns {
        let version = xbench_metrics::find(id).map_or(0, |score| score.version);
        let interval = cell.scores.get(id).copied().map(Interval::from);
        let missing = column.values.iter().filter(|value| value.is_none()).count();
        let reasons = column.reasons.clone();
        scores.insert(
            id.clone(),
            ScoreSummary::new(interval, missing, reasons, version),
        );
    }
    CellRecord {
        format: FORMAT,
        suite: summary.suite.clone(),
        suite_version: summary.suite_version,
        cell: cell.cell.clone(),
        data_set: summary.data_set.clone(),
        model: model.model.clone(),
        model_id: chosen_model.plugin.id.clone(),
        model_version: chosen_model.plugin.version.clone(),
        preset: chosen_model.preset.clone(),
        weights: model.weights_fingerprint.clone(),
        explainer: cell.explainer.clone(),
        explainer_id: chosen.plugin.id.clone(),
        explainer_version: chosen.plugin.version.clone(),
        control: cell.control,
        params: chosen.params.clone(),
        status: result.status,
        text: cell.text.clone(),
        n: cell.n,
        scores,
        forward_rows: result.evaluations.forward_rows,
        backward_rows: result.evaluations.backward_rows,
        ms_per_image: cell.ms_per_image.map(|time| Time {
            median: time.value,
            low: time.low,
            high: time.high,
            n: time.n,
        }),
        peak_memory_bytes: cell.peak_memory_bytes,
        seed: summary.seed,
        device_class: "cpu".to_owned(),
        host_version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: machine.clone(),
        recorded_at: None,
    }
}

fn leaderboard_rows(summary: &Summary, results: &[CellResult]) -> Vec<LeaderboardRow> {
    cells(summary, results)
        .map(|(model, cell, result)| LeaderboardRow {
            dataset: summary.data_set.clone(),
            model: model.model.clone(),
            explainer: cell.explainer.clone(),
            status: result.status,
            n: cell.n,
            scores: summary
                .scores
                .iter()
                .map(|id| cell.scores.get(id).copied().map(Interval::from))
                .collect(),
            mean_rank: cell.mean_rank.map(|rank| rank.value),
            rank_group: cell.rank_group,
            mean_rank_ends: cell
                .mean_rank
                .filter(|rank| rank.n > 1)
                .map(|rank| (rank.low, rank.high)),
            place: cell
                .p_first
                .zip(cell.place)
                .map(|(first, (low, high))| (first, low, high)),
            rank_groups: cell.rank_groups.clone(),
            beats_controls: cell.beats_controls,
            forward_rows: cell.forward_rows,
            backward_rows: cell.backward_rows,
            ms_per_image: cell.ms_per_image.map(|time| time.value),
        })
        .collect()
}

/// Every score of every explanation that was made.
fn score_rows(session: &Session<'_>, summary: &Summary, results: &[CellResult]) -> Vec<ScoreRow> {
    let mut rows = Vec::new();
    for (model, cell, result) in cells(summary, results) {
        for score in session.checked.explanation_scores() {
            let Some(column) = result.columns.get(score.id) else {
                continue;
            };
            rows.push(ScoreRow {
                dataset: summary.data_set.clone(),
                model: model.model.clone(),
                explainer: cell.explainer.clone(),
                score: score.id.to_owned(),
                value: cell.scores.get(score.id).copied().map(Interval::from),
                not_applicable: column.values.iter().filter(|value| value.is_none()).count(),
                reasons: column.reasons.clone(),
            });
        }
    }
    rows
}

fn model_rows(summary: &Summary) -> Vec<ModelRow> {
    let row = |model: &ModelSummary| {
        let found = model.accuracy.as_ref();
        let interval = |id: &str| found?.scores.get(id).copied().map(Interval::from);
        let score = |id: &str| found?.scores.get(id).map(|score| score.value);
        ModelRow {
            dataset: summary.data_set.clone(),
            model: model.model.clone(),
            preset: (!model.preset.is_empty()).then(|| model.preset.clone()),
            n: found.map_or(0, |found| found.accuracy.n),
            accuracy: interval("accuracy"),
            macro_f1: interval("macro_f1"),
            macro_precision: score("macro_precision"),
            macro_recall: score("macro_recall"),
            weighted_f1: score("weighted_f1"),
            weighted_precision: score("weighted_precision"),
            weighted_recall: score("weighted_recall"),
            parameters_fingerprint: model.weights_fingerprint.clone(),
            macro_specificity: score("macro_specificity"),
            weighted_specificity: score("weighted_specificity"),
            log_loss: interval("log_loss"),
            brier: interval("brier"),
            ece: score("ece"),
            adaptive_ece: score("adaptive_ece"),
            mce: score("mce"),
        }
    };
    summary.models.iter().map(row).collect()
}

fn agreement_rows(summary: &Summary) -> Vec<AgreementRow> {
    let rows = summary.agreement.iter().map(|found| AgreementRow {
        dataset: summary.data_set.clone(),
        model_a: found.model_a.clone(),
        explainer_a: found.explainer_a.clone(),
        model_b: found.model_b.clone(),
        explainer_b: found.explainer_b.clone(),
        score: found.score.clone(),
        value: found.value.map(Interval::from),
    });
    rows.collect()
}

/// The models that were classified.
fn classified(summary: &Summary) -> impl Iterator<Item = (&ModelSummary, &Classification)> {
    let models = summary.models.iter();
    models.filter_map(|model| Some((model, model.accuracy.as_ref()?)))
}

fn class_rows(summary: &Summary) -> Vec<ClassRow> {
    let mut rows = Vec::new();
    // A share of nothing is no number: a class without rows has no recall.
    let share = |score: Estimate| (score.n > 0).then(|| score.into());
    for (model, found) in classified(summary) {
        let classes = summary.classes.iter().zip(&found.classes);
        rows.extend(classes.map(|(class, scores)| ClassRow {
            dataset: summary.data_set.clone(),
            model: model.model.clone(),
            class: class.clone(),
            precision: share(scores.precision),
            recall: share(scores.recall),
            f1: share(scores.f1),
            support: scores.support,
            specificity: share(scores.specificity),
        }));
    }
    rows
}

fn calibration_rows(summary: &Summary) -> Vec<CalibrationRow> {
    let mut rows = Vec::new();
    for (model, found) in classified(summary) {
        let Some(calibration) = &found.calibration else {
            continue;
        };
        let mut push = |binning: &'static str, bins: &[ReliabilityBin]| {
            rows.extend(bins.iter().map(|bin| CalibrationRow {
                dataset: summary.data_set.clone(),
                model: model.model.clone(),
                binning,
                low: bin.low,
                high: bin.high,
                count: bin.count,
                confidence: (bin.count > 0).then_some(bin.confidence),
                accuracy: (bin.count > 0).then_some(bin.accuracy),
            }));
        };
        push("equal_width", &calibration.equal_width);
        push("equal_mass", &calibration.equal_mass);
    }
    rows
}

fn example_rows(summary: &Summary) -> Vec<ExampleRow> {
    let class = |number: usize| summary.classes.get(number).cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for (model, found) in classified(summary) {
        rows.extend(found.examples.iter().map(|example| ExampleRow {
            dataset: summary.data_set.clone(),
            model: model.model.clone(),
            kind: example.kind.word(),
            row: example.row,
            label: class(example.label),
            prediction: class(example.prediction),
            probability: example.probability,
        }));
    }
    rows
}

fn reproduction_rows(summary: &Summary) -> Vec<ReproductionRow> {
    let rows = summary.reproduction.iter().map(|row| ReproductionRow {
        suite: summary.suite.clone(),
        model: row.model.clone(),
        preset: (!row.preset.is_empty()).then(|| row.preset.clone()),
        score: row.score.clone(),
        published: row.published,
        measured: row.measured.map(Interval::from),
        source: row.source.clone(),
        class: row.class.clone(),
        split: summary.split.clone(),
        explainer: row.explainer.clone(),
        tolerance: row.tolerance,
        reason: row.reason.clone(),
    });
    rows.collect()
}

/// `costs.csv`: what an explanation costs on this machine. Apart from the leaderboard's, since
/// these differ from run to run.
fn costs(summary: &Summary) -> String {
    let mut text = String::from(
        "dataset,model,explainer,forward_rows,backward_rows,ms_per_image,ms_per_image_low,\
         ms_per_image_high,measurements,peak_memory_mib\n",
    );
    let shown = |value: Option<f64>| value.map(|value| format!("{value:.4}")).unwrap_or_default();
    for model in &summary.models {
        for cell in model
            .cells
            .iter()
            .filter(|cell| cell.status == Status::Ok.to_string())
        {
            let time = cell.ms_per_image;
            let row = [
                summary.data_set.clone(),
                model.model.clone(),
                cell.explainer.clone(),
                shown(cell.forward_rows),
                shown(cell.backward_rows),
                shown(time.map(|time| time.value)),
                shown(time.map(|time| time.low)),
                shown(time.map(|time| time.high)),
                time.map_or(0, |time| time.n).to_string(),
                shown(
                    cell.peak_memory_bytes
                        .map(|bytes| bytes as f64 / (1 << 20) as f64),
                ),
            ];
            text.push_str(&row.join(","));
            text.push('\n');
        }
    }
    text
}
