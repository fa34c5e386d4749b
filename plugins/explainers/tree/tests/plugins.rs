//! The explainers of the library, driven as the host drives them.

use xbench_explainers_trees::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestBatch, TestHost, TestModel};
use xbench_plugin::{
    Context, Flags, Meta, Model, ModelSpec, NoParams, OutputKind, Plugin, Result, TensorRef,
    TreeEnsemble, Trees, test_model,
};

const TREE_SHAP: &str = "org.xbench.tree-shap";
const TREE_IMPORTANCE: &str = "org.xbench.tree-importance";
const PERMUTATION: &str = "org.xbench.permutation-importance";

/// Output 0 is 2 x0 - x1 at 0 and 1; output 1 is x1. Features 2 and 3 play no part.
fn ensemble() -> TreeEnsemble {
    TreeEnsemble {
        num_features: 4,
        num_outputs: 2,
        base: vec![0.0; 2],
        roots: vec![0, 3, 6],
        tree_output: vec![0, 0, 1],
        feature: vec![0, -1, -1, 1, -1, -1, 1, -1, -1],
        threshold: vec![0.5; 9],
        strict: true,
        left: vec![1, 0, 0, 4, 0, 0, 7, 0, 0],
        right: vec![2, 0, 0, 5, 0, 0, 8, 0, 0],
        default_left: vec![0; 9],
        cover: vec![8.0, 4.0, 4.0, 8.0, 6.0, 2.0, 8.0, 6.0, 2.0],
        gain: vec![3.0, 0.0, 0.0, 2.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        value: vec![0.0, 0.0, 2.0, 0.0, 0.0, -1.0, 0.0, 0.0, 1.0],
    }
}

macro_rules! model {
    ($type:ident, $id:literal) => {
        struct $type(ModelSpec, TreeEnsemble);

        impl $type {
            fn new() -> Self {
                let spec = ModelSpec {
                    input_shape: vec![4],
                    layout: c"tabular",
                    outputs: 2,
                    output_kind: OutputKind::Logits,
                };
                Self(spec, ensemble())
            }
        }

        impl Plugin for $type {
            const META: Meta = Meta {
                id: $id,
                name: c"Test",
                version: c"1.0.0",
                license: c"MIT",
                citation: c"none",
                summary: c"A model of the test.",
                flags: Flags::NONE,
                max_batch: 0,
            };
            type Params = NoParams;

            fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
                Ok(Self::new())
            }
        }

        impl Model for $type {
            fn spec(&self) -> &ModelSpec {
                &self.0
            }

            fn predict(&self, _: &Context<'_>, x: TensorRef<'_>, y: &mut [f32]) -> Result<()> {
                for (row, y) in x.data().chunks(4).zip(y.chunks_mut(2)) {
                    self.1.outputs(row, y);
                }
                Ok(())
            }
        }
    };
}

model!(Forest, c"org.xbench.test.forest");
model!(Closed, c"org.xbench.test.closed");

impl Trees for Forest {
    fn trees(&self) -> &TreeEnsemble {
        &self.1
    }
}

fn forest() -> TestModel {
    test_model!(Forest::new(), Forest: Trees).expect("a sound model")
}

const ROWS: [f32; 8] = [1.0, 0.0, 7.0, 0.0, 1.0, 1.0, 0.0, 0.0];

fn explain(
    model: &TestModel,
    id: &str,
    params: &str,
    target: &[i64],
    background: Option<&[f32]>,
) -> Result<Vec<f32>> {
    let host = TestHost::new(&entry)?;
    let shape = background.map_or([0, 4], |rows| [rows.len() / 4, 4]);
    let background = match background {
        Some(rows) => Some(TensorRef::new(&shape, rows)?),
        None => None,
    };
    let input = [target.len(), 4];
    let batch = TestBatch {
        x: TensorRef::new(&input, &ROWS[..4 * target.len()])?,
        target,
        seed: &[3, 4][..target.len()],
        mask: None,
        background,
    };
    let (map, _) = host.explainer(id, params)?.explain_batch(model, &batch)?;
    Ok(map.into_data())
}

#[test]
fn tree_shap_by_hand() {
    let model = forest();
    // Means by cover: x0's tree 1, x1's trees -0.25 and 0.25.
    let unused = Some(&[9.0; 4][..]);
    let map = explain(&model, TREE_SHAP, "{}", &[0, 1], unused).unwrap();
    assert_eq!(map, [1.0, 0.25, 0.0, 0.0, 0.0, 0.75, 0.0, 0.0]);
    let interventional = r#"{"method": "interventional"}"#;
    let background = [0.0, 1.0, 0.0, 0.0];
    let map = explain(
        &model,
        TREE_SHAP,
        interventional,
        &[0, 1],
        Some(&background),
    )
    .unwrap();
    assert_eq!(map, [2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    // Sums of functions of one feature each do not interact.
    let main = explain(&model, TREE_SHAP, r#"{"effect": "main"}"#, &[0], unused).unwrap();
    assert_eq!(main, [1.0, 0.25, 0.0, 0.0]);
    let rest = explain(
        &model,
        TREE_SHAP,
        r#"{"effect": "interaction"}"#,
        &[0],
        unused,
    )
    .unwrap();
    assert!(rest.iter().all(|value| value.abs() < 1e-12), "{rest:?}");
    let with = explain(
        &model,
        TREE_SHAP,
        r#"{"interactions_with": 1}"#,
        &[0, 1],
        unused,
    )
    .unwrap();
    assert_eq!(with, [0.0, 0.25, 0.0, 0.0, 0.0, 0.75, 0.0, 0.0]);
}

#[test]
fn tree_importance_is_the_same_for_every_row() {
    let model = forest();
    for (kind, want) in [
        ("gain", [3.0, 1.5, 0.0, 0.0]),
        ("total_gain", [3.0, 3.0, 0.0, 0.0]),
        ("cover", [8.0, 8.0, 0.0, 0.0]),
        ("total_cover", [8.0, 16.0, 0.0, 0.0]),
        ("splits", [1.0, 2.0, 0.0, 0.0]),
    ] {
        let params = format!(r#"{{"kind": "{kind}"}}"#);
        let map = explain(&model, TREE_IMPORTANCE, &params, &[0, 1], None).unwrap();
        assert_eq!(map, [want, want].concat(), "{kind}");
    }
}

/// A column of as many zeros as ones, shuffled, changes in half of the places on average.
#[test]
fn permutation_importance_of_a_sum() {
    // Any model will do; this one shows no trees.
    let model = test_model!(Closed::new(), Closed).expect("a sound model");
    let background: Vec<f32> = (0..20)
        .flat_map(|row| [(row % 2) as f32, (row / 10) as f32, 4.0, row as f32])
        .collect();
    let params = r#"{"repeats": 500}"#;
    let map = explain(&model, PERMUTATION, params, &[0, 1], Some(&background)).unwrap();
    // The changed share of a shuffle has a standard deviation of about 0.11 here; five standard
    // errors over 500 shuffles.
    let bound = 5.0 * 0.115 / 500.0_f32.sqrt();
    for (got, weight) in map.iter().zip([2.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]) {
        assert!((got - 0.5 * weight).abs() <= bound * weight, "{map:?}");
    }
    // The same whatever the batch; other shuffles for another seed.
    let alone = explain(&model, PERMUTATION, params, &[0], Some(&background)).unwrap();
    assert_eq!(alone, map[..4]);
    let other = r#"{"repeats": 500, "seed": 1}"#;
    let other = explain(&model, PERMUTATION, other, &[0], Some(&background)).unwrap();
    assert_ne!(other, alone);
}

#[test]
fn what_is_missing_is_named() {
    let closed = test_model!(Closed::new(), Closed).expect("a sound model");
    let model = forest();
    let why = |model, id, params, background| {
        let error = explain(model, id, params, &[0], background).unwrap_err();
        error.message().to_owned()
    };
    let one = Some(&[0.0; 4][..]);
    assert!(why(&closed, TREE_SHAP, "{}", one).contains("xbench.model.trees/1"));
    assert!(why(&closed, TREE_IMPORTANCE, "{}", None).contains("xbench.model.trees/1"));
    assert!(why(&model, TREE_SHAP, "{}", None).contains("background"));
    assert!(why(&model, PERMUTATION, "{}", None).contains("background"));
    assert!(why(&model, PERMUTATION, "{}", one).contains("at least 2"));
    assert!(why(&model, TREE_SHAP, r#"{"effect": "sum"}"#, one).contains("interaction"));
    let beyond = r#"{"interactions_with": 4}"#;
    assert!(why(&model, TREE_SHAP, beyond, one).contains("feature 4"));
    let both = r#"{"interactions_with": 1, "effect": "main"}"#;
    assert!(why(&model, TREE_SHAP, both, one).contains("leave one out"));
}
