//! Models exported from PyTorch, against onnxruntime and autograd (`fixtures/make.py`).

mod common;

use common::{Fixture, NAMES};
use xbench_plugin::{OutputKind, TensorRef, Wrt};

/// Largest difference, over the largest expected value where that is above 1.
fn deviation(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0_f32, f32::max) / scale
}

/// Largest difference over the largest expected value.
fn relative(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-12_f32, |m, v| m.max(v.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0_f32, f32::max) / scale
}

#[test]
fn outputs_are_those_of_onnxruntime() {
    for name in NAMES {
        let fixture = Fixture::new(name);
        let (shape, x) = fixture.pictures();
        let outputs = fixture
            .model()
            .predict(TensorRef::new(&shape, &x).unwrap())
            .unwrap();
        let worst = deviation(outputs.data(), &fixture.numbers("outputs"));
        assert!(worst < 1e-5, "{name}: {worst}");
    }
}

#[test]
fn activations_are_those_of_onnxruntime() {
    for name in NAMES {
        let fixture = Fixture::new(name);
        let (shape, x) = fixture.pictures();
        let layer = fixture.text("layer");
        let value = fixture
            .model()
            .activation(TensorRef::new(&shape, &x).unwrap(), &layer)
            .unwrap();
        let (found, expected) = fixture.sampled("activation", value.data());
        let worst = deviation(&found, &expected);
        assert!(worst < 1e-5, "{name}, {layer}: {worst}");
    }
}

#[test]
fn gradients_are_those_of_autograd() {
    for name in NAMES {
        let fixture = Fixture::new(name);
        let (shape, x) = fixture.pictures();
        let x = TensorRef::new(&shape, &x).unwrap();
        let dy = fixture.numbers("dy");
        let dy_shape = [shape[0], dy.len() / shape[0]];
        let dy = TensorRef::new(&dy_shape, &dy).unwrap();
        let model = fixture.model();
        let layer = fixture.text("layer");
        for (wrt, what) in [
            (Wrt::Input, "gradient"),
            (Wrt::Layer(&layer), "layer_gradient"),
        ] {
            let back = model.vjp(x, dy, wrt, true).unwrap();
            let (found, expected) = fixture.sampled(what, back.gradient.data());
            let worst = relative(&found, &expected);
            assert!(worst < 1e-4, "{name}, {what}: {worst}");
            if let Wrt::Layer(_) = wrt {
                let value = back.activation.unwrap();
                let (found, expected) = fixture.sampled("activation", value.data());
                assert!(deviation(&found, &expected) < 1e-5, "{name}: value");
            }
        }
    }
}

#[test]
fn rows_are_independent_of_batch_and_threads() {
    for name in NAMES {
        let fixture = Fixture::new(name);
        let (shape, x) = fixture.pictures();
        let x = TensorRef::new(&shape, &x).unwrap();
        let one = fixture.model().predict(x).unwrap();
        let three = fixture.model_with(3).predict(x).unwrap();
        assert_eq!(one, three, "{name}");
        let layer = fixture.text("layer");
        let value = fixture.model().activation(x, &layer).unwrap();
        let dy = TensorRef::new(one.shape(), one.data()).unwrap();
        let gradient = fixture
            .model()
            .vjp(x, dy, Wrt::Input, false)
            .unwrap()
            .gradient;
        let row_shape = [&[1], &shape[1..]].concat();
        for row in 0..shape[0] {
            let alone = TensorRef::new(&row_shape, x.row(row)).unwrap();
            let model = fixture.model();
            assert_eq!(model.predict(alone).unwrap().data(), one.row(row));
            assert_eq!(
                model.activation(alone, &layer).unwrap().data(),
                value.row(row)
            );
            let dy_shape = [1, one.shape()[1]];
            let dy = TensorRef::new(&dy_shape, one.row(row)).unwrap();
            let back = model.vjp(alone, dy, Wrt::Input, false).unwrap();
            assert_eq!(back.gradient.data(), gradient.row(row));
        }
    }
}

#[test]
fn every_layer_has_a_value_and_a_gradient() {
    for name in NAMES {
        let fixture = Fixture::new(name);
        let (shape, x) = fixture.pictures();
        let x = TensorRef::new(&shape, &x).unwrap();
        let dy = fixture.numbers("dy");
        let dy_shape = [shape[0], dy.len() / shape[0]];
        let dy = TensorRef::new(&dy_shape, &dy).unwrap();
        let model = fixture.model();
        let layers = model.layers().unwrap();
        assert!(layers.len() > 5, "{name}");
        for layer in layers {
            let value = model.activation(x, &layer.name).unwrap();
            assert_eq!(
                value.shape()[1..],
                layer.shape[..],
                "{name}, {}",
                layer.name
            );
            let back = model.vjp(x, dy, Wrt::Layer(&layer.name), true).unwrap();
            assert!(
                relative(back.activation.unwrap().data(), value.data()) < 1e-5,
                "{name}, {}",
                layer.name
            );
        }
    }
}

#[test]
fn layers_speak_the_words_of_the_other_models() {
    let ops = |name: &str| -> Vec<String> {
        let layers = Fixture::new(name).model().layers().unwrap();
        layers.into_iter().map(|layer| layer.op).collect()
    };
    let lenet = ops("lenet");
    for op in ["conv2d", "tanh", "avg_pool2d", "linear"] {
        assert!(lenet.iter().any(|found| found == op), "{lenet:?}");
    }
    let vit = ops("vit");
    for op in ["layer_normalization", "softmax", "linear", "mat_mul"] {
        assert!(vit.iter().any(|found| found == op), "{vit:?}");
    }
}

#[test]
fn a_softmax_at_the_end_is_left_out_unless_wanted() {
    let fixture = Fixture::new("cnn-gap");
    let (shape, x) = fixture.pictures();
    let x = TensorRef::new(&shape, &x).unwrap();
    let wanted = fixture.model();
    assert_eq!(wanted.spec().output_kind, OutputKind::Probabilities);
    let probabilities = wanted.predict(x).unwrap();
    for output in ["auto", "logits"] {
        let model = fixture.changed("output", output.into());
        assert_eq!(model.spec().output_kind, OutputKind::Logits);
        let logits = model.predict(x).unwrap();
        for row in 0..shape[0] {
            let sum: f32 = logits.row(row).iter().map(|v| v.exp()).sum();
            for (p, v) in probabilities.row(row).iter().zip(logits.row(row)) {
                assert!((p - v.exp() / sum).abs() < 1e-6);
            }
        }
    }
}
