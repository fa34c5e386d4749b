//! The plugins through their exported entry, with the weights that are shipped.

use xbench_models_neural::plugin::xbench_entry_v1;
use xbench_plugin::testing::{CallOptions, TestData, TestHost, TestModel};
use xbench_plugin::{Randomise, Status, TensorRef, Wrt};

const IDS: [&str; 2] = ["org.xbench.cnn-gap", "org.xbench.lenet"];

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
fn two_models_are_exported_with_their_schema() {
    assert_eq!(host().ids().unwrap(), IDS);
    for id in IDS {
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
    for id in IDS {
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
    for id in IDS {
        for preset in ["published", "best"] {
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
    for id in IDS {
        let good = shipped(id, "best");
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
        let other = IDS.into_iter().find(|other| *other != id).unwrap();
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
            ("another model's", shipped(other, "best")),
        ] {
            let refused = model.load(&bytes).unwrap_err();
            assert_eq!(refused.status(), Status::InvalidArgument, "{what}");
            assert_eq!(model.fingerprint().unwrap(), fingerprint, "{what}");
        }
    }
}

#[test]
fn rows_are_independent_of_batch_and_threads() {
    for id in IDS {
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
            model.load(&shipped(id, "best")).unwrap();
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
fn linear_head_gives_the_logits() {
    let mut model = model(IDS[0]);
    model.load(&shipped(IDS[0], "best")).unwrap();
    let x = images(3);
    let x = TensorRef::new(&[3, 1, 28, 28], &x).unwrap();
    let (layer, head) = model.linear().unwrap();
    assert_eq!(layer, "conv3");
    let features = model.activation(x, &layer).unwrap();
    assert_eq!(features.shape(), [3, 64, 3, 3]);
    let logits = model.predict(x).unwrap();
    let bias = head.bias.unwrap();
    for row in 0..3 {
        for (class, bias) in bias.iter().enumerate() {
            let mut sum = f64::from(*bias);
            for k in 0..64 {
                let map = &features.row(row)[k * 9..(k + 1) * 9];
                let mean = map.iter().map(|v| f64::from(*v)).sum::<f64>() / 9.0;
                sum += mean * f64::from(head.weight.row(class)[k]);
            }
            assert!((sum - f64::from(logits.row(row)[class])).abs() < 1e-3);
        }
    }
}

#[test]
fn gradients_come_with_the_activation_they_belong_to() {
    for id in IDS {
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
    for id in IDS {
        let mut model = model(id);
        model.load(&shipped(id, "best")).unwrap();
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

/// Two classes that differ in brightness are learned; the same seed gives the same weights on
/// any number of threads; cancelling leaves the weights alone.
#[test]
fn training_learns_reproducibly_and_can_be_cancelled() {
    let n = 160;
    let labels: Vec<i64> = (0..n).map(|i| i % 2).collect();
    let pixels: Vec<u8> = (0..n as usize * 784)
        .map(|i| ((i * 7919 % 100) + (i / 784 % 2) * 120) as u8)
        .collect();
    let data = TestData::new(&[1, 28, 28], 10, pixels, labels).unwrap();
    let settings = r#"{"preset": "published", "epochs": 4, "batch_size": 40, "seed": 3,
        "validation_images": 16}"#;
    for id in IDS {
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
                .fit(&data, settings, &mut |step| {
                    if step.epoch_done {
                        epochs.push((step.loss, step.validation_accuracy));
                    } else {
                        assert!(step.validation_loss.is_nan());
                    }
                    true
                })
                .unwrap();
            assert_eq!(epochs.len(), 4);
            assert!(epochs[3].0 < epochs[0].0, "{epochs:?}");
            let report: serde_json::Value = serde_json::from_str(&report).unwrap();
            assert_eq!(report["training_images"], 144);
            assert_eq!(report["recipe"]["seed"], 3);
            fingerprints.push(model.fingerprint().unwrap());
            assert_ne!(fingerprints[0], untrained);

            let before = model.fingerprint().unwrap();
            let stopped = model
                .fit(&data, settings, &mut |step| step.batch < 2)
                .unwrap_err();
            assert_eq!(stopped.status(), Status::Cancelled);
            assert_eq!(model.fingerprint().unwrap(), before);
        }
        assert_eq!(fingerprints[0], fingerprints[1]);
    }
    let wrong = model(IDS[0])
        .fit(&data, r#"{"preset": "worst"}"#, &mut |_| true)
        .unwrap_err();
    assert!(wrong.message().contains("worst"), "{}", wrong.message());
}
