//! `xbench explain`: a few images or rows of a table, a few models, a few explainers, at once.

mod ask;
mod input;
mod rows;

use std::path::PathBuf;
use std::time::Duration;

use xbench_data::photo::Thumbnail;
use xbench_data::{SetInfo, SetRef, Splits};
use xbench_suite::{Chosen, Kind, PluginUse, parse_plugin_uses, resolve};

use self::ask::{Question, one_model};
use self::input::{from_photographs, from_set, from_tables};
use self::rows::{Rows, parse_rows, parse_set};
use crate::bench::{Bench, Search, Shelf, cores, load_data};
use crate::error::RunError;
use crate::observer::Observer;
use crate::pool::Pool;
use crate::session::background_rows;
use crate::task::{OutputFacts, RowLayout};
use crate::train::set_info;
use crate::weights::model_with_weights;

/// The data set whose weights models use unless another is named.
const USUAL_SET: &str = "fashion-mnist";
/// Background rows for explainers that ask for them, as in suites.
const BACKGROUND: usize = 100;
/// The parameter by which an explainer gives a row of its matrix of interaction values: the number
/// of a feature, from 0.
const INTERACTIONS_WITH: &str = "interactions_with";
/// Most interaction values that are held, of all rows.
const MOST_INTERACTIONS: usize = 1 << 27;

/// What to explain.
#[derive(Debug, Clone)]
pub struct ExplainRequest {
    /// Photographs; for models of tables, CSV files of rows.
    pub files: Vec<PathBuf>,
    /// Rows of a data set in place of files: `SET:SPLIT[a..b]`, `SET:SPLIT[3,17]`.
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
    /// Whether explainers that can also give the interaction values of all pairs of features.
    pub interactions: bool,
    /// Seed of stochastic explainers.
    pub seed: u64,
    /// Time allowed to one explainer for one chunk of rows.
    pub deadline: Duration,
    /// Where plugins and data are looked for.
    pub search: Search,
}

impl ExplainRequest {
    /// Whether rows of a table are to be explained, not images.
    ///
    /// # Errors
    /// When the data set that is named is unknown.
    pub fn is_of_table(&self) -> Result<bool, RunError> {
        let rows = self.data.as_deref().map(parse_rows).transpose()?;
        Ok(set_info(&set_of(self, rows.as_ref())?)?.table)
    }
}

/// The set whose weights the models use.
fn set_of(request: &ExplainRequest, rows: Option<&Rows>) -> Result<SetRef, RunError> {
    match (&request.trained_on, rows) {
        (Some(set), _) => parse_set(set),
        (None, Some(rows)) => Ok(rows.set.clone()),
        (None, None) => Ok(SetRef::named(USUAL_SET)),
    }
}

/// One image, or one row of a table.
#[derive(Debug, Clone)]
pub struct ExplainedRow {
    /// File name (and line of a table), or data set, split and row.
    pub label: String,
    /// What was explained.
    pub content: Content,
    /// The label it has in its data set.
    pub truth: Option<usize>,
}

impl ExplainedRow {
    /// The features of a table's row; nothing of an image.
    #[must_use]
    pub fn features(&self) -> &[f32] {
        match &self.content {
            Content::Features(values) => values,
            Content::Image { .. } => &[],
        }
    }
}

/// What a row holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// An image.
    Image {
        /// `[c, h, w]`, as the models get it.
        pixels: Vec<u8>,
        /// The photograph before it was prepared.
        original: Option<Thumbnail>,
    },
    /// The features of a table's row.
    Features(Vec<f32>),
}

/// The attributions of one explainer.
#[derive(Debug, Clone)]
pub struct Maps {
    /// Label of the explainer.
    pub explainer: String,
    /// Whether it explains the probability of a class where the model's output is a logit.
    pub of_probability: bool,
    /// `[n, c, h, w]` or `[n, features]`, or why there are none.
    pub attributions: Result<Vec<f32>, String>,
    /// How well a local surrogate fits the model around each row (R² of LIME); none where the
    /// explainer has no surrogate.
    pub local_fit: Vec<Option<f32>>,
    /// Interaction values, `[n, features, features]`, where they were asked for and the explainer can
    /// give them: symmetric, main effects on the diagonal, off it halves of interactions, each row
    /// adding up to a feature's attribution.
    pub interactions: Option<Result<Vec<f32>, String>>,
}

/// One model's answer on all rows.
#[derive(Debug, Clone)]
pub struct ExplainedModel {
    /// Label of the model.
    pub model: String,
    /// Its outputs, `[n, classes]`.
    pub logits: Vec<f32>,
    /// What they are.
    pub(crate) output_kind: OutputFacts,
    /// The predicted class of each row.
    pub predictions: Vec<usize>,
    /// The explained class of each row.
    pub targets: Vec<usize>,
    /// Attributions by explainer.
    pub maps: Vec<Maps>,
}

impl ExplainedModel {
    /// Probability of a class for a row, where the model's outputs are probabilities or logits.
    #[must_use]
    pub fn probability(&self, row: usize, class: usize) -> Option<f64> {
        let classes = self.logits.len() / self.predictions.len().max(1);
        let outputs = self.logits.get(row * classes..(row + 1) * classes)?;
        let (value, kind) = explained_output(outputs, class, self.output_kind, true)?;
        (kind == OutputFacts::Probabilities).then_some(value)
    }
}

/// The output that an explainer explains, and what it is: the model's own, or the probability of
/// the class where that is asked for and there is one.
pub(crate) fn explained_output(
    outputs: &[f32],
    class: usize,
    kind: OutputFacts,
    probability: bool,
) -> Option<(f64, OutputFacts)> {
    let output = f64::from(*outputs.get(class)?);
    if !(probability && kind == OutputFacts::Logits) {
        return Some((output, kind));
    }
    let softmax = xbench_metrics::faithfulness::softmax_probability(outputs, class);
    Some((softmax.unwrap_or(f64::NAN), OutputFacts::Probabilities))
}

/// Everything that was computed.
#[derive(Debug, Clone)]
pub struct Explanations {
    /// Class names.
    pub classes: Vec<String>,
    /// Names of a table's columns; empty for images.
    pub features: Vec<String>,
    /// Shape of a row: channels, height, width of an image, columns of a table.
    pub shape: Vec<usize>,
    /// What was explained.
    pub rows: Vec<ExplainedRow>,
    /// The models.
    pub models: Vec<ExplainedModel>,
}

impl Explanations {
    /// Whether rows of a table were explained, not images.
    #[must_use]
    pub fn is_table(&self) -> bool {
        !self.features.is_empty()
    }
}

/// Explains images, or rows of a table.
///
/// # Errors
/// Unknown names, files that cannot be used, data that cannot be had, models that fail. An
/// explainer that fails is a part of the result.
pub fn explain(
    request: &ExplainRequest,
    observer: &dyn Observer,
) -> Result<Explanations, RunError> {
    let bench = Bench::open(&request.search, &[])?;
    bench.tell_problems(observer);
    let chosen_rows = request.data.as_deref().map(parse_rows).transpose()?;
    let set = set_of(request, chosen_rows.as_ref())?;
    let offline = request.search.offline;
    let info = &known_set(&set, offline, observer)?;
    let shelf = Shelf::of_info(&bench, info);
    let choose = |list: &str, kind: Kind| -> Result<Vec<Chosen>, RunError> {
        let mut uses = parse_plugin_uses(list)?;
        if kind == Kind::Model {
            uses.iter_mut()
                .for_each(|one| one.preset = request.preset.clone());
        }
        let found: Result<Vec<Chosen>, _> =
            uses.iter().map(|one| resolve(one, kind, &shelf)).collect();
        tell_apart(found?, &uses)
    };
    let models = choose(&request.models, Kind::Model)?;
    let explainers = choose(&request.explainers, Kind::Explainer)?;
    let input = match &chosen_rows {
        Some(rows) => from_set(rows, info, offline, observer)?,
        None if info.table => from_tables(&request.files, info, observer)?,
        None => from_photographs(&request.files, info)?,
    };
    let interacting = match request.interactions {
        true => interacting(&bench, info, input.rows.len(), &explainers)?,
        false => vec![false; explainers.len()],
    };
    let background = match explainers.iter().any(|one| one.plugin.wants_background) {
        true => background(&set, offline, observer)?,
        false => Vec::new(),
    };
    let pool = Pool::new(bench.worker_config(1), cores());
    let mut references = Vec::new();
    for model in &models {
        references.push(model_with_weights(&bench, model, &set, offline, observer)?);
    }
    let question = Question {
        bench: &bench,
        pool: &pool,
        info,
        request,
        input: &input,
        explainers: &explainers,
        interacting: &interacting,
        background: &background,
        observer,
    };
    let mut explained = Vec::new();
    for (model, reference) in models.iter().zip(&references) {
        explained.push(one_model(&question, model, reference)?);
    }
    Ok(Explanations {
        classes: info.classes.clone(),
        features: features(info),
        shape: info.shape.clone(),
        rows: input.rows,
        models: explained,
    })
}

/// Labels name files and panels: what stands there several times is labelled with its parameters.
fn tell_apart(mut chosen: Vec<Chosen>, uses: &[PluginUse]) -> Result<Vec<Chosen>, RunError> {
    let plain: Vec<String> = chosen.iter().map(|one| one.label.clone()).collect();
    for (one, given) in chosen.iter_mut().zip(uses) {
        let twins = plain.iter().filter(|label| **label == one.label).count();
        if twins > 1 && !given.params.is_empty() {
            let params: Vec<String> = given
                .params
                .iter()
                .map(|(name, value)| match value.as_str() {
                    Some(text) => format!("{name}: {text}"),
                    None => format!("{name}: {value}"),
                })
                .collect();
            one.label = format!("{}{{{}}}", one.label, params.join(", "));
        }
    }
    for (number, one) in chosen.iter().enumerate() {
        let before = &chosen[..number];
        if before.iter().any(|other| other.label == one.label) {
            return Err(RunError::Flag(format!(
                "{} stands there twice; name it once, or with other parameters: '{}{{…}}'",
                one.label, plain[number]
            )));
        }
    }
    Ok(chosen)
}

/// Which explainers give interaction values.
fn interacting(
    bench: &Bench,
    info: &SetInfo,
    rows: usize,
    explainers: &[Chosen],
) -> Result<Vec<bool>, RunError> {
    if !info.table {
        return Err(RunError::Flag(format!(
            "--interactions is for the features of a table; {} has images",
            info.id
        )));
    }
    let can = |schema: &serde_json::Value| schema["properties"].get(INTERACTIONS_WITH).is_some();
    let mut found = Vec::new();
    for chosen in explainers {
        let plugin = bench.plugin(Kind::Explainer, &chosen.plugin.id)?;
        found.push(can(&plugin.params_schema));
    }
    if !found.contains(&true) {
        let plugins = bench.catalog().plugins().iter();
        let able: Vec<&str> = plugins
            .filter(|plugin| can(&plugin.params_schema))
            .map(|plugin| plugin.short.as_str())
            .collect();
        return Err(RunError::Flag(format!(
            "--interactions: none of these explainers gives interaction values; name one that \
             does: {}",
            able.join(", ")
        )));
    }
    let features = info.shape.iter().product::<usize>();
    let values = features.saturating_mul(features).saturating_mul(rows);
    if values > MOST_INTERACTIONS {
        return Err(RunError::Flag(format!(
            "--interactions: {rows} rows have {values} values of {features} × {features} \
             features, more than {MOST_INTERACTIONS}; name fewer rows"
        )));
    }
    Ok(found)
}

/// Rows of the set's training split as they are sent to a worker: as many of each class.
fn background(set: &SetRef, offline: bool, observer: &dyn Observer) -> Result<Vec<u8>, RunError> {
    let (set, _) = load_data(set, None, None, Splits::All, offline, observer)?;
    let classes = set.classes.len().max(1);
    let count = (BACKGROUND / classes * classes).max(classes.min(BACKGROUND));
    let rows = background_rows(&set, count, observer)?;
    if rows.is_empty() {
        return Err(RunError::Flag(format!(
            "an explainer asks for rows of the training split, and {} has none",
            set.id
        )));
    }
    Ok(RowLayout::of(&set.train).pack(&set.train, &rows))
}

/// What is known of a set; it is read where only that tells.
fn known_set(set: &SetRef, offline: bool, observer: &dyn Observer) -> Result<SetInfo, RunError> {
    let mut info = set_info(set)?;
    let unnamed = info.table && info.features.is_empty();
    if info.shape.is_empty() || info.classes.is_empty() || unnamed {
        let (read, _) = load_data(set, None, None, Splits::TestOnly, offline, observer)?;
        (info.shape, info.classes) = (read.shape, read.classes);
        info.features = read.features;
    }
    Ok(info)
}

/// Names of a table's columns.
fn features(info: &SetInfo) -> Vec<String> {
    if !info.table {
        return Vec::new();
    }
    (0..info.shape.iter().product())
        .map(|column| match info.features.get(column) {
            Some(name) => name.clone(),
            None => format!("column {column}"),
        })
        .collect()
}

fn layout_of(info: &SetInfo) -> RowLayout {
    RowLayout {
        shape: info.shape.clone(),
        table: info.table,
    }
}
