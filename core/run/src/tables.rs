//! The attributions of a table's columns beside the columns' values, for pictures of them.

use crate::cells::CellResult;
use crate::models::ModelResult;
use crate::session::Session;

/// What one explainer says of one model on the explained rows of a table.
#[derive(Debug, Clone)]
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
    /// The model's output for it.
    pub outputs: Vec<f64>,
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
            let outputs = session.rows.iter().zip(&targets).map(|(row, target)| {
                let place = measured.binary_search(row).ok()?;
                let output = model.outputs.get(place * classes + target)?;
                Some(f64::from(*output))
            });
            Some(TableExplanations {
                model: session.checked.models[cell.model].label.clone(),
                explainer: session.checked.explainers[cell.explainer].label.clone(),
                features: features.clone(),
                values: values.clone(),
                attributions: cell.attributions.iter().map(|&a| f64::from(a)).collect(),
                outputs: outputs.collect::<Option<_>>()?,
                targets,
            })
        })
        .collect()
}
