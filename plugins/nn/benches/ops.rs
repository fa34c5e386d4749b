//! Time of the operations at the shapes of the two small networks, a block of 16 images on one
//! thread: forward, and forward with both gradients.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xbench_nn::Window;
use xbench_nn::kernel::Scratch;
use xbench_nn::kernel::conv::{Conv, ConvWeights};
use xbench_nn::kernel::pool::Pool;

const IMAGES: usize = 16;

fn ramp(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| (i * 7919 % 1000) as f32 / 1000.0 - 0.5)
        .collect()
}

fn convolutions(c: &mut Criterion) {
    let three = Window::new([3, 3]);
    let five = Window::new([5, 5]);
    for (name, input, inputs, outputs, window) in [
        ("cnn-gap conv1", 28, 1, 32, three),
        ("cnn-gap conv2", 13, 32, 64, three),
        ("cnn-gap conv3", 5, 64, 64, three),
        ("lenet conv1", 28, 1, 6, five.padding([2, 2])),
        ("lenet conv2", 14, 6, 16, five),
    ] {
        let conv = Conv::new([input, input], inputs, outputs, window, 1).expect("a valid shape");
        let mut weights = ConvWeights::default();
        conv.pack(&ramp(conv.weight_len()), true, &mut weights);
        let bias = ramp(outputs);
        let x = ramp(IMAGES * conv.input_len());
        let mut y = vec![0.0; IMAGES * conv.output_len()];
        let mut dx = vec![0.0; x.len()];
        let mut sums = conv.gradient();
        let mut scratch = Scratch::default();
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(IMAGES as u64));
        group.bench_function("forward", |b| {
            b.iter(|| {
                conv.forward(
                    &weights,
                    Some(&bias),
                    true,
                    &x,
                    IMAGES,
                    &mut y,
                    &mut scratch,
                );
                black_box(&y);
            });
        });
        group.bench_function("input gradient", |b| {
            b.iter(|| {
                conv.input_gradient(&weights, &y, IMAGES, &mut dx, &mut scratch);
                black_box(&dx);
            });
        });
        group.bench_function("weight gradient", |b| {
            b.iter(|| {
                conv.add_weight_gradient(&x, &y, IMAGES, &mut sums, &mut scratch);
                black_box(&sums);
            });
        });
    }
}

fn pooling(c: &mut Criterion) {
    let window = Window::new([2, 2]).stride([2, 2]);
    for (name, input, channels) in [("cnn-gap pool1", 26, 32), ("cnn-gap pool2", 11, 64)] {
        let pool = Pool::new([input, input], channels, window, true).expect("a valid shape");
        let x = ramp(IMAGES * pool.input_len());
        let mut y = vec![0.0; IMAGES * pool.output_len()];
        let mut origins = vec![0; y.len()];
        let mut dx = vec![0.0; x.len()];
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(IMAGES as u64));
        group.bench_function("forward", |b| b.iter(|| pool.max(&x, &mut y, None)));
        group.bench_function("forward with origins", |b| {
            b.iter(|| pool.max(&x, &mut y, Some(&mut origins)));
        });
        group.bench_function("gradient", |b| {
            b.iter(|| {
                pool.max_gradient(&y, &origins, &mut dx);
                black_box(&dx);
            });
        });
    }
}

criterion_group!(benches, convolutions, pooling);
criterion_main!(benches);
