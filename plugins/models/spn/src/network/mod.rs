//! The network: its graph, its parameters, and prediction.

mod build;
mod evaluate;
pub mod file;
mod graph;
mod parameters;

use std::sync::Arc;

use xbench_nn::Threads;
use xbench_nn::kernel::layout;
use xbench_plugin::{Error, Result};

pub(crate) use evaluate::{EPSILON, add_relu, mask, with_scratch};
pub use evaluate::{Folded, ReluRule};
pub use graph::{Architecture, ConvPlace, Graph, NamedValue, Node, Op, Shape, VectorPlace};
pub use parameters::{Kind, Norm, Parameters, TensorName, names};

/// Mean and standard deviation of ImageNet's pixels, by channel: what torchvision's weights expect
/// images to be normalised by. Grey images are repeated and then normalised alike.
pub const PIXEL_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// See [`PIXEL_MEAN`].
pub const PIXEL_DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// A network ready to predict.
#[derive(Debug)]
pub struct Network {
    graph: Arc<Graph>,
    original: Parameters,
    /// In place of the original ones while some layers are randomised.
    randomised: Option<Parameters>,
    folded: Folded,
    spn: bool,
}

impl Network {
    /// A network with parameters drawn from a seed.
    ///
    /// # Errors
    /// When there is no such network.
    pub fn new(architecture: Architecture, seed: u64) -> Result<Self> {
        let graph = Arc::new(Graph::new(architecture)?);
        let original = Parameters::draw(&graph, seed);
        Ok(Network {
            folded: Folded::new(&graph, &original, true),
            graph,
            original,
            randomised: None,
            spn: true,
        })
    }

    /// What is computed from what.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The parameters as they are now.
    pub fn parameters(&self) -> &Parameters {
        self.randomised.as_ref().unwrap_or(&self.original)
    }

    /// Replaces all parameters, also those that [`Network::restore`] goes back to; `spn` says
    /// whether the saliency prediction network is among them.
    pub fn set_parameters(&mut self, parameters: Parameters, spn: bool) {
        self.original = parameters;
        self.randomised = None;
        self.spn = spn;
        self.fold();
    }

    /// Whether the network predicts masks.
    pub fn predicts_masks(&self) -> bool {
        self.spn
    }

    fn fold(&mut self) {
        self.folded = Folded::new(&self.graph, self.parameters(), true);
    }

    /// Draws the parameters of group `first` anew, and with `cascade` those of every group behind it
    /// (Adebayo et al. 2018: from the logits downwards); all others are the original ones. Batch
    /// normalisations go back to 1 and 0, and so do their statistics.
    ///
    /// # Errors
    /// When there is no such group.
    pub fn randomise(&mut self, group: &str, cascade: bool, seed: u64) -> Result<()> {
        let groups = &self.graph.groups;
        let first = groups.iter().position(|g| g == group).ok_or_else(|| {
            Error::not_found(format!(
                "no layer '{group}'; there are {}",
                groups.join(", ")
            ))
        })?;
        let end = if cascade { groups.len() } else { first + 1 };
        let mut parameters = self.original.clone();
        parameters.redraw_groups(&self.graph, seed, first..end);
        self.randomised = Some(parameters);
        self.fold();
        Ok(())
    }

    /// Undoes [`Network::randomise`].
    pub fn restore(&mut self) {
        if self.randomised.take().is_some() {
            self.fold();
        }
    }

    /// The layer of a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn layer(&self, name: &str) -> Result<&NamedValue> {
        let layers = &self.graph.layers;
        layers.iter().find(|l| l.name == name).ok_or_else(|| {
            let known: Vec<&str> = layers.iter().map(|l| &l.name[..]).collect();
            Error::not_found(format!("no layer '{name}'; there are {}", known.join(", ")))
        })
    }

    /// Elements of an image as it comes, `[channels, height, width]`.
    pub fn input_len(&self) -> usize {
        self.graph.architecture.input.iter().product()
    }

    /// Logits `[images, classes]` of images `[images, channels, height, width]`, 0 to 1.
    pub fn logits(&self, threads: &Threads, x: &[f32]) -> Vec<f32> {
        self.value(threads, x, self.graph.logits)
    }

    /// Value of a layer `[images, channels, height, width]`.
    ///
    /// # Errors
    /// When there is no such layer.
    pub fn activation(&self, threads: &Threads, x: &[f32], layer: &str) -> Result<Vec<f32>> {
        let value = self.layer(layer)?.value;
        Ok(self.channel_first(value, &self.value(threads, x, value)))
    }

    /// Probability `[images, height, width]` that a pixel belongs to the object.
    ///
    /// # Errors
    /// When the network was trained without masks.
    pub fn segment(&self, threads: &Threads, x: &[f32]) -> Result<Vec<f32>> {
        if !self.spn {
            return Err(Error::unimplemented(
                "this network was trained without masks (setting masks: 0) and predicts none; \
                 train it with masks above 0",
            ));
        }
        let mut map = self.value(threads, x, self.graph.mask());
        for value in &mut map {
            *value = sigmoid(*value);
        }
        Ok(map)
    }

    /// Gradient of `Σ dy · logits` with respect to a layer or the input, and the layer's value, both
    /// `[images, channels, height, width]`.
    ///
    /// # Errors
    /// When there is no such layer.
    pub fn gradient(
        &self,
        threads: &Threads,
        x: &[f32],
        dy: &[f32],
        layer: Option<&str>,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        self.pull_back(threads, x, dy, ReluRule::Chain, layer)
    }

    /// As [`Network::gradient`], but by another rule at each ReLU.
    ///
    /// # Errors
    /// When there is no such layer.
    pub fn pull_back(
        &self,
        threads: &Threads,
        x: &[f32],
        dy: &[f32],
        relu: ReluRule,
        layer: Option<&str>,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let value = match layer {
            None => 0,
            Some(name) => self.layer(name)?.value,
        };
        let input = |images: std::ops::Range<usize>| self.normalised(x, images);
        let (gradient, activation) =
            self.folded
                .gradient(&self.graph, threads, dy, value, relu, input);
        if value > 0 {
            return Ok((
                self.channel_first(value, &gradient),
                self.channel_first(value, &activation),
            ));
        }
        let [channels, height, width] = self.graph.architecture.input;
        let mut dx = vec![0.0; x.len()];
        for (dx, dy) in dx
            .chunks_exact_mut(self.input_len())
            .zip(gradient.chunks_exact(3 * height * width))
        {
            for (pixel, dy) in dy.as_chunks::<3>().0.iter().enumerate() {
                for c in 0..3 {
                    dx[c % channels * height * width + pixel] += dy[c] / PIXEL_DEVIATION[c];
                }
            }
        }
        Ok((dx, x.to_vec()))
    }

    fn value(&self, threads: &Threads, x: &[f32], value: usize) -> Vec<f32> {
        let images = x.len() / self.input_len();
        let input = |images: std::ops::Range<usize>| self.normalised(x, images);
        self.folded
            .value(&self.graph, threads, images, value, input)
    }

    /// Some of the images as the network takes them, `[images, height, width, 3]`.
    fn normalised(&self, x: &[f32], images: std::ops::Range<usize>) -> Vec<f32> {
        let (len, [channels, height, width]) = (self.input_len(), self.graph.architecture.input);
        let mut out = vec![0.0; images.len() * 3 * height * width];
        for (x, out) in x[images.start * len..images.end * len]
            .chunks_exact(len)
            .zip(out.chunks_exact_mut(3 * height * width))
        {
            normalise(x, channels, out);
        }
        out
    }

    fn channel_first(&self, value: usize, from: &[f32]) -> Vec<f32> {
        let [height, width, channels] = self.graph.shape(value);
        let mut to = vec![0.0; from.len()];
        layout::to_channel_first(from, channels, height * width, &mut to);
        to
    }
}

/// `[channels, pixels]`, 0 to 1, to `[pixels, 3]` with [`PIXEL_MEAN`] and [`PIXEL_DEVIATION`].
pub(crate) fn normalise(x: &[f32], channels: usize, out: &mut [f32]) {
    let pixels = x.len() / channels;
    for (pixel, out) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        for (c, out) in out.iter_mut().enumerate() {
            *out = (x[c % channels * pixels + pixel] - PIXEL_MEAN[c]) / PIXEL_DEVIATION[c];
        }
    }
}

/// 1 / (1 + e⁻ˣ), without overflow.
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
