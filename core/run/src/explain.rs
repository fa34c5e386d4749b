//! `xbench explain`: a few pictures, a few models, a few explainers, at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use xbench_data::mask::object_by_rule;
use xbench_data::photo::{PhotoOptions, SIDE, Thumbnail, prepare_file, read_file_as};
use xbench_data::{SetInfo, SetRef, Split, Splits};
use xbench_suite::{Chosen, ExplainerSeed, Kind, parse_plugin_uses, resolve};

use crate::bench::{Bench, Search, Shelf, cores, load_data};
use crate::error::RunError;
use crate::models::array_of;
use crate::observer::Observer;
use crate::pool::{Job, Outcome, Pool};
use crate::session::{MODEL_LIMIT, background_rows, masks_of};
use crate::task::{
    ImageBlobs, ModelRef, Reply, RowLayout, Task, message_of, pack_explained, reply_of,
};
use crate::train::{argmax, set_info};
use crate::weights::model_with_weights;

/// The data set whose weights models use unless another is named.
const USUAL_SET: &str = "fashion-mnist";
/// Rows of one request, as in suites.
const CHUNK: usize = 64;
/// Background rows for explainers that ask for them, as in suites.
const BACKGROUND: usize = 100;

/// What to explain.
#[derive(Debug, Clone)]
pub struct ExplainRequest {
    /// Photographs.
    pub images: Vec<PathBuf>,
    /// Rows of a data set, `SET:SPLIT[a..b]`, in place of photographs.
    pub data: Option<String>,
    /// Models, comma-separated.
    pub models: String,
    /// Explainers, comma-separated.
    pub explainers: String,
    /// Data set whose weights the models use.
    pub trained_on: Option<String>,
    /// Preset of the models' weights; each model's own preference by default.
    pub preset: Option<String>,
    /// `predicted`, `label`, or a class by number or name.
    pub target: String,
    /// Seed of stochastic explainers.
    pub seed: u64,
    /// Time allowed to one explainer for one chunk of images.
    pub deadline: Duration,
    /// Where plugins and data are looked for.
    pub search: Search,
}

/// One picture.
#[derive(Debug, Clone)]
pub struct Picture {
    /// File name, or data set, split and row.
    pub label: String,
    /// `[c, h, w]`, as the models get it.
    pub pixels: Vec<u8>,
    /// The photograph before it was prepared.
    pub original: Option<Thumbnail>,
    /// The label it has in its data set.
    pub truth: Option<usize>,
}

/// The maps of one explainer.
#[derive(Debug, Clone)]
pub struct Maps {
    /// Label of the explainer.
    pub explainer: String,
    /// `[n, c, h, w]`, or why there are none.
    pub attributions: Result<Vec<f32>, String>,
}

/// One model's answer on all pictures.
#[derive(Debug, Clone)]
pub struct ExplainedModel {
    /// Label of the model.
    pub model: String,
    /// Its outputs, `[n, classes]`.
    pub logits: Vec<f32>,
    /// The predicted class of each picture.
    pub predictions: Vec<usize>,
    /// The explained class of each picture.
    pub targets: Vec<usize>,
    /// Maps by explainer.
    pub maps: Vec<Maps>,
}

/// Everything that was computed.
#[derive(Debug, Clone)]
pub struct Explanations {
    /// Class names.
    pub classes: Vec<String>,
    /// Channels, height, width of a picture.
    pub shape: [usize; 3],
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// The models.
    pub models: Vec<ExplainedModel>,
}

/// Explains pictures.
///
/// # Errors
/// Unknown names, pictures that cannot be used, data that cannot be had, models that fail. An
/// explainer that fails is a part of the result.
pub fn explain(
    request: &ExplainRequest,
    observer: &dyn Observer,
) -> Result<Explanations, RunError> {
    let bench = Bench::open(&request.search, &[])?;
    bench.tell_problems(observer);
    let chosen_rows = request.data.as_deref().map(parse_rows).transpose()?;
    let set = match (&request.trained_on, &chosen_rows) {
        (Some(set), _) => parse_set(set)?,
        (None, Some(rows)) => rows.set.clone(),
        (None, None) => SetRef::named(USUAL_SET),
    };
    let info = &known_set(&set, request.search.offline, observer)?;
    let shelf = Shelf::of_info(&bench, info);
    let choose = |list: &str, kind: Kind| -> Result<Vec<Chosen>, RunError> {
        let mut uses = parse_plugin_uses(list)?;
        if kind == Kind::Model {
            uses.iter_mut()
                .for_each(|one| one.preset = request.preset.clone());
        }
        let found: Result<Vec<Chosen>, _> =
            uses.iter().map(|one| resolve(one, kind, &shelf)).collect();
        Ok(found?)
    };
    let models = choose(&request.models, Kind::Model)?;
    let explainers = choose(&request.explainers, Kind::Explainer)?;
    for chosen in [&models, &explainers] {
        // Labels name files and panels.
        for (number, one) in chosen.iter().enumerate() {
            if chosen[..number]
                .iter()
                .any(|other| other.label == one.label)
            {
                return Err(RunError::Flag(format!(
                    "{} stands there twice; explain with one set of parameters at a time",
                    one.label
                )));
            }
        }
    }
    let input = match &chosen_rows {
        Some(rows) => from_set(rows, info, request, observer)?,
        None => from_photographs(&request.images, info)?,
    };
    let background = match explainers.iter().any(|one| one.plugin.wants_background) {
        true => background(&set, request.search.offline, observer)?,
        false => Vec::new(),
    };
    let pool = Pool::new(bench.worker_config(1), cores());
    let mut references = Vec::new();
    for model in &models {
        let offline = request.search.offline;
        references.push(model_with_weights(&bench, model, &set, offline, observer)?);
    }
    let mut explained = Vec::new();
    for (model, reference) in models.iter().zip(&references) {
        explained.push(one_model(
            &bench,
            &pool,
            info,
            request,
            &input,
            model,
            reference,
            &explainers,
            &background,
        )?);
    }
    Ok(Explanations {
        classes: info.classes.clone(),
        shape: layout_of(info).plane(),
        pictures: input.pictures,
        models: explained,
    })
}

/// Pictures with what explainers may ask about them.
struct Input {
    pictures: Vec<Picture>,
    ids: Vec<u64>,
    masks: Vec<u8>,
}

/// Rows of the set's training split as they are sent to a worker.
fn background(set: &SetRef, offline: bool, observer: &dyn Observer) -> Result<Vec<u8>, RunError> {
    let (set, _) = load_data(set, None, None, Splits::All, offline, observer)?;
    let rows = background_rows(&set, BACKGROUND, observer)?;
    if rows.is_empty() {
        return Err(RunError::Flag(format!(
            "an explainer asks for rows of the training split, and {} has none",
            set.id
        )));
    }
    Ok(RowLayout::of(&set.train).pack(&set.train, &rows))
}

/// A data set as named on the command line.
fn parse_set(text: &str) -> Result<SetRef, RunError> {
    text.parse()
        .map_err(|error: xbench_data::DataError| RunError::Flag(error.to_string()))
}

/// What is known of a set of images; it is read where only that tells.
fn known_set(set: &SetRef, offline: bool, observer: &dyn Observer) -> Result<SetInfo, RunError> {
    let mut info = set_info(set)?;
    if info.table {
        return Err(RunError::Flag(format!(
            "{} is a table, and explain draws pictures; run a suite on it for its attributions",
            info.id
        )));
    }
    if info.shape.is_empty() || info.classes.is_empty() {
        let (read, _) = load_data(set, None, None, Splits::TestOnly, offline, observer)?;
        (info.shape, info.classes) = (read.shape, read.classes);
    }
    Ok(info)
}

fn layout_of(info: &SetInfo) -> RowLayout {
    RowLayout {
        shape: info.shape.clone(),
        table: info.table,
    }
}

/// Rows of a data set, as named on the command line.
struct Rows {
    set: SetRef,
    split: String,
    range: Option<(usize, usize)>,
}

/// Reads `SET`, `SET:SPLIT` or `SET:SPLIT[a..b]`.
fn parse_rows(text: &str) -> Result<Rows, RunError> {
    let wrong = || {
        RunError::Flag(format!(
            "cannot read rows '{text}'; write them like fashion-mnist:test[0..8]"
        ))
    };
    // Options in braces may hold brackets and colons of their own.
    let options_end = text.rfind('}').map_or(0, |end| end + 1);
    let (set, rest) = text.split_at(options_end);
    let (rest, range) = match rest.split_once('[') {
        None => (rest, None),
        Some((name, range)) => {
            let (low, high) = range
                .strip_suffix(']')
                .and_then(|range| range.split_once(".."))
                .ok_or_else(wrong)?;
            let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
            (name, Some((number(low)?, number(high)?)))
        }
    };
    let (tail, split) = rest.split_once(':').unwrap_or((rest, "test"));
    let set = format!("{set}{tail}");
    if set.is_empty() || !["train", "validation", "test", "photos"].contains(&split) {
        return Err(wrong());
    }
    if range.is_some_and(|(low, high)| low >= high) {
        return Err(RunError::NothingSelected(format!(
            "'{text}' selects no rows"
        )));
    }
    Ok(Rows {
        set: parse_set(&set)?,
        split: split.to_owned(),
        range,
    })
}

fn from_set(
    rows: &Rows,
    info: &SetInfo,
    request: &ExplainRequest,
    observer: &dyn Observer,
) -> Result<Input, RunError> {
    let splits = match rows.split.as_str() {
        "test" => Splits::TestOnly,
        "photos" => Splits::PhotosOnly,
        _ => Splits::All,
    };
    let (set, _) = load_data(
        &rows.set,
        None,
        None,
        splits,
        request.search.offline,
        observer,
    )?;
    if set.shape != info.shape {
        return Err(RunError::Flag(format!(
            "{} has images {:?}, models trained on {} take {:?}",
            set.id, set.shape, info.id, info.shape
        )));
    }
    let split: &Split = match rows.split.as_str() {
        "test" => &set.test,
        "photos" => &set.photos,
        "validation" => &set.validation,
        _ => &set.train,
    };
    let (low, high) = rows.range.unwrap_or((0, split.len()));
    if high > split.len() {
        return Err(RunError::Flag(format!(
            "{}:{} has {} rows, row {} was asked for",
            rows.set,
            rows.split,
            split.len(),
            high - 1
        )));
    }
    let numbers: Vec<usize> = (low..high).collect();
    let pictures = numbers.iter().map(|&row| Picture {
        label: match split.names.get(row) {
            Some(name) => format!("{}:{} {name}", rows.set.name, rows.split),
            None => format!("{}:{}[{row}]", rows.set.name, rows.split),
        },
        pixels: split.pixels(row).unwrap_or(&[]).to_vec(),
        original: None,
        truth: Some(split.label(row)),
    });
    Ok(Input {
        pictures: pictures.collect(),
        ids: numbers.iter().map(|&row| row as u64).collect(),
        masks: masks_of(split, &numbers),
    })
}

fn from_photographs(paths: &[PathBuf], info: &SetInfo) -> Result<Input, RunError> {
    let mut input = Input {
        pictures: Vec::new(),
        ids: Vec::new(),
        masks: Vec::new(),
    };
    for path in paths {
        let (options, wrong) = (PhotoOptions::default(), |error: xbench_data::DataError| {
            RunError::Flag(error.to_string())
        });
        let shape = layout_of(info).plane();
        let prepared = if shape == [1, SIDE, SIDE] {
            // Made to look like Fashion-MNIST: its own background was set to exactly 0.
            let prepared = prepare_file(path, &options).map_err(wrong)?;
            let [channels, height, width] = shape;
            let mask = object_by_rule(&prepared.pixels, channels, height, width);
            input.masks.extend(mask.into_iter().map(u8::from));
            prepared
        } else {
            read_file_as(path, shape, &options).map_err(wrong)?
        };
        // A photograph's random draws are its own, whatever stands beside it.
        let digest = Sha256::digest(&prepared.pixels);
        let id = digest
            .iter()
            .take(6)
            .fold(0, |id, byte| (id << 8) | u64::from(*byte));
        input.ids.push(id);
        input.pictures.push(Picture {
            label: file_name(path),
            pixels: prepared.pixels,
            original: Some(prepared.original),
            truth: None,
        });
    }
    Ok(input)
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

#[expect(
    clippy::too_many_arguments,
    reason = "one step of `explain`, which holds all of these"
)]
fn one_model(
    bench: &Bench,
    pool: &Pool,
    info: &SetInfo,
    request: &ExplainRequest,
    input: &Input,
    model: &Chosen,
    reference: &ModelRef,
    explainers: &[Chosen],
    background: &[u8],
) -> Result<ExplainedModel, RunError> {
    let n = input.pictures.len();
    let row_len: usize = info.shape.iter().product();
    let mut logits = Err(String::new());
    let predict = Task::Predict {
        model: reference.clone(),
        layout: layout_of(info),
    };
    let job = Job {
        group: 0,
        deadline: MODEL_LIMIT,
        message: Box::new(|| {
            let mut message = message_of(&predict);
            message.blobs.push(pixels(input, 0..n));
            message
        }),
    };
    pool.run(vec![job], &|_, _| {}, |_, outcome| {
        logits = array_of(outcome, n * info.classes.len());
        Ok::<bool, RunError>(true)
    })?;
    let logits = logits.map_err(|text| RunError::Plugin(format!("{}: {text}", model.label)))?;
    let predictions: Vec<usize> = logits
        .chunks_exact(info.classes.len())
        .map(argmax)
        .collect();
    let targets = targets(&request.target, info, input, &predictions)?;

    let mut jobs = Vec::new();
    let mut places = Vec::new();
    let mut maps: Vec<Maps> = Vec::new();
    for (number, chosen) in explainers.iter().enumerate() {
        let missing: Vec<&String> = chosen
            .plugin
            .requires_model
            .iter()
            .filter(|need| {
                !need
                    .split('|')
                    .any(|one| model.plugin.provides.iter().any(|has| has == one))
            })
            .collect();
        let attributions = if missing.is_empty() {
            Ok(vec![0.0; n * row_len])
        } else {
            let missing: Vec<&str> = missing.iter().map(|id| id.as_str()).collect();
            Err(format!(
                "needs {}, which {} lacks",
                missing.join(", "),
                model.label
            ))
        };
        let supported = attributions.is_ok();
        maps.push(Maps {
            explainer: chosen.label.clone(),
            attributions,
        });
        if !supported {
            continue;
        }
        let seed = ExplainerSeed::new(request.seed, &chosen.plugin.id, &chosen.params);
        let task = Task::Explain {
            model: reference.clone(),
            explainer: bench.reference(Kind::Explainer, chosen)?,
            layout: layout_of(info),
            seed: request.seed,
            deadline_ms: u64::try_from(request.deadline.as_millis()).unwrap_or(u64::MAX),
        };
        for at in xbench_suite::chunk_rows(n, CHUNK) {
            let (task, targets) = (task.clone(), &targets);
            let background: &[u8] = match chosen.plugin.wants_background {
                true => background,
                false => &[],
            };
            places.push((number, at.clone()));
            jobs.push(Job {
                group: number,
                deadline: request.deadline + Duration::from_secs(1),
                message: Box::new(move || {
                    let area = info.shape[1] * info.shape[2];
                    let images = ImageBlobs {
                        values: pixels(input, at.clone()),
                        targets: targets[at.clone()]
                            .iter()
                            .map(|&class| class as i64)
                            .collect(),
                        ids: input.ids[at.clone()].to_vec(),
                        seeds: at
                            .clone()
                            .map(|row| seed.row(input.ids[row] as usize))
                            .collect(),
                        masks: input
                            .masks
                            .get(at.start * area..at.end * area)
                            .unwrap_or(&[])
                            .to_vec(),
                    };
                    pack_explained(&task, &images, background.to_vec())
                }),
            });
        }
    }
    pool.run(jobs, &|_, _| {}, |number, outcome| {
        let (explainer, at) = &places[number];
        let answer = attributions_of(outcome, at.len() * row_len);
        let maps = &mut maps[*explainer].attributions;
        match (answer, maps.as_mut()) {
            (Ok(answer), Ok(all)) => {
                all[at.start * row_len..at.end * row_len].copy_from_slice(&answer);
            }
            (Err(text), Ok(_)) => *maps = Err(text),
            (_, Err(_)) => {}
        }
        Ok::<bool, RunError>(maps.is_ok())
    })?;
    Ok(ExplainedModel {
        model: model.label.clone(),
        logits,
        predictions,
        targets,
        maps,
    })
}

fn pixels(input: &Input, at: std::ops::Range<usize>) -> Vec<u8> {
    input.pictures[at]
        .iter()
        .flat_map(|picture| picture.pixels.iter().copied())
        .collect()
}

fn attributions_of(outcome: Outcome, len: usize) -> Result<Vec<f32>, String> {
    if let Outcome::Answer(answer) = &outcome
        && let Ok(Reply::Failed { text, .. }) = reply_of(answer)
    {
        return Err(text);
    }
    array_of(outcome, len)
}

/// The explained class of each picture.
fn targets(
    target: &str,
    info: &SetInfo,
    input: &Input,
    predictions: &[usize],
) -> Result<Vec<usize>, RunError> {
    match target {
        "predicted" => Ok(predictions.to_vec()),
        "label" => {
            let labels = input.pictures.iter().map(|picture| picture.truth);
            labels.collect::<Option<Vec<usize>>>().ok_or_else(|| {
                RunError::Flag(
                    "photographs have no label; name a class or say predicted".to_owned(),
                )
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
