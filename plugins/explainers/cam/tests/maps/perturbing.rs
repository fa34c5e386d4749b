//! Score-CAM and Ablation-CAM by hand, and against their definitions.

use xbench_explainers_cam::Resize;
use xbench_plugin::OutputKind;

use crate::harness::Rows;
use crate::stack::{Stack, Stage, numbers};
use crate::{deviation, explain, fails, rows};

/// Three maps of the image itself (x, relu(0.5 - x), and a dead one), and two outputs.
///
/// Kernels of one pixel, so that maps have the size of the image and nothing is enlarged.
fn by_hand() -> Stack {
    Stack::new(
        [1, 1, 2],
        vec![
            Stage::Conv {
                side: 1,
                weight: vec![1.0, -1.0, 0.0],
                bias: vec![0.0, 0.5, -1.0],
                relu: true,
            },
            Stage::Dense {
                // Output 0: 2 x_1 + x_2 - relu(0.5 - x_1); output 1: 3 relu(0.5 - x_2).
                weight: vec![
                    2.0, 1.0, -1.0, 0.0, 5.0, 5.0, //
                    0.0, 0.0, 0.0, 3.0, 0.0, 0.0,
                ],
                bias: vec![0.25, 0.0],
                relu: false,
            },
        ],
    )
}

fn one(x: [f32; 2], target: i64) -> Rows {
    Rows {
        shape: [1, 1, 1, 2],
        x: x.to_vec(),
        target: vec![target],
        seed: vec![0],
        mask: None,
    }
}

#[test]
fn scorecam_by_hand() {
    // x = (1, 0.2): maps (1, 0.2), (0, 0.3), (0, 0). Masks (1, 0) and (0, 1); the third is dead.
    // Images (1, 0) and (0, 0.2). Output 0 of them: 2 + 0 - 0 + 0.25 = 2.25, and
    // 0 + 0.2 - 0.5 + 0.25 = -0.05; of the empty image: -0.5 + 0.25 = -0.25.
    let (model, row) = (by_hand().model(), one([1.0, 0.2], 0));
    let (first, second) = (2.25_f64, -0.05_f64);
    let share = 1.0 / (1.0 + (second - first).exp());
    let seen = explain("scorecam", "{}", &model, &row);
    let expected = [share, 0.2 * share + 0.3 * (1.0 - share)];
    let worst = deviation(&seen, &expected);
    assert!(worst < 1e-6, "{worst}");

    let seen = explain("scorecam", r#"{"weights": "increase"}"#, &model, &row);
    let worst = deviation(&seen, &[2.5, 2.5 * 0.2 + 0.2 * 0.3]);
    assert!(worst < 1e-6, "{worst}");

    // Output 1 of the two images: 3 * 0.5 = 1.5 and 3 * 0.3 = 0.9.
    let seen = explain("scorecam", r#"{"weights": "probability"}"#, &model, &row);
    let class = |output: f64, other: f64| 1.0 / (1.0 + (other - output).exp());
    let (first, second) = (class(first, 1.5), class(second, 0.9));
    let worst = deviation(&seen, &[first, 0.2 * first + 0.3 * second]);
    assert!(worst < 1e-6, "{worst}");
}

#[test]
fn scorecam_rectifies() {
    // Output 1 has the increases 1.5 - 1.5 = 0 and 0.9 - 1.5 = -0.6.
    let (model, row) = (by_hand().model(), one([1.0, 0.2], 1));
    let signed = r#"{"weights": "increase", "relu": false}"#;
    let worst = deviation(&explain("scorecam", signed, &model, &row), &[0.0, -0.18]);
    assert!(worst < 1e-6, "{worst}");
    let cut = explain("scorecam", r#"{"weights": "increase"}"#, &model, &row);
    assert!(cut.iter().all(|&v| v == 0.0), "{cut:?}");
}

#[test]
fn probabilities_and_values_as_outputs() {
    let row = one([1.0, 0.2], 0);
    // Taken as they are, where the model gives probabilities.
    let model = by_hand().of_kind(OutputKind::Probabilities).model();
    let seen = explain("scorecam", r#"{"weights": "probability"}"#, &model, &row);
    let worst = deviation(&seen, &[2.25, 0.2 * 2.25 - 0.05 * 0.3]);
    assert!(worst < 1e-6, "{worst}");
    let model = by_hand().of_kind(OutputKind::Values).model();
    let why = fails("scorecam", r#"{"weights": "probability"}"#, &model, &row);
    assert!(why.contains("classifier"), "{why}");
    explain("scorecam", "{}", &model, &row);
}

#[test]
fn ablation_cam_by_hand() {
    // x = (1, 0.2): output 0 is 2 + 0.2 - 0 + 0.25. Without map 0 it drops by 2.2, without map 1 by
    // -1 * 0 + 0 * 0.3 = 0; the dead map changes nothing.
    let (model, row) = (by_hand().model(), one([1.0, 0.2], 0));
    let seen = explain("ablation-cam", "{}", &model, &row);
    let worst = deviation(&seen, &[2.2, 0.44]);
    assert!(worst < 1e-6, "{worst}");
    // x = (0.25, 0): map 1 is (0.25, 0.5), and output 0 rises by 0.25 without it; map 0 adds 0.5.
    let row = one([0.25, 0.0], 0);
    let seen = explain("ablation-cam", r#"{"relu": false}"#, &model, &row);
    let worst = deviation(&seen, &[0.5 * 0.25 - 0.25 * 0.25, -0.25 * 0.5]);
    assert!(worst < 1e-6, "{worst}");
    let seen = explain("ablation-cam", "{}", &model, &row);
    let worst = deviation(&seen, &[0.0625, 0.0]);
    assert!(worst < 1e-6, "{worst}");
}

const IMAGE: [usize; 3] = [2, 9, 8];

fn network() -> Stack {
    Stack::new(
        IMAGE,
        vec![
            Stage::Conv {
                side: 3,
                weight: numbers(9 * 2 * 9, 1, 0.4),
                bias: numbers(9, 2, 0.6),
                relu: true,
            },
            Stage::MaxPool,
            Stage::Dense {
                weight: numbers(6 * 9 * 9, 5, 0.3),
                bias: numbers(6, 6, 0.2),
                relu: true,
            },
            Stage::Dense {
                weight: numbers(3 * 6, 7, 1.0),
                bias: numbers(3, 8, 0.5),
                relu: false,
            },
        ],
    )
}

/// The enlarged weighted sum of the maps of layer 0, [7, 6], halved for two channels.
fn weighted(features: &[f64], weights: &[f64]) -> Vec<f64> {
    let mut small = [0.0_f64; 42];
    for (map, weight) in features.chunks_exact(42).zip(weights) {
        for (sum, value) in small.iter_mut().zip(map) {
            *sum += weight * value;
        }
    }
    enlarge(&small.map(|v| v.max(0.0) / 2.0)).repeat(2)
}

fn enlarge(map: &[f64]) -> Vec<f64> {
    let map: Vec<f32> = map.iter().map(|&v| v as f32).collect();
    let mut out = vec![0.0; 72];
    Resize::bilinear([7, 6], [9, 8]).apply(&map, &mut out);
    out.into_iter().map(f64::from).collect()
}

#[test]
fn scorecam_by_its_definition() {
    // 40 images of up to 9 masks: more than a call takes.
    let (net, rows) = (network(), rows(40, IMAGE, 3));
    let seen = explain("scorecam", "{}", &net.clone().model(), &rows);
    for (row, seen) in seen.chunks_exact(144).enumerate() {
        let features = net.values(0, rows.row(row)).swap_remove(0);
        let mut exponentials = Vec::new();
        for map in features.chunks_exact(42) {
            let mask = enlarge(map);
            let low = mask.iter().copied().fold(f64::INFINITY, f64::min);
            let high = mask.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            exponentials.push(if high > low {
                let masked: Vec<f32> = rows
                    .row(row)
                    .iter()
                    .zip(mask.iter().cycle())
                    .map(|(&x, m)| (f64::from(x) * (m - low) / (high - low)) as f32)
                    .collect();
                net.outputs(&masked)[row % 3].exp()
            } else {
                0.0
            });
        }
        let total: f64 = exponentials.iter().sum();
        let weights: Vec<f64> = exponentials.iter().map(|e| e / total).collect();
        let worst = deviation(seen, &weighted(&features, &weights));
        assert!(worst < 2e-6, "{row}: {worst}");
    }
}

#[test]
fn ablation_cam_by_its_definition() {
    let (net, rows) = (network(), rows(40, IMAGE, 3));
    let seen = explain("ablation-cam", "{}", &net.clone().model(), &rows);
    for (row, seen) in seen.chunks_exact(144).enumerate() {
        let features = net.values(0, rows.row(row)).swap_remove(0);
        let output = net.outputs(rows.row(row))[row % 3];
        let weights: Vec<f64> = (0..9)
            .map(|map| {
                let mut values: Vec<f32> = features.iter().map(|&v| v as f32).collect();
                values[map * 42..][..42].fill(0.0);
                output - net.values(1, &values).pop().expect("stages")[row % 3]
            })
            .collect();
        let worst = deviation(seen, &weighted(&features, &weights));
        assert!(worst < 5e-6, "{row}: {worst}");
    }
}

#[test]
fn rows_do_not_depend_on_their_neighbours() {
    let (model, all) = (network().model(), rows(40, IMAGE, 3));
    for (id, params) in [
        ("scorecam", "{}"),
        ("scorecam", r#"{"weights": "increase"}"#),
        ("ablation-cam", "{}"),
        ("fullgrad", "{}"),
        ("fullgrad", r#"{"signed": true}"#),
    ] {
        let together = explain(id, params, &model, &all);
        for row in [0, 27, 28, 29, 39] {
            let alone = explain(id, params, &model, &all.only(row));
            assert_eq!(alone, together[row * 144..][..144], "{id} {row}");
        }
    }
}

#[test]
fn models_that_cannot_start_at_a_layer_say_so() {
    use crate::gap_net::{CHANNELS, GapNet, OUTPUTS, SIDE};
    use crate::harness::fails;
    let rows = rows(2, [CHANNELS, SIDE, SIDE], OUTPUTS);
    let why = fails::<GapNet>("org.xbench.ablation-cam", "{}", &rows);
    assert!(why.contains("forward_from"), "{why}");
    let why = fails::<GapNet>("org.xbench.fullgrad", "{}", &rows);
    assert!(why.contains("biases"), "{why}");
}
