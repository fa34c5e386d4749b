//! Models whose answer to a covered window is known by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use xbench_plugin::OutputKind;
use xbench_plugin::testing::TestModel;

use crate::harness::Tested;

/// Channels, height and width of the input.
pub(crate) const INPUT: [usize; 3] = [2, 5, 7];
/// Features of a row.
pub(crate) const FEATURES: usize = 70;
/// Outputs of all models.
pub(crate) const OUTPUTS: usize = 3;

/// Weight of a feature in an output of the linear models.
pub(crate) fn weight(output: usize, feature: usize) -> f64 {
    f64::from((((output * 37 + feature * 101 + 11) as f64 * 0.618).sin() * 0.3) as f32)
}

/// The linear outputs of one row.
pub(crate) fn linear(x: &[f32]) -> [f64; OUTPUTS] {
    std::array::from_fn(|k| {
        let sum: f64 = x
            .iter()
            .enumerate()
            .map(|(i, &x)| weight(k, i) * f64::from(x))
            .sum();
        sum + k as f64
    })
}

/// The softmax of the linear outputs.
pub(crate) fn softmax(x: &[f32]) -> [f64; OUTPUTS] {
    let powers = linear(x).map(f64::exp);
    powers.map(|p| p / powers.iter().sum::<f64>())
}

fn model(kind: OutputKind, outputs: fn(&[f32]) -> [f64; OUTPUTS]) -> TestModel {
    TestModel::black_box(&INPUT, OUTPUTS, kind, move |x, y| {
        y.copy_from_slice(&outputs(x).map(|y| y as f32));
    })
    .expect("a sound model")
}

/// Linear logits.
pub(crate) struct Logits;

impl Tested for Logits {
    fn tested() -> TestModel {
        model(OutputKind::Logits, linear)
    }
}

/// The probabilities of the same logits.
pub(crate) struct Shares;

impl Tested for Shares {
    fn tested() -> TestModel {
        model(OutputKind::Probabilities, softmax)
    }
}

/// The same outputs, meant as numbers.
pub(crate) struct Numbers;

impl Tested for Numbers {
    fn tested() -> TestModel {
        model(OutputKind::Values, linear)
    }
}

/// The linear logits, and how many rows were asked for.
pub(crate) fn counting() -> (TestModel, Arc<AtomicUsize>) {
    let rows = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&rows);
    let model = TestModel::black_box(&INPUT, OUTPUTS, OutputKind::Logits, move |x, y| {
        counter.fetch_add(1, Ordering::Relaxed);
        y.copy_from_slice(&linear(x).map(|y| y as f32));
    });
    (model.expect("a sound model"), rows)
}
