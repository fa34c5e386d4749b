//! Mosaics for the score that explains them: what a model recognises at the size of a tile, which
//! of the run's images lie beside each one, and their pixels.
//!
//! They depend on the model and the whole selection, not on the explainer or the chunk.

use std::collections::BTreeMap;

use xbench_host::worker::Message;
use xbench_metrics::NotApplicable;
use xbench_metrics::localisation::{
    FOCUS, Mosaic, MosaicImages, at_tile_size, tiles, write_mosaic, write_mosaic_mask,
};
use xbench_record::Status;
use xbench_suite::chunk_rows;

use super::{Failure, Work, answer_of, challenge, fail};
use crate::error::RunError;
use crate::models::ReadyModel;
use crate::pool::{Job, Outcome};
use crate::session::{MODEL_LIMIT, Session, masks_of};
use crate::task::{MosaicBlobs, Reply, Task, message_of, push_mosaics, reply_of};
use crate::train::argmax;

/// Rows of one request for predictions.
const PREDICT_ROWS: usize = 500;

/// The mosaic of each image of the selection, or why it has none.
pub(crate) type ModelMosaics = Vec<Result<Mosaic, NotApplicable>>;

/// The mosaics of every model with a cell that lacks their score; cells of a model that fails on
/// the way fail.
pub(super) fn of_models(
    session: &Session<'_>,
    works: &mut [Work<'_>],
) -> Result<BTreeMap<usize, ModelMosaics>, RunError> {
    let lacking = lacking(session, works);
    if lacking.is_empty() {
        return Ok(BTreeMap::new());
    }
    let count = session.rows.len();
    if let Some(reason) = nowhere(session) {
        let none = |(model, _)| (model, vec![Err(reason); count]);
        return Ok(lacking.into_iter().map(none).collect());
    }
    let mut jobs = Vec::new();
    let mut places = Vec::new();
    for (group, (&model, ready)) in lacking.iter().enumerate() {
        for at in chunk_rows(count, PREDICT_ROWS) {
            places.push((model, at.len() * ready.facts.outputs));
            jobs.push(Job {
                group,
                deadline: MODEL_LIMIT,
                message: Box::new(move || request(session, ready, &session.rows[at]).1),
            });
        }
    }
    // Jobs are answered in any order.
    let mut answers: BTreeMap<usize, Result<Vec<f32>, Failure>> = BTreeMap::new();
    let tiles = jobs.len() as u64;
    session.observer.begin("recognising tiles", tiles);
    session.pool.run(jobs, &|_, _| {}, |number, outcome| {
        session.observer.advance(1);
        let outputs = outputs_of(outcome, places[number].1);
        let goes_on = outputs.is_ok();
        answers.insert(number, outputs);
        Ok::<bool, RunError>(goes_on)
    })?;
    session.observer.end();
    let mut outputs: BTreeMap<usize, Result<Vec<f32>, Failure>> = BTreeMap::new();
    for (number, answer) in answers {
        let all = outputs.entry(places[number].0).or_insert(Ok(Vec::new()));
        match (all.as_mut(), answer) {
            (Ok(all), Ok(answer)) => all.extend(answer),
            (Ok(_), Err(failure)) => *all = Err(failure),
            (Err(_), _) => {}
        }
    }
    let mut found = BTreeMap::new();
    for (model, ready) in lacking {
        match outputs.remove(&model) {
            Some(Ok(outputs)) => {
                found.insert(model, arranged(session, ready, &outputs));
            }
            Some(Err((status, text))) => {
                let text = format!("while recognising tiles: {text}");
                for work in works.iter_mut().filter(|work| work.result.model == model) {
                    fail(work, 0, (status, text.clone()));
                }
            }
            None => {}
        }
    }
    Ok(found)
}

/// The models of cells with a chunk that lacks the score, by number.
fn lacking<'m>(session: &Session<'_>, works: &[Work<'m>]) -> BTreeMap<usize, &'m ReadyModel> {
    let Some(score) = session
        .checked
        .explanation_scores()
        .find(|score| score.id == FOCUS)
    else {
        return BTreeMap::new();
    };
    let open = works.iter().filter(|work| {
        let key = challenge::column_key(session, score, work.twin);
        let lacks = |chunk: &super::Chunk| {
            chunk.record.is_some() && !chunk.scores.columns.contains_key(&key)
        };
        work.failed.is_none() && work.chunks.iter().any(lacks)
    });
    open.filter_map(|work| Some((work.result.model, work.model.as_ref()?.0)))
        .collect()
}

/// Why no image can have a mosaic, whatever the model.
fn nowhere(session: &Session<'_>) -> Option<NotApplicable> {
    if session.layout().table {
        return Some(NotApplicable::NotAnImage);
    }
    let [_, height, width] = session.layout().plane();
    tiles(height, width).err()
}

/// Asks for the outputs of rows at the size of a tile: mosaics of four copies of each.
pub(crate) fn request(
    session: &Session<'_>,
    model: &ReadyModel,
    rows: &[usize],
) -> (Task, Message) {
    let layout = session.layout();
    let plane = layout.plane();
    let task = Task::Predict {
        model: model.reference.clone(),
        layout,
    };
    let images = rows.iter().filter_map(|&row| session.split().pixels(row));
    let small = images.flat_map(|image| at_tile_size(image, plane).unwrap_or_default());
    let mut message = message_of(&task);
    message.blobs.push(small.collect());
    (task, message)
}

fn outputs_of(outcome: Outcome, len: usize) -> Result<Vec<f32>, Failure> {
    let answer = answer_of(outcome)?;
    let failed = |text: String| (Status::Failed, text);
    match reply_of(&answer).map_err(failed)? {
        Reply::Array => {
            let outputs = answer.f32s(0).map_err(failed)?;
            if outputs.len() == len {
                Ok(outputs)
            } else {
                let found = outputs.len();
                Err(failed(format!(
                    "the worker answered {found} values, expected {len}"
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

/// The mosaics of a model that answers `outputs` to the [`request`] of the whole selection.
pub(crate) fn arranged(session: &Session<'_>, model: &ReadyModel, outputs: &[f32]) -> ModelMosaics {
    let labels = session.split().labels_of(&session.rows);
    let rows = outputs.chunks_exact(model.facts.outputs.max(1));
    let recognised: Vec<usize> = rows.map(argmax).collect();
    let images = MosaicImages::new(&labels, &recognised);
    let rows = session.rows.iter().zip(&model.targets).enumerate();
    rows.map(|(position, (&row, &target))| {
        let target = usize::try_from(target).map_err(|_| NotApplicable::AnotherClass)?;
        images.mosaic(session.suite.seed, row as u64, position, target)
    })
    .collect()
}

/// Adds mosaics to a message, those there are with their pixels and masks.
pub(crate) fn pack(
    session: &Session<'_>,
    mosaics: &[Result<Mosaic, NotApplicable>],
    message: &mut Message,
) {
    let (split, plane) = (session.split(), session.layout().plane());
    let area = (plane[1] * plane[2]).max(1);
    let mut blobs = MosaicBlobs::default();
    for mosaic in mosaics {
        let packed = mosaic.and_then(|mosaic| {
            let rows = mosaic.images.map(|position| session.rows[position]);
            let images = rows.map(|row| split.pixels(row).unwrap_or_default());
            write_mosaic(images, plane, &mut blobs.values)?;
            let masks = masks_of(split, &rows);
            if !masks.is_empty() {
                let mask = |number: usize| &masks[number * area..(number + 1) * area];
                let masks = [mask(0), mask(1), mask(2), mask(3)];
                write_mosaic_mask(masks, mosaic.target, [plane[1], plane[2]], &mut blobs.masks)?;
            }
            Ok(mosaic.target)
        });
        blobs.tiles.push(packed);
    }
    push_mosaics(message, blobs);
}
