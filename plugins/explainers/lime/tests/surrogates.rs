//! LIME on models whose surrogate is known.

use xbench_explainers_lime::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestBatch, TestHost, TestModel};
use xbench_plugin::{OutputKind, Result, TensorRef};

/// Channels, height and width.
const IMAGE: [usize; 3] = [2, 5, 6];
const FEATURES: usize = 60;

type Function = fn(&[f64], usize) -> f64;

/// The function as a model of two outputs.
fn known(shape: &[usize], kind: OutputKind, function: Function) -> Result<TestModel> {
    TestModel::black_box(shape, 2, kind, move |x, outputs| {
        let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        for (output, out) in outputs.iter_mut().enumerate() {
            *out = function(&x, output) as f32;
        }
    })
}

fn weight(output: usize, feature: usize) -> f64 {
    ((output * 31 + feature * 17 + 5) as f64 * 0.618).sin()
}

fn linear(x: &[f64], output: usize) -> f64 {
    let sum: f64 = x
        .iter()
        .enumerate()
        .map(|(i, x)| weight(output, i) * x)
        .sum();
    sum + output as f64
}

fn bent(x: &[f64], output: usize) -> f64 {
    let sum = linear(x, output);
    sum.tanh() + 0.2 * (3.0 * sum).sin()
}

fn constant(_: &[f64], output: usize) -> f64 {
    0.3 + output as f64
}

/// The third column alone matters, and twice as much as the first of the others.
fn few(x: &[f64], _: usize) -> f64 {
    4.0 * x[2] - 2.0 * x[5] + 0.01 * x[0]
}

#[derive(Clone)]
struct Rows {
    shape: Vec<usize>,
    x: Vec<f32>,
    background: Vec<f32>,
    target: Vec<i64>,
    seed: Vec<u64>,
}

impl Rows {
    fn new(count: usize, shape: &[usize]) -> Self {
        let length = shape.iter().product::<usize>();
        let number = |i: usize| ((i * 53 + 7) as f32 * 0.41).sin();
        Self {
            shape: shape.to_vec(),
            x: (0..count * length).map(number).collect(),
            background: (0..5 * length)
                .map(|i| 0.6 * number(i + 1000) + 0.1)
                .collect(),
            target: (0..count).map(|row| (row % 2) as i64).collect(),
            seed: (0..count as u64).map(|row| 11 + 7 * row).collect(),
        }
    }

    fn row(&self, row: usize) -> &[f32] {
        let length = self.shape.iter().product::<usize>();
        &self.x[row * length..][..length]
    }

    fn only(&self, row: usize) -> Self {
        Self {
            x: self.row(row).to_vec(),
            target: vec![self.target[row]],
            seed: vec![self.seed[row]],
            ..self.clone()
        }
    }

    /// Mean and standard deviation of a background column.
    fn scale(&self, column: usize) -> (f64, f64) {
        let length = self.shape.iter().product::<usize>();
        let values = || {
            self.background[column..]
                .iter()
                .step_by(length)
                .map(|&v| f64::from(v))
        };
        let mean = values().sum::<f64>() / 5.0;
        let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / 5.0;
        (mean, variance.sqrt())
    }
}

fn try_lime(
    params: &str,
    kind: OutputKind,
    function: Function,
    rows: &Rows,
) -> Result<(Vec<f32>, Vec<f64>)> {
    let host = TestHost::new(&entry)?;
    let explainer = host.explainer("org.xbench.lime", params)?;
    let model = known(&rows.shape, kind, function)?;
    let length = rows.shape.iter().product::<usize>();
    let with = |n: usize| [&[n], &rows.shape[..]].concat();
    let (shape, rest) = (
        with(rows.target.len()),
        with(rows.background.len() / length),
    );
    let batch = TestBatch {
        x: TensorRef::new(&shape, &rows.x)?,
        target: &rows.target,
        seed: &rows.seed,
        mask: None,
        background: Some(TensorRef::new(&rest, &rows.background)?),
    };
    let (map, fit) = explainer.explain_batch(&model, &batch)?;
    Ok((map.into_data(), fit))
}

fn lime(params: &str, function: Function, rows: &Rows) -> (Vec<f32>, Vec<f64>) {
    try_lime(params, OutputKind::Logits, function, rows)
        .unwrap_or_else(|error| panic!("{params}: {error}"))
}

/// The cell of 3 by 3 pixels that a feature is in: four of them.
fn cell(feature: usize) -> usize {
    let (y, x) = (feature % 30 / 6, feature % 6);
    y / 3 * 2 + x / 3
}

/// What each cell of a row is worth to the linear model beyond its fill.
fn cell_sums(rows: &Rows, row: usize, fill: impl Fn(usize) -> f64) -> [f64; 4] {
    let mut sums = [0.0; 4];
    for (i, &x) in rows.row(row).iter().enumerate() {
        sums[cell(i)] += weight(row % 2, i) * (f64::from(x) - fill(i));
    }
    sums
}

#[test]
fn segments_of_a_linear_model_have_their_sums() {
    let rows = Rows::new(3, &IMAGE);
    for fill in ["baseline", "mean"] {
        for share in ["whole", "split"] {
            let params = format!(
                r#"{{"cell": 3, "alpha": 0, "fill": "{fill}", "baseline": 0.5, "share": "{share}",
                    "samples": 200}}"#
            );
            let (map, fit) = lime(&params, linear, &rows);
            for (row, map) in map.chunks_exact(FEATURES).enumerate() {
                let size = |one: usize| (0..FEATURES).filter(|&i| cell(i) == one).count() as f64;
                let fill = |i: usize| {
                    if fill == "baseline" {
                        return 0.5;
                    }
                    // The mean of the cell in the same channel.
                    let same = |j: &usize| cell(*j) == cell(i) && j / 30 == i / 30;
                    let sum: f64 = (0..FEATURES)
                        .filter(same)
                        .map(|j| f64::from(rows.row(row)[j]))
                        .sum();
                    sum / (size(cell(i)) / 2.0)
                };
                let sums = cell_sums(&rows, row, fill);
                for (i, found) in map.iter().enumerate() {
                    let parts = if share == "split" { size(cell(i)) } else { 2.0 };
                    let expected = sums[cell(i)] / parts;
                    assert!((f64::from(*found) - expected).abs() < 2e-6, "{params} {i}");
                }
                assert!(fit[row] > 1.0 - 1e-9 && fit[row] <= 1.0, "{}", fit[row]);
            }
        }
    }
}

#[test]
fn the_default_penalty_shrinks_a_little() {
    let rows = Rows::new(1, &IMAGE);
    let (map, fit) = lime(r#"{"cell": 3}"#, linear, &rows);
    let sums = cell_sums(&rows, 0, |_| 0.0);
    for (i, found) in map.iter().enumerate() {
        let error = (2.0 * f64::from(*found) - sums[cell(i)]).abs();
        assert!(error < 0.05 * sums.iter().fold(0.0, |most: f64, sum| most.max(sum.abs())));
    }
    assert!(fit[0] > 0.99 && fit[0] < 1.0);
}

#[test]
fn columns_of_a_linear_model_have_their_slopes() {
    let rows = Rows::new(2, &[9]);
    for around in ["background", "row"] {
        for value in ["coefficient", "effect"] {
            let params = format!(
                r#"{{"alpha": 0, "around": "{around}", "value": "{value}", "samples": 300}}"#
            );
            let (map, fit) = lime(&params, linear, &rows);
            for (i, found) in map.iter().enumerate() {
                let (mean, deviation) = rows.scale(i % 9);
                let slope = weight(i / 9, i % 9);
                let expected = if value == "effect" {
                    slope * (f64::from(rows.x[i]) - mean)
                } else {
                    slope * deviation
                };
                assert!((f64::from(*found) - expected).abs() < 2e-6, "{params} {i}");
            }
            assert!(fit.iter().all(|&fit| fit > 1.0 - 1e-9));
        }
    }
}

#[test]
fn selection_keeps_the_columns_that_matter() {
    let rows = Rows::new(1, &[9]);
    for selection in ["forward", "lasso_path"] {
        for (features, expected) in [(1, vec![2]), (2, vec![2, 5])] {
            let params = format!(r#"{{"selection": "{selection}", "features": {features}}}"#);
            let (map, fit) = lime(&params, few, &rows);
            let used: Vec<usize> = (0..9).filter(|&i| map[i] != 0.0).collect();
            assert_eq!(used, expected, "{params}");
            assert!((fit[0] > 0.99) == (features == 2), "{}", fit[0]);
        }
    }
    // Highest weights go by the effect at the row.
    let (all, _) = lime(r#"{"alpha": 0.01, "value": "effect"}"#, few, &rows);
    let (map, _) = lime(
        r#"{"selection": "highest_weights", "features": 2}"#,
        few,
        &rows,
    );
    let least = (0..9)
        .filter(|&i| map[i] != 0.0)
        .map(|i| all[i].abs())
        .fold(f32::MAX, f32::min);
    assert!((0..9).all(|i| map[i] != 0.0 || all[i].abs() <= least));
    assert_eq!(map.iter().filter(|&&v| v != 0.0).count(), 2);
}

#[test]
fn a_bent_model_is_fitted_in_part() {
    for rows in [Rows::new(2, &IMAGE), Rows::new(2, &[9])] {
        let (_, fit) = lime(r#"{"cell": 2}"#, bent, &rows);
        assert!(fit.iter().all(|&fit| fit > 0.0 && fit < 0.95), "{fit:?}");
    }
}

#[test]
fn what_does_not_vary_is_zero_and_has_no_fit() {
    for mut rows in [Rows::new(2, &IMAGE), Rows::new(2, &[9])] {
        for selection in ["none", "forward", "highest_weights", "lasso_path"] {
            let params = format!(r#"{{"selection": "{selection}"}}"#);
            let (map, fit) = lime(&params, constant, &rows);
            assert!(map.iter().all(|&v| v == 0.0), "{selection}");
            assert!(fit.iter().all(|fit| fit.is_nan()), "{selection}");
        }
        // An image that is all baseline, or a background that never varies.
        rows.x.fill(0.0);
        rows.background.fill(0.7);
        let (map, fit) = lime("{}", bent, &rows);
        assert!(map.iter().all(|&v| v == 0.0));
        assert!(fit.iter().all(|fit| fit.is_nan()));
    }
}

#[test]
fn one_segment_and_every_segmentation_work() {
    let rows = Rows::new(2, &IMAGE);
    let (map, fit) = lime(
        r#"{"cell": 9, "alpha": 0, "share": "split"}"#,
        linear,
        &rows,
    );
    for (row, map) in map.chunks_exact(FEATURES).enumerate() {
        let sum: f64 = map.iter().map(|&v| f64::from(v)).sum();
        let expected: f64 = cell_sums(&rows, row, |_| 0.0).iter().sum();
        assert!((sum - expected).abs() < 1e-5 && fit[row] > 1.0 - 1e-9);
    }
    for segmentation in [
        r#""segmentation": "slic", "segments": 6"#,
        r#""segmentation": "quickshift", "kernel_size": 1.0, "max_distance": 20.0"#,
    ] {
        let params = format!(r#"{{{segmentation}, "alpha": 0, "share": "split"}}"#);
        let (map, _) = lime(&params, linear, &rows);
        for (row, map) in map.chunks_exact(FEATURES).enumerate() {
            let sum: f64 = map.iter().map(|&v| f64::from(v)).sum();
            let expected: f64 = cell_sums(&rows, row, |_| 0.0).iter().sum();
            assert!((sum - expected).abs() < 1e-5, "{params}");
        }
    }
}

#[test]
fn rows_do_not_depend_on_their_neighbours_and_seeds_matter() {
    for shape in [&IMAGE[..], &[9]] {
        let rows = Rows::new(4, shape);
        let length = shape.iter().product::<usize>();
        let (together, fits) = lime(r#"{"cell": 2, "samples": 100}"#, bent, &rows);
        for row in 0..4 {
            let (alone, fit) = lime(r#"{"cell": 2, "samples": 100}"#, bent, &rows.only(row));
            assert_eq!(alone, together[length * row..][..length]);
            assert_eq!(fit[0], fits[row]);
        }
        let mut other = rows.only(0);
        other.seed[0] += 1;
        let (map, _) = lime(r#"{"cell": 2, "samples": 100}"#, bent, &other);
        assert_ne!(map, together[..length]);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let image = Rows::new(1, &IMAGE);
    let table = Rows::new(1, &[9]);
    let mut lonely = Rows::new(1, &[9]);
    lonely.background.truncate(9);
    for (params, rows, word) in [
        (r#"{"cell": 3, "samples": 4}"#, &image, "more than 4"),
        (r#"{"kernel_width": 0.001}"#, &table, "larger kernel_width"),
        ("{}", &lonely, "at least two"),
        (r#"{"kernel_width": 0}"#, &image, "kernel_width"),
        (r#"{"selection": "best"}"#, &image, "best"),
    ] {
        let error = try_lime(params, OutputKind::Logits, bent, rows).expect_err(params);
        assert!(error.message().contains(word), "{params}: {error}");
    }
    let params = r#"{"outcome": "probability"}"#;
    let error = try_lime(params, OutputKind::Values, bent, &image).expect_err("refused");
    assert!(error.message().contains("probability"), "{error}");
    // A model of probabilities is taken as it is; one of logits is not.
    let kind = OutputKind::Probabilities;
    let same = try_lime(params, kind, bent, &image).expect("explained");
    assert_eq!(same.0, lime("{}", bent, &image).0);
    assert_ne!(same.0, lime(params, bent, &image).0);
}
