//! Weights drawn anew, for sanity checks of explanations.

use std::collections::HashSet;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{ModelProto, TensorProto};
use xbench_plugin::rng::CounterRng;

use crate::graph::{Graph, Node};
use crate::tensors::floats_of;

/// Indices of the weights that a node reads, itself or through operators on constants. Statistics of
/// batch normalisation are no weights, nor are single numbers.
pub(crate) fn weights_of(graph: &Graph, node: &Node, proto: &ModelProto) -> Vec<usize> {
    let inputs = if node.op == "BatchNormalization" {
        3
    } else {
        node.inputs.len()
    };
    let needed: HashSet<String> = node
        .inputs
        .iter()
        .take(inputs)
        .filter(|name| !name.is_empty() && !graph.depends_on_input(name))
        .flat_map(|name| graph.needed_for(name))
        .collect();
    let initializers = proto.graph.iter().flat_map(|graph| &graph.initializer);
    initializers
        .enumerate()
        .filter(|(_, tensor)| {
            tensor.data_type == DataType::Float as i32
                && tensor.dims.iter().product::<i64>() > 1
                && needed.contains(&tensor.name)
        })
        .map(|(i, _)| i)
        .collect()
}

/// Draws the weight at `place` from a normal distribution of the same mean and variance as the
/// `original`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to f32 is what is meant"
)]
pub(crate) fn redraw(original: &TensorProto, seed: u64, place: usize) -> TensorProto {
    let values = floats_of(original);
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = values
        .iter()
        .map(|&v| (f64::from(v) - mean).powi(2))
        .sum::<f64>()
        / n;
    let rng = CounterRng::new(seed).stream(place as u64);
    let raw_data = (0..values.len() as u64)
        .flat_map(|i| ((mean + variance.sqrt() * rng.normal(i)) as f32).to_le_bytes())
        .collect();
    TensorProto {
        dims: original.dims.clone(),
        data_type: original.data_type,
        name: original.name.clone(),
        raw_data,
        ..TensorProto::default()
    }
}
