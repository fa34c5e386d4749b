//! The models of a run: loaded, identified, and asked for their predictions.

use serde_json::json;
use xbench_record::PredictionRecord;
use xbench_suite::{Chosen, Key, Kind, SuiteError, Target, chunk_rows};

use crate::classification::Answers;
use crate::error::RunError;
use crate::pool::{Job, Outcome};
use crate::session::{MODEL_LIMIT, Session};
use crate::task::{ModelFacts, ModelRef, Reply, Task, message_of, reply_of};
use crate::train::argmax;
use crate::weights::model_with_weights;

/// Rows of one request for predictions.
const PREDICT_ROWS: usize = 500;

/// A model that answers.
pub(crate) struct ReadyModel {
    pub(crate) reference: ModelRef,
    pub(crate) facts: ModelFacts,
    /// SHA-256 of its library.
    pub(crate) library: String,
    /// Predicted class of each row on which accuracy is measured.
    pub(crate) predictions: Vec<usize>,
    /// The outputs behind them, `[rows, classes]`.
    pub(crate) outputs: Vec<f32>,
    /// The explained output of each selected row.
    pub(crate) targets: Vec<i64>,
}

impl ReadyModel {
    /// Hashes of the files that compute it.
    pub(crate) fn computed_by(&self) -> [&str; 2] {
        [&self.library, &self.facts.weights_sha256]
    }

    /// What it answered to the rows on which accuracy is measured.
    pub(crate) fn answers(&self) -> Answers<'_> {
        Answers {
            predictions: &self.predictions,
            outputs: &self.outputs,
            kind: self.facts.output_kind,
        }
    }
}

/// A model, or why it cannot be used; that becomes the result of its cells.
pub(crate) type ModelResult = Result<ReadyModel, String>;

/// Loads every model of the suite and collects its predictions.
pub(crate) fn prepare(session: &Session<'_>) -> Result<Vec<ModelResult>, RunError> {
    let mut models = Vec::with_capacity(session.checked.models.len());
    for chosen in &session.checked.models {
        models.push(load(session, chosen)?);
    }
    predict(session, &mut models)?;
    Ok(models)
}

fn load(session: &Session<'_>, chosen: &Chosen) -> Result<ModelResult, RunError> {
    let found = model_with_weights(
        session.bench,
        chosen,
        &session.suite_set(),
        session.offline,
        session.observer,
    );
    let reference = match found {
        Ok(reference) => reference,
        // A model that has no weights is a result; a wrong name in the suite is an error in it.
        Err(RunError::Plugin(text)) => return Ok(Err(text)),
        Err(RunError::Flag(text)) => {
            let mut error = SuiteError::new(text).at(chosen.at);
            error.file = session.suite.file.clone();
            return Err(error.into());
        }
        Err(error) => return Err(error),
    };
    let plugin = session.bench.plugin(Kind::Model, &chosen.plugin.id)?;
    let describe = message_of(&Task::Describe {
        model: reference.clone(),
    });
    let facts = match session.bench.ask(&describe, MODEL_LIMIT) {
        Ok((Reply::Described(facts), _)) => facts,
        Ok(_) => return Ok(Err("the worker gave an unexpected answer".to_owned())),
        Err(error) => return Ok(Err(error.to_string().trim().to_owned())),
    };
    let classes = session.set.classes.len();
    if facts.input_shape != session.set.shape || facts.outputs != classes {
        return Ok(Err(format!(
            "the model takes {:?} and has {} outputs, but {} has rows {:?} of {classes} classes",
            facts.input_shape, facts.outputs, session.set.id, session.set.shape
        )));
    }
    Ok(Ok(ReadyModel {
        reference,
        facts,
        library: plugin.library_sha256.clone(),
        predictions: Vec::new(),
        outputs: Vec::new(),
        targets: Vec::new(),
    }))
}

/// Under which key predictions of rows are kept.
fn prediction_key(
    session: &Session<'_>,
    chosen: &Chosen,
    model: &ReadyModel,
    rows: &[usize],
) -> Key {
    Key::of(&json!({
        "identity": "predict/1",
        "data": session.set.content_hash_hex(),
        "split": session.suite.data.split.to_string(),
        "rows": rows,
        "model": chosen.plugin.id,
        "version": chosen.plugin.version,
        "params": chosen.params,
        "weights": model.facts.fingerprint,
        "computed_by": model.computed_by(),
        "host": session.bench.host(),
    }))
}

fn predict(session: &Session<'_>, models: &mut [ModelResult]) -> Result<(), RunError> {
    let accuracy_rows = session.accuracy_rows();
    let classes = session.set.classes.len();
    let layout = &session.layout();
    let mut jobs = Vec::new();
    let mut places = Vec::new();
    let mut logits: Vec<Vec<f32>> = Vec::new();
    for (index, model) in models.iter().enumerate() {
        logits.push(vec![f32::NAN; accuracy_rows.len() * classes]);
        let Ok(model) = model else { continue };
        let chosen = &session.checked.models[index];
        for at in chunk_rows(accuracy_rows.len(), PREDICT_ROWS) {
            let rows = &accuracy_rows[at.clone()];
            let key = prediction_key(session, chosen, model, rows);
            if let Some(known) = session.store.predictions(&key.to_string())
                && known.values.len() == rows.len() * classes
            {
                logits[index][at.start * classes..at.end * classes].copy_from_slice(&known.values);
                continue;
            }
            let task = Task::Predict {
                model: model.reference.clone(),
                layout: layout.clone(),
            };
            places.push((index, at.clone(), key));
            jobs.push(Job {
                group: index,
                deadline: MODEL_LIMIT,
                message: Box::new(move || {
                    let mut message = message_of(&task);
                    message.blobs.push(layout.pack(session.split(), rows));
                    message
                }),
            });
        }
    }
    let units = places.iter().map(|(_, at, _)| at.len() as u64).sum();
    session.observer.begin("predicting", units);
    let mut failures: Vec<Option<String>> = vec![None; models.len()];
    session.pool.run(jobs, &|_, _| {}, |number, outcome| {
        let (index, at, key) = &places[number];
        session.observer.advance(at.len() as u64);
        match array_of(outcome, at.len() * classes) {
            Ok(answer) => {
                logits[*index][at.start * classes..at.end * classes].copy_from_slice(&answer);
                let record = PredictionRecord {
                    rows: accuracy_rows[at.clone()]
                        .iter()
                        .map(|&row| row as u32)
                        .collect(),
                    outputs: classes,
                    values: answer,
                };
                session
                    .store
                    .put_predictions(&key.to_string(), &record)
                    .map_err(files)?;
                Ok::<bool, RunError>(true)
            }
            Err(text) => {
                failures[*index].get_or_insert(text);
                Ok(false)
            }
        }
    })?;
    session.observer.end();
    for (index, model) in models.iter_mut().enumerate() {
        if let Some(text) = failures[index].take() {
            *model = Err(text);
        } else if let Ok(model) = model {
            model.predictions = logits[index].chunks_exact(classes).map(argmax).collect();
            model.targets = targets(session, &accuracy_rows, &model.predictions)?;
            model.outputs = std::mem::take(&mut logits[index]);
        }
    }
    Ok(())
}

/// The explained output of each selected row.
fn targets(
    session: &Session<'_>,
    accuracy_rows: &[usize],
    predictions: &[usize],
) -> Result<Vec<i64>, RunError> {
    let target = |&row: &usize| match session.suite.target {
        Target::Class(class) => Ok(class as i64),
        Target::Label => Ok(session.split().label(row) as i64),
        // The selected rows are among those on which accuracy is measured, both ascending.
        Target::Predicted => match accuracy_rows.binary_search(&row) {
            Ok(position) => Ok(predictions[position] as i64),
            Err(_) => Err(RunError::Files(format!("row {row} has no prediction"))),
        },
    };
    session.rows.iter().map(target).collect()
}

/// The array of an answer, or why there is none.
pub(crate) fn array_of(outcome: Outcome, len: usize) -> Result<Vec<f32>, String> {
    let answer = match outcome {
        Outcome::Answer(answer) => answer,
        Outcome::Failed(failure) => return Err(failure.describe()),
        Outcome::Skipped => return Err("skipped after a failure".to_owned()),
    };
    match reply_of(&answer)? {
        Reply::Failed { text, .. } => Err(text),
        _ => {
            let array = answer.f32s(0)?;
            if array.len() == len {
                Ok(array)
            } else {
                Err(format!(
                    "the worker answered {} values, expected {len}",
                    array.len()
                ))
            }
        }
    }
}

/// An error of the store as one of the run.
pub(crate) fn files(error: xbench_record::StoreError) -> RunError {
    RunError::Files(error.to_string())
}
