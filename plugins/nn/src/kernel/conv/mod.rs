//! Two-dimensional convolution (cross-correlation, as networks use the word) of channel-last
//! images, with bias and ReLU applied before a value leaves its register.
//!
//! - `shape`: what follows from the sizes alone, worked out once
//! - `weights`: weights arranged for the loops
//! - `forward`, `input_gradient`, `weight_gradient`: the three passes
//! - `padding`: images in the middle of larger ones

mod forward;
mod input_gradient;
mod padding;
mod shape;
mod weight_gradient;
mod weights;

pub use weight_gradient::{ConvGradient, GradientPart};
pub use weights::ConvWeights;

use super::tile::Gather;
use super::window::Window;
use input_gradient::Backward;

/// A convolution of known geometry.
#[derive(Clone, Debug)]
pub struct Conv {
    window: Window,
    groups: usize,
    in_channels: usize,
    out_channels: usize,
    input: [usize; 2],
    output: [usize; 2],
    padded: [usize; 2],
    /// Start of each output pixel's window in the padded image.
    rows: Vec<usize>,
    /// Start of each output pixel in the result.
    out_rows: Vec<usize>,
    gathers: Vec<Gather>,
    taps: Vec<Vec<usize>>,
    backward: Backward,
}

#[cfg(test)]
mod tests {
    use super::super::Scratch;
    use super::*;

    fn ramp(n: usize, seed: usize) -> Vec<f32> {
        (0..n)
            .map(|i| ((i * 7919 + seed * 104_729) % 1000) as f32 / 1000.0 - 0.5)
            .collect()
    }

    fn cases() -> Vec<Conv> {
        let three = Window::new([3, 3]).padding([1, 1]);
        [
            ([5, 6], 16, 40, three),
            ([6, 5], 20, 70, three.stride([2, 2])),
            ([4, 4], 3, 130, Window::new([1, 1]).stride([2, 2])),
            ([1, 1], 33, 5, Window::new([1, 1])),
        ]
        .into_iter()
        .map(|(input, from, to, window)| Conv::new(input, from, to, window, 1).unwrap())
        .collect()
    }

    #[test]
    fn parts_make_the_whole_gradient() {
        for conv in cases() {
            let images = 3;
            let x = ramp(images * conv.input_len(), 1);
            let dy = ramp(images * conv.output_len(), 2);
            let mut whole = conv.gradient();
            conv.add_weight_gradient(&x, &dy, images, &mut whole, &mut Scratch::default());
            let mut padded = vec![0.0; images * conv.padded_len()];
            conv.pad(&x, &mut padded);
            let mut sums = conv.gradient();
            for (part, sums) in sums.parts() {
                conv.add_gradient_part(&padded, &dy, part, sums);
            }
            assert_eq!(sums.matrices()[0].data(), whole.matrices()[0].data());
        }
    }

    #[test]
    fn packing_backward_from_the_matrices_is_packing_from_the_weights() {
        for conv in cases() {
            let weights = ramp(conv.weight_len(), 3);
            let (mut both, mut later) = (ConvWeights::default(), ConvWeights::default());
            conv.pack(&weights, true, &mut both);
            conv.pack(&weights, false, &mut later);
            conv.pack_backward(&mut later);
            assert_eq!(both.backward[0].data(), later.backward[0].data());
        }
    }
}
