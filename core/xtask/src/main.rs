//! The project's own tooling: `cargo xbench …` and `cargo xtask …` (aliases in `.cargo/config.toml`).
//!
//! It has no dependencies, so that the first command of a newcomer starts building xbench at once.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a build tool talks to the terminal"
)]

mod assemble;
mod tools;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
cargo xbench ARGS…        build the host and the standard plugins (release), run `xbench ARGS…`
cargo xtask test [ARGS…]  build what the tests need and run them all (ARGS go to `cargo test`)
cargo xtask lint          formatting, clippy, licences and sources of dependencies, spelling
cargo xtask build         build the host and the standard plugins, assemble target/release/plugins
cargo xtask weights       train the committed weights again (about half an hour on two cores)
";

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<OsString> = args.collect();
    let result = match command.to_str() {
        Some("xbench") => xbench(&rest),
        Some("build") => build_program().map(|()| ExitCode::SUCCESS),
        Some("test") => test(&rest),
        Some("lint") => tools::lint(&root()),
        Some("weights") => weights(),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(20);
        }
    };
    result.unwrap_or_else(|message| {
        eprintln!("xtask: {message}");
        ExitCode::FAILURE
    })
}

/// The workspace's root: this crate lies two folders below it.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The folder of release artefacts, also where `CARGO_TARGET_DIR` moves it.
fn release_dir() -> PathBuf {
    // A relative one is relative to where cargo runs, which is the root.
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root().join(target).join("release")
}

fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command; its failure becomes an error that names it.
fn must(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("cannot start {:?}: {error}", command.get_program()))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} failed ({status})"))
    }
}

/// Builds the workspace's default members (the command and the standard plugins).
fn build_program() -> Result<(), String> {
    must(cargo().args(["build", "--release", "--quiet"]))?;
    assemble::plugins(&root().join("plugins"), &release_dir())
}

/// Data of a development checkout lies beside it; a user's own setting goes first.
fn with_data(command: &mut Command) -> &mut Command {
    let beside = root().join("../shared/data");
    if env::var_os("XBENCH_DATA").is_none()
        && let Ok(data) = beside.canonicalize()
    {
        command.env("XBENCH_DATA", data);
    }
    command
}

fn xbench(args: &[OsString]) -> Result<ExitCode, String> {
    let binary = release_dir().join(format!("xbench{}", env::consts::EXE_SUFFIX));
    if !binary.exists() {
        eprintln!("building xbench and its standard plugins (a few minutes, the first time only)");
        must(cargo().args(["build", "--release"]))?;
    }
    build_program()?;
    let mut command = Command::new(&binary);
    let status = with_data(&mut command)
        .args(args)
        .status()
        .map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    })
}

fn test(args: &[OsString]) -> Result<ExitCode, String> {
    must(cargo().args(["build", "--release", "--workspace"]))?;
    assemble::plugins(&root().join("plugins"), &release_dir())?;
    assemble::plugins_into(
        &root().join("tests/fixtures"),
        &release_dir(),
        &release_dir().join("fixtures"),
    )?;
    let mut command = cargo();
    with_data(&mut command)
        .args(["test", "--release", "--workspace"])
        .args(args);
    must(&mut command)?;
    Ok(ExitCode::SUCCESS)
}

/// A model and one of its presets.
type Recipe = (&'static str, &'static str);

/// What is committed: the crate's folder, the data set, and the models with their presets.
const WEIGHTS: &[(&str, &str, &[Recipe])] = &[
    (
        "neural",
        "fashion-mnist",
        &[
            ("cnn-gap", "best"),
            ("cnn-gap", "published"),
            ("lenet", "best"),
            ("lenet", "published"),
            ("cnn-plain", "published"),
            ("cnn-dropout", "best"),
            ("cnn-dropout", "published"),
            ("hybrid-cnn", "best"),
            ("hybrid-cnn", "published"),
        ],
    ),
    (
        "neural",
        "garments",
        &[("cnn-gap", "best"), ("lenet", "best")],
    ),
    (
        "trees",
        "fashion-mnist",
        &[("xgboost", "best"), ("xgboost", "published")],
    ),
    ("trees", "fetal-health", &[("random-forest", "published")]),
];

/// Trains every committed preset into the source tree, by the documented command.
fn weights() -> Result<ExitCode, String> {
    for (folder, set, models) in WEIGHTS {
        let out = root()
            .join("plugins/models")
            .join(folder)
            .join("weights")
            .join(set);
        for (model, preset) in *models {
            let mut args: Vec<OsString> = [
                "train", model, "--data", set, "--preset", preset, "--force", "--out",
            ]
            .map(OsString::from)
            .to_vec();
            args.push(out.clone().into());
            let code = xbench(&args)?;
            if code != ExitCode::SUCCESS {
                return Err(format!("training {model} ({preset}) on {set} failed"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
