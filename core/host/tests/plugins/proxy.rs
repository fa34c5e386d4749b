//! The healthy explainer through the proxy: exact counts, the same whatever the cutting.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::json;
use xbench_host::{
    CallSettings, Counts, FitStep, HostBatch, Library, LogLevel, ModelProxy, Monitor,
    PluginErrorKind, ProxyOptions, Wrt,
};

use crate::Test;
use crate::model::DarkAndBright;
use crate::support::{explainer, fixture, linear, numbers, settings};

pub(crate) const TESTS: &[Test] = &[
    ("explaining_counts_every_row", counts),
    ("cutting_batches_changes_nothing_but_memory", cutting),
    ("capabilities_can_be_withheld", withheld),
    ("a_shifted_proxy_is_the_model_elsewhere", shifted),
    ("requests_that_cannot_be_are_refused", requests),
    ("what_a_call_costs", costs),
];

/// Explains `rows` rows; returns the attribution.
fn explain(proxy: &ModelProxy<'_>, library: &Library, rows: usize, max_rows: usize) -> Vec<f32> {
    let x = numbers(4 * rows);
    let target: Vec<i64> = (0..rows as i64).map(|row| row % 3).collect();
    let seed: Vec<u64> = (0..rows as u64).collect();
    let shape = [rows, 1, 2, 2];
    let batch = HostBatch {
        x: &x,
        shape: &shape,
        target: &target,
        seed: &seed,
        mask: None,
        background: None,
    };
    let mut attribution = vec![0.0; x.len()];
    let settings = CallSettings {
        max_rows,
        ..settings()
    };
    explainer(library, "gradient")
        .explain(&settings, proxy, &batch, &mut attribution)
        .expect("explain");
    attribution
}

fn counts() {
    let library = Library::open(&fixture()).expect("the fixture");
    let model = linear(&library);
    let proxy = ModelProxy::new(&model, &ProxyOptions::default());
    let attribution = explain(&proxy, &library, 5, 0);
    let Counts {
        forward_rows,
        backward_rows,
        model_seconds,
    } = proxy.counts();
    assert_eq!((forward_rows, backward_rows), (5, 5));
    assert!(model_seconds > 0.0);
    // The gradient of output k is row k of the weights.
    let saved = model.save(&settings()).expect("save");
    let weight = |i: usize| f32::from_le_bytes(saved[4 * i..4 * i + 4].try_into().expect("4"));
    for (i, value) in attribution.iter().enumerate() {
        assert_eq!(*value, weight(4 * (i / 4 % 3) + i % 4));
    }
}

fn cutting() {
    let library = Library::open(&fixture()).expect("the fixture");
    let model = linear(&library);
    let whole = explain(
        &ModelProxy::new(&model, &ProxyOptions::default()),
        &library,
        7,
        0,
    );
    for max_rows in [1, 2, 3, 6, 7, 100] {
        let options = ProxyOptions {
            max_rows,
            ..ProxyOptions::default()
        };
        let proxy = ModelProxy::new(&model, &options);
        assert_eq!(
            explain(&proxy, &library, 7, 0),
            whole,
            "model cut to {max_rows}"
        );
        assert_eq!(
            explain(&proxy, &library, 7, max_rows),
            whole,
            "both cut to {max_rows}"
        );
        let counts = proxy.counts();
        assert_eq!((counts.forward_rows, counts.backward_rows), (14, 14));
    }
    let cut = CallSettings {
        max_rows: 2,
        ..settings()
    };
    let x = numbers(28);
    let dy = numbers(21);
    assert_eq!(
        model.predict(&cut, &x, 7).expect("predict"),
        model.predict(&settings(), &x, 7).expect("predict")
    );
    let joined = model.vjp(&cut, &x, 7, &dy, Wrt::Input, true).expect("vjp");
    let single = model
        .vjp(&settings(), &x, 7, &dy, Wrt::Input, true)
        .expect("vjp");
    assert_eq!(joined.gradient.shape(), [7, 1, 2, 2]);
    assert_eq!(&joined.gradient[..], &single.gradient[..]);
    assert_eq!(
        &joined.activation.expect("asked")[..],
        &single.activation.expect("asked")[..]
    );
}

fn withheld() {
    let library = Library::open(&fixture()).expect("the fixture");
    let model = linear(&library);
    let granted = Some(vec!["xbench.model.predict/1".to_owned()]);
    let proxy = ModelProxy::new(
        &model,
        &ProxyOptions {
            granted,
            ..ProxyOptions::default()
        },
    );
    let mut attribution = [0.0; 4];
    let x = numbers(4);
    let batch = HostBatch {
        x: &x,
        shape: &[1, 1, 2, 2],
        target: &[0],
        seed: &[0],
        mask: None,
        background: None,
    };
    let error = explainer(&library, "gradient")
        .explain(&settings(), &proxy, &batch, &mut attribution)
        .expect_err("no gradients");
    assert_eq!(error.status(), "unsupported", "{error}");
    assert_eq!(proxy.counts().forward_rows, 0);
}

fn shifted() {
    let library = Library::open(&fixture()).expect("the fixture");
    let model = linear(&library);
    let x = numbers(12);
    let answers = |shift: f32, max_rows: usize, x: &[f32]| {
        let options = ProxyOptions {
            shift,
            max_rows,
            ..ProxyOptions::default()
        };
        let proxy = ModelProxy::new(&model, &options);
        let mut maps = ["answers", "gradient"].map(|short| {
            let batch = HostBatch {
                x,
                shape: &[3, 1, 2, 2],
                target: &[0, 1, 2],
                seed: &[0, 1, 2],
                mask: None,
                background: None,
            };
            let mut map = vec![0.0; x.len()];
            explainer(&library, short)
                .explain(&settings(), &proxy, &batch, &mut map)
                .expect("explain");
            map
        });
        let counts = proxy.counts();
        assert_eq!((counts.forward_rows, counts.backward_rows), (12, 6));
        (std::mem::take(&mut maps[0]), std::mem::take(&mut maps[1]))
    };
    for shift in [-1.0, 0.375] {
        // What the model itself says of x − c.
        let back: Vec<f32> = x.iter().map(|value| value - shift).collect();
        let outputs = model.predict(&settings(), &back, 3).expect("predict");
        let layer = model
            .activation(&settings(), &back, 3, "pixels")
            .expect("activation");
        assert_ne!(outputs, model.predict(&settings(), &x, 3).expect("predict"));
        let (told, gradient) = answers(shift, 0, &x);
        for (i, row) in told.chunks_exact(4).enumerate() {
            let expected = [
                outputs[3 * i],
                outputs[3 * i + 1],
                layer[4 * i + 1],
                layer[4 * i + 2],
            ];
            assert_eq!(row, expected, "row {i} shifted by {shift}");
        }
        assert_eq!(answers(0.0, 0, &back), (told.clone(), gradient.clone()));
        assert_eq!(answers(shift, 2, &x), (told, gradient));
    }
    let plain = ModelProxy::new(&model, &ProxyOptions::default());
    assert_eq!(explain(&plain, &library, 3, 0), answers(0.0, 0, &x).1);
}

fn requests() {
    let library = Library::open(&fixture()).expect("the fixture");
    let model = linear(&library);
    let request = |error: xbench_host::PluginError| {
        assert_eq!(error.kind, PluginErrorKind::Request, "{error}");
    };
    request(
        model
            .predict(&settings(), &numbers(5), 1)
            .expect_err("5 numbers"),
    );
    request(
        model
            .activation(&settings(), &numbers(4), 1, "no such layer")
            .expect_err("no layer"),
    );
    request(
        library
            .create_model("org.xbench.fixture.none", "{}", &settings())
            .expect_err("no model"),
    );
    request(
        library
            .create_model("org.xbench.fixture.gradient", "{}", &settings())
            .expect_err("an explainer"),
    );
    let linear = model.linear(&settings()).expect_err("no linear head");
    assert_eq!(linear.status(), "unsupported");
    let proxy = ModelProxy::new(&model, &ProxyOptions::default());
    let gradient = explainer(&library, "gradient");
    let x = numbers(4);
    let good = HostBatch {
        x: &x,
        shape: &[1, 1, 2, 2],
        target: &[0],
        seed: &[0],
        mask: None,
        background: None,
    };
    let mut out = [0.0; 4];
    for bad in [
        HostBatch {
            shape: &[1, 2, 2],
            ..good
        },
        HostBatch {
            shape: &[2, 1, 2, 2],
            ..good
        },
        HostBatch {
            target: &[3],
            ..good
        },
        HostBatch {
            target: &[-1],
            ..good
        },
        HostBatch { seed: &[], ..good },
    ] {
        request(
            gradient
                .explain(&settings(), &proxy, &bad, &mut out)
                .expect_err("bad batch"),
        );
    }
}

/// Counts calls, to see that progress reaches a monitor.
#[derive(Default)]
struct Listener(Mutex<Vec<f64>>);

impl Monitor for Listener {
    fn log(&self, level: LogLevel, text: &str) {
        panic!("an unexpected log line at {}: {text}", level.as_str());
    }
    fn progress(&self, fraction: f64) -> bool {
        self.0.lock().expect("not poisoned").push(fraction);
        true
    }
}

/// Not an assertion on time: prints what a call through the proxy costs beside a direct one.
fn costs() {
    let library = Library::open(&fixture()).expect("the fixture");
    let model = linear(&library);
    let listener = Arc::new(Listener::default());
    let heard = CallSettings {
        monitor: Some(listener.clone()),
        ..settings()
    };
    let mut trained = linear(&library);
    let error = trained.fit(&heard, &DarkAndBright, &json!({}), &mut |_: &FitStep| true);
    assert!(
        error
            .expect_err("3 outputs, 2 classes")
            .message
            .contains("3")
    );
    assert!(listener.0.lock().expect("not poisoned").is_empty());

    let gradient = explainer(&library, "gradient");
    let proxy = ModelProxy::new(&model, &ProxyOptions::default());
    let x = numbers(4);
    let batch = HostBatch {
        x: &x,
        shape: &[1, 1, 2, 2],
        target: &[0],
        seed: &[0],
        mask: None,
        background: None,
    };
    let mut out = [0.0; 4];
    let dy = [1.0, 0.0, 0.0];
    let rounds = 20_000_u32;
    let begin = Instant::now();
    for _ in 0..rounds {
        model
            .vjp(&settings(), &x, 1, &dy, Wrt::Input, false)
            .expect("vjp");
    }
    let direct = begin.elapsed() / rounds;
    let begin = Instant::now();
    for _ in 0..rounds {
        gradient
            .explain(&settings(), &proxy, &batch, &mut out)
            .expect("explain");
    }
    let explained = begin.elapsed() / rounds;
    println!("one gradient of one row: {direct:?} directly, {explained:?} by an explainer");
    assert_eq!(proxy.counts().backward_rows, u64::from(rounds));
}
