//! `xbench explain`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use image::RgbImage;
use serde_json::{Value, json};
use xbench_record::{ExitCode, write_file};
use xbench_report::{
    Cell, MapPanel, STRIP_ROWS, StripFigure, StripRow, Table, TableColumn, encode_png, grey_image,
    strip_image,
};
use xbench_run::{ExplainRequest, ExplainedModel, Explanations, Picture, RunError};

use crate::args::{ExplainArgs, Format};
use crate::progress::Progress;
use crate::terminal::{complain, emit, emit_json, style};

/// Most rows of a data set that are drawn without being asked for by a range.
const MOST_ROWS: usize = 200;

pub(crate) fn explain(args: &ExplainArgs) -> Result<ExitCode, RunError> {
    let draws = args.out.as_deref() != Some(Path::new("none"));
    if draws && args.data.as_ref().is_some_and(|rows| !rows.contains('[')) {
        return Err(RunError::Flag(format!(
            "--data without a range means every row; write it like garments:test[0..8], or say \
             --out none and --arrays (at most {MOST_ROWS} rows are drawn)"
        )));
    }
    if let Some(out) = args.out.as_deref().filter(|_| draws)
        && out
            .extension()
            .is_none_or(|ending| !ending.eq_ignore_ascii_case("png"))
    {
        return Err(RunError::Flag(format!(
            "--out {}: pictures are written as PNG; name a file that ends in .png",
            out.display()
        )));
    }
    let request = ExplainRequest {
        images: args.images.clone(),
        data: args.data.clone(),
        models: args.model.clone(),
        explainers: args.explainer.clone(),
        trained_on: args.trained_on.clone(),
        preset: args.preset.clone(),
        target: args.target.clone(),
        seed: args.seed,
        deadline: Duration::from_secs(args.deadline),
        search: (&args.search).into(),
    };
    let found = xbench_run::explain(&request, &Progress::new(args.quiet))?;
    let failures: Vec<String> = found
        .models
        .iter()
        .flat_map(|model| {
            let failed = model.maps.iter().filter_map(|maps| {
                let text = maps.attributions.as_ref().err()?;
                Some(format!("{} × {}: {text}", model.model, maps.explainer))
            });
            failed.collect::<Vec<String>>()
        })
        .collect();
    if let Some(folder) = &args.arrays {
        found.write_arrays(folder)?;
    }
    let pictures = write_pictures(args, &found)?;
    match args.format {
        Format::Json => emit_json(&json!({
            "pictures": predictions(&found),
            "written": pictures,
            "arrays": args.arrays,
            "failures": failures,
        }))?,
        Format::Text if !args.quiet => emit(&table(&found))?,
        Format::Text => {}
    }
    for failure in &failures {
        complain(&format!("error: {failure}"));
    }
    if !args.quiet {
        for picture in &pictures {
            complain(&format!("picture: {}", picture.display()));
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

/// Softmax probability of a class.
fn probability(found: &Explanations, model: &ExplainedModel, picture: usize, class: usize) -> f64 {
    let classes = found.classes.len();
    let row = &model.logits[picture * classes..(picture + 1) * classes];
    xbench_metrics::faithfulness::softmax_probability(row, class).unwrap_or(f64::NAN)
}

fn predictions(found: &Explanations) -> Vec<Value> {
    let pictures = found.pictures.iter().enumerate();
    pictures
        .map(|(number, picture)| {
            let models: Vec<Value> = found
                .models
                .iter()
                .map(|model| {
                    let class = model.predictions[number];
                    json!({
                        "model": model.model,
                        "predicted": found.classes[class],
                        "probability": probability(found, model, number, class),
                        "target": found.classes[model.targets[number]],
                    })
                })
                .collect();
            json!({
                "picture": picture.label,
                "label": picture.truth.map(|class| &found.classes[class]),
                "models": models,
            })
        })
        .collect()
}

fn table(found: &Explanations) -> String {
    let mut table = Table::new(vec![
        TableColumn::left("picture"),
        TableColumn::left("label"),
        TableColumn::left("model"),
        TableColumn::left("predicted"),
        TableColumn::right("probability"),
        TableColumn::left("explained"),
    ]);
    for (number, picture) in found.pictures.iter().enumerate() {
        for model in &found.models {
            let class = model.predictions[number];
            table.row(vec![
                Cell::new(&picture.label),
                Cell::new(
                    picture
                        .truth
                        .map_or("", |class| found.classes[class].as_str()),
                ),
                Cell::new(&model.model),
                Cell::new(&found.classes[class]),
                Cell::new(format!("{:.3}", probability(found, model, number, class))),
                Cell::new(&found.classes[model.targets[number]]),
            ]);
        }
    }
    table.render(&style())
}

/// Writes the strips; more rows than a picture holds make several, numbered.
fn write_pictures(args: &ExplainArgs, found: &Explanations) -> Result<Vec<PathBuf>, RunError> {
    if args.out.as_deref() == Some(Path::new("none")) {
        return Ok(Vec::new());
    }
    let base = args
        .out
        .clone()
        .unwrap_or_else(|| match args.images.first() {
            Some(image) => {
                let stem = image.file_stem().unwrap_or_default().to_string_lossy();
                PathBuf::from(format!("{stem}.explained.png"))
            }
            None => PathBuf::from("explained.png"),
        });
    if found.pictures.len() > MOST_ROWS {
        return Err(RunError::Flag(format!(
            "{} rows would be drawn; at most {MOST_ROWS} are: take a smaller range, or --out none",
            found.pictures.len()
        )));
    }
    if let Some(folder) = base
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder)
            .map_err(|error| RunError::Files(format!("{}: {error}", folder.display())))?;
    }
    let rows = strip_rows(found)?;
    let parts = rows.len().div_ceil(STRIP_ROWS);
    let mut written = Vec::with_capacity(parts);
    for (part, rows) in rows.chunks(STRIP_ROWS).enumerate() {
        let path = match parts {
            1 => base.clone(),
            _ => {
                let stem = base.file_stem().unwrap_or_default().to_string_lossy();
                base.with_file_name(format!("{stem}-{}.png", part + 1))
            }
        };
        let models: Vec<&str> = found
            .models
            .iter()
            .map(|model| model.model.as_str())
            .collect();
        let figure = StripFigure {
            title: models.join(", "),
            rows: rows.to_vec(),
        };
        let drawn = strip_image(&figure).and_then(|image| encode_png(&image));
        let bytes = drawn.map_err(|error| RunError::Files(error.to_string()))?;
        write_file(&path, &bytes).map_err(|error| RunError::Files(error.to_string()))?;
        written.push(path);
    }
    Ok(written)
}

fn strip_rows(found: &Explanations) -> Result<Vec<StripRow>, RunError> {
    let mut rows = Vec::new();
    for (number, picture) in found.pictures.iter().enumerate() {
        for model in &found.models {
            rows.push(strip_row(found, model, number, picture)?);
        }
    }
    Ok(rows)
}

/// Whether any map of an explainer has negative values: all its panels are drawn alike.
fn signed(found: &Explanations, explainer: &str) -> bool {
    let maps = found.models.iter().flat_map(|model| &model.maps);
    maps.filter(|maps| maps.explainer == explainer)
        .filter_map(|maps| maps.attributions.as_ref().ok())
        .any(|all| all.iter().any(|value| *value < 0.0))
}

fn strip_row(
    found: &Explanations,
    model: &ExplainedModel,
    number: usize,
    picture: &Picture,
) -> Result<StripRow, RunError> {
    let [channels, height, width] = found.shape;
    let area = height * width;
    let grey: Vec<f32> = (0..area)
        .map(|pixel| {
            let sum: f32 = (0..channels)
                .map(|c| f32::from(picture.pixels[c * area + pixel]))
                .sum();
            sum / (255.0 * channels as f32)
        })
        .collect();
    let input = grey_image(&grey, height, width).map_err(|e| RunError::Files(e.to_string()))?;
    let original = picture.original.as_ref().and_then(|thumbnail| {
        RgbImage::from_raw(thumbnail.width, thumbnail.height, thumbnail.rgb.clone())
    });
    let class = model.predictions[number];
    let target = model.targets[number];
    let maps = model.maps.iter().filter_map(|maps| {
        let all = maps.attributions.as_ref().ok()?;
        let own = &all[number * channels * area..(number + 1) * channels * area];
        let values: Vec<f32> = (0..area)
            .map(|pixel| (0..channels).map(|c| own[c * area + pixel]).sum())
            .collect();
        Some(MapPanel {
            title: maps.explainer.clone(),
            signed: signed(found, &maps.explainer),
            values,
            height,
            width,
        })
    });
    let label = match found.models.len() {
        1 => picture.label.clone(),
        _ => format!("{} · {}", model.model, picture.label),
    };
    Ok(StripRow {
        input,
        original,
        label,
        prediction: found.classes[class].clone(),
        probability: probability(found, model, number, class),
        truth: picture.truth.map(|class| found.classes[class].clone()),
        target: (target != class).then(|| found.classes[target].clone()),
        maps: maps.collect(),
    })
}
