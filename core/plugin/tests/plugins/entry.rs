//! Rust plugins, driven through the C entry that `export!` makes.

use std::ffi::{CStr, c_char};
use std::time::Duration;

use crate::support::{Liar, WEIGHT};
use crate::xbench_entry_v1;
use xbench_plugin::testing::{CallOptions, TestData, TestHost, TestModel};
use xbench_plugin::{
    LayerSpec, ModelSpec, OutputKind, Randomise, Status, TensorRef, Wrt, capability, test_model,
};

const X: [f32; 8] = [0.5, -1.0, 2.0, 0.25, 1.0, 3.0, -0.5, 0.125];

fn host() -> TestHost {
    TestHost::new(&xbench_entry_v1).expect("our own entry")
}

fn toy() -> TestModel {
    host().model("org.example.toy", "{}").expect("defaults")
}

fn x() -> TensorRef<'static> {
    TensorRef::new(&[2, 1, 2, 2], &X).expect("fits")
}

/// `W x` of row `n`, in the order of the model's own sum.
fn logit(n: usize, k: usize) -> f32 {
    (0..4).map(|i| WEIGHT[4 * k + i] * X[4 * n + i]).sum()
}

fn strings(mut list: *const *const c_char) -> Vec<&'static str> {
    let mut all = Vec::new();
    // SAFETY: lists of a descriptor are constants and end in NULL.
    unsafe {
        while !(*list).is_null() {
            all.push(CStr::from_ptr(*list).to_str().expect("UTF-8"));
            list = list.add(1);
        }
    }
    all
}

#[test]
fn descriptors_are_constant_data() {
    let host = host();
    assert_eq!(
        host.ids().expect("all have ids"),
        [
            "org.example.toy",
            "org.example.input-x-gradient",
            "org.example.oracle",
            "org.example.faulty",
            "org.example.liar",
            "org.example.surrogate"
        ]
    );
    let toy = host.descriptor("org.example.toy").expect("known");
    assert_eq!((toy.kind, toy.max_batch), (xbench_abi::XB_MODEL, 64));
    assert_eq!(toy.flags, xbench_abi::XB_ANY_THREAD);
    assert_eq!(
        strings(toy.provides),
        [
            "xbench.model.predict/1",
            "xbench.model.layers/1",
            "xbench.model.vjp/1",
            "xbench.model.linear/1",
            "xbench.model.parameters/1",
            "xbench.model.weights/1",
            "xbench.model.fit/1",
            "xbench.model.segment/1",
            "xbench.model.modified_vjp/1",
            "xbench.model.forward_from/1",
            "xbench.model.biases/1"
        ]
    );
    assert!(strings(toy.requires_model).is_empty());
    let faulty = host.descriptor("org.example.faulty").expect("known");
    assert_eq!(faulty.kind, xbench_abi::XB_EXPLAINER);
    assert_eq!(strings(faulty.provides), ["xbench.explainer.explain/1"]);
    assert_eq!(
        strings(faulty.requires_model),
        ["xbench.model.layers/1|xbench.model.vjp/1"]
    );
    let oracle = host.descriptor("org.example.oracle").expect("known");
    assert_eq!(
        oracle.flags,
        xbench_abi::XB_WANTS_MASK | xbench_abi::XB_CONTROL
    );
    let schema = host.params_schema("org.example.toy").expect("JSON");
    assert_eq!(schema["properties"]["bias"]["default"], 0.0);
    assert_eq!(
        host.descriptor("org.example.none")
            .expect_err("unknown")
            .status(),
        Status::NotFound
    );
}

#[test]
fn attributions_of_a_linear_model_sum_to_the_logit() {
    let explainer = host()
        .explainer("org.example.input-x-gradient", "{}")
        .expect("made");
    let a = explainer
        .explain(&toy(), x(), &[2, 0], &[0, 0], None)
        .expect("explained");
    assert_eq!(a.shape(), [2, 1, 2, 2]);
    assert_eq!(a.row(0).iter().sum::<f32>(), logit(0, 2));
    assert_eq!(a.row(1).iter().sum::<f32>(), logit(1, 0));
}

#[test]
fn every_capability_works_through_the_entry() {
    let mut toy = toy();
    let y = toy.predict(x()).expect("predicted");
    for (n, k) in (0..2).flat_map(|n| (0..3).map(move |k| (n, k))) {
        assert_eq!(y.row(n)[k], logit(n, k));
    }
    assert!(toy.provides(capability::VJP));
    assert!(!toy.provides(c"xbench.model.vjp/2"));

    let layers = toy.layers().expect("shown");
    assert_eq!(
        (layers[0].name.as_str(), layers[0].op.as_str()),
        ("features", "reshape")
    );
    assert_eq!(layers[0].shape, [4, 1, 1]);
    let value = toy.activation(x(), "features").expect("known layer");
    assert_eq!((value.shape(), value.data()), (&[2, 4, 1, 1][..], &X[..]));

    let dy = TensorRef::new(&[2, 3], &[0.0, 1.0, 0.0, 2.0, 0.0, 0.0]).expect("fits");
    let both = toy
        .vjp(x(), dy, Wrt::Layer("features"), true)
        .expect("known layer");
    assert_eq!(both.activation.expect("asked for").data(), X);
    assert_eq!(both.gradient.row(0), &WEIGHT[4..8]);
    assert_eq!(
        both.gradient.row(1),
        WEIGHT[..4].iter().map(|w| 2.0 * w).collect::<Vec<_>>()
    );
    let input = toy.vjp(x(), dy, Wrt::Input, true).expect("the input");
    assert_eq!(
        input
            .activation
            .expect("the SDK gives the input itself")
            .data(),
        X
    );
    assert_eq!(input.gradient.shape(), x().shape());

    let (layer, head) = toy.linear().expect("linear");
    assert_eq!(
        (layer.as_str(), head.weight.data(), head.bias),
        ("features", &WEIGHT[..], None)
    );
    let biased = host()
        .model("org.example.toy", r#"{"bias": 2}"#)
        .expect("in range");
    assert_eq!(biased.linear().expect("linear").1.bias, Some(vec![2.0; 3]));

    assert_eq!(toy.parameter_layers().expect("shown"), ["features"]);
    let before = toy.fingerprint().expect("readable");
    let saved = toy.save().expect("readable");
    toy.randomise(Randomise::Cascade, "features")
        .expect("known layer");
    assert_ne!(toy.fingerprint().expect("readable"), before);
    toy.restore().expect("restored");
    assert_eq!(toy.fingerprint().expect("readable"), before);
    toy.randomise(Randomise::Single, "features")
        .expect("known layer");
    toy.load(&saved).expect("its own bytes");
    assert_eq!(toy.predict(x()).expect("predicted"), y);
    let error = toy.load(&saved[1..]).expect_err("too short");
    assert_eq!(error.message(), "47 bytes, expected 48");
}

#[test]
fn training_reads_data_and_reports_steps() {
    let mut toy = toy();
    let pixels = vec![255, 0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 0];
    let data = TestData::new(&[1, 2, 2], 3, pixels, vec![0, 1, 2]).expect("fits");
    let mut seen = Vec::new();
    let report = toy
        .fit(&data, r#"{"preset": "best"}"#, &mut |step| {
            seen.push((step.batch, step.epoch_done, step.learning_rate));
            true
        })
        .expect("trained");
    assert_eq!(seen, [(1, false, 0.1), (2, false, 0.1), (3, true, 0.1)]);
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(
        (&report["rows"], &report["settings"]["preset"]),
        (&3.into(), &"best".into())
    );
    let y = toy.predict(x()).expect("predicted");
    assert_eq!(
        y.row(0),
        &X[..3],
        "the weights are now the first three unit vectors"
    );

    let error = toy
        .fit(&data, "{}", &mut |step| step.batch < 2)
        .expect_err("stopped");
    assert_eq!(error.status(), Status::Cancelled);
    let other = TestData::new(&[4], 3, vec![0; 4], vec![0]).expect("fits");
    let error = toy
        .fit(&other, "{}", &mut |_| true)
        .expect_err("another shape");
    assert!(error.message().contains("rows of shape [4]"), "{error}");
    let bad = TestData::new(&[1, 2, 2], 3, vec![0; 4], vec![3]).expect("fits");
    let error = toy
        .fit(&bad, "{}", &mut |_| true)
        .expect_err("label out of range");
    assert!(error.message().contains("label 3 of 3 classes"), "{error}");
}

#[test]
fn panics_become_errors() {
    let host = host();
    let error = host
        .explainer("org.example.faulty", r#"{"fault": "create"}"#)
        .expect_err("panics");
    assert_eq!(error.status(), Status::Internal);
    assert!(
        error.message().contains("create panicked: boom in create"),
        "{error}"
    );
    for (fault, text) in [("here", "boom on 2 rows"), ("thread", "boom elsewhere")] {
        let params = format!(r#"{{"fault": "{fault}"}}"#);
        let faulty = host.explainer("org.example.faulty", &params).expect("made");
        for _ in 0..2 {
            let error = faulty
                .explain(&toy(), x(), &[0, 0], &[0, 0], None)
                .expect_err("panics");
            assert_eq!(error.status(), Status::Internal);
            assert!(error.message().contains(text), "{error}");
            // The place is known where the panic happened on the calling thread.
            assert_eq!(
                error.message().contains("plugins/support.rs:"),
                fault == "here",
                "{error}"
            );
        }
    }
}

#[test]
fn a_panic_while_changing_an_object_spoils_that_object_alone() {
    let options = CallOptions {
        seed: 666,
        ..CallOptions::default()
    };
    let mut spoilt = host()
        .with_options(options)
        .model("org.example.toy", "{}")
        .expect("defaults");
    let error = spoilt
        .randomise(Randomise::Single, "features")
        .expect_err("panics");
    assert!(error.message().contains("bad seed"), "{error}");
    let error = spoilt.predict(x()).expect_err("unknown state");
    assert_eq!(error.status(), Status::Internal);
    assert!(error.message().contains("make a new one"), "{error}");
    toy().predict(x()).expect("another object");
}

#[test]
fn errors_of_the_model_reach_the_host_with_their_text() {
    let faulty = host()
        .explainer("org.example.faulty", r#"{"fault": "model"}"#)
        .expect("made");
    let error = faulty
        .explain(&toy(), x(), &[0, 0], &[0, 0], None)
        .expect_err("no such layer");
    assert_eq!(error.status(), Status::NotFound);
    assert!(
        error.message().contains("did you mean `features`?"),
        "{error}"
    );
}

#[test]
fn parameters_are_refused_with_a_reason() {
    let refused = |params: &str| {
        let error = host()
            .model("org.example.toy", params)
            .expect_err("refused");
        assert_eq!(error.status(), Status::InvalidArgument);
        error.message().to_owned()
    };
    assert!(refused(r#"{"biass": 1}"#).contains("did you mean `bias`?"));
    assert!(refused(r#"{"bias": 11}"#).contains("not within -10 to 10"));
    assert!(refused(r#"{"bias": "1"}"#).contains("expected a number"));
    let error = host()
        .model("org.example.liar", "{}")
        .expect_err("its own error");
    assert_eq!(error.status(), Status::ResourceExhausted);
    let error = host()
        .model("org.example.oracle", "{}")
        .expect_err("an explainer");
    assert!(error.message().contains("another kind"), "{error}");
}

#[test]
fn deadline_and_cancellation_are_kept() {
    let explain = |options: CallOptions| {
        let host = host().with_options(options);
        let explainer = host
            .explainer("org.example.input-x-gradient", "{}")
            .expect("made");
        explainer
            .explain(&toy(), x(), &[0, 0], &[0, 0], None)
            .expect_err("stopped")
            .status()
    };
    let late = CallOptions {
        deadline: Some(Duration::ZERO),
        ..CallOptions::default()
    };
    assert_eq!(explain(late), Status::DeadlineExceeded);
    let stop = CallOptions {
        cancel_at: Some(0.5),
        ..CallOptions::default()
    };
    assert_eq!(explain(stop), Status::Cancelled);
}

#[test]
fn batches_are_checked() {
    let host = host();
    let explainer = host
        .explainer("org.example.input-x-gradient", "{}")
        .expect("made");
    let refused = |x: TensorRef<'_>, target: &[i64]| {
        let seeds = vec![0; target.len()];
        let error = explainer
            .explain(&toy(), x, target, &seeds, None)
            .expect_err("refused");
        assert_eq!(error.status(), Status::InvalidArgument);
        error.message().to_owned()
    };
    assert!(refused(x(), &[0, 3]).contains("target 3 of row 1: the model has 3 outputs"));
    assert!(refused(x(), &[-1, 0]).contains("target -1 of row 0"));
    let wide = TensorRef::new(&[1, 1, 2, 4], &X).expect("fits");
    assert!(refused(wide, &[0]).contains("[1, 1, 2, 4]"));
    let empty = TensorRef::new(&[0, 1, 2, 2], &[]).expect("fits");
    let none = explainer
        .explain(&toy(), empty, &[], &[], None)
        .expect("nothing to do");
    assert_eq!(none.shape(), [0, 1, 2, 2]);

    let many = vec![0.0; 65 * 4];
    let many = TensorRef::new(&[65, 1, 2, 2], &many).expect("fits");
    let error = toy().predict(many).expect_err("more than it takes");
    assert!(
        error
            .message()
            .contains("65 rows in one call, this plugin takes at most 64")
    );

    let oracle = host.explainer("org.example.oracle", "{}").expect("made");
    let error = oracle
        .explain(&toy(), x(), &[0, 0], &[0, 0], None)
        .expect_err("no mask");
    assert!(
        error.message().contains("needs the ground-truth mask"),
        "{error}"
    );
    let mask = [1, 0, 0, 1, 0, 1, 1, 0];
    let a = oracle
        .explain(&toy(), x(), &[0, 0], &[0, 0], Some(&mask))
        .expect("with mask");
    assert_eq!(a.data(), mask.map(f32::from));
}

#[test]
fn a_model_of_the_test_stands_in_and_lies_are_noticed() {
    let spec = ModelSpec {
        input_shape: vec![2],
        layout: c"tabular",
        outputs: 1,
        output_kind: OutputKind::Values,
    };
    let layer = LayerSpec {
        name: "l".to_owned(),
        op: "linear".to_owned(),
        shape: vec![3],
    };
    let liar = test_model!(Liar(spec.clone(), vec![layer]), Liar: Layers).expect("made");
    assert_eq!(liar.spec(), &spec);
    let x = TensorRef::new(&[1, 2], &[1.0, 2.0]).expect("fits");
    assert_eq!(liar.predict(x).expect("zeros").data(), [0.0]);
    let error = liar
        .activation(x, "l")
        .expect_err("another shape than promised");
    assert_eq!(error.status(), Status::Internal);
    assert!(error.message().contains("rows of shape [3]"), "{error}");

    let explainer = host()
        .explainer("org.example.input-x-gradient", "{}")
        .expect("made");
    let error = explainer
        .explain(&liar, x, &[0], &[0], None)
        .expect_err("no gradients");
    assert_eq!(error.status(), Status::Unimplemented);
    assert!(error.message().contains("xbench.model.vjp/1"), "{error}");
}
