//! Who agrees with whom and how right the models are: pictures beside a run's tables, or text.

use std::path::Path;

use xbench_record::write_file;
use xbench_report::{
    AgreementMatrix, FigureError, RankDiagram, RankEntry, Style, agreement_image, agreement_text,
    classification_text, comparison_markdown, confusion_text, encode_png, rank_diagram_image,
    rank_diagram_svg,
};
use xbench_run::{ModelSummary, RunError, Summary};

use crate::classification;
use crate::tabular;

/// Writes the pictures of a run, or of a part of it, into its folder of results.
pub(crate) fn write(summary: &Summary) -> Result<(), RunError> {
    let folder = &summary.folder;
    for model in &summary.models {
        if let Some(matrix) = agreement(summary, model) {
            let path = folder.join(format!("agreement-{}.png", model.model));
            keep(
                &path,
                agreement_image(&matrix).and_then(|image| encode_png(&image)),
            )?;
        }
        let pictures = folder.join("pictures");
        if let Some(diagram) = ranks(summary, model) {
            make(&pictures)?;
            keep(
                &pictures.join(format!("{}-ranks.png", model.model)),
                rank_diagram_image(&diagram).and_then(|image| encode_png(&image)),
            )?;
            keep(
                &pictures.join(format!("{}-ranks.svg", model.model)),
                rank_diagram_svg(&diagram).map(String::into_bytes),
            )?;
        }
        for (kind, picture) in classification::pictures(summary, model) {
            make(&pictures)?;
            keep(
                &pictures.join(format!("{}-{kind}.png", model.model)),
                picture.and_then(|picture| encode_png(&picture)),
            )?;
        }
    }
    for (name, picture) in tabular::pictures(summary) {
        let pictures = folder.join("pictures");
        make(&pictures)?;
        keep(
            &pictures.join(format!("{name}.png")),
            picture.and_then(|picture| encode_png(&picture)),
        )?;
    }
    let comparisons = classification::comparisons(summary);
    if !comparisons.is_empty() {
        let markdown = comparison_markdown(&comparisons);
        keep(&folder.join("reproduction.md"), Ok(markdown.into_bytes()))?;
    }
    Ok(())
}

/// Reports and matrices as text.
pub(crate) fn details(summary: &Summary, style: &Style) -> String {
    let mut text = String::new();
    for model in &summary.models {
        if let Some(report) = classification::report(summary, model) {
            text.push_str(&format!("\n{}", classification_text(&report, style)));
        }
        if let Some(matrix) = classification::confusion(summary, model) {
            text.push_str(&format!("\n{}", confusion_text(&matrix, style)));
        }
        if let Some(matrix) = agreement(summary, model) {
            text.push_str(&format!("\n{}", agreement_text(&matrix, style)));
        }
    }
    text
}

/// The critical difference diagram of a model's explainers.
fn ranks(summary: &Summary, model: &ModelSummary) -> Option<RankDiagram> {
    let order = model.order.as_ref()?;
    let ranks = order.mean_ranks.iter().zip(&order.controls);
    let entries = order.explainers.iter().zip(ranks);
    let images = if order.n == 1 { "image" } else { "images" };
    let mut notes = vec![format!(
        "bars join explainers that no paired Wilcoxon test tells apart (Holm over all pairs, .05; \
         {} {images})",
        order.n
    )];
    if order.critical_difference.is_some() {
        notes.push(
            "CD: critical difference of mean ranks by Nemenyi's test, .05; on the safe side where \
             several scores rank"
                .to_owned(),
        );
    }
    if let Some(p) = order.friedman_p.filter(|&p| p >= 0.05) {
        notes.push(format!(
            "Friedman's test finds no difference at all (p = {p:.2})"
        ));
    }
    Some(RankDiagram {
        title: format!(
            "{} on {}: {}",
            model.model,
            summary.data_set,
            summary.ranking.join(", ")
        ),
        entries: entries
            .map(|(name, (rank, &control))| RankEntry {
                name: name.clone(),
                mean_rank: rank.value,
                control,
            })
            .collect(),
        runs: order.runs.clone(),
        critical_difference: order.critical_difference,
        notes,
    })
}

fn make(folder: &Path) -> Result<(), RunError> {
    std::fs::create_dir_all(folder)
        .map_err(|error| RunError::Files(format!("{}: {error}", folder.display())))
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
