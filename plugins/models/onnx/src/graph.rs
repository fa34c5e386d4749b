//! The graph of a checked model: which node makes which tensor, in an order that can be computed.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::tensor_shape_proto::dimension::Value as Extent;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use xbench_plugin::{Error, Result};

use crate::read::{printable, title};

/// Operators of these domains are known by their type alone.
const DOMAINS: [&str; 4] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];

/// One operator.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// As messages speak of it.
    pub(crate) title: String,
    /// As the file calls it; may be empty.
    pub(crate) name: String,
    /// ONNX operator type.
    pub(crate) op: String,
    /// Names of tensors; an empty one stands for an optional input left out.
    pub(crate) inputs: Vec<String>,
    /// Names of tensors; an empty one stands for an optional output left out.
    pub(crate) outputs: Vec<String>,
    attributes: HashMap<String, AttributeProto>,
}

impl Node {
    /// An attribute as integer.
    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        self.attributes.get(name).map_or(default, |a| a.i)
    }

    /// An attribute as number.
    pub(crate) fn float(&self, name: &str, default: f32) -> f32 {
        self.attributes.get(name).map_or(default, |a| a.f)
    }

    /// An attribute as list of integers.
    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attributes.get(name).map(|a| a.ints.as_slice())
    }

    /// An attribute as text.
    pub(crate) fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.attributes
            .get(name)
            .and_then(|a| std::str::from_utf8(&a.s).ok())
            .unwrap_or(default)
    }

    /// The name of input `i`, when it is given.
    pub(crate) fn input(&self, i: usize) -> Option<&str> {
        self.inputs
            .get(i)
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }
}

/// What a file says of an input: nothing for an extent that is free.
pub(crate) type Declared = Vec<Option<usize>>;

/// A graph in computing order.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// In an order in which each comes after what it reads.
    pub(crate) nodes: Vec<Node>,
    /// Name of the one input.
    pub(crate) input: String,
    /// Its shape; none when the file does not say.
    pub(crate) declared: Option<Declared>,
    /// Names of the outputs.
    pub(crate) outputs: Vec<String>,
    /// Version of the operator set.
    pub(crate) opset: i64,
    makers: HashMap<String, usize>,
    dependent: HashSet<String>,
}

impl Graph {
    /// Reads the graph of a model.
    ///
    /// # Errors
    /// When it has not exactly one float input, reads a tensor that nothing makes, runs in a circle,
    /// or makes a tensor twice.
    pub(crate) fn new(model: &ModelProto) -> Result<Self> {
        let empty = GraphProto::default();
        let graph = model.graph.as_ref().unwrap_or(&empty);
        let held: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
        let input = the_input(graph, &held)?;
        let makers = makers(graph, &held, &input.name)?;
        let order = order(graph, &held, &input.name, &makers)?;
        let nodes = order
            .iter()
            .map(|&i| node(&graph.node[i]))
            .collect::<Result<Vec<Node>>>()?;
        let outputs: Vec<String> = graph.output.iter().map(|o| o.name.clone()).collect();
        let makers: HashMap<String, usize> = nodes
            .iter()
            .enumerate()
            .flat_map(|(i, node)| node.outputs.iter().map(move |name| (name.clone(), i)))
            .filter(|(name, _)| !name.is_empty())
            .collect();
        for output in &outputs {
            if !makers.contains_key(output) {
                return Err(Error::invalid_argument(format!(
                    "the output `{}` is made by no node",
                    printable(output)
                )));
            }
        }
        let opset = model
            .opset_import
            .iter()
            .find(|import| DOMAINS[..2].contains(&import.domain.as_str()))
            .map_or(0, |import| import.version);
        let mut graph = Graph {
            nodes,
            input: input.name.clone(),
            declared: declared(input)?,
            outputs,
            opset,
            makers,
            dependent: HashSet::new(),
        };
        graph.dependent = graph.reached_from(&graph.input);
        Ok(graph)
    }

    /// The node that makes a tensor.
    pub(crate) fn maker(&self, tensor: &str) -> Option<&Node> {
        self.makers.get(tensor).map(|&i| &self.nodes[i])
    }

    /// Does a tensor depend on the graph's input?
    pub(crate) fn depends_on_input(&self, tensor: &str) -> bool {
        self.dependent.contains(tensor)
    }

    /// A tensor and all whose values depend on it. The shape of a tensor does not count: it is the
    /// same for every example.
    pub(crate) fn reached_from(&self, tensor: &str) -> HashSet<String> {
        let mut reached = HashSet::from([tensor.to_owned()]);
        for node in &self.nodes {
            let by_shape = matches!(node.op.as_str(), "Shape" | "Size");
            if !by_shape && node.inputs.iter().any(|input| reached.contains(input)) {
                reached.extend(node.outputs.iter().filter(|o| !o.is_empty()).cloned());
            }
        }
        reached
    }

    /// A tensor and all that it depends on.
    pub(crate) fn needed_for(&self, tensor: &str) -> HashSet<String> {
        let mut needed = HashSet::from([tensor.to_owned()]);
        for node in self.nodes.iter().rev() {
            if node.outputs.iter().any(|output| needed.contains(output)) {
                needed.extend(node.inputs.iter().filter(|i| !i.is_empty()).cloned());
            }
        }
        needed
    }
}

fn the_input<'g>(graph: &'g GraphProto, held: &HashSet<&str>) -> Result<&'g ValueInfoProto> {
    let inputs: Vec<&ValueInfoProto> = graph
        .input
        .iter()
        .filter(|input| !held.contains(input.name.as_str()))
        .collect();
    match inputs[..] {
        [input] => Ok(input),
        [] => Err(Error::invalid_argument("the model has no input")),
        _ => {
            let names: Vec<String> = inputs.iter().map(|i| printable(&i.name)).collect();
            Err(Error::invalid_argument(format!(
                "the model has {} inputs, {}; only models with one are supported",
                names.len(),
                names.join(", ")
            )))
        }
    }
}

fn declared(input: &ValueInfoProto) -> Result<Option<Declared>> {
    let Some(Type::TensorType(tensor)) = input.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        return Err(Error::invalid_argument(format!(
            "the input `{}` is no tensor",
            printable(&input.name)
        )));
    };
    let kind = tract_onnx::pb::tensor_proto::DataType::try_from(tensor.elem_type);
    if kind != Ok(tract_onnx::pb::tensor_proto::DataType::Float) {
        return Err(Error::invalid_argument(format!(
            "the input `{}` is of type {}; only models that take FLOAT (f32) are supported: put a \
             Cast in front of it when exporting",
            printable(&input.name),
            kind.map_or("unknown", |kind| kind.as_str_name())
        )));
    }
    let Some(shape) = &tensor.shape else {
        return Ok(None);
    };
    let dims = shape
        .dim
        .iter()
        .map(|dim| match dim.value {
            Some(Extent::DimValue(extent)) if extent > 0 => usize::try_from(extent).ok(),
            _ => None,
        })
        .collect();
    Ok(Some(dims))
}

/// Which node makes each tensor.
fn makers<'g>(
    graph: &'g GraphProto,
    held: &HashSet<&str>,
    input: &str,
) -> Result<HashMap<&'g str, usize>> {
    let mut makers = HashMap::new();
    for (i, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            let again = makers.insert(output.as_str(), i).is_some();
            if again || held.contains(output.as_str()) || output == input {
                return Err(Error::invalid_argument(format!(
                    "{} makes the tensor `{}`, which there is already",
                    title(node),
                    printable(output)
                )));
            }
        }
    }
    Ok(makers)
}

/// Indices of the nodes, each after those whose tensors it reads (Kahn, 1962).
fn order(
    graph: &GraphProto,
    held: &HashSet<&str>,
    input: &str,
    makers: &HashMap<&str, usize>,
) -> Result<Vec<usize>> {
    let count = graph.node.len();
    let (mut waits, mut readers) = (vec![0_usize; count], vec![Vec::new(); count]);
    for (i, node) in graph.node.iter().enumerate() {
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            if let Some(&maker) = makers.get(name.as_str()) {
                waits[i] += 1;
                readers[maker].push(i);
            } else if name != input && !held.contains(name.as_str()) {
                return Err(Error::invalid_argument(format!(
                    "{} reads `{}`, which is neither a weight, nor the input, nor made by a node; \
                     the file is damaged",
                    title(node),
                    printable(name)
                )));
            }
        }
    }
    // The lowest ready index first, so that a sorted file keeps its order.
    let mut ready: std::collections::BTreeSet<usize> =
        (0..count).filter(|&i| waits[i] == 0).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(i) = ready.pop_first() {
        order.push(i);
        for &reader in &readers[i] {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.insert(reader);
            }
        }
    }
    match (0..count).find(|&i| waits[i] > 0) {
        None => Ok(order),
        Some(stuck) => Err(Error::invalid_argument(format!(
            "the graph runs in a circle through or before {}",
            title(&graph.node[stuck])
        ))),
    }
}

fn node(proto: &NodeProto) -> Result<Node> {
    if !DOMAINS.contains(&proto.domain.as_str()) {
        return Err(Error::invalid_argument(format!(
            "{} is of the operator set `{}`, which is not supported; inline the model's functions \
             (onnx.inliner) or export it without them",
            title(proto),
            printable(&proto.domain)
        )));
    }
    if proto.name.contains('\0') || proto.output.iter().any(|name| name.contains('\0')) {
        return Err(Error::invalid_argument(format!(
            "{} has a name with a zero byte in it",
            title(proto)
        )));
    }
    Ok(Node {
        title: title(proto),
        name: proto.name.clone(),
        op: proto.op_type.clone(),
        inputs: proto.input.clone(),
        outputs: proto.output.clone(),
        attributes: proto
            .attribute
            .iter()
            .map(|attribute| (attribute.name.clone(), attribute.clone()))
            .collect(),
    })
}
