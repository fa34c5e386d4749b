//! An ensemble in a small safetensors file.
//!
//! Trees are in the canonical order ([`crate::tree`]), so that one bit per node, split or leaf, gives
//! the shape; features, thresholds and gains are stored for splits, values for leaves. Thresholds
//! repeat and are numbers into a list where that is shorter. Covers of splits are stored only where
//! they are not the sums of their children's. Nothing is rounded: what is loaded equals what was saved.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use xbench_plugin::{Error, Result, TreeEnsemble};

/// Of this format.
const VERSION: u32 = 1;

/// The bytes of an ensemble in canonical order.
///
/// # Errors
/// When the ensemble is not well formed or not canonical.
pub fn save(ensemble: &TreeEnsemble) -> Result<Vec<u8>> {
    ensemble.check()?;
    let nodes = ensemble.num_nodes();
    let vector = ensemble.tree_output.first() == Some(&-1);
    let is_split = |node: &usize| ensemble.feature[*node] >= 0;
    let splits: Vec<usize> = (0..nodes).filter(is_split).collect();
    let leaves: Vec<usize> = (0..nodes).filter(|node| !is_split(node)).collect();
    let ends = ensemble.roots.iter().skip(1).copied();
    let ends = ends.chain(std::iter::once(nodes as u32));
    let sizes: Vec<u32> = ensemble
        .roots
        .iter()
        .zip(ends)
        .map(|(r, e)| e - r)
        .collect();

    let mut tensors: BTreeMap<&str, (Dtype, Vec<u8>)> = BTreeMap::new();
    let header = [
        VERSION,
        ensemble.num_features as u32,
        ensemble.num_outputs as u32,
        u32::from(ensemble.strict),
        u32::from(vector),
    ];
    tensors.insert("header", u32s(header));
    tensors.insert("base", f32s(ensemble.base.iter().copied()));
    tensors.insert("tree.nodes", u32s(sizes));
    if !vector {
        let outputs = ensemble.tree_output.iter().map(|&output| output as u32);
        tensors.insert("tree.output", u32s(outputs));
    }
    tensors.insert(
        "node.is_split",
        bits((0..nodes).map(|node| is_split(&node))),
    );
    let features = splits.iter().map(|&node| ensemble.feature[node] as u32);
    tensors.insert(
        "split.feature",
        if ensemble.num_features <= 1 << 16 {
            u16s(features)
        } else {
            u32s(features)
        },
    );
    let of_splits = |values: &[f32]| splits.iter().map(|&node| values[node]).collect::<Vec<_>>();
    let thresholds = of_splits(&ensemble.threshold);
    match numbered(&thresholds) {
        Some((list, numbers)) => {
            tensors.insert("split.threshold_list", f32s(list));
            tensors.insert("split.threshold", u16s(numbers));
        }
        None => {
            tensors.insert("split.threshold", f32s(thresholds));
        }
    }
    if ensemble.default_left.contains(&1) {
        let left = splits.iter().map(|&node| ensemble.default_left[node] != 0);
        tensors.insert("split.default_left", bits(left));
    }
    tensors.insert("split.gain", f32s(of_splits(&ensemble.gain)));
    let of_leaves = leaves.iter().map(|&node| ensemble.cover[node]);
    tensors.insert("leaf.cover", f32s(of_leaves));
    let adds_up = |&node: &usize| {
        let below = [ensemble.left[node], ensemble.right[node]].map(|c| ensemble.cover[c as usize]);
        ensemble.cover[node].to_bits() == (below[0] + below[1]).to_bits()
    };
    if !splits.iter().all(adds_up) {
        tensors.insert("split.cover", f32s(of_splits(&ensemble.cover)));
    }
    let values = ensemble.leaf_values();
    let of_leaves = leaves
        .iter()
        .flat_map(|&node| &ensemble.value[node * values..(node + 1) * values]);
    tensors.insert("leaf.value", f32s(of_leaves.copied()));

    let views = tensors
        .iter()
        .map(|(name, (dtype, bytes))| {
            let shape = vec![bytes.len() / (dtype.bitsize() / 8)];
            TensorView::new(*dtype, shape, bytes).map(|view| (*name, view))
        })
        .collect::<std::result::Result<HashMap<_, _>, _>>()
        .map_err(|e| Error::internal(format!("saving trees: {e}")))?;
    let bytes = safetensors::serialize(views, None)
        .map_err(|e| Error::internal(format!("saving trees: {e}")))?;
    // A file holds canonical trees only: what would not come back is told now.
    if load(&bytes)? == *ensemble {
        Ok(bytes)
    } else {
        Err(Error::internal(
            "saving trees: they are not in canonical order",
        ))
    }
}

/// The ensemble in some bytes.
///
/// # Errors
/// When they are no such file, are cut or damaged, or hold numbers that are not finite.
pub fn load(bytes: &[u8]) -> Result<TreeEnsemble> {
    let file =
        SafeTensors::deserialize(bytes).map_err(|e| wrong(format!("no safetensors file ({e})")))?;
    let read = Reader { file };
    let &[version, features, outputs, strict, vector] = &read.integers("header")?[..] else {
        return Err(wrong("header does not hold 5 numbers"));
    };
    if version != VERSION {
        return Err(wrong(format!(
            "format {version}, this program reads {VERSION}"
        )));
    }
    if features > i32::MAX as u32 || outputs == 0 || outputs > i32::MAX as u32 {
        return Err(wrong(format!("{features} features and {outputs} outputs")));
    }
    let (features, outputs, vector) = (features as usize, outputs as usize, vector != 0);
    let base = read.floats("base")?;
    let sizes = read.integers("tree.nodes")?;
    let mut nodes = 0usize;
    let mut roots = Vec::with_capacity(sizes.len());
    for &size in &sizes {
        roots.push(nodes as u32);
        nodes += size as usize;
        if nodes > i32::MAX as usize {
            return Err(wrong("more than 2^31 nodes"));
        }
    }
    let is_split = read.bits("node.is_split", nodes)?;
    let splits = is_split.iter().filter(|split| **split).count();
    let leaves = nodes - splits;
    let values = if vector { outputs } else { 1 };
    let tree_output = if vector {
        vec![-1; sizes.len()]
    } else {
        let outputs = read.integers("tree.output")?;
        outputs.into_iter().map(|output| output as i32).collect()
    };
    let length = |name: &str, got: usize, want: usize| {
        if got == want {
            Ok(())
        } else {
            Err(wrong(format!("{name} has {got} elements, expected {want}")))
        }
    };
    let feature = read.integers("split.feature")?;
    length("split.feature", feature.len(), splits)?;
    let threshold = read.thresholds()?;
    length("split.threshold", threshold.len(), splits)?;
    let default_left = if read.has("split.default_left") {
        read.bits("split.default_left", splits)?
    } else {
        vec![false; splits]
    };
    let gain = read.floats("split.gain")?;
    length("split.gain", gain.len(), splits)?;
    let leaf_cover = read.floats("leaf.cover")?;
    length("leaf.cover", leaf_cover.len(), leaves)?;
    let split_cover = if read.has("split.cover") {
        let cover = read.floats("split.cover")?;
        length("split.cover", cover.len(), splits)?;
        Some(cover)
    } else {
        None
    };
    let leaf_value = read.floats("leaf.value")?;
    // Checked here, so that the number of values cannot overflow below: leaves are at least as many
    // as trees.
    if leaves.checked_mul(values) != Some(leaf_value.len()) || splits > leaves {
        return Err(wrong(format!(
            "leaf.value has {} elements for {leaves} leaves of {values}",
            leaf_value.len()
        )));
    }

    let mut ensemble = TreeEnsemble {
        num_features: features,
        num_outputs: outputs,
        base,
        roots,
        tree_output,
        feature: vec![-1; nodes],
        threshold: vec![0.0; nodes],
        strict: strict != 0,
        left: vec![0; nodes],
        right: vec![0; nodes],
        default_left: vec![0; nodes],
        cover: vec![0.0; nodes],
        gain: vec![0.0; nodes],
        value: vec![0.0; nodes * values],
    };
    let (mut split, mut leaf) = (0, 0);
    let mut node = 0;
    for &size in &sizes {
        let (root, mut inner) = (node, 0);
        for _ in 0..size {
            if is_split[node] {
                ensemble.feature[node] = i32::try_from(feature[split])
                    .map_err(|_| wrong(format!("split.feature is {}", feature[split])))?;
                ensemble.threshold[node] = threshold[split];
                ensemble.default_left[node] = u8::from(default_left[split]);
                ensemble.gain[node] = gain[split];
                let left = root as u64 + 2 * inner + 1;
                // `check` refuses children outside the tree.
                ensemble.left[node] = u32::try_from(left).unwrap_or(u32::MAX);
                ensemble.right[node] = u32::try_from(left + 1).unwrap_or(u32::MAX);
                inner += 1;
                split += 1;
            } else {
                ensemble.cover[node] = leaf_cover[leaf];
                ensemble.value[node * values..(node + 1) * values]
                    .copy_from_slice(&leaf_value[leaf * values..(leaf + 1) * values]);
                leaf += 1;
            }
            node += 1;
        }
        if u64::from(size) != 2 * inner + 1 {
            return Err(wrong(format!("a tree has {size} nodes and {inner} splits")));
        }
    }
    ensemble.check()?;
    let mut split = splits;
    for node in (0..nodes).rev().filter(|&node| is_split[node]) {
        split -= 1;
        ensemble.cover[node] = match &split_cover {
            Some(cover) => cover[split],
            None => {
                ensemble.cover[ensemble.left[node] as usize]
                    + ensemble.cover[ensemble.right[node] as usize]
            }
        };
    }
    Ok(ensemble)
}

fn wrong(what: impl Into<String>) -> Error {
    Error::invalid_argument(format!("weights of trees: {}", what.into()))
}

fn u32s(values: impl IntoIterator<Item = u32>) -> (Dtype, Vec<u8>) {
    (
        Dtype::U32,
        values.into_iter().flat_map(u32::to_le_bytes).collect(),
    )
}

/// Of numbers below 2¹⁶.
fn u16s(values: impl IntoIterator<Item = u32>) -> (Dtype, Vec<u8>) {
    (
        Dtype::U16,
        values
            .into_iter()
            .flat_map(|value| (value as u16).to_le_bytes())
            .collect(),
    )
}

fn f32s(values: impl IntoIterator<Item = f32>) -> (Dtype, Vec<u8>) {
    (
        Dtype::F32,
        values.into_iter().flat_map(f32::to_le_bytes).collect(),
    )
}

/// Eight to a byte, the first in the lowest bit.
fn bits(values: impl Iterator<Item = bool>) -> (Dtype, Vec<u8>) {
    let mut bytes = Vec::new();
    for (i, value) in values.enumerate() {
        if i % 8 == 0 {
            bytes.push(0u8);
        }
        if let Some(last) = bytes.last_mut() {
            *last |= u8::from(value) << (i % 8);
        }
    }
    (Dtype::U8, bytes)
}

/// Values as a list of distinct ones, ascending, and numbers into it; none where that is not shorter.
fn numbered(values: &[f32]) -> Option<(Vec<f32>, Vec<u32>)> {
    let mut list = values.to_vec();
    list.sort_unstable_by(f32::total_cmp);
    list.dedup_by_key(|value| value.to_bits());
    if list.len() > 1 << 16 || 4 * list.len() + 2 * values.len() >= 4 * values.len() {
        return None;
    }
    let number = |value: &f32| list.partition_point(|known| known.total_cmp(value).is_lt()) as u32;
    let numbers = values.iter().map(number).collect();
    Some((list, numbers))
}

struct Reader<'a> {
    file: SafeTensors<'a>,
}

impl Reader<'_> {
    fn has(&self, name: &str) -> bool {
        self.file.tensor(name).is_ok()
    }

    fn tensor(&self, name: &str) -> Result<TensorView<'_>> {
        self.file
            .tensor(name)
            .map_err(|_| wrong(format!("no tensor '{name}'")))
    }

    fn other_type(name: &str, dtype: Dtype) -> Error {
        wrong(format!("'{name}' is of type {dtype:?}"))
    }

    fn integers(&self, name: &str) -> Result<Vec<u32>> {
        let tensor = self.tensor(name)?;
        let data = tensor.data();
        match tensor.dtype() {
            Dtype::U32 => Ok(data
                .as_chunks()
                .0
                .iter()
                .map(|b| u32::from_le_bytes(*b))
                .collect()),
            Dtype::U16 => Ok(data
                .as_chunks()
                .0
                .iter()
                .map(|b| u32::from(u16::from_le_bytes(*b)))
                .collect()),
            other => Err(Self::other_type(name, other)),
        }
    }

    fn floats(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.tensor(name)?;
        if tensor.dtype() != Dtype::F32 {
            return Err(Self::other_type(name, tensor.dtype()));
        }
        let values: Vec<f32> = tensor
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b))
            .collect();
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(i) => Err(wrong(format!("'{name}' holds {} at {i}", values[i]))),
        }
    }

    fn bits(&self, name: &str, count: usize) -> Result<Vec<bool>> {
        let tensor = self.tensor(name)?;
        if tensor.dtype() != Dtype::U8 {
            return Err(Self::other_type(name, tensor.dtype()));
        }
        let data = tensor.data();
        if data.len() != count.div_ceil(8) {
            return Err(wrong(format!(
                "'{name}' has {} bytes for {count} bits",
                data.len()
            )));
        }
        Ok((0..count)
            .map(|i| data[i / 8] >> (i % 8) & 1 == 1)
            .collect())
    }

    fn thresholds(&self) -> Result<Vec<f32>> {
        if !self.has("split.threshold_list") {
            return self.floats("split.threshold");
        }
        let list = self.floats("split.threshold_list")?;
        self.integers("split.threshold")?
            .into_iter()
            .map(|number| {
                list.get(number as usize)
                    .copied()
                    .ok_or_else(|| wrong(format!("no threshold number {number}")))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{self, Tree};
    use xbench_plugin::rng::CounterRng;

    fn ensemble(vector: bool, trees: u64) -> TreeEnsemble {
        let rng = CounterRng::new(1);
        let mut ensemble = tree::empty(9, vec![0.5, -0.5], !vector);
        let values = if vector { 2 } else { 1 };
        for t in 0..trees {
            let rng = rng.stream(t);
            let mut tree = Tree::default();
            tree.push_leaf(values);
            for i in 0..t % 7 {
                let leaves: Vec<usize> = (0..tree.len()).filter(|&n| tree.feature[n] < 0).collect();
                let node = leaves[rng.below(i, leaves.len() as u64) as usize];
                let threshold = rng.below(50 + i, 4) as f32 / 3.0;
                tree.split(
                    node,
                    (i % 9) as usize,
                    threshold,
                    rng.bits(i) & 1 == 1,
                    values,
                );
            }
            for node in 0..tree.len() {
                tree.cover[node] = rng.uniform(node as u64) as f32;
                tree.gain[node] = rng.uniform(100 + node as u64) as f32;
            }
            for (i, value) in tree.value.iter_mut().enumerate() {
                *value = rng.normal(i as u64) as f32;
            }
            let output = (!vector).then_some((t % 2) as usize);
            tree::push(&mut ensemble, &tree, output).unwrap();
        }
        ensemble
    }

    #[test]
    fn what_is_saved_comes_back() {
        for vector in [false, true] {
            for trees in [0, 1, 2, 30] {
                let ensemble = ensemble(vector && trees > 0, trees);
                let bytes = save(&ensemble).unwrap();
                assert_eq!(load(&bytes).unwrap(), ensemble);
                assert_eq!(save(&load(&bytes).unwrap()).unwrap(), bytes);
            }
        }
    }

    /// Each byte changed, each length cut: an error or another well-formed ensemble, never a panic.
    #[test]
    fn damage_is_an_error_or_harmless() {
        let bytes = save(&ensemble(false, 8)).unwrap();
        for cut in 0..bytes.len() {
            assert!(load(&bytes[..cut]).is_err());
        }
        for at in 0..bytes.len() {
            for flip in [1u8, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                if let Ok(ensemble) = load(&damaged) {
                    ensemble.check().unwrap();
                }
            }
        }
        assert!(load(b"").is_err() && load(&[0xff; 64]).is_err());
    }
}
