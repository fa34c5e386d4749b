//! Noisy neighbours of an image.

use crate::DrawKey;

/// The rows near an image: each value moved by a uniform draw from −r..r.
///
/// The ball of Yeh et al. 2019, section 4. It is not cut to the range of pixels: a cut would
/// halve the noise on the black background and so move its mean. The draws depend on seed, image
/// and number alone, so that every explainer and every score meets the same neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbours {
    key: DrawKey,
    radius: f64,
}

impl Neighbours {
    /// The neighbours of image number `image` within `radius`.
    #[must_use]
    pub fn new(seed: u64, image: u64, radius: f64) -> Self {
        Self {
            key: DrawKey::new(seed, "neighbours", image),
            radius,
        }
    }

    /// Writes neighbour number `draw` of `input` into `row`.
    ///
    /// `units` gives what a radius of 1 means for each value (the standard deviation of a table's
    /// column); where it is empty that is 1, the range of a pixel.
    pub fn write(&self, draw: u64, input: &[f32], units: &[f32], row: &mut [f32]) {
        let mut draws = self.key.draws(draw);
        for (i, (value, &own)) in row.iter_mut().zip(input).enumerate() {
            let unit = units.get(i).map_or(1.0, |&unit| f64::from(unit));
            let step = (2.0 * draws.unit() - 1.0) * self.radius * unit;
            *value = (f64::from(own) + step) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_fills_its_ball_evenly() {
        let (input, mut row) = (vec![0.5; 20_000], vec![0.0; 20_000]);
        Neighbours::new(1, 2, 0.1).write(3, &input, &[], &mut row);
        let steps: Vec<f64> = row.iter().map(|&x| f64::from(x) - 0.5).collect();
        assert!(steps.iter().all(|step| step.abs() <= 0.1 + 1e-7));
        let mean = steps.iter().sum::<f64>() / 20_000.0;
        let variance = steps.iter().map(|step| step * step).sum::<f64>() / 20_000.0;
        // Standard errors .1/√3/√20000 = 4.1e-4 and, of the variance, about 2.1e-5.
        assert!(mean.abs() < 2e-3, "{mean}");
        assert!((variance - 0.01 / 3.0).abs() < 1.1e-4, "{variance}");
    }

    #[test]
    fn neighbours_depend_on_seed_image_and_number_alone() {
        let input = [0.0, 0.2, 0.4, 1.0];
        let write = |seed, image, draw| {
            let mut row = [0.0; 4];
            Neighbours::new(seed, image, 0.5).write(draw, &input, &[], &mut row);
            row
        };
        assert_eq!(write(1, 2, 3), write(1, 2, 3));
        for other in [write(0, 2, 3), write(1, 0, 3), write(1, 2, 0)] {
            assert_ne!(write(1, 2, 3), other);
        }
    }

    #[test]
    fn units_scale_each_column() {
        let (mut plain, mut scaled) = ([0.0; 2], [0.0; 2]);
        let neighbours = Neighbours::new(9, 0, 0.1);
        neighbours.write(0, &[0.0, 0.0], &[], &mut plain);
        neighbours.write(0, &[0.0, 0.0], &[0.0, 10.0], &mut scaled);
        assert_eq!(scaled[0], 0.0);
        assert!((scaled[1] - 10.0 * plain[1]).abs() < 1e-6);
    }
}
