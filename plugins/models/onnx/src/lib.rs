//! Any ONNX classifier as a model plugin, `org.xbench.onnx`: no code, only its file.
//!
//! The host hands over the file's bytes (capability `xbench.model.weights/1`, format `onnx`), so that
//! its path plays no part in what a result is known by; what the file does not tell are the
//! parameters ([`OnnxParams`]): the shape of the data, how pixels become the network's input, and the
//! names of its classes.
//!
//! # Input
//!
//! Data come as pixels of 0 to 1, `[channels, height, width]`, or as features, `[features]`. The
//! network gets `(x · scale - mean) / std`, channels first or last, grey repeated into colours where
//! `channels: repeat` says so. A network of vectors, or of pictures without a channel axis, gets the
//! same elements flattened. Its batch axis may be free, 1, or any number: where the number is not
//! written into the graph itself, single pictures are computed, and otherwise copies of one.
//!
//! # Output
//!
//! Unless `output: probabilities` is set, a Softmax at the end is left out: the outputs are logits. A
//! network that ends in probabilities of another making is refused until one says what they are. With
//! `classes` (the network's order) and `data_classes` (the data's), outputs are put into the data's
//! order by name.
//!
//! # How it computes
//!
//! Forward passes are tract's, one row after another: a row's result has the same bits in any batch
//! and on any number of threads. Every node whose value is f32 and has the batch axis first is a
//! layer, named after the node, or else after its output.
//!
//! Gradients are of our own making: the forward pass gives the values that the rules of the operators
//! on the way need, and a reverse pass over the graph applies them. There is a rule for:
//! Conv, ConvTranspose (constant weights, any number of axes); Gemm, MatMul; MaxPool, AveragePool,
//! GlobalAveragePool, GlobalMaxPool; BatchNormalization, LayerNormalization, InstanceNormalization,
//! GroupNormalization, LRN; Softmax, LogSoftmax; Relu, LeakyRelu, PRelu, ThresholdedRelu, Elu, Celu,
//! Selu, Clip, Sigmoid, HardSigmoid, HardSwish, Swish, Mish, Tanh, Softplus, Softsign, Gelu, Erf, Exp,
//! Log, Sqrt, Abs, Neg, Reciprocal, Sin, Cos, Floor, Ceil, Round, Sign; Add, Sub, Mul, Div, Pow, Max,
//! Min, Sum, Mean; ReduceMean, ReduceSum, ReduceMax, ReduceMin, ReduceL2, ReduceSumSquare; Resize and
//! Upsample (nearest and linear); Identity, Dropout, Cast, Flatten, Reshape, Squeeze, Unsqueeze,
//! Transpose, Slice, Split, Concat, Gather, Expand, Tile, Pad, Where, DepthToSpace, SpaceToDepth.
//! Another operator is named by the error, and only where it stands between the output and what the
//! gradient is taken of. At kinks the gradient is PyTorch's: 0 for ReLU at 0 and for ReLU6 at 0 and 6,
//! the first of equal maxima in a pool.
//!
//! # What is refused
//!
//! Files that are cut or damaged, whose weights lie in other files, graphs with several inputs, with an
//! input other than f32, with operators that tract does not know or of foreign domains (model-local
//! functions: inline them), in a circle, or with tensors of more than 2³⁰ elements. tract may panic on
//! graphs it did not expect; that is caught and told as an error.

mod classes;
mod engine;
mod graph;
mod input;
mod layers;
mod network;
mod params;
pub mod plugin;
mod read;
mod tape;
mod tensors;
mod weights;

pub use params::OnnxParams;
pub use plugin::Onnx;
