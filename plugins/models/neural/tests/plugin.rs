//! The plugins through their exported entry, with the weights that are shipped.

use xbench_models_neural::plugin::xbench_entry_v1;
use xbench_plugin::testing::{CallOptions, TestData, TestHost, TestModel};
use xbench_plugin::{OutputKind, Randomise, Status, TensorRef, Wrt};

/// The networks, with the presets whose weights are shipped.
const NETWORKS: [(&str, &[&str]); 5] = [
    ("org.xbench.cnn-gap", &["published", "best"]),
    ("org.xbench.lenet", &["published", "best"]),
    ("org.xbench.cnn-plain", &["published"]),
    ("org.xbench.cnn-dropout", &["published", "best"]),
    ("org.xbench.hybrid-cnn", &["published", "best"]),
];
const HYBRID: &str = "org.xbench.hybrid";

fn networks() -> impl Iterator<Item = &'static str> {
    NETWORKS.into_iter().map(|(id, _)| id)
}

fn any_shipped(id: &str) -> Vec<u8> {
    let (_, presets) = NETWORKS
        .into_iter()
        .find(|(n, _)| *n == id)
        .expect("a network");
    shipped(id, presets.last().expect("a preset"))
}

fn host() -> TestHost {
    TestHost::new(&xbench_entry_v1).expect("an entry")
}

fn model(id: &str) -> TestModel {
    host().model(id, "{}").expect("a model")
}

fn shipped(id: &str, preset: &str) -> Vec<u8> {
    let short = id.rsplit('.').next().expect("a short name");
    let path = format!(
        "{}/weights/fashion-mnist/{short}-{preset}.safetensors",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).expect("shipped weights")
}

fn images(n: usize) -> Vec<f32> {
    (0..n * 784)
        .map(|i| (i * 7919 % 1000) as f32 / 1000.0)
        .collect()
}

#[test]
fn the_models_are_exported_with_their_schema() {
    let ids: Vec<&str> = networks().chain([HYBRID]).collect();
    assert_eq!(host().ids().unwrap(), ids);
    for id in ids {
        let schema = host().params_schema(id).unwrap();
        assert_eq!(
            schema["properties"]["input"]["default"],
            serde_json::json!([1, 28, 28])
        );
        assert_eq!(schema["properties"]["outputs"]["default"], 10);
    }
}

#[test]
fn impossible_shapes_are_refused_with_the_layer() {
    for id in networks().chain([HYBRID]) {
        let refused = host().model(id, r#"{"input": [1, 8, 8]}"#).unwrap_err();
        assert_eq!(refused.status(), Status::InvalidArgument);
        assert!(
            refused.message().contains("layer '"),
            "{}",
            refused.message()
        );
        assert!(
            host()
                .model(id, r#"{"input": [4096, 4096, 4096]}"#)
                .is_err()
        );
        let other = host()
            .model(id, r#"{"input": [3, 32, 40], "outputs": 4}"#)
            .unwrap();
        assert_eq!(other.spec().input_shape, [3, 32, 40]);
        assert_eq!(other.spec().outputs, 4);
    }
}

#[test]
fn shipped_weights_load_and_save_to_the_same_bytes() {
    for (id, presets) in NETWORKS {
        for &preset in presets {
            let bytes = shipped(id, preset);
            let mut model = model(id);
            model.load(&bytes).unwrap();
            assert_eq!(model.save().unwrap(), bytes, "{id} {preset}");
        }
    }
}

/// Weights may come from anywhere: whatever they are, an error and the model as before.
#[test]
fn damaged_weights_are_refused() {
    for id in networks() {
        let good = any_shipped(id);
        let mut model = model(id);
        model.load(&good).unwrap();
        let fingerprint = model.fingerprint().unwrap();
        let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
        let text = String::from_utf8(good[8..8 + header].to_vec()).unwrap();
        let with_header = |text: &str| {
            let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
            bytes.extend(text.as_bytes());
            bytes.extend(&good[8 + header..]);
            bytes
        };
        let mut nan = good.clone();
        let end = nan.len();
        nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        let mut huge = good.clone();
        huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        let other = networks()
            .find(|other| !id.starts_with("org.xbench.cnn") && *other != id)
            .unwrap_or("org.xbench.lenet");
        for (what, bytes) in [
            ("empty", Vec::new()),
            ("text", b"not weights at all".to_vec()),
            ("cut", good[..good.len() - 1].to_vec()),
            ("header alone", good[..8 + header].to_vec()),
            ("longer", [&good[..], &[0; 4]].concat()),
            ("huge header", huge),
            ("not finite", nan),
            (
                "renamed",
                with_header(&text.replacen("conv1.bias", "conv9.bias", 1)),
            ),
            ("another type", with_header(&text.replacen("F32", "I32", 1))),
            ("another model's", any_shipped(other)),
        ] {
            let refused = model.load(&bytes).unwrap_err();
            assert_eq!(refused.status(), Status::InvalidArgument, "{what}");
            assert_eq!(model.fingerprint().unwrap(), fingerprint, "{what}");
        }
    }
}

#[test]
fn rows_are_independent_of_batch_and_threads() {
    for id in networks() {
        let x = images(40);
        let shape = [40, 1, 28, 28];
        let one = model(id)
            .predict(TensorRef::new(&shape, &x).unwrap())
            .unwrap();
        let options = CallOptions {
            threads: 3,
            ..CallOptions::default()
        };
        let host = host().with_options(options);
        let mut three = host.model(id, "{}").unwrap();
        let mut same = model(id);
        for model in [&mut three, &mut same] {
            model.load(&any_shipped(id)).unwrap();
        }
        let batch = three.predict(TensorRef::new(&shape, &x).unwrap()).unwrap();
        assert_ne!(batch.data(), one.data(), "the weights were loaded");
        for row in [0, 17, 39] {
            let image = TensorRef::new(&[1, 1, 28, 28], &x[row * 784..(row + 1) * 784]).unwrap();
            assert_eq!(same.predict(image).unwrap().data(), batch.row(row));
        }
    }
}

/// CAM's premise: the logits are the head applied to the spatial mean of the feature layer.
#[test]
fn linear_heads_give_the_logits() {
    for (id, feature_layer, channels, pixels) in [
        ("org.xbench.cnn-gap", "conv3", 64, 9),
        ("org.xbench.hybrid-cnn", "conv5", 256, 1),
    ] {
        let mut model = model(id);
        model.load(&shipped(id, "best")).unwrap();
        let x = images(3);
        let x = TensorRef::new(&[3, 1, 28, 28], &x).unwrap();
        let (layer, head) = model.linear().unwrap();
        assert_eq!(layer, feature_layer);
        let features = model.activation(x, &layer).unwrap();
        assert_eq!(features.row(0).len(), channels * pixels);
        let logits = model.predict(x).unwrap();
        let bias = head.bias.unwrap();
        for row in 0..3 {
            for (class, bias) in bias.iter().enumerate() {
                let mut sum = f64::from(*bias);
                for k in 0..channels {
                    let map = &features.row(row)[k * pixels..(k + 1) * pixels];
                    let mean = map.iter().map(|v| f64::from(*v)).sum::<f64>() / pixels as f64;
                    sum += mean * f64::from(head.weight.row(class)[k]);
                }
                assert!((sum - f64::from(logits.row(row)[class])).abs() < 1e-3);
            }
        }
    }
}

#[test]
fn gradients_come_with_the_activation_they_belong_to() {
    for id in networks() {
        let model = model(id);
        let x = images(2);
        let x = TensorRef::new(&[2, 1, 28, 28], &x).unwrap();
        let dy = vec![1.0; 20];
        let dy = TensorRef::new(&[2, 10], &dy).unwrap();
        let input = model.vjp(x, dy, Wrt::Input, false).unwrap();
        assert_eq!(input.gradient.shape(), [2, 1, 28, 28]);
        assert!(input.gradient.data().iter().any(|v| *v != 0.0));
        for layer in model.layers().unwrap() {
            let back = model.vjp(x, dy, Wrt::Layer(&layer.name), true).unwrap();
            let activation = back.activation.unwrap();
            assert_eq!(activation, model.activation(x, &layer.name).unwrap());
            assert_eq!(activation.shape(), back.gradient.shape());
            assert_eq!(activation.shape()[1..], layer.shape[..]);
        }
        let unknown = model.vjp(x, dy, Wrt::Layer("conv7"), false).unwrap_err();
        assert!(unknown.message().contains("conv7"), "{}", unknown.message());
    }
}

#[test]
fn randomising_changes_what_it_says_and_can_be_undone() {
    for id in networks() {
        let mut model = model(id);
        model.load(&any_shipped(id)).unwrap();
        let before = model.fingerprint().unwrap();
        let bytes = model.save().unwrap();
        for layer in model.parameter_layers().unwrap() {
            for mode in [Randomise::Single, Randomise::Cascade] {
                model.randomise(mode, &layer).unwrap();
                let changed = model.fingerprint().unwrap();
                assert_ne!(changed, before);
                model.randomise(mode, &layer).unwrap();
                assert_eq!(model.fingerprint().unwrap(), changed, "the same seed");
            }
        }
        model.restore().unwrap();
        assert_eq!(model.fingerprint().unwrap(), before);
        assert_eq!(model.save().unwrap(), bytes);
        assert!(model.randomise(Randomise::Single, "pool1").is_err());
    }
}

/// Two classes that differ in brightness.
fn bright_and_dark(n: usize, classes: u32) -> TestData {
    let labels: Vec<i64> = (0..n as i64).map(|i| i % 2).collect();
    let pixels: Vec<u8> = (0..n * 784)
        .map(|i| ((i * 7919 % 100) + (i / 784 % 2) * 120) as u8)
        .collect();
    TestData::new(&[1, 28, 28], classes, pixels, labels).unwrap()
}

const SETTINGS: &str = r#"{"preset": "published", "epochs": 4, "batch_size": 40, "seed": 3,
    "validation_images": 16, "validation_share": 0}"#;

/// Two classes are learned; the same seed gives the same weights on any number of threads;
/// cancelling leaves the weights alone.
#[test]
fn training_learns_reproducibly_and_can_be_cancelled() {
    let data = bright_and_dark(160, 10);
    for id in networks() {
        let mut fingerprints = Vec::new();
        for threads in [1, 3] {
            let options = CallOptions {
                threads,
                ..CallOptions::default()
            };
            let mut model = host().with_options(options).model(id, "{}").unwrap();
            let untrained = model.fingerprint().unwrap();
            let mut epochs = Vec::new();
            let report = model
                .fit(&data, SETTINGS, &mut |step| {
                    if step.epoch_done {
                        epochs.push((step.loss, step.validation_accuracy));
                    } else {
                        assert!(step.validation_loss.is_nan());
                    }
                    true
                })
                .unwrap();
            assert_eq!(epochs.len(), 4);
            assert!(epochs[3].0 < epochs[0].0, "{id} {epochs:?}");
            let report: serde_json::Value = serde_json::from_str(&report).unwrap();
            assert_eq!(report["training_images"], 144);
            assert_eq!(report["recipe"]["seed"], 3);
            fingerprints.push(model.fingerprint().unwrap());
            assert_ne!(fingerprints[0], untrained);

            let before = model.fingerprint().unwrap();
            let stopped = model
                .fit(&data, SETTINGS, &mut |step| step.batch < 2)
                .unwrap_err();
            assert_eq!(stopped.status(), Status::Cancelled);
            assert_eq!(model.fingerprint().unwrap(), before);
        }
        assert_eq!(fingerprints[0], fingerprints[1]);
    }
    let wrong = model("org.xbench.lenet")
        .fit(&data, r#"{"preset": "worst"}"#, &mut |_| true)
        .unwrap_err();
    assert!(wrong.message().contains("worst"), "{}", wrong.message());
}

/// Whatever was done before the training was killed, it ends with the same weights.
#[test]
fn an_interrupted_training_ends_with_the_same_weights() {
    let data = bright_and_dark(80, 2);
    for id in networks().chain([HYBRID]) {
        let new = || host().model(id, r#"{"outputs": 2}"#).unwrap();
        let mut whole = new();
        let report = whole.fit(&data, SETTINGS, &mut |_| true).unwrap();
        let want = whole.save().unwrap();
        let mut states = Vec::new();
        let mut epochs = 0;
        let stopped = new()
            .fit_resumable(
                &data,
                SETTINGS,
                &mut |step| {
                    epochs += u32::from(step.epoch_done);
                    epochs < 3
                },
                None,
                Some(&mut states),
            )
            .unwrap_err();
        assert_eq!(stopped.status(), Status::Cancelled);
        let mut second = new();
        let again = second
            .fit_resumable(&data, SETTINGS, &mut |_| true, Some(&states[1]), None)
            .unwrap();
        assert!(second.save().unwrap() == want, "{id}");
        let (report, again): (serde_json::Value, serde_json::Value) = (
            serde_json::from_str(&report).unwrap(),
            serde_json::from_str(&again).unwrap(),
        );
        assert_eq!(report["train_loss"], again["train_loss"]);
        let before = second.fingerprint().unwrap();
        let refused = second
            .fit_resumable(&data, SETTINGS, &mut |_| true, Some(b"no state"), None)
            .unwrap_err();
        assert_eq!(refused.status(), Status::InvalidArgument);
        assert_eq!(second.fingerprint().unwrap(), before);
    }
}

#[test]
fn the_sets_own_validation_split_is_used() {
    let data = bright_and_dark(80, 2).with_validation(10);
    let settings = r#"{"preset": "published", "epochs": 1, "batch_size": 40, "seed": 3}"#;
    for id in ["org.xbench.cnn-dropout", HYBRID] {
        let mut model = host().model(id, r#"{"outputs": 2}"#).unwrap();
        let report = model.fit(&data, settings, &mut |_| true).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["training_images"], 70, "{id}");
        assert_eq!(report["validation_images"], 10, "{id}");
    }
}

#[test]
fn the_hybrid_asks_for_training_then_gives_probabilities() {
    let mut model = host().model(HYBRID, r#"{"outputs": 2}"#).unwrap();
    let x = images(4);
    let x = TensorRef::new(&[4, 1, 28, 28], &x).unwrap();
    let refused = model.predict(x).unwrap_err();
    assert!(refused.message().contains("train"), "{}", refused.message());
    assert!(model.save().is_err());
    let mut steps = Vec::new();
    let report = model
        .fit(&bright_and_dark(80, 2), SETTINGS, &mut |step| {
            assert_eq!(step.epochs, 5);
            steps.push((step.epoch, step.epoch_done));
            true
        })
        .unwrap();
    assert_eq!(steps.last(), Some(&(5, true)), "the machine comes last");
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["machine"]["c"], 10.0);
    assert_eq!(report["network"]["epochs"], 4);
    for row in 0..4 {
        let p = model.predict(x).unwrap();
        assert!((p.row(row).iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let dy = [1.0, 0.0].repeat(4);
    let dy = TensorRef::new(&[4, 2], &dy).unwrap();
    for layer in model.layers().unwrap() {
        let back = model.vjp(x, dy, Wrt::Layer(&layer.name), true).unwrap();
        assert_eq!(back.gradient.shape()[1..], layer.shape[..]);
    }
    assert!(model.vjp(x, dy, Wrt::Layer("dense"), false).is_err());
    let (layer, head) = model.linear().unwrap();
    assert_eq!(
        (layer.as_str(), head.weight.shape()),
        ("conv5", &[2, 256][..])
    );
    let before = model.fingerprint().unwrap();
    for layer in model.parameter_layers().unwrap() {
        model.randomise(Randomise::Single, &layer).unwrap();
        assert_ne!(model.fingerprint().unwrap(), before, "{layer}");
    }
    model.restore().unwrap();
    assert_eq!(model.fingerprint().unwrap(), before);
    let mut other = host().model(HYBRID, r#"{"outputs": 2}"#).unwrap();
    other.load(&model.save().unwrap()).unwrap();
    assert_eq!(other.predict(x).unwrap(), model.predict(x).unwrap());
    // The same weights, asked for decisions: of one pair, a vote and opposite fractions.
    let decisions = r#"{"outputs": 2, "output": "decisions"}"#;
    let mut decisions = host().model(HYBRID, decisions).unwrap();
    decisions.load(&model.save().unwrap()).unwrap();
    assert_eq!(decisions.spec().output_kind, OutputKind::Values);
    let scores = decisions.predict(x).unwrap();
    for row in 0..4 {
        let (a, b) = (scores.row(row)[0], scores.row(row)[1]);
        assert!(
            (a + b - 1.0).abs() < 1e-6 && (a - b).abs() >= 1.0,
            "{a} {b}"
        );
    }
    let back = decisions.vjp(x, dy, Wrt::Input, false).unwrap();
    assert!(back.gradient.data().iter().any(|slope| *slope != 0.0));
}
