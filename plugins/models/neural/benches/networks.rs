//! Throughput of whole networks: forward, forward and gradient of the input, backward passes by
//! other rules, and a training step, on one and two threads.

use std::hint::black_box;
use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xbench_models_neural::network::{Network, Propagation, Rule, Tape};
use xbench_models_neural::{cnn_dropout, cnn_gap, hybrid_cnn, lenet};
use xbench_nn::Threads;
use xbench_nn::op::cross_entropy;

const IMAGES: usize = 256;

fn networks(c: &mut Criterion) {
    for architecture in [
        cnn_gap::architecture([1, 28, 28], 10),
        lenet::architecture([1, 28, 28], 10),
        cnn_dropout::dropout([1, 28, 28], 10),
        hybrid_cnn::architecture([1, 28, 28], 10),
    ] {
        let mut group = c.benchmark_group(architecture.name);
        group.throughput(Throughput::Elements(IMAGES as u64));
        let network = Network::new(architecture, 1).expect("a valid network");
        let x: Vec<f32> = (0..IMAGES * 784)
            .map(|i| (i * 7919 % 1000) as f32 / 1000.0)
            .collect();
        let mut logits = vec![0.0; IMAGES * 10];
        let gradient = vec![1.0; IMAGES * 10];
        let labels: Vec<usize> = (0..IMAGES).map(|i| i % 10).collect();
        for count in [1, 2] {
            let threads = Arc::new(Threads::new(count).expect("threads"));
            group.bench_function(format!("forward, {count} threads"), |b| {
                b.iter(|| network.logits(&threads, &x, &mut logits).expect("logits"));
            });
            group.bench_function(
                format!("forward and input gradient, {count} threads"),
                |b| {
                    b.iter(|| {
                        let back = network.vjp(&threads, &x, &gradient, None, false);
                        black_box(back.expect("a gradient"));
                    });
                },
            );
            let epsilon = Propagation::Epsilon(1e-6);
            let reference = vec![0.0; x.len()];
            for (name, rule) in [
                ("guided", Rule::Guided),
                (
                    "DeepLIFT",
                    Rule::DeepLift {
                        reference: &reference,
                    },
                ),
                (
                    "LRP",
                    Rule::Lrp {
                        convolution: Propagation::Gamma(0.25),
                        dense: epsilon,
                    },
                ),
            ] {
                group.bench_function(format!("{name}, {count} threads"), |b| {
                    b.iter(|| {
                        let given = (None, &gradient[..]);
                        let back = network.modified_vjp(&threads, &x, given, rule, None, false);
                        black_box(back.expect("a gradient"));
                    });
                });
            }
            let tape = Tape::new(&network, Arc::clone(&threads));
            let images = Tensor::from_slice(&x, (IMAGES, 1, 28, 28), &Device::Cpu).expect("x");
            let flat = network.parameters();
            let parameters = Var::from_slice(flat, flat.len(), &Device::Cpu).expect("parameters");
            group.bench_function(format!("training step, {count} threads"), |b| {
                b.iter(|| {
                    let logits = tape.forward(&images, &parameters).expect("logits");
                    let loss = cross_entropy(&logits, &labels, 0.0).expect("a loss");
                    black_box(loss.backward().expect("gradients"));
                });
            });
        }
    }
}

criterion_group!(benches, networks);
criterion_main!(benches);
