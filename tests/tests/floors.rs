//! The invariants of `ARCHITECTURE.md` about which crate may use what.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use xbench_tests::root;

/// Floor of each crate; a crate depends on lower floors only.
const FLOORS: &[(&str, u32)] = &[
    ("xbench-abi", 0),
    ("xbench-metrics", 0),
    ("xbench-stats", 0),
    ("xbench-data", 0),
    ("xbench-superpixels", 0),
    ("xbench-describe", 1),
    ("xbench-plugin", 1),
    ("xbench-suite", 1),
    ("xbench-record", 1),
    ("xbench-host", 2),
    ("xbench-report", 3),
    ("xbench-run", 3),
    ("xbench", 4),
    ("xtask", 4),
];

/// Where `unsafe` may stand: the boundary between host and plugins.
const UNSAFE: &[&str] = &[
    "core/abi/",
    "core/host/",
    "core/plugin/src/",
    "core/plugin/tests/",
    "tests/fixtures/misbehaving/",
];

fn workspace_packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// Names of the normal and build dependencies of a package that are ours.
fn own_dependencies(package: &Value) -> Vec<String> {
    let dependencies = package["dependencies"].as_array().expect("dependencies");
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"] != "dev" && dependency["path"].is_string())
        .map(|dependency| dependency["name"].as_str().expect("name").to_owned())
        .collect()
}

#[test]
fn crates_depend_on_lower_floors_only() {
    let floors: BTreeMap<&str, u32> = FLOORS.iter().copied().collect();
    for package in workspace_packages() {
        let name = package["name"].as_str().expect("name").to_owned();
        let manifest = package["manifest_path"].as_str().expect("path").to_owned();
        let own = own_dependencies(&package);
        if let Some(&floor) = floors.get(name.as_str()) {
            for dependency in &own {
                let below = floors.get(dependency.as_str());
                assert!(
                    below.is_some_and(|&below| below < floor),
                    "{name} (floor {floor}) must not depend on {dependency} ({below:?})"
                );
            }
        } else if manifest.contains("/plugins/") || manifest.contains("/fixtures/") {
            for dependency in &own {
                assert!(
                    [
                        "xbench-plugin",
                        "xbench-nn",
                        "xbench-svm",
                        "xbench-superpixels"
                    ]
                    .contains(&dependency.as_str()),
                    "the plugin {name} must stand on the SDK only, not on {dependency}"
                );
            }
        } else {
            assert_eq!(name, "xbench-tests", "{name} has no floor in this test");
        }
    }
}

#[test]
fn scores_and_statistics_are_pure() {
    for folder in ["core/metrics/src", "core/stats/src", "core/superpixels/src"] {
        for (path, text) in sources(&root().join(folder)) {
            for word in [
                "std::fs",
                "std::io",
                "std::net",
                "std::thread",
                "std::time",
                "std::env",
            ] {
                assert!(!text.contains(word), "{path} uses {word}");
            }
        }
    }
}

#[test]
fn unsafe_stands_at_the_boundary_only() {
    for folder in ["core", "plugins", "tests"] {
        for (path, text) in sources(&root().join(folder)) {
            let used = text.lines().any(|line| {
                let code = line.split("//").next().unwrap_or_default();
                code.contains("unsafe {")
                    || code.contains("unsafe fn")
                    || code.contains("unsafe impl")
            });
            assert!(
                !used
                    || UNSAFE.iter().any(|allowed| path.contains(allowed))
                    || path.contains("floors.rs"),
                "{path} uses unsafe"
            );
        }
    }
}

/// Every Rust file below a folder, with its text.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            found.push((path.display().to_string(), text));
        }
    }
    found
}
