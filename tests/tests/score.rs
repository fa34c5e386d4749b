//! `xbench score`: what a suite finds is found again from arrays, and bad arrays are told apart.

use std::path::Path;

use serde_json::Value;
use xbench_tests::{fixtures, run, stdout, xbench};

/// Maps of the fixture's linear model on the first rows of `garments`, as arrays.
fn arrays(folder: &Path) -> std::path::PathBuf {
    stdout(
        xbench()
            .args(["explain", "--quiet", "--out", "none", "--model", "linear"])
            .args(["--explainer", "occlusion", "--data", "garments:test[0..12]"])
            .arg("--plugin-path")
            .arg(fixtures())
            .arg("--arrays")
            .arg(folder),
    );
    folder.join("linear.occlusion.npy")
}

fn score(maps: &Path, flags: &[&str]) -> std::process::Output {
    run(xbench()
        .args(["score", "--data", "garments", "--attributions"])
        .arg(maps)
        .arg("--plugin-path")
        .arg(fixtures())
        .args(flags))
}

fn json(output: &std::process::Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn arrays_score_as_in_a_suite() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = arrays(folder.path());
    let suite = folder.path().join("same.yaml");
    let text = "suite: same\nversion: 1\ndata: {set: garments, split: test, select: {first: 12}}\n\
                accuracy: same\nmodels: [linear]\nexplainers: [occlusion]\nscores: standard\n\
                timing: off\nchunk: 5\n";
    std::fs::write(&suite, text).expect("a suite");
    stdout(
        xbench()
            .arg("run")
            .arg(&suite)
            .args(["--quiet", "--plugin-path"])
            .arg(fixtures())
            .arg("--results")
            .arg(folder.path()),
    );
    let mut table =
        csv::Reader::from_path(folder.path().join("same/leaderboard.csv")).expect("a leaderboard");
    let header = table.headers().expect("a header").clone();
    let row = table.records().next().expect("a row").expect("CSV");
    let cell = |column: &str| {
        let place = header.iter().position(|name| name == column);
        row[place.expect(column)].parse::<f64>().ok()
    };
    let found = json(&score(&maps, &["--model", "linear", "--format", "json"]));
    assert_eq!(found["n"], 12);
    let scores = found["scores"].as_array().expect("scores");
    assert!(scores.len() >= 12, "{scores:?}");
    for one in scores {
        let id = one["score"].as_str().expect("an id");
        for (field, column) in [("mean", id.to_owned()), ("low", format!("{id}_low"))] {
            match (one[field].as_f64(), cell(&column)) {
                (Some(here), Some(there)) => {
                    assert!((here - there).abs() < 2e-6, "{column}: {here} and {there}");
                }
                (here, there) => assert_eq!(here, there, "{column}"),
            }
        }
    }
}

#[test]
fn results_come_as_table_csv_and_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = arrays(folder.path());
    let text = |flags: &[&str]| {
        let output = score(&maps, flags);
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let table = text(&["--quiet"]);
    assert!(table.starts_with("garments (test), 12 rows"), "{table}");
    assert!(table.contains("relevance_mass") && !table.contains("deletion_auc"));
    let lines = text(&["--format", "csv", "--scores", "localisation"]);
    let head = "family,score,better,mean,low,high,n,chance,not_applicable\nlocalisation,";
    assert!(lines.starts_with(head), "{lines}");
    let rows = text(&[
        "--per-row",
        "--format",
        "csv",
        "--scores",
        "gini,auroc",
        "--select",
        "20..32",
    ]);
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!((rows.len(), rows[0]), (13, "row,label,target,auroc,gini"));
    assert!(rows[1].starts_with("20,"), "{}", rows[1]);
    // What a group leaves out is said, with the remedy, and not among the results.
    let output = score(&maps, &[]);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        notes.contains("deletion_auc") && notes.contains("--model"),
        "{notes}"
    );
}

#[test]
fn what_is_wrong_is_told_with_a_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = arrays(folder.path());
    let refused = |maps: &Path, flags: &[&str]| {
        let output = score(maps, flags);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(20), "{flags:?}: {stderr}");
        assert!(output.stdout.is_empty());
        stderr
    };
    let bytes = std::fs::read(&maps).expect("an array");
    let cut = folder.path().join("cut.npy");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).expect("a file");
    assert!(refused(&cut, &[]).contains("is cut off"));
    let other = folder.path().join("targets.csv");
    assert!(refused(&other, &[]).contains("is not a NumPy array file"));
    // Logits are no maps.
    let logits = folder.path().join("linear.logits.npy");
    assert!(refused(&logits, &[]).contains("need [n, 1, 28, 28] or [n, 28, 28]"));
    assert!(refused(&maps, &["--select", "first:7"]).contains("12 attributions, but 7 rows"));
    assert!(refused(&maps, &["--select", "some"]).contains("balanced:50"));
    assert!(refused(&maps, &["--scores", "deletion_auc"]).contains("name it with --model"));
    assert!(refused(&maps, &["--scores", "relevance_mas"]).contains("did you mean"));
    assert!(refused(&maps, &["--model", "linear", "--target", "Hat"]).contains("unknown target"));
    assert!(refused(&maps, &["--masks", "linear.logits.npy"]).contains("linear.logits.npy"));
    assert!(refused(&maps, &["--target", "3"]).contains("--model"));
    assert!(refused(&maps, &["--scores", ","]).contains("--scores names no score"));
    assert!(refused(folder.path(), &[]).contains("is a folder"));
    let rows = folder.path().to_str().expect("a path");
    assert!(refused(&maps, &["--rows", rows]).contains("is not a regular file"));
    let weights = ["--model", "linear", "--weights", rows];
    assert!(refused(&maps, &weights).contains("not a regular file"));
}

#[test]
fn one_row_has_no_interval() {
    let folder = tempfile::tempdir().expect("a folder");
    let map = folder.path().join("one.npy");
    let values =
        ndarray::Array3::<f64>::from_shape_fn((1, 28, 28), |(_, y, x)| 1e-60 * (y * 28 + x) as f64);
    ndarray_npy::write_npy(&map, &values).expect("an array");
    let output = score(&map, &["--scores", "auroc", "--format", "json"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("1 of 1 maps are zero everywhere as float32"),
        "{stderr}"
    );
    let found = json(&output);
    let auroc = &found["scores"][0];
    assert_eq!((&auroc["mean"], &auroc["n"]), (&0.5.into(), &1.into()));
    assert!(auroc["low"].is_null() && auroc["high"].is_null(), "{auroc}");
}

/// What `xbench data export` writes is what is scored: the pixels as a map score like the control that
/// shows the input's magnitude.
#[test]
fn exported_rows_are_the_rows_that_are_scored() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = folder.path().join("rows");
    let export = |select: &str| {
        let output = run(xbench()
            .args(["data", "export", "garments-shortcut", "--format", "json"])
            .args(["--select", select, "--out"])
            .arg(&rows));
        json(&output)
    };
    let told = export("3..9");
    assert_eq!(
        told["export"]["rows"],
        serde_json::json!([3, 4, 5, 6, 7, 8])
    );
    let shapes: Vec<_> = told["export"]["arrays"]
        .as_array()
        .expect("arrays")
        .iter()
        .map(|array| array["shape"].to_string())
        .collect();
    let expected = ["[6,1,28,28]", "[6]", "[6]", "[6,28,28]", "[6,28,28]"];
    assert_eq!(shapes, expected);
    let labels: ndarray::Array1<i64> =
        ndarray_npy::read_npy(rows.join("labels.npy")).expect("labels");
    let scored = |masks: Option<&Path>| {
        let mut command = xbench();
        command
            .args(["score", "--data", "garments-shortcut", "--select", "3..9"])
            .args([
                "--scores",
                "localisation,shortcut_auroc",
                "--format",
                "json",
            ])
            .arg("--attributions")
            .arg(rows.join("inputs.npy"));
        if let Some(masks) = masks {
            command.arg("--masks").arg(masks);
        }
        json(&run(&mut command))
    };
    let own = scored(None);
    let found: Vec<_> = own["rows"].as_array().expect("rows").clone();
    assert_eq!(found.len(), 6);
    for (row, label) in found.iter().zip(&labels) {
        let class = &told["export"]["classes"][usize::try_from(*label).expect("a class")];
        assert_eq!(&row["label"], class, "{row}");
    }
    assert_eq!(
        own["scores"],
        scored(Some(&rows.join("masks.npy")))["scores"]
    );
    // Another set into the same folder leaves nothing of the first.
    let output = run(xbench()
        .args([
            "data",
            "export",
            "garments-plain",
            "--select",
            "first:2",
            "--out",
        ])
        .arg(&rows));
    assert!(output.status.success());
    assert!(rows.join("masks.npy").exists() && !rows.join("cause.npy").exists());
    let output = run(xbench().args(["data", "export", "garments", "--select", "9..3"]));
    assert_eq!(output.status.code(), Some(20));
}
