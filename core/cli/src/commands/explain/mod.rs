//! `xbench explain`.

mod images;
mod tables;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use xbench_record::ExitCode;
use xbench_report::{Cell, Table, TableColumn};
use xbench_run::{ExplainRequest, Explanations, Maps, RunError};

use crate::args::{ExplainArgs, Format};
use crate::progress::Progress;
use crate::terminal::{complain, emit, emit_json, style};

/// Most rows of a table that are listed one by one.
const MOST_LISTED: usize = 20;

pub(crate) fn explain(args: &ExplainArgs) -> Result<ExitCode, RunError> {
    let request = ExplainRequest {
        files: args.files.clone(),
        data: args.data.clone(),
        models: args.model.clone(),
        explainers: args.explainer.clone(),
        trained_on: args.trained_on.clone(),
        preset: args.preset.clone(),
        target: args.target.clone(),
        interactions: args.interactions,
        seed: args.seed,
        deadline: Duration::from_secs(args.deadline),
        search: (&args.search).into(),
    };
    if request.is_of_table()? {
        tables::check(args)?;
    } else {
        images::check(args)?;
    }
    let found = xbench_run::explain(&request, &Progress::new(args.quiet))?;
    let failures = failures(&found);
    if let Some(folder) = &args.arrays {
        found.write_arrays(folder)?;
    }
    let drawn = if found.is_table() {
        tables::write_pictures(args, &found)?
    } else {
        images::write_pictures(args, &found)?
    };
    match args.format {
        Format::Json => emit_json(&document(args, &found, &drawn, &failures))?,
        Format::Text if !args.quiet => {
            emit(&predictions(&found))?;
            emit_fits(&found)?;
            if found.is_table() {
                emit(&tables::text(&found))?;
            }
        }
        Format::Text => {}
    }
    for failure in &failures {
        complain(&format!("error: {failure}"));
    }
    if !args.quiet {
        match &drawn[..] {
            [] => {}
            [first, .., last] if found.is_table() => complain(&format!(
                "pictures: {} files, {} to {}",
                drawn.len(),
                first.display(),
                last.file_name().unwrap_or_default().display()
            )),
            pictures => pictures
                .iter()
                .for_each(|picture| complain(&format!("picture: {}", picture.display()))),
        }
        if let Some(folder) = &args.arrays {
            complain(&format!("arrays: {}", folder.display()));
        }
    }
    Ok(if failures.is_empty() {
        ExitCode::Fine
    } else {
        ExitCode::CellsFailed
    })
}

/// What could not be explained, and why.
fn failures(found: &Explanations) -> Vec<String> {
    let mut failures = Vec::new();
    for model in &found.models {
        for maps in &model.maps {
            let interactions = maps
                .interactions
                .as_ref()
                .and_then(|all| all.as_ref().err());
            for (what, text) in [
                ("", maps.attributions.as_ref().err()),
                (", interactions", interactions),
            ] {
                if let Some(text) = text {
                    let pair = format!("{} × {}", model.model, maps.explainer);
                    failures.push(format!("{pair}{what}: {text}"));
                }
            }
        }
    }
    failures
}

fn document(
    args: &ExplainArgs,
    found: &Explanations,
    drawn: &[PathBuf],
    failures: &[String],
) -> Value {
    let mut document = json!({
        "written": drawn,
        "arrays": args.arrays,
        "failures": failures,
        "local_fit": fits(found),
    });
    if found.is_table() {
        document["rows"] = tables::rows(found).into();
        document["interactions"] = tables::interactions(found).into();
    } else {
        document["pictures"] = images::predictions(found).into();
    }
    document
}

/// R² of local surrogates by row, where an explainer has one.
fn fits(found: &Explanations) -> Vec<Value> {
    let mut fits = Vec::new();
    for model in &found.models {
        for maps in model.maps.iter().filter(|maps| has_fit(maps)) {
            fits.push(json!({
                "model": model.model,
                "explainer": maps.explainer,
                "r_squared": maps.local_fit,
            }));
        }
    }
    fits
}

fn has_fit(maps: &Maps) -> bool {
    maps.local_fit.iter().any(Option::is_some)
}

/// The same as a table, if there is anything to tell.
fn emit_fits(found: &Explanations) -> Result<(), RunError> {
    let mut table = Table::new(vec![
        TableColumn::left("local fit of"),
        TableColumn::left("model"),
        TableColumn::left("at"),
        TableColumn::right("R²"),
    ]);
    let mut any = false;
    for model in &found.models {
        for maps in model.maps.iter().filter(|maps| has_fit(maps)) {
            any = true;
            let rows = found.rows.iter().zip(&maps.local_fit).take(MOST_LISTED);
            for (row, fit) in rows {
                table.row(vec![
                    Cell::new(&maps.explainer),
                    Cell::new(&model.model),
                    Cell::new(&row.label),
                    Cell::new(fit.map_or_else(|| "–".to_owned(), |fit| format!("{fit:.3}"))),
                ]);
            }
        }
    }
    match any {
        true => emit(&format!("\n{}", table.render(&style()))),
        false => Ok(()),
    }
}

/// What the models say of each image or row.
fn predictions(found: &Explanations) -> String {
    let first = if found.is_table() { "row" } else { "picture" };
    let mut table = Table::new(vec![
        TableColumn::left(first),
        TableColumn::left("label"),
        TableColumn::left("model"),
        TableColumn::left("predicted"),
        TableColumn::right("probability"),
        TableColumn::left("explained"),
    ]);
    // Tables are long.
    let most = match found.is_table() {
        true => MOST_LISTED,
        false => found.rows.len(),
    };
    for (number, row) in found.rows.iter().enumerate().take(most) {
        for model in &found.models {
            let class = model.predictions[number];
            let truth = row.truth.map_or("", |class| found.classes[class].as_str());
            let probability = model.probability(number, class);
            table.row(vec![
                Cell::new(&row.label),
                Cell::new(truth),
                Cell::new(&model.model),
                Cell::new(&found.classes[class]),
                Cell::new(probability.map_or_else(|| "–".to_owned(), |p| format!("{p:.3}"))),
                Cell::new(&found.classes[model.targets[number]]),
            ]);
        }
    }
    let mut text = table.render(&style());
    if found.rows.len() > most {
        let more = found.rows.len() - most;
        text.push_str(&format!("and {more} more rows (--format json tells all)\n"));
    }
    text
}
