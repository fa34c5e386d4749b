//! Gradients by a reverse pass over the graph.
//!
//! The forward values come from the engine; here is, for each pair of an operator's input and
//! output, how the gradient of the output gives that of the input ([`Rule`]). A [`Tape`] is the list
//! of those rules between a tensor and the network's output, in reverse order.

mod binary;
mod conv;
mod maps;
mod matmul;
mod movement;
mod norm;
mod pool;
mod reduce;
mod resize;
mod softmax;
mod spatial;
mod unary;

use std::collections::{BTreeSet, HashMap};

use xbench_plugin::{Error, Result, Status};

use crate::engine::Values;
use crate::graph::{Graph, Node};
use crate::read::printable;
use crate::tensors::Tensors;

/// What ReLU passes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReluRule {
    /// The chain rule: the gradient, where its value is positive.
    Chain,
    /// What is positive, where its value is (Springenberg et al. 2015).
    Guided,
    /// What is positive, whatever its value (Zeiler and Fergus 2014).
    Deconvolution,
}

/// Gradient of one input of a node from the gradient of one output.
pub(crate) trait Rule: Send + Sync {
    /// Tensors whose values of the forward pass are read.
    fn reads(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Is the node a ReLU, of which there are other rules than the chain rule?
    fn is_relu(&self) -> bool {
        false
    }

    /// The input's gradient.
    fn pull(&self, values: &Values, dy: &[f32]) -> Result<Vec<f32>>;
}

/// What a rule is made from.
pub(crate) struct Site<'a> {
    pub(crate) node: &'a Node,
    /// Which input the gradient is for.
    pub(crate) input: usize,
    /// Which output it comes from.
    pub(crate) output: usize,
    pub(crate) tensors: &'a Tensors,
    pub(crate) opset: i64,
}

impl Site<'_> {
    /// Name of input `i`.
    pub(crate) fn name(&self, i: usize) -> Result<&str> {
        self.node
            .input(i)
            .ok_or_else(|| Error::invalid_argument(format!("input {i} is missing")))
    }

    /// Shape of input `i`.
    pub(crate) fn shape(&self, i: usize) -> Result<&[usize]> {
        self.tensors.shape(self.name(i)?)
    }

    /// Shape of the input the gradient is for.
    pub(crate) fn in_shape(&self) -> Result<&[usize]> {
        self.shape(self.input)
    }

    /// Shape of the output the gradient comes from.
    pub(crate) fn out_shape(&self) -> Result<&[usize]> {
        self.tensors.shape(&self.node.outputs[self.output])
    }

    /// Name of the output the gradient comes from.
    pub(crate) fn out_name(&self) -> String {
        self.node.outputs[self.output].clone()
    }

    /// The values of input `i`, which must not depend on the network's input.
    pub(crate) fn floats(&self, i: usize) -> Result<Vec<f32>> {
        self.tensors.floats(self.name(i)?)
    }

    /// The same of integers; nothing when the input is left out.
    pub(crate) fn integers(&self, i: usize) -> Result<Option<Vec<i64>>> {
        self.node
            .input(i)
            .map(|name| self.tensors.integers(name))
            .transpose()
    }

    /// Integers that older versions keep in an attribute and newer ones in an input.
    pub(crate) fn listed(&self, attribute: &str, i: usize) -> Result<Option<Vec<i64>>> {
        match self.node.ints(attribute) {
            Some(ints) => Ok(Some(ints.to_vec())),
            None => self.integers(i),
        }
    }

    /// Only the first input has a gradient here.
    pub(crate) fn first_input_only(&self) -> Result<()> {
        if self.input == 0 {
            return Ok(());
        }
        Err(Error::unimplemented(format!(
            "no gradient with respect to input {} where it depends on the picture",
            self.input
        )))
    }
}

type Made = Result<Box<dyn Rule>>;

fn rule(site: &Site<'_>) -> Made {
    if site.output > 0 && site.node.op != "Split" {
        return Err(Error::unimplemented(format!(
            "no gradient of output {}",
            site.output
        )));
    }
    if maps::count(site.out_shape()?) == 0 || maps::count(site.in_shape()?) == 0 {
        return Err(Error::unimplemented("it works on no elements"));
    }
    match site.node.op.as_str() {
        "Conv" | "ConvTranspose" => conv::rule(site),
        "Gemm" | "MatMul" => matmul::rule(site),
        "MaxPool" | "AveragePool" => pool::rule(site),
        "BatchNormalization"
        | "LayerNormalization"
        | "InstanceNormalization"
        | "GroupNormalization"
        | "LRN" => norm::rule(site),
        "Softmax" | "LogSoftmax" => softmax::rule(site),
        "Resize" | "Upsample" => resize::rule(site),
        "GlobalAveragePool" | "GlobalMaxPool" | "ReduceMean" | "ReduceSum" | "ReduceMax"
        | "ReduceMin" | "ReduceL2" | "ReduceSumSquare" => reduce::rule(site),
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "PRelu" | "Max" | "Min" | "Sum" | "Mean" => {
            binary::rule(site)
        }
        _ => match unary::rule(site) {
            Some(made) => made,
            None => movement::rule(site),
        },
    }
}

struct Step {
    input: String,
    output: String,
    rule: Box<dyn Rule>,
}

/// The reverse pass from the network's output to one tensor.
pub(crate) struct Tape {
    steps: Vec<Step>,
    source: String,
    output: String,
}

impl Tape {
    /// The tape between two tensors.
    ///
    /// # Errors
    /// `Unimplemented`, with the node, for an operator without gradient between the two.
    pub(crate) fn new(
        graph: &Graph,
        tensors: &Tensors,
        source: &str,
        output: &str,
    ) -> Result<Self> {
        let reached = graph.reached_from(source);
        let needed = graph.needed_for(output);
        let mut steps = Vec::new();
        for node in graph.nodes.iter().rev() {
            for (o, to) in node.outputs.iter().enumerate() {
                // A node upstream of the source is no part of the way, even where it makes it.
                if !needed.contains(to) || !reached.contains(to) || to == source {
                    continue;
                }
                for (i, from) in node.inputs.iter().enumerate() {
                    if !reached.contains(from) {
                        continue;
                    }
                    let site = Site {
                        node,
                        input: i,
                        output: o,
                        tensors,
                        opset: graph.opset,
                    };
                    let rule = rule(&site).map_err(|error| no_gradient(node, &error))?;
                    steps.push(Step {
                        input: from.clone(),
                        output: to.clone(),
                        rule,
                    });
                }
            }
        }
        Ok(Tape {
            steps,
            source: source.to_owned(),
            output: output.to_owned(),
        })
    }

    /// Tensors of the forward pass that the reverse pass reads, the source among them.
    pub(crate) fn reads(&self) -> BTreeSet<&str> {
        self.steps
            .iter()
            .flat_map(|step| step.rule.reads())
            .chain([self.source.as_str()])
            .collect()
    }

    /// The gradient of the source, from that of the output; zeros where they are not connected.
    ///
    /// # Errors
    /// When the forward pass holds other tensors than [`Tape::reads`] asks for.
    pub(crate) fn pull(&self, values: &Values, dy: Vec<f32>, relu: ReluRule) -> Result<Vec<f32>> {
        let mut gradients: HashMap<&str, Vec<f32>> = HashMap::from([(self.output.as_str(), dy)]);
        for (i, step) in self.steps.iter().enumerate() {
            let Some(dy) = gradients.get(step.output.as_str()) else {
                continue;
            };
            let positive = || dy.iter().map(|dy| dy.max(0.0)).collect::<Vec<_>>();
            let dx = match relu {
                ReluRule::Guided if step.rule.is_relu() => step.rule.pull(values, &positive())?,
                ReluRule::Deconvolution if step.rule.is_relu() => positive(),
                _ => step.rule.pull(values, dy)?,
            };
            // Steps of one output stand together: after the last, its gradient is done with.
            if self
                .steps
                .get(i + 1)
                .is_none_or(|next| next.output != step.output)
            {
                gradients.remove(step.output.as_str());
            }
            match gradients.get_mut(step.input.as_str()) {
                Some(sum) if sum.len() == dx.len() => {
                    sum.iter_mut().zip(dx).for_each(|(sum, dx)| *sum += dx);
                }
                Some(_) => {
                    return Err(Error::internal(format!(
                        "gradients of `{}` of two lengths",
                        printable(&step.input)
                    )));
                }
                None => {
                    gradients.insert(&step.input, dx);
                }
            }
        }
        match gradients.remove(self.source.as_str()) {
            Some(gradient) => Ok(gradient),
            None => Ok(vec![0.0; maps::count(values.shape(&self.source)?)]),
        }
    }
}

fn no_gradient(node: &Node, error: &Error) -> Error {
    let status = match error.status() {
        Status::Internal => Status::Internal,
        _ => Status::Unimplemented,
    };
    Error::new(
        status,
        format!("no gradient through {}: {}", node.title, error.message()),
    )
}
