//! Second stage: the scores of every chunk that has attributions and lacks them.

use serde_json::Value;
use xbench_data::Masks;
use xbench_metrics::localisation::known_region;
use xbench_metrics::{Family, ScoreInfo};
use xbench_record::{Column, ColumnKey, ScoreColumns, Status};
use xbench_suite::canonical_json;

use super::explain::Shared;
use super::{Failure, Work, answer_of, fail};
use crate::error::RunError;
use crate::models::files;
use crate::pool::Job;
use crate::session::{MODEL_LIMIT, Session};
use crate::task::{Reply, Task, pack_images, reply_of};

/// What was found for a chunk of a cell.
struct Scored {
    work: usize,
    chunk: usize,
    scores: Result<ScoreColumns, Failure>,
}

/// Under which name a score is kept.
pub(super) fn column_key(session: &Session<'_>, score: &ScoreInfo) -> ColumnKey {
    let (suite, seed) = (session.suite, session.suite.seed);
    let params: Value = match score.family {
        Family::Robustness => suite.robustness.of_score(score, seed),
        Family::Randomisation => suite.randomisation.of_score(score, seed),
        _ => suite.perturbation.of_score(score, seed),
    };
    ColumnKey {
        score: score.id.to_owned(),
        version: score.version,
        params: canonical_json(&params),
    }
}

/// Computes the scores that the store lacks.
pub(super) fn score(
    session: &Session<'_>,
    works: &mut [Work<'_>],
    shared: &Shared,
) -> Result<(), RunError> {
    let has_masks = !matches!(session.split().masks, Masks::None);
    let wanted: Vec<(&ScoreInfo, ColumnKey)> = session
        .checked
        .explanation_scores()
        .filter(|score| has_masks || !score.needs.mask)
        .filter(|score| score.id != super::explain::LOCAL_FIT && !super::challenge::is_here(score))
        .filter(|score| known_region(score.id).is_none())
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
                layout: session.layout(),
                probed: session.probed.clone().unwrap_or_default(),
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
    let mut answers: Vec<Scored> = Vec::new();
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
        answers.push(Scored {
            work,
            chunk,
            scores: merged,
        });
        Ok::<bool, RunError>(goes_on)
    })?;
    session.observer.end();
    for Scored {
        work,
        chunk,
        scores,
    } in answers
    {
        match scores {
            Ok(scores) => works[work].chunks[chunk].scores = scores,
            Err((status, text)) => {
                let failure = (status, format!("while scoring: {text}"));
                fail(&mut works[work], chunk, failure);
            }
        }
    }
    Ok(())
}
