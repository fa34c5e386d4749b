//! Maximum and average over windows of channel-last images.
//!
//! Where several elements of a window share the maximum, the first in scan order (row by row)
//! gets the whole gradient, as in PyTorch. A NaN anywhere in a window is its maximum.

use super::tile::vectorised;
use super::window::Window;
use crate::Error;

/// Pooling of known geometry.
#[derive(Clone, Debug)]
pub struct Pool {
    channels: usize,
    input: [usize; 2],
    output: [usize; 2],
    /// For each output pixel, the range of its pixels in `pixels`.
    ends: Vec<usize>,
    pixels: Vec<u32>,
    /// For averages: one over the number of elements counted, for each output pixel.
    weights: Vec<f32>,
}

impl Pool {
    /// Plans pooling of images of `input` (height, width) pixels. With `count_padding` an
    /// average divides by the window's size everywhere, otherwise by the number of its pixels
    /// inside the image.
    ///
    /// # Errors
    /// When the window does not fit the image.
    pub fn new(
        input: [usize; 2],
        channels: usize,
        window: Window,
        count_padding: bool,
    ) -> Result<Self, Error> {
        let output = window.output(input)?;
        if channels == 0 || u32::try_from(input[0].saturating_mul(input[1])).is_err() {
            return Err(Error::Geometry {
                window,
                input,
                what: "no channel, or too many pixels",
            });
        }
        let (mut ends, mut pixels, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for oy in 0..output[0] {
            for ox in 0..output[1] {
                let start = pixels.len();
                let columns = window.inside(1, ox, input[1]);
                for y in window.inside(0, oy, input[0]) {
                    pixels.extend(columns.clone().map(|x| (y * input[1] + x) as u32));
                }
                if pixels.len() == start {
                    let what = "a window lies wholly in the padding";
                    return Err(Error::Geometry {
                        window,
                        input,
                        what,
                    });
                }
                let count = if count_padding {
                    window.taps()
                } else {
                    pixels.len() - start
                };
                weights.push(1.0 / count as f32);
                ends.push(pixels.len());
            }
        }
        Ok(Pool {
            channels,
            input,
            output,
            ends,
            pixels,
            weights,
        })
    }

    /// Height and width of the result.
    pub fn output(&self) -> [usize; 2] {
        self.output
    }

    /// Elements of one input image.
    pub fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    /// Elements of one output image.
    pub fn output_len(&self) -> usize {
        self.output[0] * self.output[1] * self.channels
    }

    fn windows(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let window = &self.pixels[start..end];
            start = end;
            window
        })
    }

    /// Maxima, and with `origin` the pixel each came from.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn max(&self, x: &[f32], out: &mut [f32], origin: Option<&mut [u32]>) {
        let images = x.len() / self.input_len();
        assert_eq!(x.len(), images * self.input_len(), "pooling input");
        assert_eq!(out.len(), images * self.output_len(), "pooling result");
        let c = self.channels;
        vectorised(|| {
            for (x, out) in self.images(x).zip(out.chunks_exact_mut(self.output_len())) {
                for (window, out) in self.windows().zip(out.chunks_exact_mut(c)) {
                    let first = window[0] as usize * c;
                    out.copy_from_slice(&x[first..first + c]);
                    for &pixel in &window[1..] {
                        let x = &x[pixel as usize * c..][..c];
                        for (out, &x) in out.iter_mut().zip(x) {
                            *out = if x > *out || x.is_nan() { x } else { *out };
                        }
                    }
                }
            }
        });
        if let Some(origin) = origin {
            assert_eq!(origin.len(), out.len(), "origins of maxima");
            self.origins(x, out, origin);
        }
    }

    /// A second pass, backwards, so that the first pixel to hold the maximum is written last:
    /// that and the maximum in one loop is not vectorised and takes longer.
    fn origins(&self, x: &[f32], out: &[f32], origin: &mut [u32]) {
        let c = self.channels;
        let len = self.output_len();
        vectorised(|| {
            for ((x, out), origin) in self
                .images(x)
                .zip(out.chunks_exact(len))
                .zip(origin.chunks_exact_mut(len))
            {
                for ((window, out), origin) in self
                    .windows()
                    .zip(out.chunks_exact(c))
                    .zip(origin.chunks_exact_mut(c))
                {
                    origin.fill(window[0]);
                    for &pixel in window.iter().rev() {
                        let x = &x[pixel as usize * c..][..c];
                        for ((&out, origin), &x) in out.iter().zip(origin.iter_mut()).zip(x) {
                            *origin = if x == out || x.is_nan() {
                                pixel
                            } else {
                                *origin
                            };
                        }
                    }
                }
            }
        });
    }

    fn images<'a>(&self, x: &'a [f32]) -> std::slice::ChunksExact<'a, f32> {
        x.chunks_exact(self.input_len())
    }

    /// Gradient of the input of a maximum, written to `dx`.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn max_gradient(&self, dy: &[f32], origin: &[u32], dx: &mut [f32]) {
        assert_eq!(dy.len(), origin.len(), "origins of maxima");
        let c = self.channels;
        dx.fill(0.0);
        for ((dy, origin), dx) in dy
            .chunks_exact(self.output_len())
            .zip(origin.chunks_exact(self.output_len()))
            .zip(dx.chunks_exact_mut(self.input_len()))
        {
            for (dy, origin) in dy.chunks_exact(c).zip(origin.chunks_exact(c)) {
                for (channel, (dy, &pixel)) in dy.iter().zip(origin).enumerate() {
                    dx[pixel as usize * c + channel] += dy;
                }
            }
        }
    }

    /// Averages.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn average(&self, x: &[f32], out: &mut [f32]) {
        let images = x.len() / self.input_len();
        assert_eq!(x.len(), images * self.input_len(), "pooling input");
        assert_eq!(out.len(), images * self.output_len(), "pooling result");
        let c = self.channels;
        vectorised(|| {
            for (x, out) in x
                .chunks_exact(self.input_len())
                .zip(out.chunks_exact_mut(self.output_len()))
            {
                for ((window, weight), out) in self
                    .windows()
                    .zip(&self.weights)
                    .zip(out.chunks_exact_mut(c))
                {
                    let first = window[0] as usize * c;
                    out.copy_from_slice(&x[first..first + c]);
                    for &pixel in &window[1..] {
                        for (out, x) in out.iter_mut().zip(&x[pixel as usize * c..][..c]) {
                            *out += x;
                        }
                    }
                    for out in out {
                        *out *= weight;
                    }
                }
            }
        });
    }

    /// Gradient of the input of an average, written to `dx`.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn average_gradient(&self, dy: &[f32], dx: &mut [f32]) {
        let c = self.channels;
        vectorised(|| {
            dx.fill(0.0);
            for (dy, dx) in dy
                .chunks_exact(self.output_len())
                .zip(dx.chunks_exact_mut(self.input_len()))
            {
                for ((window, weight), dy) in
                    self.windows().zip(&self.weights).zip(dy.chunks_exact(c))
                {
                    for &pixel in window {
                        for (dx, dy) in dx[pixel as usize * c..][..c].iter_mut().zip(dy) {
                            *dx += dy * weight;
                        }
                    }
                }
            }
        });
    }
}
