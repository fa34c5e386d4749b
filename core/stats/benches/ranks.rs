//! Cost of a leaderboard's order: 40 explainers on 256 images by 8 scores, ranked per image, tested,
//! and resampled; and of one column's paired tests and of the measures of agreement.

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use xbench_stats::{
    Better, DEFAULT_DRAWS, DEFAULT_FLIPS, MetricScores, Resamples, SignFlips, friedman, icc,
    krippendorff_alpha, order_tests, paired_permutation, per_image_mean_ranks, place_uncertainty,
    rank_groups, wilcoxon_signed_rank,
};

const IMAGES: usize = 256;
const EXPLAINERS: usize = 40;
const SCORES: usize = 8;

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

fn value(score: usize, explainer: usize, image: usize) -> f64 {
    let noise = ((score * 10_240 + explainer * IMAGES + image) as f64 * 0.7).sin();
    noise + explainer as f64 * 0.01
}

fn ranks(c: &mut Criterion) {
    let columns: Vec<Vec<Vec<Option<f64>>>> = (0..SCORES)
        .map(|score| {
            (0..EXPLAINERS)
                .map(|explainer| {
                    let column = (0..IMAGES).map(|image| value(score, explainer, image));
                    column.map(Some).collect()
                })
                .collect()
        })
        .collect();
    let scores: Vec<MetricScores<'_>> = columns
        .iter()
        .map(|columns| MetricScores {
            better: Better::Higher,
            by_explainer: columns.iter().map(Vec::as_slice).collect(),
        })
        .collect();
    let resamples = Resamples::new(IMAGES, DEFAULT_DRAWS, 1);
    let ranks = per_image_mean_ranks(&scores);
    let rows: Vec<&[f64]> = ranks.iter().map(Vec::as_slice).collect();
    let mut group = c.benchmark_group("40 explainers, 256 images");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2));
    group.bench_function("ranks_per_image_of_8_scores", |b| {
        cpu(b, || per_image_mean_ranks(black_box(&scores)));
    });
    group.bench_function("groups_told_apart", |b| {
        cpu(b, || rank_groups(black_box(&ranks), &resamples, 0.05));
    });
    group.bench_function("tests_of_all_pairs", |b| {
        cpu(b, || order_tests(black_box(&ranks), 0.05));
    });
    group.bench_function("places_in_resamples", |b| {
        cpu(b, || place_uncertainty(black_box(&ranks), &resamples));
    });
    group.bench_function("friedman", |b| cpu(b, || friedman(black_box(&rows))));
    group.finish();
}

fn one_column(c: &mut Criterion) {
    let differences: Vec<f64> = (0..IMAGES).map(|image| value(0, 3, image)).collect();
    let entries: Vec<Option<f64>> = differences.iter().copied().map(Some).collect();
    let flips = SignFlips::new(IMAGES, DEFAULT_FLIPS, 1);
    c.bench_function("wilcoxon_of_256", |b| {
        cpu(b, || wilcoxon_signed_rank(black_box(&differences)));
    });
    c.bench_function("permutation_of_256", |b| {
        cpu(b, || paired_permutation(black_box(&entries), &flips));
    });
    let ratings: Vec<Vec<f64>> = (0..EXPLAINERS)
        .map(|item| (0..SCORES).map(|rater| value(rater, item, 0)).collect())
        .collect();
    let rows: Vec<&[f64]> = ratings.iter().map(Vec::as_slice).collect();
    c.bench_function("icc_of_40_by_8", |b| cpu(b, || icc(black_box(&rows))));
    let given: Vec<Vec<Option<f64>>> = ratings
        .iter()
        .map(|row| row.iter().copied().map(Some).collect())
        .collect();
    let rows: Vec<&[Option<f64>]> = given.iter().map(Vec::as_slice).collect();
    c.bench_function("krippendorff_of_40_by_8", |b| {
        cpu(b, || krippendorff_alpha(black_box(&rows)));
    });
}

criterion_group!(benches, ranks, one_column);
criterion_main!(benches);
