//! From bytes to an ONNX model whose every length has been checked.
//!
//! The engine below trusts what a file says of its sizes, so nothing reaches it before it was read
//! here: a tensor has as many elements as its shape says, and no operator makes a tensor of a size
//! that no network has.

use prost::Message as _;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use xbench_plugin::{Error, Result};

/// No tensor may have more elements: 4 GiB of f32.
pub(crate) const MAX_ELEMENTS: usize = 1 << 30;

/// Reads a model.
///
/// # Errors
/// When the bytes are not ONNX, are cut off, refer to other files, or a tensor's shape and data
/// disagree.
pub(crate) fn model(bytes: &[u8]) -> Result<ModelProto> {
    let model = ModelProto::decode(bytes).map_err(|error| {
        Error::invalid_argument(format!(
            "this is no ONNX model, or it is cut off: {error}; export or download it again"
        ))
    })?;
    let graph = model
        .graph
        .as_ref()
        .filter(|graph| !graph.node.is_empty() && !graph.output.is_empty())
        .ok_or_else(|| {
            Error::invalid_argument("this is no ONNX model: it holds no graph with an output")
        })?;
    check_graph(graph)?;
    Ok(model)
}

fn check_graph(graph: &GraphProto) -> Result<()> {
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map_or("", |values| &values.name);
        return Err(Error::invalid_argument(format!(
            "weight `{name}` is stored sparsely, which is not supported; export it as a dense tensor"
        )));
    }
    for tensor in &graph.initializer {
        check_tensor(tensor, &format!("weight `{}`", printable(&tensor.name)))?;
    }
    for node in &graph.node {
        for attribute in &node.attribute {
            check_attribute(node, attribute)?;
        }
        check_size(graph, node)?;
    }
    Ok(())
}

fn check_attribute(node: &NodeProto, attribute: &AttributeProto) -> Result<()> {
    let what = || {
        format!(
            "attribute `{}` of {}",
            printable(&attribute.name),
            title(node)
        )
    };
    for tensor in attribute.t.iter().chain(&attribute.tensors) {
        check_tensor(tensor, &what())?;
    }
    for graph in attribute.g.iter().chain(&attribute.graphs) {
        check_graph(graph)?;
    }
    Ok(())
}

fn check_tensor(tensor: &TensorProto, what: &str) -> Result<()> {
    if tensor.data_location == Some(DataLocation::External as i32) {
        let file = tensor
            .external_data
            .iter()
            .find(|entry| entry.key == "location")
            .map_or("", |entry| &entry.value);
        return Err(Error::invalid_argument(format!(
            "{what} is kept in another file, `{}`; only models in one file are supported: save it \
             with its data inside (onnx.save_model(..., save_as_external_data=False))",
            printable(file)
        )));
    }
    if tensor.segment.is_some() {
        return Err(Error::invalid_argument(format!(
            "{what} is stored in segments, which is not supported"
        )));
    }
    let count = element_count(&tensor.dims)
        .ok_or_else(|| Error::invalid_argument(format!("{what} has shape {:?}", tensor.dims)))?;
    let Ok(kind) = DataType::try_from(tensor.data_type) else {
        return Err(Error::invalid_argument(format!(
            "{what} has the unknown element type {}",
            tensor.data_type
        )));
    };
    let (size, listed) = match kind {
        DataType::Float => (4, tensor.float_data.len()),
        DataType::Double => (8, tensor.double_data.len()),
        DataType::Int64 => (8, tensor.int64_data.len()),
        DataType::Int32 => (4, tensor.int32_data.len()),
        DataType::Int16 | DataType::Uint16 | DataType::Float16 => (2, tensor.int32_data.len()),
        DataType::Int8 | DataType::Uint8 | DataType::Bool => (1, tensor.int32_data.len()),
        _ => {
            return Err(Error::invalid_argument(format!(
                "{what} is of type {}, which is not supported",
                kind.as_str_name()
            )));
        }
    };
    let fits = if tensor.raw_data.is_empty() {
        listed == count
    } else {
        count.checked_mul(size) == Some(tensor.raw_data.len())
    };
    if !fits {
        return Err(Error::invalid_argument(format!(
            "{what} has shape {:?}, but {} bytes and {listed} listed values of data; the file is \
             damaged",
            tensor.dims,
            tensor.raw_data.len()
        )));
    }
    Ok(())
}

/// Refuses operators that are told to make something huge. The engine works out constants while it
/// reads a graph, so that this has to be known before.
fn check_size(graph: &GraphProto, node: &NodeProto) -> Result<()> {
    let shape_input = match node.op_type.as_str() {
        "ConstantOfShape" => 0,
        "Expand" | "Reshape" | "Tile" => 1,
        "Range" => return check_range(graph, node),
        "Resize" => 3,
        "Pad" => return check_pads(graph, node),
        _ => return Ok(()),
    };
    let Some(shape) = node
        .input
        .get(shape_input)
        .and_then(|name| integers_of(graph, name))
    else {
        return Ok(());
    };
    let positive: Vec<i64> = shape.into_iter().filter(|&extent| extent > 0).collect();
    if element_count(&positive).is_none() {
        return Err(Error::invalid_argument(format!(
            "{} makes a tensor of {positive:?}, which is larger than any that is supported",
            title(node)
        )));
    }
    Ok(())
}

fn check_range(graph: &GraphProto, node: &NodeProto) -> Result<()> {
    let ends: Option<Vec<i64>> = node
        .input
        .iter()
        .map(|name| integers_of(graph, name)?.first().copied())
        .collect();
    if let Some([start, limit, step]) = ends.as_deref() {
        let length = limit.abs_diff(*start) / step.unsigned_abs().max(1);
        if length > MAX_ELEMENTS as u64 {
            return Err(Error::invalid_argument(format!(
                "{} counts from {start} to {limit}, which is longer than any that is supported",
                title(node)
            )));
        }
    }
    Ok(())
}

fn check_pads(graph: &GraphProto, node: &NodeProto) -> Result<()> {
    let pads = node.input.get(1).and_then(|name| integers_of(graph, name));
    let widest = pads.iter().flatten().map(|pad| pad.unsigned_abs()).max();
    if widest.is_some_and(|pad| pad > MAX_ELEMENTS as u64) {
        return Err(Error::invalid_argument(format!(
            "{} pads by {}, which makes it larger than any tensor that is supported",
            title(node),
            widest.unwrap_or(0)
        )));
    }
    Ok(())
}

/// The values of an integer constant that is written down in the graph.
fn integers_of(graph: &GraphProto, name: &str) -> Option<Vec<i64>> {
    let constant = |node: &&NodeProto| {
        node.op_type == "Constant" && node.output.first().is_some_and(|output| output == name)
    };
    let held = graph.initializer.iter().find(|tensor| tensor.name == name);
    let tensor = match held {
        Some(tensor) => tensor,
        None => {
            let node = graph.node.iter().find(constant)?;
            if let Some(ints) = node.attribute.iter().find(|a| a.name == "value_ints") {
                return Some(ints.ints.clone());
            }
            node.attribute
                .iter()
                .find(|attribute| attribute.name == "value")?
                .t
                .as_ref()?
        }
    };
    if tensor.data_type != DataType::Int64 as i32 {
        return None;
    }
    if tensor.raw_data.is_empty() {
        return Some(tensor.int64_data.clone());
    }
    let (words, _) = tensor.raw_data.as_chunks::<8>();
    Some(words.iter().map(|word| i64::from_le_bytes(*word)).collect())
}

fn element_count(dims: &[i64]) -> Option<usize> {
    dims.iter()
        .try_fold(1_usize, |product, &extent| {
            product.checked_mul(usize::try_from(extent).ok()?)
        })
        .filter(|&count| count <= MAX_ELEMENTS)
}

/// A node as messages speak of it: ``node `conv1` (Conv)``.
pub(crate) fn title(node: &NodeProto) -> String {
    let name = match (&node.name, node.output.first()) {
        (name, _) if !name.is_empty() => name,
        (_, Some(output)) => output,
        (name, None) => name,
    };
    format!("node `{}` ({})", printable(name), printable(&node.op_type))
}

/// A name out of a file, safe to print: short and without control characters.
pub(crate) fn printable(name: &str) -> String {
    name.chars()
        .take(120)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}
