//! Bilinear resizing of a map of the last layer to the image, as CAM and Grad-CAM do per row.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use xbench_explainers_cam::Resize;

fn resize(criterion: &mut Criterion) {
    for (small, side) in [(3_usize, 28_usize), (7, 28), (7, 224)] {
        let map: Vec<f32> = (0..small * small).map(|i| (i as f32 * 0.7).sin()).collect();
        let resize = Resize::bilinear([small, small], [side, side]);
        let mut out = vec![0.0; side * side];
        criterion.bench_function(&format!("bilinear {small} to {side}"), |b| {
            b.iter(|| resize.apply(black_box(&map), &mut out));
        });
    }
}

criterion_group!(benches, resize);
criterion_main!(benches);
