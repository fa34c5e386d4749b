//! Occlusion on models whose answers are known by hand.

#[path = "../../gradient/tests/harness/mod.rs"]
mod harness;
mod models;
mod sliding_mask;

use std::sync::atomic::Ordering;

use harness::{Rows, explain, fails, run};
use models::{
    FEATURES, INPUT, Logits, Numbers, OUTPUTS, Shares, counting, linear, softmax, weight,
};
use xbench_explainers_perturbation::xbench_entry_v1 as entry;
use xbench_plugin::Status;
use xbench_plugin::testing::{CallOptions, TestHost};

const ID: &str = "org.xbench.occlusion";
const CHANNELS: usize = INPUT[0];
const HEIGHT: usize = INPUT[1];
const WIDTH: usize = INPUT[2];

/// `count` rows whose last two image columns are 0 in both channels.
fn rows(count: usize) -> Rows {
    Rows {
        shape: [count, CHANNELS, HEIGHT, WIDTH],
        x: (0..count * FEATURES)
            .map(|i| {
                if i % WIDTH >= WIDTH - 2 {
                    0.0
                } else {
                    ((i * 53 + 7) as f32 * 0.41).sin()
                }
            })
            .collect(),
        target: (0..count).map(|row| (row % OUTPUTS) as i64).collect(),
        seed: vec![0; count],
        mask: None,
    }
}

/// The definition, pixel by pixel: the mean over the covering windows of the fall of `output`.
fn by_definition(
    x: &[f32],
    patch: usize,
    stride: usize,
    fill: f32,
    output: impl Fn(&[f32]) -> f64,
) -> Vec<f64> {
    let starts = |side: usize| {
        let mut starts = vec![0];
        while starts[starts.len() - 1] + patch < side {
            starts.push(starts[starts.len() - 1] + stride);
        }
        starts
    };
    let (mut sum, mut count) = (vec![0.0; HEIGHT * WIDTH], vec![0.0; HEIGHT * WIDTH]);
    for top in starts(HEIGHT) {
        for left in starts(WIDTH) {
            let inside = |pixel: usize| {
                let (row, column) = (pixel / WIDTH, pixel % WIDTH);
                (top..top + patch).contains(&row) && (left..left + patch).contains(&column)
            };
            let covered: Vec<f32> = x
                .iter()
                .enumerate()
                .map(|(i, &v)| {
                    if inside(i % (HEIGHT * WIDTH)) {
                        fill
                    } else {
                        v
                    }
                })
                .collect();
            let fall = output(x) - output(&covered);
            for pixel in (0..HEIGHT * WIDTH).filter(|&p| inside(p)) {
                sum[pixel] += fall;
                count[pixel] += 1.0;
            }
        }
    }
    sum.iter().zip(&count).map(|(s, n)| s / n).collect()
}

/// Largest difference between a row's channel sum and `expected`.
fn deviation(attribution: &[f32], expected: &[f64]) -> f64 {
    let (first, second) = attribution.split_at(HEIGHT * WIDTH);
    assert_eq!(first, second, "each channel holds its share of the map");
    first
        .iter()
        .zip(expected)
        .map(|(value, expected)| (2.0 * f64::from(*value) - expected).abs())
        .fold(0.0, f64::max)
}

#[test]
fn one_pixel_windows_on_a_linear_model_are_weight_times_input() {
    let rows = rows(3);
    let map = explain::<Logits>(ID, r#"{"patch": 1}"#, &rows);
    for (row, map) in map.chunks_exact(FEATURES).enumerate() {
        let (x, pixels) = (rows.row(row), HEIGHT * WIDTH);
        let expected: Vec<f64> = (0..pixels)
            .map(|p| {
                weight(row, p) * f64::from(x[p])
                    + weight(row, p + pixels) * f64::from(x[p + pixels])
            })
            .collect();
        let worst = deviation(map, &expected);
        assert!(worst < 1e-6, "{worst}");
    }
}

#[test]
fn every_size_agrees_with_the_definition() {
    let rows = rows(3);
    let mut worst = 0.0_f64;
    for (patch, stride, fill) in [
        (4, 4, 0.0_f32),
        (3, 2, 0.0),
        (2, 1, 0.5),
        (5, 3, -1.0),
        (6, 6, 0.0),
        (9, 9, 0.25),
    ] {
        for outcome in ["logit", "probability"] {
            let params = format!(
                r#"{{"patch": {patch}, "stride": {stride}, "fill": {fill}, "outcome": "{outcome}"}}"#
            );
            let map = explain::<Logits>(ID, &params, &rows);
            for (row, map) in map.chunks_exact(FEATURES).enumerate() {
                let expected = by_definition(rows.row(row), patch, stride, fill, |x| {
                    if outcome == "logit" {
                        linear(x)[row]
                    } else {
                        softmax(x)[row]
                    }
                });
                worst = worst.max(deviation(map, &expected));
            }
        }
    }
    assert!(worst < 1e-6, "{worst}");
}

#[test]
fn the_default_is_windows_of_four_that_abut() {
    let rows = rows(2);
    let spelt = r#"{"patch": 4, "stride": 4, "fill": 0.0, "outcome": "logit"}"#;
    assert_eq!(
        explain::<Logits>(ID, "{}", &rows),
        explain::<Logits>(ID, spelt, &rows)
    );
}

#[test]
fn a_model_of_probabilities_is_taken_as_it_is() {
    let rows = rows(3);
    let raw = explain::<Shares>(ID, "{}", &rows);
    let asked = explain::<Shares>(ID, r#"{"outcome": "probability"}"#, &rows);
    assert_eq!(raw, asked);
    for (row, map) in raw.chunks_exact(FEATURES).enumerate() {
        let expected = by_definition(rows.row(row), 4, 4, 0.0, |x| softmax(x)[row]);
        let worst = deviation(map, &expected);
        assert!(worst < 1e-6, "{worst}");
    }
}

#[test]
fn windows_that_change_nothing_are_exactly_zero() {
    let rows = rows(3);
    // Columns 5 and 6 are 0 already, so the last of the windows 0..4, 4..7 is not empty, but with
    // one-pixel windows those columns are.
    let map = explain::<Logits>(ID, r#"{"patch": 1}"#, &rows);
    for (i, value) in map.iter().enumerate() {
        assert_eq!(i % WIDTH >= WIDTH - 2, *value == 0.0, "{i}");
    }
    let blank = Rows {
        x: vec![0.0; FEATURES * 3],
        ..rows
    };
    let map = explain::<Logits>(ID, "{}", &blank);
    assert!(map.iter().all(|&v| v == 0.0));
}

#[test]
fn the_model_is_asked_once_per_row_and_changed_window() {
    let mut rows = rows(3);
    rows.x[FEATURES..2 * FEATURES].fill(0.0);
    let host = TestHost::new(&entry).expect("an entry of this version");
    let (model, asked) = counting();
    run(&host, ID, r#"{"patch": 1}"#, &model, &rows).expect("runs");
    // 5 rows of 5 pixels are not 0 in the first and the last image, none in the second.
    assert_eq!(asked.load(Ordering::Relaxed), 2 * (25 + 1));
}

#[test]
fn a_wish_to_stop_is_followed() {
    let rows = rows(20);
    let host = TestHost::new(&entry)
        .expect("an entry of this version")
        .with_options(CallOptions {
            cancel_at: Some(0.5),
            ..CallOptions::default()
        });
    let (model, asked) = counting();
    let error = run(&host, ID, r#"{"patch": 1}"#, &model, &rows).expect_err("cancelled");
    assert_eq!(error.status(), Status::Cancelled);
    // 520 images: stopped ahead of the third call of 256.
    assert_eq!(asked.load(Ordering::Relaxed), 512);
}

#[test]
fn a_row_s_result_does_not_depend_on_its_neighbours() {
    // 12 rows of up to 35 windows: calls of 256 images end in the middle of rows.
    let all = rows(12);
    for params in [r#"{"patch": 1}"#, r#"{"patch": 3, "stride": 1}"#] {
        let together = explain::<Logits>(ID, params, &all);
        for row in 0..12 {
            let alone = explain::<Logits>(ID, params, &all.only(row));
            assert_eq!(alone, together[row * FEATURES..][..FEATURES], "{row}");
        }
    }
}

#[test]
fn gaps_wrong_targets_and_wrong_outputs_are_refused() {
    let mut rows = rows(2);
    let why = fails::<Logits>(ID, r#"{"patch": 3, "stride": 4}"#, &rows);
    assert!(why.contains("stride 4"), "{why}");
    let why = fails::<Logits>(ID, r#"{"patch": 0}"#, &rows);
    assert!(why.contains("patch"), "{why}");
    let why = fails::<Numbers>(ID, r#"{"outcome": "probability"}"#, &rows);
    assert!(why.contains("probability"), "{why}");
    assert!(!explain::<Numbers>(ID, "{}", &rows).is_empty());
    rows.target[0] = 3;
    let why = fails::<Logits>(ID, "{}", &rows);
    assert!(why.contains("target 3"), "{why}");
}
