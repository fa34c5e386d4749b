//! The checks that need tools beside cargo: licences, sources and spelling.
//!
//! `cargo deny` and `typos` are taken from the path or, where missing, installed into
//! `target/tools` (as wheels when Python is there, else by `cargo install`).

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::{cargo, must};

const TYPOS: &str = "1.52.0";
const DENY: &str = "0.20.2";

/// Everything that is checked without running the program.
pub(crate) fn lint(root: &Path) -> Result<ExitCode, String> {
    must(cargo().args(["fmt", "--all", "--check"]))?;
    must(cargo().args([
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    let typos = tool(root, "typos", "typos-cli", TYPOS, Some("typos"))?;
    must(Command::new(typos).current_dir(root))?;
    let deny = tool(root, "cargo-deny", "cargo-deny", DENY, None)?;
    must(Command::new(&deny).current_dir(root).args([
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))?;
    advisories(root, &deny);
    Ok(ExitCode::SUCCESS)
}

/// The advisory database is fetched from the network. Where there is none, that is said, and the
/// offline checks above still stand.
fn advisories(root: &Path, deny: &Path) {
    let fetched = Command::new(deny)
        .current_dir(root)
        .args(["fetch", "db"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !fetched {
        eprintln!("lint: advisories NOT checked: the advisory database cannot be fetched here");
        return;
    }
    let clean = must(
        Command::new(deny)
            .current_dir(root)
            .args(["check", "advisories"]),
    );
    if let Err(message) = clean {
        eprintln!("lint: {message}");
        std::process::exit(1);
    }
}

/// The path of a tool: on the `PATH`, installed earlier, or installed now.
fn tool(
    root: &Path,
    command: &str,
    package: &str,
    version: &str,
    wheel: Option<&str>,
) -> Result<PathBuf, String> {
    let answers = |path: &Path| {
        Command::new(path)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let on_path = PathBuf::from(command);
    if answers(&on_path) {
        return Ok(on_path);
    }
    let tools =
        std::env::var_os("XBENCH_TOOLS").map_or_else(|| root.join("target/tools"), PathBuf::from);
    let installed = tools.join("bin").join(command);
    if answers(&installed) {
        return Ok(installed);
    }
    eprintln!(
        "lint: installing {package} {version} into {}",
        tools.display()
    );
    if let Some(wheel) = wheel {
        let venv = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&tools)
            .status();
        let pip = Command::new(tools.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("{wheel}=={version}"))
            .status();
        if venv.is_ok_and(|s| s.success()) && pip.is_ok_and(|s| s.success()) && answers(&installed)
        {
            return Ok(installed);
        }
    }
    must(
        cargo()
            .args(["install", "--locked", "--version", version, "--root"])
            .arg(&tools)
            .arg(package),
    )?;
    Ok(installed)
}
