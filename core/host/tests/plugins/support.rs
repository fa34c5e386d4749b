//! What the tests share.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use xbench_host::{
    CallSettings, Library, LoadedExplainer, LoadedModel, Message, Worker, WorkerConfig,
    WorkerFailure,
};

/// Far more than anything here takes, so that a slow machine changes nothing.
pub(crate) const PLENTY: Duration = Duration::from_secs(60);

/// Folder of the fixture's manifest.
pub(crate) fn fixture_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/misbehaving")
}

/// The fixture library, which the build put beside this program's folder.
pub(crate) fn fixture() -> PathBuf {
    let program = std::env::current_exe().expect("this program has a path");
    let folder = program
        .ancestors()
        .nth(2)
        .expect("it lies in target/PROFILE/deps");
    let name = format!(
        "{}xbench_fixture_misbehaving{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo xtask test`, which builds it first",
        path.display()
    );
    path
}

/// The C model, compiled once with these macros defined.
pub(crate) fn liar(defines: &[&str]) -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = format!(
        "liar{}{}",
        defines.join("_").replace('=', ""),
        std::env::consts::DLL_SUFFIX
    );
    let library = folder.path().join(name);
    if !library.exists() {
        let output = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
            .args([
                "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
            ])
            .arg(&library)
            .arg("-I")
            .arg(here.join("../abi/include"))
            .args(defines.iter().map(|define| format!("-D{define}")))
            .arg(here.join("tests/plugins/liar.c"))
            .output()
            .expect("a C compiler named cc, or in $CC");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    library
}

/// This program as a worker.
pub(crate) fn config(role: &str) -> WorkerConfig {
    WorkerConfig {
        executable: std::env::current_exe().expect("this program has a path"),
        args: vec![format!("role:{role}").into()],
        threads: 1,
        address_space_bytes: None,
        env: Vec::new(),
    }
}

pub(crate) fn worker() -> Worker {
    Worker::spawn(&config("worker")).expect("the worker starts")
}

/// Asks a worker with plenty of time.
pub(crate) fn ask(worker: &mut Worker, request: Value) -> Result<Message, WorkerFailure> {
    worker.call(&Message::new(request), PLENTY, PLENTY, &mut |_| {})
}

/// A request to explain four 1x2x2 rows of the healthy model.
pub(crate) fn explain_request(explainer: &str) -> Value {
    json!({
        "op": "explain",
        "library": fixture(),
        "model": "org.xbench.fixture.linear",
        "params": r#"{"input": [1, 2, 2], "classes": 3, "seed": 7}"#,
        "explainer": format!("org.xbench.fixture.{explainer}"),
    })
}

pub(crate) fn settings() -> CallSettings {
    CallSettings::default()
}

/// The healthy model on 1x2x2 images with 3 outputs.
pub(crate) fn linear(library: &Library) -> LoadedModel {
    let params = r#"{"input": [1, 2, 2], "classes": 3, "seed": 7}"#;
    library
        .create_model("org.xbench.fixture.linear", params, &settings())
        .expect("the healthy model")
}

pub(crate) fn explainer(library: &Library, short: &str) -> LoadedExplainer {
    library
        .create_explainer(&format!("org.xbench.fixture.{short}"), "{}", &settings())
        .expect("the explainer")
}

/// `n` numbers without a pattern that could hide a mistake.
pub(crate) fn numbers(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| ((i * 37 + 11) % 101) as f32 / 101.0 - 0.3)
        .collect()
}
