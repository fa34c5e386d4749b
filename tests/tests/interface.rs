//! What scripts and people rely on: flags, help, columns, keys, errors, exit codes.
//!
//! `INSTA_UPDATE=always cargo xtask test` rewrites the snapshots; the diff is part of a review.

use std::path::Path;

use serde_json::Value;
use xbench_tests::{fixtures, run, stdout, xbench};

const SUITE: &str = "\
suite: interface
version: 1
data: {set: garments, split: test, select: {balanced: 10}}
accuracy: same
models: [linear]
explainers: [org.xbench.fixture.gradient, occlusion]
controls: [random, oracle]
timing: {images: 2, repeats: 3, warmup: 1}
chunk: 5
reproduction:
  - {model: linear, score: accuracy, published: 0.99, source: nobody}
";

/// Standard error of a command that must fail with this code.
fn refused(code: i32, args: &[&str]) -> String {
    let output = run(xbench().args(args));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty(), "results and errors must not mix");
    stderr
}

fn run_interface_suite(folder: &Path, flags: &[&str]) -> std::process::Output {
    let suite = folder.join("interface.yaml");
    std::fs::write(&suite, SUITE).expect("a suite");
    run(xbench()
        .arg("run")
        .arg(&suite)
        .arg("--plugin-path")
        .arg(fixtures())
        .arg("--results")
        .arg(folder)
        .args(flags))
}

#[test]
fn help_shows_every_flag_with_examples() {
    insta::assert_snapshot!("help", stdout(xbench().arg("--help")));
    for command in ["run", "explain", "score", "train", "plan"] {
        let help = stdout(xbench().args([command, "--help"]));
        insta::assert_snapshot!(format!("help-{command}"), help);
    }
}

#[test]
fn tables_have_their_columns() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run_interface_suite(folder.path(), &["--quiet"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let results = folder.path().join("interface");
    let header = |file: &str| {
        let text = std::fs::read_to_string(results.join(file)).expect(file);
        text.lines().next().expect("a header").replace(',', "\n")
    };
    insta::assert_snapshot!("leaderboard.csv", header("leaderboard.csv"));
    insta::assert_snapshot!("models.csv", header("models.csv"));
    insta::assert_snapshot!("agreement.csv", header("agreement.csv"));
    insta::assert_snapshot!("costs.csv", header("costs.csv"));
    for table in [
        "scores",
        "differences",
        "resolution",
        "concordance",
        "reliability",
    ] {
        let name = format!("{table}.csv");
        insta::assert_snapshot!(name.clone(), header(&name));
    }
    insta::assert_snapshot!("classes.csv", header("classes.csv"));
    insta::assert_snapshot!("reproduction.csv", header("reproduction.csv"));
    let lines = |file: &str| {
        std::fs::read_to_string(results.join(file))
            .expect(file)
            .lines()
            .count()
    };
    assert_eq!(
        lines("leaderboard.csv"),
        1 + 4,
        "a row per model and explainer"
    );
    assert_eq!(lines("models.csv"), 1 + 1);
    assert_eq!(
        lines("agreement.csv"),
        1 + 6 * 2,
        "a row per pair and score"
    );
    assert_eq!(lines("records.jsonl"), 4);
    let scores = lines("reliability.csv") - 1;
    assert_eq!(
        lines("scores.csv"),
        1 + 4 * scores,
        "a row per cell and score"
    );
    assert_eq!(
        lines("resolution.csv"),
        1 + scores,
        "a row per model and score"
    );
    // Of the six pairs one is of two controls.
    assert_eq!(lines("differences.csv"), 1 + 5 * scores);
    assert!(output.stderr.is_empty(), "quiet is quiet");
}

/// Keys of a JSON value, nested ones after a dot; of lists the first element.
fn keys(value: &Value, prefix: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{prefix}{key}");
                found.push(path.clone());
                keys(value, &format!("{path}."), found);
            }
        }
        Value::Array(list) => {
            if let Some(first) = list.first() {
                keys(first, prefix, found);
            }
        }
        _ => {}
    }
}

#[test]
fn json_output_has_its_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run_interface_suite(folder.path(), &["--format", "json", "-q"]);
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut found = Vec::new();
    keys(&summary, "", &mut found);
    insta::assert_snapshot!("run-json-keys", found.join("\n"));
}

#[test]
fn the_seed_on_the_command_line_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = |seed: &str, to: &str| {
        let place = folder.path().join(to);
        std::fs::create_dir_all(&place).expect("a folder");
        let output = run_interface_suite(&place, &["--seed", seed, "-q"]);
        assert!(output.status.success());
        xbench_tests::without_times(&place.join("interface/leaderboard.csv"))
    };
    assert_eq!(table("1", "a"), table("1", "b"));
    assert_ne!(
        table("1", "a"),
        table("2", "c"),
        "the random map depends on the seed"
    );
}

#[test]
fn a_wrong_suite_is_refused_with_place_and_suggestion() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("wrong.yaml");
    let (suite, _) = SUITE.split_once("reproduction").expect("a reproduction");
    let text = suite
        .replace("occlusion]", "oclusion]")
        .replace("[linear]", "[linaer]");
    std::fs::write(&path, text).expect("a suite");
    let path = path.display().to_string();
    let plugins = fixtures().display().to_string();
    let stderr = refused(20, &["run", &path, "--plugin-path", &plugins]);
    assert!(
        stderr.contains("wrong.yaml:5:10: unknown model \"linaer\""),
        "{stderr}"
    );
    assert!(stderr.contains("did you mean \"linear\"?"), "{stderr}");
    assert!(
        stderr.contains("wrong.yaml:6:43: unknown explainer \"oclusion\""),
        "{stderr}"
    );
    assert!(stderr.contains("did you mean \"occlusion\"?"), "{stderr}");
}

#[test]
fn errors_have_their_exit_codes() {
    assert!(refused(20, &["run"]).contains("<SUITE>"));
    assert!(refused(20, &["run", "suites/quickstart.yaml", "--wokers", "2"]).contains("--workers"));
    assert!(refused(20, &["run", "nowhere.yaml"]).contains("nowhere.yaml"));
    assert!(refused(20, &["run", "suites/quickstart.yaml", "--workers", "0"]).contains("1..=1024"));
    assert!(refused(20, &["plugin", "info", "nothing"]).contains("there is no plugin 'nothing'"));
    assert!(refused(20, &["explain", "--model", "x", "--explainer", "y"]).contains("<FILE>"));
    let empty = [
        "explain",
        "--model",
        "linear",
        "--explainer",
        "random",
        "--data",
        "garments:test[3..3]",
    ];
    assert!(refused(12, &empty).contains("selects no rows"));
}

#[test]
fn arrays_are_what_scripts_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let arrays = folder.path().join("arrays");
    let text = stdout(
        xbench()
            .args([
                "explain",
                "--model",
                "linear",
                "--explainer",
                "random,occlusion{patch: 7}",
            ])
            .args([
                "--data",
                "garments:test[2..5]",
                "--target",
                "label",
                "--out",
                "none",
            ])
            .args(["--format", "json", "--plugin-path"])
            .arg(fixtures())
            .arg("--arrays")
            .arg(&arrays),
    );
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["pictures"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        answer["pictures"][0]["label"],
        answer["pictures"][0]["models"][0]["target"]
    );
    let shape = |file: &str| {
        let bytes = std::fs::read(arrays.join(file)).expect(file);
        assert_eq!(&bytes[..6], b"\x93NUMPY");
        let header = String::from_utf8_lossy(&bytes[10..128]).into_owned();
        assert!(header.contains("'<f4'"), "{header}");
        let start = header.find('(').expect("a shape");
        header[start..=header.find(')').expect("a shape")].to_owned()
    };
    assert_eq!(shape("linear.logits.npy"), "(3, 10)");
    assert_eq!(shape("linear.random.npy"), "(3, 1, 28, 28)");
    assert_eq!(shape("linear.occlusion.npy"), "(3, 1, 28, 28)");
    let targets = std::fs::read_to_string(arrays.join("targets.csv")).expect("targets");
    assert!(targets.starts_with("row,picture,label,model,predicted,target\n0,garments:test[2],"));
    assert_eq!(targets.lines().count(), 4);
}

#[test]
fn a_picture_is_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("strip.png");
    stdout(
        xbench()
            .args([
                "explain",
                "--model",
                "linear",
                "--explainer",
                "occlusion",
                "--quiet",
            ])
            .args(["--data", "garments:test[0..1]", "--plugin-path"])
            .arg(fixtures())
            .arg("--out")
            .arg(&picture),
    );
    let bytes = std::fs::read(&picture).expect("a picture");
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    assert!(bytes.len() > 5_000);
}

#[test]
fn a_substitute_data_set_is_told_and_kept_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join("substitute.yaml");
    let text = SUITE
        .replace("suite: interface", "suite: substitute")
        .replace(
            "{set: garments,",
            "{set: fashion-mnist, otherwise: garments,",
        );
    std::fs::write(&suite, text).expect("a suite");
    let output = run(xbench()
        .arg("run")
        .arg(&suite)
        .args(["--offline", "--quiet", "--plugin-path"])
        .arg(fixtures())
        .arg("--results")
        .arg(folder.path())
        .env("XBENCH_DATA", folder.path())
        .env("XBENCH_CACHE", folder.path().join("cache")));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("'fashion-mnist' CANNOT BE HAD"),
        "told even when quiet: {stderr}"
    );
    assert!(
        !folder.path().join("substitute").exists(),
        "the real set's place is left alone"
    );
    let table = std::fs::read_to_string(folder.path().join("substitute-garments/leaderboard.csv"));
    let table = table.expect("a leaderboard of its own");
    assert!(
        table
            .lines()
            .skip(1)
            .all(|line| line.starts_with("garments,")),
        "{table}"
    );
}

/// An explainer with several sets of parameters is told apart by them.
#[test]
fn explain_takes_an_explainer_with_other_parameters_too() {
    let folder = tempfile::tempdir().expect("a folder");
    stdout(
        xbench()
            .args(["explain", "--quiet", "--out", "none", "--model", "linear"])
            .args(["--explainer", "occlusion,occlusion{patch: 7}"])
            .args(["--data", "garments:test[0..1]", "--plugin-path"])
            .arg(fixtures())
            .arg("--arrays")
            .arg(folder.path()),
    );
    for file in ["linear.occlusion.npy", "linear.occlusion_patch__7_.npy"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}

#[test]
fn explain_refuses_what_it_cannot_do_well() {
    let model = ["explain", "--model", "linear"];
    let with = |rest: &[&str]| {
        let plugins = fixtures().display().to_string();
        let mut args = model.to_vec();
        args.extend(rest);
        args.extend(["--plugin-path", &plugins]);
        refused(20, &args)
    };
    let twice = with(&[
        "--explainer",
        "occlusion{patch: 7},occlusion{patch: 7}",
        "--data",
        "garments:test[0..1]",
    ]);
    let cause = "occlusion{patch: 7} stands there twice";
    assert!(twice.contains(cause), "{twice}");
    let all = with(&["--explainer", "random", "--data", "garments"]);
    assert!(all.contains("without a range"), "{all}");
    let jpeg = with(&[
        "--explainer",
        "random",
        "--data",
        "garments:test[0..1]",
        "--out",
        "x.jpg",
    ]);
    assert!(jpeg.contains("ends in .png"), "{jpeg}");
    let photo = with(&[
        "--explainer",
        "random",
        "README.md",
        "--trained-on",
        "garments",
    ]);
    assert!(photo.contains("README.md"), "{photo}");
}
