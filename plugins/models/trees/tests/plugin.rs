//! The plugins through their exported entry.

use serde_json::Value;
use xbench_models_trees::plugin::xbench_entry_v1;
use xbench_plugin::testing::{CallOptions, TestData, TestHost, TestModel};
use xbench_plugin::{Status, TensorRef};

const XGBOOST: &str = "org.xbench.xgboost";
const FOREST: &str = "org.xbench.random-forest";

fn host(threads: u32) -> TestHost {
    let options = CallOptions {
        threads,
        ..CallOptions::default()
    };
    TestHost::new(&xbench_entry_v1)
        .expect("an entry")
        .with_options(options)
}

fn model(id: &str, params: &str) -> TestModel {
    host(1).model(id, params).expect("a model")
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a fixture")
}

fn noise(i: usize) -> usize {
    i * 7919 % 10_007 % 97
}

/// Images of 1 × 4 × 4 in three classes of different brightness.
fn images() -> TestData {
    let n = 240;
    let labels: Vec<i64> = (0..n).map(|i| i % 3).collect();
    let pixels = (0..n as usize * 16)
        .map(|i| (noise(i) + i / 16 % 3 * 60) as u8)
        .collect();
    TestData::new(&[1, 4, 4], 3, pixels, labels).expect("data")
}

/// A table of five features in three classes.
fn table() -> TestData {
    let n = 240;
    let labels: Vec<i64> = (0..n).map(|i| i % 3).collect();
    let values = (0..n as usize * 5)
        .map(|i| noise(i) as f32 / 10.0 + (i / 5 % 3) as f32 * 6.0)
        .collect();
    TestData::features(&[5], 3, values, labels).expect("data")
}

const IMAGES: &str = r#"{"input": [1, 4, 4], "outputs": 3}"#;
const TABLE: &str = r#"{"input": [5], "outputs": 3}"#;

/// Model, parameters, data, settings of a short training.
fn trainings() -> Vec<(&'static str, &'static str, TestData, &'static str)> {
    let boost = r#"{"rounds": 12, "max_depth": 3, "subsample": 0.8, "colsample_bytree": 0.5,
        "validation_share": 0.2, "early_stopping_rounds": 8, "seed": 4}"#;
    let forest = r#"{"preset": "published", "n_trees": 70, "max_depth": 6, "seed": 4}"#;
    vec![
        (XGBOOST, IMAGES, images(), boost),
        (XGBOOST, TABLE, table(), boost),
        (FOREST, IMAGES, images(), forest),
        (FOREST, TABLE, table(), forest),
    ]
}

#[test]
fn two_models_are_exported() {
    assert_eq!(host(1).ids().unwrap(), [XGBOOST, FOREST]);
    for params in [
        r#"{"input": [2, 2]}"#,
        r#"{"input": []}"#,
        r#"{"input": [16777216, 2, 2]}"#,
    ] {
        for id in [XGBOOST, FOREST] {
            let refused = host(1).model(id, params).unwrap_err();
            assert_eq!(refused.status(), Status::InvalidArgument);
            assert!(refused.message().contains("input"), "{}", refused.message());
        }
    }
    assert!(host(1).model(XGBOOST, r#"{"format": "binary"}"#).is_err());
}

#[test]
fn trainings_learn_and_are_the_same_on_any_number_of_threads() {
    for (id, params, data, settings) in trainings() {
        let mut saved = Vec::new();
        for threads in [1, 3] {
            let mut model = host(threads).model(id, params).unwrap();
            let mut epochs = 0;
            let report = model
                .fit(&data, settings, &mut |step| {
                    assert!(step.epoch_done && step.epoch == epochs + 1);
                    epochs = step.epoch;
                    true
                })
                .unwrap();
            let report: Value = serde_json::from_str(&report).unwrap();
            assert!(report["train_accuracy"].as_f64().unwrap() > 0.8, "{report}");
            assert_eq!(report["recipe"]["seed"], 4);
            if id == XGBOOST {
                assert_eq!(report["training_rows"], 192);
                assert!(
                    report["validation_accuracy"].as_f64().unwrap() > 0.7,
                    "{report}"
                );
            } else {
                assert!(
                    report["out_of_bag"]["accuracy"].as_f64().unwrap() > 0.7,
                    "{report}"
                );
            }
            model.trees().unwrap().check().unwrap();
            saved.push(model.save().unwrap());
        }
        assert_eq!(saved[0], saved[1]);
        let mut again = model(id, params);
        again.load(&saved[0]).unwrap();
        assert_eq!(again.save().unwrap(), saved[0]);
    }
}

#[test]
fn a_resumed_training_saves_the_same_bytes() {
    for (id, params, data, settings) in trainings() {
        let mut whole = model(id, params);
        whole.fit(&data, settings, &mut |_| true).unwrap();
        let mut kept = Vec::new();
        let mut stopped = model(id, params);
        let untrained = stopped.save().unwrap();
        let last = if id == XGBOOST { 11 } else { 66 };
        let result = stopped.fit_resumable(
            &data,
            settings,
            &mut |step| step.epoch < last,
            None,
            Some(&mut kept),
        );
        assert_eq!(result.unwrap_err().status(), Status::Cancelled);
        assert_eq!(stopped.save().unwrap(), untrained, "{id} as before");
        let state = kept.last().expect("a state").clone();
        let mut first = 0;
        let mut tell = |step: &xbench_plugin::FitStep| {
            first = if first == 0 { step.epoch } else { first };
            true
        };
        stopped
            .fit_resumable(&data, settings, &mut tell, Some(&state), None)
            .unwrap();
        assert!(first > 1, "it went on");
        assert_eq!(
            stopped.save().unwrap(),
            whole.save().unwrap(),
            "{id} {params}"
        );

        let other = settings.replace("\"seed\": 4", "\"seed\": 5");
        for (settings, state) in [
            (&other[..], &state[..]),
            (settings, &state[..40]),
            (settings, b""),
        ] {
            let refused = model(id, params)
                .fit_resumable(&data, settings, &mut |_| true, Some(state), None)
                .unwrap_err();
            assert_eq!(refused.status(), Status::InvalidArgument);
        }
    }
}

#[test]
fn the_sets_own_validation_rows_are_held_out() {
    let data = table().with_validation(60);
    for (id, settings) in [
        (
            XGBOOST,
            r#"{"rounds": 3, "validation_share": 0.5, "early_stopping_rounds": 3}"#,
        ),
        (FOREST, r#"{"n_trees": 3}"#),
    ] {
        let report = model(id, TABLE)
            .fit(&data, settings, &mut |_| true)
            .unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(
            (&report["training_rows"], &report["validation_rows"]),
            (&180.into(), &60.into())
        );
        assert!(report["validation_loss"].is_f64(), "{report}");
    }
}

#[test]
fn rows_are_independent_of_batch_and_threads() {
    for (id, params, data, settings) in trainings() {
        let mut model = model(id, params);
        model.fit(&data, settings, &mut |_| true).unwrap();
        let mut other = host(3).model(id, params).unwrap();
        other.load(&model.save().unwrap()).unwrap();
        let spec = model.spec().clone();
        let length = spec.input_len();
        let x: Vec<f32> = (0..1300 * length).map(|i| noise(i) as f32 / 50.0).collect();
        let shape = |n: usize| [&[n][..], &spec.input_shape].concat();
        let all = other
            .predict(TensorRef::new(&shape(1300), &x).unwrap())
            .unwrap();
        for row in [0, 513, 1299] {
            let one = &x[row * length..(row + 1) * length];
            let one = model
                .predict(TensorRef::new(&shape(1), one).unwrap())
                .unwrap();
            assert_eq!(one.data(), all.row(row));
        }
        if id == FOREST {
            for row in 0..1300 {
                assert!((all.row(row).iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn unknown_settings_are_answered_with_the_known_ones() {
    for (id, data, settings, parts) in [
        (
            XGBOOST,
            table(),
            r#"{"depth": 3}"#,
            ["max_depth (default 6, 1 to 16)", "best"],
        ),
        (XGBOOST, table(), r#"{"eta": 2}"#, ["eta", "published"]),
        (
            FOREST,
            table(),
            r#"{"trees": 3}"#,
            ["n_trees (default 100", "default"],
        ),
        (
            FOREST,
            table(),
            r#"{"class_weight": "some"}"#,
            ["balanced_subsample", "default"],
        ),
    ] {
        let refused = model(id, TABLE)
            .fit(&data, settings, &mut |_| true)
            .unwrap_err();
        assert_eq!(refused.status(), Status::InvalidArgument);
        for part in parts {
            assert!(refused.message().contains(part), "{}", refused.message());
        }
    }
    for id in [XGBOOST, FOREST] {
        let refused = model(id, IMAGES)
            .fit(&table(), "{}", &mut |_| true)
            .unwrap_err();
        assert!(refused.message().contains("[5]"), "{}", refused.message());
    }
}

#[test]
fn xgboosts_files_are_read_and_written() {
    let params = r#"{"input": [4], "outputs": 3, "format": "FORMAT"}"#;
    let with = |format: &str| model(XGBOOST, &params.replace("FORMAT", format));
    let x: Vec<f32> = (0..80).map(|i| noise(i) as f32 / 30.0 - 1.5).collect();
    let x = TensorRef::new(&[20, 4], &x).unwrap();
    let mut first = with("json");
    first.load(&fixture("softprob.json")).unwrap();
    let want = first.predict(x).unwrap();
    for format in ["json", "ubj", "safetensors"] {
        let mut writer = with(format);
        writer.load(&fixture("softprob.ubj")).unwrap();
        let bytes = writer.save().unwrap();
        let mut reader = with("safetensors");
        reader.load(&bytes).unwrap();
        assert_eq!(reader.predict(x).unwrap(), want, "{format}");
    }
    let fits = |params: &str, file: &str| model(XGBOOST, params).load(&fixture(file));
    fits(r#"{"input": [4], "outputs": 2}"#, "logistic.ubj").unwrap();
    fits(r#"{"input": [4], "outputs": 1}"#, "regression.json").unwrap();
    fits(r#"{"input": [1, 2, 2], "outputs": 3}"#, "softprob.json").unwrap();
    for (params, file) in [
        (r#"{"input": [4], "outputs": 3}"#, "logistic.ubj"),
        (r#"{"input": [5], "outputs": 3}"#, "softprob.ubj"),
    ] {
        let refused = fits(params, file).unwrap_err();
        assert!(
            refused.message().contains("outputs"),
            "{}",
            refused.message()
        );
    }
}

/// A model of raw pixels sees scaled ones.
#[test]
fn inputs_can_be_scaled_for_xgboosts_files() {
    let bytes = fixture("softprob.json");
    let mut raw = model(XGBOOST, r#"{"input": [4], "outputs": 3}"#);
    raw.load(&bytes).unwrap();
    let mut scaled = model(
        XGBOOST,
        r#"{"input": [4], "outputs": 3, "input_scale": 255}"#,
    );
    scaled.load(&bytes).unwrap();
    let x: Vec<f32> = (0..80).map(|i| noise(i) as f32 / 30.0 - 1.507).collect();
    let small: Vec<f32> = x.iter().map(|x| x / 255.0).collect();
    let raw = raw.predict(TensorRef::new(&[20, 4], &x).unwrap()).unwrap();
    let scaled = scaled
        .predict(TensorRef::new(&[20, 4], &small).unwrap())
        .unwrap();
    assert_eq!(raw, scaled);
}

/// XGBoost's cuts are often values that occur, 0 to 255 of pixels: a pixel that is equal to one
/// must be so in the units of 0 to 1 as well, and find its way back into the file.
#[test]
fn pixels_equal_to_a_threshold_stay_equal() {
    let params = r#"{"input": [1], "outputs": 1, "format": "json", "input_scale": 255}"#;
    let text = String::from_utf8(fixture("stump.json")).unwrap();
    for byte in 0..=255u16 {
        let file = text.replace("\"THRESHOLD\"", &format!("{byte}E0"));
        let mut stump = model(XGBOOST, params);
        stump.load(file.as_bytes()).unwrap();
        let x = [
            f32::from(byte.saturating_sub(1)) / 255.0,
            f32::from(byte) / 255.0,
        ];
        let out = stump.predict(TensorRef::new(&[2, 1], &x).unwrap()).unwrap();
        // Left, to -1, where the pixel is smaller than the threshold; right, to 1, where it is not.
        let below = if byte == 0 { 1.0 } else { -1.0 };
        assert_eq!(out.data(), [below, 1.0], "{byte}");
        let saved: serde_json::Value = serde_json::from_slice(&stump.save().unwrap()).unwrap();
        let tree = &saved["learner"]["gradient_booster"]["model"]["trees"][0];
        assert_eq!(tree["split_conditions"][0].as_f64(), Some(f64::from(byte)));
    }
}

/// Weights may come from anywhere: whatever they are, an error and the model as before.
#[test]
fn damaged_weights_are_refused() {
    for (id, params, data, settings) in trainings() {
        let mut model = model(id, params);
        model.fit(&data, settings, &mut |_| true).unwrap();
        let good = model.save().unwrap();
        let other = if id == XGBOOST { FOREST } else { XGBOOST };
        let mut stranger = self::model(other, params);
        let quick = if other == XGBOOST {
            r#"{"rounds": 2}"#
        } else {
            r#"{"n_trees": 2}"#
        };
        stranger.fit(&data, quick, &mut |_| true).unwrap();
        let mut nan = good.clone();
        let end = nan.len();
        nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        for (what, bytes) in [
            ("empty", Vec::new()),
            ("text", b"not weights at all".to_vec()),
            ("brace", b"{".to_vec()),
            ("object", b"{}".to_vec()),
            ("cut", good[..good.len() - 1].to_vec()),
            ("longer", [&good[..], &[0; 4]].concat()),
            ("cut model", fixture("softprob.ubj")[..5000].to_vec()),
            ("cut text", fixture("softprob.json")[..5000].to_vec()),
            ("another's", stranger.save().unwrap()),
        ] {
            let refused = model.load(&bytes).unwrap_err();
            assert_eq!(refused.status(), Status::InvalidArgument, "{what}");
            assert_eq!(model.save().unwrap(), good, "{what}");
        }
    }
}

#[test]
fn shipped_weights_load_and_save_to_the_same_bytes() {
    for (id, params, file) in [
        (XGBOOST, "{}", "fashion-mnist/xgboost-published"),
        (XGBOOST, "{}", "fashion-mnist/xgboost-best"),
        (FOREST, "{}", "fetal-health/random-forest-published"),
    ] {
        let folder = env!("CARGO_MANIFEST_DIR");
        let bytes = std::fs::read(format!("{folder}/weights/{file}.safetensors"));
        let bytes = bytes.expect("shipped weights");
        let mut model = model(id, params);
        model.load(&bytes).unwrap();
        assert_eq!(model.save().unwrap(), bytes, "{file}");
        assert!(model.trees().unwrap().roots.len() >= 100);
    }
}
