//! Arithmetic of the scores of perturbed rows on images of 28 × 28 pixels: what they cost beside
//! the model's calls.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use xbench_metrics::faithfulness::{
    FaithfulnessSubsets, LinearImputer, NoiseRows, PerturbationPlan, Regions, correlation_of_drops,
    infidelity, rank_correlation_of_drops,
};
use xbench_metrics::{DrawKey, RankedMap};

const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;

fn random(item: u64, count: usize) -> Vec<f32> {
    let mut draws = DrawKey::new(1, "bench", item).draws(0);
    (0..count).map(|_| draws.unit() as f32).collect()
}

fn rows(c: &mut Criterion) {
    let (image, baseline) = (random(0, PIXELS), vec![0.0; PIXELS]);
    let map = RankedMap::new(&random(1, PIXELS)).expect("finite map");
    let key = DrawKey::new(1, "bench", 0);
    let plan = PerturbationPlan::new(&map, 28, key);
    let mut row = vec![0.0; PIXELS];
    c.bench_function("walk_of_28_rows", |b| {
        b.iter(|| {
            let mut walk = plan.walk(&image, &baseline).expect("sizes fit");
            for _ in 1..plan.steps() {
                walk.advance();
                row.copy_from_slice(walk.row());
            }
            black_box(row[0])
        });
    });
    let patches = Regions::grid(SIDE, SIDE, 4);
    let sums = patches.sums(map.values(), |a| a).expect("sizes fit");
    c.bench_function("order_of_49_patches", |b| {
        b.iter(|| {
            let sums = patches.sums(black_box(map.values()), |a| a);
            patches.plan(&sums.expect("sizes fit"), key)
        });
    });
    c.bench_function("subset_row", |b| {
        let subsets = FaithfulnessSubsets::new(1, 0, PIXELS, 224, 1);
        b.iter(|| subsets.write_row(black_box(0), &image, &baseline, &mut row));
    });
    c.bench_function("draw_10_noisy_rows", |b| {
        b.iter(|| NoiseRows::new(1, black_box(0), PIXELS, &[0.1], 10));
    });
    let drops: Vec<f64> = random(2, sums.len()).iter().map(|&v| v.into()).collect();
    c.bench_function("correlation_of_49", |b| {
        b.iter(|| correlation_of_drops(black_box(&sums), &drops, 1e-6));
    });
    c.bench_function("rank_correlation_of_49", |b| {
        b.iter(|| rank_correlation_of_drops(black_box(&sums), &drops, 1e-6));
    });
    c.bench_function("infidelity_of_49", |b| {
        b.iter(|| infidelity(black_box(&sums), &drops, 1e-6));
    });
}

/// The nine shares of ROAD, one after another, as on an image of the given side.
fn imputation(c: &mut Criterion) {
    for side in [28, 224] {
        let image = random(0, side * side);
        // A smooth map, whose highest pixels lie together: the longest way for values to travel.
        let centre = side as f32 / 2.0;
        let values: Vec<f32> = (0..side * side)
            .map(|pixel| {
                let (y, x) = ((pixel / side) as f32, (pixel % side) as f32);
                -(y - centre).powi(2) - (x - centre).powi(2)
            })
            .collect();
        let map = RankedMap::new(&values).expect("finite map");
        let mut imputer = LinearImputer::new(side, side);
        c.bench_function(&format!("impute_9_shares_of_{side}x{side}"), |b| {
            b.iter(|| {
                let mut filled = image.clone();
                let mut missing = vec![false; side * side];
                let mut before = 0;
                for share in 1..10 {
                    let count = side * side * share / 10;
                    for &pixel in &map.order()[before..count] {
                        missing[pixel as usize] = true;
                    }
                    before = count;
                    imputer.fill(&mut filled, &missing).expect("a known pixel");
                }
                black_box(filled[0])
            });
        });
    }
}

criterion_group!(benches, rows, imputation);
criterion_main!(benches);
