//! The gradient explainers on models whose gradients are known by hand.

mod harness;
mod models;

use harness::{Rows, Tested, explain, fails, run};
use models::{FEATURES, Hidden, INPUT, Line, OUTPUTS, linear_weight};
use xbench_explainers_gradient::xbench_entry_v1 as entry;
use xbench_plugin::Status;
use xbench_plugin::testing::{CallOptions, TestHost};

/// `count` rows of unremarkable values, some of them zero, as the first `count` of any longer set.
fn rows(count: usize) -> Rows {
    let x = (0..count * FEATURES)
        .map(|i| {
            if i % 5 == 0 {
                0.0
            } else {
                ((i * 53 + 7) as f32 * 0.41).sin()
            }
        })
        .collect();
    Rows {
        shape: [count, INPUT[0], INPUT[1], INPUT[2]],
        x,
        target: (0..count).map(|row| (row % OUTPUTS) as i64).collect(),
        seed: (0..count).map(|row| 1000 + row as u64 * 77).collect(),
        mask: None,
    }
}

fn largest_difference(a: impl IntoIterator<Item = f64>, b: impl IntoIterator<Item = f64>) -> f64 {
    a.into_iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}

#[test]
fn the_gradient_is_the_one_worked_out_by_hand() {
    let rows = rows(9);
    let map = explain::<Hidden>("org.xbench.gradient", "{}", &rows);
    let expected = (0..9 * FEATURES).map(|i| {
        let row = i / FEATURES;
        Hidden::gradient(rows.row(row), rows.target[row] as usize, i % FEATURES)
    });
    let worst = largest_difference(map.iter().map(|&v| v.into()), expected);
    assert!(worst < 3e-7, "{worst}");
}

#[test]
fn the_gradient_agrees_with_finite_differences() {
    let rows = rows(6);
    let map = explain::<Hidden>("org.xbench.gradient", "{}", &rows);
    let step = 1.0 / 4096.0;
    let mut compared = 0;
    let mut worst = 0.0_f64;
    for row in 0..6 {
        let target = rows.target[row] as usize;
        for feature in 0..FEATURES {
            let mut up = rows.row(row).to_vec();
            let mut down = up.clone();
            up[feature] += step;
            down[feature] -= step;
            let on = |x: &[f32]| Hidden::units(x).map(|unit| unit > 0.0);
            if on(&up) != on(&down) {
                continue; // A kink of a unit lies between: no derivative to compare with.
            }
            let rise = Hidden::outputs(&up)[target] - Hidden::outputs(&down)[target];
            let slope = rise / f64::from(up[feature] - down[feature]);
            worst = worst.max((slope - f64::from(map[row * FEATURES + feature])).abs());
            compared += 1;
        }
    }
    assert!(compared > 5 * FEATURES, "{compared}");
    assert!(worst < 1e-6, "{worst}");
}

#[test]
fn saliency_is_the_gradient_without_its_sign() {
    let rows = rows(5);
    let gradient = explain::<Hidden>("org.xbench.gradient", "{}", &rows);
    let saliency = explain::<Hidden>("org.xbench.saliency", "{}", &rows);
    assert!(gradient.iter().any(|&v| v < 0.0));
    assert_eq!(
        saliency,
        gradient.iter().map(|v| v.abs()).collect::<Vec<_>>()
    );
}

#[test]
fn input_times_gradient_on_a_linear_model_is_weight_times_input() {
    let rows = rows(4);
    let map = explain::<Line>("org.xbench.input-x-gradient", "{}", &rows);
    let expected: Vec<f32> = (0..4 * FEATURES)
        .map(|i| linear_weight(rows.target[i / FEATURES] as usize, i % FEATURES) as f32 * rows.x[i])
        .collect();
    assert_eq!(map, expected);
}

/// Largest |sum of the attribution - (f(x) - f(baseline))| over the rows.
fn residual(map: &[f32], rows: &Rows, baseline: f32, outputs: fn(&[f32]) -> [f64; OUTPUTS]) -> f64 {
    let at_baseline = outputs(&[baseline; FEATURES]);
    map.chunks_exact(FEATURES)
        .enumerate()
        .map(|(row, map)| {
            let target = rows.target[row] as usize;
            let sum: f64 = map.iter().map(|&v| f64::from(v)).sum();
            (sum - (outputs(rows.row(row))[target] - at_baseline[target])).abs()
        })
        .fold(0.0, f64::max)
}

#[test]
fn integrated_gradients_sum_to_the_difference_exactly_on_a_linear_model() {
    let rows = rows(7);
    for rule in ["gausslegendre", "trapezoid", "midpoint", "left", "right"] {
        for (steps, baseline) in [(2, 0.0_f32), (50, 0.0), (7, -0.75)] {
            let params =
                format!(r#"{{"rule": "{rule}", "steps": {steps}, "baseline": {baseline}}}"#);
            let map = explain::<Line>("org.xbench.ig", &params, &rows);
            let worst = residual(&map, &rows, baseline, Line::outputs);
            assert!(worst < 1e-6, "{params}: {worst}");
        }
    }
}

#[test]
fn integrated_gradients_come_closer_with_more_steps() {
    let rows = rows(12);
    let error = |rule: &str, steps: usize| {
        let params = format!(r#"{{"rule": "{rule}", "steps": {steps}}}"#);
        let map = explain::<Hidden>("org.xbench.ig", &params, &rows);
        residual(&map, &rows, 0.0, Hidden::outputs)
    };
    for rule in ["gausslegendre", "trapezoid", "midpoint", "left", "right"] {
        // The gradient jumps where a unit turns on: every rule is of first order there.
        let (few, some, many) = (error(rule, 5), error(rule, 50), error(rule, 2000));
        assert!(some < few / 3.0, "{rule}: {few} {some}");
        assert!(many < some / 8.0 && many < 4e-3, "{rule}: {some} {many}");
    }
}

#[test]
fn integrated_gradients_of_a_feature_at_the_baseline_are_zero() {
    let rows = rows(2);
    let map = explain::<Hidden>("org.xbench.ig", "{}", &rows);
    for (value, x) in map.iter().zip(&rows.x) {
        assert!(*x != 0.0 || *value == 0.0);
    }
}

#[test]
fn smoothgrad_on_a_linear_model_is_the_gradient() {
    let rows = rows(8);
    let gradient = explain::<Line>("org.xbench.gradient", "{}", &rows);
    assert_eq!(
        explain::<Line>("org.xbench.smoothgrad", "{}", &rows),
        gradient
    );
    let absolute = explain::<Line>("org.xbench.smoothgrad", r#"{"absolute": true}"#, &rows);
    assert_eq!(
        absolute,
        gradient.iter().map(|v| v.abs()).collect::<Vec<_>>()
    );
}

#[test]
fn smoothgrad_without_noise_is_the_gradient() {
    let rows = rows(3);
    let params = r#"{"noise": 0.0, "samples": 3}"#;
    assert_eq!(
        explain::<Hidden>("org.xbench.smoothgrad", params, &rows),
        explain::<Hidden>("org.xbench.gradient", "{}", &rows)
    );
}

/// P(Z > z) of a standard normal, by the midpoint rule over ten deviations.
fn upper_tail(z: f64) -> f64 {
    let steps = 20_000;
    let width = 10.0 / f64::from(steps);
    let density = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z < 0.0 {
        return 1.0 - upper_tail(-z);
    }
    (0..steps)
        .map(|i| density(z + (f64::from(i) + 0.5) * width) * width)
        .sum()
}

#[test]
fn smoothgrad_tends_to_the_expected_gradient() {
    // With normal noise of deviation s a unit W x + b is on with probability
    // P(Z > -(W x + b) / (s |W|)), so the expected gradient is known in closed form.
    let rows = rows(1);
    let x = rows.row(0);
    let range =
        x.iter().copied().fold(f32::MIN, f32::max) - x.iter().copied().fold(f32::MAX, f32::min);
    let (noise, samples) = (0.3_f64, 10_000);
    let params = format!(r#"{{"noise": {noise}, "samples": {samples}}}"#);
    let map = explain::<Hidden>("org.xbench.smoothgrad", &params, &rows);
    let deviation = noise * f64::from(range);
    let mut worst = 0.0_f64;
    for (feature, &value) in map.iter().enumerate() {
        let mut expected = 0.0;
        let mut variance = 0.0;
        for (unit, input) in Hidden::units(x).into_iter().enumerate() {
            let norm = (0..FEATURES)
                .map(|i| Hidden::weight(unit, i).powi(2))
                .sum::<f64>()
                .sqrt();
            let on = upper_tail(-input / (deviation * norm));
            let part = Hidden::output_weight(0, unit) * Hidden::weight(unit, feature);
            expected += on * part;
            variance += (on * (1.0 - on)).sqrt() * part.abs();
        }
        // Seven dependent units: their deviations add up at worst.
        let error = variance / f64::from(samples).sqrt();
        worst = worst.max((f64::from(value) - expected).abs() / error);
    }
    assert!(worst < 5.0, "{worst} standard errors");
}

#[test]
fn a_row_s_result_does_not_depend_on_its_neighbours() {
    // 13 rows of 50 points: calls of 256 points end in the middle of rows.
    let all = rows(13);
    for (id, params) in [
        ("org.xbench.gradient", "{}"),
        ("org.xbench.saliency", "{}"),
        ("org.xbench.input-x-gradient", "{}"),
        ("org.xbench.ig", "{}"),
        ("org.xbench.smoothgrad", "{}"),
        (
            "org.xbench.smoothgrad",
            r#"{"absolute": true, "samples": 300}"#,
        ),
    ] {
        let together = explain::<Hidden>(id, params, &all);
        for row in 0..13 {
            let alone = explain::<Hidden>(id, params, &all.only(row));
            assert_eq!(alone, together[row * FEATURES..][..FEATURES], "{id} {row}");
        }
    }
}

#[test]
fn the_noise_follows_the_row_s_seed() {
    let mut rows = rows(2);
    rows.seed = vec![5, 5];
    let map = |rows: &Rows| explain::<Hidden>("org.xbench.smoothgrad", r#"{"samples": 4}"#, rows);
    let first = map(&rows);
    assert_eq!(first, map(&rows));
    rows.seed = vec![5, 6];
    let second = map(&rows);
    assert_eq!(first[..FEATURES], second[..FEATURES]);
    assert_ne!(first[FEATURES..], second[FEATURES..]);
}

#[test]
fn wrong_targets_and_parameters_are_refused() {
    let mut rows = rows(2);
    let why = fails::<Hidden>(
        "org.xbench.ig",
        r#"{"rule": "trapezoid", "steps": 1}"#,
        &rows,
    );
    assert!(why.contains("trapezoid"), "{why}");
    let why = fails::<Hidden>("org.xbench.ig", r#"{"rule": "simpson"}"#, &rows);
    assert!(why.contains("simpson"), "{why}");
    let why = fails::<Hidden>("org.xbench.smoothgrad", r#"{"samples": 0}"#, &rows);
    assert!(why.contains("samples"), "{why}");
    rows.target[1] = OUTPUTS as i64;
    for id in [
        "org.xbench.gradient",
        "org.xbench.ig",
        "org.xbench.smoothgrad",
    ] {
        let why = fails::<Hidden>(id, "{}", &rows);
        assert!(why.contains("target 3"), "{why}");
    }
}

#[test]
fn a_wish_to_stop_is_followed() {
    let host = TestHost::new(&entry)
        .expect("an entry of this version")
        .with_options(CallOptions {
            cancel_at: Some(0.5),
            ..CallOptions::default()
        });
    for id in ["org.xbench.ig", "org.xbench.smoothgrad"] {
        let error = run(&host, id, "{}", &Hidden::tested(), &rows(20)).expect_err("cancelled");
        assert_eq!(error.status(), Status::Cancelled);
    }
}
