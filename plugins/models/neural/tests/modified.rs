//! Modified backward passes against axioms and hand-worked cases; the forward pass from a layer.

use xbench_models_neural::network::{Architecture, Init, Layer, Network, Op, Propagation, Rule};
use xbench_models_neural::{cnn_dropout, cnn_gap, hybrid_cnn, lenet};
use xbench_nn::{Threads, Window};

const IMAGES: usize = 19;

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Networks with maxima, averages, global averages, dropout and overlapping maxima.
fn networks() -> Vec<Network> {
    let layer = |name, op| Layer { name, op };
    let overlapping = Architecture {
        name: "overlapping",
        input: [2, 9, 11],
        layers: vec![
            layer(
                "conv",
                Op::Conv {
                    channels: 5,
                    window: Window::new([3, 3]).padding([1, 1]),
                },
            ),
            layer("pool", Op::MaxPool(Window::new([3, 3]).stride([2, 2]))),
            layer(
                "dense1",
                Op::Dense {
                    features: 7,
                    relu: true,
                },
            ),
            layer(
                "dense2",
                Op::Dense {
                    features: 3,
                    relu: false,
                },
            ),
        ],
        init: Init::FanIn,
        first_init: None,
    };
    [
        cnn_gap::architecture([1, 28, 28], 10),
        lenet::architecture([1, 28, 28], 10),
        cnn_dropout::dropout([1, 20, 20], 4),
        hybrid_cnn::architecture([3, 28, 28], 10),
        overlapping,
    ]
    .into_iter()
    .enumerate()
    .map(|(i, architecture)| {
        let mut network = Network::new(architecture, i as u64).unwrap();
        give_biases(&mut network);
        network
    })
    .collect()
}

/// Weights that do not vanish, and biases of both signs.
fn give_biases(network: &mut Network) {
    let values: Vec<_> = network
        .named_parameters()
        .iter()
        .map(|parameter| {
            (
                parameter.name.clone(),
                parameter.shape.clone(),
                parameter.values.to_vec(),
            )
        })
        .collect();
    let tensors: Vec<(String, Vec<u8>, Vec<usize>)> = values
        .into_iter()
        .enumerate()
        .map(|(i, (name, shape, mut values))| {
            if name.ends_with("bias") {
                let drawn = numbers(values.len(), i as u32 + 7);
                values = drawn.iter().map(|v| 0.4 * (v - 0.4)).collect();
            }
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (name, bytes, shape)
        })
        .collect();
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, bytes, shape)| {
            let view =
                safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
            (name.clone(), view.unwrap())
        })
        .collect();
    network
        .load(&safetensors::serialize(views, None).unwrap())
        .unwrap();
}

struct Case {
    x: Vec<f32>,
    reference: Vec<f32>,
    dy: Vec<f32>,
    target: Vec<usize>,
    logits: Vec<f32>,
    baseline: Vec<f32>,
}

fn case(network: &Network, threads: &Threads) -> Case {
    let (len, outputs) = (network.input_len(), network.outputs());
    let x = numbers(IMAGES * len, 1);
    let reference: Vec<f32> = numbers(IMAGES * len, 2).iter().map(|v| v * 0.3).collect();
    let target: Vec<usize> = (0..IMAGES).map(|i| i % outputs).collect();
    let mut dy = vec![0.0; IMAGES * outputs];
    for (row, &target) in dy.chunks_exact_mut(outputs).zip(&target) {
        row[target] = 1.0;
    }
    let of = |x: &[f32]| {
        let mut logits = vec![0.0; IMAGES * outputs];
        network.logits(threads, x, &mut logits).unwrap();
        logits
    };
    Case {
        logits: of(&x),
        baseline: of(&reference),
        x,
        reference,
        dy,
        target,
    }
}

fn close(got: f64, want: f64, scale: f64, what: &str) {
    assert!(
        (got - want).abs() <= 1e-4 * scale.max(1e-3),
        "{what}: {got}, expected {want}"
    );
}

#[test]
fn deeplift_is_complete() {
    let threads = Threads::new(2).unwrap();
    for network in networks() {
        let case = case(&network, &threads);
        let rule = Rule::DeepLift {
            reference: &case.reference,
        };
        let multipliers = network
            .modified_vjp(&threads, &case.x, (None, &case.dy), rule, None, false)
            .unwrap()
            .gradient;
        let len = network.input_len();
        for i in 0..IMAGES {
            let at = i * len..(i + 1) * len;
            let parts = multipliers[at.clone()]
                .iter()
                .zip(&case.x[at.clone()])
                .zip(&case.reference[at]);
            let (mut sum, mut size) = (0.0, 0.0);
            for ((m, x), r) in parts {
                let part = f64::from(*m) * f64::from(x - r);
                sum += part;
                size += part.abs();
            }
            let place = i * network.outputs() + case.target[i];
            let want = f64::from(case.logits[place]) - f64::from(case.baseline[place]);
            close(sum, want, size, network.architecture().name);
        }
    }
}

#[test]
fn deeplift_against_a_close_reference_is_the_gradient() {
    let threads = Threads::new(1).unwrap();
    let network = &networks()[1];
    let case = case(network, &threads);
    // Equal where it can be: no input differs, so every quotient is its limit. LeNet has no maxima.
    let rule = Rule::DeepLift { reference: &case.x };
    let got = network
        .modified_vjp(&threads, &case.x, (None, &case.dy), rule, None, false)
        .unwrap();
    let want = network
        .vjp(&threads, &case.x, &case.dy, None, false)
        .unwrap();
    for (got, want) in got.gradient.iter().zip(&want.gradient) {
        close(f64::from(*got), f64::from(*want), 1.0, "multiplier");
    }
}

/// Of ReLU networks without ε the rule is input times gradient (Ancona et al. 2018, proposition 1).
#[test]
fn lrp_without_epsilon_is_input_times_gradient() {
    let threads = Threads::new(2).unwrap();
    for network in networks() {
        let case = case(&network, &threads);
        let rule = Rule::Lrp {
            convolution: Propagation::Epsilon(0.0),
            dense: Propagation::Gamma(0.0),
        };
        let relevance = network
            .modified_vjp(&threads, &case.x, (None, &case.dy), rule, None, false)
            .unwrap()
            .gradient;
        let gradient = network
            .vjp(&threads, &case.x, &case.dy, None, false)
            .unwrap()
            .gradient;
        let largest = relevance.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        for ((r, g), x) in relevance.iter().zip(&gradient).zip(&case.x) {
            close(
                f64::from(*r),
                f64::from(g * x),
                f64::from(largest),
                network.architecture().name,
            );
        }
    }
}

/// Positive inputs and weights share out all there is.
#[test]
fn z_plus_conserves_relevance() {
    let threads = Threads::new(2).unwrap();
    for network in networks() {
        let case = case(&network, &threads);
        let rule = Rule::Lrp {
            convolution: Propagation::ZPlus,
            dense: Propagation::ZPlus,
        };
        let relevance = network
            .modified_vjp(&threads, &case.x, (None, &case.dy), rule, None, false)
            .unwrap()
            .gradient;
        let len = network.input_len();
        for i in 0..IMAGES {
            let part = &relevance[i * len..(i + 1) * len];
            let sum: f64 = part.iter().map(|&r| f64::from(r)).sum();
            let logit = f64::from(case.logits[i * network.outputs() + case.target[i]]);
            close(
                sum,
                logit,
                logit.abs().max(0.1),
                network.architecture().name,
            );
            assert!(
                part.iter().all(|&r| f64::from(r) * logit >= 0.0),
                "one sign"
            );
        }
    }
}

/// x = (1, 2); h = relu(W x + b) with W = [[1, -1], [2, 1]], b = (0.5, -1): h = (0, 3);
/// y = (3, -2) . h = -6.
fn tiny() -> Network {
    let layer = |name, op| Layer { name, op };
    let mut network = Network::new(
        Architecture {
            name: "tiny",
            input: [2, 1, 1],
            layers: vec![
                layer(
                    "hidden",
                    Op::Dense {
                        features: 2,
                        relu: true,
                    },
                ),
                layer(
                    "out",
                    Op::Dense {
                        features: 1,
                        relu: false,
                    },
                ),
            ],
            init: Init::Glorot,
            first_init: None,
        },
        0,
    )
    .unwrap();
    let bytes =
        |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let tensors = [
        ("hidden.weight", vec![2, 2], bytes(&[1.0, -1.0, 2.0, 1.0])),
        ("hidden.bias", vec![2], bytes(&[0.5, -1.0])),
        ("out.weight", vec![1, 2], bytes(&[3.0, -2.0])),
        ("out.bias", vec![1], bytes(&[0.0])),
    ];
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            let view =
                safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
            (*name, view.unwrap())
        })
        .collect();
    network
        .load(&safetensors::serialize(views, None).unwrap())
        .unwrap();
    network
}

#[test]
fn rules_by_hand() {
    let threads = Threads::new(1).unwrap();
    let network = tiny();
    let back = |rule, dy: f32| {
        network
            .modified_vjp(&threads, &[1.0, 2.0], (None, &[dy]), rule, None, false)
            .unwrap()
            .gradient
    };
    // Gradient of h is (3, -2): both rules drop the negative; guided the dead unit as well.
    assert_eq!(back(Rule::Guided, 1.0), [0.0, 0.0]);
    assert_eq!(back(Rule::Deconvolution, 1.0), [3.0, -3.0]);
    // With the sign turned, (-3, 2): the second unit is alive and positive.
    assert_eq!(back(Rule::Guided, -1.0), [4.0, 2.0]);
    assert_eq!(back(Rule::Deconvolution, -1.0), [4.0, 2.0]);

    let lrp = |dense| {
        back(
            Rule::Lrp {
                convolution: Propagation::ZPlus,
                dense,
            },
            1.0,
        )
    };
    let near = |got: Vec<f32>, want: [f32; 2]| {
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }
    };
    // R_y = -6, all of it from the second unit; z_2 = 3 of which 2 from x_1 and 2 from x_2.
    near(lrp(Propagation::Epsilon(0.0)), [-4.0, -4.0]);
    // ε = 1: y: -6 / (-6 - 1) * -6 = -36/7; z: share 2 / (3 + 1) each.
    near(lrp(Propagation::Epsilon(1.0)), [-18.0 / 7.0, -18.0 / 7.0]);
    // γ = 1: y' = (6, -2) . (0, 3) = -6; z_2' = 4 * 1 + 2 * 2 - 1 = 7 of which 4 and 4.
    near(lrp(Propagation::Gamma(1.0)), [-24.0 / 7.0, -24.0 / 7.0]);
    // z+: no positive weight leads from the living unit to y.
    near(lrp(Propagation::ZPlus), [0.0, 0.0]);

    // Reference 0: h_0 = (0.5, 0); y_0 = 1.5. Multipliers of ReLU: (0 - .5) / (-.5 - .5) = .5 and
    // (3 - 0) / (3 - -1) = .75; of x: .5 * 3 * (1, -1) + .75 * -2 * (2, 1) = (-1.5, -3).
    let rule = Rule::DeepLift {
        reference: &[0.0, 0.0],
    };
    near(back(rule, 1.0), [-1.5, -3.0]);
}

#[test]
fn a_layer_s_own_value_leads_to_the_logits() {
    let threads = Threads::new(2).unwrap();
    for network in networks() {
        let case = case(&network, &threads);
        for layer in network.layers() {
            let value = network.activation(&threads, &case.x, layer.name).unwrap();
            let mut logits = vec![0.0; case.logits.len()];
            network
                .logits_from(&threads, layer.name, &value, &mut logits)
                .unwrap();
            assert_eq!(logits, case.logits, "{}", layer.name);
        }
    }
}

#[test]
fn rules_reach_layers_and_rows_are_independent() {
    let threads = Threads::new(2).unwrap();
    let network = &networks()[0];
    let case = case(network, &threads);
    let len = network.input_len();
    let outputs = network.outputs();
    for rule in [
        Rule::Guided,
        Rule::Deconvolution,
        Rule::Lrp {
            convolution: Propagation::ZPlus,
            dense: Propagation::Epsilon(0.1),
        },
    ] {
        for layer in [None, Some("conv2"), Some("pool1")] {
            let whole = network
                .modified_vjp(&threads, &case.x, (None, &case.dy), rule, layer, true)
                .unwrap();
            let want = match layer {
                None => case.x.clone(),
                Some(layer) => network.activation(&threads, &case.x, layer).unwrap(),
            };
            assert_eq!(whole.activation, Some(want));
            let i = 17;
            let alone = network
                .modified_vjp(
                    &threads,
                    &case.x[i * len..(i + 1) * len],
                    (None, &case.dy[i * outputs..(i + 1) * outputs]),
                    rule,
                    layer,
                    false,
                )
                .unwrap();
            let width = alone.gradient.len();
            assert_eq!(alone.gradient, whole.gradient[i * width..(i + 1) * width]);
        }
    }
}
