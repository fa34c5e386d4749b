//! What a result is a result of.
//!
//! A key is the SHA-256 of a canonical JSON text of everything that determines the result and of
//! nothing else: no path, no date, no host. The *cell key* is what records carry; the *cache key*
//! of a chunk adds the bytes of the libraries and the host's version, so that a rebuilt plugin is
//! never answered from an old result. Score versions are not part of it: attributions outlive the
//! scores computed from them, and each score in a record carries its own version.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::canonical::canonical_json;

/// SHA-256 of an identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of a JSON value, however its keys are ordered and its numbers spelt.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self(Sha256::digest(canonical_json(value).as_bytes()).into())
    }

    /// The first 12 of its 64 hexadecimal digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.short())
    }
}

/// Everything that determines the attributions of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellIdentity {
    /// Name of the data set that was used, which may be the `otherwise` one.
    pub data_set: String,
    /// Content hash of the set, hexadecimal.
    pub data_hash: String,
    /// Version of the set.
    pub data_version: u32,
    /// Split.
    pub split: String,
    /// Rows of the split, as selected.
    pub rows: Vec<usize>,
    /// Target policy: `predicted`, `label` or `class 3`.
    pub target: String,
    /// Full id of the model.
    pub model_id: String,
    /// Version of the model plugin.
    pub model_version: String,
    /// Parameters of the model, with defaults.
    pub model_params: Value,
    /// Fingerprint of the weights, hexadecimal.
    pub weights_fingerprint: String,
    /// Full id of the explainer.
    pub explainer_id: String,
    /// Version of the explainer plugin.
    pub explainer_version: String,
    /// Parameters of the explainer, with defaults.
    pub explainer_params: Value,
    /// Rows of the training split that the explainer is given; empty for one that asks for none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<usize>,
    /// Seed of the suite.
    pub seed: u64,
    /// Kind of device: `cpu`.
    pub device_class: String,
}

impl CellIdentity {
    /// The cell's key.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::of(&json!({"identity": "cell/1", "cell": self}))
    }
}

/// A run of rows of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkIdentity {
    /// Key of the cell.
    pub cell: Key,
    /// Rows of the split.
    pub rows: Vec<usize>,
}

impl ChunkIdentity {
    /// Under which key the chunk's results may be reused: `libraries` are the hashes of the
    /// libraries that compute it, in any order, `host_version` is that of this program.
    #[must_use]
    pub fn cache_key(&self, libraries: &[&str], host_version: &str) -> Key {
        let mut libraries = libraries.to_vec();
        libraries.sort_unstable();
        libraries.dedup();
        Key::of(&json!({
            "identity": "chunk/1",
            "cell": self.cell.to_string(),
            "rows": self.rows,
            "libraries": libraries,
            "host_version": host_version,
        }))
    }
}

/// Seeds of an explainer's rows.
///
/// A row's seed depends on the suite's seed, the explainer with its parameters, and the row's
/// number in the split; not on the model, so that models meet the same noise, and not on chunks,
/// workers or the selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExplainerSeed(u64);

impl ExplainerSeed {
    /// The seeds of an explainer given by full id and parameters with defaults.
    #[must_use]
    pub fn new(suite_seed: u64, explainer_id: &str, params: &Value) -> Self {
        let key = Key::of(&json!({
            "identity": "seed/1", "seed": suite_seed, "explainer": explainer_id, "params": params,
        }));
        Self(
            key.0[..8]
                .iter()
                .fold(0, |seed, byte| (seed << 8) | u64::from(*byte)),
        )
    }

    /// The seed of a row of the split.
    #[must_use]
    pub fn row(self, row: usize) -> u64 {
        xbench_metrics::DrawKey::new(self.0, "row", row as u64)
            .draws(0)
            .next_u64()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn identity() -> CellIdentity {
        CellIdentity {
            data_set: "garments".into(),
            data_hash: "00ff".into(),
            data_version: 1,
            split: "test".into(),
            rows: vec![0, 1, 5],
            target: "predicted".into(),
            model_id: "org.xbench.lenet".into(),
            model_version: "0.1.0".into(),
            model_params: json!({}),
            weights_fingerprint: "aa".into(),
            explainer_id: "org.xbench.ig".into(),
            explainer_version: "0.1.0".into(),
            explainer_params: json!({"steps": 50, "baseline": 0}),
            background: vec![3],
            seed: 0,
            device_class: "cpu".into(),
        }
    }

    #[test]
    fn every_field_matters_to_the_key() {
        let Value::Object(fields) = serde_json::to_value(identity()).unwrap() else {
            panic!()
        };
        let key = |cell: &Value| Key::of(&json!({"identity": "cell/1", "cell": cell}));
        let mut keys = BTreeSet::from([identity().key()]);
        assert_eq!(keys.first(), Some(&key(&Value::Object(fields.clone()))));
        for (name, value) in &fields {
            let mut changed = fields.clone();
            let other = match value {
                Value::String(text) => json!(format!("{text}x")),
                Value::Number(n) => json!(n.as_u64().unwrap() + 1),
                Value::Array(rows) => json!(rows[1..]),
                Value::Object(_) => json!({"steps": 51}),
                _ => panic!("{name}"),
            };
            changed.insert(name.clone(), other);
            assert!(keys.insert(key(&Value::Object(changed))), "{name}");
        }
        assert_eq!(keys.len(), 17);
    }

    #[test]
    fn the_cache_key_adds_libraries_and_host() {
        let chunk = ChunkIdentity {
            cell: identity().key(),
            rows: vec![0, 1],
        };
        let key = chunk.cache_key(&["b", "a"], "1");
        assert_eq!(key, chunk.cache_key(&["a", "b", "a"], "1"));
        let rows = ChunkIdentity {
            rows: vec![0],
            ..chunk.clone()
        };
        let others = [
            chunk.cache_key(&["a"], "1"),
            chunk.cache_key(&["a", "b"], "2"),
            rows.cache_key(&["a", "b"], "1"),
        ];
        assert!(others.iter().all(|other| *other != key));
        assert_eq!(key.to_string().len(), 64);
        assert!(key.to_string().starts_with(&key.short()));
    }

    #[test]
    fn the_key_never_changes_by_accident() {
        // From an independent SHA-256 of the canonical text.
        assert_eq!(
            Key::of(&json!({})).to_string(),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }

    #[test]
    fn row_seeds_are_distinct_and_repeatable() {
        let mut seeds = BTreeSet::new();
        for suite_seed in [0, 1] {
            for id in ["a", "b"] {
                for steps in [1, 2] {
                    let seed = ExplainerSeed::new(suite_seed, id, &json!({"steps": steps}));
                    assert_eq!(
                        seed,
                        ExplainerSeed::new(suite_seed, id, &json!({"steps": f64::from(steps)}))
                    );
                    seeds.extend((0..100).map(|row| seed.row(row)));
                }
            }
        }
        assert_eq!(seeds.len(), 800);
    }

    proptest! {
        #[test]
        fn the_order_of_fields_does_not_matter(
            entries in prop::collection::btree_map("[a-z]{1,4}", any::<i32>(), 0..8),
            turn in any::<usize>(),
        ) {
            let mut shuffled: Vec<_> = entries.iter().collect();
            if !shuffled.is_empty() {
                let turn = turn % shuffled.len();
                shuffled.rotate_left(turn);
            }
            let text: Vec<String> = shuffled.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
            let value: Value = serde_json::from_str(&format!("{{{}}}", text.join(", "))).unwrap();
            prop_assert_eq!(Key::of(&json!(entries)), Key::of(&value));
        }
    }
}
