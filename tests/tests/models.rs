//! Models and data as users bring them: tables, own descriptions, ONNX files, interrupted trainings,
//! grids, trees to look into, and what is told when any of it is wrong.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use xbench_tests::{root, run, stdout, xbench};

/// Whether a data set lies under `$XBENCH_DATA`; says that a test is skipped where it does not.
fn has(set: &str, test: &str) -> bool {
    let found =
        std::env::var_os("XBENCH_DATA").is_some_and(|data| Path::new(&data).join(set).is_dir());
    if !found {
        eprintln!("{test}: skipped, {set} is not under $XBENCH_DATA");
    }
    found
}

/// Standard error of a command that must fail.
fn refused(args: &[&str]) -> String {
    let output = run(xbench().args(args));
    assert!(!output.status.success(), "{args:?} succeeded");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// IDX files of 16×16 pictures in ten classes, and a description of them.
fn described(folder: &Path) -> PathBuf {
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect(name);
    for (part, count) in [("train", 200_u32), ("test", 40)] {
        let mut images = vec![0, 0, 8, 3];
        for extent in [count, 16, 16] {
            images.extend(extent.to_be_bytes());
        }
        let mut labels = vec![0, 0, 8, 1];
        labels.extend(count.to_be_bytes());
        for i in 0..count {
            let class = i % 10;
            labels.push(class as u8);
            // A bright row whose place is the class, on a ground that differs from image to image.
            images.extend((0..256).map(|p| {
                if p / 16 == class + 3 {
                    255
                } else {
                    ((p * 7 + i * 13) % 40) as u8
                }
            }));
        }
        write(&format!("{part}-images"), &images);
        write(&format!("{part}-labels"), &labels);
    }
    let classes: Vec<String> = (0..10).map(|k| format!("\"row {k}\"")).collect();
    let description = folder.join("rows.toml");
    let text = format!(
        "name = \"rows\"\nkind = \"idx\"\n[idx]\ntrain_images = \"train-images\"\n\
         train_labels = \"train-labels\"\ntest_images = \"test-images\"\n\
         test_labels = \"test-labels\"\nclasses = [{}]\n",
        classes.join(", ")
    );
    std::fs::write(&description, text).expect("a description");
    description
}

#[test]
fn a_table_is_trained_on_explained_and_looked_into() {
    if !has("fetal-health", "a table") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = path(folder.path());
    let told = stdout(
        xbench()
            .args(["train", "random-forest", "--data", "fetal-health"])
            .args([
                "--set",
                "n_trees=20",
                "--grid",
                "max_depth=2,12",
                "--folds",
                "2",
                "--out",
                out,
            ]),
    );
    assert!(
        told.contains("test accuracy .9") || told.contains("test accuracy 0.9"),
        "{told}"
    );
    let grid = std::fs::read_to_string(folder.path().join("random-forest-default.grid.csv"));
    assert_eq!(grid.expect("a table of the grid").lines().count(), 1 + 2);
    let recipe = folder.path().join("random-forest-default.recipe.json");
    let recipe: Value =
        serde_json::from_slice(&std::fs::read(recipe).expect("a recipe")).expect("JSON");
    let command = recipe["command"].as_str().expect("a command");
    assert!(
        command.ends_with("--set max_depth=12 --set n_trees=20"),
        "{command}"
    );

    let weights = folder.path().join("random-forest-default.safetensors");
    let json = stdout(
        xbench()
            .args(["inspect", "random-forest", "--data", "fetal-health"])
            .args([
                "--weights",
                path(&weights),
                "--tree",
                "3",
                "--out",
                out,
                "--format",
                "json",
            ]),
    );
    let seen: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&seen["trees"], &seen["features"]),
        (&20.into(), &21.into())
    );
    assert_eq!(seen["importance"][0]["feature"], "baseline value");
    for file in [
        "importance.csv",
        "importance.png",
        "tree-3.svg",
        "tree-3.png",
    ] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    let error = refused(&[
        "inspect",
        "random-forest",
        "--data",
        "fetal-health",
        "--weights",
        path(&weights),
        "--tree",
        "20",
        "--out",
        out,
    ]);
    assert!(error.contains("there is no tree 20"), "{error}");

    let suite = folder.path().join("table.yaml");
    std::fs::write(
        &suite,
        "suite: table\nversion: 1\ndata: {set: fetal-health, select: {balanced: 12}}\n\
         models: [{model: random-forest, weights: random-forest-default.safetensors}]\n\
         explainers: ['occlusion{patch: 1}']\ncontrols: [random]\ntiming: off\n\
         also:\n  - {part: small, data: {set: fetal-health, select: {first: 4}}, explainers: ['occlusion{patch: 1, fill: 1.0}'], controls: []}\n",
    )
    .expect("a suite");
    let told = stdout(xbench().args(["run", path(&suite), "--results", out, "-q"]));
    assert!(told.contains("table-small"), "{told}");
    for file in [
        "table/leaderboard.csv",
        "table/classes.csv",
        "table-small/leaderboard.csv",
    ] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
}

#[test]
fn an_onnx_file_needs_no_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = described(folder.path());
    let lenet = root().join("plugins/models/onnx/tests/fixtures/lenet.onnx");
    let told = stdout(
        xbench()
            .args(["explain", "--model", path(&lenet), "--explainer"])
            .args([
                "saliency,gradcam,occlusion",
                "--data",
                &format!("{}:test[0..3]", path(&rows)),
                "--out",
                path(&folder.path().join("strip.png")),
                "--arrays",
                path(folder.path()),
            ]),
    );
    assert!(told.contains("row "), "{told}");
    for explainer in ["saliency", "gradcam", "occlusion"] {
        let array = folder.path().join(format!("lenet.{explainer}.npy"));
        assert!(array.is_file(), "{explainer}");
    }
    // By its path it scores what another tool made, too.
    let scored = stdout(
        xbench()
            .args(["score", "--model", path(&lenet), "--data", path(&rows)])
            .args(["--scores", "deletion_auc", "--attributions"])
            .arg(folder.path().join("lenet.occlusion.npy")),
    );
    assert!(scored.contains("3 rows, lenet"), "{scored}");
    let error = refused(&[
        "explain",
        "--model",
        path(&lenet),
        "--explainer",
        "saliency",
        "--data",
        "garments:test[0..1]",
        "--out",
        "none",
    ]);
    assert!(error.contains("16") && error.contains("28"), "{error}");
    let broken = folder.path().join("broken.onnx");
    let bytes = std::fs::read(&lenet).expect("the fixture");
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).expect("written");
    let error = refused(&[
        "explain",
        "--model",
        path(&broken),
        "--explainer",
        "saliency",
        "--data",
        &format!("{}:test[0..1]", path(&rows)),
        "--out",
        "none",
    ]);
    assert!(
        error.contains("onnx") && !error.contains("panicked"),
        "{error}"
    );
}

#[test]
fn an_interrupted_training_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    let train = |out: &str, threads: &str| {
        let mut command = xbench();
        command.args([
            "train",
            "lenet",
            "--data",
            "garments",
            "--epochs",
            "8",
            "--threads",
            threads,
        ]);
        command.arg("--out").arg(folder.path().join(out));
        command
    };
    stdout(&mut train("whole", "2"));
    let checkpoint = folder.path().join("cut/lenet-best.checkpoint");
    let weights = folder.path().join("cut/lenet-best.safetensors");
    let mut begun = train("cut", "2")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let start = Instant::now();
    while !checkpoint.exists() && start.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.kill().expect("killed");
    begun.wait().expect("ended");
    assert!(
        checkpoint.exists() && !weights.exists(),
        "it was cut in the middle"
    );
    // Goes on with another number of threads.
    let output = run(&mut train("cut", "1"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("goes on after epoch"),
        "{told}"
    );
    let bytes = |out: &str| std::fs::read(folder.path().join(out).join("lenet-best.safetensors"));
    assert!(bytes("cut").expect("weights") == bytes("whole").expect("weights"));
    assert!(!checkpoint.exists(), "nothing is left to go on from");
    let curve = std::fs::read_to_string(folder.path().join("cut/lenet-best.curve.csv"));
    assert_eq!(
        curve.expect("a curve").lines().count(),
        1 + 8,
        "all epochs, also those before"
    );
}

#[test]
fn a_set_is_described() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = described(folder.path());
    let out = folder.path().join("out");
    let told = stdout(xbench().args([
        "data",
        "describe",
        path(&rows),
        "--rows",
        "60",
        "--out",
        path(&out),
    ]));
    assert!(told.contains("row 9"), "{told}");
    for file in [
        "description.json",
        "classes.png",
        "samples.png",
        "umap.png",
        "tsne.csv",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let verified = stdout(xbench().args(["data", "verify", path(&rows)]));
    assert!(verified.starts_with("ok"), "{verified}");
}

#[test]
fn what_does_not_fit_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = described(folder.path());
    // Weights that are damaged.
    let weights = root().join("plugins/models/neural/weights/garments/lenet-best.safetensors");
    let bytes = std::fs::read(weights).expect("weights");
    let cut = folder.path().join("cut.safetensors");
    std::fs::write(&cut, &bytes[..bytes.len() - 7]).expect("written");
    let suite = folder.path().join("s.yaml");
    let run_with = |models: &str, set: &str| {
        let text = format!(
            "suite: s\nversion: 1\ndata: {{set: {set}, select: {{first: 4}}}}\nmodels: [{models}]\n\
             explainers: [saliency]\ntiming: off\naccuracy: same\n"
        );
        std::fs::write(&suite, text).expect("a suite");
        refused(&["run", path(&suite), "--results", path(folder.path()), "-q"])
    };
    let error = run_with("{model: lenet, weights: cut.safetensors}", "garments");
    assert!(
        error.contains("safetensors") || error.contains("weights"),
        "{error}"
    );
    // A network for images, a table as data.
    if has("fetal-health", "a network on a table") {
        let error = refused(&[
            "train",
            "lenet",
            "--data",
            "fetal-health",
            "--out",
            path(folder.path()),
        ]);
        assert!(error.contains("input"), "{error}");
    }
    // Class names in the wrong number.
    let lenet = root().join("plugins/models/onnx/tests/fixtures/lenet.onnx");
    let models = format!("{{model: {}, params: {{classes: [a, b]}}}}", path(&lenet));
    let error = run_with(&models, "rows.toml");
    assert!(error.contains("classes"), "{error}");
    // Settings that a model does not have.
    let error = refused(&[
        "train",
        "random-forest",
        "--data",
        path(&rows),
        "--set",
        "trees=5",
        "--out",
        path(folder.path()),
    ]);
    assert!(
        error.contains("trees") && error.contains("n_trees"),
        "{error}"
    );
    // A set that is not there, options that it does not have.
    let error = refused(&["data", "describe", "busy"]);
    assert!(error.contains("busi"), "{error}");
    let error = refused(&["data", "describe", "garments{size: 3}"]);
    assert!(error.contains("size"), "{error}");
    // A label beyond the classes.
    let text = std::fs::read_to_string(&rows).expect("a description");
    std::fs::write(&rows, text.replace(", \"row 9\"", "")).expect("written");
    let error = refused(&[
        "data",
        "describe",
        path(&rows),
        "--out",
        path(&folder.path().join("d")),
    ]);
    assert!(error.contains('9') && error.contains("label"), "{error}");
}
