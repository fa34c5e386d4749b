//! Against scikit-learn's tree, and against itself.

use serde_json::Value;

use xbench_plugin::rng::CounterRng;

use super::*;
use crate::importance::{Importance, importance};
use crate::settings;

fn numbers(value: &Value) -> Vec<f32> {
    let number = |v: &Value| v.as_f64().unwrap() as f32;
    value.as_array().unwrap().iter().map(number).collect()
}

fn settings(text: &str) -> ForestSettings {
    settings::read(text, &[("none", "{}")], TREES)
        .unwrap()
        .values
}

fn quiet() -> impl FitMonitor {
    |_: &FitStep| Ok(())
}

fn run(threads: usize, data: &ForestData, settings: &ForestSettings) -> Forest {
    let threads = Threads::new(threads).unwrap();
    train(&threads, data, settings, None, &mut quiet(), &mut |_, _| {
        Ok(())
    })
    .unwrap()
}

fn predict(forest: &Forest, x: &[f32]) -> Vec<f32> {
    let ensemble = &forest.ensemble;
    let mut outputs = vec![0.0; x.len() / ensemble.num_features * ensemble.num_outputs];
    Predictor::new(ensemble)
        .unwrap()
        .predict(&Threads::one(), x, &mut outputs);
    outputs
}

/// One tree on all rows and features is scikit-learn's `DecisionTreeClassifier`.
#[test]
fn a_tree_equals_that_of_scikit_learn() {
    let path = format!("{}/tests/fixtures/tree.json", env!("CARGO_MANIFEST_DIR"));
    let fixture: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let labels: Vec<u32> = numbers(&fixture["y"]).iter().map(|&y| y as u32).collect();
    let columns = |name: &str, columns: usize| -> Vec<f32> {
        let all = numbers(&fixture[name]);
        all.chunks(4)
            .flat_map(|row| row[..columns].to_vec())
            .collect()
    };
    for wanted in fixture["runs"].as_array().unwrap() {
        let features = wanted["columns"].as_u64().unwrap() as usize;
        let data = ForestData {
            x: columns("x", features),
            training: labels.len(),
            labels: labels.clone(),
            features,
            classes: 3,
        };
        let rows = columns("rows", features);
        let mut given = wanted["settings"].clone();
        given["n_trees"] = 1.into();
        given["max_features"] = "all".into();
        given["bootstrap"] = false.into();
        let forest = run(1, &data, &settings(&given.to_string()));
        assert_eq!(
            forest.ensemble.num_nodes() as u64,
            wanted["nodes"].as_u64().unwrap()
        );
        for (got, want) in predict(&forest, &rows)
            .iter()
            .zip(numbers(&wanted["probability"]))
        {
            assert!((got - want).abs() < 1e-6, "{given}: {got} {want}");
        }
        let gains = importance(&forest.ensemble, Importance::TotalGain);
        let total: f64 = gains.iter().sum();
        for (got, want) in gains.iter().zip(numbers(&wanted["importance"])) {
            assert!(
                (got / total - f64::from(want)).abs() < 1e-6,
                "{given}: {got} {want}"
            );
        }
    }
}

/// The same seed grows scikit-learn's forest, tree by tree.
#[test]
fn a_seed_gives_the_forest_of_scikit_learn() {
    let path = format!("{}/tests/fixtures/forest.json", env!("CARGO_MANIFEST_DIR"));
    let fixture: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let labels: Vec<u32> = numbers(&fixture["y"]).iter().map(|&y| y as u32).collect();
    let data = ForestData {
        x: numbers(&fixture["x"]),
        features: fixture["features"].as_u64().unwrap() as usize,
        training: labels.len(),
        labels,
        classes: 3,
    };
    let rows = numbers(&fixture["rows"]);
    for wanted in fixture["runs"].as_array().unwrap() {
        let mut given = wanted["settings"].clone();
        given["seed"] = wanted["seed"].clone();
        let forest = run(2, &data, &settings(&given.to_string()));
        let roots = forest.ensemble.roots.iter().map(|&root| u64::from(root));
        let ends = roots.clone().skip(1);
        let ends = ends.chain([forest.ensemble.num_nodes() as u64]);
        let nodes: Vec<u64> = roots.zip(ends).map(|(root, end)| end - root).collect();
        assert_eq!(serde_json::json!(nodes), wanted["nodes"], "{given}");
        let got = predict(&forest, &rows);
        for (got, want) in got.iter().zip(numbers(&wanted["probability"])) {
            assert!((got - want).abs() < 1e-6, "{given}: {got} {want}");
        }
    }
}

/// Three classes by two of six features with noise; some features with few values, one constant.
fn data() -> ForestData {
    let rng = CounterRng::new(3);
    let x: Vec<f32> = (0..500 * 6)
        .map(|i| match i % 6 {
            2 => rng.below(i, 3) as f32,
            5 => 1.0,
            _ => rng.normal(i) as f32,
        })
        .collect();
    let labels = (0..500)
        .map(|row| {
            let noise = rng.normal(90_000 + row as u64) as f32;
            u32::from(x[row * 6] > 0.0) + u32::from(x[row * 6 + 1] + 0.3 * noise > 0.5)
        })
        .collect();
    ForestData {
        x,
        labels,
        features: 6,
        classes: 3,
        training: 400,
    }
}

#[test]
fn forests_learn_and_out_of_bag_tells_how_well() {
    let data = data();
    for class_weight in ["none", "balanced", "balanced_subsample"] {
        let given = format!(r#"{{"n_trees": 60, "seed": 2, "class_weight": "{class_weight}"}}"#);
        let forest = run(1, &data, &settings(&given));
        let (bag, held) = (forest.out_of_bag.unwrap(), forest.validation.unwrap());
        assert_eq!(
            (forest.training.accuracy, bag.rows, held.rows),
            (1.0, 400, 100)
        );
        assert!(bag.accuracy > 0.8 && bag.accuracy < 0.99, "{bag:?}");
        assert!(
            (bag.accuracy - held.accuracy).abs() < 0.1,
            "{bag:?} {held:?}"
        );
        for row in predict(&forest, &data.x).chunks(3) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn any_number_of_threads_and_an_interruption_give_the_same_bits() {
    let data = data();
    let settings = settings(r#"{"n_trees": 100, "max_depth": 6, "max_features": "0.5"}"#);
    let whole = run(1, &data, &settings);
    assert_eq!(run(3, &data, &settings), whole);
    let mut kept = None;
    let mut stop = |step: &FitStep| match step.epoch {
        90 => Err(Error::cancelled()),
        _ => Ok(()),
    };
    let one = Threads::one();
    let stopped = train(&one, &data, &settings, None, &mut stop, &mut |_, trees| {
        kept = Some(trees.clone());
        Ok(())
    });
    assert!(stopped.is_err());
    let kept = kept.expect("trees were kept");
    assert_eq!(kept.roots.len(), 64);
    let resumed = train(
        &one,
        &data,
        &settings,
        Some(kept),
        &mut quiet(),
        &mut |_, _| Ok(()),
    );
    assert_eq!(resumed.unwrap(), whole);
}

#[test]
fn every_tree_is_told_of() {
    let mut epochs = Vec::new();
    let mut monitor = |step: &FitStep| {
        epochs.push((step.epoch, step.validation_accuracy > 0.5));
        Ok(())
    };
    let settings = settings(r#"{"n_trees": 20}"#);
    train(
        &Threads::one(),
        &data(),
        &settings,
        None,
        &mut monitor,
        &mut |_, _| Ok(()),
    )
    .unwrap();
    assert_eq!(epochs, (1..=20).map(|i| (i, true)).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let refused = |data: &ForestData, given: &str| {
        let done = train(
            &Threads::one(),
            data,
            &settings(given),
            None,
            &mut quiet(),
            &mut |_, _| Ok(()),
        );
        done.unwrap_err().message().to_owned()
    };
    let mut data = data();
    for share in ["none", "0", "1.5", "NaN"] {
        let text = refused(&data, &format!(r#"{{"max_features": "{share}"}}"#));
        assert!(text.contains("\"sqrt\"") && text.contains(share), "{text}");
    }
    data.x[6 * 7 + 4] = f32::NAN;
    let text = refused(&data, "{}");
    assert!(text.contains("row 7, feature 4"), "{text}");
}
