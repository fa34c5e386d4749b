//! Shapley values of the columns of tables, against the definition.

use super::support::{
    ALL, Rows, constant, deviation, explain, linear, pairs, symmetric, tangled, try_explain, weight,
};
use xbench_plugin::OutputKind;

/// The methods that take tables.
fn methods() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().filter(|&id| id != "partition-shap")
}

const BASELINE: f32 = 0.25;

/// Parameters of a method with the two ways of removal, and the stand-ins that they mean.
fn removals<'r>(rows: &'r Rows, flat: &'r [f32]) -> [(String, Vec<&'r [f32]>); 2] {
    [
        (format!(r#"{{"baseline": {BASELINE}}}"#), vec![flat]),
        (r#"{"background": true}"#.to_owned(), rows.stand_ins()),
    ]
}

#[test]
fn exact_and_kernel_shap_are_the_shapley_values() {
    let mut worst = 0.0_f64;
    for columns in [2, 3, 5, 8, 10] {
        let rows = Rows::new(2, &[columns]);
        let flat = vec![BASELINE; columns];
        for (params, stand_ins) in removals(&rows, &flat) {
            for id in ["exact-shap", "kernel-shap"] {
                let found = explain(id, &params, tangled, &rows);
                for (row, found) in found.chunks_exact(columns).enumerate() {
                    let expected = rows.shapley(row, tangled, &stand_ins, columns, &|i| i);
                    worst = worst.max(deviation(found, &expected));
                }
            }
        }
    }
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn kernel_shap_of_twelve_players_is_exact_with_all_coalitions() {
    let rows = Rows::new(1, &[12]);
    let found = explain("kernel-shap", r#"{"samples": 4094}"#, tangled, &rows);
    let expected = rows.shapley(0, tangled, &[&[0.0; 12]], 12, &|i| i);
    let worst = deviation(&found, &expected);
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn sampled_kernel_shap_is_right_on_average_and_better_with_more_samples() {
    // One row under 64 seeds, with 60 to 2100 of the 4094 coalitions.
    const SEEDS: usize = 64;
    let one = Rows::new(1, &[12]);
    let mut rows = Rows::new(SEEDS, &[12]);
    rows.x = one.x.repeat(SEEDS);
    rows.target.fill(one.target[0]);
    let expected = one.shapley(0, tangled, &[&[0.0; 12]], 12, &|i| i);
    let mut last = f64::INFINITY;
    for samples in [60, 240, 800, 2100] {
        let params = format!(r#"{{"samples": {samples}, "shared": false}}"#);
        let found = explain("kernel-shap", &params, tangled, &rows);
        let mut squares = 0.0;
        for (i, expected) in expected.iter().enumerate() {
            let errors = || {
                found[i..]
                    .iter()
                    .step_by(12)
                    .map(|&v| f64::from(v) - expected)
            };
            let mean = errors().sum::<f64>() / SEEDS as f64;
            let variance = errors().map(|e| (e - mean).powi(2)).sum::<f64>() / (SEEDS - 1) as f64;
            let bound = 5.0 * (variance / SEEDS as f64).sqrt();
            assert!(mean.abs() < bound, "{samples}: {mean} {bound}");
            squares += errors().map(|e| e * e).sum::<f64>();
        }
        let spread = (squares / found.len() as f64).sqrt();
        assert!(spread < 0.75 * last, "{samples}: {spread} {last}");
        last = spread;
    }
}

#[test]
fn one_pair_of_orders_is_exact_where_only_pairs_interact() {
    let rows = Rows::new(2, &[9]);
    let flat = [BASELINE; 9];
    for (params, stand_ins) in removals(&rows, &flat) {
        let params = params.replace('{', r#"{"permutations": 1, "#);
        let found = explain("permutation-shap", &params, pairs, &rows);
        for (row, found) in found.chunks_exact(9).enumerate() {
            let expected = rows.shapley(row, pairs, &stand_ins, 9, &|i| i);
            let worst = deviation(found, &expected);
            assert!(worst < 2e-6, "{worst}");
        }
    }
}

#[test]
fn sampled_methods_are_within_their_confidence_bounds() {
    // Gains lie within +-G, so a mean of n independent ones is within G sqrt(2 ln(2 / p) / n) with
    // probability 1 - p (Hoeffding 1963); p = 1e-9 for each of the values here.
    let rows = Rows::new(2, &[8]);
    let flat = [BASELINE; 8];
    for (params, stand_ins) in removals(&rows, &flat) {
        for (id, own, n) in [
            ("permutation-shap", r#""permutations": 3000"#, 3000.0_f64),
            ("sampling-shap", r#""samples": 6000"#, 6000.0),
        ] {
            let params = params.replace('{', &format!("{{{own}, "));
            let found = explain(id, &params, tangled, &rows);
            for (row, found) in found.chunks_exact(8).enumerate() {
                let expected = rows.shapley(row, tangled, &stand_ins, 8, &|i| i);
                // The largest gain there is, by enumeration.
                let largest = (0..256_usize)
                    .flat_map(|set| (0..8).map(move |one| (set & !(1 << one), one)))
                    .flat_map(|(set, one)| stand_ins.iter().map(move |&s| (set, one, s)))
                    .map(|(set, one, stand_in)| {
                        let at = |set: usize| {
                            rows.worth(row, tangled, &[stand_in], &|i| set >> i & 1 == 1)
                        };
                        (at(set | 1 << one) - at(set)).abs()
                    })
                    .fold(0.0, f64::max);
                let limit = largest * (2.0 * (2e9_f64).ln() / n).sqrt();
                let worst = deviation(found, &expected);
                assert!(worst < limit, "{id}: {worst} {limit}");
            }
        }
    }
}

#[test]
fn values_of_a_linear_model_are_weight_times_distance() {
    let rows = Rows::new(3, &[20]);
    let flat = [BASELINE; 20];
    for (params, stand_ins) in removals(&rows, &flat) {
        for id in ["kernel-shap", "permutation-shap"] {
            let found = explain(id, &params, linear, &rows);
            for (row, found) in found.chunks_exact(20).enumerate() {
                let expected: Vec<f64> = (0..20)
                    .map(|i| {
                        let removed: f64 = stand_ins.iter().map(|s| f64::from(s[i])).sum();
                        let removed = removed / stand_ins.len() as f64;
                        weight(row % 2, i) * (f64::from(rows.row(row)[i]) - removed)
                    })
                    .collect();
                let worst = deviation(found, &expected);
                assert!(worst < 1e-5, "{id} {params}: {worst}");
            }
        }
    }
    // Draws differ only by the background row, of which there is one.
    let found = explain("sampling-shap", "{}", linear, &rows);
    for (i, found) in found.iter().enumerate() {
        let expected = weight(i / 20 % 2, i % 20) * f64::from(rows.x[i]);
        assert!((f64::from(*found) - expected).abs() < 1e-5);
    }
}

#[test]
fn values_are_complete() {
    for columns in [1, 4, 11] {
        let rows = Rows::new(3, &[columns]);
        let flat = vec![BASELINE; columns];
        for (params, stand_ins) in removals(&rows, &flat) {
            for id in methods() {
                let found = explain(id, &params, tangled, &rows);
                for (row, found) in found.chunks_exact(columns).enumerate() {
                    let at = |keep: bool| rows.worth(row, tangled, &stand_ins, &|_| keep);
                    let sum: f64 = found.iter().map(|&v| f64::from(v)).sum();
                    let error = (sum - (at(true) - at(false))).abs();
                    assert!(error < 1e-5, "{id} {params}: {error}");
                }
            }
        }
    }
}

#[test]
fn equals_have_equal_values_and_dummies_none() {
    let mut rows = Rows::new(1, &[7]);
    rows.x[1] = rows.x[0];
    for i in 0..3 {
        rows.background[7 * i + 1] = rows.background[7 * i];
    }
    for params in ["{}", r#"{"background": true}"#] {
        for id in ["exact-shap", "kernel-shap"] {
            let found = explain(id, params, symmetric, &rows);
            assert!((found[0] - found[1]).abs() < 1e-6, "{id} {found:?}");
            assert!(found[2].abs() < 1e-6, "{id} {found:?}");
        }
        for id in ["permutation-shap", "sampling-shap"] {
            assert_eq!(explain(id, params, symmetric, &rows)[2], 0.0, "{id}");
        }
    }
}

#[test]
fn columns_that_removal_does_not_change_do_not_play() {
    let mut rows = Rows::new(1, &[6]);
    rows.x[1] = BASELINE;
    rows.x[4] = BASELINE;
    let params = format!(r#"{{"baseline": {BASELINE}}}"#);
    let expected = rows.shapley(0, tangled, &[&[BASELINE; 6]], 6, &|i| i);
    for id in methods() {
        let found = explain(id, &params, tangled, &rows);
        assert_eq!((found[1], found[4]), (0.0, 0.0), "{id}");
        if id == "exact-shap" || id == "kernel-shap" {
            assert!(deviation(&found, &expected) < 1e-6, "{id}");
        }
    }
    // Nobody plays, one plays, and a model that answers always the same.
    for id in methods() {
        rows.x.fill(BASELINE);
        assert_eq!(explain(id, &params, tangled, &rows), [0.0; 6], "{id}");
        rows.x[3] = 2.0;
        let found = explain(id, &params, tangled, &rows);
        let at = |keep: bool| rows.worth(0, tangled, &[&[BASELINE; 6]], &|_| keep);
        assert!(
            (f64::from(found[3]) - (at(true) - at(false))).abs() < 1e-6,
            "{id}"
        );
        assert!(found.iter().enumerate().all(|(i, &v)| i == 3 || v == 0.0));
        let rows = Rows::new(2, &[6]);
        let found = explain(id, "{}", constant, &rows);
        assert!(found.iter().all(|v| v.abs() < 1e-12), "{id} {found:?}");
    }
}

#[test]
fn rows_do_not_depend_on_their_neighbours() {
    let mut rows = Rows::new(5, &[9]);
    rows.x[9..12].fill(0.0);
    for params in ["{}", r#"{"background": true, "outcome": "probability"}"#] {
        for id in methods() {
            let together = explain(id, params, tangled, &rows);
            for row in 0..5 {
                let alone = explain(id, params, tangled, &rows.only(row));
                assert_eq!(alone, together[9 * row..][..9], "{id} {params} {row}");
            }
        }
    }
}

#[test]
fn seeds_matter_where_they_should() {
    let rows = Rows::new(1, &[14]);
    let mut other = Rows::new(1, &[14]);
    other.seed[0] += 1;
    for (id, params, differs) in [
        ("kernel-shap", r#"{"samples": 100}"#, false),
        ("kernel-shap", r#"{"samples": 100, "shared": false}"#, true),
        ("permutation-shap", "{}", true),
        ("sampling-shap", "{}", true),
        ("exact-shap", "{}", false),
    ] {
        let (one, two) = (
            explain(id, params, tangled, &rows),
            explain(id, params, tangled, &other),
        );
        assert_eq!(one != two, differs, "{id} {params}");
    }
    let drawn = |seed: u32| {
        let params = format!(r#"{{"samples": 100, "coalition_seed": {seed}}}"#);
        explain("kernel-shap", &params, tangled, &rows)
    };
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn a_probability_is_explained_as_one() {
    let rows = Rows::new(1, &[5]);
    let params = r#"{"outcome": "probability"}"#;
    let softmax = |x: &[f64], k: usize| {
        1.0 / (0..2)
            .map(|j| (linear(x, j) - linear(x, k)).exp())
            .sum::<f64>()
    };
    let expected = rows.shapley(0, softmax, &[&[0.0; 5]], 5, &|i| i);
    let found = explain("exact-shap", params, linear, &rows);
    assert!(deviation(&found, &expected) < 1e-6);
    // A model of probabilities is taken as it is, one of values has none.
    let kind = OutputKind::Probabilities;
    let same = try_explain("exact-shap", params, kind, linear, &rows).expect("explained");
    assert_eq!(same, explain("exact-shap", "{}", linear, &rows));
    let error = try_explain("exact-shap", params, OutputKind::Values, linear, &rows);
    assert!(
        error
            .expect_err("refused")
            .message()
            .contains("probability")
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let rows = Rows::new(1, &[17]);
    for (id, params, word) in [
        ("exact-shap", "{}", "17 players"),
        ("kernel-shap", r#"{"samples": 33}"#, "at least 34"),
        ("partition-shap", "{}", "columns of a table"),
        ("permutation-shap", r#"{"permutations": 0}"#, "permutations"),
        ("kernel-shap", r#"{"segmentation": "hexagons"}"#, "hexagons"),
        ("kernel-shap", r#"{"compactness": 0}"#, "compactness"),
    ] {
        let error = try_explain(id, params, OutputKind::Logits, tangled, &rows);
        let error = error.expect_err(params);
        assert!(error.message().contains(word), "{id}: {error}");
    }
}
