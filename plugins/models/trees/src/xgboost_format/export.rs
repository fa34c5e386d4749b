//! From an ensemble to XGBoost's document.

use serde_json::{Map, Value, json};
use xbench_plugin::{Result, TreeEnsemble};

use super::ubjson::Writer;
use super::{Objective, wrong};

/// XGBoost's mark of a root's missing parent.
const NO_PARENT: i32 = i32::MAX;

/// The ensemble as XGBoost's JSON.
///
/// # Errors
/// When the leaves are vectors or rows go left at a threshold itself (a forest): XGBoost's format has
/// neither.
pub fn to_json(ensemble: &TreeEnsemble) -> Result<Vec<u8>> {
    let mut document = head(ensemble)?;
    let trees = (0..ensemble.roots.len())
        .map(|number| {
            let fields = tree(ensemble, number);
            let fields = fields
                .into_iter()
                .map(|(name, f)| (name.to_owned(), f.json()));
            Value::Object(fields.collect())
        })
        .collect();
    document["learner"]["gradient_booster"]["model"]["trees"] = Value::Array(trees);
    serde_json::to_vec(&document).map_err(|e| wrong(e.to_string()))
}

/// The ensemble as XGBoost's UBJSON.
///
/// # Errors
/// As for [`to_json`].
pub fn to_ubjson(ensemble: &TreeEnsemble) -> Result<Vec<u8>> {
    let document = head(ensemble)?;
    let mut writer = Writer::default();
    descend(&mut writer, &document, &mut |writer| {
        writer.key("trees");
        writer.begin_array(ensemble.roots.len());
        for number in 0..ensemble.roots.len() {
            writer.begin_object();
            for (name, field) in tree(ensemble, number) {
                writer.key(name);
                field.ubjson(writer);
            }
            writer.end_object();
        }
    });
    Ok(writer.bytes)
}

/// Writes the document's objects; `trees` is called within `model`, where the document has none.
fn descend(writer: &mut Writer, value: &Value, trees: &mut dyn FnMut(&mut Writer)) {
    let Value::Object(object) = value else {
        writer.value(value);
        return;
    };
    writer.begin_object();
    for (key, value) in object {
        writer.key(key);
        if key == "learner" || key == "gradient_booster" || key == "model" {
            descend(writer, value, trees);
        } else {
            writer.value(value);
        }
    }
    if object.contains_key("gbtree_model_param") {
        trees(writer);
    }
    writer.end_object();
}

/// All but the trees.
fn head(ensemble: &TreeEnsemble) -> Result<Value> {
    ensemble.check()?;
    if !ensemble.strict || ensemble.tree_output.contains(&-1) {
        return Err(wrong(
            "a forest with class frequencies in its leaves has no place in XGBoost's format; save it \
             as safetensors",
        ));
    }
    let objective = Objective::of(ensemble);
    let scores: Vec<f32> = match objective {
        Objective::Softprob | Objective::SquaredError => ensemble.base.clone(),
        Objective::Logistic => vec![1.0 / (1.0 + (-ensemble.base[1]).exp())],
    };
    let alike = scores.iter().all(|score| *score == scores[0]);
    let texts: Vec<String> = scores.iter().map(|score| format!("{score:E}")).collect();
    // A score per class came with version 3.1; one for all is read by every version.
    let (base_score, version) = if alike {
        (texts[0].clone(), json!([2, 1, 0]))
    } else {
        (format!("[{}]", texts.join(",")), json!([3, 1, 0]))
    };
    let classes = match objective {
        Objective::Softprob => ensemble.num_outputs,
        Objective::Logistic | Objective::SquaredError => 0,
    };
    let trees = ensemble.roots.len();
    let per_round = classes.max(1);
    let rounds: Vec<usize> = (0..=trees / per_round).map(|i| i * per_round).collect();
    let info: Vec<i32> = match objective {
        Objective::Softprob => ensemble.tree_output.clone(),
        Objective::Logistic | Objective::SquaredError => vec![0; trees],
    };
    let parameters = match objective {
        Objective::Softprob => json!({"name": objective.name(),
            "softmax_multiclass_param": {"num_class": classes.to_string()}}),
        Objective::Logistic | Objective::SquaredError => json!({"name": objective.name(),
            "reg_loss_param": {"scale_pos_weight": "1"}}),
    };
    Ok(json!({
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "model": {
                    "gbtree_model_param": {
                        "num_parallel_tree": "1",
                        "num_trees": trees.to_string(),
                    },
                    "iteration_indptr": rounds,
                    "tree_info": info,
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": base_score,
                "boost_from_average": "0",
                "num_class": classes.to_string(),
                "num_feature": ensemble.num_features.to_string(),
                "num_target": "1",
            },
            "objective": parameters,
        },
        "version": version,
    }))
}

/// A field of a tree; UBJSON tells the types apart.
enum Field {
    F32(Vec<f32>),
    I32(Vec<i32>),
    U8(Vec<u8>),
    /// An empty list of 64-bit integers.
    NoI64,
    Value(Value),
}

impl Field {
    fn json(self) -> Value {
        match self {
            Field::F32(values) => values.into_iter().map(shortest).collect(),
            Field::I32(values) => json!(values),
            Field::U8(values) => json!(values),
            Field::NoI64 => json!([]),
            Field::Value(value) => value,
        }
    }

    fn ubjson(self, writer: &mut Writer) {
        match self {
            Field::F32(values) => {
                let bytes = values.iter().flat_map(|value| value.to_be_bytes());
                writer.typed(b'd', values.len(), bytes);
            }
            Field::I32(values) => {
                let bytes = values.iter().flat_map(|value| value.to_be_bytes());
                writer.typed(b'l', values.len(), bytes);
            }
            Field::U8(values) => writer.typed(b'U', values.len(), values),
            Field::NoI64 => writer.typed(b'L', 0, []),
            Field::Value(value) => writer.value(&value),
        }
    }
}

/// With as many digits as tell it from other `f32`, which is fewer than its `f64` would need.
fn shortest(value: f32) -> Value {
    let value = value.to_string().parse().unwrap_or(f64::from(value));
    json!(value)
}

fn tree(ensemble: &TreeEnsemble, number: usize) -> Vec<(&'static str, Field)> {
    let root = ensemble.roots[number] as usize;
    let end = ensemble
        .roots
        .get(number + 1)
        .map_or(ensemble.num_nodes(), |&next| next as usize);
    let n = end - root;
    let inner = |node: usize| ensemble.feature[root + node] >= 0;
    let child = |children: &[u32], node: usize| {
        if inner(node) {
            (children[root + node] as usize - root) as i32
        } else {
            -1
        }
    };
    let left: Vec<i32> = (0..n).map(|node| child(&ensemble.left, node)).collect();
    let right: Vec<i32> = (0..n).map(|node| child(&ensemble.right, node)).collect();
    let mut parents = vec![NO_PARENT; n];
    for node in (0..n).filter(|&node| inner(node)) {
        parents[left[node] as usize] = node as i32;
        parents[right[node] as usize] = node as i32;
    }
    let conditions = (root..end)
        .map(|node| {
            if ensemble.feature[node] >= 0 {
                ensemble.threshold[node]
            } else {
                ensemble.value[node]
            }
        })
        .collect();
    let splits = (root..end)
        .map(|node| ensemble.feature[node].max(0))
        .collect();
    vec![
        ("base_weights", Field::F32(weights(ensemble, root, end))),
        ("categories", Field::I32(Vec::new())),
        ("categories_nodes", Field::I32(Vec::new())),
        ("categories_segments", Field::NoI64),
        ("categories_sizes", Field::NoI64),
        (
            "default_left",
            Field::U8(ensemble.default_left[root..end].to_vec()),
        ),
        ("id", Field::Value(json!(number))),
        ("left_children", Field::I32(left)),
        (
            "loss_changes",
            Field::F32(ensemble.gain[root..end].to_vec()),
        ),
        ("parents", Field::I32(parents)),
        ("right_children", Field::I32(right)),
        ("split_conditions", Field::F32(conditions)),
        ("split_indices", Field::I32(splits)),
        ("split_type", Field::U8(vec![0; n])),
        (
            "sum_hessian",
            Field::F32(ensemble.cover[root..end].to_vec()),
        ),
        (
            "tree_param",
            Field::Value(Value::Object(Map::from_iter([
                ("num_deleted".to_owned(), json!("0")),
                (
                    "num_feature".to_owned(),
                    json!(ensemble.num_features.to_string()),
                ),
                ("num_nodes".to_owned(), json!(n.to_string())),
                ("size_leaf_vector".to_owned(), json!("1")),
            ]))),
        ),
    ]
}

/// What XGBoost calls the weight of a node. Leaves have their value; inner nodes, whose weight no
/// prediction needs, the mean of their children's, weighted by cover.
fn weights(ensemble: &TreeEnsemble, root: usize, end: usize) -> Vec<f32> {
    let mut weights = ensemble.value[root..end].to_vec();
    for node in (root..end).rev() {
        if ensemble.feature[node] < 0 {
            continue;
        }
        let children = [ensemble.left[node] as usize, ensemble.right[node] as usize];
        let [l, r] = children.map(|child| f64::from(ensemble.cover[child]));
        let [wl, wr] = children.map(|child| f64::from(weights[child - root]));
        if l + r > 0.0 {
            weights[node - root] = ((l * wl + r * wr) / (l + r)) as f32;
        }
    }
    weights
}
