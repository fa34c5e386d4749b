//! One model and all explainers, asked by worker processes.

use std::ops::Range;
use std::time::Duration;

use serde_json::json;
use xbench_data::SetInfo;
use xbench_suite::{Chosen, ExplainerSeed, Kind};

use super::input::Input;
use super::{ExplainRequest, ExplainedModel, INTERACTIONS_WITH, Maps, layout_of};
use crate::bench::Bench;
use crate::error::RunError;
use crate::models::array_of;
use crate::observer::Observer;
use crate::pool::{Job, Outcome, Pool};
use crate::session::MODEL_LIMIT;
use crate::task::{
    ImageBlobs, ModelFacts, ModelRef, PluginRef, Reply, Task, message_of, pack_explained, reply_of,
};
use crate::train::argmax;

/// Rows of one request, as in suites.
const CHUNK: usize = 64;
/// What jobs that were never begun say; the reason comes from another one.
const SKIPPED: &str = "skipped after a failure";

/// All that is the same for every model.
pub(super) struct Question<'q> {
    pub(super) bench: &'q Bench,
    pub(super) pool: &'q Pool,
    pub(super) info: &'q SetInfo,
    pub(super) request: &'q ExplainRequest,
    pub(super) input: &'q Input,
    pub(super) explainers: &'q [Chosen],
    /// Which explainers are asked for interaction values too.
    pub(super) interacting: &'q [bool],
    /// Background rows, packed.
    pub(super) background: &'q [u8],
    pub(super) observer: &'q dyn Observer,
}

/// What a job explains: rows `at` by an explainer; with a feature, its interaction values.
struct Place {
    explainer: usize,
    feature: Option<usize>,
    at: Range<usize>,
}

pub(super) fn one_model(
    question: &Question<'_>,
    model: &Chosen,
    reference: &ModelRef,
) -> Result<ExplainedModel, RunError> {
    let refused = |text: String| RunError::Plugin(format!("{}: {text}", model.label));
    let facts = facts(question, reference)?.map_err(refused)?;
    let info = question.info;
    let classes = info.classes.len();
    if facts.input_shape != info.shape || facts.outputs != classes {
        return Err(refused(format!(
            "the model takes {:?} and has {} outputs, but {} has rows {:?} of {classes} classes",
            facts.input_shape, facts.outputs, info.id, info.shape
        )));
    }
    let logits = predicted(question, reference)?.map_err(refused)?;
    let predictions: Vec<usize> = logits.chunks_exact(classes).map(argmax).collect();
    let targets = targets(question, &predictions)?;
    let mut maps: Vec<Maps> = Vec::new();
    for (number, chosen) in question.explainers.iter().enumerate() {
        maps.push(empty_maps(question, model, number, chosen));
    }
    let (places, jobs) = jobs(question, reference, &maps, &targets)?;
    let units = places.iter().map(|place| place.at.len() as u64).sum();
    question
        .observer
        .begin(&format!("explaining {}", model.label), units);
    let row_len = info.shape.iter().product();
    question.pool.run(jobs, &|_, _| {}, |number, outcome| {
        let place = &places[number];
        question.observer.advance(place.at.len() as u64);
        Ok::<bool, RunError>(keep(&mut maps, place, row_len, outcome))
    })?;
    question.observer.end();
    Ok(ExplainedModel {
        model: model.label.clone(),
        logits,
        output_kind: facts.output_kind,
        predictions,
        targets,
        maps,
    })
}

fn facts(
    question: &Question<'_>,
    reference: &ModelRef,
) -> Result<Result<ModelFacts, String>, RunError> {
    let describe = Task::Describe {
        model: reference.clone(),
    };
    let job = Job {
        group: 0,
        deadline: MODEL_LIMIT,
        message: Box::new(|| message_of(&describe)),
    };
    let mut facts = Err(String::new());
    question.pool.run(vec![job], &|_, _| {}, |_, outcome| {
        facts = match outcome {
            Outcome::Answer(answer) => match reply_of(&answer) {
                Ok(Reply::Described(found)) => Ok(found),
                Ok(Reply::Failed { text, .. }) | Err(text) => Err(text),
                Ok(_) => Err("the worker gave an unexpected answer".to_owned()),
            },
            Outcome::Failed(failure) => Err(failure.describe()),
            Outcome::Skipped => Err(SKIPPED.to_owned()),
        };
        Ok::<bool, RunError>(true)
    })?;
    Ok(facts)
}

/// Outputs of all rows, `[n, classes]`.
fn predicted(
    question: &Question<'_>,
    reference: &ModelRef,
) -> Result<Result<Vec<f32>, String>, RunError> {
    let n = question.input.rows.len();
    let predict = Task::Predict {
        model: reference.clone(),
        layout: layout_of(question.info),
    };
    let job = Job {
        group: 0,
        deadline: MODEL_LIMIT,
        message: Box::new(|| {
            let mut message = message_of(&predict);
            message.blobs.push(question.input.packed(0..n));
            message
        }),
    };
    let mut logits = Err(String::new());
    question.pool.run(vec![job], &|_, _| {}, |_, outcome| {
        logits = array_of(outcome, n * question.info.classes.len());
        Ok::<bool, RunError>(true)
    })?;
    Ok(logits)
}

/// Room for what an explainer will say, or why it says nothing of this model.
fn empty_maps(question: &Question<'_>, model: &Chosen, number: usize, chosen: &Chosen) -> Maps {
    let given = |one: &str| model.plugin.provides.iter().any(|has| has == one);
    let missing: Vec<&str> = chosen
        .plugin
        .requires_model
        .iter()
        .filter(|need| !need.split('|').any(given))
        .map(String::as_str)
        .collect();
    let row_len: usize = question.info.shape.iter().product();
    let values = question.input.rows.len() * row_len;
    let attributions = if missing.is_empty() {
        Ok(vec![0.0; values])
    } else {
        Err(format!(
            "needs {}, which {} lacks",
            missing.join(", "),
            model.label
        ))
    };
    let wanted = question.interacting[number] && attributions.is_ok();
    Maps {
        explainer: chosen.label.clone(),
        of_probability: chosen.params["outcome"] == "probability",
        attributions,
        local_fit: vec![None; question.input.rows.len()],
        interactions: wanted.then(|| Ok(vec![0.0; values * row_len])),
    }
}

/// What is asked of the explainers, attributions first.
fn jobs<'j>(
    question: &'j Question<'_>,
    reference: &ModelRef,
    maps: &[Maps],
    targets: &'j [usize],
) -> Result<(Vec<Place>, Vec<Job<'j>>), RunError> {
    let (mut places, mut jobs) = (Vec::new(), Vec::new());
    let chunks = xbench_suite::chunk_rows(question.input.rows.len(), CHUNK);
    let explainers = question.explainers.iter().zip(maps).enumerate();
    for (number, (chosen, maps)) in explainers.filter(|(_, (_, maps))| maps.attributions.is_ok()) {
        let plugin = question.bench.reference(Kind::Explainer, chosen)?;
        let mut asked = vec![(None, plugin.clone())];
        if maps.interactions.is_some() {
            let features = question.info.shape.iter().product();
            asked.extend((0..features).map(|feature| {
                let mut plugin = plugin.clone();
                plugin.params[INTERACTIONS_WITH] = json!(feature);
                (Some(feature), plugin)
            }));
        }
        for (feature, plugin) in asked {
            // What the interactions lack does not stop the attributions.
            let group = 2 * number + usize::from(feature.is_some());
            for at in chunks.iter().cloned() {
                jobs.push(Job {
                    group,
                    deadline: question.request.deadline + Duration::from_secs(1),
                    message: message(question, reference, &plugin, chosen, targets, at.clone()),
                });
                places.push(Place {
                    explainer: number,
                    feature,
                    at,
                });
            }
        }
    }
    Ok((places, jobs))
}

fn message<'j>(
    question: &'j Question<'_>,
    reference: &ModelRef,
    plugin: &PluginRef,
    chosen: &'j Chosen,
    targets: &'j [usize],
    at: Range<usize>,
) -> Box<dyn FnOnce() -> xbench_host::worker::Message + Send + 'j> {
    let task = Task::Explain {
        model: reference.clone(),
        explainer: plugin.clone(),
        layout: layout_of(question.info),
        seed: question.request.seed,
        deadline_ms: u64::try_from(question.request.deadline.as_millis()).unwrap_or(u64::MAX),
    };
    // The same draws for every feature: rows of one matrix belong together.
    let seed = ExplainerSeed::new(question.request.seed, &chosen.plugin.id, &chosen.params);
    let input = question.input;
    let [_, height, width] = layout_of(question.info).plane();
    let area = height * width;
    let background: &[u8] = match chosen.plugin.wants_background {
        true => question.background,
        false => &[],
    };
    Box::new(move || {
        let ids = &input.ids[at.clone()];
        let images = ImageBlobs {
            values: input.packed(at.clone()),
            targets: targets[at.clone()].iter().map(|&c| c as i64).collect(),
            ids: ids.to_vec(),
            seeds: ids.iter().map(|&id| seed.row(id as usize)).collect(),
            masks: input
                .masks
                .get(at.start * area..at.end * area)
                .unwrap_or(&[])
                .to_vec(),
        };
        pack_explained(&task, &images, background.to_vec())
    })
}

/// Puts an answer of rows of `row_len` values where it belongs; false where there is none.
fn keep(maps: &mut [Maps], place: &Place, row_len: usize, outcome: Outcome) -> bool {
    let maps = &mut maps[place.explainer];
    if place.feature.is_none()
        && let Outcome::Answer(answer) = &outcome
        && let Ok(fits) = answer.f32s(1)
    {
        for (to, fit) in maps.local_fit[place.at.clone()].iter_mut().zip(fits) {
            *to = fit.is_finite().then_some(fit);
        }
    }
    let all = match (place.feature, &mut maps.interactions) {
        (Some(_), Some(interactions)) => interactions,
        _ => &mut maps.attributions,
    };
    match (answer_of(outcome, place.at.len() * row_len), &mut *all) {
        (Ok(answer), Ok(values)) => match place.feature {
            None => {
                values[place.at.start * row_len..place.at.end * row_len].copy_from_slice(&answer);
            }
            Some(feature) => {
                let lines = answer.chunks_exact(row_len.max(1));
                for (row, line) in place.at.clone().zip(lines) {
                    let start = (row * row_len + feature) * row_len;
                    values[start..start + row_len].copy_from_slice(line);
                }
            }
        },
        (Err(text), Ok(_)) => *all = Err(text),
        // What failed may be told after what was skipped for it.
        (Err(text), Err(known)) if known == SKIPPED => *known = text,
        (_, Err(_)) => {}
    }
    all.is_ok()
}

fn answer_of(outcome: Outcome, len: usize) -> Result<Vec<f32>, String> {
    if let Outcome::Answer(answer) = &outcome
        && let Ok(Reply::Failed { text, .. }) = reply_of(answer)
    {
        return Err(text);
    }
    array_of(outcome, len)
}

/// The explained class of each row.
fn targets(question: &Question<'_>, predictions: &[usize]) -> Result<Vec<usize>, RunError> {
    let info = question.info;
    match question.request.target.as_str() {
        "predicted" => Ok(predictions.to_vec()),
        "label" => {
            let labels = question.input.rows.iter().map(|row| row.truth);
            labels.collect::<Option<Vec<usize>>>().ok_or_else(|| {
                let what = match info.table {
                    true => "rows of a file",
                    false => "photographs",
                };
                RunError::Flag(format!(
                    "{what} have no label; name a class or say predicted"
                ))
            })
        }
        class => {
            let number = class
                .parse::<usize>()
                .ok()
                .filter(|&class| class < info.classes.len());
            let named = info
                .classes
                .iter()
                .position(|name| name.eq_ignore_ascii_case(class));
            let class = number.or(named).ok_or_else(|| {
                RunError::Flag(format!(
                    "unknown target '{class}'; say predicted, label, a number below {} or one of: {}",
                    info.classes.len(),
                    info.classes.join(", ")
                ))
            })?;
            Ok(vec![class; predictions.len()])
        }
    }
}
