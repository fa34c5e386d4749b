//! `xbench explain` on the rows of a table: waterfalls, beeswarms, matrices of interactions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde_json::{Map, Value, json};
use xbench_record::write_file;
use xbench_report::{
    Cell, FigureError, InteractionMatrix, Table, TableColumn, encode_png, interactions_image,
    significant, waterfall_image,
};
use xbench_run::{
    ExplainedModel, Explanations, InteractionPair, Maps, RunError, TableExplanations,
    interaction_pairs,
};

use crate::args::ExplainArgs;
use crate::tabular::{self, MOST, Scene};
use crate::terminal::{complain, style};

/// Most rows that get pictures of their own.
const MOST_PICTURED: usize = 20;
/// Most rows whose attributions are told one by one.
const MOST_TOLD: usize = 4;
/// Features with a line of their own in the terminal.
const MOST_LINES: usize = 10;
/// Features whose attributions are drawn along their values, and of how many rows at least.
const DEPENDENCE: usize = 3;
const DEPENDENCE_ROWS: usize = 5;

/// What cannot be drawn well is told before anything is computed.
pub(super) fn check(args: &ExplainArgs) -> Result<(), RunError> {
    let png = |out: &&PathBuf| {
        let ending = out.extension();
        ending.is_some_and(|ending| ending.eq_ignore_ascii_case("png"))
    };
    match args.out.as_ref().filter(png) {
        Some(out) => Err(RunError::Flag(format!(
            "--out {}: rows of a table get several pictures each; name a folder",
            out.display()
        ))),
        None => Ok(()),
    }
}

/// What was explained, in a few words.
fn scene<'f>(args: &ExplainArgs, found: &'f Explanations) -> Scene<'f> {
    let name = |file: &PathBuf| file.file_name().unwrap_or_default().display().to_string();
    let data = match &args.data {
        // A description's folder says nothing.
        Some(rows) => rows.rsplit(['/', '\\']).next().unwrap_or(rows).to_owned(),
        None => args
            .files
            .iter()
            .map(name)
            .collect::<Vec<String>>()
            .join(", "),
    };
    Scene {
        data,
        classes: &found.classes,
    }
}

pub(super) fn write_pictures(
    args: &ExplainArgs,
    found: &Explanations,
) -> Result<Vec<PathBuf>, RunError> {
    if args.out.as_deref() == Some(Path::new("none")) {
        return Ok(Vec::new());
    }
    let folder = args.out.clone().unwrap_or_else(|| {
        let stem = args.files.first().and_then(|file| file.file_stem());
        let stem = stem.map(|stem| format!("{}.", stem.to_string_lossy()));
        PathBuf::from(format!("{}explained", stem.unwrap_or_default()))
    });
    if found.rows.len() > MOST_PICTURED && !args.quiet {
        complain(&format!(
            "note: {} rows are drawn together; waterfalls are drawn of up to {MOST_PICTURED} rows, \
             named like --data 'SET:test[3,17]'",
            found.rows.len()
        ));
    }
    std::fs::create_dir_all(&folder)
        .map_err(|error| RunError::Files(format!("{}: {error}", folder.display())))?;
    let mut written = Vec::new();
    let mut names = BTreeSet::new();
    for (name, picture) in pictures(&scene(args, found), found) {
        // Rows of files of one name in several folders.
        let mut unique = name.clone();
        let mut copy = 2;
        while !names.insert(unique.clone()) {
            unique = format!("{name}-{copy}");
            copy += 1;
        }
        let path = folder.join(format!("{unique}.png"));
        let bytes = picture
            .and_then(|picture| encode_png(&picture))
            .map_err(|error| RunError::Files(format!("{}: {error}", path.display())))?;
        write_file(&path, &bytes).map_err(|error| RunError::Files(error.to_string()))?;
        written.push(path);
    }
    Ok(written)
}

type Drawn = (String, Result<RgbImage, FigureError>);

fn pictures(scene: &Scene<'_>, found: &Explanations) -> Vec<Drawn> {
    let tables = found.tables();
    let mut pictures = Vec::new();
    for table in &tables {
        let name = |kind: &str| slug(&format!("{}-{}-{kind}", table.model, table.explainer));
        if found.rows.len() > 1 && !table.same_for_all() {
            pictures.push((name("beeswarm"), tabular::beeswarm(scene, table)));
            let few = found.rows.len() < DEPENDENCE_ROWS;
            let features = tabular::greatest(table, if few { 0 } else { DEPENDENCE });
            for (number, feature) in features.into_iter().enumerate() {
                let kind = format!("dependence-{}", number + 1);
                pictures.push((name(&kind), tabular::dependence(scene, table, feature)));
            }
        }
        if found.rows.len() <= MOST_PICTURED && !table.same_for_all() {
            for (number, row) in found.rows.iter().enumerate() {
                let title = format!("{} by {}: {}", table.model, table.explainer, row.label);
                let notes = vec![said(found, &table.model, number)];
                let waterfall = tabular::waterfall(scene, table, number, title, notes);
                if let Some(waterfall) = waterfall {
                    let kind = format!("waterfall-{}", row.label);
                    pictures.push((name(&kind), waterfall_image(&waterfall, MOST)));
                }
            }
        }
    }
    for model in &found.models {
        let own: Vec<&TableExplanations> =
            tables.iter().filter(|t| t.model == model.model).collect();
        if !own.is_empty() && (own.len() > 1 || found.rows.len() > 1) {
            let name = slug(&format!("{}-features", model.model));
            pictures.push((name, tabular::features(scene, &model.model, &own)));
        }
        for maps in &model.maps {
            pictures.extend(matrices(scene, found, &tables, model, maps));
        }
    }
    pictures
}

/// What a model says of a row.
fn said(found: &Explanations, model: &str, row: usize) -> String {
    let Some(model) = found.models.iter().find(|one| one.model == model) else {
        return String::new();
    };
    let class = model.predictions[row];
    let mut said = format!("predicted {}", found.classes[class]);
    if let Some(probability) = model.probability(row, class) {
        said.push_str(&format!(", probability {probability:.3}"));
    }
    if let Some(truth) = found.rows[row].truth {
        said.push_str(&format!("; labelled {}", found.classes[truth]));
    }
    said
}

/// The matrices of interaction values: of all rows, and of each.
fn matrices(
    scene: &Scene<'_>,
    found: &Explanations,
    tables: &[TableExplanations],
    model: &ExplainedModel,
    maps: &Maps,
) -> Vec<Drawn> {
    let Some(Ok(values)) = &maps.interactions else {
        return Vec::new();
    };
    let own = |table: &&TableExplanations| {
        table.model == model.model && table.explainer == maps.explainer
    };
    let Some(table) = tables.iter().find(own) else {
        return Vec::new();
    };
    let name = slug(&format!("{}-{}-interactions", model.model, maps.explainer));
    let by = format!("{} by {}", model.model, maps.explainer);
    let unit = format!("interaction values, {}", tabular::unit(scene, table));
    let side = found.features.len();
    let mut drawn = Vec::new();
    let several = found.rows.len() > 1;
    if several {
        let mut mean = vec![0.0; side * side];
        for matrix in values.chunks_exact((side * side).max(1)) {
            for (mean, &value) in mean.iter_mut().zip(matrix) {
                *mean += f64::from(value).abs() / found.rows.len() as f64;
            }
        }
        let matrix = InteractionMatrix {
            title: format!("{by}, {}", scene.data),
            notes: vec![format!("{unit}; {} rows", found.rows.len())],
            features: found.features.clone(),
            values: mean,
            signed: false,
        };
        drawn.push((name.clone(), interactions_image(&matrix, MOST)));
    }
    if found.rows.len() > MOST_PICTURED {
        return drawn;
    }
    let matrices = values.chunks_exact((side * side).max(1));
    for (number, (row, matrix)) in found.rows.iter().zip(matrices).enumerate() {
        let matrix = InteractionMatrix {
            title: format!("{by}: {}", row.label),
            notes: vec![said(found, &model.model, number), unit.clone()],
            features: found.features.clone(),
            values: matrix.iter().map(|&value| f64::from(value)).collect(),
            signed: true,
        };
        let name = format!("{name}-{}", slug(&row.label));
        drawn.push((name, interactions_image(&matrix, MOST)));
    }
    drawn
}

/// A text as a part of a file's name.
fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.chars() {
        let c = if c.is_alphanumeric() || "_.".contains(c) {
            c
        } else {
            '-'
        };
        if c != '-' || !slug.ends_with('-') {
            slug.push(c);
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// Every row with its values, and what is said of it.
pub(super) fn rows(found: &Explanations) -> Vec<Value> {
    let tables = found.tables();
    let features = found.features.len();
    let named = |values: &[f64]| -> Map<String, Value> {
        let pairs = found.features.iter().zip(values);
        pairs
            .map(|(name, &value)| (name.clone(), json!(value)))
            .collect()
    };
    let of_row = |values: &[f64], row: usize| named(&values[row * features..(row + 1) * features]);
    let mut rows = Vec::new();
    for (number, row) in found.rows.iter().enumerate() {
        let mut models = Vec::new();
        for model in &found.models {
            let own = tables.iter().filter(|table| table.model == model.model);
            let explanations: Vec<Value> = own
                .map(|table| {
                    json!({
                        "explainer": table.explainer,
                        "unit": table.unit,
                        "output": table.outputs[number],
                        "base": table.base(number),
                        "attributions": of_row(&table.attributions, number),
                    })
                })
                .collect();
            let class = model.predictions[number];
            models.push(json!({
                "model": model.model,
                "predicted": found.classes[class],
                "probability": model.probability(number, class),
                "target": found.classes[model.targets[number]],
                "explanations": explanations,
            }));
        }
        let values: Vec<f64> = row
            .features()
            .iter()
            .map(|&value| f64::from(value))
            .collect();
        rows.push(json!({
            "row": row.label,
            "label": row.truth.map(|class| &found.classes[class]),
            "values": named(&values),
            "models": models,
        }));
    }
    rows
}

/// Pairs of features by model and explainer, the strongest first.
pub(super) fn interactions(found: &Explanations) -> Vec<Value> {
    let mut all = Vec::new();
    for model in &found.models {
        for maps in &model.maps {
            if let Some(Ok(values)) = &maps.interactions {
                all.push(json!({
                    "model": model.model,
                    "explainer": maps.explainer,
                    "pairs": interaction_pairs(&found.features, values),
                }));
            }
        }
    }
    all
}

/// Attributions row by row where there are few, else their mean magnitudes; the strongest pairs.
pub(super) fn text(found: &Explanations) -> String {
    let tables = found.tables();
    let mut text = String::new();
    for model in &found.models {
        let own: Vec<&TableExplanations> =
            tables.iter().filter(|t| t.model == model.model).collect();
        if own.is_empty() {
            continue;
        }
        if found.rows.len() <= MOST_TOLD {
            for (number, row) in found.rows.iter().enumerate() {
                let class = &found.classes[model.targets[number]];
                let title = format!("{}, {}: what speaks for {class}", model.model, row.label);
                text.push_str(&format!("\n{title}\n{}", row_text(found, &own, number)));
            }
        } else {
            let title = format!("{}: mean |attribution|", model.model);
            text.push_str(&format!("\n{title}\n{}", mean_text(found, &own)));
        }
        for maps in &model.maps {
            if let Some(Ok(values)) = &maps.interactions {
                let title = format!("{} by {}: interactions", model.model, maps.explainer);
                text.push_str(&format!("\n{title}\n{}", pairs_text(found, values)));
            }
        }
    }
    text
}

fn heads(first: &[&str], tables: &[&TableExplanations]) -> Vec<TableColumn> {
    let mut columns = vec![TableColumn::left(first[0])];
    columns.extend(first[1..].iter().map(|name| TableColumn::right(name)));
    columns.extend(tables.iter().map(|t| TableColumn::right(&t.explainer)));
    columns
}

/// Features by their share in what all explainers give, the greatest first; explainers' units differ.
fn order(magnitudes: &[Vec<f64>]) -> Vec<usize> {
    let features = magnitudes.first().map_or(0, Vec::len);
    let mut shares = vec![0.0; features];
    for own in magnitudes {
        let sum: f64 = own.iter().sum();
        if sum > 0.0 && sum.is_finite() {
            for (share, magnitude) in shares.iter_mut().zip(own) {
                *share += magnitude / sum;
            }
        }
    }
    let mut order: Vec<usize> = (0..features).collect();
    order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
    order
}

fn others(count: usize) -> String {
    match count {
        1 => "1 other feature".to_owned(),
        several => format!("{several} other features"),
    }
}

fn row_text(found: &Explanations, tables: &[&TableExplanations], row: usize) -> String {
    let features = found.features.len();
    let at = row * features;
    let of = |table: &TableExplanations| table.attributions[at..at + features].to_vec();
    let magnitudes: Vec<Vec<f64>> = tables
        .iter()
        .map(|table| of(table).iter().map(|a| a.abs()).collect())
        .collect();
    let order = order(&magnitudes);
    let (own, rest) = order.split_at(order.len().min(MOST_LINES));
    let mut table = Table::new(heads(&["feature", "value"], tables));
    let mut line = |name: &str, value: String, of: &dyn Fn(&TableExplanations) -> f64| {
        let mut cells = vec![Cell::new(name), Cell::new(value)];
        cells.extend(tables.iter().map(|table| Cell::new(significant(of(table)))));
        table.row(cells);
    };
    for &feature in own {
        let value = tabular::value_text(f64::from(found.rows[row].features()[feature]));
        let name = &found.features[feature];
        line(name, value, &|table| table.attributions[at + feature]);
    }
    if !rest.is_empty() {
        let sum = |table: &TableExplanations| rest.iter().map(|f| table.attributions[at + f]).sum();
        line(&others(rest.len()), String::new(), &sum);
    }
    line("output less all of these", String::new(), &|t| t.base(row));
    line("output", String::new(), &|t| t.outputs[row]);
    let units: Vec<Cell> = tables.iter().map(|table| Cell::new(table.unit)).collect();
    table.row([vec![Cell::new("unit"), Cell::new("")], units].concat());
    table.render(&style())
}

fn mean_text(found: &Explanations, tables: &[&TableExplanations]) -> String {
    let magnitudes: Vec<Vec<f64>> = tables.iter().map(|t| tabular::magnitudes(t)).collect();
    let order = order(&magnitudes);
    let (own, rest) = order.split_at(order.len().min(MOST_LINES));
    let mut table = Table::new(heads(&["feature"], tables));
    let mut line = |name: &str, features: &[usize]| {
        let sums = magnitudes
            .iter()
            .map(|of| Cell::new(significant(features.iter().map(|&f| of[f]).sum())));
        table.row([vec![Cell::new(name)], sums.collect()].concat());
    };
    for &feature in own {
        line(&found.features[feature], &[feature]);
    }
    if !rest.is_empty() {
        line(&others(rest.len()), rest);
    }
    table.render(&style())
}

fn pairs_text(found: &Explanations, values: &[f32]) -> String {
    let mut table = Table::new(vec![
        TableColumn::left("feature"),
        TableColumn::left("with"),
        TableColumn::right("mean |value|"),
        TableColumn::right("mean"),
    ]);
    let pairs = interaction_pairs(&found.features, values);
    let apart = |pair: &&InteractionPair| pair.feature != pair.with && pair.mean_abs > 0.0;
    if !pairs.iter().any(|pair| apart(&pair)) {
        return "no two features do anything together\n".to_owned();
    }
    for pair in pairs.iter().filter(apart).take(MOST_LINES) {
        table.row(vec![
            Cell::new(&pair.feature),
            Cell::new(&pair.with),
            Cell::new(significant(pair.mean_abs)),
            Cell::new(significant(pair.mean)),
        ]);
    }
    table.render(&style())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain() {
        assert_eq!(slug("fetal-health:test[3]"), "fetal-health-test-3");
        assert_eq!(slug("a b/c:2"), "a-b-c-2");
        assert_eq!(slug("busi{size: 96}:test[0]"), "busi-size-96-test-0");
    }

    #[test]
    fn features_are_ordered_by_shares() {
        // The second explainer's unit is a thousand times the first's.
        let order = order(&[vec![0.5, 0.3, 0.2], vec![0.0, 900.0, 100.0]]);
        assert_eq!(order, [1, 0, 2]);
        assert_eq!(super::order(&[vec![0.0, 0.0]]), [0, 1]);
        assert_eq!(super::order(&[]), [0; 0]);
    }
}
