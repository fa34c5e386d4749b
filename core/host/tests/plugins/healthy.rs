//! The healthy model and explainer: right numbers, exact counts, the same whatever the cutting.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::json;
use xbench_host::{
    CallSettings, Catalog, Counts, FitStep, HostBatch, Kind, Library, LogLevel, ModelProxy,
    Monitor, Origin, PluginErrorKind, ProblemKind, ProxyOptions, Randomise, RowSource, Scanner,
    SearchPath, Wrt,
};

use crate::Test;
use crate::support::{self, config, explainer, fixture, linear, numbers, settings};

pub(crate) const TESTS: &[Test] = &[
    ("the_model_computes_and_is_described", computes),
    ("gradients_agree_with_finite_differences", gradients),
    ("explaining_counts_every_row", counts),
    ("cutting_batches_changes_nothing_but_memory", cutting),
    ("capabilities_can_be_withheld", withheld),
    ("a_shifted_proxy_is_the_model_elsewhere", shifted),
    ("parameters_are_randomised_and_restored", parameters),
    ("weights_go_out_and_in", weights),
    ("fit_reads_rows_and_can_be_stopped", fit),
    ("requests_that_cannot_be_are_refused", requests),
    (
        "discovery_scans_in_a_worker_and_checks_every_field",
        discovery,
    ),
    ("bad_parameters_get_an_answer", bad_parameters),
    ("what_a_call_costs", costs),
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
    } = proxy.reset_counts();
    assert_eq!((forward_rows, backward_rows), (5, 5));
    assert!(model_seconds > 0.0);
    assert_eq!(proxy.counts(), Counts::default());
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
struct DarkAndBright;

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

/// A plugin folder with the fixture library and this manifest.
fn plugin_folder(root: &Path, name: &str, manifest: &str) {
    let folder = root.join(name);
    std::fs::create_dir(&folder).expect("a folder");
    let library = fixture();
    let file = library.file_name().expect("a name");
    std::fs::copy(&library, folder.join(file)).expect("the library");
    std::fs::write(folder.join("xbench-plugin.toml"), manifest).expect("the manifest");
}

fn discovery() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let manifest = support::fixture_folder().join("xbench-plugin.toml");
    let honest = std::fs::read_to_string(manifest).expect("the manifest");
    let lies = [
        (
            "version",
            "0.1.0",
            "0.2.0",
            "version: the manifest says 0.2.0, the library 0.1.0",
        ),
        ("id", "fixture.nan\"", "fixture.none\"", "does not list"),
        (
            "provides",
            "    \"xbench.model.vjp/1\",\n",
            "",
            "provides: the manifest says",
        ),
        (
            "requires",
            "model.vjp/1\"]\n",
            "model.linear/1\"]\n",
            "requires_model: the manifest",
        ),
        (
            "control",
            "requires_model = [\"xbench.model.vjp/1\"]",
            "requires_model = [\"xbench.model.vjp/1\"]\ncontrol = true",
            "control: the manifest says true, the library false",
        ),
        (
            "kind",
            "kind = \"explainer\"\nprovides = [\"xbench.explainer.explain/1\"]\n\n",
            "kind = \"model\"\nprovides = [\"xbench.model.predict/1\"]\n\n",
            "kind: the manifest says model, the library explainer",
        ),
        (
            "missing",
            "[[plugin]]",
            "[[plugin]]\nid = \"org.xbench.fixture.ghost\"\nversion = \"0.1.0\"\nkind = \"explainer\"\nprovides = [\"xbench.explainer.explain/1\"]\n\n[[plugin]]",
            "holds no org.xbench.fixture.ghost",
        ),
        (
            "library",
            "xbench_fixture_misbehaving",
            "xbench_fixture_elsewhere",
            "cannot be read",
        ),
    ];
    for (name, from, to, _) in lies {
        // The comment on the first line names the library too.
        let (comment, rest) = honest.split_once('\n').expect("lines");
        let text = format!("{comment}\n{}", rest.replacen(from, to, 1));
        assert_ne!(text, honest, "{name}");
        plugin_folder(root.path(), name, &text);
    }
    plugin_folder(root.path(), "zz-honest", &honest);

    let mut search = SearchPath::new();
    search.push(Origin::Flag, root.path().to_owned());
    let mut scanner = Scanner::new(config("worker"));
    let catalog = Catalog::discover(&search, &mut |library| scanner.scan(library));
    for (name, _, _, expected) in lies {
        let problem = catalog
            .problems()
            .iter()
            .find(|problem| problem.folder.ends_with(name))
            .expect("each lie is found");
        assert_eq!(problem.kind, ProblemKind::Refused);
        assert!(
            problem.message.contains(expected),
            "{name}: {}",
            problem.message
        );
    }
    assert_eq!(catalog.problems().len(), lies.len());
    let linear = catalog
        .find(Kind::Model, "linear")
        .expect("the honest folder");
    assert!(linear.folder.ends_with("zz-honest"));
    assert_eq!(linear.presets, ["means"]);
    assert_eq!(linear.library_sha256.len(), 64);
    let checked = linear
        .check_params(&json!({"classes": 3}))
        .expect("good parameters");
    assert_eq!(
        checked,
        json!({"input": [1, 28, 28], "classes": 3, "seed": 0})
    );
    let error = linear
        .check_params(&json!({"clases": 3}))
        .expect_err("a slip");
    assert_eq!(error.suggestion.as_deref(), Some("classes"));
    let gradient = catalog
        .find(Kind::Explainer, "gradient")
        .expect("the explainer");
    assert!(gradient.missing_from(linear).is_empty());
    let nan = catalog
        .find(Kind::Model, "nan-model")
        .expect("the other model");
    assert_eq!(gradient.missing_from(nan), ["xbench.model.vjp/1"]);
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
