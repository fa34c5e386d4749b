//! `xbench explain` on the rows of a table: of a data set, and of a file.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3};
use ndarray_npy::ReadNpyExt as _;
use serde_json::Value;
use xbench_tests::{fixtures, run, stdout, xbench};

const FEATURES: [&str; 3] = ["size", "weight, in grams", "unused"];

/// A table of our own, whose class is that exactly one of two features is large, and its description.
fn table(folder: &Path) -> PathBuf {
    let mut text = String::from("size,\"weight, in grams\",unused,kind\n");
    for row in 0..120_u32 {
        let (size, weight) = (row % 7, row * 5 % 11);
        let kind = u32::from((size > 3) != (weight > 5));
        let unused = f64::from(row * 37 % 100) / 8.0;
        text.push_str(&format!("{size},{weight},{unused},{kind}\n"));
    }
    std::fs::write(folder.join("fruit.csv"), text).expect("a table");
    let description = folder.join("fruit.toml");
    let text = "name = \"fruit\"\nkind = \"table\"\n[table]\nfile = \"fruit.csv\"\n\
                label = \"kind\"\n[[table.class]]\nvalue = \"0\"\nname = \"plum\"\n\
                [[table.class]]\nvalue = \"1\"\nname = \"quince\"\n";
    std::fs::write(&description, text).expect("a description");
    description
}

fn explain(explainers: &str, flags: &[&str]) -> std::process::Command {
    let mut command = xbench();
    command
        .args(["explain", "--model", "random-forest", "--explainer"])
        .arg(explainers)
        .arg("--plugin-path")
        .arg(fixtures())
        .args(flags);
    command
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("a folder");
    let names = files.map(|file| file.expect("a file").file_name());
    let mut names: Vec<String> = names.map(|n| n.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn refused(command: &mut std::process::Command) -> String {
    let output = run(command);
    assert_eq!(output.status.code(), Some(20), "{command:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn rows_of_a_table_are_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = format!("{}:test[5,0]", path(&table(folder.path())));
    let (out, arrays) = (folder.path().join("pictures"), folder.path().join("arrays"));
    let command = &mut explain(
        "tree-shap,kernel-shap,tree-importance",
        &["--data", &rows, "--interactions", "--out", path(&out)],
    );
    let command = command.args(["--arrays", path(&arrays)]);
    let text = stdout(command.args(["--format", "json", "--quiet"]));
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["failures"], serde_json::json!([]));
    let row = &answer["rows"][0];
    assert_eq!(row["row"], "fruit:test[5]");
    let said = &row["models"][0];
    assert!(["plum", "quince"].contains(&said["predicted"].as_str().expect("a class")));
    let probability = said["probability"].as_f64().expect("a probability");
    assert!(probability > 0.5 && probability <= 1.0, "{said}");
    // Base and attributions of Tree SHAP add up to the forest's probability.
    let shap = &said["explanations"][0];
    assert_eq!(
        (&shap["explainer"], &shap["unit"]),
        (&"tree-shap".into(), &"probability".into())
    );
    let attributions = shap["attributions"].as_object().expect("attributions");
    let sum: f64 = attributions.values().filter_map(Value::as_f64).sum();
    let base = shap["base"].as_f64().expect("a base");
    assert!((base + sum - probability).abs() < 1e-6);
    assert!(FEATURES.iter().all(|name| attributions.contains_key(*name)));
    // The base is the same for all rows of one explained class, and those of two classes sum to 1.
    let other = &answer["rows"][1]["models"][0];
    let other_base = other["explanations"][0]["base"].as_f64().expect("a base");
    let same = said["target"] == other["target"];
    let expected = if same { base } else { 1.0 - base };
    assert!((other_base - expected).abs() < 1e-6, "{base} {other_base}");

    let read = |name: &str| std::fs::File::open(arrays.join(name)).expect("an array");
    let maps = Array2::<f32>::read_npy(read("random-forest.tree-shap.npy")).expect("rows");
    let pairs = "random-forest.tree-shap.interactions.npy";
    let pairs = Array3::<f32>::read_npy(read(pairs)).expect("matrices");
    assert_eq!((maps.dim(), pairs.dim()), ((2, 3), (2, 3, 3)));
    for row in 0..2 {
        for i in 0..3 {
            let sum: f32 = (0..3).map(|j| pairs[[row, i, j]]).sum();
            assert!((sum - maps[[row, i]]).abs() < 1e-6);
            assert!((0..3).all(|j| (pairs[[row, i, j]] - pairs[[row, j, i]]).abs() < 1e-6));
        }
    }
    let values = Array2::<f32>::read_npy(read("values.npy")).expect("values");
    assert_eq!(
        row["values"]["size"].as_f64(),
        Some(f64::from(values[[0, 0]]))
    );
    let pairs = answer["interactions"][0]["pairs"]
        .as_array()
        .expect("pairs");
    assert_eq!(pairs.len(), 6);
    let csv = std::fs::read_to_string(arrays.join("random-forest.tree-shap.interactions.csv"));
    let csv = csv.expect("a table of pairs");
    assert!(csv.starts_with("feature,with,mean_abs,mean\n") && csv.lines().count() == 7);
    // The classes come of both features together.
    let apart = pairs.iter().find(|pair| pair["feature"] != pair["with"]);
    let apart = apart.expect("a pair");
    assert_eq!(
        (&apart["feature"], &apart["with"]),
        (&FEATURES[0].into(), &FEATURES[1].into())
    );
    let features = std::fs::read_to_string(arrays.join("features.csv")).expect("names");
    assert!(
        features.contains("\n1,\"weight, in grams\"\n"),
        "{features}"
    );

    let drawn = names(&out);
    let of = |explainer: &str| -> Vec<&str> {
        let start = format!("random-forest-{explainer}-");
        let kinds = drawn.iter().filter_map(|name| name.strip_prefix(&start));
        kinds.collect()
    };
    let shap = [
        "beeswarm.png",
        "interactions-fruit-test-0.png",
        "interactions-fruit-test-5.png",
        "interactions.png",
        "waterfall-fruit-test-0.png",
        "waterfall-fruit-test-5.png",
    ];
    assert_eq!(of("tree-shap"), shap);
    assert_eq!(
        of("kernel-shap").last(),
        Some(&"waterfall-fruit-test-5.png")
    );
    // The same for every row: nothing that adds up to an output.
    assert_eq!(of("tree-importance"), [""; 0]);
    assert!(drawn.contains(&"random-forest-features.png".to_owned()));
}

#[test]
fn rows_of_a_file_are_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = table(folder.path());
    let trained = ["--trained-on", path(&set)];
    let file = folder.path().join("basket.csv");
    // Columns in another order, one too many, a byte-order mark.
    let text = "\u{feff}id,unused,\"weight, in grams\",size\n7,1.5,2,6\n8,0.5,9,6\n";
    std::fs::write(&file, text).expect("a file");
    let out = folder.path().join("pictures");
    let output = run(explain("tree-shap", &trained).arg(&file).args([
        "--target",
        "quince",
        "--out",
        path(&out),
    ]));
    let (text, told) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{told}");
    assert!(text.contains("basket.csv:2"), "{text}");
    assert!(text.contains("what speaks for quince"), "{text}");
    assert!(told.contains("are left out: id"), "{told}");
    assert!(
        !text.contains("picture") && !told.contains("image"),
        "{text}{told}"
    );
    assert!(names(&out).contains(&"random-forest-tree-shap-waterfall-basket.csv-3.png".to_owned()));

    for (rows, told) in [
        (
            "size,unused\n1,2\n",
            "basket.csv:1, column \"weight, in grams\": there is no such column",
        ),
        (
            "unused,\"weight, in grams\",size\n1,2,3\n1,x,3\n",
            "basket.csv:3, column \"weight, in grams\": \"x\" is not a number",
        ),
        (
            "unused,\"weight, in grams\",size\n1,2,NaN\n",
            "basket.csv:2, column \"size\": the value is missing",
        ),
        (
            "unused,\"weight, in grams\",size\n",
            "basket.csv:2: there is no row",
        ),
    ] {
        std::fs::write(&file, rows).expect("a file");
        let error = refused(explain("tree-shap", &trained).arg(&file));
        assert!(error.contains(told), "{error}");
    }
    let many = "1,2,3\n".repeat(10_001);
    std::fs::write(&file, format!("unused,\"weight, in grams\",size\n{many}")).expect("a file");
    let error = refused(explain("tree-shap", &trained).arg(&file));
    assert!(
        error.contains("basket.csv:10002: there are 10001 rows"),
        "{error}"
    );
    let labelled = ["--target", "label"];
    std::fs::write(&file, "unused,\"weight, in grams\",size\n1,2,3\n").expect("a file");
    let error = refused(explain("tree-shap", &trained).arg(&file).args(labelled));
    assert!(error.contains("rows of a file have no label"), "{error}");
}

#[test]
fn what_does_not_fit_a_table_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = table(folder.path());
    let rows = |rows: &str| format!("{}:test[{rows}]", path(&set));
    let refused = |explainer: &str, flags: &[&str]| refused(&mut explain(explainer, flags));
    let png = refused("tree-shap", &["--data", &rows("0"), "--out", "x.png"]);
    assert!(png.contains("name a folder"), "{png}");
    let beyond = refused("tree-shap", &["--data", &rows("3,9999")]);
    assert!(beyond.contains("row 9999 was asked for"), "{beyond}");
    let twice = refused("tree-shap", &["--data", &rows("3,0..5")]);
    assert!(twice.contains("names row 3 twice"), "{twice}");
    let lime = refused("lime", &["--data", &rows("0"), "--interactions"]);
    assert!(lime.contains("name one that does: tree-shap"), "{lime}");
    let image = refused(
        "tree-shap",
        &["--data", "garments:test[0]", "--interactions"],
    );
    assert!(image.contains("garments has images"), "{image}");
    let csv = folder.path().join("fruit.csv");
    let table = refused("tree-shap", &[path(&csv)]);
    assert!(table.contains("--trained-on"), "{table}");
}
