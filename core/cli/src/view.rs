//! What a run found, as the report draws it.

use std::collections::BTreeMap;

use xbench_metrics::{Direction as Better, find};
use xbench_report::{
    CellFailure, Column, Direction, Estimate, LeaderboardView, ModelBlock, Row, RowStatus,
};
use xbench_run::{CellSummary, ModelSummary, Summary};

pub(crate) fn estimate(from: xbench_run::Estimate) -> Estimate {
    if from.n < 2 {
        // A single value has no interval.
        return Estimate::exact(from.value);
    }
    Estimate {
        value: from.value,
        low: from.low,
        high: from.high,
    }
}

/// Sentences of reports are about images; those of a table are about its rows.
pub(crate) fn in_rows(summary: &Summary, text: String) -> String {
    if summary.tables.is_empty() {
        return text;
    }
    of_rows(&text)
}

fn of_rows(text: &str) -> String {
    let text = text
        .replace("images per row", "rows")
        .replace("image per row", "row");
    let of_word = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let mut rows = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let inside = of_word(first);
        let end = rest.find(|c| of_word(c) != inside).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rows.push_str(match part {
            "image" => "row",
            "images" => "rows",
            other => other,
        });
        rest = after;
    }
    rows
}

/// A score's direction as an arrow.
pub(crate) fn direction(better: Better) -> Direction {
    match better {
        Better::Higher => Direction::Higher,
        Better::Lower => Direction::Lower,
        Better::None => Direction::Neither,
    }
}

/// The leaderboard, ranking scores first.
pub(crate) fn leaderboard(summary: &Summary) -> LeaderboardView {
    let ranks = |id: &String| summary.ranking.contains(id);
    let mut ids: Vec<&String> = summary.ranking.iter().collect();
    ids.extend(summary.scores.iter().filter(|id| !ranks(id)));
    // What applies nowhere, as a score of masks to a table, would only take room.
    let applies = |id: &&String| {
        let mut cells = summary.models.iter().flat_map(|model| &model.cells);
        cells.any(|cell| cell.scores.contains_key(*id))
    };
    if ids.iter().any(applies) {
        ids.retain(applies);
    }
    let columns = ids.iter().map(|id| Column {
        id: (*id).clone(),
        title: title(id),
        direction: find(id).map_or(Direction::Neither, |score| direction(score.direction)),
        chance: summary.chance.get(*id).copied(),
    });
    LeaderboardView {
        suite: summary.suite.clone(),
        data_set: summary.data_set.clone(),
        n: summary.n,
        columns: columns.collect(),
        models: summary
            .models
            .iter()
            // A model that nothing explains stands in the table of models alone.
            .filter(|model| !model.cells.is_empty() || model.error.is_some())
            .map(|model| block(model, &ids))
            .collect(),
        warnings: warnings(summary),
        full_table: summary.folder.join("leaderboard.csv").display().to_string(),
    }
}

/// A column's head: short, since tables are wide.
fn title(id: &str) -> String {
    match id {
        "relevance_mass" => "mass",
        "relevance_rank" => "rank acc",
        "pointing_game" => "pointing",
        "iou_at_mask" => "IoU@M",
        "best_iou" => "best IoU",
        "deletion_auc" => "deletion",
        "insertion_auc" => "insertion",
        "faithfulness_correlation" => "faith corr",
        "auroc" => "AUROC",
        "auprc" => "AUPRC",
        other => other,
    }
    .to_owned()
}

/// A model's label, with its preset.
pub(crate) fn model_name(model: &ModelSummary) -> String {
    with_preset(&model.model, &model.preset)
}

/// A label with the preset behind it, unless it ends with the preset's name already.
pub(crate) fn with_preset(label: &str, preset: &str) -> String {
    if preset.is_empty() || label.strip_suffix(preset).is_some_and(|l| l.ends_with('-')) {
        label.to_owned()
    } else {
        format!("{label} ({preset})")
    }
}

fn block(model: &ModelSummary, ids: &[&String]) -> ModelBlock {
    ModelBlock {
        name: model_name(model),
        accuracy: model
            .accuracy
            .as_ref()
            .map(|found| estimate(found.accuracy)),
        macro_f1: model.accuracy.as_ref().map(|found| found.macro_f1.value),
        rows: model.cells.iter().map(|cell| row(cell, ids)).collect(),
    }
}

/// Numbers of groups as letters, which cannot be taken for ranks: 1 is `a`, 27 is `A`.
fn letters(groups: &[usize]) -> String {
    let letter = |&group: &usize| match u8::try_from(group) {
        Ok(number @ 1..=26) => char::from(b'a' + number - 1).to_string(),
        Ok(number @ 27..=52) => char::from(b'A' + number - 27).to_string(),
        _ => format!("({group})"),
    };
    groups.iter().map(letter).collect()
}

fn row(cell: &CellSummary, ids: &[&String]) -> Row {
    Row {
        explainer: cell.explainer.clone(),
        control: cell.control,
        status: if cell.status == "ok" {
            RowStatus::Complete
        } else {
            RowStatus::Incomplete {
                status: cell.status.clone(),
                note: cell.text.clone(),
                partial: false,
            }
        },
        group: letters(&cell.rank_groups),
        mean_rank: cell.mean_rank.map(|rank| rank.value),
        rank_interval: cell.mean_rank.map(|rank| (rank.low, rank.high)),
        p_first: cell.p_first,
        scores: ids
            .iter()
            .map(|id| cell.scores.get(*id).copied().map(estimate))
            .collect(),
        forward_rows: cell.forward_rows,
        backward_rows: cell.backward_rows,
        ms_per_image: cell.ms_per_image.map(estimate),
        beats_controls: cell.beats_controls,
    }
}

/// What a reader of the table must know.
fn warnings(summary: &Summary) -> Vec<String> {
    let mut warnings = summary.warnings.clone();
    for model in &summary.models {
        for id in &summary.ranking {
            let complete = model.cells.iter().filter(|cell| cell.status == "ok");
            let counts: Vec<usize> = complete
                .map(|cell| cell.scores.get(id).map_or(0, |score| score.n))
                .collect();
            let (Some(&low), Some(&high)) = (counts.iter().min(), counts.iter().max()) else {
                continue;
            };
            if low < summary.n {
                let range = if low == high {
                    low.to_string()
                } else {
                    format!("{low} to {high}")
                };
                warnings.push(format!(
                    "{}: {} applies to {range} of {} images{}",
                    model.model,
                    title(id),
                    summary.n,
                    commonest_reason(model, id)
                ));
            }
        }
    }
    warnings
}

/// Why a score applies to no more images, in words, where that is known.
fn commonest_reason(model: &ModelSummary, id: &str) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for reasons in model
        .cells
        .iter()
        .filter_map(|cell| cell.not_applicable.get(id))
    {
        for (reason, count) in reasons {
            *counts.entry(reason).or_default() += count;
        }
    }
    let commonest = counts.into_iter().max_by_key(|(_, count)| *count);
    commonest.map_or_else(String::new, |(reason, _)| {
        format!(
            " (mostly {}; counted by reason in records.jsonl)",
            reason.replace('_', " ")
        )
    })
}

/// Cells without a result, with what to do about them.
pub(crate) fn failures(summary: &Summary) -> Vec<CellFailure> {
    let mut failures = Vec::new();
    for model in &summary.models {
        if let Some(error) = &model.error {
            // One entry for the model, not one for each of its cells.
            failures.push(CellFailure {
                cell: format!("{} × {} explainers", model.model, model.cells.len()),
                status: "failed".to_owned(),
                text: error.clone(),
                remedy: "mend the model or its weights, then run the suite again".to_owned(),
            });
            continue;
        }
        for cell in model.cells.iter().filter(|cell| cell.status != "ok") {
            failures.push(CellFailure {
                cell: format!("{} × {}", model.model, cell.explainer),
                status: cell.status.clone(),
                text: cell.text.clone(),
                remedy: match cell.status.as_str() {
                    "unsupported" => "take another model or leave the pair out; it counts neither \
                                      for nor against"
                        .to_owned(),
                    "timeout" => {
                        "raise `deadline` in the suite, or give the explainer less to do".to_owned()
                    }
                    "crashed" => {
                        "report it to the plugin's author; run the suite again to retry".to_owned()
                    }
                    _ => "see the text; run the suite again to retry".to_owned(),
                },
            });
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_a_table_are_about_rows() {
        assert_eq!(
            of_rows("tabular · fetal-health · 425 images per row"),
            "tabular · fetal-health · 425 rows"
        );
        assert_eq!(
            of_rows("applies to 1 of 425 images (mostly baseline above image);\nno image's"),
            "applies to 1 of 425 rows (mostly baseline above row);\nno row's"
        );
        let names = "my-image image_b test.images imagery";
        assert_eq!(of_rows(names), names);
    }

    #[test]
    fn a_single_value_has_no_interval() {
        let of = |n| {
            estimate(xbench_run::Estimate {
                value: 0.5,
                low: 0.5,
                high: 0.5,
                n,
            })
        };
        assert_eq!(of(1).half_width(), None);
        assert_eq!(of(2).half_width(), Some(0.0));
    }
}
