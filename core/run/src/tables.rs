//! The attributions of a table's columns beside the columns' values, for pictures of them.

use crate::cells::CellResult;
use crate::explain::{Content, Explanations, explained_output};
use crate::models::ModelResult;
use crate::session::Session;
use crate::task::OutputFacts;

/// What one explainer says of one model on the explained rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableExplanations {
    /// Label of the model.
    pub model: String,
    /// Label of the explainer.
    pub explainer: String,
    /// Names of the columns.
    pub features: Vec<String>,
    /// What the columns hold, `[rows, features]`.
    pub values: Vec<f64>,
    /// What they are given, `[rows, features]`.
    pub attributions: Vec<f64>,
    /// The explained class of each row.
    pub targets: Vec<usize>,
    /// What is explained for it, of each row: the model's output, or its probability.
    pub outputs: Vec<f64>,
    /// What that is: `logit`, `probability` or `output`.
    pub unit: &'static str,
}

impl TableExplanations {
    /// What attributions start from: a row's output less all of them. Of Shapley values the output that
    /// is expected while nothing is known of the row; of methods whose attributions do not add up,
    /// what they leave unexplained besides.
    #[must_use]
    pub fn base(&self, row: usize) -> f64 {
        let features = self.features.len();
        let attributions = self
            .attributions
            .get(row * features..(row + 1) * features)
            .unwrap_or(&[]);
        self.outputs.get(row).copied().unwrap_or(f64::NAN) - attributions.iter().sum::<f64>()
    }

    /// Whether every row is given the same, as by importances of the model as a whole.
    #[must_use]
    pub fn same_for_all(&self) -> bool {
        let features = self.features.len().max(1);
        let mut rows = self.attributions.chunks_exact(features);
        let first = rows.next();
        self.targets.len() > 1 && rows.all(|row| Some(row) == first)
    }
}

fn unit(kind: OutputFacts) -> &'static str {
    match kind {
        OutputFacts::Logits => "logit",
        OutputFacts::Probabilities => "probability",
        OutputFacts::Values => "output",
    }
}

impl Explanations {
    /// What each explainer says of each model, for pictures; nothing of those that failed, and
    /// nothing for images.
    #[must_use]
    pub fn tables(&self) -> Vec<TableExplanations> {
        let mut values = Vec::new();
        for row in &self.rows {
            match &row.content {
                Content::Features(features) => {
                    values.extend(features.iter().map(|&v| f64::from(v)))
                }
                Content::Image { .. } => return Vec::new(),
            }
        }
        let mut tables = Vec::new();
        for model in &self.models {
            for maps in &model.maps {
                let Ok(attributions) = &maps.attributions else {
                    continue;
                };
                let rows = model.logits.chunks_exact(self.classes.len().max(1));
                let outputs: Option<Vec<(f64, OutputFacts)>> = rows
                    .zip(&model.targets)
                    .map(|(row, &target)| {
                        explained_output(row, target, model.output_kind, maps.of_probability)
                    })
                    .collect();
                let Some(outputs) = outputs else { continue };
                tables.push(TableExplanations {
                    model: model.model.clone(),
                    explainer: maps.explainer.clone(),
                    features: self.features.clone(),
                    values: values.clone(),
                    attributions: attributions.iter().map(|&a| f64::from(a)).collect(),
                    targets: model.targets.clone(),
                    unit: outputs.first().map_or("output", |one| unit(one.1)),
                    outputs: outputs.into_iter().map(|one| one.0).collect(),
                });
            }
        }
        tables
    }
}

/// Of every cell that was explained, controls aside; empty for images.
pub(crate) fn tables(
    session: &Session<'_>,
    models: &[ModelResult],
    results: &[CellResult],
) -> Vec<TableExplanations> {
    let split = session.split();
    if !split.is_table() {
        return Vec::new();
    }
    let features: Vec<String> = (0..split.row_len())
        .map(|column| match session.set.features.get(column) {
            Some(name) => name.clone(),
            None => format!("column {column}"),
        })
        .collect();
    let mut values = Vec::new();
    let mut row_values = Vec::new();
    for &row in &session.rows {
        split.row_f32(row, &mut row_values);
        values.extend(row_values.iter().map(|&value| f64::from(value)));
    }
    // Outputs stand by the rows on which accuracy is measured, which hold the explained ones.
    let measured = session.accuracy_rows();
    results
        .iter()
        .filter(|cell| cell.is_ok() && !session.checked.explainers[cell.explainer].plugin.control)
        .filter_map(|cell| {
            let model = models[cell.model].as_ref().ok()?;
            let classes = model.facts.outputs;
            let targets: Vec<usize> = model
                .targets
                .iter()
                .map(|&target| usize::try_from(target).ok())
                .collect::<Option<_>>()?;
            let chosen = &session.checked.explainers[cell.explainer];
            let of_probability = chosen.params["outcome"] == "probability";
            let outputs = session.rows.iter().zip(&targets).map(|(row, &target)| {
                let place = measured.binary_search(row).ok()?;
                let own = model.outputs.get(place * classes..(place + 1) * classes)?;
                explained_output(own, target, model.facts.output_kind, of_probability)
            });
            let outputs: Vec<(f64, OutputFacts)> = outputs.collect::<Option<_>>()?;
            Some(TableExplanations {
                model: session.checked.models[cell.model].label.clone(),
                explainer: chosen.label.clone(),
                features: features.clone(),
                values: values.clone(),
                attributions: cell.attributions.iter().map(|&a| f64::from(a)).collect(),
                unit: outputs.first().map_or("output", |one| unit(one.1)),
                outputs: outputs.into_iter().map(|one| one.0).collect(),
                targets,
            })
        })
        .collect()
}
