//! Tree SHAP against the figures of the shap package and of XGBoost (`fixtures/shap_figures.py`).

use serde::Deserialize;
use xbench_explainers_trees::{Effect, TreeShap};
use xbench_plugin::TreeEnsemble;

/// XGBoost's figures are single precision.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Fixture {
    background: Vec<f32>,
    xgboost: Figures,
    forest: Figures,
}

#[derive(Deserialize)]
struct Figures {
    ensemble: Trees,
    rows: Vec<Option<f32>>,
    margin: Vec<f64>,
    path_dependent: Vec<f64>,
    expected: Vec<f64>,
    interactions: Vec<f64>,
    interventional_rows: Vec<f32>,
    interventional: Vec<f64>,
    interventional_expected: Vec<f64>,
}

#[derive(Deserialize)]
struct Trees {
    num_features: usize,
    num_outputs: usize,
    base: Vec<f32>,
    strict: bool,
    roots: Vec<u32>,
    tree_output: Vec<i32>,
    feature: Vec<i32>,
    threshold: Vec<f32>,
    left: Vec<u32>,
    right: Vec<u32>,
    default_left: Vec<u8>,
    cover: Vec<f32>,
    value: Vec<f32>,
}

impl Trees {
    fn ensemble(&self) -> TreeEnsemble {
        let ensemble = TreeEnsemble {
            num_features: self.num_features,
            num_outputs: self.num_outputs,
            base: self.base.clone(),
            strict: self.strict,
            roots: self.roots.clone(),
            tree_output: self.tree_output.clone(),
            feature: self.feature.clone(),
            threshold: self.threshold.clone(),
            left: self.left.clone(),
            right: self.right.clone(),
            default_left: self.default_left.clone(),
            cover: self.cover.clone(),
            gain: vec![0.0; self.feature.len()],
            value: self.value.clone(),
        };
        ensemble.check().expect("a sound ensemble");
        ensemble
    }
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/shap_figures.json")).expect("the fixture")
}

fn worst(got: impl IntoIterator<Item = f64>, want: &[f64]) -> f64 {
    let got: Vec<f64> = got.into_iter().collect();
    assert_eq!(got.len(), want.len());
    let deviations = got.iter().zip(want).map(|(got, want)| (got - want).abs());
    deviations.fold(0.0, f64::max)
}

/// `[rows, outputs, features]`.
fn all_outputs(shap: &TreeShap<'_>, x: &[f32], effect: Effect) -> Vec<f64> {
    let (features, outputs) = (shap.ensemble().num_features, shap.ensemble().num_outputs);
    let (mut rows, mut target) = (Vec::new(), Vec::new());
    for row in x.chunks(features) {
        for output in 0..outputs {
            rows.extend_from_slice(row);
            target.push(output);
        }
    }
    let mut out = vec![0.0; rows.len()];
    shap.attribute(&rows, &target, effect, &mut out, &mut |_| Ok(()))
        .expect("fitting rows");
    out.into_iter().map(f64::from).collect()
}

fn compare(name: &str, figures: &Figures, background: &[f32]) {
    let ensemble = figures.ensemble.ensemble();
    let (features, outputs) = (ensemble.num_features, ensemble.num_outputs);
    let x: Vec<f32> = figures
        .rows
        .iter()
        .map(|value| value.unwrap_or(f32::NAN))
        .collect();
    let mut margins = vec![0.0; figures.margin.len()];
    for (row, margin) in x.chunks(features).zip(margins.chunks_mut(outputs)) {
        ensemble.outputs(row, margin);
    }
    let shap = TreeShap::path_dependent(&ensemble).unwrap();
    let expected = |shap: &TreeShap<'_>| -> Vec<f64> {
        (0..outputs)
            .map(|output| shap.expected_value(output).unwrap())
            .collect()
    };
    let mut interactions = Vec::new();
    for row in x.chunks(features) {
        for output in 0..outputs {
            interactions.extend(shap.interactions(row, output).unwrap());
        }
    }
    // The same, line by line, for all rows and outputs at once.
    let mut lines = vec![0.0; interactions.len()];
    for feature in 0..features {
        let with = all_outputs(&shap, &x, Effect::With(feature));
        let matrices = lines.chunks_mut(features * features);
        for (matrix, line) in matrices.zip(with.chunks(features)) {
            matrix[feature * features..(feature + 1) * features].copy_from_slice(line);
        }
    }
    let main: Vec<f64> = figures
        .interactions
        .chunks(features * features)
        .flat_map(|matrix| (0..features).map(|i| matrix[i * features + i]))
        .collect();
    let independent = TreeShap::interventional(&ensemble, background).unwrap();
    let rows = &figures.interventional_rows;
    for (what, worst) in [
        (
            "outputs",
            worst(margins.into_iter().map(f64::from), &figures.margin),
        ),
        (
            "path-dependent",
            worst(
                all_outputs(&shap, &x, Effect::Total),
                &figures.path_dependent,
            ),
        ),
        ("expected", worst(expected(&shap), &figures.expected)),
        ("interactions", worst(interactions, &figures.interactions)),
        ("lines", worst(lines, &figures.interactions)),
        ("main", worst(all_outputs(&shap, &x, Effect::Main), &main)),
        (
            "interventional",
            worst(
                all_outputs(&independent, rows, Effect::Total),
                &figures.interventional,
            ),
        ),
        (
            "interventional, expected",
            worst(expected(&independent), &figures.interventional_expected),
        ),
    ] {
        assert!(worst < TOLERANCE, "{name}, {what}: {worst:e}");
    }
}

#[test]
fn a_booster_has_the_figures_of_xgboost_and_shap() {
    let fixture = fixture();
    compare("xgboost", &fixture.xgboost, &fixture.background);
}

#[test]
fn a_forest_has_the_figures_of_shap() {
    let fixture = fixture();
    compare("forest", &fixture.forest, &fixture.background);
}
