//! Converts a boosted ensemble between the compact format and XGBoost's files, after the names'
//! endings, and prints the margins of some rows if asked, for a comparison with XGBoost.
//!
//! ```text
//! cargo run --release -p xbench-models-trees --example convert -- model.safetensors model.json \
//!     [rows.json]
//! ```
//!
//! `rows.json` is a list of rows, each a list of numbers or nulls.
#![expect(clippy::print_stdout, reason = "prints what it computes")]

use std::path::Path;

use xbench_models_trees::predict::Predictor;
use xbench_models_trees::{store, xgboost_format};
use xbench_nn::Threads;

fn ending(path: &str) -> &str {
    let ending = Path::new(path)
        .extension()
        .and_then(|ending| ending.to_str());
    ending.unwrap_or_default()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, rows @ ..] = &arguments[..] else {
        return Err("usage: convert FROM TO [ROWS], with endings safetensors, json or ubj".into());
    };
    let bytes = std::fs::read(from)?;
    let ensemble = match ending(from) {
        "safetensors" => store::load(&bytes)?,
        "json" => xgboost_format::from_json(&bytes)?,
        "ubj" => xgboost_format::from_ubjson(&bytes)?,
        other => return Err(format!("{from}: unknown ending '{other}'").into()),
    };
    let bytes = match ending(to) {
        "safetensors" => store::save(&ensemble)?,
        "json" => xgboost_format::to_json(&ensemble)?,
        "ubj" => xgboost_format::to_ubjson(&ensemble)?,
        other => return Err(format!("{to}: unknown ending '{other}'").into()),
    };
    std::fs::write(to, bytes)?;
    if let Some(rows) = rows.first() {
        let rows: Vec<Vec<Option<f32>>> = serde_json::from_slice(&std::fs::read(rows)?)?;
        let x: Vec<f32> = rows
            .iter()
            .flatten()
            .map(|x| x.unwrap_or(f32::NAN))
            .collect();
        if x.len() != rows.len() * ensemble.num_features {
            return Err(format!("the rows are not of {} values", ensemble.num_features).into());
        }
        let mut outputs = vec![0.0; rows.len() * ensemble.num_outputs];
        Predictor::new(&ensemble)?.predict(&Threads::one(), &x, &mut outputs);
        println!("{}", serde_json::to_string(&outputs)?);
    }
    Ok(())
}
