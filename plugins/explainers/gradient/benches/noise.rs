//! Normal draws for SmoothGrad: 50 noisy copies of a 28x28 image.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xbench_explainers_gradient::Noise;

fn noise(criterion: &mut Criterion) {
    let (samples, pixels) = (50, 784);
    let mut out = vec![0.0_f32; pixels];
    let mut group = criterion.benchmark_group("noise");
    group.throughput(Throughput::Elements((samples * pixels) as u64));
    group.bench_function("50 samples of 784 pixels", |b| {
        b.iter(|| {
            for sample in 0..samples {
                Noise::new(black_box(7), sample as u64).fill(&mut out);
                black_box(&mut out);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, noise);
criterion_main!(benches);
