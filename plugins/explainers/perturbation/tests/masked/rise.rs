//! RISE on a linear model, whose expected map follows from the masks' covariance.

use crate::models::logits;

const SIDE: (usize, usize) = (7, 9);
const PIXELS: usize = 63;
const CELLS: usize = 3;
const P: f64 = 0.4;

fn weight(i: usize) -> f64 {
    f64::from((((i * i) as f64 * 0.13).sin()) as f32)
}

fn linear(x: &[f32]) -> Vec<f64> {
    let sum: f64 = x
        .iter()
        .enumerate()
        .map(|(i, &x)| weight(i) * f64::from(x))
        .sum();
    vec![sum - 0.5]
}

fn x() -> Vec<f32> {
    (0..PIXELS).map(|i| (i as f32 * 0.7).cos()).collect()
}

/// How much of each cell a pixel's mask value holds, for a shift: bilinear, worked out from the
/// positions' definition.
fn shares(side: usize, shift: usize) -> Vec<[f64; CELLS]> {
    let length = (CELLS + 1) * side.div_ceil(CELLS);
    (0..side)
        .map(|pixel| {
            let i = (pixel + shift) as f64 + 0.5;
            let place = (i / length as f64 * CELLS as f64 - 0.5).clamp(0.0, CELLS as f64 - 1.0);
            std::array::from_fn(|cell| (1.0 - (place - cell as f64).abs()).max(0.0))
        })
        .collect()
}

/// E[f(x masked) M(u)] / p: with M(u) = sum of shares times independent cells of mean p and variance
/// p (1 - p), E[M(u) M(v)] = p^2 + p (1 - p) sum over cells of the shares' products, averaged over
/// all shifts.
fn expected(x: &[f32], fill: f64) -> Vec<f64> {
    let (downs, acrosses) = (SIDE.0.div_ceil(CELLS), SIDE.1.div_ceil(CELLS));
    let mut map = vec![0.0; PIXELS];
    for down in 0..downs {
        for across in 0..acrosses {
            let (rows, columns) = (shares(SIDE.0, down), shares(SIDE.1, across));
            for (u, value) in map.iter_mut().enumerate() {
                let mut sum = P * -0.5;
                for (v, &x) in x.iter().enumerate() {
                    let product = |a: &[f64; CELLS], b: &[f64; CELLS]| -> f64 {
                        a.iter().zip(b).map(|(a, b)| a * b).sum()
                    };
                    let both = P * P
                        + P * (1.0 - P)
                            * product(&rows[u / SIDE.1], &rows[v / SIDE.1])
                            * product(&columns[u % SIDE.1], &columns[v % SIDE.1]);
                    // x M + fill (1 - M), times M(u).
                    sum += weight(v) * (f64::from(x) * both + fill * (P - both));
                }
                *value += sum / P / (downs * acrosses) as f64;
            }
        }
    }
    map
}

#[test]
fn a_linear_model_s_map_is_the_expected_one_within_its_error() {
    let subject = logits(&[1, SIDE.0, SIDE.1], linear);
    let x = x();
    let runs = 400_u64;
    for fill in [0.0, -0.75] {
        let params = format!(
            r#"{{"masks": 100, "cells": {CELLS}, "p": {P}, "fill": {fill}, "outcome": "logit"}}"#
        );
        let seeds: Vec<u64> = (0..runs).collect();
        let maps = subject.map("rise", &params, &x.repeat(runs as usize), &seeds);
        let mut worst = 0.0_f64;
        for (pixel, expected) in expected(&x, fill).into_iter().enumerate() {
            let values: Vec<f64> = (0..runs as usize)
                .map(|run| f64::from(maps[run * PIXELS + pixel]))
                .collect();
            let n = runs as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            worst = worst.max((mean - expected).abs() / (variance / n).sqrt());
        }
        // 63 means of 40,000 masks each: 4.5 standard errors are passed by chance in one of 2,300
        // runs of all of them; the seeds are fixed, so it is once and for all.
        assert!(worst < 4.5, "{worst} standard errors");
    }
}

#[test]
fn columns_are_left_independently() {
    // E[f | column left] = b + w_c x_c + p sum of the others.
    let subject = logits(&[4], |x| {
        vec![1.0 + f64::from(x[0]) - 2.0 * f64::from(x[1]) + 3.0 * f64::from(x[2])]
    });
    let x = [1.0_f32, 0.5, -1.0, 4.0];
    let worth = [1.0, -1.0, -3.0, 0.0];
    let runs = 200;
    let seeds: Vec<u64> = (0..runs).collect();
    let maps = subject.map(
        "rise",
        r#"{"masks": 100, "outcome": "logit"}"#,
        &x.repeat(runs as usize),
        &seeds,
    );
    for (column, own) in worth.into_iter().enumerate() {
        let expected = 1.0 + 0.5 * (worth.iter().sum::<f64>() - own) + own;
        let values = || maps.chunks_exact(4).map(|map| f64::from(map[column]));
        let mean = values().sum::<f64>() / runs as f64;
        let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / (runs - 1) as f64;
        let error = (variance / runs as f64).sqrt();
        assert!(
            (mean - expected).abs() < 4.5 * error,
            "{column}: {mean} {expected} {error}"
        );
    }
}

#[test]
fn it_costs_a_forward_row_per_mask_and_one_where_masks_change_nothing() {
    let subject = logits(&[1, SIDE.0, SIDE.1], linear);
    let rows = [x(), vec![0.0; PIXELS]].concat();
    let map = subject.map(
        "rise",
        r#"{"masks": 321, "outcome": "logit"}"#,
        &rows,
        &[1, 2],
    );
    assert_eq!(subject.asked(), 322);
    assert!(map[PIXELS..].iter().all(|&value| value == -0.5));
}
