//! Prediction and gradient of a machine as large as one trained on 60,000 images: 20,000 support
//! vectors of 784 pixels, 10 classes, on one and two threads.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xbench_nn::Threads;
use xbench_svm::{Calibration, Problem, Svm, SvmSettings};

const WIDTH: usize = 784;
const CLASSES: usize = 10;
const SUPPORT: usize = 20_000;
const ROWS: usize = 1000;

/// Pixels without structure: every training row becomes a support vector.
fn noise(rows: usize, seed: usize) -> Vec<f32> {
    (0..rows * WIDTH)
        .map(|i| ((i + seed).wrapping_mul(2_654_435_761) >> 7 & 255) as f32 / 255.0)
        .collect()
}

fn predict(c: &mut Criterion) {
    let features = noise(SUPPORT, 0);
    let labels: Vec<usize> = (0..SUPPORT).map(|row| row % CLASSES).collect();
    let problem = Problem {
        features: &features,
        width: WIDTH,
        labels: &labels,
        classes: CLASSES,
    };
    let settings = SvmSettings {
        c: 0.01,
        calibration: Calibration::OneSplit { folds: 5 },
        ..SvmSettings::default()
    };
    let svm = Svm::fit(problem, &settings, 2, None, &mut |_| Ok(())).expect("a machine");
    assert!(svm.support_vectors() > SUPPORT / 10 * 9);
    let x = noise(ROWS, 17);
    let mut out = vec![0.0; ROWS * CLASSES];
    let weights = vec![1.0; ROWS * CLASSES];
    let mut group = c.benchmark_group("svm, 20,000 support vectors");
    group.sample_size(10);
    group.throughput(Throughput::Elements(ROWS as u64));
    for count in [1, 2] {
        let threads = Threads::new(count).expect("threads");
        group.bench_function(format!("probabilities, {count} threads"), |b| {
            b.iter(|| svm.probabilities(&threads, &x, &mut out).expect("outputs"));
        });
        group.bench_function(format!("gradient, {count} threads"), |b| {
            b.iter(|| black_box(svm.probability_gradient(&threads, &x, &weights)));
        });
    }
}

criterion_group!(benches, predict);
criterion_main!(benches);
