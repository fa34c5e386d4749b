//! Kernel SHAP's own time: a 28x28 image of 49 cells, 500 samples, and a model that costs nothing.

use std::hint::black_box;

use cpu_time::ThreadTime;
use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use xbench_explainers_shapley::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestBatch, TestHost, TestModel};
use xbench_plugin::{OutputKind, TensorRef};

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
    let model = TestModel::black_box(&[1, 28, 28], 10, OutputKind::Logits, |x, y| y.fill(x[400]))
        .expect("a sound model");
    let x: Vec<f32> = (0..784).map(|i| 1.0 + (i % 7) as f32).collect();
    let shape = [1, 1, 28, 28];
    let batch = TestBatch {
        x: TensorRef::new(&shape, &x).expect("an image"),
        target: &[0],
        seed: &[1],
        mask: None,
        background: Some(TensorRef::new(&shape, &x).expect("an image")),
    };
    let mut group = criterion.benchmark_group("one 28x28 image, own time");
    for (id, params) in [
        ("kernel-shap", r#"{"samples": 500}"#),
        ("kernel-shap", r#"{"samples": 500, "shared": false}"#),
        ("permutation-shap", r#"{"permutations": 5}"#),
        ("sampling-shap", r#"{"samples": 5}"#),
        ("partition-shap", r#"{"max_evals": 500, "batch": 100}"#),
    ] {
        let explainer = host
            .explainer(&format!("org.xbench.{id}"), params)
            .expect("an explainer");
        group.bench_function(format!("{id} {params}"), |b| {
            cpu(b, || {
                black_box(explainer.explain_batch(&model, &batch).expect("explained"))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, own_time);
criterion_main!(benches);
