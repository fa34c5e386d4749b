//! The example plugin in C, compiled and driven; and a Rust explainer on top of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::xbench_entry_v1;
use xbench_plugin::testing::TestHost;
use xbench_plugin::{Status, TensorRef, Wrt, capability};

const ID: &str = "org.xbench.example.linear-c";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compiles the example once, as its README says, only more strictly.
fn entry() -> &'static xbench_abi::xb_entry {
    static ENTRY: OnceLock<&'static xbench_abi::xb_entry> = OnceLock::new();
    ENTRY.get_or_init(|| {
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("liblinear_c_example.so");
        let output = Command::new(&compiler)
            .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
            .args(["-shared", "-fPIC", "-I"])
            .arg(root().join("core/abi/include"))
            .arg("-o")
            .arg(&library)
            .arg(root().join("plugins/examples/linear-c/linear.c"))
            .output()
            .unwrap_or_else(|error| {
                panic!(
                    "no C compiler: `{compiler}` cannot be started ({error}). One is needed to test \
                     plugins in C; install it or name it in $CC"
                )
            });
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // SAFETY: the library that was just made; it keeps the contract and is never unloaded.
        unsafe {
            let library = libloading::Library::new(library).expect("loads");
            let symbol = library
                .get::<*const xbench_abi::xb_entry>(xbench_abi::XB_ENTRY_SYMBOL)
                .expect("exports its entry");
            let entry = *symbol;
            std::mem::forget(library);
            &*entry
        }
    })
}

/// The example's weights, after its comment.
fn weight(k: usize, i: usize) -> f32 {
    (((7 * k + 3 * i) % 11) as f32 - 5.0) / 784.0
}

fn image(n: usize) -> Vec<f32> {
    (0..n * 784)
        .map(|i| ((i * 31 + 17) % 255) as f32 / 255.0)
        .collect()
}

#[test]
fn computes_what_it_says() {
    let host = TestHost::new(entry()).expect("version 1");
    assert_eq!(host.ids().expect("ids"), [ID]);
    assert_eq!(
        host.params_schema(ID).expect("JSON")["additionalProperties"],
        false
    );
    let model = host.model(ID, "{}").expect("made");
    assert_eq!(model.spec().input_shape, [1, 28, 28]);
    assert_eq!((model.spec().layout, model.spec().outputs), (c"nchw", 10));

    let pixels = image(3);
    let x = TensorRef::new(&[3, 1, 28, 28], &pixels).expect("fits");
    let y = model.predict(x).expect("predicted");
    for (n, k) in (0..3).flat_map(|n| (0..10).map(move |k| (n, k))) {
        let expected: f64 = x
            .row(n)
            .iter()
            .enumerate()
            .map(|(i, &x)| f64::from(weight(k, i) * x))
            .sum();
        assert!(
            (f64::from(y.row(n)[k]) - expected).abs() < 1e-5,
            "row {n} output {k}"
        );
    }
}

#[test]
fn a_rust_explainer_runs_on_it() {
    let model = TestHost::new(entry())
        .and_then(|host| host.model(ID, "{}"))
        .expect("made");
    let explainer = TestHost::new(&xbench_entry_v1)
        .and_then(|host| host.explainer("org.example.input-x-gradient", "{}"))
        .expect("made");
    let pixels = image(2);
    let x = TensorRef::new(&[2, 1, 28, 28], &pixels).expect("fits");
    let attribution = explainer
        .explain(&model, x, &[3, 9], &[0, 0], None)
        .expect("explained");
    let y = model.predict(x).expect("predicted");
    for (n, k) in [(0, 3), (1, 9)] {
        let sum: f32 = attribution.row(n).iter().sum();
        assert!((sum - y.row(n)[k]).abs() < 1e-5, "completeness of row {n}");
    }
}

#[test]
fn its_errors_come_with_a_text() {
    let host = TestHost::new(entry()).expect("version 1");
    let error = host.model(ID, r#"{"depth": 3}"#).expect_err("refused");
    assert_eq!(error.message(), "this model has no parameters");
    let model = host.model(ID, "{}").expect("made");
    assert!(!model.provides(capability::LAYERS));
    let pixels = image(1);
    let x = TensorRef::new(&[1, 1, 28, 28], &pixels).expect("fits");
    let dy = TensorRef::new(&[1, 10], &[0.0; 10]).expect("fits");
    let error = model
        .vjp(x, dy, Wrt::Layer("conv1"), false)
        .expect_err("no layers");
    assert_eq!(error.status(), Status::Unimplemented);
    assert_eq!(error.message(), "vjp: only for the input's gradient");
}
