//! What holds for all methods that draw masks.

use xbench_plugin::OutputKind;

use crate::models::{logits, subject};

/// Id and parameters that make it cheap on small images.
const METHODS: [(&str, &str); 5] = [
    ("rise", r#"{"masks": 300, "cells": 3}"#),
    ("sobol", r#"{"grid": 3, "design": 16}"#),
    ("hsic", r#"{"grid": 3, "masks": 100}"#),
    (
        "feature-ablation",
        r#"{"segmentation": "slic", "segments": 4}"#,
    ),
    (
        "extremal-perturbation",
        r#"{"areas": [0.2, 0.5], "iterations": 5}"#,
    ),
];

fn function(x: &[f32]) -> Vec<f64> {
    let sum: f64 = x
        .iter()
        .enumerate()
        .map(|(i, &x)| f64::from(x) * (i as f64).sin())
        .sum();
    vec![sum.tanh() + sum * 0.1, 0.5]
}

fn rows(count: usize) -> Vec<f32> {
    (0..count * 40)
        .map(|i| ((i * 13 % 97) as f32 / 97.0).powi(2))
        .collect()
}

#[test]
fn a_row_s_result_depends_on_the_row_and_its_seed_alone() {
    let subject = logits(&[2, 4, 5], function);
    let (x, seeds) = (rows(5), [3, 4, 5, 6, 7]);
    for (id, params) in METHODS {
        let together = subject.map(id, params, &x, &seeds);
        for row in 0..5 {
            let alone = subject.map(id, params, &x[row * 40..][..40], &seeds[row..=row]);
            assert_eq!(alone, together[row * 40..][..40], "{id} {row}");
            let channels = alone.split_at(20);
            assert_eq!(channels.0, channels.1, "{id}: each channel holds its share");
        }
        let stochastic = ["rise", "sobol", "hsic"].contains(&id);
        let other = subject.map(id, params, &x, &[13, 14, 15, 16, 17]);
        assert_eq!(other != together, stochastic, "{id}: seeds matter");
    }
}

#[test]
fn tables_are_explained_by_column_where_that_means_something() {
    let subject = logits(&[5], |x| vec![f64::from(x[0] + 2.0 * x[3]), 0.0]);
    let x = [0.5, 1.0, 0.0, 1.5, 1.0];
    for (id, params) in METHODS {
        if id == "extremal-perturbation" {
            let why = subject.refusal(id, params, &x);
            assert!(why.contains("table"), "{why}");
            continue;
        }
        let map = subject.map(id, params, &x, &[1]);
        let largest = (0..5).max_by(|&a, &b| map[a].total_cmp(&map[b]));
        assert_eq!(largest, Some(3), "{id}: {map:?}");
        if id != "rise" {
            assert_eq!(map[2], 0.0, "{id}: the column that is its cover");
        }
        let why = subject.refusal(id, r#"{"fill_with": "blur"}"#, &x);
        assert!(why.contains("columns"), "{why}");
    }
}

#[test]
fn one_pixel_one_cell_and_constant_images_have_results() {
    let one = logits(&[1, 1, 1], |x| vec![3.0 * f64::from(x[0])]);
    // Area and smoothness leave nothing to choose at a single pixel.
    for (id, params) in METHODS {
        let map = one.map(id, params, &[0.5], &[2]);
        assert!(map[0] >= 0.0, "{id}");
        // The image equals its fill.
        let filled = r#"{"fill_with": "constant", "fill": 0.5, "outcome": "logit"}"#;
        let constant = one.map(id, filled, &[0.5], &[2]);
        let expected = if id == "rise" { 1.5 } else { 0.0 };
        assert_eq!(constant, [expected], "{id}");
    }
    let square = logits(&[1, 4, 4], |x| vec![x.iter().map(|&x| f64::from(x)).sum()]);
    for (id, params) in [
        ("rise", r#"{"cells": 1, "masks": 64, "outcome": "logit"}"#),
        ("sobol", r#"{"grid": 1}"#),
        ("hsic", r#"{"grid": 1, "masks": 50}"#),
        ("feature-ablation", r#"{"cell": 4}"#),
    ] {
        let map = square.map(id, params, &[0.5; 16], &[2]);
        assert!(
            map.iter().all(|&value| value == map[0] && value > 0.0),
            "{id}: {map:?}"
        );
    }
    let mean = square.map("sobol", r#"{"grid": 1, "design": 64}"#, &[0.5; 16], &[2]);
    // One cell takes part in all of the variance.
    assert!((mean[0] - 1.0).abs() < 0.2, "{}", mean[0]);
}

#[test]
fn a_model_that_does_not_vary_depends_on_nothing() {
    let constant = logits(&[1, 4, 4], |_| vec![7.25, 7.25]);
    let x: Vec<f32> = (0..16).map(|i| i as f32).collect();
    for outcome in ["logit", "probability"] {
        for id in ["sobol", "hsic", "feature-ablation"] {
            let params = format!(r#"{{"outcome": "{outcome}"}}"#);
            let map = constant.map(id, &params, &x, &[0]);
            assert!(map.iter().all(|&value| value == 0.0), "{id}");
        }
        let params = format!(r#"{{"outcome": "{outcome}", "masks": 2000, "cells": 2}}"#);
        let map = constant.map("rise", &params, &x, &[0]);
        let value = if outcome == "logit" { 7.25 } else { 0.5 };
        // Mean mask over p: five standard errors of a mean of 2,000 values in 0..1 around 1/2.
        for &v in &map {
            assert!(
                (v / value - 1.0).abs() < 5.0 * (1.0 / 2000.0_f32).sqrt(),
                "{v}"
            );
        }
    }
}

#[test]
fn probabilities_are_those_of_the_target() {
    let logits_of = |x: &[f32]| vec![f64::from(x[0] - x[1]), f64::from(x[1]), 0.3];
    let shares_of = |x: &[f32]| {
        let powers = [
            f64::from(x[0] - x[1]).exp(),
            f64::from(x[1]).exp(),
            0.3_f64.exp(),
        ];
        powers.map(|p| p / powers.iter().sum::<f64>()).to_vec()
    };
    let (one, other) = (
        logits(&[1, 2, 2], logits_of),
        subject(&[1, 2, 2], OutputKind::Probabilities, shares_of),
    );
    let x = [1.5, -0.5, 2.0, 0.25];
    for (id, params) in METHODS {
        let params = params.replace('{', r#"{"outcome": "probability", "#);
        let params = params.replace(r#""segmentation": "slic", "segments": 4"#, r#""cell": 1"#);
        let (a, b) = (
            one.map(id, &params, &x, &[9]),
            other.map(id, &params, &x, &[9]),
        );
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() < 1e-4, "{id}: {a} {b}");
        }
        let numbers = subject(&[1, 2, 2], OutputKind::Values, logits_of);
        let why = numbers.refusal(id, &params, &x);
        assert!(why.contains("probability"), "{id}: {why}");
    }
}

#[test]
fn shapes_and_parameters_without_a_meaning_are_refused() {
    let volume = logits(&[1, 2, 2, 2], |x| vec![f64::from(x[0])]);
    for (id, params) in METHODS {
        let why = volume.refusal(id, params, &[0.0; 8]);
        assert!(why.contains("[n, channels, height, width]"), "{why}");
    }
    let image = logits(&[1, 2, 2], |x| vec![f64::from(x[0])]);
    for (id, params, what) in [
        ("rise", r#"{"p": 0}"#, "p is 0"),
        ("rise", r#"{"masks": 0}"#, "masks"),
        ("sobol", r#"{"design": 1}"#, "design"),
        ("hsic", r#"{"masks": 2}"#, "masks"),
        ("extremal-perturbation", r#"{"areas": []}"#, "areas"),
        (
            "extremal-perturbation",
            r#"{"areas": [0.5, 1.0]}"#,
            "below 1",
        ),
        ("extremal-perturbation", r#"{"sigma": 0}"#, "sigma"),
    ] {
        let why = image.refusal(id, params, &[0.0; 4]);
        assert!(why.contains(what), "{id} {params}: {why}");
    }
}
