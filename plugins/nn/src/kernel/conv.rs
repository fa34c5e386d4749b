//! Two-dimensional convolution (cross-correlation, as networks use the word) of channel-last
//! images, with bias and ReLU applied before a value leaves its register.

use super::tile::{
    Gather, Multiply, Outer, OuterPanel, PANEL, Packed, Rows, Run, multiply, outer, outer_panel,
    vectorised,
};
use super::window::Window;
use super::{Scratch, reuse};
use crate::Error;

/// Below this many channels per group the gradient of the input goes by columns: a vector has
/// 16 lanes, and the direct way fills only as many as there are input channels.
const DIRECT_CHANNELS: usize = 12;

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

/// How the gradient of the input is found.
#[derive(Clone, Debug)]
enum Backward {
    /// As a convolution of the padded gradient with the turned weights.
    Direct {
        size: [usize; 2],
        margin: [usize; 2],
        rows: Vec<usize>,
        gathers: Vec<Gather>,
    },
    /// As a product giving each window's contributions, which are then added up in place.
    Columns { gathers: Vec<Gather> },
}

/// Weights arranged for the loops of one [`Conv`].
#[derive(Clone, Debug, Default)]
pub struct ConvWeights {
    forward: Vec<Packed>,
    backward: Vec<Packed>,
}

impl ConvWeights {
    /// The weights as they are multiplied, one matrix a group: `[taps * channels, out channels]`.
    /// After a change, [`Conv::pack_backward`] renews those for the gradient.
    pub fn matrices_mut(&mut self) -> &mut [Packed] {
        &mut self.forward
    }

    /// The weights as they are multiplied, one matrix a group.
    pub fn matrices(&self) -> &[Packed] {
        &self.forward
    }
}

/// A part of the gradient of a convolution's weights, see [`ConvGradient::parts`].
#[derive(Clone, Copy, Debug)]
pub struct GradientPart {
    panel: usize,
    first_tap: usize,
    taps: usize,
}

/// Sums of weight gradients, in the arrangement of one [`Conv`].
#[derive(Clone, Debug)]
pub struct ConvGradient {
    weights: Vec<Packed>,
    bias: Vec<f32>,
}

impl ConvGradient {
    /// Sets all sums to zero.
    pub fn clear(&mut self) {
        for packed in &mut self.weights {
            packed.data_mut().fill(0.0);
        }
        self.bias.fill(0.0);
    }

    /// The sums of the weights' gradient, one matrix a group.
    pub fn matrices(&self) -> &[Packed] {
        &self.weights
    }

    /// Cuts the sums of a convolution without groups into parts that different threads can find by
    /// [`Conv::add_gradient_part`]; the cut follows from the shape alone.
    pub fn parts(&mut self) -> Vec<(GradientPart, &mut [f32])> {
        let mut parts = Vec::new();
        let Some(sums) = self.weights.first_mut() else {
            return parts;
        };
        let (k, panels) = (sums.shape().0, sums.panels());
        let widths: Vec<usize> = (0..panels).map(|p| sums.panel_width(p)).collect();
        // At least eight parts, and sums that stay in a first-level cache with their operands.
        let taps = (k * panels / 8).clamp(24, 144);
        let mut rest = sums.data_mut();
        for (panel, width) in widths.into_iter().enumerate() {
            let mut first_tap = 0;
            while first_tap < k {
                let taps = taps.min(k - first_tap);
                let (part, behind) = rest.split_at_mut(taps * width);
                rest = behind;
                let place = GradientPart {
                    panel,
                    first_tap,
                    taps,
                };
                parts.push((place, part));
                first_tap += taps;
            }
        }
        parts
    }
}

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
        let (icg, ocg) = (in_channels / groups, out_channels / groups);
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
        let direct = stride == [1, 1] && dilation == [1, 1] && icg >= DIRECT_CHANNELS;
        let backward = if direct {
            let size = [input[0] + kernel[0] - 1, input[1] + kernel[1] - 1];
            Backward::Direct {
                size,
                margin: [kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1]],
                rows: grid(input)
                    .map(|[y, x]| (y * size[1] + x) * out_channels)
                    .collect(),
                gathers: (0..groups)
                    .map(|g| {
                        Gather::new(grid(kernel).map(|[y, x]| Run {
                            offset: (y * size[1] + x) * out_channels + g * ocg,
                            len: ocg,
                        }))
                    })
                    .collect(),
            }
        } else {
            Backward::Columns {
                gathers: (0..groups)
                    .map(|g| {
                        Gather::new([Run {
                            offset: g * ocg,
                            len: ocg,
                        }])
                    })
                    .collect(),
            }
        };
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
            backward,
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

    /// Arranges `weights` `[out_channels, in_channels / groups, height, width]` into `packed`,
    /// for the gradient of the input too when `backward`.
    ///
    /// # Panics
    /// When `weights` has another length than [`Conv::weight_len`].
    pub fn pack(&self, weights: &[f32], backward: bool, packed: &mut ConvWeights) {
        assert_eq!(
            weights.len(),
            self.weight_len(),
            "wrong number of convolution weights"
        );
        let (icg, ocg) = (
            self.in_channels / self.groups,
            self.out_channels / self.groups,
        );
        let (taps, k) = (self.window.taps(), icg * self.window.taps());
        if packed.forward.len() != self.groups {
            packed.forward = vec![Packed::zeros(k, ocg); self.groups];
        }
        for (g, packed) in packed.forward.iter_mut().enumerate() {
            let group = &weights[g * ocg * k..(g + 1) * ocg * k];
            packed.fill(|i, o| group[(o * icg + i % icg) * taps + i / icg]);
        }
        if !backward {
            return;
        }
        let direct = matches!(self.backward, Backward::Direct { .. });
        if packed.backward.len() != self.groups {
            let (rows, columns) = if direct { (ocg * taps, icg) } else { (ocg, k) };
            packed.backward = vec![Packed::zeros(rows, columns); self.groups];
        }
        for (g, packed) in packed.backward.iter_mut().enumerate() {
            let group = &weights[g * ocg * k..(g + 1) * ocg * k];
            if direct {
                packed.fill(|r, i| group[((r % ocg) * icg + i) * taps + (taps - 1 - r / ocg)]);
            } else {
                packed.fill(|o, i| group[(o * icg + i % icg) * taps + i / icg]);
            }
        }
    }

    /// Arranges changed weights for the gradient of the input, from their matrices.
    ///
    /// # Panics
    /// When nothing was packed yet.
    pub fn pack_backward(&self, packed: &mut ConvWeights) {
        assert_eq!(
            packed.forward.len(),
            self.groups,
            "weights are not packed at all"
        );
        let (icg, ocg) = (
            self.in_channels / self.groups,
            self.out_channels / self.groups,
        );
        let (taps, k) = (self.window.taps(), icg * self.window.taps());
        let direct = matches!(self.backward, Backward::Direct { .. });
        let ConvWeights { forward, backward } = packed;
        if backward.len() != self.groups {
            let (rows, columns) = if direct { (ocg * taps, icg) } else { (ocg, k) };
            *backward = vec![Packed::zeros(rows, columns); self.groups];
        }
        for (from, to) in forward.iter().zip(backward) {
            if direct {
                for tap in 0..taps {
                    from.transpose_rows(tap * icg..(tap + 1) * icg, to, (taps - 1 - tap) * ocg, 0);
                }
            } else {
                from.transpose_rows(0..k, to, 0, 0);
            }
        }
    }

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

    /// Gradient of the input, written to `dx`; `weights` must be packed for it.
    ///
    /// # Panics
    /// When a length does not fit or the weights are not packed for the gradient.
    pub fn input_gradient(
        &self,
        weights: &ConvWeights,
        dy: &[f32],
        images: usize,
        dx: &mut [f32],
        scratch: &mut Scratch,
    ) {
        assert_eq!(
            dy.len(),
            images * self.output_len(),
            "gradient of a convolution's result"
        );
        assert_eq!(
            dx.len(),
            images * self.input_len(),
            "gradient of a convolution's input"
        );
        assert_eq!(
            weights.backward.len(),
            self.groups,
            "weights are not packed for the gradient"
        );
        let icg = self.in_channels / self.groups;
        match &self.backward {
            Backward::Direct {
                size,
                margin,
                rows,
                gathers,
            } => {
                let stride = size[0] * size[1] * self.out_channels;
                let padded = reuse(&mut scratch.padded, images * stride);
                embed(dy, self.output, self.out_channels, *size, *margin, padded);
                for (g, (gather, weights)) in gathers.iter().zip(&weights.backward).enumerate() {
                    multiply(Multiply {
                        a: padded,
                        rows: Rows {
                            offsets: rows,
                            images,
                            stride,
                        },
                        gather,
                        weights,
                        bias: None,
                        relu: false,
                        out: &mut dx[g * icg..],
                        out_stride: self.in_channels,
                    });
                }
            }
            Backward::Columns { gathers } => {
                for (dy, dx) in dy
                    .chunks_exact(self.output_len())
                    .zip(dx.chunks_exact_mut(self.input_len()))
                {
                    self.input_gradient_by_columns(gathers, weights, dy, dx, scratch);
                }
            }
        }
    }

    fn input_gradient_by_columns(
        &self,
        gathers: &[Gather],
        weights: &ConvWeights,
        dy: &[f32],
        dx: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let pixels = self.out_rows.len();
        let whole = self.padded == self.input;
        let len = self.padded_len();
        let sums = if whole {
            &mut *dx
        } else {
            reuse(&mut scratch.padded, len)
        };
        sums.fill(0.0);
        for (g, (gather, weights)) in gathers.iter().zip(&weights.backward).enumerate() {
            let k = self.gathers[g].k();
            let columns = reuse(&mut scratch.columns, pixels * k);
            multiply(Multiply {
                a: dy,
                rows: Rows {
                    offsets: &self.out_rows,
                    images: 1,
                    stride: 0,
                },
                gather,
                weights,
                bias: None,
                relu: false,
                out: columns,
                out_stride: k,
            });
            let runs = runs_of(&self.taps[g]);
            vectorised(|| {
                for (&base, column) in self.rows.iter().zip(columns.chunks_exact(k)) {
                    for &(offset, start, len) in &runs {
                        let to = &mut sums[base + offset..][..len];
                        for (to, &from) in to.iter_mut().zip(&column[start..start + len]) {
                            *to += from;
                        }
                    }
                }
            });
        }
        if !whole {
            crop(
                &scratch.padded[..len],
                self.padded,
                self.in_channels,
                self.input,
                self.window.padding,
                dx,
            );
        }
    }

    /// Zero sums for [`Conv::add_weight_gradient`].
    pub fn gradient(&self) -> ConvGradient {
        let ocg = self.out_channels / self.groups;
        ConvGradient {
            weights: self
                .gathers
                .iter()
                .map(|g| Packed::zeros(g.k(), ocg))
                .collect(),
            bias: vec![0.0; self.out_channels],
        }
    }

    /// Adds the gradients of weights and bias over a block of images.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn add_weight_gradient(
        &self,
        x: &[f32],
        dy: &[f32],
        images: usize,
        sums: &mut ConvGradient,
        scratch: &mut Scratch,
    ) {
        assert_eq!(x.len(), images * self.input_len(), "convolution input");
        assert_eq!(
            dy.len(),
            images * self.output_len(),
            "gradient of a convolution's result"
        );
        let (a, rows) = self.padded_input(x, images, &mut scratch.padded);
        let ocg = self.out_channels / self.groups;
        let d_rows = Rows {
            offsets: &self.out_rows,
            images,
            stride: self.output_len(),
        };
        for (g, (taps, sums)) in self.taps.iter().zip(&mut sums.weights).enumerate() {
            outer(Outer {
                a,
                rows,
                taps,
                d: &dy[g * ocg..],
                d_rows,
                sums,
            });
        }
        add_rows(dy, &mut sums.bias);
    }

    /// Elements of one image with its padding.
    pub fn padded_len(&self) -> usize {
        self.padded[0] * self.padded[1] * self.in_channels
    }

    /// Copies images into the middle of padded ones, for [`Conv::add_gradient_part`].
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn pad(&self, x: &[f32], padded: &mut [f32]) {
        let images = x.len() / self.input_len();
        assert_eq!(x.len(), images * self.input_len(), "convolution input");
        assert_eq!(padded.len(), images * self.padded_len(), "padded images");
        embed(
            x,
            self.input,
            self.in_channels,
            self.padded,
            self.window.padding,
            padded,
        );
    }

    /// Adds a part of the gradient of the weights of a convolution without groups, over images
    /// that [`Conv::pad`] padded.
    ///
    /// # Panics
    /// When a length does not fit, or the part is of another convolution.
    pub fn add_gradient_part(
        &self,
        padded: &[f32],
        dy: &[f32],
        part: GradientPart,
        sums: &mut [f32],
    ) {
        let images = dy.len() / self.output_len();
        assert_eq!(dy.len(), images * self.output_len(), "gradient of a result");
        assert_eq!(padded.len(), images * self.padded_len(), "padded images");
        let column = part.panel * PANEL;
        let taps = &self.taps[0][part.first_tap..part.first_tap + part.taps];
        // Few enough rows at once that they stay in cache while all taps meet them.
        let block = (4096 / self.out_rows.len().max(1)).clamp(1, images.max(1));
        for (padded, dy) in padded
            .chunks(block * self.padded_len())
            .zip(dy.chunks(block * self.output_len()))
        {
            let images = dy.len() / self.output_len();
            outer_panel(OuterPanel {
                a: padded,
                rows: Rows {
                    offsets: &self.rows,
                    images,
                    stride: self.padded_len(),
                },
                taps,
                d: &dy[column..],
                d_rows: Rows {
                    offsets: &self.out_rows,
                    images,
                    stride: self.output_len(),
                },
                columns: (self.out_channels - column).min(PANEL),
                width: sums.len() / part.taps.max(1),
                sums,
            });
        }
    }

    /// Adds gathered sums to gradients in the order of the weights, and of the bias.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn unpack_gradient(&self, sums: &ConvGradient, weights: &mut [f32], bias: &mut [f32]) {
        assert_eq!(
            weights.len(),
            self.weight_len(),
            "wrong number of convolution weights"
        );
        assert_eq!(bias.len(), self.out_channels, "wrong length of bias");
        let (icg, ocg) = (
            self.in_channels / self.groups,
            self.out_channels / self.groups,
        );
        let (taps, k) = (self.window.taps(), icg * self.window.taps());
        for (g, packed) in sums.weights.iter().enumerate() {
            let group = &mut weights[g * ocg * k..(g + 1) * ocg * k];
            packed.each(|i, o, value| group[(o * icg + i % icg) * taps + i / icg] += value);
        }
        for (to, from) in bias.iter_mut().zip(&sums.bias) {
            *to += from;
        }
    }

    fn padded_input<'a>(
        &'a self,
        x: &'a [f32],
        images: usize,
        buffer: &'a mut Vec<f32>,
    ) -> (&'a [f32], Rows<'a>) {
        let stride = self.padded_len();
        let rows = Rows {
            offsets: &self.rows,
            images,
            stride,
        };
        if self.padded == self.input {
            return (x, rows);
        }
        let padded = reuse(buffer, images * stride);
        embed(
            x,
            self.input,
            self.in_channels,
            self.padded,
            self.window.padding,
            padded,
        );
        (padded, rows)
    }
}

/// Adds each row of `[rows, n]` to `sums` `[n]`.
pub(crate) fn add_rows(rows: &[f32], sums: &mut [f32]) {
    vectorised(|| {
        for row in rows.chunks_exact(sums.len()) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
    });
}

fn grid(size: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    (0..size[0]).flat_map(move |y| (0..size[1]).map(move |x| [y, x]))
}

/// Contiguous stretches of taps: (offset in the row, first index, length).
fn runs_of(taps: &[usize]) -> Vec<(usize, usize, usize)> {
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    for (i, &tap) in taps.iter().enumerate() {
        match runs.last_mut() {
            Some((offset, _, len)) if *offset + *len == tap => *len += 1,
            _ => runs.push((tap, i, 1)),
        }
    }
    runs
}

/// Puts images into the middle of larger ones filled with zeros.
fn embed(
    from: &[f32],
    size: [usize; 2],
    channels: usize,
    into: [usize; 2],
    at: [usize; 2],
    to: &mut [f32],
) {
    to.fill(0.0);
    let (row, to_row) = (size[1] * channels, into[1] * channels);
    for (from, to) in from
        .chunks_exact(size[0] * row)
        .zip(to.chunks_exact_mut(into[0] * to_row))
    {
        for (y, from) in from.chunks_exact(row).enumerate() {
            let start = (y + at[0]) * to_row + at[1] * channels;
            to[start..start + row].copy_from_slice(from);
        }
    }
}

/// The inverse of [`embed`] for one image.
fn crop(
    from: &[f32],
    size: [usize; 2],
    channels: usize,
    into: [usize; 2],
    at: [usize; 2],
    to: &mut [f32],
) {
    let (from_row, row) = (size[1] * channels, into[1] * channels);
    for (y, to) in to.chunks_exact_mut(row).enumerate() {
        let start = (y + at[0]) * from_row + at[1] * channels;
        to.copy_from_slice(&from[start..start + row]);
    }
}

#[cfg(test)]
mod tests {
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
