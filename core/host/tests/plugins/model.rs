//! The healthy model: right numbers, parameters out and in, training.

use serde_json::json;
use xbench_host::{CallSettings, FitStep, Library, PluginErrorKind, Randomise, RowSource, Wrt};

use crate::Test;
use crate::support::{fixture, linear, numbers, settings};

pub(crate) const TESTS: &[Test] = &[
    ("the_model_computes_and_is_described", computes),
    ("gradients_agree_with_finite_differences", gradients),
    ("parameters_are_randomised_and_restored", parameters),
    ("weights_go_out_and_in", weights),
    ("fit_reads_rows_and_can_be_stopped", fit),
    ("bad_parameters_get_an_answer", bad_parameters),
];

fn computes() {
    let library = Library::open(&fixture()).expect("the fixture");
    let model = linear(&library);
    assert_eq!(model.spec().input_shape, [1, 2, 2]);
    assert_eq!((model.spec().outputs, model.layers().len()), (3, 1));
    let outputs = model
        .predict(&settings(), &numbers(12), 3)
        .expect("predict");
    // Weights and bias as the model saves them; the product computed here.
    let saved = model.save(&settings()).expect("save");
    let values: Vec<f32> = saved
        .chunks_exact(4)
        .map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]))
        .collect();
    for (row, x) in numbers(12).chunks_exact(4).enumerate() {
        for k in 0..3 {
            let expected: f32 =
                (0..4).map(|p| values[4 * k + p] * x[p]).sum::<f32>() + values[12 + k];
            assert!((outputs[3 * row + k] - expected).abs() < 1e-6);
        }
    }
    assert!(
        model
            .predict(&settings(), &[], 0)
            .expect("no rows")
            .is_empty()
    );
}

fn gradients() {
    let library = Library::open(&fixture()).expect("the fixture");
    let model = linear(&library);
    let (x, dy) = (numbers(8), numbers(6));
    let pulled = model
        .vjp(&settings(), &x, 2, &dy, Wrt::Layer("pixels"), true)
        .expect("vjp");
    assert_eq!(pulled.gradient.shape(), [2, 1, 2, 2]);
    let activation = pulled.activation.expect("asked for");
    assert_eq!(&activation[..], &x[..]);
    let objective = |x: &[f32]| -> f32 {
        let y = model.predict(&settings(), x, 2).expect("predict");
        y.iter().zip(&dy).map(|(y, dy)| y * dy).sum()
    };
    for i in 0..8 {
        let (mut up, mut down) = (x.clone(), x.clone());
        up[i] += 0.5;
        down[i] -= 0.5;
        assert!((pulled.gradient[i] - (objective(&up) - objective(&down))).abs() < 1e-5);
    }
    let none = model
        .vjp(&settings(), &[], 0, &[], Wrt::Input, true)
        .expect("no rows");
    assert_eq!(none.gradient.shape(), [0, 1, 2, 2]);
    let layer = model
        .activation(&settings(), &x, 2, "pixels")
        .expect("activation");
    assert_eq!(&layer[..], &x[..]);
}

fn parameters() {
    let library = Library::open(&fixture()).expect("the fixture");
    let mut model = linear(&library);
    assert_eq!(model.parameter_layers(), ["head"]);
    let before = model.fingerprint(&settings()).expect("fingerprint");
    let seeded = CallSettings {
        seed: 99,
        ..settings()
    };
    model
        .randomise(&seeded, Randomise::Cascade, "head")
        .expect("randomise");
    assert_ne!(model.fingerprint(&settings()).expect("fingerprint"), before);
    model.restore(&settings()).expect("restore");
    assert_eq!(model.fingerprint(&settings()).expect("fingerprint"), before);
}

fn weights() {
    let library = Library::open(&fixture()).expect("the fixture");
    let model = linear(&library);
    let bytes = model.save(&settings()).expect("save");
    assert_eq!(model.weights_format().expect("a format"), "f32-le");
    let params = r#"{"input": [1, 2, 2], "classes": 3, "seed": 8}"#;
    let mut other = library
        .create_model("org.xbench.fixture.linear", params, &settings())
        .expect("another");
    assert_ne!(other.save(&settings()).expect("save"), bytes);
    other.load(&settings(), &bytes).expect("load");
    assert_eq!(other.save(&settings()).expect("save"), bytes);
    let error = other
        .load(&settings(), &bytes[1..])
        .expect_err("a byte is missing");
    assert!(error.message.contains("59 bytes"), "{error}");
}

/// Two classes: dark and bright.
pub(crate) struct DarkAndBright;

impl RowSource for DarkAndBright {
    fn num_rows(&self) -> usize {
        600
    }
    fn input_shape(&self) -> &[usize] {
        &[1, 2, 2]
    }
    fn num_classes(&self) -> usize {
        2
    }
    fn is_images(&self) -> bool {
        true
    }
    fn label(&self, row: usize) -> i64 {
        i64::from(row % 2 == 1)
    }
    fn pixels(&self, row: usize, to: &mut [u8]) -> Result<(), String> {
        to.fill(if row % 2 == 1 { 204 } else { 51 });
        Ok(())
    }
    fn values(&self, row: usize, to: &mut [f32]) -> Result<(), String> {
        to.fill(if row % 2 == 1 { 0.8 } else { 0.2 });
        Ok(())
    }
}

fn fit() {
    let library = Library::open(&fixture()).expect("the fixture");
    let params = r#"{"input": [1, 2, 2], "classes": 2}"#;
    let mut model = library
        .create_model("org.xbench.fixture.linear", params, &settings())
        .expect("a model");
    let training = json!({"preset": "means"});
    let mut steps = Vec::new();
    let report = model
        .fit(
            &settings(),
            &DarkAndBright,
            &training,
            &mut |step: &FitStep| {
                steps.push((
                    step.epoch_done,
                    step.batch,
                    step.batches,
                    step.validation_loss,
                ));
                true
            },
        )
        .expect("fit");
    assert_eq!(report["images"], 600);
    let expected = [(false, 1), (false, 2), (false, 3), (true, 3)];
    assert_eq!(steps, expected.map(|(done, batch)| (done, batch, 3, None)));
    // Class means 0.2 and 0.8: the outputs are 0.8 x - 0.08 and 3.2 x - 1.28 for grey x.
    let outputs = model.predict(&settings(), &[0.5; 4], 1).expect("predict");
    assert!(
        (outputs[0] - 0.32).abs() < 1e-6 && (outputs[1] - 0.32).abs() < 1e-6,
        "{outputs:?}"
    );

    let error = model
        .fit(
            &settings(),
            &DarkAndBright,
            &training,
            &mut |step: &FitStep| step.batch < 2,
        )
        .expect_err("stopped");
    assert_eq!(error.kind, PluginErrorKind::Cancelled, "{error}");
}

fn bad_parameters() {
    let library = Library::open(&fixture()).expect("the fixture");
    for params in [r#"{"classes": 0}"#, r#"{"class": 3}"#, "[]", "{"] {
        let error = library
            .create_model("org.xbench.fixture.linear", params, &settings())
            .expect_err("bad parameters");
        assert!(error.message.starts_with("create: "), "{error}");
    }
}
