//! Cost of the intervals of a whole table: 504 columns of 256 images, 2000 resamples.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use xbench_stats::{DEFAULT_DRAWS, Resamples, mean_intervals, mean_intervals_masked};

fn intervals(c: &mut Criterion) {
    let value = |column: usize, image: usize| ((column * 256 + image) as f64 * 0.7).sin();
    let columns: Vec<Vec<f64>> = (0..504)
        .map(|column| (0..256).map(|image| value(column, image)).collect())
        .collect();
    let gaps: Vec<Vec<Option<f64>>> = columns
        .iter()
        .map(|column| {
            column
                .iter()
                .map(|&value| (value > -0.9).then_some(value))
                .collect()
        })
        .collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let gaps: Vec<&[Option<f64>]> = gaps.iter().map(Vec::as_slice).collect();
    let resamples = Resamples::new(256, DEFAULT_DRAWS, 1);
    let mut group = c.benchmark_group("table");
    group.sample_size(10);
    group.bench_function("resamples", |b| {
        b.iter(|| Resamples::new(256, DEFAULT_DRAWS, black_box(1)))
    });
    group.bench_function("mean_intervals", |b| {
        b.iter(|| mean_intervals(black_box(&columns), &resamples))
    });
    group.bench_function("mean_intervals_masked", |b| {
        b.iter(|| mean_intervals_masked(black_box(&gaps), &resamples))
    });
    group.finish();
}

criterion_group!(benches, intervals);
criterion_main!(benches);
