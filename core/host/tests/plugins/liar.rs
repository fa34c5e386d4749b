//! A model in C that breaks the contract, one rule at a time.

use std::sync::{Arc, Mutex};

use serde_json::json;
use xbench_host::{
    CallSettings, Library, LoadedModel, LogLevel, Monitor, PluginError, PluginErrorKind, Scanner,
    Wrt,
};

use crate::Test;
use crate::support::{config, fixture_folder, liar, numbers, settings};

pub(crate) const TESTS: &[Test] = &[
    ("a_model_in_c_computes", honest),
    ("strided_results_are_read_right", strided),
    ("the_plugins_own_limit_of_rows_is_kept", own_limit),
    ("wrong_shapes_are_refused_and_nothing_leaks", wrong_shapes),
    ("results_that_are_not_results_are_refused", no_results),
    ("unwritten_outputs_are_found", unwritten),
    ("failures_without_a_text_say_so", silent),
    ("objects_that_make_no_sense_are_refused", nonsense),
    ("files_that_are_no_plugin_library_are_refused", no_library),
    (
        "a_library_that_crashes_when_mapped_stops_no_other",
        crashes_when_mapped,
    ),
];

/// Keeps log lines; the model tells how many of its results live.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Monitor for Lines {
    fn log(&self, level: LogLevel, text: &str) {
        assert_eq!(level, LogLevel::Info);
        self.0.lock().expect("not poisoned").push(text.to_owned());
    }
}

fn make(lie: &str) -> Result<LoadedModel, PluginError> {
    let library = Library::open(&liar(&[])).expect("the C model");
    let params = format!("{{\"lie\":\"{lie}\"}}");
    library.create_model("org.xbench.fixture.liar", &params, &settings())
}

fn assert_nothing_lives(model: &LoadedModel) {
    let lines = Arc::new(Lines::default());
    let heard = CallSettings {
        monitor: Some(lines.clone()),
        ..settings()
    };
    model.predict(&heard, &numbers(4), 1).expect("predict");
    assert_eq!(*lines.0.lock().expect("not poisoned"), ["live results: 0"]);
}

/// The model's gradient by hand.
fn gradient(dy: &[f32]) -> Vec<f32> {
    dy.chunks_exact(2)
        .flat_map(|dy| [dy[0] + dy[1], dy[0], dy[0], dy[0] - dy[1]])
        .collect()
}

fn honest() {
    let model = make("").expect("the honest model");
    let outputs = model.predict(&settings(), &[1., 2., 3., 4., 5., 6., 7., 9.], 2);
    assert_eq!(outputs.expect("predict"), [10., -3., 27., -4.]);
    let (x, dy) = (numbers(8), numbers(4));
    let pulled = model
        .vjp(&settings(), &x, 2, &dy, Wrt::Input, false)
        .expect("vjp");
    assert_eq!(pulled.gradient[..], gradient(&dy));
    drop(pulled);
    assert_nothing_lives(&model);
}

fn strided() {
    let model = make("strided").expect("an honest model");
    for max_rows in [0, 1, 2] {
        let cut = CallSettings {
            max_rows,
            ..settings()
        };
        let (x, dy) = (numbers(12), numbers(6));
        let pulled = model
            .vjp(&cut, &x, 3, &dy, Wrt::Layer("pixels"), true)
            .expect("vjp");
        assert_eq!(pulled.gradient[..], gradient(&dy));
        assert_eq!(pulled.activation.expect("asked for")[..], x);
    }
    assert_nothing_lives(&model);
}

fn own_limit() {
    let model = make("").expect("the honest model");
    let (x, dy) = (numbers(40), numbers(20));
    assert_eq!(
        model.predict(&settings(), &x, 10).expect("predict").len(),
        20
    );
    let pulled = model
        .vjp(&settings(), &x, 10, &dy, Wrt::Input, true)
        .expect("vjp");
    assert_eq!(pulled.gradient[..], gradient(&dy));
    assert_eq!(pulled.activation.expect("asked for")[..], x);
    assert_nothing_lives(&model);
}

fn wrong_shapes() {
    for (lie, expected) in [
        ("shape", "expected [2, 1, 2, 2], found [2, 1, 2, 1]"),
        ("rows", "expected [2, 1, 2, 2], found [3, 1, 2, 2]"),
        ("ndim", "found [2, 1, 2]"),
        ("dtype", "bits: 64"),
        ("device", "device type 2"),
        ("strides-null", "null"),
    ] {
        let model = make(lie).expect("it looks honest");
        let (x, dy) = (numbers(8), numbers(4));
        let errors = [
            model
                .activation(&settings(), &x, 2, "pixels")
                .expect_err("a wrong activation"),
            model
                .vjp(&settings(), &x, 2, &dy, Wrt::Input, true)
                .expect_err("a wrong gradient"),
        ];
        for error in errors {
            assert_eq!(error.kind, PluginErrorKind::WrongShape, "{lie}: {error}");
            assert!(error.message.contains(expected), "{lie}: {error}");
        }
        assert_nothing_lives(&model);
    }
}

fn no_results() {
    for (lie, expected) in [("null", "without a result"), ("version", "DLPack 2.")] {
        let model = make(lie).expect("it looks honest");
        let error = model
            .activation(&settings(), &numbers(4), 1, "pixels")
            .expect_err(lie);
        assert_eq!(error.kind, PluginErrorKind::Contract, "{lie}: {error}");
        assert!(error.message.contains(expected), "{lie}: {error}");
        assert_nothing_lives(&model);
    }
}

fn unwritten() {
    let model = make("unwritten").expect("it looks honest");
    let error = model
        .predict(&settings(), &numbers(8), 2)
        .expect_err("nothing written");
    assert_eq!(
        error.kind,
        PluginErrorKind::NonFinite { row: 0, count: 4 },
        "{error}"
    );
}

fn silent() {
    let error = |lie| {
        let model = make(lie).expect("it looks honest");
        model
            .predict(&settings(), &numbers(4), 1)
            .expect_err("it fails")
    };
    assert_eq!(
        error("silent").message,
        "predict: internal error, and gave no reason"
    );
    let unknown = error("status");
    assert_eq!(unknown.kind, PluginErrorKind::Failed { status: 77 });
    assert!(unknown.message.contains("unknown status 77"), "{unknown}");
}

fn nonsense() {
    for (lie, expected) in [
        (
            "undeclared",
            "declares xbench.model.vjp/1 and does not serve it",
        ),
        ("outputs", "it has 0 outputs"),
        ("table", "has only 8 bytes"),
        ("extent", "100000"),
        ("no-object", "without an object"),
        ("kind", "of kind 2, not 1 (model)"),
    ] {
        let error = make(lie).expect_err(lie);
        assert_eq!(error.kind, PluginErrorKind::Contract, "{lie}: {error}");
        assert!(error.message.contains(expected), "{lie}: {error}");
    }
}

fn no_library() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = folder.path().join("text.so");
    std::fs::write(&text, "this is no library").expect("written");
    for (path, expected) in [
        (folder.path().join("none.so"), "cannot be loaded"),
        (text, "cannot be loaded"),
        (liar(&["NO_ENTRY"]), "the symbol xbench_entry_v1 is missing"),
        (liar(&["MAJOR=2"]), "built for ABI 2; this program speaks 1"),
        (fixture_folder(), "cannot be loaded"),
    ] {
        let error = Library::open(&path).expect_err("no plugin library");
        assert!(
            error.message.contains(expected),
            "{}: {error}",
            path.display()
        );
    }
}

fn crashes_when_mapped() {
    let mut scanner = Scanner::new(config("worker"));
    let good = scanner.scan(&liar(&[])).expect("the honest library");
    assert_eq!(
        (good[0].id.as_str(), good[0].max_batch),
        ("org.xbench.fixture.liar", 3)
    );
    assert_eq!(
        good[0].params_schema["properties"]["lie"]["default"],
        json!("")
    );
    let crashed = scanner.scan(&liar(&["CRASH"])).expect_err("it aborts");
    #[cfg(unix)]
    assert_eq!(crashed, "reading its descriptors crashed: SIGABRT");
    assert_eq!(scanner.scan(&liar(&[])).expect("a new worker"), good);
    let refused = scanner.scan(&liar(&["NO_ENTRY"])).expect_err("no entry");
    assert!(
        refused.contains("missing") && !crashed.is_empty(),
        "{refused}"
    );
}
