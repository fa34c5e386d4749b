//! The suites that come with the program, and their schema.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xbench_data::Selection;
use xbench_suite::{Accuracy, Scores, Suite, Target, schema_json};

use crate::plugins::{Shipped, Standard};

fn suites() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites")
}

#[test]
fn the_schema_is_the_published_one() {
    let path = suites().join("schema.json");
    if std::env::var_os("XBENCH_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, schema_json()).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert!(
        published == schema_json(),
        "suites/schema.json is stale: run this test with XBENCH_BLESS=1"
    );
}

#[test]
fn every_suite_is_valid_and_so_says_the_schema() {
    let schema: Value = serde_json::from_str(&schema_json()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(suites()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let suite = Suite::from_file(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            path.file_stem().unwrap().to_str(),
            Some(suite.name.as_str())
        );
        for suite in std::iter::once(&suite).chain(&suite.parts) {
            suite
                .check(&Shipped)
                .unwrap_or_else(|error| panic!("{error}"));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let wrong: Vec<String> = schema
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
        seen += 1;
    }
    assert!(seen >= 3);
    assert!(!schema.is_valid(&json!({"suite": "x", "version": 1})));
}

#[test]
fn fashion_says_what_it_says() {
    let suite = Suite::from_file(&suites().join("fashion.yaml")).unwrap();
    assert_eq!(suite.data.select, Selection::Balanced(256));
    assert_eq!(
        suite.data.otherwise.as_ref().map(|set| set.name.as_str()),
        Some("garments")
    );
    assert_eq!(
        (suite.accuracy, suite.target, suite.seed, suite.chunk),
        (Accuracy::All, Target::Predicted, 0, 64)
    );
    assert_eq!(suite.scores, Scores::Standard);
    let checked = suite.check(&Standard).unwrap();
    assert_eq!(checked.plan.cells.len(), 2 * 15);
    let unsupported: Vec<String> = checked
        .plan
        .cells
        .iter()
        .filter_map(|cell| {
            let why = cell.unsupported.as_ref()?;
            Some(format!(
                "{} × {}: {why}",
                checked.models[cell.model].label, checked.explainers[cell.explainer].label
            ))
        })
        .collect();
    assert_eq!(unsupported, ["lenet × cam: needs xbench.model.linear/1"]);
    assert_eq!(checked.models[0].preset.as_deref(), Some("best"));
    let ig = checked
        .explainers
        .iter()
        .find(|explainer| explainer.label == "ig")
        .unwrap();
    assert_eq!(ig.params, json!({"steps": 50, "baseline": 0}));
    assert_eq!(ig.plugin.id, "org.xbench.ig");
    assert_eq!(
        checked
            .explainers
            .iter()
            .filter(|explainer| explainer.plugin.control)
            .count(),
        6
    );
    let ranking: Vec<&str> = checked.ranking.iter().map(|score| score.id).collect();
    assert_eq!(
        ranking,
        ["deletion_auc", "insertion_auc", "faithfulness_correlation"]
    );
}
