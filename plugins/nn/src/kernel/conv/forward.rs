//! The convolution itself.

use super::super::Scratch;
use super::super::tile::{Multiply, multiply};
use super::{Conv, ConvWeights};

impl Conv {
    /// `out = act(conv(x) + bias)` for a block of images.
    ///
    /// # Panics
    /// When a length does not fit.
    #[expect(
        clippy::too_many_arguments,
        reason = "operands, result and scratch are all distinct"
    )]
    pub fn forward(
        &self,
        weights: &ConvWeights,
        bias: Option<&[f32]>,
        relu: bool,
        x: &[f32],
        images: usize,
        out: &mut [f32],
        scratch: &mut Scratch,
    ) {
        assert_eq!(x.len(), images * self.input_len(), "convolution input");
        assert_eq!(out.len(), images * self.output_len(), "convolution result");
        let (a, rows) = self.padded_input(x, images, &mut scratch.padded);
        let ocg = self.out_channels / self.groups;
        for (g, (gather, weights)) in self.gathers.iter().zip(&weights.forward).enumerate() {
            multiply(Multiply {
                a,
                rows,
                gather,
                weights,
                bias: bias.map(|b| &b[g * ocg..(g + 1) * ocg]),
                relu,
                out: &mut out[g * ocg..],
                out_stride: self.out_channels,
            });
        }
    }
}
