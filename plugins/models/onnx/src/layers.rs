//! The graph's nodes as layers.

use std::collections::HashSet;

use xbench_plugin::LayerSpec;

use crate::graph::{Graph, Node};
use crate::tensors::Tensors;

/// A layer and the tensor it is the value of.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) spec: LayerSpec,
    pub(crate) tensor: String,
    /// Index of its node.
    pub(crate) node: usize,
}

/// Axes of a layer's value behind the batch's; attention in windows has values with more, which no
/// method for layers could use.
const MOST_AXES: usize = 4;

/// All values on the way from the input to the output that have the batch axis first and one to
/// four further ones. A layer bears its node's name, or else its tensor's.
pub(crate) fn layers(graph: &Graph, tensors: &Tensors, output: &str, batch: usize) -> Vec<Layer> {
    let needed = graph.needed_for(output);
    let mut names = HashSet::new();
    let mut layers = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        for (i, tensor) in node.outputs.iter().enumerate() {
            if !needed.contains(tensor)
                || !graph.depends_on_input(tensor)
                || !tensors.is_float(tensor)
            {
                continue;
            }
            let Ok([first, shape @ ..]) = tensors.shape(tensor) else {
                continue;
            };
            if *first != batch || !(1..=MOST_AXES).contains(&shape.len()) || shape.contains(&0) {
                continue;
            }
            let candidates = [node.name.as_str(), tensor.as_str()];
            let name = candidates
                .into_iter()
                .skip(usize::from(i > 0))
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .chain((2..).map(|k| format!("{tensor}_{k}")))
                .find(|name| !names.contains(name))
                .unwrap_or_default();
            names.insert(name.clone());
            layers.push(Layer {
                spec: LayerSpec {
                    name,
                    op: operation(node, tensors, shape.len()),
                    shape: shape.to_vec(),
                },
                tensor: tensor.clone(),
                node: index,
            });
        }
    }
    layers
}

/// What a node computes, in the words that the other models use.
fn operation(node: &Node, tensors: &Tensors, rank: usize) -> String {
    let dimensional = |name: &str| format!("{name}{}d", rank.saturating_sub(1));
    let constant = |i: usize| node.input(i).is_some_and(|name| tensors.is_constant(name));
    match node.op.as_str() {
        "Conv" => dimensional("conv"),
        "ConvTranspose" => dimensional("conv_transpose"),
        "MaxPool" => dimensional("max_pool"),
        "AveragePool" => dimensional("avg_pool"),
        "GlobalAveragePool" => dimensional("global_avg_pool"),
        "GlobalMaxPool" => dimensional("global_max_pool"),
        "BatchNormalization" if rank > 1 => dimensional("batch_norm"),
        "Gemm" => "linear".to_owned(),
        "MatMul" if constant(0) || constant(1) => "linear".to_owned(),
        other => snake_case(other),
    }
}

/// `LayerNormalization` to `layer_normalization`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before_is_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && before_is_lower {
            snake.push('_');
        }
        before_is_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn operators_are_named_in_snake_case() {
        assert_eq!(snake_case("LayerNormalization"), "layer_normalization");
        assert_eq!(snake_case("Relu"), "relu");
        assert_eq!(snake_case("LRN"), "lrn");
        assert_eq!(snake_case("LeakyRelu"), "leaky_relu");
    }
}
