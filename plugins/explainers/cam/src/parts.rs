//! How FullGrad's parts become a map: rescaled magnitudes, or signed values whose sums are kept.

use super::resize::Resize;

/// Adds the parts of one row to its attribution, [c, height, width].
pub(crate) trait Parts {
    /// The input's part, shaped as the row.
    fn input(&mut self, part: &[f32], out: &mut [f32]);

    /// A layer's part, of shape `shape` without the example axis.
    fn biases(&mut self, part: &[f32], shape: &[usize], out: &mut [f32]);
}

/// Enlarging from one size after the other, made once for each.
struct Enlarge {
    to: [usize; 2],
    made: Vec<([usize; 2], Resize)>,
}

impl Enlarge {
    fn new(to: [usize; 2]) -> Self {
        Self {
            to,
            made: Vec::new(),
        }
    }

    fn from(&mut self, from: [usize; 2]) -> &Resize {
        let known = self.made.iter().position(|(size, _)| *size == from);
        let at = known.unwrap_or_else(|| {
            self.made.push((from, Resize::bilinear(from, self.to)));
            self.made.len() - 1
        });
        &self.made[at].1
    }
}

/// The paper's psi: magnitudes, rescaled to 0..1, enlarged, added up over maps.
pub(crate) struct Absolute {
    channels: usize,
    pixels: usize,
    together: bool,
    enlarge: Enlarge,
    small: Vec<f32>,
    large: Vec<f32>,
}

impl Absolute {
    /// For images of `image` = [c, h, w]; `together` rescales all maps of a part by the same
    /// numbers.
    pub(crate) fn new(image: [usize; 3], together: bool) -> Self {
        let [channels, h, w] = image;
        Self {
            channels,
            pixels: h * w,
            together,
            enlarge: Enlarge::new([h, w]),
            small: Vec::new(),
            large: vec![0.0; h * w],
        }
    }

    /// The sum over the maps of `part`, [maps, units], of their rescaled magnitudes, into `small`.
    fn collapse(&mut self, part: &[f32], units: usize) {
        self.small.clear();
        self.small.resize(units, 0.0);
        let group = if self.together { part.len() } else { units };
        for maps in part.chunks_exact(group) {
            let (low, high) = maps
                .iter()
                .fold((f32::INFINITY, 0.0_f32), |(low, high), value| {
                    (low.min(value.abs()), high.max(value.abs()))
                });
            let range = high - low;
            // A constant part has no rescaled form.
            if range > 0.0 {
                for map in maps.chunks_exact(units) {
                    for (sum, value) in self.small.iter_mut().zip(map) {
                        *sum += (value.abs() - low) / range;
                    }
                }
            }
        }
    }
}

impl Parts for Absolute {
    fn input(&mut self, part: &[f32], out: &mut [f32]) {
        self.collapse(part, self.pixels);
        add_shared(out, &self.small, self.channels);
    }

    fn biases(&mut self, part: &[f32], shape: &[usize], out: &mut [f32]) {
        if let &[_, h, w] = shape {
            self.collapse(part, h * w);
            self.enlarge
                .from([h, w])
                .apply(&self.small, &mut self.large);
            add_shared(out, &self.large, self.channels);
        }
    }
}

/// Signed values: what is added to the attribution has the sum of the part.
pub(crate) struct Signed {
    channels: usize,
    enlarge: Enlarge,
    small: Vec<f64>,
    narrow: Vec<f32>,
    large: Vec<f32>,
}

impl Signed {
    /// For images of `image` = [c, h, w].
    pub(crate) fn new(image: [usize; 3]) -> Self {
        let [channels, h, w] = image;
        Self {
            channels,
            enlarge: Enlarge::new([h, w]),
            small: Vec::new(),
            narrow: Vec::new(),
            large: vec![0.0; h * w],
        }
    }
}

impl Parts for Signed {
    fn input(&mut self, part: &[f32], out: &mut [f32]) {
        for (out, part) in out.iter_mut().zip(part) {
            *out += part;
        }
    }

    fn biases(&mut self, part: &[f32], shape: &[usize], out: &mut [f32]) {
        // What has no place in the image, to be spread evenly.
        let mut rest = 0.0_f64;
        if let &[_, h, w] = shape {
            self.small.clear();
            self.small.resize(h * w, 0.0);
            for map in part.chunks_exact(h * w) {
                for (sum, &value) in self.small.iter_mut().zip(map) {
                    *sum += f64::from(value);
                }
            }
            let resize = self.enlarge.from([h, w]);
            self.narrow.clear();
            for (&value, &mass) in self.small.iter().zip(resize.mass()) {
                // A unit that no pixel reads: the image is smaller than the layer.
                let seen = mass > 0.0;
                rest += if seen { 0.0 } else { value };
                self.narrow
                    .push(if seen { (value / mass) as f32 } else { 0.0 });
            }
            resize.apply(&self.narrow, &mut self.large);
            add_shared(out, &self.large, self.channels);
        } else {
            rest = part.iter().map(|&value| f64::from(value)).sum();
        }
        let even = (rest / out.len() as f64) as f32;
        out.iter_mut().for_each(|out| *out += even);
    }
}

/// Adds `map` to `out`, [channels, pixels], in equal shares.
fn add_shared(out: &mut [f32], map: &[f32], channels: usize) {
    let share = 1.0 / channels as f32;
    for channel in out.chunks_exact_mut(map.len()) {
        for (out, value) in channel.iter_mut().zip(map) {
            *out += share * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescaled_by_map_or_by_layer() {
        // Two maps of two units: magnitudes (1, 3) and (0, 6).
        let part = [-1.0, 3.0, 0.0, -6.0];
        let mut out = [0.0; 2];
        Absolute::new([1, 1, 2], false).biases(&part, &[2, 1, 2], &mut out);
        assert_eq!(out, [0.0, 2.0]);
        let mut out = [0.0; 2];
        Absolute::new([1, 1, 2], true).biases(&part, &[2, 1, 2], &mut out);
        assert_eq!(out, [1.0 / 6.0, 1.5]);
    }

    #[test]
    fn constant_and_dense_parts_add_nothing_to_magnitudes() {
        let mut out = [0.25; 4];
        let mut parts = Absolute::new([1, 2, 2], false);
        parts.biases(&[3.0; 8], &[2, 2, 2], &mut out);
        parts.biases(&[0.0; 8], &[2, 2, 2], &mut out);
        parts.biases(&[1.0, 2.0, 3.0], &[3], &mut out);
        parts.input(&[-5.0; 4], &mut out);
        assert_eq!(out, [0.25; 4]);
    }

    #[test]
    fn signed_parts_keep_their_sums() {
        // 3 to 7: bilinear weights of a unit do not add up to a whole number of pixels.
        let part: Vec<f32> = (0..18).map(|i| (i as f32 * 1.3).sin()).collect();
        let expected: f32 = part.iter().sum();
        for image in [[1, 7, 7], [2, 5, 4], [3, 2, 2], [1, 1, 1]] {
            let mut out = vec![0.0; image.iter().product()];
            let mut parts = Signed::new(image);
            parts.biases(&part, &[2, 3, 3], &mut out);
            let sum: f32 = out.iter().sum();
            assert!((sum - expected).abs() < 1e-5, "{image:?}: {sum} {expected}");
            parts.biases(&[0.5, 0.25], &[2], &mut out);
            let sum: f32 = out.iter().sum();
            assert!((sum - expected - 0.75).abs() < 1e-5, "{image:?}: {sum}");
        }
    }
}
