//! Who agrees with whom and which classes are confused: pictures beside a run's tables, or text.

use std::path::Path;

use xbench_record::write_file;
use xbench_report::{
    AgreementMatrix, ConfusionMatrix, FigureError, Style, agreement_image, agreement_text,
    confusion_image, confusion_text, encode_png,
};
use xbench_run::{ModelSummary, RunError, Summary};

/// Writes `agreement-<model>.png` and `confusion/<model>.png` into the folder of results.
pub(crate) fn write(summary: &Summary) -> Result<(), RunError> {
    for model in &summary.models {
        if let Some(matrix) = agreement(summary, model) {
            let path = summary
                .folder
                .join(format!("agreement-{}.png", model.model));
            keep(
                &path,
                agreement_image(&matrix).and_then(|image| encode_png(&image)),
            )?;
        }
        if let Some(matrix) = confusion(summary, model) {
            let path = summary
                .folder
                .join(format!("confusion/{}.png", model.model));
            keep(
                &path,
                confusion_image(&matrix).and_then(|image| encode_png(&image)),
            )?;
        }
    }
    Ok(())
}

/// The same matrices as text.
pub(crate) fn details(summary: &Summary, style: &Style) -> String {
    let mut text = String::new();
    for model in &summary.models {
        if let Some(matrix) = confusion(summary, model) {
            text.push_str(&format!("\n{}", confusion_text(&matrix, style)));
        }
        if let Some(matrix) = agreement(summary, model) {
            text.push_str(&format!("\n{}", agreement_text(&matrix, style)));
        }
    }
    text
}

fn keep(path: &Path, bytes: Result<Vec<u8>, FigureError>) -> Result<(), RunError> {
    let bytes = bytes.map_err(|error| RunError::Files(format!("{}: {error}", path.display())))?;
    write_file(path, &bytes).map_err(|error| RunError::Files(error.to_string()))
}

/// Spearman correlation of the maps of one model's explainers; `None` without two of them.
fn agreement(summary: &Summary, model: &ModelSummary) -> Option<AgreementMatrix> {
    let complete = model.cells.iter().filter(|cell| cell.status == "ok");
    let labels: Vec<String> = complete.map(|cell| cell.explainer.clone()).collect();
    let place = |label: &String| labels.iter().position(|known| known == label);
    let mut values = vec![vec![None; labels.len()]; labels.len()];
    let mut found = false;
    for pair in &summary.agreement {
        let own = pair.model_a == model.model && pair.model_b == model.model;
        if let (true, "spearman", Some(value)) = (own, pair.score.as_str(), pair.value)
            && let (Some(a), Some(b)) = (place(&pair.explainer_a), place(&pair.explainer_b))
        {
            values[a][b] = Some(value.value);
            values[b][a] = Some(value.value);
            found = true;
        }
    }
    for (number, row) in values.iter_mut().enumerate() {
        row[number] = Some(1.0);
    }
    found.then(|| AgreementMatrix {
        title: format!(
            "{}: Spearman correlation of maps, {}",
            model.model, summary.data_set
        ),
        labels,
        values,
    })
}

fn confusion(summary: &Summary, model: &ModelSummary) -> Option<ConfusionMatrix> {
    let counts = model.accuracy.as_ref()?.confusion.counts();
    Some(ConfusionMatrix {
        title: format!("{}: label × prediction, {}", model.model, summary.data_set),
        classes: summary.classes.clone(),
        counts: counts
            .chunks(summary.classes.len().max(1))
            .map(<[u64]>::to_vec)
            .collect(),
    })
}
