//! Against what the Python package arrives at, and against itself.

use serde_json::Value;

use super::*;
use crate::settings;

fn numbers(value: &Value) -> Vec<f32> {
    let number = |v: &Value| v.as_f64().map_or(f32::NAN, |v| v as f32);
    value.as_array().unwrap().iter().map(number).collect()
}

fn settings(text: &str) -> BoostSettings {
    settings::read(text, &[("none", "{}")], ROUNDS)
        .unwrap()
        .values
}

fn quiet() -> impl FitMonitor {
    |_: &FitStep| Ok(())
}

fn run(threads: usize, data: &BoostData, settings: &BoostSettings) -> BoostState {
    let threads = Threads::new(threads).unwrap();
    train(&threads, data, settings, None, &mut quiet(), &mut |_, _| {
        Ok(())
    })
    .unwrap()
}

/// Without sampling the same trees grow as in XGBoost: splits, default directions, leaf weights,
/// penalties.
#[test]
fn grows_the_trees_of_xgboost() {
    let path = format!("{}/tests/fixtures/trained.json", env!("CARGO_MANIFEST_DIR"));
    let fixture: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for (number, case) in fixture["cases"].as_array().unwrap().iter().enumerate() {
        let x = numbers(&case["x"]);
        let labels: Vec<u32> = numbers(&case["y"]).iter().map(|&y| y as u32).collect();
        let data = BoostData {
            bins: Bins::of_features(&Threads::one(), &x, 4, labels.len(), 256).unwrap(),
            classes: 3,
            training: labels.len(),
            labels,
        };
        for wanted in case["runs"].as_array().unwrap() {
            let settings = settings(&wanted["settings"].to_string());
            let state = run(1, &data, &settings);
            let predictor = Predictor::new(&state.ensemble).unwrap();
            let mut outputs = vec![0.0; data.labels.len() * 3];
            predictor.predict(&Threads::one(), &x, &mut outputs);
            for (i, (got, want)) in outputs.iter().zip(numbers(&wanted["margin"])).enumerate() {
                assert!(
                    (got - want).abs() < 1e-4,
                    "case {number}, {settings:?}, row {}: {got} {want}",
                    i / 3
                );
            }
        }
    }
}

/// Two features of which one decides, 300 rows to learn from and 100 held out, some values missing.
fn data(max_bin: usize) -> BoostData {
    let rng = CounterRng::new(11);
    let x: Vec<f32> = (0..400 * 5)
        .map(|i| match rng.below(i, 20) {
            0 => f32::NAN,
            _ => rng.normal(10_000 + i) as f32,
        })
        .collect();
    let labels = (0..400)
        .map(|row| {
            let [a, b] = [x[row * 5], x[row * 5 + 3]].map(|x| if x.is_nan() { 1.0 } else { x });
            u32::from(a > 0.2) + u32::from(b + 0.5 * rng.normal(50_000 + row as u64) as f32 > 0.0)
        })
        .collect();
    BoostData {
        bins: Bins::of_features(&Threads::one(), &x, 5, 300, max_bin).unwrap(),
        labels,
        classes: 3,
        training: 300,
    }
}

const SAMPLED: &str = r#"{"rounds": 25, "subsample": 0.7, "colsample_bytree": 0.8, "max_depth": 4,
    "eta": 0.2, "seed": 5}"#;

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for max_bin in [256, 16] {
        let data = data(max_bin);
        let settings = settings(SAMPLED);
        let one = run(1, &data, &settings);
        for threads in [2, 3, 7] {
            assert_eq!(run(threads, &data, &settings), one);
        }
        let last = one.curve.rounds.last().unwrap();
        assert!(
            last.train_accuracy > 0.9 && last.validation_accuracy.unwrap() > 0.75,
            "{last:?}"
        );
        let mut other = settings;
        other.seed = 6;
        assert_ne!(run(1, &data, &other), one);
    }
}

#[test]
fn an_interrupted_training_ends_with_the_same_bits() {
    let data = data(64);
    for stopping in [0, 6] {
        let mut settings = settings(SAMPLED);
        settings.early_stopping_rounds = stopping;
        let whole = run(1, &data, &settings);
        let mut kept = None;
        let mut stop = |step: &FitStep| match step.epoch {
            13 => Err(Error::cancelled()),
            _ => Ok(()),
        };
        let threads = Threads::new(2).unwrap();
        let stopped = train(
            &threads,
            &data,
            &settings,
            None,
            &mut stop,
            &mut |_, state| {
                kept = Some(state.clone());
                Ok(())
            },
        );
        if whole.curve.rounds.len() > 13 {
            assert!(stopped.is_err());
        }
        let kept = kept.expect("a state after ten rounds");
        assert_eq!(kept.curve.rounds.len(), 10);
        let resumed = train(
            &threads,
            &data,
            &settings,
            Some(kept),
            &mut quiet(),
            &mut |_, _| Ok(()),
        );
        assert_eq!(resumed.unwrap(), whole);
    }
}

#[test]
fn early_stopping_keeps_the_best_round() {
    let data = data(256);
    let mut settings = settings(r#"{"rounds": 200, "eta": 0.5, "early_stopping_rounds": 5}"#);
    let state = run(1, &data, &settings);
    let (best, rounds) = (state.curve.best, &state.curve.rounds);
    assert_eq!(rounds.len(), best + 5);
    let loss = |round: &Round| round.validation_loss.unwrap();
    assert!(
        rounds
            .iter()
            .all(|round| loss(round) >= loss(&rounds[best - 1]))
    );
    assert_eq!(state.ensemble.roots.len(), best * 3);
    settings.early_stopping_rounds = 0;
    settings.rounds = best as u32;
    assert_eq!(run(1, &data, &settings).ensemble, state.ensemble);
}

#[test]
fn margins_of_bins_are_those_of_the_training() {
    let data = data(32);
    let state = run(1, &data, &settings(SAMPLED));
    let margins = margins(&Threads::one(), &data, &state.ensemble).unwrap();
    let mut pairs = vec![vec![[0.0; 2]; data.training]; 3];
    let [training, held] = gradients(&Threads::one(), &margins, &data.labels, &mut pairs);
    let last = state.curve.rounds.last().unwrap();
    assert_eq!(training.loss, last.train_loss);
    assert_eq!(Some(held.loss), last.validation_loss);
}

#[test]
fn covers_add_up_and_rules_are_kept() {
    let data = data(256);
    let settings =
        settings(r#"{"rounds": 5, "min_child_weight": 4, "gamma": 1.5, "max_depth": 3}"#);
    let ensemble = run(1, &data, &settings).ensemble;
    let mut splits = 0;
    for node in 0..ensemble.num_nodes() {
        if ensemble.feature[node] < 0 {
            continue;
        }
        splits += 1;
        let [l, r] =
            [ensemble.left[node], ensemble.right[node]].map(|c| ensemble.cover[c as usize]);
        assert_eq!(ensemble.cover[node], l + r);
        assert!(l >= 3.999 && r >= 3.999, "{l} {r}");
        assert!(ensemble.gain[node] >= 1.499);
    }
    assert!(splits > 10);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let mut all = data(256);
    all.training = all.labels.len();
    let settings = settings(r#"{"early_stopping_rounds": 3}"#);
    let refused = train(
        &Threads::one(),
        &all,
        &settings,
        None,
        &mut quiet(),
        &mut |_, _| Ok(()),
    );
    assert!(refused.unwrap_err().message().contains("validation_share"));
    let strange = BoostState {
        ensemble: tree::empty(4, vec![0.5; 3], true),
        curve: Curve::default(),
    };
    let data = data(256);
    let refused = train(
        &Threads::one(),
        &data,
        &settings,
        Some(strange),
        &mut quiet(),
        &mut |_, _| Ok(()),
    );
    assert!(refused.is_err());
}
