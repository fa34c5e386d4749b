//! Smooth masks from a coarse grid of parameters, by convolution with a smooth maximum.

use pulp::Arch;

/// Lines of pixels are worked on in multiples of this, so that vectors of any width fill them.
const LANES: usize = 16;
/// Coldness of the smooth maximum: the inverse of its temperature.
const COLDNESS: f32 = 20.0;

/// Makes a mask of height by width from parameters that lie `step` pixels apart.
///
/// Fong, Patrick and Vedaldi (2019, section 3.2): m(u) is the smooth maximum over the parameters v
/// near u of k(u - v) v, where smax f = sum of f exp(f / T) / sum of exp(f / T) with T = 1/20, and
/// k(d) = exp(-2 max(0, |d| / sigma - 1/2)^2) as in the authors' program, which weighs a parameter 1
/// within half a `sigma`. Parameters beyond the border count as 0. The mask is that smooth maximum
/// divided by the one that parameters of 1 give, and at most 1, so that a mask can be 1 everywhere
/// and the border is neither preferred nor shunned.
#[derive(Clone, Debug)]
pub(crate) struct SmoothMask {
    height: usize,
    width: usize,
    step: usize,
    /// Parameters on each side of the nearest that are looked at.
    radius: usize,
    /// The width in whole vectors.
    line: usize,
    /// k, by neighbour down, neighbour across, row within a step, and column; 0 beyond the width.
    kernel: Vec<f32>,
    /// The parameters' value at every pixel, with a border of `radius` steps.
    expanded: Vec<f32>,
    expanded_width: usize,
    /// 1 / the smooth maximum of parameters of 1, per pixel.
    scale: Vec<f32>,
    /// How much of the mask a parameter moves when all are 1, as a share of the largest: less at the
    /// border, which serves fewer pixels.
    influence: Vec<f32>,
}

impl SmoothMask {
    /// `step` is at least 1 and `sigma`, in pixels, above 0.
    pub(crate) fn new(height: usize, width: usize, step: usize, sigma: f64) -> Self {
        let radius = 1 + (sigma / step as f64).ceil() as usize;
        let side = 2 * radius + 1;
        // From a pixel, `phase` beyond its own parameter, to the parameter `neighbour` steps on.
        let offset = |phase: usize, neighbour: usize| {
            phase as f64 - step as f64 * (neighbour as f64 - radius as f64)
        };
        let line = width.next_multiple_of(LANES);
        let mut kernel = Vec::with_capacity(side * side * step * line);
        for down in 0..side {
            for across in 0..side {
                for phase in 0..step {
                    for column in 0..width {
                        let (dy, dx) = (offset(phase, down), offset(column % step, across));
                        let beyond = (dy.hypot(dx) / sigma - 0.5).max(0.0);
                        kernel.push((-2.0 * beyond * beyond).exp() as f32);
                    }
                    kernel.resize(kernel.len().next_multiple_of(LANES), 0.0);
                }
            }
        }
        let expanded_width = width + 2 * radius * step;
        let mut smooth = Self {
            height,
            width,
            step,
            radius,
            line,
            kernel,
            // The last line reads on to the end of its vector.
            expanded: vec![0.0; (height + 2 * radius * step) * expanded_width + LANES],
            expanded_width,
            scale: Vec::new(),
            influence: Vec::new(),
        };
        let ones = vec![1.0; smooth.parameters()];
        let (mut value, mut denominator) = (vec![0.0; height * width], vec![0.0; height * width]);
        smooth.maximum(&ones, &mut value, &mut denominator);
        smooth.scale = value.iter().map(|value| 1.0 / value).collect();
        let scale = smooth.scale.clone();
        let mut influence = vec![0.0; ones.len()];
        smooth.maximum_backward(&ones, &value, &denominator, &scale, &mut influence);
        let largest = influence.iter().copied().fold(0.0, f32::max);
        influence.iter_mut().for_each(|share| *share /= largest);
        smooth.influence = influence;
        smooth
    }

    /// Fills `mask` with that of `parameters`, and `state`, twice as long, with what
    /// [`backward`](Self::backward) needs.
    pub(crate) fn forward(&mut self, parameters: &[f32], mask: &mut [f32], state: &mut [f32]) {
        let (value, denominator) = state.split_at_mut(mask.len());
        self.maximum(parameters, value, denominator);
        for ((mask, value), scale) in mask.iter_mut().zip(&*value).zip(&self.scale) {
            *mask = (value * scale).min(1.0);
        }
    }

    /// Fills `direction`, one value per parameter, with the way uphill: the gradient `of_mask` with
    /// respect to the mask that [`forward`](Self::forward) made of `parameters`, taken back to the
    /// parameters and divided by how much of the mask each moves. Values held at 1 pass it on.
    pub(crate) fn backward(
        &mut self,
        parameters: &[f32],
        state: &[f32],
        of_mask: &mut [f32],
        direction: &mut [f32],
    ) {
        let (value, denominator) = state.split_at(of_mask.len());
        for (gradient, scale) in of_mask.iter_mut().zip(&self.scale) {
            *gradient *= scale;
        }
        self.maximum_backward(parameters, value, denominator, of_mask, direction);
        for (direction, influence) in direction.iter_mut().zip(&self.influence) {
            *direction /= influence;
        }
    }

    /// Parameters there are.
    pub(crate) fn parameters(&self) -> usize {
        self.height.div_ceil(self.step) * self.width.div_ceil(self.step)
    }

    /// The neighbours' places in `expanded` and in `kernel`, for a row of pixels.
    fn neighbours(&self, row: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let side = 2 * self.radius + 1;
        let (step, line, expanded_width) = (self.step, self.line, self.expanded_width);
        (0..side * side).map(move |k| {
            let (down, across) = (k / side, k % side);
            let place = (row + down * step) * expanded_width + across * step;
            (place, (k * step + row % step) * line)
        })
    }

    /// Calls `visit` with the place in `expanded` and the parameter of every pixel; the pixels of
    /// parameters that the image cuts are there in full.
    fn for_each_pixel(&self, mut visit: impl FnMut(usize, usize)) {
        let (step, border) = (self.step, self.radius * self.step);
        let (down, across) = (self.height.div_ceil(step), self.width.div_ceil(step));
        for row in 0..down * step {
            let start = (row + border) * self.expanded_width + border;
            for column in 0..across * step {
                visit(start + column, row / step * across + column / step);
            }
        }
    }

    /// Writes every parameter at the pixels that it is the own parameter of.
    fn expand(&mut self, parameters: &[f32]) {
        let mut expanded = std::mem::take(&mut self.expanded);
        self.for_each_pixel(|place, parameter| expanded[place] = parameters[parameter]);
        self.expanded = expanded;
    }

    /// The smooth maximum at every pixel, and its denominator.
    fn maximum(&mut self, parameters: &[f32], value: &mut [f32], denominator: &mut [f32]) {
        self.expand(parameters);
        let (width, line, arch) = (self.width, self.line, Arch::new());
        let (mut sum, mut total) = (vec![0.0_f32; line], vec![0.0_f32; line]);
        for row in 0..self.height {
            sum.fill(0.0);
            total.fill(0.0);
            arch.dispatch(|| {
                for (place, kernel) in self.neighbours(row) {
                    let values = &self.expanded[place..][..line];
                    let kernel = &self.kernel[kernel..][..line];
                    add_powers(values, kernel, &mut sum, &mut total);
                }
            });
            denominator[row * width..][..width].copy_from_slice(&total[..width]);
            let out = &mut value[row * width..][..width];
            for ((out, sum), total) in out.iter_mut().zip(&sum).zip(&total) {
                *out = sum / total;
            }
        }
    }

    /// Fills `gradient`, one value per parameter, from the gradient `of_value` with respect to the
    /// smooth maximum `value` of `parameters`.
    fn maximum_backward(
        &mut self,
        parameters: &[f32],
        value: &[f32],
        denominator: &[f32],
        of_value: &[f32],
        gradient: &mut [f32],
    ) {
        self.expand(parameters);
        let (width, line, arch) = (self.width, self.line, Arch::new());
        let mut back = vec![0.0_f32; self.expanded.len()];
        let (mut share, mut rest) = (vec![0.0_f32; line], vec![0.0_f32; line]);
        for row in 0..self.height {
            for (i, pixel) in (row * width..(row + 1) * width).enumerate() {
                share[i] = of_value[pixel] / denominator[pixel];
                rest[i] = 1.0 - COLDNESS * value[pixel];
            }
            arch.dispatch(|| {
                for (place, kernel) in self.neighbours(row) {
                    let values = &self.expanded[place..][..line];
                    let kernel = &self.kernel[kernel..][..line];
                    add_back(values, kernel, &share, &rest, &mut back[place..][..line]);
                }
            });
        }
        gradient.fill(0.0);
        self.for_each_pixel(|place, parameter| gradient[parameter] += back[place]);
    }
}

/// Adds e and e f to the denominators and numerators, for f = value times kernel and e its power.
#[inline(always)]
fn add_powers(values: &[f32], kernel: &[f32], sum: &mut [f32], total: &mut [f32]) {
    for (((sum, total), value), kernel) in sum.iter_mut().zip(total).zip(values).zip(kernel) {
        let f = value * kernel;
        let power = exp_coldness(f);
        *sum += f * power;
        *total += power;
    }
}

/// Adds the gradient: d smax / d f = e / (sum of e) (1 + (f - smax) / T), where `share` is the
/// gradient over the sum and `rest` is 1 - smax / T.
#[inline(always)]
fn add_back(values: &[f32], kernel: &[f32], share: &[f32], rest: &[f32], back: &mut [f32]) {
    let pixels = values.iter().zip(kernel).zip(share).zip(rest);
    for (back, (((value, kernel), share), rest)) in back.iter_mut().zip(pixels) {
        let f = value * kernel;
        *back += share * kernel * exp_coldness(f) * (rest + COLDNESS * f);
    }
}

/// exp(20 (f - 1)) for f from 0 to 1, within 1e-6 of its value: powers of 2 by their bits, the rest
/// by a polynomial. No branch and no function of the system, so that loops become vector code and
/// the result is the same on every machine.
#[inline(always)]
fn exp_coldness(f: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 2^23: adding it leaves an integer in the low bits.
    let power = (f - 1.0) * (COLDNESS * std::f32::consts::LOG2_E);
    let rounded = power + ROUND;
    let rest = (power - (rounded - ROUND)) * std::f32::consts::LN_2;
    // Taylor's series of exp up to rest^6, |rest| <= 0.347: the remainder is below 1.2e-7.
    let series = 1.0
        + rest
            * (1.0
                + rest
                    * (0.5
                        + rest
                            * (1.0 / 6.0
                                + rest
                                    * (1.0 / 24.0 + rest * (1.0 / 120.0 + rest * (1.0 / 720.0))))));
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()) << 23;
    f32::from_bits(series.to_bits().wrapping_add(exponent))
}

#[cfg(test)]
mod tests {
    use xbench_plugin::rng::CounterRng;

    use super::*;

    fn uniform(seed: u64, n: usize) -> Vec<f32> {
        let rng = CounterRng::new(seed);
        (0..n as u64).map(|i| rng.uniform(i) as f32).collect()
    }

    /// The definition, pixel by pixel.
    fn by_definition(h: usize, w: usize, step: usize, sigma: f64, parameters: &[f32]) -> Vec<f64> {
        let (rows, columns) = (h.div_ceil(step) as i64, w.div_ceil(step) as i64);
        let radius = 1 + (sigma / step as f64).ceil() as i64;
        let mut mask = Vec::new();
        for y in 0..h {
            for x in 0..w {
                let (mut sum, mut total) = (0.0, 0.0);
                for i in (y / step) as i64 - radius..=(y / step) as i64 + radius {
                    for j in (x / step) as i64 - radius..=(x / step) as i64 + radius {
                        let inside = (0..rows).contains(&i) && (0..columns).contains(&j);
                        let value = if inside {
                            f64::from(parameters[(i * columns + j) as usize])
                        } else {
                            0.0
                        };
                        let (dy, dx) = (
                            y as f64 - (i * step as i64) as f64,
                            x as f64 - (j * step as i64) as f64,
                        );
                        let beyond = ((dy * dy + dx * dx).sqrt() / sigma - 0.5).max(0.0);
                        let f = value * (-2.0 * beyond * beyond).exp();
                        sum += f * (20.0 * f).exp();
                        total += (20.0 * f).exp();
                    }
                }
                mask.push(sum / total);
            }
        }
        mask
    }

    #[test]
    fn the_power_is_right() {
        for i in 0..=10_000_u16 {
            let f = f32::from(i) / 10_000.0;
            let expected = (20.0 * (f64::from(f) - 1.0)).exp();
            let error = (f64::from(exp_coldness(f)) / expected - 1.0).abs();
            // The argument's rounding is 20 * 2^-24.
            assert!(error < 3e-6, "{f}: {error}");
        }
        assert_eq!(exp_coldness(1.0), 1.0);
    }

    #[test]
    fn masks_follow_their_definition() {
        for (h, w, step, sigma) in [
            (9, 12, 1, 2.0),
            (10, 7, 3, 4.0),
            (5, 5, 2, 0.5),
            (1, 1, 1, 1.0),
        ] {
            let mut smooth = SmoothMask::new(h, w, step, sigma);
            let parameters = uniform(3, smooth.parameters());
            let (mut mask, mut denominator) = (vec![0.0; h * w], vec![0.0; h * w]);
            smooth.maximum(&parameters, &mut mask, &mut denominator);
            let expected = by_definition(h, w, step, sigma, &parameters);
            for (seen, expected) in mask.iter().zip(expected) {
                assert!(
                    (f64::from(*seen) - expected).abs() < 1e-5,
                    "{seen} {expected}"
                );
            }
        }
    }

    #[test]
    fn gradients_are_those_of_the_definition() {
        for (h, w, step, sigma) in [(6, 8, 1, 1.5), (9, 7, 3, 3.0)] {
            let mut smooth = SmoothMask::new(h, w, step, sigma);
            let parameters = uniform(5, smooth.parameters());
            let weights = uniform(6, h * w);
            let (mut mask, mut denominator) = (vec![0.0; h * w], vec![0.0; h * w]);
            smooth.maximum(&parameters, &mut mask, &mut denominator);
            let mut gradient = vec![0.0; parameters.len()];
            smooth.maximum_backward(&parameters, &mask, &denominator, &weights, &mut gradient);
            let value = |parameters: &[f32]| -> f64 {
                by_definition(h, w, step, sigma, parameters)
                    .iter()
                    .zip(&weights)
                    .map(|(m, &w)| m * f64::from(w))
                    .sum()
            };
            for (i, &gradient) in gradient.iter().enumerate() {
                let moved = |by: f32| {
                    let mut moved = parameters.clone();
                    moved[i] += by;
                    (f64::from(moved[i]), value(&moved))
                };
                let ((x1, y1), (x0, y0)) = (moved(1e-3), moved(-1e-3));
                let difference = (y1 - y0) / (x1 - x0);
                assert!(
                    (f64::from(gradient) - difference).abs() < 2e-4 * (1.0 + difference.abs()),
                    "{i}: {gradient} {difference}"
                );
            }
        }
    }

    #[test]
    fn parameters_of_one_make_a_mask_of_one_that_falls_evenly() {
        for (h, w, step, sigma) in [(9, 12, 1, 2.0), (10, 7, 3, 4.0), (1, 1, 1, 1.0)] {
            let mut smooth = SmoothMask::new(h, w, step, sigma);
            let ones = vec![1.0; smooth.parameters()];
            let (mut mask, mut state) = (vec![0.0; h * w], vec![0.0; 2 * h * w]);
            smooth.forward(&ones, &mut mask, &mut state);
            for &value in &mask {
                assert!((value - 1.0).abs() <= f32::EPSILON);
            }
            let (mut of_mask, mut direction) = (vec![1.0; h * w], vec![0.0; ones.len()]);
            smooth.backward(&ones, &state, &mut of_mask, &mut direction);
            for &value in &direction {
                assert!((value / direction[0] - 1.0).abs() < 1e-5, "{direction:?}");
            }
        }
    }
}
