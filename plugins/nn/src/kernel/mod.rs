//! The arithmetic on plain slices, one block of images on one thread.
//!
//! Images are channel-last here (`[images, height, width, channels]`); the candle operations in
//! [`crate::op`] take and give `[images, channels, height, width]` and convert block by block.
//! Nothing in this module starts a thread, reads a clock or keeps a global.

pub mod conv;
pub mod dense;
pub mod layout;
pub mod loss;
pub mod norm;
pub mod pool;
pub mod resize;
pub mod tile;
pub mod window;

/// Buffers that kernels reuse from call to call; one per thread.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) padded: Vec<f32>,
    pub(crate) columns: Vec<f32>,
}

/// Gives the first `len` elements of a buffer, growing it when it is too short. What they hold
/// is left over from earlier use.
pub fn reuse(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}
