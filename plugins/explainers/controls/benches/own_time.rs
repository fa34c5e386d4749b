//! Time per 28x28 image of the controls, which ask no model anything.

use std::hint::black_box;

use cpu_time::ThreadTime;
use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use xbench_explainers_controls::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestBatch, TestHost, TestModel};
use xbench_plugin::{OutputKind, TensorRef};

const SHAPE: [usize; 4] = [20, 1, 28, 28];
const PIXELS: usize = 784;

/// Measures the thread's CPU time, so that a machine with other work gives the same figures.
fn cpu<T>(bench: &mut Bencher<'_>, mut job: impl FnMut() -> T) {
    bench.iter_custom(|rounds| {
        let start = ThreadTime::now();
        for _ in 0..rounds {
            black_box(job());
        }
        start.elapsed()
    });
}

fn own_time(criterion: &mut Criterion) {
    let host = TestHost::new(&entry).expect("an entry of this version");
    // Never asked.
    let model = TestModel::black_box(&SHAPE[1..], 10, OutputKind::Logits, |_, _| {})
        .expect("a sound model");
    let images = SHAPE[0];
    let x: Vec<f32> = (0..images * PIXELS)
        .map(|i| (i * 7919 % 1009) as f32 / 1009.0)
        .collect();
    let mask: Vec<u8> = (0..images * PIXELS)
        .map(|i| u8::from((i % 28).abs_diff(14) + (i / 28 % 28).abs_diff(14) < 9))
        .collect();
    let seed: Vec<u64> = (0..images as u64).collect();
    let batch = TestBatch {
        x: TensorRef::new(&SHAPE, &x).expect("images"),
        target: &[0; SHAPE[0]],
        seed: &seed,
        mask: Some(&mask),
        background: None,
    };
    let mut group = criterion.benchmark_group("controls");
    group.throughput(Throughput::Elements(images as u64));
    for id in [
        "random",
        "constant",
        "sobel",
        "input-magnitude",
        "centre-gaussian",
        "oracle",
        "shuffled",
    ] {
        let explainer = host
            .explainer(&format!("org.xbench.{id}"), "{}")
            .expect("defaults");
        group.bench_function(BenchmarkId::from_parameter(id), |b| {
            cpu(b, || {
                explainer
                    .explain_batch(&model, black_box(&batch))
                    .expect("explained")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, own_time);
criterion_main!(benches);
