//! Bilinear and nearest-neighbour resizing of single planes, and the gradients of both.
//!
//! A resize is linear and separable: along each axis every output element is a weighted sum of
//! two input elements. The gradient applies the same weights the other way round.

use crate::vectorised;

/// Where the samples of the output lie in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Bilinear, pixel centres at half-integers (`align_corners = false`).
    Bilinear,
    /// Bilinear, corner pixels of input and output on top of each other.
    BilinearCorners,
    /// The input pixel `floor(i * in / out)`.
    Nearest,
}

/// A resize of known geometry.
#[derive(Clone, Debug)]
pub struct Resize {
    input: [usize; 2],
    output: [usize; 2],
    axes: [Vec<Sample>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    low: usize,
    high: usize,
    weight: f32,
}

impl Resize {
    /// Plans a resize from `input` to `output` (height, width), none of them zero.
    ///
    /// # Panics
    /// When a size is zero.
    pub fn new(input: [usize; 2], output: [usize; 2], sampling: Sampling) -> Self {
        assert!(
            input.iter().chain(&output).all(|&n| n > 0),
            "a resize needs at least one pixel"
        );
        let axes = [0, 1].map(|a| axis(input[a], output[a], sampling));
        Resize {
            input,
            output,
            axes,
        }
    }

    /// Resizes planes `[planes, height, width]`.
    ///
    /// # Panics
    /// When a length is not a whole number of planes.
    pub fn forward(&self, x: &[f32], out: &mut [f32]) {
        let (from, to) = self.sizes(x.len(), out.len());
        for (x, out) in x.chunks_exact(from).zip(out.chunks_exact_mut(to)) {
            for (y, out) in self.axes[0]
                .iter()
                .zip(out.chunks_exact_mut(self.output[1]))
            {
                let top = &x[y.low * self.input[1]..][..self.input[1]];
                let bottom = &x[y.high * self.input[1]..][..self.input[1]];
                for (s, out) in self.axes[1].iter().zip(out) {
                    let a = top[s.low] + s.weight * (top[s.high] - top[s.low]);
                    let b = bottom[s.low] + s.weight * (bottom[s.high] - bottom[s.low]);
                    *out = a + y.weight * (b - a);
                }
            }
        }
    }

    /// Gradient of the input, written to `dx`.
    ///
    /// # Panics
    /// When a length is not a whole number of planes.
    pub fn gradient(&self, dy: &[f32], dx: &mut [f32]) {
        let (from, to) = self.sizes(dx.len(), dy.len());
        dx.fill(0.0);
        let width = self.input[1];
        for (dx, dy) in dx.chunks_exact_mut(from).zip(dy.chunks_exact(to)) {
            for (y, dy) in self.axes[0].iter().zip(dy.chunks_exact(self.output[1])) {
                for (s, dy) in self.axes[1].iter().zip(dy) {
                    for (row, part) in [(y.low, 1.0 - y.weight), (y.high, y.weight)] {
                        dx[row * width + s.low] += dy * part * (1.0 - s.weight);
                        dx[row * width + s.high] += dy * part * s.weight;
                    }
                }
            }
        }
    }

    /// Resizes one channel-last image `[height, width, channels]`.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn forward_channels(&self, x: &[f32], channels: usize, out: &mut [f32]) {
        assert_eq!(
            self.sizes(x.len(), out.len()).0 * channels,
            x.len(),
            "one image"
        );
        let row = self.input[1] * channels;
        vectorised!(|| {
            for (y, out) in self.axes[0]
                .iter()
                .zip(out.chunks_exact_mut(self.output[1] * channels))
            {
                let (top, bottom) = (&x[y.low * row..][..row], &x[y.high * row..][..row]);
                for (s, out) in self.axes[1].iter().zip(out.chunks_exact_mut(channels)) {
                    let at = |row: &'_ [f32], pixel: usize, i: usize| row[pixel * channels + i];
                    for (i, out) in out.iter_mut().enumerate() {
                        let a = at(top, s.low, i);
                        let a = a + s.weight * (at(top, s.high, i) - a);
                        let b = at(bottom, s.low, i);
                        let b = b + s.weight * (at(bottom, s.high, i) - b);
                        *out = a + y.weight * (b - a);
                    }
                }
            }
        });
    }

    /// Gradient of the input of [`Resize::forward_channels`], written to `dx`.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn gradient_channels(&self, dy: &[f32], channels: usize, dx: &mut [f32]) {
        assert_eq!(
            self.sizes(dx.len(), dy.len()).0 * channels,
            dx.len(),
            "one image"
        );
        let width = self.input[1];
        vectorised!(|| {
            dx.fill(0.0);
            for (y, dy) in self.axes[0]
                .iter()
                .zip(dy.chunks_exact(self.output[1] * channels))
            {
                for (s, dy) in self.axes[1].iter().zip(dy.chunks_exact(channels)) {
                    for (row, part) in [(y.low, 1.0 - y.weight), (y.high, y.weight)] {
                        for (column, share) in [(s.low, 1.0 - s.weight), (s.high, s.weight)] {
                            let weight = part * share;
                            let dx = &mut dx[(row * width + column) * channels..][..channels];
                            for (dx, dy) in dx.iter_mut().zip(dy) {
                                *dx += weight * dy;
                            }
                        }
                    }
                }
            }
        });
    }

    fn sizes(&self, input: usize, output: usize) -> (usize, usize) {
        let (from, to) = (
            self.input[0] * self.input[1],
            self.output[0] * self.output[1],
        );
        assert!(
            input.is_multiple_of(from) && output.is_multiple_of(to),
            "part of a plane"
        );
        assert_eq!(input / from, output / to, "numbers of planes differ");
        (from, to)
    }
}

fn axis(input: usize, output: usize, sampling: Sampling) -> Vec<Sample> {
    (0..output)
        .map(|i| {
            let at = match sampling {
                Sampling::Nearest => {
                    let low = i * input / output;
                    return Sample {
                        low,
                        high: low,
                        weight: 0.0,
                    };
                }
                Sampling::Bilinear => (i as f64 + 0.5) * input as f64 / output as f64 - 0.5,
                Sampling::BilinearCorners if output == 1 => 0.0,
                Sampling::BilinearCorners => i as f64 * (input - 1) as f64 / (output - 1) as f64,
            };
            let at = at.max(0.0);
            let low = (at as usize).min(input - 1);
            let high = (low + 1).min(input - 1);
            let weight = if low == high {
                0.0
            } else {
                (at - low as f64) as f32
            };
            Sample { low, high, weight }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubling_by_hand() {
        let mut out = [0.0; 4];
        Resize::new([1, 2], [1, 4], Sampling::Bilinear).forward(&[0.0, 4.0], &mut out);
        assert_eq!(out, [0.0, 1.0, 3.0, 4.0]);
        Resize::new([1, 2], [1, 4], Sampling::Nearest).forward(&[0.0, 4.0], &mut out);
        assert_eq!(out, [0.0, 0.0, 4.0, 4.0]);
        let mut three = [0.0; 3];
        Resize::new([1, 2], [1, 3], Sampling::BilinearCorners).forward(&[0.0, 4.0], &mut three);
        assert_eq!(three, [0.0, 2.0, 4.0]);
    }

    #[test]
    fn channel_last_images_are_resized_as_planes() {
        let resize = Resize::new([3, 5], [7, 4], Sampling::Bilinear);
        let channels = 3;
        let plane = |c: usize, n: usize| (0..n).map(move |i| ((i * channels + c) as f32).sin());
        let last = |n: usize| {
            (0..n * channels)
                .map(|i| (i as f32).sin())
                .collect::<Vec<_>>()
        };
        let (x, dy) = (last(15), last(28));
        let (mut y, mut dx) = (vec![0.0; dy.len()], vec![9.0; x.len()]);
        resize.forward_channels(&x, channels, &mut y);
        resize.gradient_channels(&dy, channels, &mut dx);
        for c in 0..channels {
            let (mut one, mut back) = (vec![0.0; 28], vec![0.0; 15]);
            resize.forward(&plane(c, 15).collect::<Vec<_>>(), &mut one);
            resize.gradient(&plane(c, 28).collect::<Vec<_>>(), &mut back);
            for (i, want) in one.iter().enumerate() {
                assert!((y[i * channels + c] - want).abs() < 1e-6);
            }
            for (i, want) in back.iter().enumerate() {
                assert!((dx[i * channels + c] - want).abs() < 1e-5);
            }
        }
    }

    /// For a linear map A and its gradient map B: <A x, y> = <x, B y>.
    #[test]
    fn gradient_is_the_transpose() {
        for sampling in [
            Sampling::Bilinear,
            Sampling::BilinearCorners,
            Sampling::Nearest,
        ] {
            for (input, output) in [
                ([3, 5], [7, 9]),
                ([4, 4], [8, 8]),
                ([6, 5], [3, 2]),
                ([1, 1], [4, 3]),
            ] {
                let resize = Resize::new(input, output, sampling);
                let x: Vec<f32> = (0..2 * input[0] * input[1])
                    .map(|i| (i as f32 * 0.7).sin())
                    .collect();
                let y: Vec<f32> = (0..2 * output[0] * output[1])
                    .map(|i| (i as f32 * 1.3).cos())
                    .collect();
                let (mut ax, mut by) = (vec![0.0; y.len()], vec![9.0; x.len()]);
                resize.forward(&x, &mut ax);
                resize.gradient(&y, &mut by);
                let dot = |a: &[f32], b: &[f32]| {
                    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>()
                };
                assert!((dot(&ax, &y) - dot(&x, &by)).abs() < 1e-4);
            }
        }
    }
}
