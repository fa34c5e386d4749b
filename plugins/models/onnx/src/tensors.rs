//! What is known of a graph's tensors before any picture is seen: shapes, types, and the values of
//! those that no picture changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{ModelProto, TensorProto};
use xbench_plugin::{Error, Result};

use crate::engine::{Engine, Values};
use crate::graph::Graph;
use crate::read::printable;

#[derive(Debug)]
enum Constant {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
    /// Stands in the file, at this place.
    Weight(usize),
    Other,
}

#[derive(Debug)]
struct Known {
    shape: Vec<usize>,
    float: bool,
    value: Option<Constant>,
}

/// The tensors of a graph.
#[derive(Debug)]
pub(crate) struct Tensors {
    proto: Arc<ModelProto>,
    known: HashMap<String, Known>,
}

impl Tensors {
    /// Computes all tensors that the outputs need, once, for the input `x`.
    ///
    /// # Errors
    /// When the graph cannot be computed.
    pub(crate) fn probe(
        proto: Arc<ModelProto>,
        graph: &Graph,
        engine: &Engine,
        x: &[f32],
    ) -> Result<Self> {
        let needed: HashSet<String> = graph
            .outputs
            .iter()
            .flat_map(|output| graph.needed_for(output))
            .collect();
        let weights = proto.graph.iter().flat_map(|graph| &graph.initializer);
        let mut known: HashMap<String, Known> = weights
            .enumerate()
            .filter(|(_, tensor)| needed.contains(&tensor.name))
            .map(|(i, tensor)| (tensor.name.clone(), weight(i, tensor)))
            .collect();
        let made: Vec<&str> = graph
            .nodes
            .iter()
            .filter(|node| node.outputs.iter().any(|name| needed.contains(name)))
            .flat_map(|node| &node.outputs)
            .filter(|name| !name.is_empty())
            .map(String::as_str)
            .chain([graph.input.as_str()])
            .collect();
        let values = engine.plan(made.iter().copied())?.run(x)?;
        for name in made {
            let value = (!graph.depends_on_input(name)).then(|| constant(&values, name));
            known.insert(
                name.to_owned(),
                Known {
                    shape: values.shape(name)?.to_vec(),
                    float: values.is_float(name),
                    value,
                },
            );
        }
        Ok(Tensors { proto, known })
    }

    fn get(&self, name: &str) -> Result<&Known> {
        self.known.get(name).ok_or_else(|| {
            Error::internal(format!(
                "nothing is known of the tensor `{}`",
                printable(name)
            ))
        })
    }

    /// Shape of a tensor for one example, the batch axis included.
    ///
    /// # Errors
    /// When there is no such tensor.
    pub(crate) fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.get(name)?.shape)
    }

    /// Is a tensor of f32?
    pub(crate) fn is_float(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|known| known.float)
    }

    /// Is a tensor the same for every picture?
    pub(crate) fn is_constant(&self, name: &str) -> bool {
        self.known
            .get(name)
            .is_some_and(|known| known.value.is_some())
    }

    /// The values of a constant f32 tensor.
    ///
    /// # Errors
    /// When it depends on the picture or is of another type.
    pub(crate) fn floats(&self, name: &str) -> Result<Vec<f32>> {
        match &self.get(name)?.value {
            Some(Constant::Floats(values)) => Ok(values.clone()),
            Some(Constant::Weight(i)) => self
                .weight(*i)
                .filter(|tensor| tensor.data_type == DataType::Float as i32)
                .map(floats_of)
                .ok_or_else(|| unreadable(name, true, "f32")),
            value => Err(unreadable(name, value.is_some(), "f32")),
        }
    }

    /// The values of a constant tensor of integers or truth values.
    ///
    /// # Errors
    /// When it depends on the picture or is of another type.
    pub(crate) fn integers(&self, name: &str) -> Result<Vec<i64>> {
        match &self.get(name)?.value {
            Some(Constant::Integers(values)) => Ok(values.clone()),
            Some(Constant::Weight(i)) => self
                .weight(*i)
                .and_then(integers_of)
                .ok_or_else(|| unreadable(name, true, "integer")),
            value => Err(unreadable(name, value.is_some(), "integer")),
        }
    }

    fn weight(&self, i: usize) -> Option<&TensorProto> {
        self.proto.graph.as_ref()?.initializer.get(i)
    }
}

fn unreadable(name: &str, constant: bool, kind: &str) -> Error {
    let why = if constant {
        "is not of a type that can be read as"
    } else {
        "depends on the picture, where gradients need a constant of"
    };
    Error::unimplemented(format!("`{}` {why} {kind}", printable(name)))
}

fn weight(place: usize, tensor: &TensorProto) -> Known {
    Known {
        shape: tensor
            .dims
            .iter()
            .map(|&extent| usize::try_from(extent).unwrap_or(0))
            .collect(),
        float: tensor.data_type == DataType::Float as i32,
        value: Some(Constant::Weight(place)),
    }
}

fn constant(values: &Values, name: &str) -> Constant {
    if let Ok(floats) = values.floats(name) {
        return Constant::Floats(floats.to_vec());
    }
    values
        .integers(name)
        .map_or(Constant::Other, Constant::Integers)
}

/// The values of an f32 tensor of the file, which was checked when it was read.
pub(crate) fn floats_of(tensor: &TensorProto) -> Vec<f32> {
    if tensor.raw_data.is_empty() {
        return tensor.float_data.clone();
    }
    let (words, _) = tensor.raw_data.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

fn integers_of(tensor: &TensorProto) -> Option<Vec<i64>> {
    let raw = &tensor.raw_data;
    match DataType::try_from(tensor.data_type).ok()? {
        DataType::Int64 if raw.is_empty() => Some(tensor.int64_data.clone()),
        DataType::Int64 => {
            let (words, _) = raw.as_chunks::<8>();
            Some(words.iter().map(|word| i64::from_le_bytes(*word)).collect())
        }
        DataType::Int32 | DataType::Bool if raw.is_empty() => {
            Some(tensor.int32_data.iter().map(|&i| i64::from(i)).collect())
        }
        DataType::Int32 => {
            let (words, _) = raw.as_chunks::<4>();
            Some(
                words
                    .iter()
                    .map(|word| i64::from(i32::from_le_bytes(*word)))
                    .collect(),
            )
        }
        DataType::Bool => Some(raw.iter().map(|&byte| i64::from(byte)).collect()),
        _ => None,
    }
}
