//! CPU time of Tree SHAP for every output of a model, per row, on one thread: what the shap and
//! xgboost packages compute in one go (`docs/performance/peers.py` times them on the same rows).
//!
//! The boosted trees explain pictures; the forest, whose leaves hold a value of each class, rows
//! whose columns are thresholds of its own splits.

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xbench_explainers_trees::{Effect, TreeShap};
use xbench_plugin::TreeEnsemble;

// Two libraries of plugins cannot be linked into one program: only the reader of weights is shared.
#[expect(dead_code, unreachable_pub, reason = "this program only reads")]
#[path = "../../../models/trees/src/store.rs"]
mod store;
#[expect(dead_code, unreachable_pub, reason = "this program only reads")]
#[path = "../../../models/trees/src/tree.rs"]
mod tree;

fn shipped(name: &str) -> TreeEnsemble {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/trees/weights/");
    let bytes = std::fs::read(format!("{folder}{name}.safetensors")).expect("shipped weights");
    store::load(&bytes).expect("an ensemble")
}

/// Blots: neighbouring pixels alike, as in pictures, so that rows go ways that training rows went.
fn blots(count: usize) -> Vec<f32> {
    let mut x = Vec::with_capacity(count * 784);
    for image in 0..count {
        for pixel in 0..784 {
            let dx = (pixel % 28) as f32 - 9.0 - (image % 11) as f32;
            let dy = (pixel / 28) as f32 - 8.0 - (image % 13) as f32;
            let light = 1.0 - (dx * dx + 0.5 * dy * dy) / (60.0 + 3.0 * (image % 17) as f32);
            x.push((255.0 * light.max(0.0)).round() / 255.0);
        }
    }
    x
}

/// Of every column one of the values that it is split at.
fn among_thresholds(ensemble: &TreeEnsemble, count: usize) -> Vec<f32> {
    let columns = ensemble.num_features;
    let mut cuts = vec![Vec::new(); columns];
    for (&feature, &threshold) in ensemble.feature.iter().zip(&ensemble.threshold) {
        if let Ok(column) = usize::try_from(feature) {
            cuts[column].push(threshold);
        }
    }
    for cuts in &mut cuts {
        cuts.sort_unstable_by(f32::total_cmp);
        cuts.dedup();
    }
    let value = |row: usize, column: usize| {
        let cuts = &cuts[column];
        let place = (row * 7919 + column * 104_729) % cuts.len().max(1);
        cuts.get(place).copied().unwrap_or(0.0)
    };
    (0..count * columns)
        .map(|i| value(i / columns, i % columns))
        .collect()
}

fn all_outputs(c: &mut Criterion) {
    let (boosted, forest) = (
        shipped("fashion-mnist/xgboost-published"),
        shipped("fetal-health/random-forest-published"),
    );
    let (pictures, table, background) = (blots(64), among_thresholds(&forest, 256), blots(100));
    let sound = "sound trees";
    let of_pictures = TreeShap::path_dependent(&boosted).expect(sound);
    let against = TreeShap::interventional(&boosted, &background).expect(sound);
    let of_table = TreeShap::path_dependent(&forest).expect(sound);
    let mut group = c.benchmark_group("Tree SHAP, all outputs");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    for (name, shap, ensemble, x) in [
        ("boosted", &of_pictures, &boosted, &pictures[..]),
        (
            "boosted, 100 background rows",
            &against,
            &boosted,
            &pictures[..8 * 784],
        ),
        ("forest", &of_table, &forest, &table[..]),
    ] {
        let rows = x.len() / ensemble.num_features;
        let mut out = vec![0.0; x.len()];
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(name, |bench| {
            bench.iter_custom(|rounds| {
                let start = ThreadTime::now();
                for _ in 0..rounds {
                    for output in 0..ensemble.num_outputs {
                        let targets = vec![output; rows];
                        let go_on = &mut |_| Ok(());
                        shap.attribute(black_box(x), &targets, Effect::Total, &mut out, go_on)
                            .expect("fitting rows");
                    }
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, all_outputs);
criterion_main!(benches);
