//! The cells of a run: explained (`explain`), then scored (`score`), then explained anew for the
//! scores that ask for it (`challenge`), chunk by chunk, from the store where it has them.

use std::collections::BTreeMap;
use std::ops::Range;

use xbench_host::worker::{Message, WorkerFailure};
use xbench_record::{ChunkRecord, Column, ScoreColumns, Status};
use xbench_suite::{Cell, CellIdentity, ChunkIdentity, ExplainerSeed, Key, Kind, chunk_rows};

use crate::error::RunError;
use crate::models::{ModelResult, ReadyModel};
use crate::pool::Outcome;
use crate::session::Session;
use crate::task::{Evaluations, PluginRef, Timing};

mod across;
mod challenge;
mod explain;
pub(crate) mod mosaics;
mod score;

pub(crate) use self::challenge::{LayerCurve, settings_of as challenge_settings};

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
    /// Behind the scores that are means over layers: from the output down.
    pub(crate) curves: Vec<LayerCurve>,
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
    /// The model that was trained alike on shuffled labels.
    twin: Option<&'m ReadyModel>,
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
    let shared = explain::explain(session, models, &mut works)?;
    score::score(session, &mut works, &shared)?;
    challenge::challenge(session, &mut works)?;
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
            curves: Vec::new(),
            timing: None,
        },
        model: None,
        twin: None,
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
    if plugin.flags.wants_background && session.background.is_empty() {
        work.result.status = Status::Unsupported;
        work.result.text = format!(
            "needs rows of a training split, which {} has not",
            session.set.id
        );
        return Ok(work);
    }
    let identity = identity(session, cell, model);
    let key = identity.key();
    work.result.key = Some(key);
    let [library, weights] = model.computed_by();
    let computed_by = [library, weights, plugin.library_sha256.as_str()];
    for at in chunk_rows(session.rows.len(), session.suite.chunk) {
        let rows = session.rows[at.clone()].to_vec();
        let chunk = ChunkIdentity { cell: key, rows };
        let key = chunk.cache_key(&computed_by, session.bench.host());
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
    work.twin = challenge::twin_of(session, cell.model).and_then(|twin| models[twin].as_ref().ok());
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
        background: match chosen.plugin.wants_background {
            true => session.background.clone(),
            false => Vec::new(),
        },
        seed: session.suite.seed,
        device_class: "cpu".to_owned(),
    }
}

/// How a chunk failed: with which status, and what is to be said.
type Failure = (Status, String);

/// Keeps the failure of the earliest chunk.
fn fail(work: &mut Work<'_>, chunk: usize, (status, text): Failure) {
    let earlier = work
        .failed
        .as_ref()
        .is_some_and(|(known, ..)| *known <= chunk);
    if !earlier && status != Status::Skipped {
        work.failed = Some((chunk, status, text));
    }
}

/// The message of an outcome, or how it failed.
fn answer_of(outcome: Outcome) -> Result<Message, Failure> {
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

/// Joins the chunks of a cell.
fn close(session: &Session<'_>, work: Work<'_>) -> CellResult {
    let curves = challenge::curves(session, &work);
    let model = work.model.as_ref().map(|(model, ..)| *model);
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
        let key = challenge::column_key(session, score, work.twin);
        let parts = work
            .chunks
            .iter()
            .map(|chunk| chunk.scores.columns.get(&key));
        if let Some(parts) = parts.collect::<Option<Vec<_>>>() {
            let joined = challenge::joined(&parts);
            // Only explainers with a surrogate have a fit to tell.
            if score.id != explain::LOCAL_FIT || joined.values.iter().any(Option::is_some) {
                result.columns.insert(score.id.to_owned(), joined);
            }
        }
    }
    result.curves = curves;
    if let Some(model) = model {
        across::across_images(session, model, &mut result);
    }
    let known = crate::known_cause::columns(
        session.split(),
        &session.rows,
        session.layout().plane(),
        &result.attributions,
        session.checked.explanation_scores().map(|score| score.id),
    );
    for (id, column) in known {
        let column = Column {
            values: column.values,
            reasons: column.reasons,
        };
        result.columns.insert(id, column);
    }
    result
}
