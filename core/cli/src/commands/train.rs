//! `xbench train`.

use xbench_record::ExitCode;
use xbench_report::{EpochPoint, training_summary};
use xbench_run::{RunError, TrainRequest};

use crate::args::TrainArgs;
use crate::progress::Progress;
use crate::terminal::{emit, style};

pub(crate) fn train(args: &TrainArgs) -> Result<ExitCode, RunError> {
    let request = TrainRequest {
        model: args.model.clone(),
        data_set: args.data.clone(),
        preset: args.preset.clone(),
        seed: args.seed,
        epochs: args.epochs,
        threads: args.threads.map(usize::from),
        out: args.out.clone(),
        force: args.force,
        search: (&args.search).into(),
    };
    let trained = xbench_run::train(&request, &Progress::new(args.quiet))?;
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
    let mut text = training_summary(&args.model, &curve, kept as usize, &style());
    text.push_str(&format!(
        "test accuracy {:.4} on {} images\nweights {}\nrecipe  {}\ncurve   {}\n",
        trained.recipe["test_accuracy"].as_f64().unwrap_or(f64::NAN),
        trained.recipe["test_images"],
        trained.weights.display(),
        trained.recipe_file.display(),
        trained.curve_file.display()
    ));
    emit(&text)?;
    Ok(ExitCode::Fine)
}
