//! Time of Tree SHAP per image: a thousand trees of depth 6 on 784 pixels, one thread.
//!
//! "one class" explains one output per image, "all classes" all ten; the throughput counts images.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xbench_explainers_trees::{Effect, TreeShap};

// Two libraries of plugins cannot be linked into one program: only the reader of weights is shared.
#[expect(dead_code, unreachable_pub, reason = "this program only reads")]
#[path = "../../../models/trees/src/store.rs"]
mod store;
#[expect(dead_code, unreachable_pub, reason = "this program only reads")]
#[path = "../../../models/trees/src/tree.rs"]
mod tree;

const IMAGES: usize = 64;
const CLASSES: usize = 10;

/// Blots: neighbouring pixels alike, as in pictures, so that rows go ways that training rows went.
fn images(count: usize) -> Vec<f32> {
    let mut x = Vec::with_capacity(count * 784);
    for image in 0..count {
        for pixel in 0..784 {
            let (row, column) = (pixel / 28, pixel % 28);
            let (dx, dy) = (
                column as f32 - 9.0 - (image % 11) as f32,
                row as f32 - 8.0 - (image % 13) as f32,
            );
            let light = 1.0 - (dx * dx + 0.5 * dy * dy) / (60.0 + 3.0 * (image % 17) as f32);
            x.push((255.0 * light.max(0.0)).round() / 255.0);
        }
    }
    x
}

fn tree_shap(c: &mut Criterion) {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/trees/weights/fashion-mnist/xgboost-published.safetensors"
    );
    let bytes = std::fs::read(path).expect("shipped weights");
    let ensemble = store::load(&bytes).expect("an ensemble");
    let x = images(IMAGES);
    let background = images(100);
    let covers = TreeShap::path_dependent(&ensemble).expect("sound trees");
    let rows = TreeShap::interventional(&ensemble, &background).expect("sound trees");
    let mixed: Vec<usize> = (0..IMAGES).map(|image| image % CLASSES).collect();
    let mut out = vec![0.0; x.len()];
    let mut group = c.benchmark_group(format!(
        "{} trees, {} nodes",
        ensemble.roots.len(),
        ensemble.num_nodes()
    ));
    group.sample_size(10);
    group.throughput(Throughput::Elements(IMAGES as u64));
    let mut bench = |name: &str, shap: &TreeShap<'_>, targets: &[Vec<usize>], effect: Effect| {
        group.bench_function(name, |b| {
            b.iter(|| {
                for target in targets {
                    shap.attribute(black_box(&x), target, effect, &mut out, &mut |_| Ok(()))
                        .expect("fitting rows");
                }
            });
        });
    };
    let all: Vec<Vec<usize>> = (0..CLASSES).map(|class| vec![class; IMAGES]).collect();
    bench("one class", &covers, &[vec![0; IMAGES]], Effect::Total);
    bench("one class each, mixed", &covers, &[mixed], Effect::Total);
    bench("all classes", &covers, &all, Effect::Total);
    bench("all classes, main effects", &covers, &all, Effect::Main);
    bench(
        "one class, with one feature",
        &covers,
        &[vec![0; IMAGES]],
        Effect::With(406),
    );
    bench(
        "one class, 100 background rows",
        &rows,
        &[vec![0; IMAGES]],
        Effect::Total,
    );
}

criterion_group!(benches, tree_shap);
criterion_main!(benches);
