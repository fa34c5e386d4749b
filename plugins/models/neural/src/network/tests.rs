//! Networks against a reference written without any of their code: plain loops in double
//! precision, and central differences of them.

use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use xbench_nn::op::cross_entropy;
use xbench_nn::{Threads, Window};

use super::*;
use crate::{cnn_dropout, cnn_gap, hybrid_cnn, lenet};
use xbench_plugin::rng::CounterRng;

/// Output of every layer for one channel-first image, in double precision.
fn reference(network: &Architecture, parameters: &[f64], image: &[f64]) -> Vec<Vec<f64>> {
    masked_reference(network, parameters, image, &[])
}

/// The same with dropout: `masks` holds a factor for each value of each dropout layer,
/// channel-first; with none of them it is the identity.
fn masked_reference(
    network: &Architecture,
    parameters: &[f64],
    image: &[f64],
    masks: &[Vec<f64>],
) -> Vec<Vec<f64>> {
    let mut masks = masks.iter();
    let [mut c, mut h, mut w] = network.input;
    let mut x = image.to_vec();
    let mut outputs = Vec::new();
    let mut at = 0;
    for layer in &network.layers {
        let mut take = |n: usize| {
            at += n;
            &parameters[at - n..at]
        };
        let (window, channels) = match layer.op {
            Op::Dropout { .. } => {
                if let Some(mask) = masks.next() {
                    x.iter_mut().zip(mask).for_each(|(x, m)| *x *= m);
                }
                outputs.push(x.clone());
                continue;
            }
            Op::Conv { channels, window } => (window, channels),
            Op::MaxPool(window) | Op::AveragePool(window) => (window, c),
            Op::GlobalAverage => (Window::new([h, w]), c),
            Op::Dense { features, relu } => {
                let weight = take(features * x.len());
                let bias = take(features);
                x = (0..features)
                    .map(|o| {
                        let row = &weight[o * x.len()..(o + 1) * x.len()];
                        let sum: f64 = row.iter().zip(&x).map(|(a, b)| a * b).sum();
                        let y = sum + bias[o];
                        if relu { y.max(0.0) } else { y }
                    })
                    .collect();
                [c, h, w] = [features, 1, 1];
                outputs.push(x.clone());
                continue;
            }
        };
        let [oh, ow] = window.output([h, w]).unwrap();
        let (weight, bias) = match layer.op {
            Op::Conv { .. } => (take(channels * c * window.taps()), take(channels)),
            _ => (&[][..], &[][..]),
        };
        let mut y = vec![0.0; channels * oh * ow];
        for o in 0..channels {
            for oy in 0..oh {
                for ox in 0..ow {
                    let mut sum = 0.0;
                    let mut max = f64::NEG_INFINITY;
                    let inputs = if bias.is_empty() { o..o + 1 } else { 0..c };
                    for (k, i) in inputs.enumerate() {
                        for ky in 0..window.kernel[0] {
                            for kx in 0..window.kernel[1] {
                                let iy = (oy * window.stride[0] + ky) as isize
                                    - window.padding[0] as isize;
                                let ix = (ox * window.stride[1] + kx) as isize
                                    - window.padding[1] as isize;
                                if iy < 0 || ix < 0 || iy >= h as isize || ix >= w as isize {
                                    continue;
                                }
                                let v = x[(i * h + iy as usize) * w + ix as usize];
                                max = max.max(v);
                                let index =
                                    ((o * c + k) * window.kernel[0] + ky) * window.kernel[1] + kx;
                                sum += v * weight.get(index).copied().unwrap_or(1.0);
                            }
                        }
                    }
                    y[(o * oh + oy) * ow + ox] = match layer.op {
                        Op::Conv { .. } => (sum + bias[o]).max(0.0),
                        Op::MaxPool(_) => max,
                        _ => sum / window.taps() as f64,
                    };
                }
            }
        }
        (x, [c, h, w]) = (y, [channels, oh, ow]);
        outputs.push(x.clone());
    }
    outputs
}

fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let rng = CounterRng::new(seed);
    (0..n as u64).map(|i| rng.uniform(i) as f32).collect()
}

/// A network with every kind of layer, odd sizes, strides, padding and overlapping pools.
fn odd() -> Architecture {
    let conv = |channels, window| Op::Conv { channels, window };
    Architecture {
        name: "odd",
        input: [2, 17, 14],
        layers: vec![
            Layer {
                name: "a",
                op: conv(13, Window::new([3, 2]).stride([2, 1]).padding([1, 0])),
            },
            Layer {
                name: "b",
                op: Op::MaxPool(Window::new([3, 3]).stride([2, 2]).padding([1, 1])),
            },
            Layer {
                name: "c",
                op: conv(16, Window::new([3, 3]).padding([1, 1])),
            },
            Layer {
                name: "d",
                op: Op::AveragePool(Window::new([2, 3]).stride([1, 2])),
            },
            Layer {
                name: "e",
                op: conv(5, Window::new([2, 2])),
            },
            Layer {
                name: "f",
                op: Op::Dense {
                    features: 7,
                    relu: true,
                },
            },
            Layer {
                name: "g",
                op: Op::Dense {
                    features: 4,
                    relu: false,
                },
            },
        ],
        init: Init::FanIn,
        first_init: None,
    }
}

fn all() -> Vec<Network> {
    [
        cnn_gap::architecture([1, 28, 28], 10),
        lenet::architecture([1, 28, 28], 10),
        cnn_dropout::dropout([1, 18, 18], 10),
        hybrid_cnn::architecture([1, 16, 16], 10),
        odd(),
    ]
    .into_iter()
    .map(|a| Network::new(a, 7).unwrap())
    .collect()
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

#[test]
fn parameter_counts_are_the_published_ones() {
    let count = |a| Network::new(a, 1).unwrap().parameter_count();
    assert_eq!(count(cnn_gap::architecture([1, 28, 28], 10)), 56_394);
    assert_eq!(count(lenet::architecture([1, 28, 28], 10)), 59_086);
    // 320 + 18,496 + 73,856 + 147,584 + 1,290, with and without dropout.
    assert_eq!(count(cnn_dropout::plain([1, 28, 28], 10)), 241_546);
    assert_eq!(count(cnn_dropout::dropout([1, 28, 28], 10)), 241_546);
    // 160 + 4,640 + 18,496 + 73,856 + 295,168 + 2,570.
    assert_eq!(count(hybrid_cnn::architecture([1, 28, 28], 10)), 394_890);
}

/// Keras' He-normal: cut at two standard deviations of the widened normal, then √(2/fan in).
#[test]
fn the_first_layers_own_rule_is_followed() {
    let network = Network::new(cnn_dropout::dropout([1, 28, 28], 10), 3).unwrap();
    let named = network.named_parameters();
    let first = named[0].values;
    let want = (2.0f64 / 9.0).sqrt();
    let square = first.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / first.len() as f64;
    // 288 values: the deviation's standard error is about 4 % of it.
    assert!(
        (square.sqrt() / want - 1.0).abs() < 0.2,
        "{}",
        square.sqrt()
    );
    assert!(
        first
            .iter()
            .all(|v| f64::from(v.abs()) <= 2.0 * want / 0.8796)
    );
    assert!(named[1].values.iter().all(|v| *v == 0.0));
    // The next is Glorot's, uniform within √(6/(fan in + fan out)).
    let limit = (6.0f64 / (9.0 * 96.0)).sqrt();
    assert!(named[2].values.iter().all(|v| f64::from(v.abs()) <= limit));
}

#[test]
fn every_layer_agrees_with_the_reference() {
    for network in all() {
        let images = 19;
        let x = numbers(images * network.input_len(), 3);
        let parameters = doubles(network.parameters());
        let threads = Threads::new(2).unwrap();
        for (l, layer) in network.layers().iter().enumerate() {
            let got = network.activation(&threads, &x, layer.name).unwrap();
            let width = got.len() / images;
            assert_eq!(width, layer.shape.iter().product::<usize>());
            for image in [0, 15, 18] {
                let one = doubles(&x[image * network.input_len()..][..network.input_len()]);
                let want = &reference(network.architecture(), &parameters, &one)[l];
                for (got, want) in got[image * width..][..width].iter().zip(want) {
                    assert!((f64::from(*got) - want).abs() < 2e-5, "{}", layer.name);
                }
            }
        }
    }
}

/// Central differences of the reference, at elements where no kink lies within the step.
#[test]
fn input_gradients_agree_with_central_differences() {
    for network in all() {
        let (size, outputs) = (network.input_len(), network.outputs());
        let x = numbers(3 * size, 11);
        let dy: Vec<f32> = numbers(3 * outputs, 12).iter().map(|v| v - 0.5).collect();
        let pullback = network.vjp(&Threads::one(), &x, &dy, None, true).unwrap();
        assert_eq!(pullback.activation.as_deref(), Some(&x[..]));
        let parameters = doubles(network.parameters());
        let image = doubles(&x[2 * size..]);
        let value = |image: &[f64]| -> f64 {
            let outputs_of = reference(network.architecture(), &parameters, image);
            let logits = outputs_of.last().unwrap();
            logits
                .iter()
                .zip(&dy[2 * outputs..])
                .map(|(a, b)| a * f64::from(*b))
                .sum()
        };
        let mut checked = 0;
        for i in (0..size).step_by(size / 40) {
            let slope = |h: f64| {
                let mut moved = image.clone();
                moved[i] += h;
                let up = value(&moved);
                moved[i] -= 2.0 * h;
                (up - value(&moved)) / (2.0 * h)
            };
            let (near, far) = (slope(1e-7), slope(1e-6));
            if (near - far).abs() > 1e-6 {
                continue;
            }
            checked += 1;
            let got = f64::from(pullback.gradient[2 * size + i]);
            assert!((got - near).abs() < 2e-5, "{i}: {got} {near}");
        }
        assert!(checked > 20, "only {checked} elements away from kinks");
    }
}

/// The chain rule: the gradient at a layer, pushed on through the rest, is the gradient at the
/// input. Checked by moving the image and watching layer and logits.
#[test]
fn layer_gradients_predict_small_changes() {
    for network in all() {
        let (size, outputs) = (network.input_len(), network.outputs());
        let x = numbers(size, 21);
        let dy: Vec<f32> = numbers(outputs, 22).iter().map(|v| v - 0.5).collect();
        let parameters = doubles(network.parameters());
        let base = doubles(&x);
        let step: Vec<f64> = numbers(size, 23)
            .iter()
            .map(|v| (f64::from(*v) - 0.5) * 1e-6)
            .collect();
        let moved: Vec<f64> = base.iter().zip(&step).map(|(a, b)| a + b).collect();
        let before = reference(network.architecture(), &parameters, &base);
        let after = reference(network.architecture(), &parameters, &moved);
        let change = |l: usize, weights: &[f64]| -> f64 {
            let pairs = after[l].iter().zip(&before[l]);
            pairs.zip(weights).map(|((a, b), w)| (a - b) * w).sum()
        };
        let want = change(before.len() - 1, &doubles(&dy));
        for (l, layer) in network.layers().iter().enumerate() {
            let pullback = network
                .vjp(&Threads::one(), &x, &dy, Some(layer.name), true)
                .unwrap();
            let got = change(l, &doubles(&pullback.gradient));
            assert!(
                (got - want).abs() < 1e-4 * want.abs().max(1e-7),
                "{} {got} {want}",
                layer.name
            );
            let alone = network.activation(&Threads::one(), &x, layer.name).unwrap();
            assert_eq!(pullback.activation.unwrap(), alone);
        }
    }
}

#[test]
fn parameter_gradients_agree_with_central_differences() {
    let mut networks = all();
    // It has a test of its own, with its masks.
    networks.retain(|network| network.architecture().name != "cnn-dropout");
    for network in networks {
        let (size, outputs, images) = (network.input_len(), network.outputs(), 18);
        let x = numbers(images * size, 31);
        let labels: Vec<usize> = (0..images).map(|i| i % outputs).collect();
        let tape = Tape::new(&network, Arc::new(Threads::new(2).unwrap()));
        let [c, h, w] = network.architecture().input;
        let xs = Tensor::from_slice(&x, (images, c, h, w), &Device::Cpu).unwrap();
        let count = network.parameter_count();
        let var = Var::from_slice(network.parameters(), count, &Device::Cpu).unwrap();
        let loss = cross_entropy(&tape.forward(&xs, &var).unwrap(), &labels, 0.1).unwrap();
        let gradients = loss.backward().unwrap();
        let got = gradients.get(&var).unwrap().to_vec1::<f32>().unwrap();

        let parameters = doubles(network.parameters());
        let value = |parameters: &[f64]| -> f64 {
            let mut total = 0.0;
            for (image, &label) in x.chunks_exact(size).zip(&labels) {
                let outputs_of = reference(network.architecture(), parameters, &doubles(image));
                let logits = outputs_of.last().unwrap();
                let sum = logits.iter().map(|v| v.exp()).sum::<f64>().ln();
                let mean = logits.iter().sum::<f64>() / logits.len() as f64;
                total += sum - 0.9 * logits[label] - 0.1 * mean;
            }
            total / images as f64
        };
        assert!((value(&parameters) - f64::from(loss.to_scalar::<f32>().unwrap())).abs() < 1e-5);
        // Every layer's weights and bias, some elements of each.
        let mut at = 0;
        let mut checked = 0;
        for parameter in network.named_parameters() {
            let n = parameter.values.len();
            for i in [0, n / 2, n - 1] {
                let slope = |h: f64| {
                    let mut moved = parameters.clone();
                    moved[at + i] += h;
                    let up = value(&moved);
                    moved[at + i] -= 2.0 * h;
                    (up - value(&moved)) / (2.0 * h)
                };
                let (near, far) = (slope(1e-7), slope(1e-6));
                if (near - far).abs() < 1e-6 {
                    checked += 1;
                    let got = f64::from(got[at + i]);
                    assert!(
                        (got - near).abs() < 1e-5,
                        "{} {i}: {got} {near}",
                        parameter.name
                    );
                }
            }
            at += n;
        }
        assert!(checked >= 15, "only {checked} parameters away from kinks");
    }
}

#[test]
fn batches_and_threads_do_not_change_a_bit() {
    for network in all() {
        let (size, outputs, images) = (network.input_len(), network.outputs(), 37);
        let x = numbers(images * size, 41);
        let dy = numbers(images * outputs, 42);
        let three = Threads::new(3).unwrap();
        let mut logits = vec![0.0; images * outputs];
        network.logits(&three, &x, &mut logits).unwrap();
        let gradient = network.vjp(&three, &x, &dy, None, false).unwrap().gradient;
        for image in [0, 16, 36] {
            let one = &x[image * size..(image + 1) * size];
            let mut alone = vec![0.0; outputs];
            network.logits(&Threads::one(), one, &mut alone).unwrap();
            assert_eq!(alone, logits[image * outputs..(image + 1) * outputs]);
            let dy = &dy[image * outputs..(image + 1) * outputs];
            let back = network.vjp(&Threads::one(), one, dy, None, false).unwrap();
            assert_eq!(back.gradient, gradient[image * size..(image + 1) * size]);
        }
    }
}

/// The masks of one image's dropout layers, channel-first.
fn masks(network: &Network, noise: &dyn Fn() -> Noise) -> Vec<Vec<f64>> {
    let mut masks = Vec::new();
    for (i, layer) in network.plan.layers.iter().enumerate() {
        let plan::Step::Dropout { rate } = layer.step else {
            continue;
        };
        let mut factors = vec![1.0; layer.len()];
        dropout::apply(&noise(), i, rate, layer.len(), &mut factors);
        let (channels, pixels) = (layer.channels, layer.pixels);
        let channel_first = (0..layer.len()).map(|k| {
            let (channel, pixel) = (k / pixels, k % pixels);
            f64::from(factors[pixel * channels + channel])
        });
        masks.push(channel_first.collect());
    }
    masks
}

#[test]
fn dropouts_gradients_agree_with_central_differences_under_its_masks() {
    let network = Network::new(cnn_dropout::dropout([1, 18, 18], 10), 7).unwrap();
    let (size, outputs, images) = (network.input_len(), network.outputs(), 18);
    let x = numbers(images * size, 51);
    let labels: Vec<usize> = (0..images).map(|i| i * 7 % outputs).collect();
    let ids: Vec<u64> = (0..images as u64).map(|i| 1000 - 3 * i).collect();
    let rng = CounterRng::new(9);
    let xs = Tensor::from_slice(&x, (images, 1, 18, 18), &Device::Cpu).unwrap();
    let count = network.parameter_count();
    let run = |threads: usize| {
        let tape = Tape::new(&network, Arc::new(Threads::new(threads).unwrap()));
        let var = Var::from_slice(network.parameters(), count, &Device::Cpu).unwrap();
        let noise = Noise::new(rng, ids.clone());
        let logits = tape.forward_noisy(&xs, &var, noise).unwrap();
        let loss = cross_entropy(&logits, &labels, 0.0).unwrap();
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&var).unwrap().to_vec1::<f32>().unwrap();
        // A pass without noise is the identity again, on the same tape.
        let plain = tape.forward(&xs, &var).unwrap();
        let plain = plain.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        (f64::from(loss.to_scalar::<f32>().unwrap()), gradient, plain)
    };
    let (loss, got, plain) = run(1);
    assert_eq!(run(3), (loss, got.clone(), plain.clone()));
    let mut logits = vec![0.0; images * outputs];
    network.logits(&Threads::one(), &x, &mut logits).unwrap();
    assert_eq!(plain, logits, "the identity at prediction");

    let masks: Vec<Vec<Vec<f64>>> = ids
        .iter()
        .map(|&id| masks(&network, &|| Noise::new(rng, vec![id])))
        .collect();
    let value = |parameters: &[f64]| -> f64 {
        let mut total = 0.0;
        for ((image, &label), masks) in x.chunks_exact(size).zip(&labels).zip(&masks) {
            let image = doubles(image);
            let layers = masked_reference(network.architecture(), parameters, &image, masks);
            let logits = layers.last().unwrap();
            total += logits.iter().map(|v| v.exp()).sum::<f64>().ln() - logits[label];
        }
        total / images as f64
    };
    let parameters = doubles(network.parameters());
    assert!((value(&parameters) - loss).abs() < 1e-5);
    let (mut at, mut checked) = (0, 0);
    for parameter in network.named_parameters() {
        let n = parameter.values.len();
        for i in [0, n / 3, n - 1] {
            let slope = |h: f64| {
                let mut moved = parameters.clone();
                moved[at + i] += h;
                let up = value(&moved);
                moved[at + i] -= 2.0 * h;
                (up - value(&moved)) / (2.0 * h)
            };
            let (near, far) = (slope(1e-7), slope(1e-6));
            if (near - far).abs() < 1e-6 {
                checked += 1;
                let got = f64::from(got[at + i]);
                assert!(
                    (got - near).abs() < 1e-5,
                    "{} {i}: {got} {near}",
                    parameter.name
                );
            }
        }
        at += n;
    }
    assert!(checked >= 15, "only {checked} parameters away from kinks");
}

/// Pulling back from a middle layer is the rest of the way from the logits.
#[test]
fn gradients_start_at_any_layer() {
    let network = Network::new(hybrid_cnn::architecture([1, 16, 16], 10), 7).unwrap();
    let threads = Threads::one();
    let x = numbers(3 * network.input_len(), 61);
    let dy: Vec<f32> = numbers(30, 62).iter().map(|v| v - 0.5).collect();
    let whole = network
        .vjp(&threads, &x, &dy, None, false)
        .unwrap()
        .gradient;
    for layer in ["gap", "pool4", "conv3", "conv1"] {
        let at = network.vjp(&threads, &x, &dy, Some(layer), false).unwrap();
        let from = (layer, &at.gradient[..]);
        let rest = network.vjp_from(&threads, &x, from, None, false).unwrap();
        let largest = whole.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        for (a, b) in rest.gradient.iter().zip(&whole) {
            assert!((a - b).abs() <= 1e-6 * largest, "{layer}");
        }
        let own = network.vjp_from(&threads, &x, from, Some(layer), false);
        assert_eq!(own.unwrap().gradient, at.gradient);
        let behind = network.vjp_from(&threads, &x, from, Some("dense"), false);
        assert!(matches!(behind, Err(NetworkError::NoSuchLayer { .. })));
    }
}
