//! What is computed from what: the network as a list of operations.

use xbench_nn::kernel::conv::Conv;
use xbench_nn::kernel::pool::Pool;
use xbench_nn::kernel::resize::Resize;

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Channels (1 or 3), height and width of an image.
    pub input: [usize; 3],
    /// Number of classes.
    pub outputs: usize,
    /// 18, 34 or 50.
    pub depth: usize,
    /// Channels of the stem and the first stage: 64 in the published networks.
    pub width: usize,
}

/// Height, width and channels of a value.
pub type Shape = [usize; 3];

/// An operation; indices are those of the [`Graph`]'s lists, values are numbered from the input (0)
/// on, operation `i` giving value `i + 1`.
#[derive(Debug)]
pub enum Op {
    /// Convolution without bias, batch normalisation, perhaps ReLU.
    ConvNorm {
        /// Of [`Graph::convs`].
        conv: usize,
        /// Of [`Graph::norms`].
        norm: usize,
        /// Whether a ReLU follows.
        relu: bool,
    },
    /// Convolution (or dense layer) with bias, perhaps ReLU.
    ConvBias {
        /// Of [`Graph::convs`].
        conv: usize,
        /// Of [`Graph::biases`].
        bias: usize,
        /// Whether a ReLU follows.
        relu: bool,
    },
    /// Maximum over windows.
    MaxPool(Pool),
    /// ReLU of the sum with another value.
    AddRelu {
        /// The other value.
        other: usize,
    },
    /// Mean over all pixels.
    Average(Pool),
    /// Bilinear enlargement.
    Resize(Resize),
    /// Batch normalisation alone.
    Norm {
        /// Of [`Graph::norms`].
        norm: usize,
    },
}

/// One operation and its result.
#[derive(Debug)]
pub struct Node {
    /// What is done.
    pub op: Op,
    /// The value it is done to.
    pub from: usize,
    /// Of the result.
    pub shape: Shape,
}

/// A convolution or dense layer with weights.
#[derive(Debug)]
pub struct ConvPlace {
    /// As torchvision names the layer.
    pub name: String,
    /// Its geometry.
    pub conv: Conv,
    /// `[out, in, height, width]`, or `[out, in]` of a dense layer.
    pub shape: Vec<usize>,
    /// Which of [`Graph::groups`] it belongs to; none within the SPN.
    pub group: Option<usize>,
}

/// A vector of parameters, or a batch normalisation.
#[derive(Debug)]
pub struct VectorPlace {
    /// As torchvision names the layer.
    pub name: String,
    /// Its length.
    pub len: usize,
    /// As for [`ConvPlace`].
    pub group: Option<usize>,
}

/// A value with a name.
#[derive(Clone, Debug)]
pub struct NamedValue {
    /// The layer's name.
    pub name: String,
    /// What computes it.
    pub op: &'static str,
    /// Which value.
    pub value: usize,
}

/// The network.
#[derive(Debug)]
pub struct Graph {
    /// Which network it is.
    pub architecture: Architecture,
    /// Operations in forward order: backbone, classification net, SPN.
    pub nodes: Vec<Node>,
    /// Layers with weights.
    pub convs: Vec<ConvPlace>,
    /// Batch normalisations.
    pub norms: Vec<VectorPlace>,
    /// Biases.
    pub biases: Vec<VectorPlace>,
    /// Layers shown to explainers, in forward order.
    pub layers: Vec<NamedValue>,
    /// Layers whose parameters are drawn anew together, in forward order.
    pub groups: Vec<String>,
    /// The value that is the logits.
    pub logits: usize,
}

impl Graph {
    /// The value that is the SPN's map, before the sigmoid.
    pub fn mask(&self) -> usize {
        self.nodes.len()
    }

    /// Shape of a value.
    pub fn shape(&self, value: usize) -> Shape {
        match value {
            // Grey images are repeated.
            0 => [self.architecture.input[1], self.architecture.input[2], 3],
            _ => self.nodes[value - 1].shape,
        }
    }

    /// Elements of a value for one image.
    pub fn len(&self, value: usize) -> usize {
        self.shape(value).iter().product()
    }
}
