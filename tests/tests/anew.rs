//! Scores that explain anew: other rows, or other models.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xbench_tests::{fixtures, run, stdout, without_times, xbench};

const SUITE: &str = "\
suite: anew
version: 1
data: {set: garments, split: test, select: {balanced: 20}}
accuracy: same
models: [cnn-gap]
explainers: [gradcam, 'smoothgrad{samples: 3}']
controls: [random, constant, oracle]
scores: [robustness, randomisation]
robustness: {draws: 3, shifts: 1}
randomisation: {smooth_draws: 2}
timing: off
chunk: 10
";

fn command(folder: &Path, suite: &str, results: &str, flags: &[&str]) -> (PathBuf, Vec<String>) {
    let file = folder.join("suite.yaml");
    std::fs::write(&file, suite).expect("a suite");
    let mut command = xbench();
    command
        .args(["run", "--quiet"])
        .arg(&file)
        .arg("--results")
        .arg(folder.join(results))
        .args(flags);
    stdout(&mut command);
    let name = suite.lines().next().unwrap_or_default();
    let name = name.trim_start_matches("suite: ");
    let place = folder.join(results).join(name);
    // There is no table of curves where nothing is randomised.
    let curves = suite
        .contains("randomisation")
        .then_some("randomisation.csv");
    let tables = std::iter::once("leaderboard.csv").chain(curves);
    let tables: Vec<String> = tables
        .map(|table| without_times(&place.join(table)))
        .collect();
    (place, tables)
}

/// The leaderboard by explainer and column.
fn leaderboard(place: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let text = std::fs::read_to_string(place.join("leaderboard.csv")).expect("a leaderboard");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let rows = lines.map(|line| {
        let row: BTreeMap<String, String> = header
            .iter()
            .zip(line.split(','))
            .map(|(&name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let key = format!("{}/{}", row["model"], row["explainer"]);
        (key, row)
    });
    rows.collect()
}

fn number(board: &BTreeMap<String, BTreeMap<String, String>>, row: &str, column: &str) -> f64 {
    board[row][column]
        .parse()
        .unwrap_or_else(|_| panic!("{row} {column}: {:?}", board[row][column]))
}

#[test]
fn controls_show_what_each_score_measures() {
    let folder = tempfile::tempdir().expect("a folder");
    let (place, _) = command(folder.path(), SUITE, "results", &[]);
    let board = leaderboard(&place);
    let value = |row: &str, column: &str| number(&board, &format!("cnn-gap/{row}"), column);
    // A map that knows nothing of the model does not notice that it is gone.
    for blind in ["random", "oracle"] {
        for column in ["mprt", "smooth_mprt", "random_logit"] {
            assert!(
                (value(blind, column) - 1.0).abs() < 1e-6,
                "{blind} {column}"
            );
        }
        assert_eq!(value(blind, "efficient_mprt"), 0.0);
        assert_eq!(value(blind, "max_sensitivity"), 0.0);
    }
    // The mask moves with its object, noise does not.
    assert_eq!(value("oracle", "continuity"), 0.0);
    assert!(value("random", "continuity") > 1.0);
    // Grad-CAM notices both, and its own seed does not.
    assert!(value("gradcam", "mprt") < 0.5);
    assert!(value("gradcam", "random_logit") < 0.9);
    assert!(value("gradcam", "avg_sensitivity") > 0.0);
    assert!(value("gradcam", "max_sensitivity") >= value("gradcam", "avg_sensitivity"));
    // What an explanation costs is what it cost once.
    assert_eq!(value("gradcam", "forward_rows"), 1.0);
    assert_eq!(value("smoothgrad", "backward_rows"), 3.0);
    let records = std::fs::read_to_string(place.join("records.jsonl")).expect("records");
    let constant: Value = records
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a record"))
        .find(|record| record["explainer"] == "constant")
        .expect("the constant map");
    for score in ["max_sensitivity", "continuity", "mprt", "random_logit"] {
        let reasons = &constant["scores"][score]["reasons"];
        let told = reasons.to_string();
        assert!(told.contains("constant_attribution"), "{score}: {constant}");
    }
    // From the output down, both tests, with intervals.
    let curve = std::fs::read_to_string(place.join("randomisation.csv")).expect("curves");
    let gradcam: Vec<&str> = curve
        .lines()
        .filter(|line| line.contains(",gradcam,"))
        .collect();
    let depth = |line: &&&str| line.contains(",gradcam,mprt,1,");
    assert_eq!(gradcam.iter().filter(depth).count(), 1, "{curve}");
    assert!(gradcam.iter().any(|line| line.contains(",smooth_mprt,")));
    assert!(gradcam.iter().all(|line| line.ends_with(",20")), "{curve}");
}

#[test]
fn a_model_that_undoes_a_shift_tells_who_looks_at_the_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = "\
suite: shifted
version: 1
data: {set: garments, split: test, select: {balanced: 20}}
accuracy: same
models: [cnn-gap]
explainers: [saliency, gradcam, occlusion, input-x-gradient, ig, deeplift, deepshap]
controls: [random, constant, oracle]
scores: [input_invariance, mprt]
background: 10
timing: off
";
    let (place, _) = command(folder.path(), suite, "results", &[]);
    let board = leaderboard(&place);
    let value = |row: &str| number(&board, &format!("cnn-gap/{row}"), "input_invariance");
    // They look at the model, or at rows that are shifted as well, or at nothing at all.
    for invariant in ["saliency", "gradcam", "deepshap", "random", "oracle"] {
        assert!(value(invariant) < 0.01, "{invariant}: {}", value(invariant));
    }
    // Their black stays where it is.
    for varying in ["occlusion", "input-x-gradient", "ig", "deeplift"] {
        assert!(value(varying) > 0.1, "{varying}: {}", value(varying));
    }
    assert_eq!(board["cnn-gap/constant"]["input_invariance"], "");
    let (place, _) = command(
        folder.path(),
        &format!("{suite}perturbation: {{input_shift: -0.25}}\n"),
        "results",
        &[],
    );
    let nearer = number(
        &leaderboard(&place),
        "cnn-gap/input-x-gradient",
        "input_invariance",
    );
    // w ∘ (x + c) moves in proportion to c.
    let ratio = value("input-x-gradient") / nearer;
    assert!((ratio - 4.0).abs() < 0.05, "{ratio}");
}

#[test]
fn mosaics_are_the_models_and_the_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = "\
suite: mosaics
version: 1
data: {set: garments, split: test, select: {balanced: 200}}
target: label
accuracy: same
models: [cnn-gap]
explainers: [gradcam]
controls: [random, constant, oracle]
scores: [focus]
timing: off
";
    let (place, one) = command(folder.path(), suite, "one", &["--workers", "1"]);
    let board = leaderboard(&place);
    let value = |row: &str| number(&board, &format!("cnn-gap/{row}"), "focus");
    // The mask of a mosaic marks the objects of the explained class; each tile is a quarter.
    assert_eq!(value("oracle"), 1.0);
    assert_eq!(value("constant"), 0.5);
    assert!((value("random") - 0.5).abs() < 0.05);
    // Whatever explains, the same images have none, for the same reasons.
    let records = std::fs::read_to_string(place.join("records.jsonl")).expect("records");
    let reasons: Vec<String> = records
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a record"))
        .filter(|record| {
            ["random", "constant", "oracle"]
                .iter()
                .any(|id| record["explainer"] == *id)
        })
        .map(|record| record["scores"]["focus"]["reasons"].to_string())
        .collect();
    assert_eq!(reasons.len(), 3, "{records}");
    assert!(reasons[0].contains("unrecognised"), "{reasons:?}");
    assert!(
        reasons.iter().all(|told| *told == reasons[0]),
        "{reasons:?}"
    );
    // The images of a chunk find theirs outside it.
    let flags = ["--workers", "2", "--chunk", "7"];
    let (_, two) = command(folder.path(), suite, "two", &flags);
    assert_eq!(one[0], two[0]);
}

#[test]
fn workers_chunks_and_resuming_change_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, one) = command(folder.path(), SUITE, "one", &["--workers", "1"]);
    let (_, two) = command(folder.path(), SUITE, "two", &["--workers", "2"]);
    assert_eq!(one, two);
    let (_, again) = command(folder.path(), SUITE, "one", &["--workers", "2"]);
    assert_eq!(one, again);
    // Some scores first, the rest later: the rest does not disturb what is there.
    let some = SUITE.replace("[robustness, randomisation]", "[mprt, continuity]");
    command(folder.path(), &some, "later", &[]);
    let (_, later) = command(folder.path(), SUITE, "later", &[]);
    assert_eq!(one, later);
    let (_, seven) = command(folder.path(), SUITE, "seven", &["--chunk", "7"]);
    for (ten, seven) in one.iter().zip(&seven) {
        let fields = |table: &str| -> Vec<String> {
            let lines = table.lines().flat_map(|line| line.split(','));
            lines.map(str::to_owned).collect()
        };
        let (ten, seven) = (fields(ten), fields(seven));
        assert_eq!(ten.len(), seven.len());
        for (ten, seven) in ten.iter().zip(&seven) {
            match (ten.parse::<f64>(), seven.parse::<f64>()) {
                (Ok(ten), Ok(seven)) => assert!((ten - seven).abs() <= 1e-4, "{ten} {seven}"),
                _ => assert_eq!(ten, seven),
            }
        }
    }
}

#[test]
fn labels_can_be_shuffled_for_a_twin() {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = "\
suite: twins
version: 1
data: {set: garments, split: test, select: {balanced: 20}}
accuracy: same
models:
  - {model: lenet, preset: published, train: {epochs: 2}}
  - {model: lenet, preset: published, train: {epochs: 2, labels: shuffled}, name: lenet-shuffled}
explainers: [saliency]
controls: [random]
scores: [data_randomisation, mprt]
timing: off
";
    let (place, _) = command(folder.path(), suite, "results", &[]);
    let board = leaderboard(&place);
    let value = |row: &str| number(&board, row, "data_randomisation");
    assert!((value("lenet/random") - 1.0).abs() < 1e-6);
    assert!(value("lenet/saliency") < 0.9);
    assert_eq!(board["lenet-shuffled/saliency"]["data_randomisation"], "");
    let models = std::fs::read_to_string(place.join("models.csv")).expect("models");
    let accuracy = |label: &str| -> f64 {
        let mut lines = models.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let at = |name: &str| {
            header
                .iter()
                .position(|one| *one == name)
                .expect("a column")
        };
        let row = lines
            .map(|line| line.split(',').collect::<Vec<_>>())
            .find(|row| row[at("model")] == label)
            .expect("a model");
        row[at("accuracy")].parse().expect("a number")
    };
    assert!(
        accuracy("lenet") > accuracy("lenet-shuffled") + 0.3,
        "{models}"
    );
    let wrong = suite.replace("labels: shuffled", "labels: none");
    let file = folder.path().join("wrong.yaml");
    std::fs::write(&file, wrong).expect("a suite");
    let mut command = xbench();
    command.args(["run", "--quiet"]).arg(&file);
    let output = run(command.arg("--results").arg(folder.path().join("wrong")));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && stderr.contains("shuffled"),
        "{stderr}"
    );
}

#[test]
fn a_model_that_does_not_go_back_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join("forgetful.yaml");
    let text = "suite: forgetful\nversion: 1\ndata: {set: garments, select: {balanced: 20}}\n\
                accuracy: same\nmodels: [forgetful-model]\nexplainers: [occlusion]\n\
                timing: off\nscores: [mprt]\n";
    std::fs::write(&suite, text).expect("a suite");
    let output = run(xbench()
        .arg("run")
        .arg(&suite)
        .arg("--plugin-path")
        .arg(fixtures())
        .arg("--results")
        .arg(folder.path())
        .args(["--format", "json", "--quiet"]));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let cell = &summary["models"][0]["cells"][0];
    let why = cell["text"].as_str().unwrap_or_default();
    assert_eq!(output.status.code(), Some(13), "{cell}");
    assert_eq!(cell["status"], "failed", "{cell}");
    assert!(
        why.contains("explaining anew") && why.contains("restored parameters are not as they were"),
        "{why}"
    );
}
