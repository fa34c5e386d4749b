//! The explainers of this library, driven through its C entry.

#[path = "../../../gradient/tests/harness/mod.rs"]
mod harness;

mod degenerate;
mod fullgrad;
mod gap;
mod gap_net;
mod gradient_weighted;
mod guided;
mod library;
mod perturbing;
mod stack;

use xbench_explainers_cam::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestHost, TestModel};

use harness::Rows;

/// Irregular rows of the given shape; targets in turn.
fn rows(count: usize, image: [usize; 3], outputs: usize) -> Rows {
    let [channels, height, width] = image;
    Rows {
        shape: [count, channels, height, width],
        x: (0..count * channels * height * width)
            .map(|i| ((i * 31 + 3) as f32 * 0.37).sin())
            .collect(),
        target: (0..count).map(|row| (row % outputs) as i64).collect(),
        seed: vec![0; count],
        mask: None,
    }
}

/// The attribution of a model that is made for one test.
fn explain(id: &str, params: &str, model: &TestModel, rows: &Rows) -> Vec<f32> {
    let host = TestHost::new(&entry).expect("an entry of this version");
    harness::run(&host, &format!("org.xbench.{id}"), params, model, rows)
        .unwrap_or_else(|error| panic!("{id} {params}: {error}"))
}

/// The text of the error that the explainer ends with.
fn fails(id: &str, params: &str, model: &TestModel, rows: &Rows) -> String {
    let host = TestHost::new(&entry).expect("an entry of this version");
    match harness::run(&host, &format!("org.xbench.{id}"), params, model, rows) {
        Ok(_) => panic!("{id} {params} succeeded"),
        Err(error) => error.message().to_owned(),
    }
}

/// Largest distance between two maps.
fn deviation(seen: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(seen.len(), expected.len());
    seen.iter()
        .zip(expected)
        .map(|(seen, expected)| (f64::from(*seen) - expected).abs())
        .fold(0.0, f64::max)
}
