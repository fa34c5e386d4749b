//! The methods that weight by gradients, by their definitions, on a network whose gradient differs
//! from unit to unit; layers before pooling; EigenCAM on the same features.

use xbench_explainers_cam::Resize;

use crate::stack::{Stack, Stage, numbers};
use crate::{deviation, explain, rows};

const IMAGE: [usize; 3] = [2, 9, 8];

/// Two convolutions with pooling between them, and two dense layers.
fn network() -> Stack {
    Stack::new(
        IMAGE,
        vec![
            Stage::Conv {
                side: 3,
                weight: numbers(4 * 2 * 9, 1, 0.4),
                bias: numbers(4, 2, 0.3),
                relu: true,
            },
            Stage::MaxPool,
            Stage::Conv {
                side: 2,
                weight: numbers(5 * 4 * 4, 3, 0.5),
                bias: numbers(5, 4, 0.3),
                relu: true,
            },
            Stage::Dense {
                weight: numbers(6 * 5 * 4, 5, 0.5),
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

/// Maps of a method by its definition: (features, gradient) of each map to what the map adds.
fn by_definition(
    layer: usize,
    relu: bool,
    row: usize,
    add: impl Fn(&[f64], &[f64]) -> Vec<f64>,
) -> Vec<f64> {
    let (net, rows) = (network(), rows(6, IMAGE, 3));
    let mut dy = [0.0; 3];
    dy[rows.target[row] as usize] = 1.0;
    let (value, gradient) = net.gradient(rows.row(row), &dy, Some(layer));
    let [h, w] = [[7, 6], [3, 3], [2, 2]][layer];
    let mut small = vec![0.0; h * w];
    for (value, gradient) in value.chunks_exact(h * w).zip(gradient.chunks_exact(h * w)) {
        for (sum, part) in small.iter_mut().zip(add(value, gradient)) {
            *sum += part;
        }
    }
    let small: Vec<f32> = small
        .iter()
        .map(|&v| if relu { v.max(0.0) } else { v } as f32 / 2.0)
        .collect();
    let mut out = vec![0.0; 72];
    Resize::bilinear([h, w], [9, 8]).apply(&small, &mut out);
    out.iter().chain(&out).map(|&v| f64::from(v)).collect()
}

fn scaled(values: &[f64], weight: f64) -> Vec<f64> {
    values.iter().map(|value| weight * value).collect()
}

type Definition = fn(&[f64], &[f64]) -> Vec<f64>;

/// The definitions, as the papers print them.
fn definitions() -> [(&'static str, Definition); 5] {
    [
        ("gradcam", |a, g| {
            scaled(a, g.iter().sum::<f64>() / g.len() as f64)
        }),
        ("gradcam-plus-plus", |a, g| {
            let total: f64 = a.iter().sum();
            let weight = g
                .iter()
                .filter(|&&g| g != 0.0)
                .map(|&g| g * g / (2.0 * g * g + total * g.powi(3)) * g.max(0.0))
                .sum();
            scaled(a, weight)
        }),
        ("xgradcam", |a, g| {
            let total: f64 = a.iter().sum();
            let weight: f64 = a.iter().zip(g).map(|(a, g)| a / total * g).sum();
            scaled(a, if total == 0.0 { 0.0 } else { weight })
        }),
        ("hirescam", |a, g| {
            a.iter().zip(g).map(|(a, g)| a * g).collect()
        }),
        ("layercam", |a, g| {
            a.iter().zip(g).map(|(a, g)| a * g.max(0.0)).collect()
        }),
    ]
}

#[test]
fn maps_follow_the_definitions_at_every_layer() {
    let (model, rows) = (network().model(), rows(6, IMAGE, 3));
    for (id, add) in definitions() {
        for layer in [0, 1, 2] {
            for relu in [false, true] {
                let params = format!(r#"{{"layer": "layer{layer}", "relu": {relu}}}"#);
                let seen = explain(id, &params, &model, &rows);
                assert!(seen.iter().any(|&v| v != 0.0), "{id} {params}");
                for (row, seen) in seen.chunks_exact(144).enumerate() {
                    let worst = deviation(seen, &by_definition(layer, relu, row, add));
                    assert!(worst < 2e-6, "{id} {params} {row}: {worst}");
                }
            }
        }
    }
}

#[test]
fn the_last_convolution_and_the_papers_rectification_are_the_defaults() {
    let (model, rows) = (network().model(), rows(6, IMAGE, 3));
    for (id, _) in definitions() {
        let relu = id != "hirescam";
        let params = format!(r#"{{"layer": "layer2", "relu": {relu}}}"#);
        assert_eq!(
            explain(id, "{}", &model, &rows),
            explain(id, &params, &model, &rows),
            "{id}"
        );
    }
}

#[test]
fn hirescam_adds_up_to_the_output_without_its_bias() {
    // Kernels of one pixel, so that nothing is enlarged, and one dense layer behind.
    let (image, bias) = ([2, 5, 6], numbers(3, 8, 0.5));
    let net = Stack::new(
        image,
        vec![
            Stage::Conv {
                side: 1,
                weight: numbers(4 * 2, 1, 0.8),
                bias: numbers(4, 2, 0.3),
                relu: true,
            },
            Stage::Dense {
                weight: numbers(3 * 4 * 30, 5, 0.5),
                bias: bias.clone(),
                relu: false,
            },
        ],
    );
    let rows = rows(5, image, 3);
    let seen = explain("hirescam", "{}", &net.clone().model(), &rows);
    for (row, seen) in seen.chunks_exact(60).enumerate() {
        let sum: f64 = seen.iter().map(|&v| f64::from(v)).sum();
        let output = net.outputs(rows.row(row))[row % 3] - bias[row % 3];
        assert!((sum - output).abs() < 1e-5, "{sum} {output}");
    }
}

#[test]
fn eigencam_is_the_projection_on_the_first_singular_vector() {
    let (net, rows) = (network(), rows(6, IMAGE, 3));
    let model = net.clone().model();
    for (layer, [h, w]) in [(0, [7, 6]), (2, [2, 2])] {
        let params = format!(r#"{{"layer": "layer{layer}"}}"#);
        let seen = explain("eigencam", &params, &model, &rows);
        for (row, seen) in seen.chunks_exact(144).enumerate() {
            let value = net.values(0, rows.row(row)).swap_remove(layer);
            let (units, maps) = (h * w, value.len() / (h * w));
            // Power iteration on A^T A, A of units times maps.
            let mut v = vec![1.0; maps];
            let mut map = vec![0.0; units];
            for _ in 0..20_000 {
                for (unit, map) in map.iter_mut().enumerate() {
                    *map = (0..maps).map(|k| v[k] * value[k * units + unit]).sum();
                }
                for (k, v) in v.iter_mut().enumerate() {
                    *v = (0..units).map(|u| map[u] * value[k * units + u]).sum();
                }
                let length = v.iter().map(|v| v * v).sum::<f64>().sqrt();
                v.iter_mut().for_each(|v| *v /= length);
            }
            for (unit, map) in map.iter_mut().enumerate() {
                *map = (0..maps).map(|k| v[k] * value[k * units + unit]).sum();
            }
            assert!(map.iter().all(|&v| v >= 0.0), "rectified features");
            let small: Vec<f32> = map.iter().map(|&v| v as f32 / 2.0).collect();
            let mut out = vec![0.0; 72];
            Resize::bilinear([h, w], [9, 8]).apply(&small, &mut out);
            let expected: Vec<f64> = out.iter().chain(&out).map(|&v| f64::from(v)).collect();
            let worst = deviation(seen, &expected);
            assert!(worst < 1e-6, "{layer} {row}: {worst}");
        }
    }
}

#[test]
fn eigencam_does_not_know_the_class() {
    let model = network().model();
    let mut rows = rows(4, IMAGE, 3);
    let first = explain("eigencam", "{}", &model, &rows);
    rows.target.fill(2);
    assert_eq!(first, explain("eigencam", "{}", &model, &rows));
}
