//! The geometry of a convolution, and where its loops find their operands.

use super::super::tile::{Gather, Run};
use super::super::window::Window;
use super::Conv;
use super::input_gradient::Backward;
use crate::Error;

impl Conv {
    /// Plans a convolution of images of `input` (height, width) pixels.
    ///
    /// # Errors
    /// When the window does not fit the image, or the groups do not divide the channels.
    pub fn new(
        input: [usize; 2],
        in_channels: usize,
        out_channels: usize,
        window: Window,
        groups: usize,
    ) -> Result<Self, Error> {
        let output = window.output(input)?;
        for (what, channels) in [
            ("groups and input channels", in_channels),
            ("groups and output channels", out_channels),
        ] {
            if groups == 0 || channels == 0 || !channels.is_multiple_of(groups) {
                return Err(Error::Channels {
                    what,
                    left: groups,
                    right: channels,
                });
            }
        }
        let Window {
            kernel,
            stride,
            padding,
            dilation,
        } = window;
        let padded = [input[0] + 2 * padding[0], input[1] + 2 * padding[1]];
        let icg = in_channels / groups;
        let rows = grid(output)
            .map(|[y, x]| (y * stride[0] * padded[1] + x * stride[1]) * in_channels)
            .collect();
        let gathers: Vec<Gather> = (0..groups)
            .map(|g| {
                Gather::new(grid(kernel).map(|[y, x]| Run {
                    offset: (y * dilation[0] * padded[1] + x * dilation[1]) * in_channels + g * icg,
                    len: icg,
                }))
            })
            .collect();
        Ok(Conv {
            window,
            groups,
            in_channels,
            out_channels,
            input,
            output,
            padded,
            rows,
            out_rows: (0..output[0] * output[1])
                .map(|p| p * out_channels)
                .collect(),
            taps: gathers.iter().map(Gather::taps).collect(),
            gathers,
            backward: Backward::new(input, in_channels, out_channels, window, groups),
        })
    }

    /// Height and width of the result.
    pub fn output(&self) -> [usize; 2] {
        self.output
    }

    /// Channels of the input.
    pub fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// Channels of the result.
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// Elements of one input image.
    pub fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.in_channels
    }

    /// Elements of one output image.
    pub fn output_len(&self) -> usize {
        self.output[0] * self.output[1] * self.out_channels
    }

    /// Number of weights, without bias.
    pub fn weight_len(&self) -> usize {
        self.out_channels * (self.in_channels / self.groups) * self.window.taps()
    }
}

pub(super) fn grid(size: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    (0..size[0]).flat_map(move |y| (0..size[1]).map(move |x| [y, x]))
}
