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

use crate::vectorised;

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

/// `N` elements from `at` on, for loops whose length the compiler knows.
#[inline(always)]
fn lanes<const N: usize>(from: &[f32], at: usize) -> [f32; N] {
    let mut lanes = [0.0; N];
    lanes.copy_from_slice(&from[at..at + N]);
    lanes
}

/// Adds each row of `[rows, n]` to `sums` `[n]`.
fn add_rows(rows: &[f32], sums: &mut [f32]) {
    vectorised!(|| {
        for row in rows.chunks_exact(sums.len()) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
    });
}

/// Adds element by element.
fn add_all(from: &[f32], to: &mut [f32]) {
    assert_eq!(from.len(), to.len(), "sums of different layers");
    vectorised!(|| {
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    });
}
