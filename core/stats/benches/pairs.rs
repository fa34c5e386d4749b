//! Cost of all differences of a score: 40 explainers, 780 pairs of 256 images, each with bootstrap
//! interval, Wilcoxon and permutation tests and effect sizes; and of one concordance.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use xbench_stats::{DEFAULT_DRAWS, DEFAULT_FLIPS, Resamples, SignFlips, compare_pairs, kendall_w};

fn columns(score: usize, gaps: bool) -> Vec<Vec<Option<f64>>> {
    let value = |column: usize, image: usize| {
        let value = ((score * 10_240 + column * 256 + image) as f64 * 0.7).sin();
        (!gaps || value > -0.98).then_some(value + column as f64 * 0.01)
    };
    (0..40)
        .map(|column| (0..256).map(|image| value(column, image)).collect())
        .collect()
}

fn pairs(c: &mut Criterion) {
    let pairs: Vec<(usize, usize)> = (0..40).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    let resamples = Resamples::new(256, DEFAULT_DRAWS, 1);
    let flips = SignFlips::new(256, DEFAULT_FLIPS, 1);
    let mut group = c.benchmark_group("pairs");
    group.sample_size(10);
    for (name, gaps) in [("780_pairs", false), ("780_pairs_with_gaps", true)] {
        let columns = columns(0, gaps);
        let slices: Vec<&[Option<f64>]> = columns.iter().map(Vec::as_slice).collect();
        group.bench_function(name, |b| {
            b.iter(|| compare_pairs(black_box(&slices), &pairs, &resamples, &flips))
        });
    }
    let judges: Vec<Vec<f64>> = (0..60)
        .map(|judge| {
            (0..40)
                .map(|item| ((judge * 40 + item) as f64).sin())
                .collect()
        })
        .collect();
    group.bench_function("kendall_60_judges_40_items", |b| {
        b.iter(|| kendall_w(black_box(&judges), 1))
    });
    group.finish();
}

criterion_group!(benches, pairs);
criterion_main!(benches);
