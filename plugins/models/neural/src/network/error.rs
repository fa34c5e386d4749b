//! What can go wrong with a network, as told to whoever supplied the shape, name or file.

/// A network that cannot be built, or a request it cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The input's shape.
    #[error(
        "input shape {shape:?}: each of channels, height and width must be at least 1, and their product at most 2^28"
    )]
    InputShape {
        /// Channels, height, width.
        shape: [usize; 3],
    },
    /// A network without layers.
    #[error("the network has no layer")]
    NoLayer,
    /// A layer that does not fit the one before it.
    #[error("layer '{layer}': {source}")]
    Layer {
        /// Its name.
        layer: &'static str,
        /// Why not.
        source: xbench_nn::Error,
    },
    /// A share of dropped values that is none.
    #[error("layer '{layer}': dropout rate {rate}, which must be at least 0 and below 1")]
    DropoutRate {
        /// The layer's name.
        layer: &'static str,
        /// Its rate.
        rate: f32,
    },
    /// A layer that is not there.
    #[error("no layer '{layer}'; the layers are {}", known.join(", "))]
    NoSuchLayer {
        /// What was asked for.
        layer: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// A layer without parameters.
    #[error("layer '{layer}' has no parameters")]
    NoParameters {
        /// Its name.
        layer: String,
    },
    /// A buffer of the wrong length.
    #[error("{what}: {got} values where {want} are needed")]
    Length {
        /// Which buffer.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The right length.
        want: usize,
    },
    /// Weights that are not this network's.
    #[error("weights: {0}")]
    Weights(String),
    /// A label outside the classes.
    #[error("image {row} has label {label}, but the network has {classes} classes")]
    Label {
        /// Which image.
        row: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Training settings that make no sense.
    #[error("training setting {0}")]
    Setting(String),
    /// The caller's monitor asked to stop.
    #[error("training was cancelled: {0}")]
    Cancelled(String),
    /// A hybrid without its support vector machine.
    #[error("the model is not trained: train it, or give it weights")]
    Untrained,
    /// A support vector machine.
    #[error(transparent)]
    Machine(#[from] xbench_svm::SvmError),
    /// The state of an interrupted training does not fit this one.
    #[error("the state of the interrupted training cannot be used: {0}; train from the start")]
    Checkpoint(String),
    /// The loss is no longer a number.
    #[error(
        "training diverged in epoch {epoch} at step {step}: the loss is {loss}; lower the learning rate"
    )]
    Diverged {
        /// From 1.
        epoch: usize,
        /// From 1.
        step: usize,
        /// What it became.
        loss: f64,
    },
    /// An operation or the tape refused.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The threads.
    #[error(transparent)]
    Threads(#[from] xbench_nn::Error),
}
