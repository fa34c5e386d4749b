//! Plugins that crash, hang and lie: the run goes on, says so, and loses nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use xbench_tests::{fixtures, run, xbench};

const SUITE: &str = "\
suite: misbehaving
version: 1
data: {set: garments, split: test, select: {balanced: 20}}
accuracy: same
models: [linear, nan-model]
explainers: [org.xbench.fixture.gradient, panics, aborts, segfaults, hangs, spins-politely, nan, prints, exits, allocates]
chunk: 5
deadline: 0.5
timing: off
";

#[test]
fn a_model_that_fails_while_being_scored_has_no_complete_cells() {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join("fragile.yaml");
    let text = "suite: fragile\nversion: 1\ndata: {set: garments, select: {balanced: 20}}\n\
                accuracy: same\nmodels: [fragile-model]\nexplainers: [prints]\nchunk: 5\n\
                timing: off\n";
    let run_with = |scores: &str| {
        std::fs::write(&suite, format!("{text}{scores}")).expect("a suite");
        let output = run(xbench()
            .arg("run")
            .arg(&suite)
            .arg("--plugin-path")
            .arg(fixtures())
            .arg("--results")
            .arg(folder.path())
            .args(["--format", "json", "--quiet"]));
        let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (
            output.status.code(),
            summary["models"][0]["cells"][0].clone(),
        )
    };
    let (code, cell) = run_with("");
    assert_eq!(
        (code, cell["status"].as_str()),
        (Some(13), Some("failed")),
        "{cell}"
    );
    let why = cell["text"].as_str().unwrap_or_default();
    assert!(
        why.contains("perturbed images") && why.contains("in the dark"),
        "{why}"
    );
    // Scores that leave the model alone are not touched by its weakness.
    let (code, cell) = run_with("scores: [relevance_mass, gini]\n");
    assert_eq!(
        (code, cell["status"].as_str()),
        (Some(0), Some("ok")),
        "{cell}"
    );
}

/// Status and text of each cell, by model and explainer.
fn statuses(summary: &Value) -> BTreeMap<(String, String), (String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = BTreeMap::new();
    for model in summary["models"].as_array().expect("models") {
        for cell in model["cells"].as_array().expect("cells") {
            let names = (text(&model["model"]), text(&cell["explainer"]));
            found.insert(names, (text(&cell["status"]), text(&cell["text"])));
        }
    }
    found
}

fn run_suite(folder: &Path) -> (Option<i32>, Value, String) {
    let suite = folder.join("misbehaving.yaml");
    std::fs::write(&suite, SUITE).expect("a suite");
    let output = run(xbench()
        .arg("run")
        .arg(&suite)
        .arg("--plugin-path")
        .arg(fixtures())
        .arg("--results")
        .arg(folder.join("results"))
        .args(["--format", "json", "--workers", "2"]));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no JSON on standard output: {error}\n{stderr}"));
    (output.status.code(), summary, stderr)
}

#[test]
fn every_kind_of_misbehaviour_is_a_recorded_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, summary, stderr) = run_suite(folder.path());
    assert_eq!(code, Some(13), "{stderr}");
    let statuses = statuses(&summary);
    let of = |explainer: &str| {
        let (status, text) = &statuses[&("linear".to_owned(), explainer.to_owned())];
        (status.as_str(), text.as_str())
    };
    assert_eq!(of("gradient").0, "ok");
    assert_eq!(
        of("prints").0,
        "ok",
        "what a plugin prints must not disturb the protocol"
    );
    assert_eq!(of("panics").0, "failed");
    assert!(
        of("panics").1.contains("always panics"),
        "{:?}",
        of("panics")
    );
    assert_eq!(of("aborts"), ("crashed", "SIGABRT"));
    assert_eq!(of("segfaults"), ("crashed", "SIGSEGV"));
    assert_eq!(of("exits").0, "crashed");
    assert_eq!(of("hangs").0, "timeout");
    assert_eq!(of("spins-politely").0, "timeout");
    assert!(of("allocates").0 != "ok", "{:?}", of("allocates"));
    assert!(
        !of("allocates").1.contains("without a limit"),
        "{:?}",
        of("allocates")
    );
    assert_eq!(of("nan").0, "failed");
    assert!(of("nan").1.contains("not finite"), "{:?}", of("nan"));
    for ((model, explainer), (status, _)) in &statuses {
        if model == "nan-model" {
            let expected = if explainer == "gradient" {
                "unsupported"
            } else {
                "failed"
            };
            assert_eq!(status, expected, "{model} × {explainer}");
        }
    }
    assert!(stderr.contains("SIGSEGV"), "a person is told: {stderr}");
    let records = std::fs::read_to_string(folder.path().join("results/misbehaving/records.jsonl"))
        .expect("records");
    assert_eq!(
        records.lines().count(),
        statuses.len(),
        "every cell has a record"
    );

    // Again: what failed is tried again and fails alike, and no record is written twice.
    let (again, repeated, _) = run_suite(folder.path());
    assert_eq!(again, Some(13));
    assert_eq!(repeated["models"], summary["models"]);
    let records = std::fs::read_to_string(folder.path().join("results/misbehaving/records.jsonl"))
        .expect("records");
    assert_eq!(
        records.lines().count(),
        statuses.len(),
        "unchanged records are not repeated"
    );
}
