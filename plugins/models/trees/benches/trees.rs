//! Throughput of prediction: a boosted ensemble on images, rows × trees.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xbench_models_trees::predict::Predictor;
use xbench_models_trees::store;
use xbench_nn::Threads;

const IMAGES: usize = 1024;

fn predict(c: &mut Criterion) {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/weights/fashion-mnist/xgboost-best.safetensors"
    );
    let bytes = std::fs::read(path).expect("shipped weights");
    let ensemble = store::load(&bytes).expect("an ensemble");
    let predictor = Predictor::new(&ensemble).expect("a predictor");
    let x: Vec<f32> = (0..IMAGES * 784)
        .map(|i| (i * 7919 % 256) as f32 / 255.0)
        .collect();
    let mut outputs = vec![0.0; IMAGES * 10];
    let mut group = c.benchmark_group(format!("{} trees", ensemble.roots.len()));
    group.throughput(Throughput::Elements(IMAGES as u64));
    for count in [1, 2] {
        let threads = Threads::new(count).expect("threads");
        group.bench_function(format!("predict, {count} threads"), |b| {
            b.iter(|| predictor.predict(&threads, &x, &mut outputs));
        });
    }
}

criterion_group!(benches, predict);
criterion_main!(benches);
