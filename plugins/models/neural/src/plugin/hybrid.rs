//! The hybrid of network and support vector machine as a plugin.

use serde_json::json;
use xbench_plugin::{
    BackwardRule, Context, DataHandle, Error, FitMonitor, LayerSpec, LinearHead, Meta, ModelSpec,
    OutputKind, Pullback, Randomise, Result, Tensor, TensorRef, Wrt, params,
};
use xbench_svm::Readout;

use super::fit::{Set, Teller, options, preset};
use super::{FLAGS, Pool, error, head, inner, shaped, specs};
use crate::hybrid::{self, Hybrid, Machine};
use crate::hybrid_cnn;

params! {
    /// Shape of the images, number of classes, and which outputs.
    pub struct HybridParams {
        /// Channels, height and width of an image.
        input: [usize; 3] = [1, 28, 28], 1..=4096;
        /// Number of classes.
        outputs: usize = 10, 2..=10_000;
        /// What the machine gives for each class: its probability, or the votes of its decisions
        /// with a fraction that their sum decides (scikit-learn's `decision_function`).
        output: String = "probabilities", ["probabilities", "decisions"];
    }
}

/// The plugin `org.xbench.hybrid`: probabilities (or decisions) of a support vector machine on the features of
/// five convolutions.
///
/// Its layers are those that the output passes through, to the pooled features; its `linear` head
/// is the network's own dense layer, which the output does not pass through. Class activation
/// maps show with it what the network alone would weigh, as in the study.
#[derive(Debug)]
pub struct HybridSvm {
    hybrid: Hybrid,
    spec: ModelSpec,
    layers: Vec<LayerSpec>,
    pool: Pool,
}

impl xbench_plugin::Plugin for HybridSvm {
    const META: Meta = Meta {
        id: c"org.xbench.hybrid",
        name: c"CNN and SVM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"Cortes, Vapnik: Support-Vector Networks, 1995; Chang, Lin: LIBSVM: A Library \
for Support Vector Machines, 2011",
        summary: c"A radial-kernel support vector machine on the features of five convolutions.",
        flags: FLAGS,
        max_batch: 0,
    };
    type Params = HybridParams;

    fn create(params: HybridParams, ctx: &Context<'_>) -> Result<Self> {
        let (readout, output_kind) = match params.output.as_str() {
            "decisions" => (Readout::Decisions, OutputKind::Values),
            _ => (Readout::Probabilities, OutputKind::Probabilities),
        };
        let hybrid = Hybrid::new(params.input, params.outputs, ctx.seed())
            .map_err(error)?
            .with_readout(readout);
        Ok(HybridSvm {
            spec: ModelSpec {
                input_shape: params.input.to_vec(),
                layout: c"nchw",
                outputs: params.outputs,
                output_kind,
            },
            layers: specs(hybrid.layers()),
            hybrid,
            pool: Pool::default(),
        })
    }
}

impl xbench_plugin::Model for HybridSvm {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        let threads = self.pool.threads(ctx)?;
        self.hybrid
            .outputs(&threads, x.data(), outputs)
            .map_err(error)
    }
}

impl xbench_plugin::Layers for HybridSvm {
    fn layers(&self) -> &[LayerSpec] {
        &self.layers
    }

    fn activation(&self, ctx: &Context<'_>, x: TensorRef<'_>, layer: &str) -> Result<Tensor> {
        let threads = self.pool.threads(ctx)?;
        let data = self
            .hybrid
            .network()
            .activation(&threads, x.data(), layer)
            .map_err(error)?;
        shaped(&self.spec, &self.layers, x.rows(), Some(layer), data)
    }
}

impl xbench_plugin::Vjp for HybridSvm {
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
            .hybrid
            .vjp(
                &threads,
                x.data(),
                output_gradient.data(),
                layer,
                want_activation,
            )
            .map_err(error)?;
        let shaped = |data| shaped(&self.spec, &self.layers, x.rows(), layer, data);
        Ok(Pullback {
            activation: pullback.activation.map(shaped).transpose()?,
            gradient: shaped(pullback.gradient)?,
        })
    }
}

impl xbench_plugin::ModifiedVjp for HybridSvm {
    /// The machine has no ReLU, and no rule of DeepLIFT or LRP; the network has the others.
    fn rules(&self) -> Vec<String> {
        inner::RULES[..2]
            .iter()
            .map(|&rule| rule.to_owned())
            .collect()
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
        let layer = match wrt {
            Wrt::Input => None,
            Wrt::Layer(name) => Some(name),
        };
        let threads = self.pool.threads(ctx)?;
        let pullback = self
            .hybrid
            .modified_vjp(
                &threads,
                x.data(),
                output_gradient.data(),
                inner::network_rule(rule),
                layer,
                want_activation,
            )
            .map_err(error)?;
        let shaped = |data| shaped(&self.spec, &self.layers, x.rows(), layer, data);
        Ok(Pullback {
            activation: pullback.activation.map(shaped).transpose()?,
            gradient: shaped(pullback.gradient)?,
        })
    }
}

impl xbench_plugin::ForwardFrom for HybridSvm {
    fn forward_from(
        &self,
        ctx: &Context<'_>,
        layer: &str,
        value: TensorRef<'_>,
        outputs: &mut [f32],
    ) -> Result<()> {
        let threads = self.pool.threads(ctx)?;
        self.hybrid
            .outputs_from(&threads, layer, value.data(), outputs)
            .map_err(error)
    }
}

impl xbench_plugin::Linear for HybridSvm {
    fn layer(&self) -> &str {
        hybrid_cnn::FEATURE_LAYER
    }

    fn num_features(&self) -> usize {
        hybrid_cnn::FEATURES
    }

    fn head(&self, _: &Context<'_>) -> Result<LinearHead> {
        head(self.hybrid.network(), hybrid_cnn::HEAD_LAYER)
    }
}

impl xbench_plugin::Parameters for HybridSvm {
    fn parameter_layers(&self) -> Vec<String> {
        let layers = self.hybrid.parameter_layers();
        layers.into_iter().map(str::to_owned).collect()
    }

    fn randomise(&mut self, ctx: &Context<'_>, mode: Randomise, layer: &str) -> Result<()> {
        let cascade = mode == Randomise::Cascade;
        self.hybrid
            .randomise(layer, cascade, ctx.seed())
            .map_err(error)
    }

    fn restore(&mut self, _: &Context<'_>) -> Result<()> {
        self.hybrid.restore();
        Ok(())
    }

    fn fingerprint(&self, _: &Context<'_>) -> Result<[u8; 32]> {
        self.hybrid.fingerprint().map_err(error)
    }
}

impl xbench_plugin::Weights for HybridSvm {
    const FORMAT: &'static std::ffi::CStr = c"safetensors";

    fn save(&self, _: &Context<'_>) -> Result<Vec<u8>> {
        self.hybrid.save().map_err(error)
    }

    fn load(&mut self, _: &Context<'_>, bytes: &[u8]) -> Result<()> {
        self.hybrid.load(bytes).map_err(error)
    }
}

impl xbench_plugin::Fit for HybridSvm {
    /// Trains network and machine anew. Beside the fields of the network's
    /// [`Recipe`](crate::train::Recipe), `settings` may hold those of [`Machine`].
    fn fit(
        &mut self,
        ctx: &Context<'_>,
        data: &DataHandle<'_>,
        settings: &str,
        monitor: &mut dyn FitMonitor,
    ) -> Result<String> {
        let threads = self.pool.threads(ctx)?;
        let (preset, given) = preset(settings)?;
        let (recipe, machine) = options(
            preset,
            given,
            hybrid_cnn::recipe(preset, 0),
            Machine::default(),
        )?;
        let network = self.hybrid.network();
        let set = Set::read(data, network)?;
        let recipe = set.fitted(recipe);
        let input = network.architecture().input;
        let mut fresh = Hybrid::new(input, self.spec.outputs, recipe.seed)
            .map_err(error)?
            .with_readout(self.hybrid.readout());
        let mut teller = Teller::new(monitor);
        let outcome = hybrid::train(
            &mut fresh,
            set.images(),
            &recipe,
            &machine,
            &threads,
            &mut teller,
        );
        let report = teller.outcome(outcome)?;
        self.hybrid = fresh;
        let mut report = serde_json::to_value(&report)
            .map_err(|e| Error::internal(format!("the report of the training: {e}")))?;
        report["preset"] = json!(preset.name());
        report["parameters"] = json!(self.hybrid.network().parameter_count());
        Ok(report.to_string())
    }
}
