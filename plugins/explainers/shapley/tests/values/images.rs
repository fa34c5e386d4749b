//! Shapley and Owen values of the segments and pixels of images.

use std::ops::Range;

use super::support::{ALL, Rows, deviation, explain, linear, pairs, tangled, weight};

/// Channels, height and width, with cells that are cut at the border.
const SHAPE: [usize; 3] = [2, 5, 6];
const FEATURES: usize = 60;

/// The cell of 3 by 3 pixels that a feature is in: four of them.
fn cell(feature: usize) -> usize {
    let (y, x) = (feature % 30 / 6, feature % 6);
    y / 3 * 2 + x / 3
}

#[test]
fn cells_have_their_shapley_values_split_or_whole() {
    let rows = Rows::new(2, &SHAPE);
    let flat = [0.0; FEATURES];
    for id in ["exact-shap", "kernel-shap"] {
        for share in ["split", "whole"] {
            let params = format!(r#"{{"cell": 3, "share": "{share}"}}"#);
            let found = explain(id, &params, tangled, &rows);
            for (row, found) in found.chunks_exact(FEATURES).enumerate() {
                let values = rows.shapley(row, tangled, &[&flat], 4, &cell);
                let size = |one: usize| (0..FEATURES).filter(|&i| cell(i) == one).count() as f64;
                let expected: Vec<f64> = (0..FEATURES)
                    .map(|i| values[cell(i)] / if share == "split" { size(cell(i)) } else { 2.0 })
                    .collect();
                let worst = deviation(found, &expected);
                assert!(worst < 1e-6, "{id} {share}: {worst}");
            }
        }
    }
}

#[test]
fn every_segmentation_is_complete() {
    let mut rows = Rows::new(3, &SHAPE);
    rows.x[3..9].fill(0.0);
    let flat = [0.0; FEATURES];
    for id in ALL {
        for params in [
            r#"{"cell": 2}"#,
            r#"{"segmentation": "slic", "segments": 6}"#,
            r#"{"segmentation": "quickshift", "kernel_size": 1.0, "max_distance": 20.0}"#,
            r#"{"background": true, "cell": 3}"#,
            r#"{"outcome": "probability", "cell": 2}"#,
        ] {
            if id == "partition-shap" || (id == "exact-shap" && params.contains("quickshift")) {
                continue;
            }
            let found = explain(id, params, linear, &rows);
            for (row, found) in found.chunks_exact(FEATURES).enumerate() {
                let softmax = |x: &[f64], k: usize| {
                    1.0 / (0..2)
                        .map(|j| (linear(x, j) - linear(x, k)).exp())
                        .sum::<f64>()
                };
                let stand_ins = if params.contains("background") {
                    rows.stand_ins()
                } else {
                    vec![&flat[..]]
                };
                let at = |keep: bool| {
                    if params.contains("probability") {
                        rows.worth(row, softmax, &stand_ins, &|_| keep)
                    } else {
                        rows.worth(row, linear, &stand_ins, &|_| keep)
                    }
                };
                let sum: f64 = found.iter().map(|&v| f64::from(v)).sum();
                let error = (sum - (at(true) - at(false))).abs();
                assert!(error < 1e-5, "{id} {params}: {error}");
            }
        }
    }
}

/// Where a feature lies after some halvings: the other halves on the way to it.
fn siblings(feature: usize, shape: [usize; 3]) -> Vec<Vec<usize>> {
    let place = [
        feature / (shape[1] * shape[2]),
        feature / shape[2] % shape[1],
        feature % shape[2],
    ];
    let mut block: [Range<usize>; 3] = shape.map(|side| 0..side);
    let inside = |block: &[Range<usize>; 3]| -> Vec<usize> {
        let mut features = Vec::new();
        for c in block[0].clone() {
            for y in block[1].clone() {
                for x in block[2].clone() {
                    features.push((c * shape[1] + y) * shape[2] + x);
                }
            }
        }
        features
    };
    let mut found = Vec::new();
    loop {
        let axis = if block[1].len() >= block[2].len() && block[1].len() > 1 {
            1
        } else if block[2].len() > 1 {
            2
        } else if block[0].len() > 1 {
            0
        } else {
            return found;
        };
        // As the shap package: of an odd side the first half is the longer one.
        let middle = block[axis].end - block[axis].len() / 2;
        let mut other = block.clone();
        if place[axis] < middle {
            block[axis].end = middle;
            other[axis].start = middle;
        } else {
            block[axis].start = middle;
            other[axis].end = middle;
        }
        found.push(inside(&other));
    }
}

#[test]
fn partition_shap_gives_the_owen_values_of_small_images() {
    // A feature's value is its mean gain over every choice of the other halves on its way.
    let mut worst = 0.0_f64;
    for shape in [[1, 2, 2], [1, 4, 3], [2, 3, 2], [3, 1, 5], [1, 5, 5]] {
        let features = shape.iter().product::<usize>();
        let rows = Rows::new(2, &shape);
        let flat = vec![0.5; features];
        for background in [false, true] {
            let params =
                format!(r#"{{"max_evals": 1000000, "baseline": 0.5, "background": {background}}}"#);
            let found = explain("partition-shap", &params, tangled, &rows);
            let stand_ins = if background {
                rows.stand_ins()
            } else {
                vec![&flat[..]]
            };
            for (row, found) in found.chunks_exact(features).enumerate() {
                let expected: Vec<f64> = (0..features)
                    .map(|one| {
                        let others = siblings(one, shape);
                        let sets = 1_usize << others.len();
                        let gain = |set: usize| {
                            let mut kept = vec![false; features];
                            for (k, other) in others.iter().enumerate() {
                                other.iter().for_each(|&i| kept[i] = set >> k & 1 == 1);
                            }
                            let at = |own: bool| {
                                rows.worth(row, tangled, &stand_ins, &|i| {
                                    if i == one { own } else { kept[i] }
                                })
                            };
                            at(true) - at(false)
                        };
                        (0..sets).map(gain).sum::<f64>() / sets as f64
                    })
                    .collect();
                worst = worst.max(deviation(found, &expected));
            }
        }
    }
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn owen_values_are_shapley_values_where_only_pairs_interact_or_none() {
    let rows = Rows::new(1, &[1, 3, 3]);
    let flat = [0.0; 9];
    let params = r#"{"max_evals": 100000}"#;
    for function in [linear, pairs] {
        let found = explain("partition-shap", params, function, &rows);
        let expected = rows.shapley(0, function, &[&flat], 9, &|i| i);
        let worst = deviation(&found, &expected);
        assert!(worst < 2e-6, "{worst}");
    }
    // A linear model closes the matter on a larger image, whose evaluations run out.
    let rows = Rows::new(2, &SHAPE);
    let found = explain("partition-shap", params, linear, &rows);
    for (i, found) in found.iter().enumerate() {
        let expected = weight(i / FEATURES, i % FEATURES) * f64::from(rows.x[i]);
        assert!((f64::from(*found) - expected).abs() < 1e-5);
    }
}

#[test]
fn partition_shap_splits_evenly_where_evaluations_end() {
    let rows = Rows::new(1, &SHAPE);
    let flat = [0.0; FEATURES];
    // Two evaluations are the ends, two the halves of the columns (the longer side).
    for evals in [4, 5] {
        let params = format!(r#"{{"max_evals": {evals}}}"#);
        let found = explain("partition-shap", &params, tangled, &rows);
        let half = |i: usize| usize::from(i % 6 >= 3);
        let values = rows.shapley(0, tangled, &[&flat], 2, &half);
        let expected: Vec<f64> = (0..FEATURES).map(|i| values[half(i)] / 30.0).collect();
        assert!(deviation(&found, &expected) < 1e-6);
    }
    for evals in [6, 37, 100, 500] {
        for batch in [2, 10, 50] {
            let params = format!(r#"{{"max_evals": {evals}, "batch": {batch}}}"#);
            let found = explain("partition-shap", &params, tangled, &rows);
            let at = |keep: bool| rows.worth(0, tangled, &[&flat], &|_| keep);
            let sum: f64 = found.iter().map(|&v| f64::from(v)).sum();
            assert!((sum - (at(true) - at(false))).abs() < 1e-5, "{params}");
        }
    }
}

#[test]
fn rows_do_not_depend_on_their_neighbours() {
    let mut rows = Rows::new(4, &SHAPE);
    rows.x[FEATURES..2 * FEATURES].fill(0.0);
    for id in ALL {
        let params = match id {
            "partition-shap" => r#"{"max_evals": 101}"#,
            "exact-shap" => r#"{"cell": 3}"#,
            _ => r#"{"segmentation": "slic", "segments": 12}"#,
        };
        let together = explain(id, params, tangled, &rows);
        for row in 0..4 {
            let alone = explain(id, params, tangled, &rows.only(row));
            assert_eq!(alone, together[FEATURES * row..][..FEATURES], "{id} {row}");
        }
        // A blank image has nothing to remove.
        assert!(
            together[FEATURES..2 * FEATURES].iter().all(|&v| v == 0.0),
            "{id}"
        );
    }
}
