//! What a model plugin implements: [`Model`], and a trait for each further capability.

use std::ffi::CStr;

use xbench_abi as abi;

use crate::backward::BackwardRule;
use crate::context::Context;
use crate::data::DataHandle;
use crate::error::Result;
use crate::meta::Meta;
use crate::params::Params;
use crate::tensor::{Tensor, TensorRef};
use crate::trees::TreeEnsemble;

/// What every plugin is: facts about itself, parameters, and a constructor.
///
/// `Send + Sync`, because a host may use an object off its thread or let calls overlap where
/// [`Flags`](crate::Flags) allow it, and the compiler cannot see those flags.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// Static facts.
    const META: Meta;
    /// What `create` gets; [`NoParams`](crate::NoParams) for none.
    type Params: Params;

    /// Makes an object.
    ///
    /// # Errors
    /// When the parameters do not make sense together, or a resource is missing.
    fn create(params: Self::Params, ctx: &Context<'_>) -> Result<Self>;
}

/// What the numbers that come out of a model are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// Unnormalised scores, before a softmax.
    Logits,
    /// Probabilities that sum to 1.
    Probabilities,
    /// Values of a regression.
    Values,
}

impl OutputKind {
    pub(crate) const fn code(self) -> i32 {
        match self {
            Self::Logits => abi::XB_LOGITS,
            Self::Probabilities => abi::XB_PROBABILITIES,
            Self::Values => abi::XB_VALUES,
        }
    }

    pub(crate) const fn from_code(code: i32) -> Option<Self> {
        match code {
            abi::XB_LOGITS => Some(Self::Logits),
            abi::XB_PROBABILITIES => Some(Self::Probabilities),
            abi::XB_VALUES => Some(Self::Values),
            _ => None,
        }
    }
}

/// What goes in and what comes out. It must not change during an object's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpec {
    /// Extents of one example, without the example axis: `[channels, height, width]` for images.
    pub input_shape: Vec<usize>,
    /// `c"nchw"`, `c"tabular"`, ...
    pub layout: &'static CStr,
    /// Outputs per example.
    pub outputs: usize,
    /// What the outputs are.
    pub output_kind: OutputKind,
}

impl ModelSpec {
    /// Elements of one example.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.input_shape.iter().product()
    }
}

/// The forward pass: what every model can do.
///
/// In all methods `x` is `[n, input...]` and fits [`spec`](Model::spec), and row *i* of a result must
/// depend on row *i* of the arguments alone.
pub trait Model: Plugin {
    /// What goes in and what comes out.
    fn spec(&self) -> &ModelSpec;

    /// Fills `outputs`, `[n, outputs]` in row-major order; it comes zeroed.
    ///
    /// # Errors
    /// When it cannot be computed.
    fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()>;
}

/// An inner layer, named after what it computes, its non-linearity included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSpec {
    /// Unique within the model.
    pub name: String,
    /// `conv2d`, `max_pool2d`, `linear`, ...
    pub op: String,
    /// Extents of its value for one example, without the example axis.
    pub shape: Vec<usize>,
}

/// Capability `xbench.model.layers/1`: activations of inner layers.
pub trait Layers: Model {
    /// In forward order; it must not change during an object's life.
    fn layers(&self) -> &[LayerSpec];

    /// Value `[n, layer shape...]` of a layer, which is one of [`layers`](Layers::layers).
    ///
    /// # Errors
    /// When it cannot be computed.
    fn activation(&self, ctx: &Context<'_>, x: TensorRef<'_>, layer: &str) -> Result<Tensor>;
}

/// What a gradient is taken with respect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrt<'a> {
    /// The input.
    Input,
    /// The value of the layer of this name.
    Layer(&'a str),
}

/// A gradient, and the value at which it was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Pullback {
    /// The value of what the gradient is taken with respect to, of the same pass. To be given when
    /// it is asked for.
    pub activation: Option<Tensor>,
    /// The gradient, shaped alike.
    pub gradient: Tensor,
}

/// Capability `xbench.model.vjp/1`: vector-Jacobian products.
pub trait Vjp: Model {
    /// Gradient of `sum(output_gradient * outputs)` with respect to the input or a layer;
    /// `output_gradient` is `[n, outputs]`.
    ///
    /// # Errors
    /// `NotFound` for a layer that the model does not have.
    fn vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback>;
}

/// Capability `xbench.model.modified_vjp/1`: backward passes by other rules than the chain rule.
pub trait ModifiedVjp: Vjp {
    /// Names of the rules that the model can do, as [`BackwardRule::name`] gives them; it must not
    /// change during an object's life.
    fn rules(&self) -> Vec<String>;

    /// As [`vjp`](Vjp::vjp), but by `rule`, which is one of [`rules`](ModifiedVjp::rules).
    ///
    /// # Errors
    /// `NotFound` for a layer that the model does not have.
    fn modified_vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        rule: BackwardRule<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback>;
}

/// Capability `xbench.model.forward_from/1`: the outputs that given values of a layer lead to.
pub trait ForwardFrom: Layers {
    /// Fills `outputs`, `[n, outputs]`, for `value`, `[n, layer shape...]`, of `layer`, which is one
    /// of [`layers`](Layers::layers); it comes zeroed.
    ///
    /// # Errors
    /// `Unimplemented` where the output does not depend on that layer alone.
    fn forward_from(
        &self,
        ctx: &Context<'_>,
        layer: &str,
        value: TensorRef<'_>,
        outputs: &mut [f32],
    ) -> Result<()>;
}

/// Capability `xbench.model.biases/1`: what layers add before their non-linearity.
pub trait Biases: Layers {
    /// One value per channel or unit of `layer`, which is one of [`layers`](Layers::layers); none
    /// where it adds nothing.
    ///
    /// # Errors
    /// When they cannot be read.
    fn biases(&self, ctx: &Context<'_>, layer: &str) -> Result<Option<Vec<f32>>>;
}

/// The last layer of a network with global average pooling.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearHead {
    /// `[outputs, features]`.
    pub weight: Tensor,
    /// `[outputs]`.
    pub bias: Option<Vec<f32>>,
}

/// Capability `xbench.model.linear/1`: `outputs = weight · spatial mean of a layer + bias`, which is
/// what class activation mapping stands on (Zhou et al., 2016, equation 1).
pub trait Linear: Model {
    /// Name of the layer whose spatial mean the outputs are linear in.
    fn layer(&self) -> &str;

    /// Its channels.
    fn num_features(&self) -> usize;

    /// The weights as they are now.
    ///
    /// # Errors
    /// When they cannot be read.
    fn head(&self, ctx: &Context<'_>) -> Result<LinearHead>;
}

/// Which layers are randomised (Adebayo et al., "Sanity Checks for Saliency Maps", 2018).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Randomise {
    /// From the output down to the named layer, inclusive.
    Cascade,
    /// The named layer alone.
    Single,
}

/// Capability `xbench.model.parameters/1`: randomise and restore the parameters.
pub trait Parameters: Model {
    /// Names of the layers with parameters, in forward order; it must not change during an object's
    /// life.
    fn parameter_layers(&self) -> Vec<String>;

    /// Draws parameters anew from [`Context::seed`]; `layer` is one of
    /// [`parameter_layers`](Parameters::parameter_layers).
    ///
    /// # Errors
    /// When it cannot be done.
    fn randomise(&mut self, ctx: &Context<'_>, mode: Randomise, layer: &str) -> Result<()>;

    /// Back to what create, load or fit made.
    ///
    /// # Errors
    /// When it cannot be done.
    fn restore(&mut self, ctx: &Context<'_>) -> Result<()>;

    /// SHA-256 of the parameters as they are now.
    ///
    /// # Errors
    /// When they cannot be read.
    fn fingerprint(&self, ctx: &Context<'_>) -> Result<[u8; 32]>;
}

/// Capability `xbench.model.weights/1`: parameters as bytes. The host does the files.
pub trait Weights: Model {
    /// Format of the bytes: `c"safetensors"`, ...
    const FORMAT: &'static CStr;

    /// The parameters.
    ///
    /// # Errors
    /// When they cannot be written.
    fn save(&self, ctx: &Context<'_>) -> Result<Vec<u8>>;

    /// Replaces the parameters; on failure they are as before.
    ///
    /// # Errors
    /// When the bytes do not fit this model.
    fn load(&mut self, ctx: &Context<'_>, bytes: &[u8]) -> Result<()>;
}

/// How far the training is: after a batch, or after an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitStep {
    /// Does this tell of a whole epoch?
    pub epoch_done: bool,
    /// From 1.
    pub epoch: u32,
    /// In all.
    pub epochs: u32,
    /// From 1.
    pub batch: u32,
    /// In an epoch.
    pub batches: u32,
    /// Training loss of the batch, or its mean over the epoch.
    pub loss: f64,
    /// Training accuracy, 0 to 1.
    pub accuracy: f64,
    /// NaN within an epoch.
    pub validation_loss: f64,
    /// 0 to 1; NaN within an epoch.
    pub validation_accuracy: f64,
    /// Of the step.
    pub learning_rate: f64,
}

/// Whom a training tells how far it is, and who keeps its state.
pub trait FitMonitor {
    /// To be called after each batch and each epoch.
    ///
    /// # Errors
    /// The host wants to stop: pass it on.
    fn step(&mut self, step: &FitStep) -> Result<()>;

    /// The state that an interrupted training of the same model, settings and data kept last. The
    /// training goes on from there and ends with the same bits.
    fn resume(&self) -> Option<&[u8]> {
        None
    }

    /// Keeps the state, whole or not at all, in place of the last; to be called every few seconds at
    /// most. It holds all that decides the rest: parameters, the optimiser's state, counters.
    ///
    /// # Errors
    /// It could not be kept.
    fn checkpoint(&mut self, state: &[u8]) -> Result<()> {
        let _ = state;
        Ok(())
    }
}

/// A monitor that keeps nothing.
impl<F: FnMut(&FitStep) -> Result<()>> FitMonitor for F {
    fn step(&mut self, step: &FitStep) -> Result<()> {
        self(step)
    }
}

/// Capability `xbench.model.fit/1`: training.
pub trait Fit: Model {
    /// Trains on `data` after `settings`, a JSON object with `preset` and `seed` among its keys.
    /// `monitor` is to be told after each batch and each epoch.
    ///
    /// Returns a JSON object: the recipe that was followed and what it reached.
    ///
    /// # Errors
    /// When the settings are wrong, the data do not fit, or the host wants to stop.
    fn fit(
        &mut self,
        ctx: &Context<'_>,
        data: &DataHandle<'_>,
        settings: &str,
        monitor: &mut dyn FitMonitor,
    ) -> Result<String>;
}

/// Capability `xbench.model.segment/1`: a predicted object mask.
pub trait Segment: Model {
    /// Probability that each pixel belongs to the object, `[n, height, width]`, 0 to 1.
    ///
    /// # Errors
    /// When it cannot be computed.
    fn segment(&self, ctx: &Context<'_>, x: TensorRef<'_>) -> Result<Tensor>;
}

/// Capability `xbench.model.trees/1`: decision trees whose leaves add up to the outputs.
pub trait Trees: Model {
    /// The trees as they are now.
    fn trees(&self) -> &TreeEnsemble;
}
