//! Random forests on a table outside a host: for a comparison with scikit-learn.
//!
//! ```text
//! cargo run --release -p xbench-models-trees --example forest -- rows.json 20 '{"n_trees": 100}'
//! ```
//!
//! `rows.json` holds `x` (a list of rows), `y` (class of each row) and `training`, the number of rows
//! to learn from, which come first. Prints, for each seed from 0 on, accuracy and macro F1 on the
//! others, and the out-of-bag accuracy.
#![expect(clippy::print_stdout, reason = "prints what it measures")]

use serde::Deserialize;
use xbench_models_trees::forest::{self, ForestData, ForestSettings};
use xbench_models_trees::settings;
use xbench_nn::Threads;
use xbench_plugin::{FitStep, Result};

#[derive(Deserialize)]
struct Rows {
    x: Vec<Vec<f32>>,
    y: Vec<u32>,
    training: usize,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [rows, seeds, given] = &arguments[..] else {
        return Err("usage: forest ROWS SEEDS SETTINGS".into());
    };
    let rows: Rows = serde_json::from_slice(&std::fs::read(rows)?)?;
    let data = ForestData {
        features: rows.x.first().map_or(0, Vec::len),
        x: rows.x.into_iter().flatten().collect(),
        classes: rows.y.iter().max().map_or(0, |&class| class as usize + 1),
        labels: rows.y,
        training: rows.training,
    };
    let mut settings =
        settings::read::<ForestSettings>(given, &forest::PRESETS, forest::TREES)?.values;
    let threads = Threads::new(2)?;
    for seed in 0..seeds.parse()? {
        settings.seed = seed;
        let mut monitor = |_: &FitStep| -> Result<()> { Ok(()) };
        let forest = forest::train(
            &threads,
            &data,
            &settings,
            None,
            &mut monitor,
            &mut |_, _| Ok(()),
        )?;
        let held = forest.validation.unwrap_or_default();
        let bag = forest.out_of_bag.map_or(f64::NAN, |bag| bag.accuracy);
        println!("{} {} {bag}", held.accuracy, held.macro_f1);
    }
    Ok(())
}
