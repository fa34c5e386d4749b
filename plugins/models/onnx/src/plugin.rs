//! The plugin `org.xbench.onnx`.

use std::ffi::CStr;
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tract_onnx::pb::ModelProto;
use xbench_nn::Threads;
use xbench_plugin::{
    BackwardRule, Context, Error, Flags, LayerSpec, Layers, Meta, Model, ModelSpec, ModifiedVjp,
    OutputKind, Parameters, Plugin, Pullback, Randomise, Result, Tensor, TensorRef, Vjp, Weights,
    Wrt,
};

use crate::tape::ReluRule;

use crate::network::{Network, RowGradient};
use crate::params::OnnxParams;
use crate::read;
use crate::weights::{redraw, weights_of};

/// A model whose network comes as an ONNX file.
pub struct Onnx {
    params: OnnxParams,
    spec: ModelSpec,
    loaded: Option<Loaded>,
    /// The pool of the last call, kept while calls ask for the same number of threads.
    threads: Mutex<Option<Arc<Threads>>>,
}

struct Loaded {
    /// The file.
    bytes: Vec<u8>,
    /// Its contents, with the weights as they are now.
    proto: Arc<ModelProto>,
    randomised: bool,
    network: Network,
    specs: Vec<LayerSpec>,
}

impl Loaded {
    fn new(
        params: &OnnxParams,
        bytes: Vec<u8>,
        proto: ModelProto,
        randomised: bool,
    ) -> Result<Self> {
        let proto = Arc::new(proto);
        let network = Network::new(params, &proto)?;
        let specs = network.layers().iter().map(|l| l.spec.clone()).collect();
        Ok(Loaded {
            bytes,
            proto,
            randomised,
            network,
            specs,
        })
    }

    /// The layers that have weights, with the places of those.
    fn weights(&self) -> Vec<(&str, Vec<usize>)> {
        let graph = self.network.graph();
        let mut seen = None;
        self.network
            .layers()
            .iter()
            .filter(|layer| seen.replace(layer.node) != Some(layer.node))
            .map(|layer| {
                let node = &graph.nodes[layer.node];
                (
                    layer.spec.name.as_str(),
                    weights_of(graph, node, &self.proto),
                )
            })
            .filter(|(_, places)| !places.is_empty())
            .collect()
    }
}

impl Onnx {
    fn loaded(&self) -> Result<&Loaded> {
        self.loaded.as_ref().ok_or_else(|| {
            Error::invalid_argument(
                "no ONNX file is loaded; name one as the model's weights, or give its path as the \
                 model",
            )
        })
    }

    fn threads(&self, ctx: &Context<'_>) -> Result<Arc<Threads>> {
        let wanted = ctx.threads().max(1);
        let mut kept = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = kept.as_ref().filter(|threads| threads.count() == wanted) {
            return Ok(Arc::clone(threads));
        }
        let threads = Threads::new(wanted).map_err(|e| Error::internal(e.to_string()))?;
        let threads = Arc::new(threads);
        *kept = Some(Arc::clone(&threads));
        Ok(threads)
    }

    /// Does something for each row, on the threads of the call.
    fn rows<T: Send>(
        &self,
        ctx: &Context<'_>,
        rows: usize,
        work: impl Fn(usize) -> Result<T> + Sync + Send,
    ) -> Result<Vec<T>> {
        let threads = self.threads(ctx)?;
        threads
            .map((0..rows).collect(), |row| {
                ctx.checkpoint(row as f64 / rows as f64)?;
                work(row)
            })
            .into_iter()
            .collect()
    }
}

impl Plugin for Onnx {
    const META: Meta = Meta {
        id: c"org.xbench.onnx",
        name: c"ONNX",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"ONNX: Open Neural Network Exchange, https://onnx.ai",
        summary: c"Any classifier in the ONNX format: predictions, activations and gradients.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = OnnxParams;

    fn create(params: OnnxParams, _: &Context<'_>) -> Result<Self> {
        let layout = match params.input.len() {
            3 => c"nchw",
            1 => c"tabular",
            _ => {
                return Err(Error::invalid_argument(format!(
                    "parameter `input`: {:?} is neither [channels, height, width] nor [features]",
                    params.input
                )));
            }
        };
        let output_kind = match params.output.as_str() {
            "probabilities" => OutputKind::Probabilities,
            _ => OutputKind::Logits,
        };
        let spec = ModelSpec {
            input_shape: params.input.clone(),
            layout,
            outputs: params.outputs,
            output_kind,
        };
        Ok(Onnx {
            params,
            spec,
            loaded: None,
            threads: Mutex::new(None),
        })
    }
}

impl Model for Onnx {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        let network = &self.loaded()?.network;
        let rows = self.rows(ctx, x.rows(), |row| {
            let mut outputs = vec![0.0; self.spec.outputs];
            network.predict(x.row(row), &mut outputs)?;
            Ok(outputs)
        })?;
        outputs.copy_from_slice(&rows.concat());
        Ok(())
    }
}

impl Layers for Onnx {
    fn layers(&self) -> &[LayerSpec] {
        self.loaded.as_ref().map_or(&[], |loaded| &loaded.specs)
    }

    fn activation(&self, ctx: &Context<'_>, x: TensorRef<'_>, layer: &str) -> Result<Tensor> {
        let network = &self.loaded()?.network;
        let layer = network.layer(layer)?;
        let rows = self.rows(ctx, x.rows(), |row| network.activation(x.row(row), layer))?;
        Tensor::new([&[x.rows()], &layer.spec.shape[..]].concat(), rows.concat())
    }
}

impl Onnx {
    fn pull_back(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        relu: ReluRule,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        let network = &self.loaded()?.network;
        let layer = match wrt {
            Wrt::Input => None,
            Wrt::Layer(name) => Some(network.layer(name)?),
        };
        let shape = layer.map_or(&self.spec.input_shape, |layer| &layer.spec.shape);
        let shape = [&[x.rows()], &shape[..]].concat();
        let rows = self.rows(ctx, x.rows(), |row| {
            let dy = output_gradient.row(row);
            network.gradient(x.row(row), dy, layer, want_activation, relu)
        })?;
        let (mut gradient, mut activation) = (Vec::new(), Vec::new());
        for RowGradient { value, gradient: g } in rows {
            gradient.extend(g);
            activation.extend(value.unwrap_or_default());
        }
        let activation = match layer {
            Some(_) if want_activation => Some(Tensor::new(shape.clone(), activation)?),
            _ => None,
        };
        Ok(Pullback {
            activation,
            gradient: Tensor::new(shape, gradient)?,
        })
    }
}

impl Vjp for Onnx {
    fn vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        let relu = ReluRule::Chain;
        self.pull_back(ctx, x, output_gradient, relu, wrt, want_activation)
    }
}

impl ModifiedVjp for Onnx {
    /// The rules that change ReLU alone. Other activations follow the chain rule.
    fn rules(&self) -> Vec<String> {
        vec!["guided".to_owned(), "deconvolution".to_owned()]
    }

    fn modified_vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        rule: BackwardRule<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        let relu = match rule {
            BackwardRule::Guided => ReluRule::Guided,
            BackwardRule::Deconvolution => ReluRule::Deconvolution,
            other => {
                return Err(Error::unimplemented(format!(
                    "no backward rule `{}` for ONNX models",
                    other.name()
                )));
            }
        };
        self.pull_back(ctx, x, output_gradient, relu, wrt, want_activation)
    }
}

impl Parameters for Onnx {
    fn parameter_layers(&self) -> Vec<String> {
        let weights = self
            .loaded
            .as_ref()
            .map(Loaded::weights)
            .unwrap_or_default();
        weights
            .into_iter()
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    fn randomise(&mut self, ctx: &Context<'_>, mode: Randomise, layer: &str) -> Result<()> {
        let loaded = self.loaded()?;
        let weights = loaded.weights();
        let from = weights
            .iter()
            .position(|(name, _)| *name == layer)
            .ok_or_else(|| Error::not_found(format!("no layer `{layer}` with weights")))?;
        let to = match mode {
            Randomise::Single => from + 1,
            Randomise::Cascade => weights.len(),
        };
        let original = read::model(&loaded.bytes)?;
        let mut proto = (*loaded.proto).clone();
        if let (Some(graph), Some(original)) = (&mut proto.graph, &original.graph) {
            for &place in weights[from..to].iter().flat_map(|(_, places)| places) {
                graph.initializer[place] = redraw(&original.initializer[place], ctx.seed(), place);
            }
        }
        let bytes = loaded.bytes.clone();
        self.loaded = Some(Loaded::new(&self.params, bytes, proto, true)?);
        Ok(())
    }

    fn restore(&mut self, _: &Context<'_>) -> Result<()> {
        if let Some(loaded) = self.loaded.as_ref().filter(|loaded| loaded.randomised) {
            let proto = read::model(&loaded.bytes)?;
            let bytes = loaded.bytes.clone();
            self.loaded = Some(Loaded::new(&self.params, bytes, proto, false)?);
        }
        Ok(())
    }

    /// Of the file as it was given, when its weights are as they were; of nothing before that.
    fn fingerprint(&self, _: &Context<'_>) -> Result<[u8; 32]> {
        let digest = match &self.loaded {
            None => Sha256::digest([]),
            Some(loaded) if loaded.randomised => Sha256::digest(loaded.proto.encode_to_vec()),
            Some(loaded) => Sha256::digest(&loaded.bytes),
        };
        Ok(digest.into())
    }
}

impl Weights for Onnx {
    const FORMAT: &'static CStr = c"onnx";

    fn save(&self, _: &Context<'_>) -> Result<Vec<u8>> {
        let loaded = self.loaded()?;
        Ok(if loaded.randomised {
            loaded.proto.encode_to_vec()
        } else {
            loaded.bytes.clone()
        })
    }

    fn load(&mut self, _: &Context<'_>, bytes: &[u8]) -> Result<()> {
        let proto = read::model(bytes)?;
        self.loaded = Some(Loaded::new(&self.params, bytes.to_vec(), proto, false)?);
        Ok(())
    }
}

xbench_plugin::export! {
    model Onnx: Layers, Vjp, ModifiedVjp, Parameters, Weights;
}
