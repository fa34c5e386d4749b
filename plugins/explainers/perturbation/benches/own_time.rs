//! What the methods themselves cost per 28x28 image: the model is a sum, so that the time is that of
//! making the copies and reading the outcomes. Settings as in the comparison with other libraries
//! (occlusion: 49 windows of 4x4), else the defaults. What is measured is the thread's CPU time, so
//! that a machine with other work gives the same figures.

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use xbench_explainers_perturbation::{dependence, xbench_entry_v1};
use xbench_plugin::testing::{TestHost, TestModel};
use xbench_plugin::{OutputKind, TensorRef};

const IMAGES: usize = 8;
const PIXELS: usize = 784;

/// Sums every 98th pixel; next to nothing beside the copy of an image.
fn model() -> TestModel {
    TestModel::differentiable(
        &[1, 28, 28],
        10,
        OutputKind::Logits,
        |x, y| y[0] = x.iter().step_by(98).sum(),
        |_, _, dx| dx.iter_mut().step_by(98).for_each(|dx| *dx = 1.0),
    )
    .expect("well formed")
}

fn own_time(criterion: &mut Criterion) {
    let host = TestHost::new(&xbench_entry_v1).expect("well formed");
    let model = model();
    let x: Vec<f32> = (0..IMAGES * PIXELS)
        .map(|i| ((i * 7919 % 1009) as f32 + 1.0) / 1009.0)
        .collect();
    let x = TensorRef::new(&[IMAGES, 1, 28, 28], &x).expect("fits");
    let seeds: Vec<u64> = (0..IMAGES as u64).collect();
    let mut group = criterion.benchmark_group("own time of 8 images");
    group.throughput(Throughput::Elements(IMAGES as u64));
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    for (id, params) in [
        ("occlusion", "{}"),
        ("feature-ablation", r#"{"segmentation": "slic"}"#),
        ("rise", "{}"),
        ("sobol", "{}"),
        ("hsic", "{}"),
        ("extremal-perturbation", r#"{"areas": [0.1]}"#),
    ] {
        let explainer = host
            .explainer(&format!("org.xbench.{id}"), params)
            .expect("good parameters");
        group.bench_function(BenchmarkId::from_parameter(id), |bencher| {
            bencher.iter_custom(|rounds| {
                let start = ThreadTime::now();
                for _ in 0..rounds {
                    let map = explainer.explain(&model, black_box(x), &[0; IMAGES], &seeds, None);
                    black_box(map.expect("explained"));
                }
                start.elapsed()
            });
        });
    }
    group.finish();

    let left: Vec<bool> = (0..500 * 49).map(|i| i * 7919 % 1009 < 504).collect();
    let outcomes: Vec<f64> = (0..500).map(|i| f64::from(i * 37 % 101).sin()).collect();
    criterion.bench_function("HSIC of 49 cells, 500 masks", |bencher| {
        bencher.iter_custom(|rounds| {
            let start = ThreadTime::now();
            for _ in 0..rounds {
                black_box(dependence(black_box(&left), black_box(&outcomes)));
            }
            start.elapsed()
        });
    });
}

criterion_group!(benches, own_time);
criterion_main!(benches);
