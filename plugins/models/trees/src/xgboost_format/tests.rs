//! Against models and figures of the Python package, and against damaged files.

use serde_json::{Value, json};
use xbench_nn::Threads;

use super::*;
use crate::importance::{Importance, importance};
use crate::predict::Predictor;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a fixture")
}

fn expected() -> Value {
    serde_json::from_slice(&fixture("expected.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    let number = |v: &Value| v.as_f64().map_or(f32::NAN, |v| v as f32);
    value.as_array().unwrap().iter().map(number).collect()
}

const MODELS: [&str; 3] = ["softprob", "logistic", "regression"];

fn margins(ensemble: &TreeEnsemble, rows: &[f32]) -> Vec<f32> {
    let n = rows.len() / ensemble.num_features;
    let mut outputs = vec![0.0; n * ensemble.num_outputs];
    Predictor::new(ensemble)
        .unwrap()
        .predict(&Threads::one(), rows, &mut outputs);
    outputs
}

#[test]
fn predictions_equal_those_of_xgboost() {
    let expected = expected();
    let rows = numbers(&expected["rows"]);
    assert!(rows.iter().any(|x| x.is_nan()));
    for name in MODELS {
        let json = from_json(&fixture(&format!("{name}.json"))).unwrap();
        let ubj = from_ubjson(&fixture(&format!("{name}.ubj"))).unwrap();
        assert_eq!(json, ubj, "{name}");
        let outputs = margins(&json, &rows);
        let want = &expected["models"][name];
        let margin: Vec<f32> = match name {
            "logistic" => outputs.chunks(2).map(|row| row[1] - row[0]).collect(),
            _ => outputs.clone(),
        };
        let prediction: Vec<f32> = match name {
            "softprob" => outputs.chunks(3).flat_map(softmax).collect(),
            "logistic" => outputs.chunks(2).map(|row| softmax(row)[1]).collect(),
            _ => outputs,
        };
        for (what, got) in [("margin", margin), ("prediction", prediction)] {
            let want = numbers(&want[what]);
            assert_eq!(got.len(), want.len());
            for (got, want) in got.iter().zip(&want) {
                assert!((got - want).abs() < 1e-5, "{name} {what}: {got} {want}");
            }
        }
    }
}

fn softmax(row: &[f32]) -> Vec<f32> {
    let top = row.iter().copied().fold(f32::MIN, f32::max);
    let e: Vec<f32> = row.iter().map(|m| (m - top).exp()).collect();
    let sum: f32 = e.iter().sum();
    e.iter().map(|e| e / sum).collect()
}

#[test]
fn importances_equal_get_score() {
    let expected = expected();
    for name in MODELS {
        let ensemble = from_json(&fixture(&format!("{name}.json"))).unwrap();
        for kind in Importance::ALL {
            let want = &expected["models"][name]["importance"][kind.name()];
            for (feature, got) in importance(&ensemble, kind).iter().enumerate() {
                let want = want[format!("f{feature}")].as_f64().unwrap_or(0.0);
                let near = (got - want).abs() <= 1e-5 * want.abs();
                assert!(near, "{name} {kind:?} {feature}: {got} {want}");
            }
        }
    }
}

#[test]
fn what_is_written_is_read() {
    for name in MODELS {
        let ensemble = from_ubjson(&fixture(&format!("{name}.ubj"))).unwrap();
        let mut again = from_json(&to_json(&ensemble).unwrap()).unwrap();
        let binary = from_ubjson(&to_ubjson(&ensemble).unwrap()).unwrap();
        assert_eq!(again, binary);
        // The base goes through a probability here.
        for (again, base) in again.base.iter_mut().zip(&ensemble.base) {
            assert!((*again - base).abs() < 1e-6);
            *again = *base;
        }
        assert_eq!(again, ensemble);
    }
    let forest = crate::tree::empty(3, vec![0.5, 0.5], false);
    assert!(to_json(&forest).unwrap_err().message().contains("forest"));
}

#[test]
fn older_and_unsupported_documents() {
    let good: Value = serde_json::from_slice(&fixture("softprob.json")).unwrap();
    let load = |change: &dyn Fn(&mut Value)| {
        let mut document = good.clone();
        change(&mut document);
        from_json(document.to_string().as_bytes())
    };
    let whole = load(&|_| {}).unwrap();
    // Version 1: truth values, no lists of categories, one base score.
    let old = load(&|document| {
        document["learner"]["learner_model_param"]["base_score"] = json!("5E-1");
        let trees = &mut document["learner"]["gradient_booster"]["model"]["trees"];
        for tree in trees.as_array_mut().unwrap() {
            let tree = tree.as_object_mut().unwrap();
            tree.retain(|name, _| !name.starts_with("categories") && name != "split_type");
            for left in tree["default_left"].as_array_mut().unwrap() {
                *left = json!(left == &json!(1));
            }
        }
    });
    let old = old.unwrap();
    assert_eq!(old.base, [0.5; 3]);
    assert_eq!(old.default_left, whole.default_left);

    let booster = "/learner/gradient_booster";
    let tree = "/learner/gradient_booster/model/trees/0";
    let cases: [(&str, String, Value); 21] = [
        ("dart", format!("{booster}/name"), json!("dart")),
        ("gblinear", format!("{booster}/name"), json!("gblinear")),
        (
            "rank:ndcg",
            "/learner/objective/name".into(),
            json!("rank:ndcg"),
        ),
        (
            "num_target",
            "/learner/learner_model_param/num_target".into(),
            json!("2"),
        ),
        (
            "base_score",
            "/learner/learner_model_param/base_score".into(),
            json!("[1,2]"),
        ),
        (
            "base_score",
            "/learner/learner_model_param/base_score".into(),
            json!("[nan,0,0]"),
        ),
        (
            "base_score",
            "/learner/learner_model_param/base_score".into(),
            json!(""),
        ),
        (
            "num_feature",
            "/learner/learner_model_param/num_feature".into(),
            json!("-1"),
        ),
        (
            "features",
            "/learner/learner_model_param/num_feature".into(),
            json!("99999999999"),
        ),
        (
            "outputs",
            "/learner/learner_model_param/num_class".into(),
            json!("99999999999"),
        ),
        (
            "of 2",
            "/learner/learner_model_param/num_feature".into(),
            json!("2"),
        ),
        (
            "of class",
            "/learner/gradient_booster/model/tree_info/1".into(),
            json!(3),
        ),
        ("categorical", format!("{tree}/split_type/0"), json!(1)),
        (
            "multi_strategy",
            format!("{tree}/tree_param/size_leaf_vector"),
            json!("3"),
        ),
        ("twice", format!("{tree}/left_children/1"), json!(0)),
        ("twice", format!("{tree}/right_children/0"), json!(1)),
        (
            "the child 4000",
            format!("{tree}/left_children/0"),
            json!(4000),
        ),
        ("the child -1", format!("{tree}/left_children/0"), json!(-1)),
        ("feature -1", format!("{tree}/split_indices/0"), json!(-1)),
        ("finite", format!("{tree}/split_conditions/0"), json!(1e300)),
        ("split_indices", format!("{tree}/split_indices"), json!([0])),
    ];
    for (part, pointer, value) in cases {
        let refused = load(&|document| {
            *document.pointer_mut(&pointer).expect(&pointer) = value.clone();
        });
        let message = refused.expect_err(&pointer).message().to_owned();
        assert!(message.contains(part), "{pointer}: {message}");
    }
    for name in ["learner", "trees", "tree_info"] {
        assert!(from_json(good.to_string().replace(name, "other").as_bytes()).is_err());
    }
    assert!(from_json(b"[1, 2").is_err() && from_json(b"{}").is_err());
}

/// Each byte changed, each length cut: an error or a well-formed ensemble, never a panic.
#[test]
fn damaged_binary_files_are_errors_or_harmless() {
    let bytes = fixture("regression.ubj");
    for cut in 0..bytes.len() {
        assert!(from_ubjson(&bytes[..cut]).is_err());
    }
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(ensemble) = from_ubjson(&damaged) {
                ensemble.check().unwrap();
            }
        }
    }
}
