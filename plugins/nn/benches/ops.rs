//! Time of the kernels at the shapes of the small networks and of the residual one, a block of 16
//! images on one thread.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xbench_nn::Window;
use xbench_nn::kernel::Scratch;
use xbench_nn::kernel::conv::{Conv, ConvWeights};
use xbench_nn::kernel::pool::Pool;
use xbench_nn::kernel::resize::{Resize, Sampling};
use xbench_nn::kernel::{layout, norm};

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
        (
            "residual conv",
            14,
            32,
            64,
            three.padding([1, 1]).stride([2, 2]),
        ),
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
        group.bench_function("average", |b| b.iter(|| pool.average(&x, &mut y)));
        group.bench_function("average gradient", |b| {
            b.iter(|| {
                pool.average_gradient(&y, &mut dx);
                black_box(&dx);
            });
        });
    }
}

fn normalisation(c: &mut Criterion) {
    const CHANNELS: usize = 64;
    let x = ramp(IMAGES * 56 * 56 * CHANNELS / 8);
    let (mut y, mean) = (vec![0.0; x.len()], ramp(CHANNELS));
    let mut group = c.benchmark_group("norm");
    group.bench_function("sums", |b| b.iter(|| black_box(norm::sums(&x, CHANNELS))));
    group.bench_function("square sums", |b| {
        b.iter(|| black_box(norm::square_sums(&x, &mean)));
    });
    group.bench_function("affine", |b| {
        b.iter(|| norm::affine(&x, &mean, &mean, true, &mut y));
    });
    group.bench_function("gradient sums", |b| {
        b.iter(|| black_box(norm::gradient_sums(&x, &mean, &y)));
    });
    group.bench_function("input gradient", |b| {
        b.iter(|| norm::input_gradient(&x, &mean, &mean, &mean, &mean, &mut y));
    });
}

fn layouts(c: &mut Criterion) {
    for (channels, pixels) in [(3, 784), (32, 169), (64, 121)] {
        let x = ramp(IMAGES * channels * pixels);
        let mut y = vec![0.0; x.len()];
        let mut group = c.benchmark_group(format!("layout of {channels} x {pixels}"));
        group.bench_function("to channel last", |b| {
            b.iter(|| layout::to_channel_last(&x, channels, pixels, &mut y));
        });
        group.bench_function("to channel first", |b| {
            b.iter(|| layout::to_channel_first(&x, channels, pixels, &mut y));
        });
    }
}

fn resizing(c: &mut Criterion) {
    const CHANNELS: usize = 64;
    let resize = Resize::new([7, 7], [28, 28], Sampling::Bilinear);
    let x = ramp(49 * CHANNELS);
    let mut y = vec![0.0; 784 * CHANNELS];
    let mut dx = x.clone();
    let mut group = c.benchmark_group("resize");
    group.bench_function("forward", |b| {
        b.iter(|| resize.forward_channels(&x, CHANNELS, &mut y));
    });
    group.bench_function("gradient", |b| {
        b.iter(|| resize.gradient_channels(&y, CHANNELS, &mut dx));
    });
}

criterion_group!(
    benches,
    convolutions,
    pooling,
    normalisation,
    layouts,
    resizing
);
criterion_main!(benches);
