//! Inverted dropout whose every decision is addressed by (step, layer, image, unit).

use xbench_plugin::rng::CounterRng;

/// What dropout draws from in one training step: a generator of the step, and the numbers of the
/// images, so that neither their order nor the number of threads decides anything.
#[derive(Clone, Debug)]
pub struct Noise {
    rng: CounterRng,
    images: Vec<u64>,
}

impl Noise {
    /// `rng` is the step's own; `images` numbers the images of the step, each once.
    pub fn new(rng: CounterRng, images: Vec<u64>) -> Self {
        Noise { rng, images }
    }

    /// How many images it numbers.
    pub(super) fn images(&self) -> usize {
        self.images.len()
    }

    /// The noise of each block of `size` images.
    pub(super) fn blocks(&self, size: usize) -> impl Iterator<Item = Noise> {
        self.images
            .chunks(size)
            .map(|images| Noise::new(self.rng, images.to_vec()))
    }

    /// The factor of one unit: 0, or what keeps the expected value.
    fn factor(rng: CounterRng, threshold: u64, scale: f32, unit: usize) -> f32 {
        if rng.bits(unit as u64) >> 32 < threshold {
            0.0
        } else {
            scale
        }
    }
}

/// Multiplies the values of layer `layer`, `[images, size]` channel-last, by their factors. The
/// gradient is multiplied by the same.
pub(super) fn apply(noise: &Noise, layer: usize, rate: f32, size: usize, values: &mut [f32]) {
    let threshold = (f64::from(rate) * (1u64 << 32) as f64) as u64;
    let scale = 1.0 / (1.0 - rate);
    let rng = noise.rng.stream(layer as u64);
    for (&image, values) in noise.images.iter().zip(values.chunks_exact_mut(size)) {
        let rng = rng.stream(image);
        for (unit, value) in values.iter_mut().enumerate() {
            *value *= Noise::factor(rng, threshold, scale, unit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_dropped_and_the_mean_are_right() {
        let noise = Noise::new(CounterRng::new(5), vec![3, 9]);
        let size = 100_000;
        let mut values = vec![1.0; 2 * size];
        apply(&noise, 1, 0.4, size, &mut values);
        let (first, second) = values.split_at(size);
        assert_ne!(first, second, "each image has a mask of its own");
        for values in [first, second] {
            let dropped = values.iter().filter(|v| **v == 0.0).count() as f64 / size as f64;
            // Five standard errors of a share of 0.4.
            assert!((dropped - 0.4).abs() < 5.0 * (0.24 / size as f64).sqrt());
            let kept = 1.0 / (1.0 - 0.4f32);
            assert!(values.iter().all(|&v| v == 0.0 || v == kept));
        }
    }

    #[test]
    fn an_images_mask_does_not_depend_on_its_place() {
        let rng = CounterRng::new(5);
        let mask = |images: Vec<u64>| {
            let mut values = vec![1.0; images.len() * 50];
            apply(&Noise::new(rng, images), 2, 0.25, 50, &mut values);
            values
        };
        let (pair, turned) = (mask(vec![7, 2]), mask(vec![2, 7]));
        assert_eq!(pair[..50], turned[50..]);
        assert_eq!(pair[50..], turned[..50]);
        assert_eq!(mask(vec![7]), pair[..50]);
    }
}
