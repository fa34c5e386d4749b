//! Small sequential networks: what they are ([`Architecture`]), and running them ([`Network`]).
//!
//! A network is run block by block of images rather than layer by layer over the whole batch:
//! the kernels of `xbench-nn` do the arithmetic, and the intermediate images never leave the
//! cache. The same block runner stands behind a candle operation ([`Tape`]), so that training
//! composes it with a loss on candle's tape.

mod architecture;
mod block;
mod dropout;
mod error;
mod modified;
mod parameters;
mod plan;
mod tape;

use std::sync::{Arc, Mutex, PoisonError};

use xbench_nn::Threads;

pub use architecture::{Architecture, Init, Layer, Op};
pub use dropout::Noise;
pub use error::NetworkError;
pub use modified::{Propagation, Rule};
pub use parameters::NamedParameter;
pub use tape::Tape;

use block::{BLOCK, Keep, Span, Workspace};
use plan::{Pack, Plan};

/// A network with its weights. Rows are independent: row `i` of every result depends on image
/// `i` alone, with the same bits in any batch and for any number of threads.
#[derive(Debug)]
pub struct Network {
    architecture: Architecture,
    plan: Arc<Plan>,
    parameters: Vec<f32>,
    /// The parameters before any randomisation.
    original: Vec<f32>,
    packs: Vec<Pack>,
    workspaces: Mutex<Vec<Workspace>>,
}

/// A layer as users see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerInfo {
    /// Unique name.
    pub name: &'static str,
    /// Operation, for example `conv2d`, its non-linearity included.
    pub op: &'static str,
    /// `[channels, height, width]` or `[features]`.
    pub shape: Vec<usize>,
    /// Number of parameters.
    pub parameters: usize,
}

/// The result of [`Network::vjp`].
#[derive(Clone, Debug)]
pub struct Pullback {
    /// The layer's activation, `[images, layer shape]`, where asked for.
    pub activation: Option<Vec<f32>>,
    /// Gradient with respect to the input or the layer, of the same shape.
    pub gradient: Vec<f32>,
}

impl Network {
    /// A network with weights drawn from `seed`.
    ///
    /// # Errors
    /// When the layers do not fit the input.
    pub fn new(architecture: Architecture, seed: u64) -> Result<Self, NetworkError> {
        let plan = Arc::new(Plan::new(&architecture)?);
        let parameters = parameters::draw(&plan, &architecture, seed);
        let mut packs = Vec::new();
        plan.pack(&parameters, &mut packs);
        Ok(Network {
            architecture,
            plan,
            original: parameters.clone(),
            parameters,
            packs,
            workspaces: Mutex::default(),
        })
    }

    /// A second network with the same weights.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Network {
            architecture: self.architecture.clone(),
            plan: Arc::clone(&self.plan),
            parameters: self.parameters.clone(),
            original: self.original.clone(),
            packs: self.packs.clone(),
            workspaces: Mutex::default(),
        }
    }

    /// What the network is.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Elements of one input image.
    pub fn input_len(&self) -> usize {
        self.plan.input_len()
    }

    /// Number of logits.
    pub fn outputs(&self) -> usize {
        self.plan.outputs()
    }

    /// The layers in forward order.
    pub fn layers(&self) -> Vec<LayerInfo> {
        self.plan
            .layers
            .iter()
            .map(|l| LayerInfo {
                name: l.name,
                op: l.op,
                shape: l.shape.clone(),
                parameters: l
                    .parameters
                    .as_ref()
                    .map_or(0, |p| p.weight.len() + p.bias.len()),
            })
            .collect()
    }

    /// Logits `[images, outputs]` of images `[images, channels, height, width]`.
    ///
    /// # Errors
    /// When a length does not fit.
    pub fn logits(
        &self,
        threads: &Threads,
        x: &[f32],
        logits: &mut [f32],
    ) -> Result<(), NetworkError> {
        self.forward_to(threads, x, self.plan.layers.len() - 1, logits)
    }

    /// Activation of a named layer, `[images, layer shape]`.
    ///
    /// # Errors
    /// When there is no such layer or a length does not fit.
    pub fn activation(
        &self,
        threads: &Threads,
        x: &[f32],
        layer: &str,
    ) -> Result<Vec<f32>, NetworkError> {
        let layer = self.plan.index(layer)?;
        let mut out = vec![0.0; self.images(x)? * self.plan.layers[layer].len()];
        self.forward_to(threads, x, layer, &mut out)?;
        Ok(out)
    }

    /// Pulls a gradient of the logits back to the input (`layer` is `None`) or to a layer's
    /// activation, in one forward and one backward pass.
    ///
    /// # Errors
    /// When there is no such layer or a length does not fit.
    pub fn vjp(
        &self,
        threads: &Threads,
        x: &[f32],
        logits_gradient: &[f32],
        layer: Option<&str>,
        want_activation: bool,
    ) -> Result<Pullback, NetworkError> {
        let last = self.plan.layers.len() - 1;
        self.pull(threads, x, (last, logits_gradient), layer, want_activation)
    }

    /// As [`Network::vjp`], for a gradient of the named layer's activation instead of the logits.
    ///
    /// # Errors
    /// When there is no such layer, the one lies behind the other, or a length does not fit.
    pub fn vjp_from(
        &self,
        threads: &Threads,
        x: &[f32],
        (from, gradient): (&str, &[f32]),
        layer: Option<&str>,
        want_activation: bool,
    ) -> Result<Pullback, NetworkError> {
        let from = self.plan.index(from)?;
        self.pull(threads, x, (from, gradient), layer, want_activation)
    }

    fn pull(
        &self,
        threads: &Threads,
        x: &[f32],
        (from, given): (usize, &[f32]),
        layer: Option<&str>,
        want_activation: bool,
    ) -> Result<Pullback, NetworkError> {
        let layer = layer
            .map(|name| self.plan.index_up_to(name, from))
            .transpose()?;
        let images = self.images(x)?;
        let (input, outputs) = (self.input_len(), self.plan.layers[from].len());
        length("gradient to pull back", given.len(), images * outputs)?;
        let width = layer.map_or(input, |l| self.plan.layers[l].len());
        let mut gradient = vec![0.0; images * width];
        let mut activation = vec![0.0; if want_activation { images * width } else { 0 }];
        let activations: Vec<Option<&mut [f32]>> = if want_activation {
            activation.chunks_mut(BLOCK * width).map(Some).collect()
        } else {
            (0..images.div_ceil(BLOCK)).map(|_| None).collect()
        };
        let jobs: Vec<_> = x
            .chunks(BLOCK * input)
            .zip(given.chunks(BLOCK * outputs))
            .zip(gradient.chunks_mut(BLOCK * width))
            .zip(activations)
            .collect();
        let keep = Keep {
            backward: true,
            layer,
        };
        threads.map(jobs, |(((x, dy), gradient), activation)| {
            self.with_workspace(|space| {
                space.forward(&self.plan, &self.parameters, &self.packs, x, from, keep);
                if let Some(activation) = activation {
                    match layer {
                        None => activation.copy_from_slice(x),
                        Some(layer) => space.write_output(&self.plan, layer, activation),
                    }
                }
                let span = Span { from, to: layer };
                space.backward(&self.plan, &self.packs, dy, span, keep, None);
                space.write_gradient(&self.plan, layer, gradient);
            });
        });
        Ok(Pullback {
            activation: want_activation.then_some(activation),
            gradient,
        })
    }

    /// Logits `[images, outputs]` that given values of a layer, `[images, layer shape]`, lead to.
    ///
    /// # Errors
    /// When there is no such layer or a length does not fit.
    pub fn logits_from(
        &self,
        threads: &Threads,
        layer: &str,
        value: &[f32],
        logits: &mut [f32],
    ) -> Result<(), NetworkError> {
        let last = self.plan.layers.len() - 1;
        self.forward_between(threads, layer, value, last, logits)
    }

    /// Activation of the layer `to` that given values of the layer `from` lead to.
    ///
    /// # Errors
    /// When there is no such layer, the one lies behind the other, or a length does not fit.
    pub fn activation_from(
        &self,
        threads: &Threads,
        (from, value): (&str, &[f32]),
        to: &str,
    ) -> Result<Vec<f32>, NetworkError> {
        let to = self.plan.index(to)?;
        let from_index = self.plan.index_up_to(from, to)?;
        let images = value.len() / self.plan.layers[from_index].len();
        let mut out = vec![0.0; images * self.plan.layers[to].len()];
        self.forward_between(threads, from, value, to, &mut out)?;
        Ok(out)
    }

    fn forward_between(
        &self,
        threads: &Threads,
        from: &str,
        value: &[f32],
        to: usize,
        out: &mut [f32],
    ) -> Result<(), NetworkError> {
        let from = self.plan.index_up_to(from, to)?;
        let (wide, width) = (self.plan.layers[from].len(), self.plan.layers[to].len());
        let images = value.len() / wide;
        length("values of the layer", value.len(), images * wide)?;
        length("results", out.len(), images * width)?;
        let jobs: Vec<_> = value
            .chunks(BLOCK * wide)
            .zip(out.chunks_mut(BLOCK * width))
            .collect();
        let keep = Keep {
            backward: false,
            layer: Some(to),
        };
        threads.map(jobs, |(value, out)| {
            self.with_workspace(|space| {
                space.resume(
                    &self.plan,
                    &self.parameters,
                    &self.packs,
                    (from, value),
                    to,
                    keep,
                );
                space.write_output(&self.plan, to, out);
            });
        });
        Ok(())
    }

    /// What a layer adds before its ReLU; none for a layer without parameters.
    ///
    /// # Errors
    /// When there is no such layer.
    pub fn biases(&self, layer: &str) -> Result<Option<&[f32]>, NetworkError> {
        let layer = &self.plan.layers[self.plan.index(layer)?];
        let range = layer.parameters.as_ref();
        Ok(range.map(|range| &self.parameters[range.bias.clone()]))
    }

    fn forward_to(
        &self,
        threads: &Threads,
        x: &[f32],
        layer: usize,
        out: &mut [f32],
    ) -> Result<(), NetworkError> {
        let width = self.plan.layers[layer].len();
        length("results", out.len(), self.images(x)? * width)?;
        let jobs: Vec<_> = x
            .chunks(BLOCK * self.input_len())
            .zip(out.chunks_mut(BLOCK * width))
            .collect();
        let keep = Keep {
            backward: false,
            layer: Some(layer),
        };
        threads.map(jobs, |(x, out)| {
            self.with_workspace(|space| {
                space.forward(&self.plan, &self.parameters, &self.packs, x, layer, keep);
                space.write_output(&self.plan, layer, out);
            });
        });
        Ok(())
    }

    fn images(&self, x: &[f32]) -> Result<usize, NetworkError> {
        let images = x.len() / self.input_len();
        length("pixels", x.len(), images * self.input_len())?;
        Ok(images)
    }

    fn with_workspace<R>(&self, work: impl FnOnce(&mut Workspace) -> R) -> R {
        let pool = || {
            self.workspaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let mut space = pool().pop().unwrap_or_default();
        let result = work(&mut space);
        pool().push(space);
        result
    }
}

fn length(what: &'static str, got: usize, want: usize) -> Result<(), NetworkError> {
    if got == want {
        Ok(())
    } else {
        Err(NetworkError::Length { what, got, want })
    }
}

#[cfg(test)]
mod tests;
