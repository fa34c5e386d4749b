//! The description of a sequential network, independent of its weights and of how it is run.

use xbench_nn::Window;

/// What a layer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Convolution with bias, followed by ReLU.
    Conv {
        /// Output channels.
        channels: usize,
        /// Its window.
        window: Window,
    },
    /// Maximum over windows.
    MaxPool(Window),
    /// Average over windows.
    AveragePool(Window),
    /// Average over each whole channel.
    GlobalAverage,
    /// Fully connected, with bias.
    Dense {
        /// Output features.
        features: usize,
        /// Whether ReLU follows.
        relu: bool,
    },
}

impl Op {
    /// The name of the operation, as shown to users.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Conv { .. } => "conv2d",
            Op::MaxPool(_) => "max_pool2d",
            Op::AveragePool(_) => "avg_pool2d",
            Op::GlobalAverage => "global_avg_pool2d",
            Op::Dense { relu: true, .. } => "linear",
            Op::Dense { relu: false, .. } => "linear",
        }
    }
}

/// A named layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Unique within its network.
    pub name: &'static str,
    /// What it computes.
    pub op: Op,
}

/// How weights are drawn before training; biases follow the same rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// Keras' default: Glorot and Bengio's uniform weights (2010, equation 16), zero biases.
    Glorot,
    /// PyTorch's default: weights and biases uniform within ±1/√(fan in).
    FanIn,
}

/// A sequential network: the input's shape and the layers in forward order. The last layer gives
/// the logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Short name, for example `cnn-gap`.
    pub name: &'static str,
    /// Channels, height, width.
    pub input: [usize; 3],
    /// In forward order.
    pub layers: Vec<Layer>,
    /// How weights are drawn.
    pub init: Init,
}
