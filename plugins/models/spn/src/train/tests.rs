//! Tests of the training.

use super::*;
use crate::network::{Architecture, Kind};

const SMALL: Architecture = Architecture {
    input: [1, 48, 40],
    outputs: 3,
    depth: 18,
    width: 4,
};

fn ramp(n: usize, seed: usize) -> Vec<f32> {
    (0..n)
        .map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 1009.0)
        .collect()
}

/// The whole training loss of one batch, with its gradients when asked for.
fn pass(
    graph: &Arc<Graph>,
    parameters: &Parameters,
    recipe: &Recipe,
    threads: usize,
    want: bool,
) -> (f64, Vec<Vec<f32>>) {
    const IMAGES: usize = 8;
    let threads = Arc::new(Threads::new(threads).unwrap());
    let mut parameters = parameters.clone();
    let mut tape = Tape::new(Arc::clone(graph), IMAGES, threads);
    let input = ramp(IMAGES * graph.len(0), 1);
    for (to, from) in tape.input_mut().iter_mut().zip(input) {
        *to = 4.0 * from - 2.0;
    }
    tape.forward(&mut parameters, true);
    let labels = [0, 1, 2, 1, 0, 2, 2, 1];
    let pixels = graph.len(graph.mask());
    let masks: Vec<f32> = ramp(IMAGES * pixels, 2).iter().map(|v| v.round()).collect();
    let mut slopes = (vec![0.0; IMAGES * 3], vec![0.0; IMAGES * pixels]);
    let loss = classify(tape.logits(), &labels, 0.1, &mut slopes.0);
    let shown = [true, false, true, true, false, true, false, true];
    let localisation = localise_batch(recipe, tape.maps(), &masks, &shown, &mut slopes.1);
    let whole = loss.class + recipe.lambda * localisation;
    let gradients = if want {
        let gradients = tape.backward(&mut parameters, &slopes.0, Some(&slopes.1));
        gradients.arrays().iter().map(|g| g.to_vec()).collect()
    } else {
        Vec::new()
    };
    (whole, gradients)
}

/// Every array of parameters in turn is moved along its own gradient: the loss must change by the
/// gradient's length.
#[test]
fn gradients_of_the_whole_network_agree_with_central_differences() {
    // The absolute difference has kinks of its own: its gradient is checked beside it.
    for kind in [LocalisationLoss::Ce, LocalisationLoss::L2] {
        let graph = Arc::new(Graph::new(SMALL).unwrap());
        let parameters = Parameters::draw(&graph, 3);
        let recipe = Recipe {
            lambda: 0.7,
            localisation_loss: kind,
            ..Recipe::preset("quick").unwrap()
        };
        let (_, gradients) = pass(&graph, &parameters, &recipe, 1, true);
        let mut checked = 0;
        for (i, gradient) in gradients.iter().enumerate() {
            let square: f64 = gradient.iter().map(|&g| f64::from(g).powi(2)).sum();
            let length = square.sqrt();
            // Statistics have none; small ones cannot be told from kinks and rounding in single
            // precision (agreement with PyTorch covers every array).
            if length < 2e-2 {
                continue;
            }
            // A long step meets kinks of ReLUs, a short one drowns in rounding: one must fit.
            let slopes = [2e-3, 5e-4, 1.2e-4, 4e-5].map(|change| {
                let step = change / length;
                let at = |sign: f64| {
                    let mut moved = parameters.clone();
                    let (_, values) = moved.arrays_mut().swap_remove(i);
                    for (value, &g) in values.iter_mut().zip(gradient) {
                        *value += (sign * step * f64::from(g) / length) as f32;
                    }
                    pass(&graph, &moved, &recipe, 1, false).0
                };
                (at(1.0) - at(-1.0)) / (2.0 * step)
            });
            assert!(
                slopes
                    .iter()
                    .any(|slope| (slope - length).abs() < 0.03 * length + 5e-4),
                "{kind:?}, array {i}: {slopes:?} {length}"
            );
            checked += 1;
        }
        assert!(checked >= 20, "{checked} of {}", gradients.len());
    }
}

#[test]
fn a_step_has_the_same_bits_for_any_number_of_threads() {
    let graph = Arc::new(Graph::new(SMALL).unwrap());
    let parameters = Parameters::draw(&graph, 5);
    let recipe = Recipe::preset("quick").unwrap();
    let one = pass(&graph, &parameters, &recipe, 1, true);
    for threads in [2, 3] {
        let many = pass(&graph, &parameters, &recipe, threads, true);
        assert_eq!(one.0.to_bits(), many.0.to_bits());
        assert_eq!(one.1, many.1);
    }
}

/// Padding of packed weights has no gradient, so it stays zero; without the SPN its parameters have
/// none either.
#[test]
fn what_takes_no_part_has_no_gradient() {
    let graph = Arc::new(Graph::new(SMALL).unwrap());
    let mut parameters = Parameters::draw(&graph, 5);
    let threads = Arc::new(Threads::one());
    let mut tape = Tape::new(Arc::clone(&graph), 2, threads);
    tape.input_mut().copy_from_slice(&ramp(2 * graph.len(0), 4));
    tape.forward(&mut parameters, false);
    let gradients = tape.backward(&mut parameters, &[1.0, -1.0, 0.0, 0.5, 0.0, -0.5], None);
    let arrays = gradients.arrays();
    for (place, (kind, gradient)) in graph
        .convs
        .iter()
        .zip(parameters.arrays().iter().map(|(k, _)| *k).zip(&arrays))
    {
        assert_eq!(kind, Kind::Weight);
        let moved = gradient.iter().any(|&g| g != 0.0);
        assert_eq!(moved, place.group.is_some(), "{}", place.name);
    }
}
