//! Cost of cutting an image into segments, grey at 28 × 28 and in colour at 96 × 96.

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use xbench_superpixels::{QuickshiftParams, Shape, SlicParams, grid, quickshift, slic};

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

/// Blots on a slope, so that there is something to cut along.
fn image(shape: Shape) -> Vec<f32> {
    let value = |i: usize| {
        let (y, x) = (
            i / shape.width % shape.height,
            i % shape.width + i / shape.pixels(),
        );
        let blot = ((y as f32 * 0.31).sin() * (x as f32 * 0.23).cos()).max(0.0);
        0.6 * blot + 0.4 * y as f32 / shape.height as f32
    };
    (0..shape.channels * shape.pixels()).map(value).collect()
}

fn segments(c: &mut Criterion) {
    for (channels, side) in [(1, 28), (3, 96)] {
        let shape = Shape {
            channels,
            height: side,
            width: side,
        };
        let pixels = image(shape);
        let mut group = c.benchmark_group(format!("{channels}x{side}x{side}"));
        group
            .sample_size(10)
            .measurement_time(Duration::from_secs(2));
        group.bench_function("grid", |b| {
            cpu(b, || grid(black_box(side), side, side / 7));
        });
        group.bench_function("slic", |b| {
            cpu(b, || {
                slic(black_box(&pixels), shape, &SlicParams::default())
            });
        });
        group.bench_function("quickshift", |b| {
            cpu(b, || {
                quickshift(black_box(&pixels), shape, &QuickshiftParams::default())
            });
        });
        group.finish();
    }
}

criterion_group!(benches, segments);
criterion_main!(benches);
