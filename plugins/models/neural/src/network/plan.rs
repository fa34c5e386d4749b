//! An architecture with every size worked out, ready to run.

use std::ops::Range;

use xbench_nn::Window;
use xbench_nn::kernel::conv::{Conv, ConvGradient, ConvWeights};
use xbench_nn::kernel::dense::{Dense, DenseGradient, DenseWeights};
use xbench_nn::kernel::pool::Pool;

use super::architecture::{Architecture, Op};
use super::error::NetworkError;

/// Sizes beyond which a network is refused: a typing error rather than a model.
const MOST_ELEMENTS: usize = 1 << 28;

/// How a layer is run.
#[derive(Debug)]
pub(super) enum Step {
    Conv(Conv),
    Max(Pool),
    Average(Pool),
    Dense { dense: Dense, relu: bool },
    Dropout { rate: f32 },
}

/// A layer with its sizes.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) name: &'static str,
    pub(super) op: &'static str,
    /// `[channels, height, width]` or `[features]`.
    pub(super) shape: Vec<usize>,
    pub(super) channels: usize,
    pub(super) pixels: usize,
    pub(super) step: Step,
    /// Where its parameters lie in the flat vector, and the shape of the weights.
    pub(super) parameters: Option<ParameterRange>,
}

impl Planned {
    /// Elements of one image's output.
    pub(super) fn len(&self) -> usize {
        self.channels * self.pixels
    }

    /// Whether ReLU is the last thing the layer does.
    pub(super) fn relu(&self) -> bool {
        matches!(self.step, Step::Conv(_) | Step::Dense { relu: true, .. })
    }
}

/// Where a layer's parameters lie in the flat vector.
#[derive(Clone, Debug)]
pub(super) struct ParameterRange {
    pub(super) weight: Range<usize>,
    pub(super) weight_shape: Vec<usize>,
    pub(super) bias: Range<usize>,
    pub(super) fan_in: usize,
    pub(super) fan_out: usize,
}

/// Weights of one layer, arranged for its loops.
#[derive(Clone, Debug, Default)]
pub(super) enum Pack {
    #[default]
    None,
    Conv(ConvWeights),
    Dense(DenseWeights),
}

/// Gradient sums of one layer.
#[derive(Debug)]
pub(super) enum Sums {
    None,
    Conv(ConvGradient),
    Dense(DenseGradient),
}

/// An architecture ready to run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) input: [usize; 3],
    pub(super) layers: Vec<Planned>,
    pub(super) parameter_count: usize,
}

impl Plan {
    pub(super) fn new(architecture: &Architecture) -> Result<Plan, NetworkError> {
        let [mut channels, mut height, mut width] = architecture.input;
        let size = architecture
            .input
            .iter()
            .try_fold(1usize, |a, &b| a.checked_mul(b));
        if size.is_none_or(|size| size == 0 || size > MOST_ELEMENTS) {
            return Err(NetworkError::InputShape {
                shape: architecture.input,
            });
        }
        let mut layers: Vec<Planned> = Vec::new();
        let mut offset = 0;
        let mut flat = false;
        for layer in &architecture.layers {
            let wrong = |source| NetworkError::Layer {
                layer: layer.name,
                source,
            };
            let mut parameters = None;
            let mut own = |weight_shape: Vec<usize>, fan_in: usize, fan_out: usize| {
                let outputs = weight_shape[0];
                let weight = offset..offset + weight_shape.iter().product::<usize>();
                let bias = weight.end..weight.end + outputs;
                offset = bias.end;
                parameters = Some(ParameterRange {
                    weight,
                    weight_shape,
                    bias,
                    fan_in,
                    fan_out,
                });
            };
            let image = [height, width];
            let (step, out_channels, out) = match layer.op {
                Op::Conv {
                    channels: out,
                    window,
                } => {
                    let conv = Conv::new(image, channels, out, window, 1).map_err(wrong)?;
                    let taps = window.taps();
                    own(
                        vec![out, channels, window.kernel[0], window.kernel[1]],
                        channels * taps,
                        out * taps,
                    );
                    let size = conv.output();
                    (Step::Conv(conv), out, size)
                }
                Op::MaxPool(window) => {
                    let pool = Pool::new(image, channels, window, false).map_err(wrong)?;
                    let size = pool.output();
                    (Step::Max(pool), channels, size)
                }
                Op::AveragePool(window) => {
                    let pool = Pool::new(image, channels, window, true).map_err(wrong)?;
                    let size = pool.output();
                    (Step::Average(pool), channels, size)
                }
                Op::GlobalAverage => {
                    let pool =
                        Pool::new(image, channels, Window::new(image), true).map_err(wrong)?;
                    (Step::Average(pool), channels, [1, 1])
                }
                Op::Dense { features, relu } => {
                    let pixels = height * width;
                    let inputs = channels * pixels;
                    own(vec![features, inputs], inputs, features);
                    let dense = if pixels == 1 {
                        Dense::new(inputs, features)
                    } else {
                        Dense::after_image(channels, pixels, features)
                    };
                    (Step::Dense { dense, relu }, features, [1, 1])
                }
                Op::Dropout { rate } => {
                    if !(0.0..1.0).contains(&rate) {
                        return Err(NetworkError::DropoutRate {
                            layer: layer.name,
                            rate,
                        });
                    }
                    (Step::Dropout { rate }, channels, image)
                }
            };
            (channels, [height, width]) = (out_channels, out);
            flat = match layer.op {
                Op::GlobalAverage | Op::Dense { .. } => true,
                Op::Dropout { .. } => flat,
                Op::Conv { .. } | Op::MaxPool(_) | Op::AveragePool(_) => false,
            };
            layers.push(Planned {
                name: layer.name,
                op: layer.op.name(),
                shape: if flat {
                    vec![channels]
                } else {
                    vec![channels, height, width]
                },
                channels,
                pixels: height * width,
                step,
                parameters,
            });
        }
        if layers.is_empty() {
            return Err(NetworkError::NoLayer);
        }
        Ok(Plan {
            input: architecture.input,
            layers,
            parameter_count: offset,
        })
    }

    /// Elements of one input image.
    pub(super) fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Number of logits.
    pub(super) fn outputs(&self) -> usize {
        self.layers.last().map_or(0, Planned::len)
    }

    pub(super) fn index(&self, layer: &str) -> Result<usize, NetworkError> {
        self.index_up_to(layer, self.layers.len() - 1)
    }

    /// The index of a layer that is `last` or in front of it.
    pub(super) fn index_up_to(&self, layer: &str, last: usize) -> Result<usize, NetworkError> {
        let known = &self.layers[..=last];
        known
            .iter()
            .position(|l| l.name == layer)
            .ok_or_else(|| NetworkError::NoSuchLayer {
                layer: layer.to_owned(),
                known: known.iter().map(|l| l.name).collect(),
            })
    }

    /// Arranges flat parameters for the loops.
    pub(super) fn pack(&self, parameters: &[f32], packs: &mut Vec<Pack>) {
        packs.resize_with(self.layers.len(), Pack::default);
        for (i, (layer, pack)) in self.layers.iter().zip(packs).enumerate() {
            let Some(range) = &layer.parameters else {
                continue;
            };
            let weight = &parameters[range.weight.clone()];
            match &layer.step {
                Step::Conv(conv) => {
                    if !matches!(pack, Pack::Conv(_)) {
                        *pack = Pack::Conv(ConvWeights::default());
                    }
                    if let Pack::Conv(weights) = pack {
                        conv.pack(weight, true, weights);
                    }
                }
                Step::Dense { dense, .. } => {
                    if !matches!(pack, Pack::Dense(_)) {
                        *pack = Pack::Dense(DenseWeights::default());
                    }
                    if let Pack::Dense(weights) = pack {
                        dense.pack(weight, true, weights);
                    }
                }
                Step::Max(_) | Step::Average(_) | Step::Dropout { .. } => {
                    debug_assert!(false, "layer {i} has no weights to arrange");
                }
            }
        }
    }

    pub(super) fn sums(&self) -> Vec<Sums> {
        self.layers
            .iter()
            .map(|layer| match &layer.step {
                Step::Conv(conv) => Sums::Conv(conv.gradient()),
                Step::Dense { dense, .. } => Sums::Dense(dense.gradient()),
                Step::Max(_) | Step::Average(_) | Step::Dropout { .. } => Sums::None,
            })
            .collect()
    }

    /// Adds another block's sums, and clears those. In their own arrangement that costs a fraction
    /// of adding them to the flat gradient.
    pub(super) fn merge(sums: &mut [Sums], other: &mut [Sums]) {
        for (sums, other) in sums.iter_mut().zip(other) {
            match (sums, other) {
                (Sums::Conv(sums), Sums::Conv(other)) => {
                    sums.add(other);
                    other.clear();
                }
                (Sums::Dense(sums), Sums::Dense(other)) => {
                    sums.add(other);
                    other.clear();
                }
                _ => {}
            }
        }
    }

    /// Adds sums to the flat gradient, and clears them.
    pub(super) fn collect(&self, sums: &mut [Sums], gradient: &mut [f32]) {
        for (layer, sums) in self.layers.iter().zip(sums) {
            let Some(range) = &layer.parameters else {
                continue;
            };
            let (weight, bias) =
                gradient[range.weight.start..range.bias.end].split_at_mut(range.weight.len());
            match (&layer.step, sums) {
                (Step::Conv(conv), Sums::Conv(sums)) => {
                    conv.unpack_gradient(sums, weight, bias);
                    sums.clear();
                }
                (Step::Dense { dense, .. }, Sums::Dense(sums)) => {
                    dense.unpack_gradient(sums, weight, bias);
                    sums.clear();
                }
                _ => {}
            }
        }
    }
}
