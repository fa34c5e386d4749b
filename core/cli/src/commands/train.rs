//! `xbench train`.

use serde_json::{Map, Value, json};
use xbench_record::{ExitCode, write_file};
use xbench_report::{
    Cell, CurvePoint, EpochPoint, Table, TableColumn, TrainingCurve, encode_png, training_image,
    training_summary,
};
use xbench_run::{GridRequest, GridResult, RunError, TrainRequest, Trained};

use crate::args::TrainArgs;
use crate::progress::Progress;
use crate::terminal::{emit, style};

pub(crate) fn train(args: &TrainArgs) -> Result<ExitCode, RunError> {
    let mut settings: Map<String, Value> = args.set.iter().cloned().collect();
    settings.insert("seed".to_owned(), json!(args.seed));
    if let Some(epochs) = args.epochs {
        settings.insert("epochs".to_owned(), json!(epochs));
    }
    let request = TrainRequest {
        model: args.model.clone(),
        data: args.data.clone(),
        preset: args.preset.clone(),
        settings,
        threads: args.threads.map(usize::from),
        out: args.out.clone(),
        force: args.force,
        search: (&args.search).into(),
    };
    let progress = Progress::new(args.quiet);
    let mut text = String::new();
    let trained = match &args.grid {
        None => xbench_run::train(&request, &progress)?,
        Some(grid) => {
            let request = GridRequest {
                train: request,
                grid: grid.clone(),
                folds: usize::from(args.folds),
                rows: args.grid_rows,
            };
            let found = xbench_run::search(&request, &progress)?;
            text.push_str(&grid_text(&found));
            found.trained
        }
    };
    let curve: Vec<EpochPoint> = trained
        .curve
        .iter()
        .map(|step| EpochPoint {
            loss: step.loss,
            validation_accuracy: step.validation_accuracy.unwrap_or(f64::NAN),
        })
        .collect();
    let kept = trained.recipe["training"]["kept_epoch"]
        .as_u64()
        .unwrap_or(curve.len() as u64);
    text.push_str(&training_summary(
        &args.model,
        &curve,
        kept as usize,
        &style(),
    ));
    if let Some(accuracy) = trained.recipe["test_accuracy"].as_f64() {
        text.push_str(&format!(
            "test accuracy {accuracy:.4}, macro F1 {:.4} on {} rows\n",
            trained.recipe["test_macro_f1"].as_f64().unwrap_or(f64::NAN),
            trained.recipe["test_images"],
        ));
    }
    let out_of_bag = &trained.recipe["training"]["out_of_bag"];
    if let Some(accuracy) = out_of_bag["accuracy"].as_f64() {
        text.push_str(&format!(
            "out-of-bag accuracy {accuracy:.4}, macro F1 {:.4} on {} training rows\n",
            out_of_bag["macro_f1"].as_f64().unwrap_or(f64::NAN),
            out_of_bag["rows"],
        ));
    }
    match trained.recipe["training"]["imagenet_weights"].as_bool() {
        Some(true) => text.push_str(&format!(
            "backbone began with the weights of {}\n",
            trained.recipe["training"]["recipe"]["backbone"]
                .as_str()
                .unwrap_or("a file")
        )),
        Some(false) => text.push_str("backbone began at random, without ImageNet weights\n"),
        None => {}
    }
    draw_curve(&args.model, &trained, kept)?;
    text.push_str(&format!(
        "weights {}\nrecipe  {}\ncurve   {}, drawn beside it\n",
        trained.weights.display(),
        trained.recipe_file.display(),
        trained.curve_file.display()
    ));
    emit(&text)?;
    Ok(ExitCode::Fine)
}

/// Draws the curve beside its file; a model that is not trained in epochs has none.
fn draw_curve(model: &str, trained: &Trained, kept: u64) -> Result<(), RunError> {
    if trained.curve.is_empty() {
        return Ok(());
    }
    let points = trained.curve.iter().map(|step| CurvePoint {
        epoch: u64::from(step.epoch),
        train_loss: Some(step.loss),
        train_accuracy: Some(step.accuracy),
        validation_loss: step.validation_loss,
        validation_accuracy: step.validation_accuracy,
    });
    let curve = TrainingCurve {
        title: format!("{model}: training"),
        epochs: points.collect(),
        kept_epoch: Some(kept),
    };
    let path = trained.curve_file.with_extension("png");
    let png = training_image(&curve)
        .and_then(|picture| encode_png(&picture))
        .map_err(|error| RunError::Files(format!("{}: {error}", path.display())))?;
    write_file(&path, &png).map_err(|error| RunError::Files(error.to_string()))
}

/// The combinations, the best one marked.
fn grid_text(found: &GridResult) -> String {
    let names: Vec<&String> = found.points[0].settings.keys().collect();
    let mut columns = vec![TableColumn::left("")];
    columns.extend(names.iter().map(|name| TableColumn::right(name.as_str())));
    columns.push(TableColumn::right("accuracy"));
    columns.push(TableColumn::right("sd"));
    let mut table = Table::new(columns);
    for (number, point) in found.points.iter().enumerate() {
        let mark = if number == found.best { "*" } else { "" };
        let mut row = vec![Cell::new(mark)];
        row.extend(
            names
                .iter()
                .map(|name| Cell::new(point.settings[*name].to_string())),
        );
        row.push(Cell::new(format!("{:.4}", point.mean)));
        row.push(Cell::new(format!("{:.4}", point.sd)));
        table.row(row);
    }
    format!(
        "{}\ngrid    {}\n\n",
        table.render(&style()),
        found.file.display()
    )
}
