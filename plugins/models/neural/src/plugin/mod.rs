//! The networks as plugins.
//!
//! All of them do the same with another architecture: [`Host`] holds what they share, and the
//! traits are forwarded to it by a macro, since a plugin must be a type of its own.

mod fit;
mod hybrid;
mod inner;

use std::sync::{Arc, Mutex, PoisonError};

use xbench_nn::Threads;
use xbench_plugin::{
    BackwardRule, Context, DataHandle, Error, FitMonitor, Flags, LayerSpec, LinearHead, Meta,
    ModelSpec, OutputKind, Pullback, Randomise, Result, Status, Tensor, TensorRef, Wrt, params,
};
use xbench_svm::SvmError;

use crate::network::{Architecture, LayerInfo, Network, NetworkError};
use crate::{cnn_dropout, cnn_gap, hybrid_cnn, lenet};
use fit::Recipes;
pub use hybrid::HybridSvm;

params! {
    /// Shape of the images and number of classes.
    pub struct NetworkParams {
        /// Channels, height and width of an image.
        input: [usize; 3] = [1, 28, 28], 1..=4096;
        /// Number of classes.
        outputs: usize = 10, 2..=10_000;
    }
}

/// The pool of the last call, kept while calls ask for the same number of threads.
#[derive(Debug, Default)]
struct Pool(Mutex<Option<Arc<Threads>>>);

impl Pool {
    fn threads(&self, ctx: &Context<'_>) -> Result<Arc<Threads>> {
        let wanted = ctx.threads().max(1);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = kept.as_ref().filter(|threads| threads.count() == wanted) {
            return Ok(Arc::clone(threads));
        }
        let threads = Arc::new(Threads::new(wanted).map_err(|e| error(e.into()))?);
        *kept = Some(Arc::clone(&threads));
        Ok(threads)
    }
}

/// A network and what a plugin needs around it.
#[derive(Debug)]
struct Host {
    network: Network,
    spec: ModelSpec,
    layers: Vec<LayerSpec>,
    recipes: Recipes,
    pool: Pool,
}

impl Host {
    fn new(architecture: Architecture, recipes: Recipes, ctx: &Context<'_>) -> Result<Self> {
        let input_shape = architecture.input.to_vec();
        let network = Network::new(architecture, ctx.seed()).map_err(error)?;
        let spec = ModelSpec {
            input_shape,
            layout: c"nchw",
            outputs: network.outputs(),
            output_kind: OutputKind::Logits,
        };
        Ok(Host {
            layers: specs(network.layers()),
            network,
            spec,
            recipes,
            pool: Pool::default(),
        })
    }

    fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        self.network
            .logits(&*self.pool.threads(ctx)?, x.data(), outputs)
            .map_err(error)
    }

    fn shaped(&self, n: usize, layer: Option<&str>, data: Vec<f32>) -> Result<Tensor> {
        shaped(&self.spec, &self.layers, n, layer, data)
    }

    fn activation(&self, ctx: &Context<'_>, x: TensorRef<'_>, layer: &str) -> Result<Tensor> {
        let threads = self.pool.threads(ctx)?;
        let data = self
            .network
            .activation(&threads, x.data(), layer)
            .map_err(error)?;
        self.shaped(x.rows(), Some(layer), data)
    }

    fn vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        let layer = match wrt {
            Wrt::Input => None,
            Wrt::Layer(name) => Some(name),
        };
        let threads = self.pool.threads(ctx)?;
        let pullback = self
            .network
            .vjp(
                &threads,
                x.data(),
                output_gradient.data(),
                layer,
                want_activation,
            )
            .map_err(error)?;
        let shaped = |data| self.shaped(x.rows(), layer, data);
        Ok(Pullback {
            activation: pullback.activation.map(shaped).transpose()?,
            gradient: shaped(pullback.gradient)?,
        })
    }

    fn parameter_layers(&self) -> Vec<String> {
        self.network
            .parameter_layers()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    fn randomise(&mut self, ctx: &Context<'_>, mode: Randomise, layer: &str) -> Result<()> {
        let cascade = mode == Randomise::Cascade;
        self.network
            .randomise(layer, cascade, ctx.seed())
            .map_err(error)
    }

    fn fit(
        &mut self,
        ctx: &Context<'_>,
        data: &DataHandle<'_>,
        settings: &str,
        monitor: &mut dyn FitMonitor,
    ) -> Result<String> {
        let threads = self.pool.threads(ctx)?;
        fit::fit(
            &mut self.network,
            self.recipes,
            threads,
            data,
            settings,
            monitor,
        )
    }
}

fn specs(layers: Vec<LayerInfo>) -> Vec<LayerSpec> {
    let spec = |layer: LayerInfo| LayerSpec {
        name: layer.name.to_owned(),
        op: layer.op.to_owned(),
        shape: layer.shape,
    };
    layers.into_iter().map(spec).collect()
}

/// `[n, shape of the layer or the input]`.
fn shaped(
    spec: &ModelSpec,
    layers: &[LayerSpec],
    n: usize,
    layer: Option<&str>,
    data: Vec<f32>,
) -> Result<Tensor> {
    let shape = match layer {
        None => &spec.input_shape,
        Some(name) => layers
            .iter()
            .find(|layer| layer.name == name)
            .map(|layer| &layer.shape)
            .ok_or_else(|| Error::not_found(format!("no layer '{name}'")))?,
    };
    Tensor::new([&[n], &shape[..]].concat(), data)
}

/// Weights and bias of a dense layer.
fn head(network: &Network, layer: &str) -> Result<LinearHead> {
    let named = network.named_parameters();
    let find = |ending: &str| {
        let name = format!("{layer}.{ending}");
        named
            .iter()
            .find(|p| p.name == name)
            .ok_or_else(|| Error::internal(format!("no parameter '{name}'")))
    };
    let weight = find("weight")?;
    Ok(LinearHead {
        weight: Tensor::new(weight.shape.clone(), weight.values.to_vec())?,
        bias: Some(find("bias")?.values.to_vec()),
    })
}

/// As the host is told of it.
fn error(error: NetworkError) -> Error {
    let status = match &error {
        NetworkError::NoSuchLayer { .. } => Status::NotFound,
        NetworkError::InputShape { .. }
        | NetworkError::NoLayer
        | NetworkError::Layer { .. }
        | NetworkError::DropoutRate { .. }
        | NetworkError::NoParameters { .. }
        | NetworkError::Length { .. }
        | NetworkError::Weights(_)
        | NetworkError::Label { .. }
        | NetworkError::Setting(_)
        | NetworkError::Checkpoint(_) => Status::InvalidArgument,
        NetworkError::Untrained => Status::Unimplemented,
        NetworkError::Cancelled(_) | NetworkError::Machine(SvmError::Stopped) => Status::Cancelled,
        NetworkError::Machine(SvmError::NotConverged { .. } | SvmError::Threads(_)) => {
            Status::Internal
        }
        NetworkError::Machine(_) => Status::InvalidArgument,
        NetworkError::Diverged { .. } | NetworkError::Tensor(_) | NetworkError::Threads(_) => {
            Status::Internal
        }
    };
    Error::new(status, error.to_string())
}

macro_rules! network_plugin {
    ($type:ident, $meta:expr, $architecture:path, $recipes:path) => {
        impl xbench_plugin::Plugin for $type {
            const META: Meta = $meta;
            type Params = NetworkParams;

            fn create(params: NetworkParams, ctx: &Context<'_>) -> Result<Self> {
                let architecture = $architecture(params.input, params.outputs);
                Host::new(architecture, $recipes, ctx).map($type)
            }
        }

        impl xbench_plugin::Model for $type {
            fn spec(&self) -> &ModelSpec {
                &self.0.spec
            }

            fn predict(
                &self,
                ctx: &Context<'_>,
                x: TensorRef<'_>,
                outputs: &mut [f32],
            ) -> Result<()> {
                self.0.predict(ctx, x, outputs)
            }
        }

        impl xbench_plugin::Layers for $type {
            fn layers(&self) -> &[LayerSpec] {
                &self.0.layers
            }

            fn activation(
                &self,
                ctx: &Context<'_>,
                x: TensorRef<'_>,
                layer: &str,
            ) -> Result<Tensor> {
                self.0.activation(ctx, x, layer)
            }
        }

        impl xbench_plugin::Vjp for $type {
            fn vjp(
                &self,
                ctx: &Context<'_>,
                x: TensorRef<'_>,
                output_gradient: TensorRef<'_>,
                wrt: Wrt<'_>,
                want_activation: bool,
            ) -> Result<Pullback> {
                self.0.vjp(ctx, x, output_gradient, wrt, want_activation)
            }
        }

        impl xbench_plugin::ModifiedVjp for $type {
            fn rules(&self) -> Vec<String> {
                inner::RULES.map(str::to_owned).to_vec()
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
                self.0
                    .modified_vjp(ctx, x, output_gradient, rule, wrt, want_activation)
            }
        }

        impl xbench_plugin::ForwardFrom for $type {
            fn forward_from(
                &self,
                ctx: &Context<'_>,
                layer: &str,
                value: TensorRef<'_>,
                outputs: &mut [f32],
            ) -> Result<()> {
                self.0.forward_from(ctx, layer, value, outputs)
            }
        }

        impl xbench_plugin::Biases for $type {
            fn biases(&self, _: &Context<'_>, layer: &str) -> Result<Option<Vec<f32>>> {
                self.0.biases(layer)
            }
        }

        impl xbench_plugin::Parameters for $type {
            fn parameter_layers(&self) -> Vec<String> {
                self.0.parameter_layers()
            }

            fn randomise(&mut self, ctx: &Context<'_>, mode: Randomise, layer: &str) -> Result<()> {
                self.0.randomise(ctx, mode, layer)
            }

            fn restore(&mut self, _: &Context<'_>) -> Result<()> {
                self.0.network.restore();
                Ok(())
            }

            fn fingerprint(&self, _: &Context<'_>) -> Result<[u8; 32]> {
                Ok(self.0.network.fingerprint())
            }
        }

        impl xbench_plugin::Weights for $type {
            const FORMAT: &'static std::ffi::CStr = c"safetensors";

            fn save(&self, _: &Context<'_>) -> Result<Vec<u8>> {
                self.0.network.save().map_err(error)
            }

            fn load(&mut self, _: &Context<'_>, bytes: &[u8]) -> Result<()> {
                self.0.network.load(bytes).map_err(error)
            }
        }

        impl xbench_plugin::Fit for $type {
            fn fit(
                &mut self,
                ctx: &Context<'_>,
                data: &DataHandle<'_>,
                settings: &str,
                monitor: &mut dyn FitMonitor,
            ) -> Result<String> {
                self.0.fit(ctx, data, settings, monitor)
            }
        }
    };
}

const FLAGS: Flags = Flags::ANY_THREAD.union(Flags::CONCURRENT);

/// The plugin `org.xbench.cnn-gap`.
#[derive(Debug)]
pub struct CnnGap(Host);

network_plugin!(
    CnnGap,
    Meta {
        id: c"org.xbench.cnn-gap",
        name: c"CNN-GAP",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for \
Discriminative Localization, 2016",
        summary: c"Three convolutions, global average pooling and one dense layer.",
        flags: FLAGS,
        max_batch: 0,
    },
    cnn_gap::architecture,
    cnn_gap::recipe
);

impl xbench_plugin::Linear for CnnGap {
    fn layer(&self) -> &str {
        cnn_gap::FEATURE_LAYER
    }

    fn num_features(&self) -> usize {
        cnn_gap::FEATURES
    }

    fn head(&self, _: &Context<'_>) -> Result<LinearHead> {
        head(&self.0.network, cnn_gap::HEAD_LAYER)
    }
}

/// The plugin `org.xbench.lenet`.
#[derive(Debug)]
pub struct Lenet(Host);

network_plugin!(
    Lenet,
    Meta {
        id: c"org.xbench.lenet",
        name: c"LeNet",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document \
Recognition, 1998",
        summary: c"Two convolutions with average pooling and three dense layers.",
        flags: FLAGS,
        max_batch: 0,
    },
    lenet::architecture,
    lenet::recipe
);

/// The plugin `org.xbench.cnn-plain`.
#[derive(Debug)]
pub struct CnnPlain(Host);

network_plugin!(
    CnnPlain,
    Meta {
        id: c"org.xbench.cnn-plain",
        name: c"CNN without dropout",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document \
Recognition, 1998",
        summary: c"Three convolutions and two dense layers, free to overfit.",
        flags: FLAGS,
        max_batch: 0,
    },
    cnn_dropout::plain,
    cnn_dropout::plain_recipe
);

/// The plugin `org.xbench.cnn-dropout`.
#[derive(Debug)]
pub struct CnnDropout(Host);

network_plugin!(
    CnnDropout,
    Meta {
        id: c"org.xbench.cnn-dropout",
        name: c"CNN with dropout",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov: Dropout: A Simple \
Way to Prevent Neural Networks from Overfitting, 2014",
        summary: c"Three convolutions and two dense layers with dropout between them.",
        flags: FLAGS,
        max_batch: 0,
    },
    cnn_dropout::dropout,
    cnn_dropout::recipe
);

/// The plugin `org.xbench.hybrid-cnn`.
#[derive(Debug)]
pub struct HybridCnn(Host);

network_plugin!(
    HybridCnn,
    Meta {
        id: c"org.xbench.hybrid-cnn",
        name: c"Hybrid's CNN",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning Deep Features for \
Discriminative Localization, 2016",
        summary: c"Five convolutions, global average pooling and one dense layer.",
        flags: FLAGS,
        max_batch: 0,
    },
    hybrid_cnn::architecture,
    hybrid_cnn::recipe
);

impl xbench_plugin::Linear for HybridCnn {
    fn layer(&self) -> &str {
        hybrid_cnn::FEATURE_LAYER
    }

    fn num_features(&self) -> usize {
        hybrid_cnn::FEATURES
    }

    fn head(&self, _: &Context<'_>) -> Result<LinearHead> {
        head(&self.0.network, hybrid_cnn::HEAD_LAYER)
    }
}

xbench_plugin::export! {
    model CnnGap: Layers, Vjp, ModifiedVjp, ForwardFrom, Biases, Linear, Parameters, Weights, Fit;
    model Lenet: Layers, Vjp, ModifiedVjp, ForwardFrom, Biases, Parameters, Weights, Fit;
    model CnnPlain: Layers, Vjp, ModifiedVjp, ForwardFrom, Biases, Parameters, Weights, Fit;
    model CnnDropout: Layers, Vjp, ModifiedVjp, ForwardFrom, Biases, Parameters, Weights, Fit;
    model HybridCnn: Layers, Vjp, ModifiedVjp, ForwardFrom, Biases, Linear, Parameters, Weights, Fit;
    model HybridSvm: Layers, Vjp, ModifiedVjp, ForwardFrom, Linear, Parameters, Weights, Fit;
}
