//! Maximum and average over windows of channel-last images.
//!
//! Where several elements of a window share the maximum, the first in scan order (row by row)
//! gets the whole gradient, as in PyTorch. A NaN anywhere in a window is its maximum.

use super::lanes;
use super::window::Window;
use crate::Error;
use crate::vectorised;

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
        self.check(x, out);
        let (channels, len) = (self.channels, self.output_len());
        let images = x.chunks_exact(self.input_len());
        let Some(origin) = origin else {
            vectorised!(|| {
                for (x, out) in images.zip(out.chunks_exact_mut(len)) {
                    for (window, out) in self.windows().zip(out.chunks_exact_mut(channels)) {
                        by_channels(channels, Max { x, window, out });
                    }
                }
            });
            return;
        };
        assert_eq!(origin.len(), out.len(), "origins of maxima");
        vectorised!(|| {
            for ((x, out), origin) in images
                .zip(out.chunks_exact_mut(len))
                .zip(origin.chunks_exact_mut(len))
            {
                for ((window, out), origin) in self
                    .windows()
                    .zip(out.chunks_exact_mut(channels))
                    .zip(origin.chunks_exact_mut(channels))
                {
                    let place = MaxPlace {
                        x,
                        window,
                        out,
                        origin,
                    };
                    by_channels(channels, place);
                }
            }
        });
    }

    fn check(&self, x: &[f32], out: &[f32]) {
        let images = x.len() / self.input_len();
        assert_eq!(x.len(), images * self.input_len(), "pooling input");
        assert_eq!(out.len(), images * self.output_len(), "pooling result");
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
        self.check(x, out);
        let (channels, len) = (self.channels, self.output_len());
        vectorised!(|| {
            for (x, out) in x
                .chunks_exact(self.input_len())
                .zip(out.chunks_exact_mut(len))
            {
                for ((window, &weight), out) in self
                    .windows()
                    .zip(&self.weights)
                    .zip(out.chunks_exact_mut(channels))
                {
                    let mean = Average {
                        x,
                        window,
                        weight,
                        out,
                    };
                    by_channels(channels, mean);
                }
            }
        });
    }

    /// Gradient of the input of an average, written to `dx`.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn average_gradient(&self, dy: &[f32], dx: &mut [f32]) {
        let channels = self.channels;
        vectorised!(|| {
            dx.fill(0.0);
            for (dy, dx) in dy
                .chunks_exact(self.output_len())
                .zip(dx.chunks_exact_mut(self.input_len()))
            {
                for ((window, &weight), dy) in self
                    .windows()
                    .zip(&self.weights)
                    .zip(dy.chunks_exact(channels))
                {
                    let shares = AverageGradient {
                        dy,
                        window,
                        weight,
                        dx,
                    };
                    by_channels(channels, shares);
                }
            }
        });
    }
}

/// What is done with `N` neighbouring channels of a window, from channel `first` of `channels` on.
/// Their values stay in registers from the window's first pixel to its last.
trait OfChannels {
    fn run<const N: usize>(&mut self, channels: usize, first: usize);
}

/// All channels, as many at once as are left of 16, 4 or 1.
#[inline(always)]
fn by_channels(channels: usize, mut work: impl OfChannels) {
    let mut first = 0;
    while first + 16 <= channels {
        work.run::<16>(channels, first);
        first += 16;
    }
    while first + 4 <= channels {
        work.run::<4>(channels, first);
        first += 4;
    }
    while first < channels {
        work.run::<1>(channels, first);
        first += 1;
    }
}

struct Max<'a> {
    x: &'a [f32],
    window: &'a [u32],
    out: &'a mut [f32],
}

impl OfChannels for Max<'_> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, channels: usize, first: usize) {
        let mut best: [f32; N] = lanes(self.x, self.window[0] as usize * channels + first);
        for &pixel in &self.window[1..] {
            let x: [f32; N] = lanes(self.x, pixel as usize * channels + first);
            for i in 0..N {
                best[i] = if x[i] > best[i] || x[i].is_nan() {
                    x[i]
                } else {
                    best[i]
                };
            }
        }
        self.out[first..first + N].copy_from_slice(&best);
    }
}

struct MaxPlace<'a> {
    x: &'a [f32],
    window: &'a [u32],
    out: &'a mut [f32],
    origin: &'a mut [u32],
}

impl OfChannels for MaxPlace<'_> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, channels: usize, first: usize) {
        let mut best: [f32; N] = lanes(self.x, self.window[0] as usize * channels + first);
        let mut place = [self.window[0]; N];
        for &pixel in &self.window[1..] {
            let x: [f32; N] = lanes(self.x, pixel as usize * channels + first);
            for i in 0..N {
                // Strictly greater, and the first NaN: the first to hold the maximum.
                let moves = x[i] > best[i] || (x[i].is_nan() && !best[i].is_nan());
                place[i] = if moves { pixel } else { place[i] };
                best[i] = if x[i] > best[i] || x[i].is_nan() {
                    x[i]
                } else {
                    best[i]
                };
            }
        }
        self.out[first..first + N].copy_from_slice(&best);
        self.origin[first..first + N].copy_from_slice(&place);
    }
}

struct Average<'a> {
    x: &'a [f32],
    window: &'a [u32],
    weight: f32,
    out: &'a mut [f32],
}

impl OfChannels for Average<'_> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, channels: usize, first: usize) {
        let mut sum: [f32; N] = lanes(self.x, self.window[0] as usize * channels + first);
        for &pixel in &self.window[1..] {
            let x: [f32; N] = lanes(self.x, pixel as usize * channels + first);
            for i in 0..N {
                sum[i] += x[i];
            }
        }
        for (out, sum) in self.out[first..first + N].iter_mut().zip(sum) {
            *out = sum * self.weight;
        }
    }
}

struct AverageGradient<'a> {
    dy: &'a [f32],
    window: &'a [u32],
    weight: f32,
    dx: &'a mut [f32],
}

impl OfChannels for AverageGradient<'_> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, channels: usize, first: usize) {
        let mut share: [f32; N] = lanes(self.dy, first);
        for share in &mut share {
            *share *= self.weight;
        }
        for &pixel in self.window {
            let dx = &mut self.dx[pixel as usize * channels + first..][..N];
            for i in 0..N {
                dx[i] += share[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One image of 2 x 4 pixels whose channels all hold `row` at first, and count up from there.
    fn image(row: [f32; 8], channels: usize) -> Vec<f32> {
        row.iter()
            .flat_map(|v| (0..channels).map(move |c| v + c as f32))
            .collect()
    }

    #[test]
    fn windows_by_hand_for_any_number_of_channels() {
        for channels in [1, 3, 4, 6, 16, 21, 32] {
            let window = Window::new([2, 2]).stride([2, 2]);
            let pool = Pool::new([2, 4], channels, window, false).unwrap();
            let x = image([1.0, 5.0, -2.0, -3.0, 5.0, 1.0, -4.0, -2.0], channels);
            let (mut y, mut marks) = (vec![0.0; 2 * channels], vec![9; 2 * channels]);
            pool.max(&x, &mut y, Some(&mut marks));
            for c in 0..channels {
                assert_eq!([y[c], y[channels + c]], [5.0 + c as f32, -2.0 + c as f32]);
                // Of equal maxima the first.
                assert_eq!([marks[c], marks[channels + c]], [1, 2]);
            }
            let mut alone = vec![0.0; y.len()];
            pool.max(&x, &mut alone, None);
            assert_eq!(alone, y);
            let mut dx = vec![9.0; x.len()];
            pool.max_gradient(&y, &marks, &mut dx);
            let filled = |values: &[f32]| values.iter().filter(|v| **v != 0.0).count();
            assert_eq!(filled(&dx), filled(&y));
            pool.average(&x, &mut y);
            assert_eq!([y[0], y[channels]], [3.0, -2.75]);
            pool.average_gradient(&y, &mut dx);
            assert_eq!([dx[0], dx[2 * channels]], [0.75, -0.6875]);
        }
    }

    #[test]
    fn a_nan_is_the_maximum_and_the_first_one_its_place() {
        for channels in [1, 16] {
            let pool = Pool::new([1, 4], channels, Window::new([1, 4]), false).unwrap();
            let x: Vec<f32> = [7.0, f32::NAN, 9.0, f32::NAN]
                .iter()
                .flat_map(|&v| vec![v; channels])
                .collect();
            let (mut y, mut marks) = (vec![0.0; channels], vec![9; channels]);
            pool.max(&x, &mut y, Some(&mut marks));
            assert!(y.iter().all(|v| v.is_nan()));
            assert!(marks.iter().all(|&place| place == 1));
        }
    }
}
