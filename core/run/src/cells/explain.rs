//! First stage: attributions, and the outcomes that all explainers of a model share.

use std::ops::Range;
use std::time::Duration;

use serde_json::json;
use xbench_record::{ChunkRecord, Column, ColumnKey, PredictionRecord, Status};
use xbench_suite::{Key, chunk_rows};

use super::score::column_key;
use super::{Failure, Work, answer_of, fail};
use crate::error::RunError;
use crate::evaluate::Probed;
use crate::models::{ModelResult, ReadyModel, array_of, files};
use crate::pool::{Job, Outcome};
use crate::session::{MODEL_LIMIT, Session};
use crate::task::{Evaluations, Reply, Task, pack_explained, pack_images, reply_of};

/// Outcomes shared by the explainers of a model: by model, then by chunk.
pub(super) type Shared = Vec<Vec<Option<Vec<f32>>>>;

/// Score that an explainer reports of itself.
pub(super) const LOCAL_FIT: &str = "local_fit";
/// Why an explanation has no such score.
const NO_SURROGATE: &str = "no_surrogate";

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

/// Computes what the store lacks of both.
pub(super) fn explain(
    session: &Session<'_>,
    models: &[ModelResult],
    works: &mut [Work<'_>],
) -> Result<Shared, RunError> {
    let chunks = chunk_rows(session.rows.len(), session.suite.chunk);
    let layout = &session.layout();
    let settings = session.score_settings();
    let stride = match &session.probed {
        Some(probed) => probed.width(&settings, layout.plane()),
        None => 0,
    };
    let limit = session.suite.deadline;
    let mut shared: Shared = models.iter().map(|_| vec![None; chunks.len()]).collect();
    let mut jobs: Vec<Job<'_>> = Vec::new();
    let mut purposes = Vec::new();
    if let Some(probed) = &session.probed {
        for (index, model) in models.iter().enumerate() {
            let Ok(model) = model else { continue };
            for (number, at) in chunks.iter().enumerate() {
                let key = probe_key(session, index, model, (at, probed));
                if let Some(known) = session.store.predictions(&key.to_string())
                    && known.values.len() == at.len() * stride
                {
                    shared[index][number] = Some(known.values);
                    continue;
                }
                let task = Task::Probe {
                    model: model.reference.clone(),
                    layout: layout.clone(),
                    probed: probed.clone(),
                    settings: settings.clone(),
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
                layout: layout.clone(),
                seed: session.suite.seed,
                deadline_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            };
            let (at, seed, targets) = (chunk.at.clone(), *seed, &model.targets);
            let explained_by = work.result.explainer;
            purposes.push(Purpose::Explain {
                work: number,
                chunk: index,
            });
            jobs.push(Job {
                group: number,
                // The proxy stops an explainer that asks the model; this stops one that does not.
                deadline: limit + Duration::from_secs(1),
                message: Box::new(move || {
                    let images = session.images(at, targets, |row| seed.row(row));
                    pack_explained(&task, &images, session.background_for(explained_by))
                }),
            });
        }
    }
    let row_len = layout.len();
    // The first chunk on which each model could not be probed.
    let mut unprobed: Vec<Option<(usize, Failure)>> = vec![None; models.len()];
    session.observer.begin("explaining", jobs.len() as u64);
    session.pool.run(jobs, &|_, _| {}, |number, outcome| {
        session.observer.advance(1);
        match &purposes[number] {
            Purpose::Probe { model, chunk, key } => {
                let rows = &session.rows[chunks[*chunk].clone()];
                match outcomes(outcome, rows.len() * stride) {
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
                    Err(failure) => {
                        let earliest = &mut unprobed[*model];
                        if failure.0 != Status::Skipped
                            && earliest.as_ref().is_none_or(|(known, _)| chunk < known)
                        {
                            *earliest = Some((*chunk, failure));
                        }
                        Ok(false)
                    }
                }
            }
            Purpose::Explain { work, chunk } => {
                let work = &mut works[*work];
                let part = &mut work.chunks[*chunk];
                match explained(outcome, part.at.len() * row_len) {
                    Ok(Explained {
                        attributions,
                        local_fit,
                        evaluations,
                    }) => {
                        let rows = &session.rows[part.at.clone()];
                        let record = ChunkRecord {
                            rows: rows.iter().map(|&row| row as u32).collect(),
                            shape: layout.shape.clone(),
                            attributions,
                            forward_rows: evaluations.forward_rows,
                            backward_rows: evaluations.backward_rows,
                            status: Status::Ok,
                            text: String::new(),
                        };
                        let key = part.key.to_string();
                        session.store.put_chunk(&key, &record).map_err(files)?;
                        part.record = Some(record);
                        part.scores
                            .columns
                            .insert(local_fit_key(session), local_fit_column(&local_fit));
                        session
                            .store
                            .put_scores(&key, &part.scores)
                            .map_err(files)?;
                        Ok(true)
                    }
                    Err(failure) => {
                        fail(work, *chunk, failure);
                        Ok(false)
                    }
                }
            }
        }
    })?;
    session.observer.end();
    for work in works.iter_mut() {
        if let Some((chunk, (status, text))) = &unprobed[work.result.model] {
            let text = format!("the model failed on perturbed images: {text}");
            fail(work, *chunk, (*status, text));
        }
    }
    Ok(shared)
}

/// The outcomes of an answer, or how it failed.
fn outcomes(outcome: Outcome, len: usize) -> Result<Vec<f32>, Failure> {
    let answer = answer_of(outcome)?;
    array_of(Outcome::Answer(answer), len).map_err(|text| (Status::Failed, text))
}

/// What an explainer gave for a chunk.
struct Explained {
    attributions: Vec<f32>,
    /// NaN where there is none.
    local_fit: Vec<f32>,
    evaluations: Evaluations,
}

/// Under which name the fit of local surrogates is kept.
fn local_fit_key(session: &Session<'_>) -> ColumnKey {
    let score = xbench_metrics::find(LOCAL_FIT).expect("a score of the catalogue");
    column_key(session, score)
}

fn local_fit_column(local_fit: &[f32]) -> Column {
    let mut column = Column::default();
    for &fit in local_fit {
        let value = fit.is_finite().then(|| f64::from(fit));
        if value.is_none() {
            *column.reasons.entry(NO_SURROGATE.to_owned()).or_default() += 1;
        }
        column.values.push(value);
    }
    column
}

/// Attributions, fit and cost of an answer, or how it failed.
fn explained(outcome: Outcome, len: usize) -> Result<Explained, Failure> {
    let answer = answer_of(outcome)?;
    let failed = |text: String| (Status::Failed, text);
    match reply_of(&answer).map_err(failed)? {
        Reply::Explained(evaluations) => {
            let attributions = answer.f32s(0).map_err(failed)?;
            let local_fit = answer.f32s(1).map_err(failed)?;
            if attributions.len() == len {
                Ok(Explained {
                    attributions,
                    local_fit,
                    evaluations,
                })
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

fn probe_key(
    session: &Session<'_>,
    index: usize,
    model: &ReadyModel,
    (at, probed): (&Range<usize>, &Probed),
) -> Key {
    let chosen = &session.checked.models[index];
    Key::of(&json!({
        "identity": "probe/2",
        "probed": probed,
        "data": session.set.content_hash_hex(),
        "split": session.suite.data.split.to_string(),
        "rows": session.rows[at.clone()],
        "targets": model.targets[at.clone()],
        "model": chosen.plugin.id,
        "version": chosen.plugin.version,
        "params": chosen.params,
        "weights": model.facts.fingerprint,
        "computed_by": model.computed_by(),
        "settings": session.score_settings(),
        "host": session.bench.host(),
    }))
}
