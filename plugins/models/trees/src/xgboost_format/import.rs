//! From XGBoost's document to an ensemble.

use serde_json::Value;
use xbench_plugin::{Result, TreeEnsemble};

use super::{Objective, wrong};
use crate::tree::{self, Tree};

/// Outputs and features are numbers in the file that nothing else bounds.
const MOST: usize = 1 << 24;

pub(super) fn ensemble(document: &Value) -> Result<TreeEnsemble> {
    let learner = document
        .get("learner")
        .ok_or_else(|| wrong("no 'learner': this is no model of XGBoost's JSON or UBJSON"))?;
    let objective = objective(learner)?;
    let parameters = field(learner, "learner_model_param")?;
    if let Some(targets) = optional_count(parameters, "num_target")?
        && targets > 1
    {
        return Err(wrong(format!(
            "num_target is {targets}: one target is supported"
        )));
    }
    let features = count(parameters, "num_feature")?;
    let classes = optional_count(parameters, "num_class")?.unwrap_or(0);
    let outputs = match objective {
        Objective::Softprob => classes.max(1),
        Objective::Logistic => 2,
        Objective::SquaredError => 1,
    };
    if features > MOST || outputs > MOST {
        return Err(wrong(format!("{features} features and {outputs} outputs")));
    }
    let base = base(parameters, objective, outputs)?;

    let booster = field(learner, "gradient_booster")?;
    match booster.get("name").and_then(Value::as_str) {
        Some("gbtree") => {}
        Some(other @ ("dart" | "gblinear")) => {
            return Err(wrong(format!(
                "the booster {other} is not supported, gbtree is"
            )));
        }
        other => return Err(wrong(format!("unknown booster {other:?}"))),
    }
    let model = field(booster, "model")?;
    let trees = array(model, "trees")?;
    let info = integers(model, "tree_info")?;
    if info.len() != trees.len() {
        return Err(wrong(format!(
            "{} trees, tree_info has {}",
            trees.len(),
            info.len()
        )));
    }
    let mut ensemble = tree::empty(features, base, true);
    for (number, (tree, class)) in trees.iter().zip(info).enumerate() {
        let place = |e: xbench_plugin::Error| e.context(&format!("tree {number}"));
        let output = match objective {
            Objective::Softprob => usize::try_from(class).unwrap_or(usize::MAX),
            Objective::Logistic => 1,
            Objective::SquaredError => 0,
        };
        if output >= outputs {
            return Err(place(wrong(format!("it is of class {class} of {outputs}"))));
        }
        let tree = read_tree(tree, features).map_err(place)?;
        tree::push(&mut ensemble, &tree, Some(output)).map_err(place)?;
    }
    ensemble.check()?;
    Ok(ensemble)
}

fn objective(learner: &Value) -> Result<Objective> {
    let name = field(learner, "objective")?
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match name {
        "multi:softprob" | "multi:softmax" => Ok(Objective::Softprob),
        "binary:logistic" => Ok(Objective::Logistic),
        "reg:squarederror" | "reg:linear" => Ok(Objective::SquaredError),
        other => Err(wrong(format!(
            "the objective '{other}' is not supported; there are multi:softprob, multi:softmax, \
             binary:logistic and reg:squarederror"
        ))),
    }
}

/// `base_score` in margin space: a number in a string, or from version 3.1 on a list in a string.
fn base(parameters: &Value, objective: Objective, outputs: usize) -> Result<Vec<f32>> {
    let given = parameters.get("base_score");
    let bad = || wrong(format!("base_score is {}", given.unwrap_or(&Value::Null)));
    let text = match given {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => return Err(bad()),
    };
    let list = text.trim().trim_start_matches('[').trim_end_matches(']');
    let scores = list
        .split(',')
        .map(|score| score.trim().trim_matches('"').parse::<f32>())
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|_| bad())?;
    if !scores.iter().all(|score| score.is_finite()) {
        return Err(bad());
    }
    match (objective, &scores[..]) {
        (Objective::Logistic, &[p]) if p > 0.0 && p < 1.0 => Ok(vec![0.0, -(1.0 / p - 1.0).ln()]),
        (Objective::Softprob | Objective::SquaredError, &[score]) => Ok(vec![score; outputs]),
        (Objective::Softprob, scores) if scores.len() == outputs => Ok(scores.to_vec()),
        _ => Err(bad()),
    }
}

fn read_tree(tree: &Value, features: usize) -> Result<Tree> {
    if let Some(size) = tree
        .get("tree_param")
        .and_then(|parameters| optional_count(parameters, "size_leaf_vector").transpose())
        && size? > 1
    {
        return Err(wrong(
            "leaves are vectors (multi_strategy), which is not supported",
        ));
    }
    let left = integers(tree, "left_children")?;
    let right = integers(tree, "right_children")?;
    let split = integers(tree, "split_indices")?;
    let condition = floats(tree, "split_conditions")?;
    let default_left = integers(tree, "default_left")?;
    let n = left.len();
    // Missing in some early versions; needed for importances alone.
    let or_zeros = |name: &str| match tree.get(name) {
        Some(_) => floats(tree, name),
        None => Ok(vec![0.0; n]),
    };
    let gain = or_zeros("loss_changes")?;
    let cover = or_zeros("sum_hessian")?;
    if tree.get("split_type").is_some()
        && integers(tree, "split_type")?.iter().any(|&kind| kind != 0)
    {
        return Err(wrong("categorical splits are not supported"));
    }
    let lengths = [
        ("right_children", right.len()),
        ("split_indices", split.len()),
        ("split_conditions", condition.len()),
        ("default_left", default_left.len()),
        ("loss_changes", gain.len()),
        ("sum_hessian", cover.len()),
    ];
    if let Some((name, length)) = lengths.iter().find(|(_, length)| *length != n) {
        return Err(wrong(format!(
            "{name} has {length} elements, left_children {n}"
        )));
    }
    let mut read = Tree::default();
    for node in 0..n {
        read.push_leaf(1);
        read.cover[node] = cover[node];
        if left[node] == -1 && right[node] == -1 {
            read.value[node] = condition[node];
            continue;
        }
        let child = |child: i64| {
            u32::try_from(child)
                .ok()
                .filter(|&child| (child as usize) < n)
                .ok_or_else(|| wrong(format!("node {node} has the child {child} of {n}")))
        };
        read.left[node] = child(left[node])?;
        read.right[node] = child(right[node])?;
        let feature = usize::try_from(split[node]).unwrap_or(usize::MAX);
        if feature >= features {
            return Err(wrong(format!(
                "node {node} compares feature {} of {features}",
                split[node]
            )));
        }
        read.feature[node] = feature as i32;
        read.threshold[node] = condition[node];
        read.default_left[node] = u8::from(default_left[node] != 0);
        read.gain[node] = gain[node];
    }
    Ok(read)
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a Value> {
    value.get(name).ok_or_else(|| wrong(format!("no '{name}'")))
}

fn array<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    field(value, name)?
        .as_array()
        .ok_or_else(|| wrong(format!("'{name}' is no list")))
}

/// Numbers that XGBoost writes as strings.
fn optional_count(value: &Value, name: &str) -> Result<Option<usize>> {
    let Some(value) = value.get(name) else {
        return Ok(None);
    };
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|n| usize::try_from(n).ok()),
    }
    .map(Some)
    .ok_or_else(|| wrong(format!("'{name}' is {value}")))
}

fn count(value: &Value, name: &str) -> Result<usize> {
    optional_count(value, name)?.ok_or_else(|| wrong(format!("no '{name}'")))
}

fn integers(value: &Value, name: &str) -> Result<Vec<i64>> {
    array(value, name)?
        .iter()
        .map(|value| match value {
            // Version 1 writes `default_left` so.
            Value::Bool(value) => Some(i64::from(*value)),
            other => other.as_i64(),
        })
        .collect::<Option<_>>()
        .ok_or_else(|| wrong(format!("'{name}' holds what is no integer")))
}

fn floats(value: &Value, name: &str) -> Result<Vec<f32>> {
    array(value, name)?
        .iter()
        .map(|value| {
            let value = value.as_f64()? as f32;
            value.is_finite().then_some(value)
        })
        .collect::<Option<_>>()
        .ok_or_else(|| wrong(format!("'{name}' holds what is no finite number")))
}
