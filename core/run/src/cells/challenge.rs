//! Third stage: the scores that explain anew, of every chunk that has attributions and lacks
//! them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use xbench_metrics::ScoreInfo;
use xbench_metrics::localisation::FOCUS;
use xbench_metrics::robustness::of_all_images;
use xbench_record::{Column, ColumnKey, ScoreColumns, Status};
use xbench_suite::canonical_json;

use super::{Failure, Work, answer_of, fail, mosaics};
use crate::challenge::{ChallengeSettings, LayerColumn};
use crate::error::RunError;
use crate::models::{ReadyModel, files};
use crate::pool::{Job, Outcome};
use crate::session::{MODEL_LIMIT, Session};
use crate::task::{Reply, Task, pack_explained, reply_of};
use crate::train::{LABELS, SHUFFLED};

/// Position of the suite's model that differs from this one by labels shuffled in training alone.
pub(super) fn twin_of(session: &Session<'_>, model: usize) -> Option<usize> {
    let models = &session.checked.models;
    let own = &models[model];
    let mut train = own.train.clone();
    let shuffled = train.insert(LABELS.to_owned(), json!(SHUFFLED));
    // A model that was itself trained so has none.
    if own.weights.is_some() || shuffled == Some(json!(SHUFFLED)) {
        return None;
    }
    models.iter().position(|other| {
        other.plugin.id == own.plugin.id
            && other.params == own.params
            && other.preset == own.preset
            && other.weights.is_none()
            && other.train == train
    })
}

/// Under which name a score is kept; where it depends on a second model, with that one's weights.
pub(super) fn column_key(
    session: &Session<'_>,
    score: &ScoreInfo,
    twin: Option<&ReadyModel>,
) -> ColumnKey {
    let key = super::score::column_key(session, score);
    if score.id != "data_randomisation" {
        return key;
    }
    let mut params: Value = serde_json::from_str(&key.params).unwrap_or_default();
    params["twin"] = json!(twin.map(|twin| [&twin.facts.fingerprint, &twin.facts.weights_sha256]));
    ColumnKey {
        params: canonical_json(&params),
        ..key
    }
}

/// Whether the second stage leaves a score to this one.
pub(super) fn is_here(score: &ScoreInfo) -> bool {
    score.needs.explainer || of_all_images(score.id)
}

/// The likeness of an explainer's maps when a model is random down to one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerCurve {
    /// Id of the score that is the mean over layers.
    pub(crate) score: String,
    /// The layer.
    pub(crate) layer: String,
    /// Per image of the selection.
    pub(crate) column: Column,
}

/// Computes the scores that the store lacks.
pub(super) fn challenge(session: &Session<'_>, works: &mut [Work<'_>]) -> Result<(), RunError> {
    let wanted: Vec<&ScoreInfo> = session
        .checked
        .explanation_scores()
        .filter(|score| score.needs.explainer)
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let settings = settings_of(session);
    let layout = session.layout();
    let mosaics = mosaics::of_models(session, works)?;
    let mut jobs: Vec<Job<'_>> = Vec::new();
    let mut purposes: Vec<(usize, usize)> = Vec::new();
    for (number, work) in works.iter().enumerate() {
        let Some((model, explainer, seed)) = &work.model else {
            continue;
        };
        if work.failed.is_some() {
            continue;
        }
        let twin = work.twin.map(|twin| twin.reference.clone());
        for (index, chunk) in work.chunks.iter().enumerate() {
            let Some(record) = &chunk.record else {
                continue;
            };
            let lacking = wanted.iter().filter(|score| {
                let key = column_key(session, score, work.twin);
                !chunk.scores.columns.contains_key(&key)
            });
            let scores: Vec<String> = lacking.map(|score| score.id.to_owned()).collect();
            if scores.is_empty() {
                continue;
            }
            let mosaics = match scores.iter().any(|id| id == FOCUS) {
                true => mosaics.get(&work.result.model),
                false => None,
            };
            let passes = settings.passes(&scores, model.facts.parameter_layers);
            let limit = session
                .suite
                .deadline
                .saturating_mul(u32::try_from(passes).unwrap_or(u32::MAX));
            let task = Task::Challenge {
                model: model.reference.clone(),
                twin: twin.clone(),
                explainer: explainer.clone(),
                layout: layout.clone(),
                settings: settings.clone(),
                scores,
                deadline_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            };
            let (at, seed, targets) = (chunk.at.clone(), *seed, &model.targets);
            let explained_by = work.result.explainer;
            let attributions = record.attributions.clone();
            purposes.push((number, index));
            jobs.push(Job {
                group: number,
                // Restoring a model may take a moment after the time for explaining is up.
                deadline: limit
                    .saturating_add(MODEL_LIMIT)
                    .max(Duration::from_secs(1)),
                message: Box::new(move || {
                    let images = session.images(at.clone(), targets, |row| seed.row(row));
                    let background = session.background_for(explained_by);
                    let mut message = pack_explained(&task, &images, background);
                    message.push_f32(&attributions);
                    if let Some(mosaics) = mosaics {
                        mosaics::pack(session, &mosaics[at], &mut message);
                    }
                    message
                }),
            });
        }
    }
    session.observer.begin("explaining anew", jobs.len() as u64);
    let mut answers: Vec<(usize, usize, Result<ScoreColumns, Failure>)> = Vec::new();
    session.pool.run(jobs, &|_, _| {}, |number, outcome| {
        session.observer.advance(1);
        let (work, chunk) = purposes[number];
        let part = &works[work].chunks[chunk];
        let found = found_in(outcome, part.at.len());
        let goes_on = found.is_ok();
        let merged = match found {
            Ok((columns, layers)) => {
                let mut scores = part.scores.clone();
                let keys: Vec<(&ScoreInfo, ColumnKey)> = wanted
                    .iter()
                    .map(|&score| (score, column_key(session, score, works[work].twin)))
                    .collect();
                put(&mut scores, &keys, columns, layers);
                session
                    .store
                    .put_scores(&part.key.to_string(), &scores)
                    .map_err(files)?;
                Ok(scores)
            }
            Err(failure) => Err(failure),
        };
        answers.push((work, chunk, merged));
        Ok::<bool, RunError>(goes_on)
    })?;
    session.observer.end();
    for (work, chunk, scores) in answers {
        match scores {
            Ok(scores) => works[work].chunks[chunk].scores = scores,
            Err((status, text)) => {
                let failure = (status, format!("while explaining anew: {text}"));
                fail(&mut works[work], chunk, failure);
            }
        }
    }
    Ok(())
}

type Found = (BTreeMap<String, crate::evaluate::Column>, Vec<LayerColumn>);

/// The columns of an answer, all of `images` values, or how it failed.
fn found_in(outcome: Outcome, images: usize) -> Result<Found, Failure> {
    let answer = answer_of(outcome)?;
    match reply_of(&answer).map_err(|text| (Status::Failed, text))? {
        Reply::Challenged { columns, layers } => {
            let whole = columns
                .values()
                .chain(layers.iter().map(|layer| &layer.column))
                .all(|column| column.values.len() == images);
            if whole {
                Ok((columns, layers))
            } else {
                let text = format!("the worker answered columns that are not of {images} images");
                Err((Status::Failed, text))
            }
        }
        Reply::Failed { timeout, text } => {
            let status = if timeout {
                Status::Timeout
            } else {
                Status::Failed
            };
            Err((status, text))
        }
        _ => Err((
            Status::Failed,
            "the worker gave an unexpected answer".to_owned(),
        )),
    }
}

pub(super) fn recorded(column: crate::evaluate::Column) -> Column {
    Column {
        values: column.values,
        reasons: column.reasons,
    }
}

/// Adds columns to those of a chunk; the curves behind means over layers under their score's name,
/// with layer and depth among the settings.
fn put(
    scores: &mut ScoreColumns,
    wanted: &[(&ScoreInfo, ColumnKey)],
    mut columns: BTreeMap<String, crate::evaluate::Column>,
    layers: Vec<LayerColumn>,
) {
    for (score, key) in wanted {
        if let Some(column) = columns.remove(score.id) {
            scores.columns.insert(key.clone(), recorded(column));
        }
    }
    let mut depths: BTreeMap<String, usize> = BTreeMap::new();
    for layer in layers {
        let depth = depths.entry(layer.score.clone()).or_default();
        let known = wanted.iter().find(|(score, _)| score.id == layer.score);
        if let Some((_, key)) = known {
            let params = layer_params(&key.params, &layer.layer, *depth);
            let key = ColumnKey {
                params,
                ..key.clone()
            };
            scores.columns.insert(key, recorded(layer.column));
        }
        *depth += 1;
    }
}

/// The settings of a score with a layer and its place from the output down, as canonical JSON.
fn layer_params(params: &str, layer: &str, depth: usize) -> String {
    let mut params: Value = serde_json::from_str(params).unwrap_or_default();
    params["layer"] = json!(layer);
    params["depth"] = json!(depth);
    canonical_json(&params)
}

/// The curves of a cell whose chunks all have them, from the output down.
pub(super) fn curves(session: &Session<'_>, work: &Work<'_>) -> Vec<LayerCurve> {
    let mut curves = Vec::new();
    for score in session.checked.explanation_scores() {
        if !matches!(score.id, "mprt" | "smooth_mprt") {
            continue;
        }
        let key = column_key(session, score, work.twin);
        let Some(first) = work.chunks.first() else {
            continue;
        };
        let mut layers: Vec<(u64, String)> = Vec::new();
        for known in first.scores.columns.keys() {
            let params: Value = serde_json::from_str(&known.params).unwrap_or_default();
            let (Some(layer), Some(depth)) = (params["layer"].as_str(), params["depth"].as_u64())
            else {
                continue;
            };
            let same = known.score == key.score
                && known.version == key.version
                && known.params == layer_params(&key.params, layer, depth as usize);
            if same {
                layers.push((depth, layer.to_owned()));
            }
        }
        layers.sort();
        for (depth, layer) in layers {
            let key = ColumnKey {
                params: layer_params(&key.params, &layer, depth as usize),
                ..key.clone()
            };
            let parts = work.chunks.iter();
            let parts = parts.map(|chunk| chunk.scores.columns.get(&key));
            if let Some(column) = parts
                .collect::<Option<Vec<_>>>()
                .map(|parts| joined(&parts))
            {
                curves.push(LayerCurve {
                    score: score.id.to_owned(),
                    layer,
                    column,
                });
            }
        }
    }
    curves
}

/// The columns of all chunks as one.
pub(super) fn joined(parts: &[&Column]) -> Column {
    let mut joined = Column::default();
    for part in parts {
        joined.values.extend_from_slice(&part.values);
        for (reason, count) in &part.reasons {
            *joined.reasons.entry(reason.clone()).or_default() += count;
        }
    }
    joined
}

/// How these scores are computed in a suite.
pub(crate) fn settings_of(session: &Session<'_>) -> ChallengeSettings {
    let (robustness, randomisation) = (&session.suite.robustness, &session.suite.randomisation);
    let table = session.split().is_table();
    ChallengeSettings {
        seed: session.suite.seed,
        draws: robustness.draws,
        radius: robustness.radius,
        shifts: robustness.shifts,
        smooth_draws: randomisation.smooth_draws,
        smooth_noise: randomisation.smooth_noise,
        bins: randomisation.bins,
        units: if table {
            deviations(session)
        } else {
            Vec::new()
        },
        table,
        input_shift: session.suite.perturbation.input_shift,
    }
}

/// Standard deviation of each column of the explained split, 0 where it is constant.
fn deviations(session: &Session<'_>) -> Vec<f32> {
    let split = session.split();
    let columns = session.layout().len();
    let (mut sums, mut squares) = (vec![0.0f64; columns], vec![0.0f64; columns]);
    let mut row = Vec::new();
    for number in 0..split.len() {
        row.clear();
        split.row_f32(number, &mut row);
        for (sum, &value) in sums.iter_mut().zip(&row) {
            *sum += f64::from(value);
        }
    }
    let n = split.len().max(1) as f64;
    sums.iter_mut().for_each(|sum| *sum /= n);
    for number in 0..split.len() {
        row.clear();
        split.row_f32(number, &mut row);
        for ((square, mean), &value) in squares.iter_mut().zip(&sums).zip(&row) {
            *square += (f64::from(value) - mean).powi(2);
        }
    }
    squares
        .iter()
        .map(|square| (square / n).sqrt() as f32)
        .collect()
}
