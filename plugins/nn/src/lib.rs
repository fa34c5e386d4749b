//! Network operations with correct gradients, as candle custom operations.
//!
//! candle gives tensors and the autograd tape. Its own pooling gradients are wrong on the CPU
//! (2×2 maximum pooling gives a quarter of the gradient, odd sizes lose or leak it), several
//! operations have no backward at all, and its convolutions are slow. A benchmark of explanations
//! stands on gradients, so the operations it needs are here, each checked against finite
//! differences.
//!
//! - [`op`]: functions on candle tensors, `[images, channels, height, width]`, on the tape.
//! - [`kernel`]: the same arithmetic on slices, for whole networks that keep a block of images in
//!   cache from the first layer to the last.
//! - [`Threads`]: a local pool. Work is cut by the size of the data, so results have the same
//!   bits for any number of threads; and row `i` of a result has the same bits in any batch.

mod error;
pub mod kernel;
pub mod op;
mod threads;

pub use error::Error;
pub use kernel::window::Window;
pub use threads::Threads;
