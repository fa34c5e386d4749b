//! Constant maps, dead channels, one channel, maps of one unit, and gradients of zero.

use crate::harness::Rows;
use crate::stack::{Stack, Stage, numbers};
use crate::{explain, fails, rows};

const ALL: [&str; 10] = [
    "cam",
    "gradcam",
    "gradcam-plus-plus",
    "xgradcam",
    "hirescam",
    "layercam",
    "eigencam",
    "scorecam",
    "ablation-cam",
    "fullgrad",
];

/// Those that need no linear head.
fn ids() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().filter(|&id| id != "cam")
}

/// One convolution and a dense layer on top of it.
fn network(maps: usize, side: usize, weight: f64, bias: f64) -> Stack {
    let size = 6 + 1 - side;
    Stack::new(
        [1, 6, 6],
        vec![
            Stage::Conv {
                side,
                weight: numbers(maps * side * side, 1, weight),
                bias: vec![bias; maps],
                relu: true,
            },
            Stage::Dense {
                weight: numbers(2 * maps * size * size, 5, 0.5),
                bias: vec![0.25, -0.5],
                relu: false,
            },
        ],
    )
}

#[test]
fn dead_channels_give_zero() {
    // The bias keeps every unit below zero.
    let (model, rows) = (network(4, 3, 0.1, -50.0).model(), rows(3, [1, 6, 6], 2));
    for id in ids() {
        let seen = explain(id, "{}", &model, &rows);
        assert!(seen.iter().all(|&v| v == 0.0), "{id}");
    }
}

#[test]
fn constant_maps_give_constant_maps_or_zero() {
    // Kernels of zeros: every map is its bias everywhere.
    let (model, rows) = (network(4, 3, 0.0, 2.0).model(), rows(2, [1, 6, 6], 2));
    for id in [
        "gradcam",
        "gradcam-plus-plus",
        "xgradcam",
        "eigencam",
        "ablation-cam",
    ] {
        let seen = explain(id, "{}", &model, &rows);
        for map in seen.chunks_exact(36) {
            let spread = map
                .iter()
                .fold(0.0_f32, |worst, v| worst.max((v - map[0]).abs()));
            assert!(spread <= 1e-6 * map[0].abs(), "{id}: {map:?}");
        }
    }
    assert!(
        explain("eigencam", "{}", &model, &rows)
            .iter()
            .all(|&v| v > 0.0)
    );
    // Nothing to mask by, and nothing left after centring.
    for (id, params) in [("scorecam", "{}"), ("eigencam", r#"{"centre": true}"#)] {
        let seen = explain(id, params, &model, &rows);
        assert!(seen.iter().all(|&v| v == 0.0), "{id}");
    }
}

#[test]
fn one_map_of_one_unit() {
    let (model, rows) = (network(1, 6, 0.4, 1.5).model(), rows(4, [1, 6, 6], 2));
    for id in ids().filter(|&id| id != "scorecam" && id != "fullgrad") {
        let seen = explain(id, "{}", &model, &rows);
        for map in seen.chunks_exact(36) {
            assert!(map.iter().all(|&v| v == map[0]), "{id}: {map:?}");
        }
    }
    let why = fails("scorecam", "{}", &model, &rows);
    assert!(why.contains("one unit") && why.contains("layer0"), "{why}");
}

#[test]
fn one_map() {
    // Softmax over one map is 1: Score-CAM shows the map itself.
    let net = network(1, 3, 0.4, 0.2);
    let rows = rows(4, [1, 6, 6], 2);
    let model = net.clone().model();
    let eigen = explain("eigencam", "{}", &model, &rows);
    let score = explain("scorecam", "{}", &model, &rows);
    for (eigen, score) in eigen.chunks_exact(36).zip(score.chunks_exact(36)) {
        for (eigen, score) in eigen.iter().zip(score) {
            assert!((eigen - score).abs() < 1e-6);
        }
    }
    for id in ids() {
        let seen = explain(id, "{}", &model, &rows);
        assert!(seen.iter().all(|v| v.is_finite()), "{id}");
    }
}

#[test]
fn an_output_that_no_map_reaches() {
    let mut rows = rows(3, [1, 6, 6], 2);
    rows.target.fill(1);
    let mut weight = numbers(2 * 3 * 16, 5, 0.5);
    weight[48..].fill(0.0);
    let net = Stack::new(
        [1, 6, 6],
        vec![
            Stage::Conv {
                side: 3,
                weight: numbers(27, 1, 0.4),
                bias: vec![0.1; 3],
                relu: true,
            },
            Stage::Dense {
                weight,
                bias: vec![0.0, 0.75],
                relu: false,
            },
        ],
    );
    let model = net.model();
    for id in ids().filter(|&id| id != "eigencam" && id != "scorecam") {
        let seen = explain(id, "{}", &model, &rows);
        assert!(seen.iter().all(|&v| v == 0.0), "{id}");
    }
    // All maps score alike, so the softmax weighs those that vary alike.
    let seen = explain("scorecam", "{}", &model, &rows);
    assert!(seen.iter().all(|&v| v.is_finite()));
    // The output is its bias.
    let seen = explain("fullgrad", r#"{"signed": true}"#, &model, &rows);
    for map in seen.chunks_exact(36) {
        assert!((map.iter().sum::<f32>() - 0.75).abs() < 1e-5);
    }
}

#[test]
fn no_rows() {
    let model = network(2, 3, 0.4, 0.1).model();
    let none = Rows {
        shape: [0, 1, 6, 6],
        x: Vec::new(),
        target: Vec::new(),
        seed: Vec::new(),
        mask: None,
    };
    for id in ids() {
        assert!(explain(id, "{}", &model, &none).is_empty(), "{id}");
    }
}

#[test]
fn unknown_layers_and_layers_without_maps() {
    let (model, rows) = (network(2, 3, 0.4, 0.1).model(), rows(2, [1, 6, 6], 2));
    for id in ids().filter(|&id| id != "fullgrad") {
        let why = fails(id, r#"{"layer": "layer9"}"#, &model, &rows);
        assert!(
            why.contains("layer9") && why.contains("layer0 (conv2d)"),
            "{why}"
        );
        let why = fails(id, r#"{"layer": "layer1"}"#, &model, &rows);
        assert!(
            why.contains("layer1") && why.contains("feature maps"),
            "{why}"
        );
    }
    let dense = Stack::new(
        [1, 2, 2],
        vec![Stage::Dense {
            weight: numbers(8, 1, 1.0),
            bias: vec![0.0; 2],
            relu: false,
        }],
    );
    let rows = crate::rows(2, [1, 2, 2], 2);
    for id in ids().filter(|&id| id != "fullgrad") {
        let why = fails(id, "{}", &dense.clone().model(), &rows);
        assert!(why.contains("no conv2d layer"), "{why}");
    }
    // FullGrad needs none.
    explain("fullgrad", "{}", &dense.model(), &rows);
}
