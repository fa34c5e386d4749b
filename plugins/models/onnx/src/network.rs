//! A loaded model: predictions, activations and gradients of rows.

use std::sync::{Arc, Mutex, PoisonError};

use tract_onnx::pb::ModelProto;
use xbench_plugin::{Error, Result};

use crate::classes;
use crate::engine::{Engine, Plan};
use crate::graph::Graph;
use crate::input::Input;
use crate::layers::{Layer, layers};
use crate::params::OnnxParams;
use crate::read::printable;
use crate::tape::{ReluRule, Tape};
use crate::tensors::Tensors;

/// Plans kept; each holds a copy of the weights in the order its loops want.
const KEPT: usize = 4;

/// A network ready to be asked.
pub(crate) struct Network {
    graph: Graph,
    engine: Engine,
    tensors: Tensors,
    input: Input,
    /// The tensor that the outputs are read from.
    output: String,
    /// For each class of the data, its place in that tensor.
    order: Option<Vec<usize>>,
    layers: Vec<Layer>,
    plans: Recent<Plan>,
    backward: Recent<Backward>,
}

/// A forward pass that keeps what the reverse pass reads, and that.
struct Backward {
    plan: Plan,
    tape: Tape,
}

/// A gradient for one row, and the value it was taken at.
pub(crate) struct RowGradient {
    pub(crate) value: Option<Vec<f32>>,
    pub(crate) gradient: Vec<f32>,
}

impl Network {
    /// Prepares a model for data of the shape that `params` tells.
    ///
    /// # Errors
    /// When the data do not fit its input or its outputs the classes, or it cannot be computed.
    pub(crate) fn new(params: &OnnxParams, proto: &Arc<ModelProto>) -> Result<Self> {
        let graph = Graph::new(proto)?;
        let input = Input::new(params, graph.declared.as_ref())?;
        if input.copies() > 1 {
            // A file that fixes the batch often computes single examples just as well.
            let single = Self::with_input(params, proto, graph.clone(), input.single());
            if let Ok(network) = single {
                return Ok(network);
            }
        }
        Self::with_input(params, proto, graph, input)
    }

    fn with_input(
        params: &OnnxParams,
        proto: &Arc<ModelProto>,
        graph: Graph,
        input: Input,
    ) -> Result<Self> {
        let engine = Engine::new(proto, &graph, input.shape())?;
        let middle = vec![0.5; params.input.iter().product()];
        let x = input.forward(&middle);
        let tensors = Tensors::probe(Arc::clone(proto), &graph, &engine, &x)?;
        let copies = input.copies();
        let chosen = output(params, &graph, &tensors, copies)?;
        let output = head(params, &graph, &chosen);
        let found = outputs(&tensors, &output, copies).unwrap_or(0);
        let order = classes::order(params, found)?;
        let layers = layers(&graph, &tensors, &output, copies);
        let network = Network {
            engine,
            input,
            layers,
            output,
            order,
            graph,
            tensors,
            plans: Recent::new(),
            backward: Recent::new(),
        };
        let mut outputs = vec![0.0; params.outputs];
        network.predict(&middle, &mut outputs)?;
        if params.output == "auto" && probable(&outputs) {
            return Err(Error::invalid_argument(format!(
                "the output `{}` seems to give probabilities, though it does not end in Softmax; set \
                 `output: probabilities`, or `output: logits` if it does not",
                printable(&network.output)
            )));
        }
        Ok(network)
    }

    /// In forward order.
    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The graph.
    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The layer of this name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn layer(&self, name: &str) -> Result<&Layer> {
        self.layers
            .iter()
            .find(|layer| layer.spec.name == name)
            .ok_or_else(|| Error::not_found(format!("no layer `{}`", printable(name))))
    }

    fn forward(&self, tensor: &str) -> Result<Arc<Plan>> {
        self.plans.get(tensor, || self.engine.plan([tensor]))
    }

    /// Writes the outputs of one row.
    pub(crate) fn predict(&self, x: &[f32], outputs: &mut [f32]) -> Result<()> {
        let values = self.forward(&self.output)?.run(&self.input.forward(x))?;
        let all = self.row(values.floats(&self.output)?);
        for (class, output) in outputs.iter_mut().enumerate() {
            *output = *all
                .get(self.place(class))
                .ok_or_else(|| Error::internal("the number of outputs has changed"))?;
        }
        Ok(())
    }

    /// The value of a layer for one row.
    pub(crate) fn activation(&self, x: &[f32], layer: &Layer) -> Result<Vec<f32>> {
        let values = self.forward(&layer.tensor)?.run(&self.input.forward(x))?;
        let value = self.row(values.floats(&layer.tensor)?);
        same_length(value, layer.spec.shape.iter().product())?;
        Ok(value.to_vec())
    }

    /// The gradient of `dy · outputs` for one row, with respect to a layer or the input.
    pub(crate) fn gradient(
        &self,
        x: &[f32],
        dy: &[f32],
        layer: Option<&Layer>,
        want_value: bool,
        relu: ReluRule,
    ) -> Result<RowGradient> {
        let source = layer.map_or(&self.graph.input, |layer| &layer.tensor);
        let backward = self.backward.get(source, || {
            let tape = Tape::new(&self.graph, &self.tensors, source, &self.output)?;
            let plan = self.engine.plan(tape.reads())?;
            Ok(Backward { plan, tape })
        })?;
        let values = backward.plan.run(&self.input.forward(x))?;
        let mut whole = vec![0.0; self.tensors.shape(&self.output)?.iter().product()];
        for (class, dy) in dy.iter().enumerate() {
            if let Some(place) = whole.get_mut(self.place(class)) {
                *place = *dy;
            }
        }
        let gradient = backward.tape.pull(&values, whole, relu)?;
        let Some(layer) = layer else {
            let gradient = self.input.backward(&gradient);
            return Ok(RowGradient {
                value: None,
                gradient,
            });
        };
        let gradient = self.row(&gradient).to_vec();
        same_length(&gradient, layer.spec.shape.iter().product())?;
        let value = want_value
            .then(|| Ok::<_, Error>(self.row(values.floats(source)?).to_vec()))
            .transpose()?;
        Ok(RowGradient { value, gradient })
    }

    fn place(&self, class: usize) -> usize {
        self.order.as_ref().map_or(class, |order| order[class])
    }

    /// The part of a tensor that belongs to the first of the copies.
    fn row<'v>(&self, values: &'v [f32]) -> &'v [f32] {
        &values[..values.len() / self.input.copies()]
    }
}

fn same_length(values: &[f32], expected: usize) -> Result<()> {
    if values.len() == expected {
        return Ok(());
    }
    Err(Error::unimplemented(format!(
        "a layer whose size depends on the picture: {} elements instead of {expected}",
        values.len()
    )))
}

/// How many outputs a tensor has for an example, when it has the batch axis first or none.
fn outputs(tensors: &Tensors, name: &str, copies: usize) -> Option<usize> {
    let shape = tensors.shape(name).ok()?;
    let count: usize = shape.iter().product();
    let rows = shape.first().is_some_and(|&first| first == copies);
    (tensors.is_float(name) && (rows || copies == 1)).then(|| count / copies)
}

/// The output that holds the classes.
fn output(params: &OnnxParams, graph: &Graph, tensors: &Tensors, copies: usize) -> Result<String> {
    let describe = |name: &String| {
        let shape = tensors.shape(name).map(|shape| format!("{shape:?}"));
        let kind = if tensors.is_float(name) {
            ""
        } else {
            ", not f32"
        };
        format!("`{}` {}{kind}", printable(name), shape.unwrap_or_default())
    };
    let all = || {
        graph
            .outputs
            .iter()
            .map(describe)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let fits = |name: &&String| outputs(tensors, name, copies) == Some(params.outputs);
    if let Some(name) = &params.output_name {
        let named = graph.outputs.iter().find(|output| *output == name);
        let named = named.ok_or_else(|| {
            Error::invalid_argument(format!(
                "parameter `output_name`: the model has no output `{}`; it has {}",
                printable(name),
                all()
            ))
        })?;
        return Some(named).filter(fits).cloned().ok_or_else(|| {
            Error::invalid_argument(format!(
                "the output {} does not fit the data's {} classes",
                describe(named),
                params.outputs
            ))
        });
    }
    let fitting: Vec<&String> = graph.outputs.iter().filter(fits).collect();
    match fitting[..] {
        [one] => Ok(one.clone()),
        [] => Err(Error::invalid_argument(format!(
            "the model gives {}, which does not fit the data's {} classes",
            all(),
            params.outputs
        ))),
        _ => Err(Error::invalid_argument(format!(
            "several outputs fit the data's {} classes: {}; name one with `output_name`",
            params.outputs,
            all()
        ))),
    }
}

/// The tensor to read. Unless probabilities are wanted, a Softmax at the end is left out, so that the
/// outputs are logits whatever the model ends in.
fn head(params: &OnnxParams, graph: &Graph, output: &str) -> String {
    if params.output == "probabilities" {
        return output.to_owned();
    }
    let mut last = output;
    while let Some(node) = graph.maker(last).filter(|node| node.op == "Identity") {
        match node.input(0) {
            Some(input) => last = input,
            None => break,
        }
    }
    let softmax = graph.maker(last).filter(|node| node.op == "Softmax");
    let before = softmax.and_then(|node| node.input(0));
    before.unwrap_or(output).to_owned()
}

/// Would these outputs pass for probabilities?
fn probable(outputs: &[f32]) -> bool {
    let sum: f32 = outputs.iter().sum();
    outputs.iter().all(|p| (0.0..=1.0).contains(p)) && (sum - 1.0).abs() < 1e-4
}

/// The things made last, by name.
struct Recent<T>(Mutex<Vec<(String, Arc<T>)>>);

impl<T> Recent<T> {
    fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// What is kept under a name, or else what `make` makes.
    fn get(&self, name: &str, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(i) = kept.iter().position(|(other, _)| other == name) {
            let found = kept.remove(i);
            kept.push(found);
        } else {
            let made = Arc::new(make()?);
            if kept.len() == KEPT {
                kept.remove(0);
            }
            kept.push((name.to_owned(), made));
        }
        kept.last()
            .map(|(_, last)| Arc::clone(last))
            .ok_or_else(|| Error::internal("nothing kept"))
    }
}
