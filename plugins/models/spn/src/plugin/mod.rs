//! The network as the plugin `org.xbench.resnet-spn`.

mod fit;

use std::ffi::CStr;
use std::sync::{Arc, Mutex, PoisonError};

use xbench_nn::Threads;
use xbench_plugin::{
    BackwardRule, Context, DataHandle, Error, Fit, FitMonitor, Flags, LayerSpec, Layers, Meta,
    Model, ModelSpec, ModifiedVjp, OutputKind, Parameters, Plugin, Pullback, Randomise, Result,
    Segment, Tensor, TensorRef, Vjp, Weights, Wrt, params,
};

use crate::network::{Architecture, Network, ReluRule, file};

params! {
    /// Shape of the images, number of classes and size of the network.
    pub struct SpnParams {
        /// Channels (1, repeated to 3, or 3), height and width of an image.
        input: [usize; 3] = [1, 64, 64], 1..=1024;
        /// Number of classes.
        outputs: usize = 2, 2..=10_000;
        /// Layers of the residual network: 18, 34 or 50.
        depth: usize = 18, 18..=50;
        /// Channels of its first stage; 64 in the published networks.
        width: usize = 64, 4..=256;
    }
}

/// ResNet with a classification net and a saliency prediction network.
#[derive(Debug)]
pub struct ResnetSpn {
    network: Network,
    spec: ModelSpec,
    layers: Vec<LayerSpec>,
    /// The pool of the last call, kept while calls ask for the same number of threads.
    threads: Mutex<Option<Arc<Threads>>>,
}

impl ResnetSpn {
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
}

impl Plugin for ResnetSpn {
    const META: Meta = Meta {
        id: c"org.xbench.resnet-spn",
        name: c"ResNet with SPN",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, 2016",
        summary: c"A residual network that learns the class and, through a saliency prediction \
network, the object's mask.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = SpnParams;

    fn create(params: SpnParams, ctx: &Context<'_>) -> Result<Self> {
        let architecture = Architecture {
            input: params.input,
            outputs: params.outputs,
            depth: params.depth,
            width: params.width,
        };
        let network = Network::new(architecture, ctx.seed())?;
        let graph = network.graph();
        let layers = graph
            .layers
            .iter()
            .map(|layer| {
                let [height, width, channels] = graph.shape(layer.value);
                let shape = match layer.op {
                    "conv2d" | "max_pool2d" => vec![channels, height, width],
                    _ => vec![channels],
                };
                LayerSpec {
                    name: layer.name.clone(),
                    op: layer.op.to_owned(),
                    shape,
                }
            })
            .collect();
        Ok(ResnetSpn {
            spec: ModelSpec {
                input_shape: params.input.to_vec(),
                layout: c"nchw",
                outputs: params.outputs,
                output_kind: OutputKind::Logits,
            },
            network,
            layers,
            threads: Mutex::new(None),
        })
    }
}

impl Model for ResnetSpn {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        outputs.copy_from_slice(&self.network.logits(&*self.threads(ctx)?, x.data()));
        Ok(())
    }
}

impl Layers for ResnetSpn {
    fn layers(&self) -> &[LayerSpec] {
        &self.layers
    }

    fn activation(&self, ctx: &Context<'_>, x: TensorRef<'_>, layer: &str) -> Result<Tensor> {
        let data = self
            .network
            .activation(&*self.threads(ctx)?, x.data(), layer)?;
        self.shaped(x.rows(), Some(layer), data)
    }
}

impl ResnetSpn {
    fn pull_back(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        relu: ReluRule,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        let layer = match wrt {
            Wrt::Input => None,
            Wrt::Layer(name) => Some(name),
        };
        let (gradient, activation) = self.network.pull_back(
            &*self.threads(ctx)?,
            x.data(),
            output_gradient.data(),
            relu,
            layer,
        )?;
        let activation = want_activation
            .then(|| self.shaped(x.rows(), layer, activation))
            .transpose()?;
        Ok(Pullback {
            activation,
            gradient: self.shaped(x.rows(), layer, gradient)?,
        })
    }
}

impl Vjp for ResnetSpn {
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

impl ModifiedVjp for ResnetSpn {
    /// The rules that change ReLU alone.
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
                    "no backward rule `{}` for this network",
                    other.name()
                )));
            }
        };
        self.pull_back(ctx, x, output_gradient, relu, wrt, want_activation)
    }
}

impl Segment for ResnetSpn {
    fn segment(&self, ctx: &Context<'_>, x: TensorRef<'_>) -> Result<Tensor> {
        let map = self.network.segment(&*self.threads(ctx)?, x.data())?;
        let shape = [&[x.rows()], &self.spec.input_shape[1..]].concat();
        Tensor::new(shape, map)
    }
}

impl Parameters for ResnetSpn {
    fn parameter_layers(&self) -> Vec<String> {
        self.network.graph().groups.clone()
    }

    fn randomise(&mut self, ctx: &Context<'_>, mode: Randomise, layer: &str) -> Result<()> {
        let cascade = mode == Randomise::Cascade;
        self.network.randomise(layer, cascade, ctx.seed())
    }

    fn restore(&mut self, _: &Context<'_>) -> Result<()> {
        self.network.restore();
        Ok(())
    }

    fn fingerprint(&self, _: &Context<'_>) -> Result<[u8; 32]> {
        let network = &self.network;
        let spn = network.predicts_masks();
        Ok(file::fingerprint(
            network.graph(),
            network.parameters(),
            spn,
        ))
    }
}

impl Weights for ResnetSpn {
    const FORMAT: &'static CStr = c"safetensors";

    fn save(&self, _: &Context<'_>) -> Result<Vec<u8>> {
        let network = &self.network;
        let spn = network.predicts_masks();
        file::save(network.graph(), network.parameters(), spn)
    }

    fn load(&mut self, _: &Context<'_>, bytes: &[u8]) -> Result<()> {
        let (parameters, spn) = file::load(self.network.graph(), bytes)?;
        self.network.set_parameters(parameters, spn);
        Ok(())
    }
}

impl Fit for ResnetSpn {
    fn fit(
        &mut self,
        ctx: &Context<'_>,
        data: &DataHandle<'_>,
        settings: &str,
        monitor: &mut dyn FitMonitor,
    ) -> Result<String> {
        let threads = self.threads(ctx)?;
        fit::fit(&mut self.network, &threads, data, settings, monitor)
    }
}

xbench_plugin::export! {
    model ResnetSpn: Layers, Vjp, ModifiedVjp, Parameters, Weights, Fit, Segment;
}
