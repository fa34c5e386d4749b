//! Agreement with torchvision's ResNet and the SPN in PyTorch, on weights given by a formula
//! (`fixtures/make_parity.py`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use xbench_models_spn::network::{
    Architecture, Graph, Network, PIXEL_DEVIATION, PIXEL_MEAN, Parameters, ReluRule, names,
};
use xbench_models_spn::train::{LocalisationLoss, Tape, classify, localise};
use xbench_nn::Threads;

#[derive(Deserialize)]
struct Case {
    logits: Vec<f32>,
    maps: Vec<f32>,
    second: Vec<f32>,
    input_gradient: Vec<f32>,
    second_gradient: Vec<f32>,
    /// Of ResNet-18 alone.
    #[serde(flatten)]
    training: Option<Training>,
}

#[derive(Deserialize)]
struct Training {
    loss: f64,
    /// Length, and product with a ramp.
    gradients: BTreeMap<String, [f64; 2]>,
    /// Sum.
    statistics: BTreeMap<String, f64>,
}

const IMAGES: usize = 3;

fn architecture(depth: usize) -> Architecture {
    Architecture {
        input: [3, 48, 40],
        outputs: 3,
        depth,
        width: 64,
    }
}

fn ramp(n: usize, seed: usize) -> Vec<f64> {
    (0..n)
        .map(|i| ((i * 7919 + seed * 104_729) % 1009) as f64 / 1009.0)
        .collect()
}

fn filled(graph: &Graph) -> Parameters {
    let mut parameters = Parameters::draw(graph, 0);
    let named = names(graph);
    let mut sorted: Vec<&str> = named.iter().map(|n| &n.name[..]).collect();
    sorted.sort_unstable();
    for (i, tensor) in named.iter().enumerate() {
        let seed = sorted.iter().position(|n| *n == tensor.name).unwrap();
        let numbers = ramp(tensor.shape.iter().product(), seed);
        let vector = tensor.shape.len() == 1;
        let positive = tensor.name.ends_with("running_var") || tensor.name.ends_with(".weight");
        let limit = (6.0 / tensor.shape[1..].iter().product::<usize>() as f64).sqrt();
        let values: Vec<f32> = numbers
            .iter()
            .map(|&v| match (vector, positive) {
                (true, true) => 0.5 + v,
                (true, false) => 0.2 * (v - 0.5),
                (false, _) => (2.0 * v - 1.0) * limit,
            })
            .map(|v| v as f32)
            .collect();
        parameters.set(graph, i, &values);
    }
    parameters
}

fn cases() -> BTreeMap<usize, Case> {
    serde_json::from_str(include_str!("fixtures/parity.json")).unwrap()
}

fn agree(what: &str, got: impl IntoIterator<Item = f32>, want: &[f32], tolerance: f32) {
    let got: Vec<f32> = got.into_iter().collect();
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0.0_f32, |a, v| a.max(v.abs()));
    for (got, want) in got.iter().zip(want) {
        let off = (got - want).abs();
        assert!(
            off <= tolerance * largest,
            "{what}: {got} {want} ({largest})"
        );
    }
}

fn every(n: usize, values: &[f32]) -> Vec<f32> {
    values.iter().step_by(n).copied().collect()
}

#[test]
fn names_and_shapes_are_torchvisions() {
    let theirs: BTreeMap<usize, Vec<(String, Vec<usize>)>> =
        serde_json::from_str(include_str!("fixtures/names.json")).unwrap();
    for (depth, mut theirs) in theirs {
        let graph = Graph::new(architecture(depth)).unwrap();
        let mut ours: Vec<(String, Vec<usize>)> = names(&graph)
            .into_iter()
            .filter(|n| !n.spn && !n.name.starts_with("classifier."))
            .map(|n| (n.name, n.shape))
            .collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "ResNet-{depth}");
    }
}

#[test]
fn prediction_and_its_gradients_are_pytorchs() {
    for (depth, case) in cases() {
        let mut network = Network::new(architecture(depth), 1).unwrap();
        let parameters = filled(network.graph());
        network.set_parameters(parameters, true);
        let threads = Threads::one();
        let x: Vec<f32> = ramp(IMAGES * network.input_len(), 5)
            .iter()
            .map(|&v| v as f32)
            .collect();
        agree("logits", network.logits(&threads, &x), &case.logits, 1e-4);
        let maps = network.segment(&threads, &x).unwrap();
        agree("maps", every(97, &maps), &case.maps, 1e-4);
        let dy = [1.0, 0.0, -0.5, 0.0, 1.0, 0.0, 0.25, -1.0, 0.5];
        let last = if depth == 50 { "layer2.3" } else { "layer2.1" };
        let (gradient, value) = network.gradient(&threads, &x, &dy, Some(last)).unwrap();
        agree("layer2", every(997, &value), &case.second, 1e-4);
        let what = "gradient of layer2";
        agree(what, every(997, &gradient), &case.second_gradient, 1e-3);
        let (gradient, _) = network.gradient(&threads, &x, &dy, None).unwrap();
        let what = "gradient of the input";
        agree(what, every(97, &gradient), &case.input_gradient, 1e-3);
    }
}

#[test]
fn a_training_step_is_pytorchs() {
    let case = cases().remove(&18).and_then(|case| case.training).unwrap();
    let graph = Arc::new(Graph::new(architecture(18)).unwrap());
    let mut parameters = filled(&graph);
    let mut tape = Tape::new(Arc::clone(&graph), IMAGES, Arc::new(Threads::one()));
    let pixels = 48 * 40;
    let x = ramp(IMAGES * 3 * pixels, 5);
    for (i, to) in tape.input_mut().iter_mut().enumerate() {
        let (image, pixel, c) = (i / (3 * pixels), i / 3 % pixels, i % 3);
        *to = (x[(image * 3 + c) * pixels + pixel] as f32 - PIXEL_MEAN[c]) / PIXEL_DEVIATION[c];
    }
    tape.forward(&mut parameters, true);
    let mut logits = vec![0.0; IMAGES * 3];
    let mut loss = classify(tape.logits(), &[0, 2, 1], 0.0, &mut logits).class;
    let masks: Vec<f32> = ramp(IMAGES * pixels, 6)
        .iter()
        .map(|v| (*v as f32).round())
        .collect();
    let mut maps = vec![0.0; IMAGES * pixels];
    for image in [0, 2] {
        let at = image * pixels..(image + 1) * pixels;
        let (map, mask) = (&tape.maps()[at.clone()], &masks[at.clone()]);
        let kind = LocalisationLoss::Ce;
        loss += 0.25 * localise(kind, map, mask, 0.25, &mut maps[at]);
    }
    assert!((loss - case.loss).abs() < 1e-4, "{loss} {}", case.loss);

    let named = names(&graph);
    for (name, values) in named.iter().zip(parameters.tensors(&graph)) {
        if let Some(want) = case.statistics.get(&name.name) {
            let got: f64 = values.iter().map(|&v| f64::from(v)).sum();
            let scale = values.iter().map(|v| f64::from(v.abs())).sum::<f64>();
            assert!(
                (got - want).abs() < 1e-4 * scale,
                "{}: {got} {want}",
                name.name
            );
        }
    }

    // The gradients in the order of PyTorch's weights: as if they were parameters.
    let mut shaped = parameters.clone();
    let gradients = tape.backward(&mut parameters, &logits, Some(&maps));
    for ((_, to), from) in shaped.arrays_mut().into_iter().zip(gradients.arrays()) {
        if !from.is_empty() {
            to.copy_from_slice(from);
        }
    }
    let mut seen = 0;
    for (name, values) in named.iter().zip(shaped.tensors(&graph)) {
        let Some(&[length, product]) = case.gradients.get(&name.name) else {
            continue;
        };
        let dot = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            let ramp = ramp(values.len(), 7);
            values
                .iter()
                .zip(ramp)
                .map(|(&v, r)| f(f64::from(v), r))
                .sum()
        };
        let got = [dot(&|v, _| v * v).sqrt(), dot(&|v, r| v * (2.0 * r - 1.0))];
        let room = 2e-3 * length + 1e-6;
        assert!(
            (got[0] - length).abs() < room,
            "{}: {got:?} {length}",
            name.name
        );
        let room = 5e-3 * length + 1e-6;
        assert!(
            (got[1] - product).abs() < room,
            "{}: {got:?} {product}",
            name.name
        );
        seen += 1;
    }
    assert_eq!(seen, case.gradients.len());
}

/// Guided: both conditions; deconvolution: the gradient's alone. On a network whose weights are all
/// positive neither drops anything.
#[test]
fn rules_of_relu_drop_what_they_say() {
    let threads = Threads::new(1).unwrap();
    let architecture = Architecture {
        input: [1, 32, 32],
        outputs: 3,
        depth: 18,
        width: 8,
    };
    let network = Network::new(architecture, 4).unwrap();
    let x: Vec<f32> = (0..2 * 1024)
        .map(|i| (i * 37 % 101) as f32 / 101.0)
        .collect();
    let dy = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let pull = |rule, layer| network.pull_back(&threads, &x, &dy, rule, layer).unwrap().0;
    let last = network.graph().layers.last().unwrap().name.clone();
    let hidden = network.graph().layers[network.graph().layers.len() - 2]
        .name
        .clone();
    // Behind the last ReLU all rules agree; in front of it they differ.
    for rule in [ReluRule::Guided, ReluRule::Deconvolution] {
        assert_eq!(pull(rule, Some(&last)), pull(ReluRule::Chain, Some(&last)));
        assert_eq!(
            pull(rule, Some(&hidden)),
            pull(ReluRule::Chain, Some(&hidden))
        );
        assert_ne!(pull(rule, None), pull(ReluRule::Chain, None));
    }
    assert_ne!(
        pull(ReluRule::Guided, None),
        pull(ReluRule::Deconvolution, None)
    );
}
