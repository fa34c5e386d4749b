//! Methods that compare with references, and those with a backward rule of their own, on models
//! whose answers are known by hand.

#[expect(dead_code, reason = "the other tests of this crate use the rest")]
mod harness;
mod models;

use harness::{Rows, Tested};
use models::{FEATURES, HIDDEN, Hidden, INPUT, Line, OUTPUTS, linear_weight};
use xbench_explainers_gradient::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestBatch, TestHost};
use xbench_plugin::{Result, TensorRef};

const ROWS: usize = 7;
const BACKGROUND: usize = 5;

fn rows() -> Rows {
    Rows {
        shape: [ROWS, INPUT[0], INPUT[1], INPUT[2]],
        x: (0..ROWS * FEATURES)
            .map(|i| ((i * 31 + 5) as f32 * 0.37).sin())
            .collect(),
        target: (0..ROWS).map(|row| (row % OUTPUTS) as i64).collect(),
        seed: (0..ROWS).map(|row| 40 + row as u64 * 13).collect(),
        mask: None,
    }
}

fn background() -> Vec<f32> {
    (0..BACKGROUND * FEATURES)
        .map(|i| ((i * 17 + 3) as f32 * 0.53).cos())
        .collect()
}

fn run<M: Tested>(id: &str, params: &str, background: Option<&[f32]>) -> Result<Vec<f32>> {
    let rows = rows();
    let host = TestHost::new(&entry).expect("an entry of this version");
    let shape = [
        background.map_or(0, |b| b.len() / FEATURES),
        INPUT[0],
        INPUT[1],
        INPUT[2],
    ];
    let batch = TestBatch {
        x: TensorRef::new(&rows.shape, &rows.x)?,
        target: &rows.target,
        seed: &rows.seed,
        mask: None,
        background: background
            .map(|values| TensorRef::new(&shape, values))
            .transpose()?,
    };
    let explainer = host.explainer(id, params)?;
    let (map, _) = explainer.explain_batch(&M::tested(), &batch)?;
    Ok(map.into_data())
}

fn near(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!(
        (got - want).abs() < tolerance,
        "{what}: {got}, expected {want}"
    );
}

/// w (x - mean of the background): the closed form of a linear model for all three.
#[test]
fn linear_models_have_a_closed_form() {
    let rows = rows();
    let background = background();
    for (id, params) in [
        ("org.xbench.expected-gradients", "{\"samples\": 50}"),
        ("org.xbench.deepshap", "{}"),
    ] {
        let map = run::<Line>(id, params, Some(&background)).unwrap();
        for (i, &value) in map.iter().enumerate() {
            let feature = i % FEATURES;
            let mean: f64 = (0..BACKGROUND)
                .map(|b| f64::from(background[b * FEATURES + feature]))
                .sum::<f64>()
                / BACKGROUND as f64;
            let weight = linear_weight(rows.target[i / FEATURES] as usize, feature);
            near(
                f64::from(value),
                weight * (f64::from(rows.x[i]) - mean),
                1e-5,
                id,
            );
        }
    }
    let map = run::<Line>("org.xbench.deeplift", "{\"baseline\": 0.25}", None).unwrap();
    for (i, &value) in map.iter().enumerate() {
        let weight = linear_weight(rows.target[i / FEATURES] as usize, i % FEATURES);
        near(
            f64::from(value),
            weight * (f64::from(rows.x[i]) - 0.25),
            1e-5,
            "deeplift",
        );
    }
}

#[test]
fn deeplift_and_deepshap_are_complete() {
    let rows = rows();
    let background = background();
    let deeplift = run::<Hidden>("org.xbench.deeplift", "{\"baseline\": 0.1}", None).unwrap();
    let deepshap = run::<Hidden>("org.xbench.deepshap", "{}", Some(&background)).unwrap();
    for row in 0..ROWS {
        let target = rows.target[row] as usize;
        let own = Hidden::outputs(rows.row(row))[target];
        let sum = |map: &[f32]| -> f64 {
            map[row * FEATURES..][..FEATURES]
                .iter()
                .map(|&v| f64::from(v))
                .sum()
        };
        let base = Hidden::outputs(&[0.1; FEATURES])[target];
        near(sum(&deeplift), own - base, 1e-5, "deeplift");
        let mean = background
            .chunks_exact(FEATURES)
            .map(|b| Hidden::outputs(b)[target])
            .sum::<f64>()
            / BACKGROUND as f64;
        near(sum(&deepshap), own - mean, 1e-5, "deepshap");
    }
}

/// Each unit's slope between reference and row, by hand.
#[test]
fn deeplift_is_the_rescale_rule() {
    let rows = rows();
    let map = run::<Hidden>("org.xbench.deeplift", "{\"baseline\": -0.2}", None).unwrap();
    let reference = Hidden::units(&[-0.2; FEATURES]);
    for row in 0..ROWS {
        let units = Hidden::units(rows.row(row));
        for feature in 0..FEATURES {
            let multiplier: f64 = (0..HIDDEN)
                .map(|unit| {
                    let slope = (units[unit].max(0.0) - reference[unit].max(0.0))
                        / (units[unit] - reference[unit]);
                    Hidden::output_weight(rows.target[row] as usize, unit)
                        * slope
                        * Hidden::weight(unit, feature)
                })
                .sum();
            let want = multiplier * f64::from(rows.row(row)[feature] + 0.2);
            near(
                f64::from(map[row * FEATURES + feature]),
                want,
                1e-5,
                "deeplift",
            );
        }
    }
}

/// Within five standard errors of many integrated gradients, and complete in expectation.
#[test]
fn expected_gradients_approach_the_mean_of_integrated_gradients() {
    let background = background();
    let many = run::<Hidden>(
        "org.xbench.expected-gradients",
        "{\"samples\": 20000}",
        Some(&background),
    )
    .unwrap();
    // The path integral of each background row, by a fine midpoint rule.
    let rows = rows();
    let steps = 4000;
    for row in [0, 3] {
        let target = rows.target[row] as usize;
        for feature in [0, 5, 17] {
            let mut mean = 0.0;
            for b in background.chunks_exact(FEATURES) {
                let mut integral = 0.0;
                for step in 0..steps {
                    let a = (step as f32 + 0.5) / steps as f32;
                    let point: Vec<f32> = rows
                        .row(row)
                        .iter()
                        .zip(b)
                        .map(|(x, b)| b + a * (x - b))
                        .collect();
                    integral += Hidden::gradient(&point, target, feature);
                }
                mean +=
                    integral / f64::from(steps) * f64::from(rows.row(row)[feature] - b[feature]);
            }
            mean /= BACKGROUND as f64;
            near(
                f64::from(many[row * FEATURES + feature]),
                mean,
                5e-3,
                "expected gradients",
            );
        }
    }
    let again = run::<Hidden>(
        "org.xbench.expected-gradients",
        "{\"samples\": 20000}",
        Some(&background),
    );
    assert_eq!(many, again.unwrap());
}

#[test]
fn several_baselines_are_averaged() {
    let one = |baseline: &str| {
        run::<Hidden>(
            "org.xbench.ig",
            &format!("{{\"baseline\": {baseline}}}"),
            None,
        )
        .unwrap()
    };
    let both = run::<Hidden>("org.xbench.ig", "{\"baselines\": [0, 0.5]}", None).unwrap();
    for ((both, a), b) in both.iter().zip(one("0")).zip(one("0.5")) {
        near(f64::from(*both), f64::from(a + b) / 2.0, 1e-6, "ig");
    }
}

/// Of a linear model the gradient never changes: no variance, and its square.
#[test]
fn noise_does_not_move_a_constant_gradient() {
    let rows = rows();
    let variance = run::<Line>("org.xbench.vargrad", "{\"samples\": 9}", None).unwrap();
    assert!(variance.iter().all(|&v| v == 0.0));
    let square = run::<Line>("org.xbench.smoothgrad-squared", "{\"samples\": 9}", None).unwrap();
    for (i, &value) in square.iter().enumerate() {
        let weight = linear_weight(rows.target[i / FEATURES] as usize, i % FEATURES);
        near(
            f64::from(value),
            weight * weight,
            1e-6,
            "smoothgrad squared",
        );
    }
}

/// Variance = mean square - squared mean, over the same noise.
#[test]
fn moments_belong_together() {
    let params = "{\"samples\": 30, \"noise\": 0.5}";
    let map = |id| run::<Hidden>(id, params, None).unwrap();
    let (mean, square, variance) = (
        map("org.xbench.smoothgrad"),
        map("org.xbench.smoothgrad-squared"),
        map("org.xbench.vargrad"),
    );
    for ((mean, square), variance) in mean.iter().zip(&square).zip(&variance) {
        near(
            f64::from(*variance),
            f64::from(square - mean * mean),
            1e-5,
            "variance",
        );
    }
    assert!(variance.iter().any(|&v| v > 1e-3));
}

/// V max(W...) by hand: guided drops what is negative or off, deconvolution what is negative.
#[test]
fn guided_and_deconvolution_by_hand() {
    let rows = rows();
    for (id, needs_value) in [
        ("org.xbench.guided-backprop", true),
        ("org.xbench.deconvolution", false),
    ] {
        let map = run::<Hidden>(id, "{}", None).unwrap();
        for row in 0..ROWS {
            let units = Hidden::units(rows.row(row));
            for feature in 0..FEATURES {
                let want: f64 = (0..HIDDEN)
                    .filter(|&unit| !needs_value || units[unit] > 0.0)
                    .map(|unit| {
                        Hidden::output_weight(rows.target[row] as usize, unit).max(0.0)
                            * Hidden::weight(unit, feature)
                    })
                    .sum();
                near(f64::from(map[row * FEATURES + feature]), want, 1e-5, id);
            }
        }
    }
}

/// The rules reach the model with their parameters.
#[test]
fn lrp_by_hand() {
    let rows = rows();
    for (params, epsilon) in [
        ("{\"rule\": \"epsilon\", \"epsilon\": 0}", 0.0),
        ("{\"rule\": \"epsilon\", \"epsilon\": 0.5}", 0.5),
        ("{\"rule\": \"composite\", \"epsilon\": 0.5}", 0.5),
    ] {
        let map = run::<Hidden>("org.xbench.lrp", params, None).unwrap();
        for row in 0..ROWS {
            let x = rows.row(row);
            let target = rows.target[row] as usize;
            let units = Hidden::units(x);
            let y = Hidden::outputs(x)[target];
            let share = |r: f64, z: f64| r / (z + if z < 0.0 { -epsilon } else { epsilon });
            for feature in 0..FEATURES {
                let want: f64 = (0..HIDDEN)
                    .filter(|&unit| units[unit] > 0.0)
                    .map(|unit| {
                        let relevance =
                            units[unit] * Hidden::output_weight(target, unit) * share(y, y);
                        f64::from(x[feature])
                            * Hidden::weight(unit, feature)
                            * share(relevance, units[unit])
                    })
                    .sum();
                near(f64::from(map[row * FEATURES + feature]), want, 2e-5, params);
            }
        }
    }
}

#[test]
fn what_is_missing_is_told() {
    let text = |result: Result<Vec<f32>>| result.unwrap_err().message().to_owned();
    let error = text(run::<Hidden>("org.xbench.deepshap", "{}", None));
    assert!(error.contains("background"), "{error}");
    let error = text(run::<Hidden>(
        "org.xbench.lrp",
        "{\"rule\": \"gamma\"}",
        None,
    ));
    assert!(error.contains("lrp_gamma"), "{error}");
    let error = text(run::<Hidden>("org.xbench.lrp", "{\"epsilon\": -1}", None));
    assert!(error.contains("epsilon"), "{error}");
}
