//! FullGrad: completeness on networks of ReLUs, and the map by its definition.

use xbench_explainers_cam::Resize;

use crate::stack::{Stack, Stage, numbers};
use crate::{deviation, explain, rows};

const IMAGE: [usize; 3] = [2, 9, 8];

/// Convolutions with and without a ReLU, pooling, and dense layers.
fn network() -> Stack {
    Stack::new(
        IMAGE,
        vec![
            Stage::Conv {
                side: 3,
                weight: numbers(4 * 2 * 9, 1, 0.4),
                bias: numbers(4, 2, 0.5),
                relu: true,
            },
            Stage::MaxPool,
            Stage::Conv {
                side: 2,
                weight: numbers(5 * 4 * 4, 3, 0.5),
                bias: numbers(5, 4, 0.5),
                relu: false,
            },
            Stage::Dense {
                weight: numbers(6 * 5 * 4, 5, 0.5),
                bias: numbers(6, 6, 0.4),
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

#[test]
fn signed_parts_add_up_to_the_output() {
    let (net, rows) = (network(), rows(20, IMAGE, 3));
    let seen = explain(
        "fullgrad",
        r#"{"signed": true}"#,
        &net.clone().model(),
        &rows,
    );
    for (row, seen) in seen.chunks_exact(144).enumerate() {
        let sum: f64 = seen.iter().map(|&v| f64::from(v)).sum();
        let output = net.outputs(rows.row(row))[row % 3];
        assert!((sum - output).abs() < 1e-5, "{row}: {sum} {output}");
    }
}

#[test]
fn without_biases_it_is_input_times_gradient() {
    let bare = |weight: Vec<f64>, units: usize| Stage::Dense {
        weight,
        bias: vec![0.0; units],
        relu: units > 2,
    };
    let net = Stack::new(
        [1, 3, 3],
        vec![
            bare(numbers(4 * 9, 1, 0.5), 4),
            bare(numbers(2 * 4, 2, 1.0), 2),
        ],
    );
    let rows = rows(4, [1, 3, 3], 2);
    let seen = explain(
        "fullgrad",
        r#"{"signed": true}"#,
        &net.clone().model(),
        &rows,
    );
    for (row, seen) in seen.chunks_exact(9).enumerate() {
        let mut dy = [0.0; 2];
        dy[row % 2] = 1.0;
        let (x, gradient) = net.gradient(rows.row(row), &dy, None);
        let expected: Vec<f64> = x.iter().zip(&gradient).map(|(x, g)| x * g).collect();
        assert!(deviation(seen, &expected) < 1e-6);
    }
}

#[test]
fn an_output_of_zero_is_not_inactive() {
    // x_1 - 1 = 0 at x = (1, 3): the input's part is 1, the bias's -1.
    let net = Stack::new(
        [1, 1, 2],
        vec![Stage::Dense {
            weight: vec![1.0, 0.0, 0.0, 1.0],
            bias: vec![-1.0, 2.0],
            relu: false,
        }],
    );
    let mut row = rows(1, [1, 1, 2], 2);
    row.x = vec![1.0, 3.0];
    let seen = explain("fullgrad", r#"{"signed": true}"#, &net.model(), &row);
    assert_eq!(seen, [0.5, -0.5]);
}

/// Magnitudes of `part` rescaled to 0..1 in groups of `group`, and added up over maps of `units`.
fn collapse(part: &[f64], units: usize, group: usize) -> Vec<f64> {
    let mut sum = vec![0.0; units];
    for (at, group) in part.chunks_exact(group).enumerate() {
        let low = group.iter().map(|v| v.abs()).fold(f64::INFINITY, f64::min);
        let high = group.iter().map(|v| v.abs()).fold(0.0, f64::max);
        if high > low {
            for (i, value) in group.iter().enumerate() {
                sum[(at * group.len() + i) % units] += (value.abs() - low) / (high - low);
            }
        }
    }
    sum
}

#[test]
fn the_map_by_its_definition() {
    let (net, rows) = (network(), rows(6, IMAGE, 3));
    let model = net.clone().model();
    for (params, together) in [("{}", false), (r#"{"rescale": "layer"}"#, true)] {
        let seen = explain("fullgrad", params, &model, &rows);
        for (row, seen) in seen.chunks_exact(144).enumerate() {
            let mut dy = [0.0; 3];
            dy[row % 3] = 1.0;
            let group = |length: usize, units: usize| if together { length } else { units };
            let (x, gradient) = net.gradient(rows.row(row), &dy, None);
            let part: Vec<f64> = x.iter().zip(&gradient).map(|(x, g)| x * g).collect();
            let mut map = collapse(&part, 72, group(144, 72));
            // The first convolution, rectified, and the second, which is not.
            for (layer, [h, w], bias) in [
                (0, [7, 6], numbers(4, 2, 0.5)),
                (2, [2, 2], numbers(5, 4, 0.5)),
            ] {
                let (value, gradient) = net.gradient(rows.row(row), &dy, Some(layer));
                let part: Vec<f64> = (0..value.len())
                    .map(|i| {
                        let open = layer == 2 || value[i] > 0.0;
                        if open {
                            bias[i / (h * w)] * gradient[i]
                        } else {
                            0.0
                        }
                    })
                    .collect();
                let small: Vec<f32> = collapse(&part, h * w, group(part.len(), h * w))
                    .iter()
                    .map(|&v| v as f32)
                    .collect();
                let mut large = vec![0.0; 72];
                Resize::bilinear([h, w], [9, 8]).apply(&small, &mut large);
                for (map, value) in map.iter_mut().zip(large) {
                    *map += f64::from(value);
                }
            }
            let expected: Vec<f64> = map.iter().chain(&map).map(|v| v / 2.0).collect();
            let worst = deviation(seen, &expected);
            assert!(worst < 1e-5, "{params} {row}: {worst}");
        }
    }
}
