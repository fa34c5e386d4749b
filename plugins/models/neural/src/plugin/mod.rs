//! The networks as plugins.
//!
//! All of them do the same with another architecture: [`Host`] holds what they share, and the
//! traits are forwarded to it by a macro, since a plugin must be a type of its own.

mod fit;

use std::sync::{Arc, Mutex, PoisonError};

use xbench_nn::Threads;
use xbench_plugin::{
    Context, DataHandle, Error, FitStep, Flags, LayerSpec, LinearHead, Meta, ModelSpec, OutputKind,
    Pullback, Randomise, Result, Status, Tensor, TensorRef, Wrt, params,
};

use crate::network::{Architecture, Network, NetworkError};
use crate::train::Epsilon;
use crate::{cnn_gap, lenet};

params! {
    /// Shape of the images and number of classes.
    pub struct NetworkParams {
        /// Channels, height and width of an image.
        input: [usize; 3] = [1, 28, 28], 1..=4096;
        /// Number of classes.
        outputs: usize = 10, 2..=10_000;
    }
}

/// A network and what a plugin needs around it.
#[derive(Debug)]
struct Host {
    network: Network,
    spec: ModelSpec,
    layers: Vec<LayerSpec>,
    /// Where the trained recipe's ε stands: as in the framework of the published study.
    epsilon: Epsilon,
    /// The pool of the last call, kept while calls ask for the same number of threads.
    threads: Mutex<Option<Arc<Threads>>>,
}

impl Host {
    fn new(architecture: Architecture, epsilon: Epsilon, ctx: &Context<'_>) -> Result<Self> {
        let input_shape = architecture.input.to_vec();
        let network = Network::new(architecture, ctx.seed()).map_err(error)?;
        let layers = network
            .layers()
            .into_iter()
            .map(|layer| LayerSpec {
                name: layer.name.to_owned(),
                op: layer.op.to_owned(),
                shape: layer.shape,
            })
            .collect();
        let spec = ModelSpec {
            input_shape,
            layout: c"nchw",
            outputs: network.outputs(),
            output_kind: OutputKind::Logits,
        };
        Ok(Host {
            network,
            spec,
            layers,
            epsilon,
            threads: Mutex::new(None),
        })
    }

    fn threads(&self, ctx: &Context<'_>) -> Result<Arc<Threads>> {
        let wanted = ctx.threads().max(1);
        let mut kept = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = kept.as_ref().filter(|threads| threads.count() == wanted) {
            return Ok(Arc::clone(threads));
        }
        let threads = Arc::new(Threads::new(wanted).map_err(|e| error(e.into()))?);
        *kept = Some(Arc::clone(&threads));
        Ok(threads)
    }

    fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        self.network
            .logits(&*self.threads(ctx)?, x.data(), outputs)
            .map_err(error)
    }

    /// `[n, shape of the layer or the input]`.
    fn shaped(&self, n: usize, layer: Option<&str>, data: Vec<f32>) -> Result<Tensor> {
        let shape = match layer {
            None => &self.spec.input_shape,
            Some(name) => self
                .layers
                .iter()
                .find(|layer| layer.name == name)
                .map(|layer| &layer.shape)
                .ok_or_else(|| Error::not_found(format!("no layer '{name}'")))?,
        };
        Tensor::new([&[n], &shape[..]].concat(), data)
    }

    fn activation(&self, ctx: &Context<'_>, x: TensorRef<'_>, layer: &str) -> Result<Tensor> {
        let threads = self.threads(ctx)?;
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
        let threads = self.threads(ctx)?;
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

    fn head(&self, layer: &str) -> Result<LinearHead> {
        let named = self.network.named_parameters();
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
        monitor: &mut dyn FnMut(&FitStep) -> Result<()>,
    ) -> Result<String> {
        let threads = self.threads(ctx)?;
        fit::fit(
            &mut self.network,
            self.epsilon,
            threads,
            data,
            settings,
            monitor,
        )
    }
}

/// As the host is told of it.
fn error(error: NetworkError) -> Error {
    let status = match &error {
        NetworkError::NoSuchLayer { .. } => Status::NotFound,
        NetworkError::InputShape { .. }
        | NetworkError::NoLayer
        | NetworkError::Layer { .. }
        | NetworkError::NoParameters { .. }
        | NetworkError::Length { .. }
        | NetworkError::Weights(_)
        | NetworkError::Label { .. }
        | NetworkError::Setting(_) => Status::InvalidArgument,
        NetworkError::Cancelled(_) => Status::Cancelled,
        NetworkError::Diverged { .. } | NetworkError::Tensor(_) | NetworkError::Threads(_) => {
            Status::Internal
        }
    };
    Error::new(status, error.to_string())
}

macro_rules! network_plugin {
    ($type:ident, $meta:expr, $architecture:path, $epsilon:expr) => {
        impl xbench_plugin::Plugin for $type {
            const META: Meta = $meta;
            type Params = NetworkParams;

            fn create(params: NetworkParams, ctx: &Context<'_>) -> Result<Self> {
                let architecture = $architecture(params.input, params.outputs);
                Host::new(architecture, $epsilon, ctx).map($type)
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
                monitor: &mut dyn FnMut(&FitStep) -> Result<()>,
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
    Epsilon::Keras
);

impl xbench_plugin::Linear for CnnGap {
    fn layer(&self) -> &str {
        cnn_gap::FEATURE_LAYER
    }

    fn num_features(&self) -> usize {
        cnn_gap::FEATURES
    }

    fn head(&self, _: &Context<'_>) -> Result<LinearHead> {
        self.0.head(cnn_gap::HEAD_LAYER)
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
    Epsilon::Keras
);

xbench_plugin::export! {
    model CnnGap: Layers, Vjp, Linear, Parameters, Weights, Fit;
    model Lenet: Layers, Vjp, Parameters, Weights, Fit;
}
