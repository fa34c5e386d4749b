//! The description of a sequential network, independent of its weights and of how it is run.

use xbench_nn::Window;

/// What a layer computes.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// In training, sets each value to zero with this probability and divides the others by the
    /// probability of staying (inverted dropout, after Srivastava et al. 2014); else the identity.
    Dropout {
        /// At least 0, below 1.
        rate: f32,
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
            Op::Dense { .. } => "linear",
            Op::Dropout { .. } => "dropout",
        }
    }
}

/// A named layer.
#[derive(Clone, Debug, PartialEq)]
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
    /// Keras' He-normal: normal weights of standard deviation √(2/fan in), drawn again beyond two
    /// standard deviations and widened to make up for it (He et al. 2015), zero biases.
    HeNormal,
}

/// A sequential network: the input's shape and the layers in forward order. The last layer gives
/// the logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Short name, for example `cnn-gap`.
    pub name: &'static str,
    /// Channels, height, width.
    pub input: [usize; 3],
    /// In forward order.
    pub layers: Vec<Layer>,
    /// How weights are drawn.
    pub init: Init,
    /// How the first layer's are drawn, where that differs.
    pub first_init: Option<Init>,
}

impl Architecture {
    /// How the weights of layer `i` are drawn.
    pub(super) fn init_of(&self, i: usize) -> Init {
        match self.first_init {
            Some(first) if i == 0 => first,
            _ => self.init,
        }
    }
}
