//! Helpers of the end-to-end tests: the program, its plugins, its output.
//!
//! The tests run the release binary as a user would. `cargo xtask test` builds it first and
//! assembles the plugin folders; without them a test fails and says so.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The folder of release artefacts: test binaries lie in its `deps`.
#[must_use]
pub fn release_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    test.ancestors()
        .nth(2)
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The plugins that crash, hang and lie.
#[must_use]
pub fn fixtures() -> PathBuf {
    release_dir().join("fixtures")
}

/// The `xbench` command, in the workspace's root, with a cache of the tests' own and no terminal.
///
/// # Panics
/// If the program was not built.
#[must_use]
pub fn xbench() -> Command {
    let program = release_dir().join(format!("xbench{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.is_file() && fixtures().is_dir(),
        "{} is not built: run `cargo xtask test`, which builds what tests need",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .current_dir(root())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "120")
        .env("XBENCH_CACHE", release_dir().join("test-cache"))
        .env("XDG_DATA_HOME", release_dir().join("test-data-home"))
        .env_remove("LC_ALL")
        .env_remove("XBENCH_PLUGIN_PATH");
    command
}

/// Whether Fashion-MNIST can be found; says that a test is skipped where it cannot.
#[must_use]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn has_fashion_mnist(test: &str) -> bool {
    let found = std::env::var_os("XBENCH_DATA")
        .is_some_and(|data| Path::new(&data).join("fashion-mnist").is_dir());
    if !found {
        eprintln!("{test}: skipped, Fashion-MNIST is not under $XBENCH_DATA");
    }
    found
}

/// Runs a command to its end.
///
/// # Panics
/// If it cannot be started.
pub fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}

/// Runs a command that must succeed, and gives its standard output.
///
/// # Panics
/// If it fails.
pub fn stdout(command: &mut Command) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A CSV file with its columns of measured time cut out, as they differ from run to run.
///
/// # Panics
/// If the file cannot be read.
#[must_use]
pub fn without_times(path: &Path) -> String {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let timed: Vec<bool> = header.iter().map(|name| name.starts_with("ms_")).collect();
    let cut = |line: &str| {
        let kept = line.split(',').zip(&timed).filter(|(_, timed)| !**timed);
        kept.map(|(value, _)| value).collect::<Vec<_>>().join(",")
    };
    std::iter::once(header.join(",").as_str())
        .chain(lines)
        .map(|line| cut(line) + "\n")
        .collect()
}

/// Whether a command stands on the path.
#[must_use]
pub fn on_path(program: impl AsRef<OsStr>) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}
