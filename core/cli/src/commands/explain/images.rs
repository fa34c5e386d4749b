//! `xbench explain` on images: strips of maps.

use std::path::{Path, PathBuf};

use image::RgbImage;
use serde_json::{Value, json};
use xbench_record::write_file;
use xbench_report::{
    MapPanel, STRIP_ROWS, StripFigure, StripRow, encode_png, grey_image, strip_image,
};
use xbench_run::{Content, ExplainedModel, ExplainedRow, Explanations, RunError};

use crate::args::ExplainArgs;

/// Most rows of a data set that are drawn without being asked for by a range.
const MOST_ROWS: usize = 200;

/// What cannot be drawn well is told before anything is computed.
pub(super) fn check(args: &ExplainArgs) -> Result<(), RunError> {
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
    Ok(())
}

pub(super) fn predictions(found: &Explanations) -> Vec<Value> {
    let pictures = found.rows.iter().enumerate();
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
                        "probability": model.probability(number, class),
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

/// Writes the strips; more rows than a picture holds make several, numbered.
pub(super) fn write_pictures(
    args: &ExplainArgs,
    found: &Explanations,
) -> Result<Vec<PathBuf>, RunError> {
    if args.out.as_deref() == Some(Path::new("none")) {
        return Ok(Vec::new());
    }
    let base = args
        .out
        .clone()
        .unwrap_or_else(|| match args.files.first() {
            Some(image) => {
                let stem = image.file_stem().unwrap_or_default().to_string_lossy();
                PathBuf::from(format!("{stem}.explained.png"))
            }
            None => PathBuf::from("explained.png"),
        });
    if found.rows.len() > MOST_ROWS {
        return Err(RunError::Flag(format!(
            "{} rows would be drawn; at most {MOST_ROWS} are: take a smaller range, or --out none",
            found.rows.len()
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
    for (number, picture) in found.rows.iter().enumerate() {
        for model in &found.models {
            rows.push(strip_row(found, model, number, picture)?);
        }
    }
    Ok(rows)
}

/// Whether an explainer gave any model's maps; if none, it has no column.
fn has_map(found: &Explanations, explainer: &str) -> bool {
    let mut maps = found.models.iter().flat_map(|model| &model.maps);
    maps.any(|maps| maps.explainer == explainer && maps.attributions.is_ok())
}

/// Whether any map of an explainer has negative values: all its panels are drawn alike.
fn signed(found: &Explanations, explainer: &str) -> bool {
    let maps = found.models.iter().flat_map(|model| &model.maps);
    maps.filter(|maps| maps.explainer == explainer)
        .filter_map(|maps| maps.attributions.as_ref().ok())
        .any(|all| all.iter().any(|value| *value < 0.0))
}

/// What the model was given, `[c, h, w]`, as a picture: three channels in colour, others as their mean.
fn input_picture(
    pixels: &[u8],
    [channels, height, width]: [usize; 3],
) -> Result<RgbImage, RunError> {
    let wrong = |error: &dyn std::fmt::Display| RunError::Files(error.to_string());
    let area = height * width;
    if channels == 3 {
        let side = |side: usize| u32::try_from(side).map_err(|error| wrong(&error));
        let colours = |pixel: usize| [0, 1, 2].map(|channel| pixels[channel * area + pixel]);
        let rgb = (0..area).flat_map(colours).collect();
        return RgbImage::from_raw(side(width)?, side(height)?, rgb)
            .ok_or_else(|| wrong(&"the input does not fit its shape"));
    }
    let grey = |pixel: usize| {
        let sum: f32 = (0..channels)
            .map(|c| f32::from(pixels[c * area + pixel]))
            .sum();
        sum / (255.0 * channels as f32)
    };
    let grey: Vec<f32> = (0..area).map(grey).collect();
    grey_image(&grey, height, width).map_err(|error| wrong(&error))
}

fn strip_row(
    found: &Explanations,
    model: &ExplainedModel,
    number: usize,
    picture: &ExplainedRow,
) -> Result<StripRow, RunError> {
    let (Content::Image { pixels, original }, &[channels, height, width]) =
        (&picture.content, &found.shape[..])
    else {
        return Err(RunError::Files(format!("{} is no image", picture.label)));
    };
    let area = height * width;
    let input = input_picture(pixels, [channels, height, width])?;
    let original = original.as_ref().and_then(|thumbnail| {
        RgbImage::from_raw(thumbnail.width, thumbnail.height, thumbnail.rgb.clone())
    });
    let class = model.predictions[number];
    let target = model.targets[number];
    let maps = model
        .maps
        .iter()
        .filter(|maps| has_map(found, &maps.explainer));
    let maps = maps.map(|maps| {
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
        probability: model.probability(number, class).unwrap_or(f64::NAN),
        truth: picture.truth.map(|class| found.classes[class].clone()),
        target: (target != class).then(|| found.classes[target].clone()),
        maps: maps.collect(),
    })
}
