//! The plugin through its exported entry, in a narrow version that is quick to train.

use xbench_models_spn::plugin::xbench_entry_v1;
use xbench_plugin::testing::{CallOptions, TestData, TestHost, TestModel};
use xbench_plugin::{Randomise, Status, TensorRef, Wrt};

const ID: &str = "org.xbench.resnet-spn";
const NARROW: &str = r#"{"input": [1, 24, 20], "outputs": 2, "width": 4}"#;
const PIXELS: usize = 24 * 20;

fn host(threads: u32) -> TestHost {
    TestHost::new(&xbench_entry_v1)
        .expect("an entry")
        .with_options(CallOptions {
            threads,
            ..CallOptions::default()
        })
}

fn model() -> TestModel {
    host(1).model(ID, NARROW).expect("a model")
}

fn images(n: usize) -> Vec<f32> {
    (0..n * PIXELS)
        .map(|i| (i * 7919 % 1000) as f32 / 1000.0)
        .collect()
}

/// Bright discs of two sizes on a dark ground: the size is the class, the disc the mask.
fn discs(n: usize) -> TestData {
    let (mut pixels, mut masks, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..n {
        let class = i % 2;
        let radius = if class == 0 { 3.0 } else { 7.0 };
        let (cx, cy) = (8.0 + (i * 7 % 5) as f64, 9.0 + (i * 5 % 7) as f64);
        for p in 0..PIXELS {
            let (x, y) = ((p % 20) as f64, (p / 20) as f64);
            let inside = (x - cx).hypot(y - cy) < radius;
            let noise = ((i * PIXELS + p) * 7919 % 40) as u8;
            pixels.push(if inside { 180 + noise } else { 20 + noise });
            masks.push(u8::from(inside));
        }
        labels.push(class as i64);
    }
    TestData::new(&[1, 24, 20], 2, pixels, labels)
        .and_then(|data| data.with_masks(masks, vec![1; n]))
        .expect("data that fit")
}

const SETTINGS: &str = r#"{"preset": "quick", "epochs": 6, "batch_size": 8, "seed": 3,
    "learning_rate": 0.01, "validation_share": 0.25, "checkpoint_every": 2}"#;

#[test]
fn the_model_is_exported_with_its_schema() {
    assert_eq!(host(1).ids().unwrap(), [ID]);
    let schema = host(1).params_schema(ID).unwrap();
    assert_eq!(schema["properties"]["depth"]["default"], 18);
    assert_eq!(schema["properties"]["outputs"]["default"], 2);
    for (bad, part) in [
        (r#"{"depth": 20}"#, "18, 34 and 50"),
        (r#"{"input": [2, 24, 20]}"#, "1 (grey) or 3 (RGB)"),
        (r#"{"input": [1, 1024, 1025]}"#, "1024"),
    ] {
        let refused = host(1).model(ID, bad).unwrap_err();
        assert_eq!(refused.status(), Status::InvalidArgument);
        assert!(refused.message().contains(part), "{}", refused.message());
    }
}

#[test]
fn layers_values_and_gradients_fit_together() {
    let model = model();
    let x = images(3);
    let x = TensorRef::new(&[3, 1, 24, 20], &x).unwrap();
    let dy = [1.0, 0.0, 0.0, 1.0, 0.5, -0.5];
    let dy = TensorRef::new(&[3, 2], &dy).unwrap();
    let names: Vec<String> = model
        .layers()
        .unwrap()
        .into_iter()
        .map(|l| l.name)
        .collect();
    assert_eq!(names[..3], ["stem", "maxpool", "layer1.0"]);
    assert_eq!(
        names[9..],
        ["layer4.1", "avgpool", "classifier.0", "classifier.2"]
    );
    for layer in model.layers().unwrap() {
        let back = model.vjp(x, dy, Wrt::Layer(&layer.name), true).unwrap();
        let value = back.activation.unwrap();
        assert_eq!(value, model.activation(x, &layer.name).unwrap());
        assert_eq!(value.shape()[1..], layer.shape[..]);
        assert_eq!(back.gradient.shape(), value.shape());
    }
    let input = model.vjp(x, dy, Wrt::Input, false).unwrap().gradient;
    assert_eq!(input.shape(), [3, 1, 24, 20]);
    assert!(input.data().iter().any(|v| *v != 0.0));
    let masks = model.segment(x).unwrap();
    assert_eq!(masks.shape(), [3, 24, 20]);
    assert!(masks.data().iter().all(|p| (0.0..=1.0).contains(p)));
    assert!(model.vjp(x, dy, Wrt::Layer("layer5.0"), false).is_err());
}

/// The input's gradient by central differences, grey and RGB.
#[test]
fn the_input_gradient_agrees_with_central_differences() {
    for channels in [1, 3] {
        let params = format!(r#"{{"input": [{channels}, 24, 20], "width": 4}}"#);
        let model = host(1).model(ID, &params).unwrap();
        let n = channels * PIXELS;
        let x: Vec<f32> = (0..n).map(|i| (i * 7919 % 997) as f32 / 997.0).collect();
        let shape = [1, channels, 24, 20];
        let dy = TensorRef::new(&[1, 2], &[1.0, -2.0]).unwrap();
        let value = |x: &[f32]| {
            let y = model.predict(TensorRef::new(&shape, x).unwrap()).unwrap();
            f64::from(y.data()[0]) - 2.0 * f64::from(y.data()[1])
        };
        let gradient = model
            .vjp(TensorRef::new(&shape, &x).unwrap(), dy, Wrt::Input, false)
            .unwrap()
            .gradient;
        let square: f64 = gradient.data().iter().map(|&g| f64::from(g).powi(2)).sum();
        let length = square.sqrt();
        let step = 2e-3;
        let moved = |sign: f64| -> Vec<f32> {
            x.iter()
                .zip(gradient.data())
                .map(|(&x, &g)| x + (sign * step * f64::from(g) / length) as f32)
                .collect()
        };
        let slope = (value(&moved(1.0)) - value(&moved(-1.0))) / (2.0 * step);
        assert!((slope - length).abs() < 0.02 * length, "{slope} {length}");
    }
}

#[test]
fn rows_are_independent_of_batch_and_threads() {
    let x = images(9);
    let one = model();
    let many = host(3).model(ID, NARROW).unwrap();
    let all = TensorRef::new(&[9, 1, 24, 20], &x).unwrap();
    let (logits, masks) = (many.predict(all).unwrap(), many.segment(all).unwrap());
    for row in [0, 4, 8] {
        let image = &x[row * PIXELS..(row + 1) * PIXELS];
        let image = TensorRef::new(&[1, 1, 24, 20], image).unwrap();
        assert_eq!(one.predict(image).unwrap().data(), logits.row(row));
        assert_eq!(one.segment(image).unwrap().data(), masks.row(row));
    }
}

#[test]
fn training_learns_class_and_mask_the_same_way_on_any_number_of_threads() {
    let data = discs(48);
    let mut fingerprints = Vec::new();
    for threads in [1, 3] {
        let mut model = host(threads).model(ID, NARROW).unwrap();
        let mut losses = Vec::new();
        let report = model
            .fit(&data, SETTINGS, &mut |step| {
                if step.epoch_done {
                    losses.push(step.loss);
                }
                true
            })
            .unwrap();
        assert_eq!(losses.len(), 6);
        assert!(losses[5] < 0.8 * losses[0], "{losses:?}");
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["training_images"], 36);
        assert_eq!(report["masked_images"], 36);
        assert_eq!(report["imagenet_weights"], false);
        assert_eq!(report["preset"], "quick");
        assert!(report["validation"]["mask_iou"].is_number());
        fingerprints.push(model.fingerprint().unwrap());
    }
    assert_eq!(fingerprints[0], fingerprints[1]);
}

#[test]
fn the_sets_own_validation_rows_are_held_out_and_masks_are_shared_out() {
    let data = discs(48).with_validation(12);
    let mut model = model();
    let settings = r#"{"epochs": 1, "batch_size": 8, "masks": 0.25}"#;
    let report = model.fit(&data, settings, &mut |_| true).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["training_images"], 36);
    assert_eq!(report["validation_images"], 12);
    // A quarter of 18 images of each class, rounded.
    assert_eq!(report["masked_images"], 10);
}

#[test]
fn the_baseline_predicts_no_masks_and_says_so() {
    let data = discs(32);
    let mut trained = model();
    let settings = r#"{"epochs": 1, "batch_size": 8, "masks": 0}"#;
    trained.fit(&data, settings, &mut |_| true).unwrap();
    let x = images(1);
    let x = TensorRef::new(&[1, 1, 24, 20], &x).unwrap();
    let bytes = trained.save().unwrap();
    let mut loaded = model();
    loaded.load(&bytes).unwrap();
    assert_eq!(
        loaded.fingerprint().unwrap(),
        trained.fingerprint().unwrap()
    );
    for model in [&trained, &loaded] {
        let refused = model.segment(x).unwrap_err();
        assert_eq!(refused.status(), Status::Unimplemented);
        assert!(refused.message().contains("masks"), "{}", refused.message());
    }
    assert_eq!(loaded.predict(x).unwrap(), trained.predict(x).unwrap());
}

#[test]
fn a_resumed_training_ends_with_the_same_bits() {
    let data = discs(40);
    let mut whole = model();
    let report = whole.fit(&data, SETTINGS, &mut |_| true).unwrap();
    let mut kept = Vec::new();
    let mut stopped = model();
    let fresh = stopped.fingerprint().unwrap();
    let refused = stopped
        .fit_resumable(&data, SETTINGS, &mut |s| s.epoch < 6, None, Some(&mut kept))
        .unwrap_err();
    assert_eq!(refused.status(), Status::Cancelled);
    assert_eq!(stopped.fingerprint().unwrap(), fresh);
    assert_eq!(kept.len(), 2);
    for state in &kept {
        let mut resumed = model();
        let again = resumed
            .fit_resumable(&data, SETTINGS, &mut |_| true, Some(state), None)
            .unwrap();
        assert_eq!(again, report);
        assert!(resumed.save().unwrap() == whole.save().unwrap());
    }
    let other = SETTINGS.replace("\"seed\": 3", "\"seed\": 4");
    let cut = &kept[0][..kept[0].len() - 9];
    for (settings, state) in [
        (&other[..], &kept[0][..]),
        (SETTINGS, cut),
        (SETTINGS, b"no"),
    ] {
        let refused = model()
            .fit_resumable(&data, settings, &mut |_| true, Some(state), None)
            .unwrap_err();
        assert_eq!(refused.status(), Status::InvalidArgument);
        assert!(
            refused.message().contains("kept state"),
            "{}",
            refused.message()
        );
    }
}

#[test]
fn data_that_do_not_fit_are_refused() {
    let unmasked = TestData::new(&[1, 24, 20], 2, vec![7; 20 * PIXELS], vec![1; 20]).unwrap();
    let other = TestData::new(&[1, 20, 24], 2, vec![7; 20 * PIXELS], vec![1; 20]).unwrap();
    let classes = TestData::new(&[1, 24, 20], 3, vec![7; 20 * PIXELS], vec![2; 20]).unwrap();
    for (data, settings, part) in [
        (&unmasked, "{}", "masks: 0"),
        (&other, "{}", "[1, 20, 24]"),
        (&classes, r#"{"masks": 0}"#, "2 classes"),
        (
            &unmasked,
            r#"{"masks": 0, "backbone": "none.safetensors"}"#,
            "none.safetensors",
        ),
        (&unmasked, r#"{"masks": 0, "validation_share": 0}"#, "last"),
    ] {
        let refused = model().fit(data, settings, &mut |_| true).unwrap_err();
        assert!(refused.message().contains(part), "{}", refused.message());
    }
}

#[test]
fn damaged_weights_are_refused() {
    let mut model = model();
    let good = model.save().unwrap();
    model.load(&good).unwrap();
    assert!(model.save().unwrap() == good);
    let fingerprint = model.fingerprint().unwrap();
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let text = String::from_utf8(good[8..8 + header].to_vec()).unwrap();
    let with_header = |from: &str, to: &str| {
        let text = text.replacen(from, to, 1);
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
    let wider = host(1).model(ID, r#"{"width": 8}"#).unwrap();
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("text", b"not weights at all".to_vec()),
        ("cut", good[..good.len() - 1].to_vec()),
        ("longer", [&good[..], &[0; 4]].concat()),
        ("huge header", huge),
        ("not finite", nan),
        ("renamed", with_header("\"bn1.bias\"", "\"bn9.bias\"")),
        ("another type", with_header("F32", "I32")),
        ("another size", wider.save().unwrap()),
    ] {
        let refused = model.load(&bytes).unwrap_err();
        assert_eq!(refused.status(), Status::InvalidArgument, "{what}");
        assert_eq!(model.fingerprint().unwrap(), fingerprint, "{what}");
    }
}

#[test]
fn randomising_changes_the_outputs_and_can_be_undone() {
    let model = model();
    let x = images(2);
    let x = TensorRef::new(&[2, 1, 24, 20], &x).unwrap();
    let (before, logits) = (model.fingerprint().unwrap(), model.predict(x).unwrap());
    let layers = model.parameter_layers().unwrap();
    assert_eq!(layers[0], "stem");
    assert_eq!(layers[8..], ["layer4.1", "classifier.0", "classifier.2"]);
    let mut model = model.with_options(CallOptions {
        seed: 9,
        ..CallOptions::default()
    });
    for layer in &layers {
        for mode in [Randomise::Single, Randomise::Cascade] {
            model.randomise(mode, layer).unwrap();
            assert_ne!(model.fingerprint().unwrap(), before, "{layer}");
            assert_ne!(model.predict(x).unwrap(), logits, "{layer}");
        }
    }
    model.restore().unwrap();
    assert_eq!(model.fingerprint().unwrap(), before);
    assert_eq!(model.predict(x).unwrap(), logits);
    assert!(model.randomise(Randomise::Single, "avgpool").is_err());
}
