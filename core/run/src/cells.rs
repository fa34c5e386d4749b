//! The cells of a run: explained and scored chunk by chunk, from the store where it has them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Value, json};
use xbench_metrics::ScoreInfo;
use xbench_record::{ChunkRecord, Column, ColumnKey, PredictionRecord, ScoreColumns, Status};
use xbench_suite::{
    Cell, CellIdentity, ChunkIdentity, ExplainerSeed, Key, Kind, canonical_json, chunk_rows,
};

use crate::error::RunError;
use crate::models::{ModelResult, ReadyModel, array_of, files};
use crate::pool::{Job, Outcome};
use crate::session::{MODEL_LIMIT, Session};
use crate::task::{Evaluations, PluginRef, Reply, Task, Timing, pack_images, reply_of};

/// What became of a cell.
pub(crate) struct CellResult {
    pub(crate) model: usize,
    pub(crate) explainer: usize,
    pub(crate) key: Option<Key>,
    pub(crate) status: Status,
    /// What is to be said about the status; empty when all is well.
    pub(crate) text: String,
    /// `[n, c, h, w]`, all rows of the selection; empty unless the status is ok.
    pub(crate) attributions: Vec<f32>,
    pub(crate) evaluations: Evaluations,
    /// Scores per row, by id.
    pub(crate) columns: BTreeMap<String, Column>,
    pub(crate) timing: Option<Timing>,
}

impl CellResult {
    pub(crate) fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }
}

/// A chunk of a cell while it is being computed.
struct Chunk {
    at: Range<usize>,
    key: Key,
    record: Option<ChunkRecord>,
    scores: ScoreColumns,
}

/// A cell while it is being computed.
struct Work<'m> {
    result: CellResult,
    model: Option<(&'m ReadyModel, PluginRef, ExplainerSeed)>,
    chunks: Vec<Chunk>,
    /// The first chunk that failed, with what happened: the same whatever the workers' number,
    /// since chunks are handed out in order.
    failed: Option<(usize, Status, String)>,
}

/// Explains and scores every cell of the plan.
pub(crate) fn compute(
    session: &Session<'_>,
    models: &[ModelResult],
) -> Result<Vec<CellResult>, RunError> {
    let mut works: Vec<Work<'_>> = Vec::new();
    for cell in &session.checked.plan.cells {
        works.push(open(session, models, cell)?);
    }
    let shared = explain(session, models, &mut works)?;
    score(session, &mut works, &shared)?;
    Ok(works.into_iter().map(|work| close(session, work)).collect())
}

fn open<'m>(
    session: &Session<'_>,
    models: &'m [ModelResult],
    cell: &Cell,
) -> Result<Work<'m>, RunError> {
    let mut work = Work {
        result: CellResult {
            model: cell.model,
            explainer: cell.explainer,
            key: None,
            status: Status::Ok,
            text: String::new(),
            attributions: Vec::new(),
            evaluations: Evaluations::default(),
            columns: BTreeMap::new(),
            timing: None,
        },
        model: None,
        chunks: Vec::new(),
        failed: None,
    };
    if let Some(missing) = &cell.unsupported {
        work.result.status = Status::Unsupported;
        work.result.text = missing.clone();
        return Ok(work);
    }
    let model = match &models[cell.model] {
        Ok(model) => model,
        Err(text) => {
            work.result.status = Status::Failed;
            work.result.text = format!("model: {text}");
            return Ok(work);
        }
    };
    let chosen = &session.checked.explainers[cell.explainer];
    let plugin = session.bench.plugin(Kind::Explainer, &chosen.plugin.id)?;
    if plugin.flags.wants_mask && session.split().mask(session.rows[0]).is_none() {
        work.result.status = Status::Unsupported;
        work.result.text = format!("needs object masks, which {} has not", session.set.id);
        return Ok(work);
    }
    let identity = identity(session, cell, model);
    let key = identity.key();
    work.result.key = Some(key);
    let libraries = [model.library.as_str(), plugin.library_sha256.as_str()];
    for at in chunk_rows(session.rows.len(), session.suite.chunk) {
        let rows = session.rows[at.clone()].to_vec();
        let chunk = ChunkIdentity { cell: key, rows };
        let key = chunk.cache_key(&libraries, env!("CARGO_PKG_VERSION"));
        let record = session
            .store
            .chunk(&key.to_string())
            .filter(|record| record.status == Status::Ok);
        let scores = session.store.scores(&key.to_string()).unwrap_or_default();
        work.chunks.push(Chunk {
            at,
            key,
            record,
            scores,
        });
    }
    let reference = session.bench.reference(Kind::Explainer, chosen)?;
    let seed = ExplainerSeed::new(session.suite.seed, &chosen.plugin.id, &chosen.params);
    work.model = Some((model, reference, seed));
    Ok(work)
}

fn identity(session: &Session<'_>, cell: &Cell, model: &ReadyModel) -> CellIdentity {
    let chosen_model = &session.checked.models[cell.model];
    let chosen = &session.checked.explainers[cell.explainer];
    CellIdentity {
        data_set: session.set.id.clone(),
        data_hash: session.set.content_hash_hex(),
        data_version: session.set.version,
        split: session.suite.data.split.to_string(),
        rows: session.rows.clone(),
        target: session.suite.target.to_string(),
        model_id: chosen_model.plugin.id.clone(),
        model_version: chosen_model.plugin.version.clone(),
        model_params: chosen_model.params.clone(),
        weights_fingerprint: model.facts.fingerprint.clone(),
        explainer_id: chosen.plugin.id.clone(),
        explainer_version: chosen.plugin.version.clone(),
        explainer_params: chosen.params.clone(),
        seed: session.suite.seed,
        device_class: "cpu".to_owned(),
    }
}

/// Outcomes shared by the explainers of a model: by model, then by chunk.
type Shared = Vec<Vec<Option<Vec<f32>>>>;

/// What a job of the first stage is for.
enum Purpose {
    Probe {
        model: usize,
        chunk: usize,
        key: Key,
    },
    Explain {
        work: usize,
        chunk: usize,
    },
}

/// First stage: the outcomes that all explainers share, and all attributions.
fn explain(
    session: &Session<'_>,
    models: &[ModelResult],
    works: &mut [Work<'_>],
) -> Result<Shared, RunError> {
    let chunks = chunk_rows(session.rows.len(), session.suite.chunk);
    let stride = 2 + session.suite.perturbation.subsets;
    let shape = session.set.shape;
    let limit = session.suite.deadline;
    let mut shared: Shared = models.iter().map(|_| vec![None; chunks.len()]).collect();
    let mut jobs: Vec<Job<'_>> = Vec::new();
    let mut purposes = Vec::new();
    if needs_outcomes(session) {
        for (index, model) in models.iter().enumerate() {
            let Ok(model) = model else { continue };
            for (number, at) in chunks.iter().enumerate() {
                let key = probe_key(session, index, model, at);
                if let Some(known) = session.store.predictions(&key.to_string())
                    && known.values.len() == at.len() * stride
                {
                    shared[index][number] = Some(known.values);
                    continue;
                }
                let task = Task::Probe {
                    model: model.reference.clone(),
                    shape,
                    settings: session.score_settings(),
                };
                purposes.push(Purpose::Probe {
                    model: index,
                    chunk: number,
                    key,
                });
                jobs.push(Job {
                    group: works.len() + index,
                    deadline: MODEL_LIMIT,
                    message: Box::new(move || {
                        pack_images(&task, &session.images(at.clone(), &model.targets, |_| 0))
                    }),
                });
            }
        }
    }
    for (number, work) in works.iter().enumerate() {
        let Some((model, explainer, seed)) = &work.model else {
            continue;
        };
        for (index, chunk) in work.chunks.iter().enumerate() {
            if chunk.record.is_some() {
                continue;
            }
            let task = Task::Explain {
                model: model.reference.clone(),
                explainer: explainer.clone(),
                shape,
                seed: session.suite.seed,
                deadline_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            };
            let (at, seed, targets) = (chunk.at.clone(), *seed, &model.targets);
            purposes.push(Purpose::Explain {
                work: number,
                chunk: index,
            });
            jobs.push(Job {
                group: number,
                // The proxy stops an explainer that asks the model; this stops one that does not.
                deadline: limit + Duration::from_secs(1),
                message: Box::new(move || {
                    pack_images(&task, &session.images(at, targets, |row| seed.row(row)))
                }),
            });
        }
    }
    let row_len: usize = shape.iter().product();
    session.observer.begin("explaining", jobs.len() as u64);
    session.pool.run(jobs, &|_, _| {}, |number, outcome| {
        session.observer.advance(1);
        match &purposes[number] {
            Purpose::Probe { model, chunk, key } => {
                let rows = &session.rows[chunks[*chunk].clone()];
                match array_of(outcome, rows.len() * stride) {
                    Ok(values) => {
                        let record = PredictionRecord {
                            rows: rows.iter().map(|&row| row as u32).collect(),
                            outputs: stride,
                            values,
                        };
                        let key = key.to_string();
                        session
                            .store
                            .put_predictions(&key, &record)
                            .map_err(files)?;
                        shared[*model][*chunk] = Some(record.values);
                        Ok::<bool, RunError>(true)
                    }
                    Err(text) => {
                        session
                            .observer
                            .notice(&format!("outcomes of a model: {text}"));
                        Ok(false)
                    }
                }
            }
            Purpose::Explain { work, chunk } => {
                let work = &mut works[*work];
                let part = &mut work.chunks[*chunk];
                match explained(outcome, part.at.len() * row_len) {
                    Ok((attributions, evaluations)) => {
                        let rows = &session.rows[part.at.clone()];
                        let record = ChunkRecord {
                            rows: rows.iter().map(|&row| row as u32).collect(),
                            shape: shape.to_vec(),
                            attributions,
                            forward_rows: evaluations.forward_rows,
                            backward_rows: evaluations.backward_rows,
                            status: Status::Ok,
                            text: String::new(),
                        };
                        let key = part.key.to_string();
                        session.store.put_chunk(&key, &record).map_err(files)?;
                        part.record = Some(record);
                        Ok(true)
                    }
                    Err((status, text)) => {
                        fail(work, *chunk, status, text);
                        Ok(false)
                    }
                }
            }
        }
    })?;
    session.observer.end();
    Ok(shared)
}

/// Keeps the failure of the earliest chunk.
fn fail(work: &mut Work<'_>, chunk: usize, status: Status, text: String) {
    let earlier = work
        .failed
        .as_ref()
        .is_some_and(|(known, ..)| *known <= chunk);
    if !earlier && status != Status::Skipped {
        work.failed = Some((chunk, status, text));
    }
}

/// Attributions and cost of an answer, or how it failed.
fn explained(outcome: Outcome, len: usize) -> Result<(Vec<f32>, Evaluations), (Status, String)> {
    let answer = answer_of(outcome)?;
    let failed = |text: String| (Status::Failed, text);
    match reply_of(&answer).map_err(failed)? {
        Reply::Explained(evaluations) => {
            let attributions = answer.f32s(0).map_err(failed)?;
            if attributions.len() == len {
                Ok((attributions, evaluations))
            } else {
                Err(failed(format!(
                    "the worker answered {} attributions, expected {len}",
                    attributions.len()
                )))
            }
        }
        Reply::Failed {
            timeout: true,
            text,
        } => Err((Status::Timeout, text)),
        Reply::Failed { text, .. } => Err(failed(text)),
        _ => Err(failed("the worker gave an unexpected answer".to_owned())),
    }
}

/// The message of an outcome, or how it failed.
fn answer_of(outcome: Outcome) -> Result<xbench_host::worker::Message, (Status, String)> {
    use xbench_host::worker::WorkerFailure;
    match outcome {
        Outcome::Answer(answer) => Ok(answer),
        Outcome::Skipped => Err((Status::Skipped, String::new())),
        Outcome::Failed(failure) => {
            let status = match failure {
                WorkerFailure::Crashed { .. } => Status::Crashed,
                WorkerFailure::Timeout { .. } => Status::Timeout,
                _ => Status::Failed,
            };
            // The status stands beside the text everywhere, so the text need not begin with it.
            let text = failure.describe();
            let bare = text.strip_prefix(&format!("{status}: ")).unwrap_or(&text);
            Err((status, bare.to_owned()))
        }
    }
}

fn needs_outcomes(session: &Session<'_>) -> bool {
    session.checked.scores.iter().any(|score| {
        matches!(
            score.id,
            "deletion_auc" | "insertion_auc" | "faithfulness_correlation"
        )
    })
}

fn probe_key(session: &Session<'_>, index: usize, model: &ReadyModel, at: &Range<usize>) -> Key {
    let chosen = &session.checked.models[index];
    Key::of(&json!({
        "identity": "probe/1",
        "data": session.set.content_hash_hex(),
        "split": session.suite.data.split.to_string(),
        "rows": session.rows[at.clone()],
        "targets": model.targets[at.clone()],
        "model": chosen.plugin.id,
        "version": chosen.plugin.version,
        "params": chosen.params,
        "weights": model.facts.fingerprint,
        "library": model.library,
        "settings": session.score_settings(),
        "host_version": env!("CARGO_PKG_VERSION"),
    }))
}

/// Under which name a score is kept.
fn column_key(session: &Session<'_>, score: &ScoreInfo) -> ColumnKey {
    let params: Value = session
        .suite
        .perturbation
        .of_score(score, session.suite.seed);
    ColumnKey {
        score: score.id.to_owned(),
        version: score.version,
        params: canonical_json(&params),
    }
}

/// Second stage: the scores of every chunk that has attributions and lacks them.
fn score(session: &Session<'_>, works: &mut [Work<'_>], shared: &Shared) -> Result<(), RunError> {
    let has_masks = session.split().mask(session.rows[0]).is_some();
    let wanted: Vec<(&ScoreInfo, ColumnKey)> = session
        .checked
        .explanation_scores()
        .filter(|score| has_masks || !score.needs.mask)
        .map(|score| (score, column_key(session, score)))
        .collect();
    let mut jobs: Vec<Job<'_>> = Vec::new();
    let mut purposes: Vec<(usize, usize)> = Vec::new();
    for (number, work) in works.iter().enumerate() {
        let Some((model, ..)) = &work.model else {
            continue;
        };
        if work.failed.is_some() {
            continue;
        }
        for (index, chunk) in work.chunks.iter().enumerate() {
            let Some(record) = &chunk.record else {
                continue;
            };
            let lacking = wanted
                .iter()
                .filter(|(_, key)| !chunk.scores.columns.contains_key(key));
            let scores: Vec<String> = lacking
                .filter(|(score, _)| {
                    !score.needs.model || shared[work.result.model][index].is_some()
                })
                .map(|(score, _)| score.id.to_owned())
                .collect();
            if scores.is_empty() {
                continue;
            }
            let task = Task::Score {
                model: model.reference.clone(),
                shape: session.set.shape,
                settings: session.score_settings(),
                scores,
            };
            let outcomes = shared[work.result.model][index].as_deref().unwrap_or(&[]);
            let (at, targets) = (chunk.at.clone(), &model.targets);
            let attributions = record.attributions.clone();
            purposes.push((number, index));
            jobs.push(Job {
                group: number,
                deadline: MODEL_LIMIT,
                message: Box::new(move || {
                    let mut message = pack_images(&task, &session.images(at, targets, |_| 0));
                    message.push_f32(outcomes);
                    message.push_f32(&attributions);
                    message
                }),
            });
        }
    }
    session.observer.begin("scoring", jobs.len() as u64);
    let mut answers: Vec<(usize, usize, Result<ScoreColumns, (Status, String)>)> = Vec::new();
    session.pool.run(jobs, &|_, _| {}, |number, outcome| {
        session.observer.advance(1);
        let (work, chunk) = purposes[number];
        let scored = answer_of(outcome).and_then(|answer| match reply_of(&answer) {
            Ok(Reply::Scored { columns }) => Ok(columns),
            Ok(Reply::Failed { text, .. }) | Err(text) => Err((Status::Failed, text)),
            Ok(_) => Err((
                Status::Failed,
                "the worker gave an unexpected answer".to_owned(),
            )),
        });
        let goes_on = scored.is_ok();
        let merged = match scored {
            Ok(columns) => {
                let part = &works[work].chunks[chunk];
                let mut scores = part.scores.clone();
                for (score, key) in &wanted {
                    if let Some(column) = columns.get(score.id) {
                        let column = Column {
                            values: column.values.clone(),
                            reasons: column.reasons.clone(),
                        };
                        scores.columns.insert(key.clone(), column);
                    }
                }
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
    for (work, chunk, merged) in answers {
        match merged {
            Ok(scores) => works[work].chunks[chunk].scores = scores,
            Err((status, text)) => {
                fail(
                    &mut works[work],
                    chunk,
                    status,
                    format!("while scoring: {text}"),
                );
            }
        }
    }
    Ok(())
}

/// Joins the chunks of a cell.
fn close(session: &Session<'_>, work: Work<'_>) -> CellResult {
    let mut result = work.result;
    let chunks = work.chunks.len();
    if let Some((chunk, status, text)) = work.failed {
        result.status = status;
        result.text = match chunk {
            0 => text,
            _ => format!("{text} after {chunk} of {chunks} chunks"),
        };
        return result;
    }
    if result.status != Status::Ok {
        return result;
    }
    for chunk in &work.chunks {
        if let Some(record) = &chunk.record {
            result.attributions.extend_from_slice(&record.attributions);
            result.evaluations.forward_rows += record.forward_rows;
            result.evaluations.backward_rows += record.backward_rows;
        }
    }
    for score in session.checked.explanation_scores() {
        let key = column_key(session, score);
        let parts = work
            .chunks
            .iter()
            .map(|chunk| chunk.scores.columns.get(&key));
        if let Some(parts) = parts.collect::<Option<Vec<_>>>() {
            let mut joined = Column::default();
            for part in parts {
                joined.values.extend_from_slice(&part.values);
                for (reason, count) in &part.reasons {
                    *joined.reasons.entry(reason.clone()).or_default() += count;
                }
            }
            result.columns.insert(score.id.to_owned(), joined);
        }
    }
    result
}
