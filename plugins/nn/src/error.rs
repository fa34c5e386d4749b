//! What can be wrong with the arguments of an operation.

use crate::kernel::window::Window;

/// An operation that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The window and the image do not fit.
    #[error(
        "window {kernel:?} (stride {stride:?}, padding {padding:?}, dilation {dilation:?}) on an \
         image of {input:?} pixels: {what}; change the window or the input size",
        kernel = window.kernel, stride = window.stride, padding = window.padding,
        dilation = window.dilation
    )]
    Geometry {
        /// The window.
        window: Window,
        /// Height and width of the image.
        input: [usize; 2],
        /// What is wrong.
        what: &'static str,
    },
    /// Numbers of channels that do not fit.
    #[error("{what}: {left} and {right} channels do not fit")]
    Channels {
        /// Where.
        what: &'static str,
        /// One count.
        left: usize,
        /// The other.
        right: usize,
    },
    /// The threads could not be started.
    #[error("cannot start {count} compute threads: {source}; ask for fewer")]
    Threads {
        /// How many were asked for.
        count: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        candle_core::Error::wrap(error)
    }
}
