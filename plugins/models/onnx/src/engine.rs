//! Forward passes, by tract.
//!
//! A plan computes chosen tensors of one example at a time: what comes out for a row cannot depend
//! on the other rows of a batch, to the bit. The engine is meant for trusted models and may panic on
//! others, so each call into it is fenced.

use std::collections::HashMap;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid as _;
use tract_onnx::tract_hir::internal::DimLike as _;
use tract_onnx::tract_hir::internal::{bail, format_err};
use xbench_plugin::{Error, Result};

use crate::graph::Graph;
use crate::read::{MAX_ELEMENTS, printable};

/// A graph analysed for one shape of input, from which plans are made.
pub(crate) struct Engine {
    model: InferenceModel,
    outlets: HashMap<String, OutletId>,
    input: String,
    input_shape: Vec<usize>,
}

/// The optimised computation of some tensors.
pub(crate) struct Plan {
    plan: Arc<TypedRunnableModel>,
    /// For each wanted tensor, which output of the plan; none for the input itself.
    places: HashMap<String, Option<usize>>,
    input_shape: Vec<usize>,
}

/// Tensors of one forward pass.
pub(crate) struct Values {
    places: HashMap<String, Option<usize>>,
    input: Arc<Tensor>,
    outputs: TVec<TValue>,
}

impl Engine {
    /// Analyses the graph for an input of this shape.
    ///
    /// # Errors
    /// When an operator is unknown or its operands do not fit.
    pub(crate) fn new(proto: &ModelProto, graph: &Graph, input_shape: &[usize]) -> Result<Self> {
        let onnx = tract_onnx::onnx().with_ignore_value_info(true);
        let unknown: Vec<&str> = graph
            .nodes
            .iter()
            .filter(|node| !onnx.op_register.0.contains_key(&node.op))
            .map(|node| node.title.as_str())
            .collect();
        if !unknown.is_empty() {
            return Err(Error::invalid_argument(format!(
                "operators that cannot be computed: {}",
                unknown.join(", ")
            )));
        }
        fenced("reading the graph", || {
            let parsed = onnx.parse(proto, None)?;
            let mut model = parsed.model;
            let source = parsed
                .outlets_by_name
                .get(&graph.input)
                .copied()
                .ok_or_else(|| format_err!("no input"))?;
            model.set_input_outlets(&[source])?;
            model.set_outlet_fact(source, f32::fact(input_shape).into())?;
            model.analyse(false)?;
            check_sizes(&model)?;
            Ok(Engine {
                model,
                outlets: parsed.outlets_by_name,
                input: graph.input.clone(),
                input_shape: input_shape.to_vec(),
            })
        })
    }

    /// A plan for some tensors.
    ///
    /// # Errors
    /// When a tensor is unknown or the graph cannot be computed for this shape of input.
    pub(crate) fn plan<'t>(&self, tensors: impl IntoIterator<Item = &'t str>) -> Result<Plan> {
        fenced("preparing the graph", || {
            let (mut places, mut chosen) = (HashMap::new(), Vec::new());
            for tensor in tensors {
                if tensor == self.input {
                    places.insert(tensor.to_owned(), None);
                } else if !places.contains_key(tensor) {
                    let outlet = self.outlets.get(tensor);
                    chosen.push(*outlet.ok_or_else(|| format_err!("no tensor `{tensor}`"))?);
                    places.insert(tensor.to_owned(), Some(chosen.len() - 1));
                }
            }
            let mut model = self.model.clone();
            model.select_output_outlets(&chosen)?;
            let typed = model.into_typed()?;
            check_typed_sizes(&typed)?;
            Ok(Plan {
                plan: typed.into_optimized()?.into_runnable()?,
                places,
                input_shape: self.input_shape.clone(),
            })
        })
    }
}

/// Refuses tensors that no memory should be asked for.
fn check_sizes(model: &InferenceModel) -> TractResult<()> {
    for node in model.nodes() {
        for output in &node.outputs {
            if let Some(shape) = output.fact.shape.concretize() {
                let extents = shape.iter().filter_map(|extent| extent.to_usize().ok());
                check_size(&node.name, extents)?;
            }
        }
    }
    Ok(())
}

/// The same once all shapes are known.
fn check_typed_sizes(model: &TypedModel) -> TractResult<()> {
    for node in model.nodes() {
        for output in &node.outputs {
            if let Some(shape) = output.fact.shape.as_concrete() {
                check_size(&node.name, shape.iter().copied())?;
            }
        }
    }
    Ok(())
}

fn check_size(node: &str, mut extents: impl Iterator<Item = usize>) -> TractResult<()> {
    let count = extents.try_fold(1_usize, |product, extent| product.checked_mul(extent));
    if count.is_none_or(|count| count > MAX_ELEMENTS) {
        bail!("node `{node}` makes a tensor that is too large");
    }
    Ok(())
}

impl Plan {
    /// Computes the tensors for one input, in the order of the input's axes.
    ///
    /// # Errors
    /// When the graph cannot be computed for it.
    pub(crate) fn run(&self, x: &[f32]) -> Result<Values> {
        fenced("computing the graph", || {
            let input = Arc::new(Tensor::from_shape(&self.input_shape, x)?);
            let outputs = self
                .plan
                .run(tvec!(TValue::from_const(Arc::clone(&input))))?;
            Ok(Values {
                places: self.places.clone(),
                input,
                outputs,
            })
        })
    }
}

impl Values {
    fn tensor(&self, name: &str) -> Result<&Tensor> {
        match self.places.get(name) {
            Some(None) => Ok(&self.input),
            Some(Some(i)) if *i < self.outputs.len() => Ok(&self.outputs[*i]),
            _ => Err(Error::internal(format!(
                "the tensor `{}` was not computed",
                printable(name)
            ))),
        }
    }

    /// Shape of a tensor.
    ///
    /// # Errors
    /// When it was not asked for.
    pub(crate) fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(self.tensor(name)?.shape())
    }

    /// Elements of an f32 tensor.
    ///
    /// # Errors
    /// When it was not asked for or is of another type.
    pub(crate) fn floats(&self, name: &str) -> Result<&[f32]> {
        let tensor = self.tensor(name)?;
        tensor
            .try_as_plain_ram()
            .and_then(|view| view.as_slice::<f32>())
            .map_err(|_| {
                Error::unimplemented(format!(
                    "the tensor `{}` is of type {:?}, not f32",
                    printable(name),
                    tensor.datum_type()
                ))
            })
    }

    /// Is it an f32 tensor?
    pub(crate) fn is_float(&self, name: &str) -> bool {
        self.tensor(name)
            .is_ok_and(|tensor| tensor.datum_type() == f32::datum_type())
    }

    /// Elements of an integer or boolean tensor.
    ///
    /// # Errors
    /// When it was not asked for or cannot be told in i64.
    pub(crate) fn integers(&self, name: &str) -> Result<Vec<i64>> {
        let tensor = self.tensor(name)?;
        tensor
            .cast_to::<i64>()
            .and_then(|tensor| {
                let view = tensor.try_as_plain_ram()?;
                Ok(view.as_slice::<i64>()?.to_vec())
            })
            .map_err(|error| engine_error("reading integers", format!("{error:#}")))
    }
}

/// Runs what may panic, and gives panics and errors as errors.
fn fenced<T>(doing: &str, work: impl FnOnce() -> TractResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(engine_error(doing, format!("{error:#}"))),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no reason given");
            Err(engine_error(doing, text))
        }
    }
}

fn engine_error(doing: &str, why: impl Display) -> Error {
    let why: String = why
        .to_string()
        .chars()
        .take(600)
        .map(|c| if c == '\n' { ' ' } else { c })
        .collect();
    Error::invalid_argument(format!("{doing}: {why}"))
}
