//! The gradient of the input.

use super::super::tile::{Gather, Multiply, Rows, Run, multiply};
use super::super::window::Window;
use super::super::{Scratch, lanes, reuse};
use super::padding::{crop, embed};
use super::shape::grid;
use super::{Conv, ConvWeights};
use crate::vectorised;

/// Below this many channels per group the gradient of the input goes by columns: a vector has
/// 16 lanes, and the direct way fills only as many as there are input channels.
const DIRECT_CHANNELS: usize = 12;

/// How the gradient of the input is found.
#[derive(Clone, Debug)]
pub(super) enum Backward {
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

impl Backward {
    pub(super) fn new(
        input: [usize; 2],
        in_channels: usize,
        out_channels: usize,
        window: Window,
        groups: usize,
    ) -> Self {
        let Window {
            kernel,
            stride,
            padding,
            dilation,
        } = window;
        let (icg, ocg) = (in_channels / groups, out_channels / groups);
        let direct = stride == [1, 1] && dilation == [1, 1] && icg >= DIRECT_CHANNELS;
        if direct {
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
        }
    }
}

impl Conv {
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
            self.add_columns(g, columns, sums);
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

    /// Adds what each output pixel's window contributes to where the window lies.
    fn add_columns(&self, group: usize, columns: &[f32], sums: &mut [f32]) {
        let taps = &self.taps[group];
        let Window {
            kernel,
            stride,
            dilation,
            ..
        } = self.window;
        if self.in_channels == 1 && stride == [1, 1] && dilation == [1, 1] {
            let width = self.padded[1];
            match kernel[1] {
                3 => return vectorised!(|| slide::<3>(columns, self.output[1], taps, width, sums)),
                5 => return vectorised!(|| slide::<5>(columns, self.output[1], taps, width, sums)),
                _ => {}
            }
        }
        let runs = runs_of(taps);
        vectorised!(|| {
            for (&base, column) in self.rows.iter().zip(columns.chunks_exact(taps.len())) {
                for &(offset, start, len) in &runs {
                    let to = &mut sums[base + offset..][..len];
                    for (to, &from) in to.iter_mut().zip(&column[start..start + len]) {
                        *to += from;
                    }
                }
            }
        });
    }
}

/// [`Conv::add_columns`] of one channel and windows of `W` columns that move by one pixel. The
/// window's sums slide along a line in registers: each is read and written once, not `W` times.
/// Every sum gets its summands in the same order as it would pixel by pixel.
#[inline(always)]
fn slide<const W: usize>(
    columns: &[f32],
    outputs: usize,
    taps: &[usize],
    width: usize,
    sums: &mut [f32],
) {
    let k = taps.len();
    for (y, columns) in columns.chunks_exact(outputs * k).enumerate() {
        for (row, offset) in taps.iter().step_by(W).enumerate() {
            let line = &mut sums[y * width + offset..][..outputs + W - 1];
            let mut window: [f32; W] = lanes(line, 0);
            for (x, column) in columns.chunks_exact(k).enumerate() {
                let from = &column[row * W..][..W];
                line[x] = window[0] + from[0];
                for i in 1..W {
                    window[i - 1] = window[i] + from[i];
                }
                window[W - 1] = line.get(x + W).copied().unwrap_or(0.0);
            }
            line[outputs..].copy_from_slice(&window[..W - 1]);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sliding_sums_have_the_bits_of_adding_pixel_by_pixel() {
        fn check<const W: usize>() {
            let (outputs, lines) = ([4, 7], [4 + W - 1, 7 + W - 1]);
            let width = lines[1];
            let taps: Vec<usize> = grid([W, W]).map(|[y, x]| y * width + x).collect();
            let columns: Vec<f32> = (0..outputs[0] * outputs[1] * taps.len())
                .map(|i| (i as f32 * 1.7).sin())
                .collect();
            let mut want = vec![0.0_f32; lines[0] * width];
            for ([y, x], column) in grid(outputs).zip(columns.chunks_exact(taps.len())) {
                for (tap, value) in taps.iter().zip(column) {
                    want[y * width + x + tap] += value;
                }
            }
            let mut got = vec![0.0; want.len()];
            slide::<W>(&columns, outputs[1], &taps, width, &mut got);
            assert_eq!(got, want);
        }
        check::<3>();
        check::<5>();
    }
}
