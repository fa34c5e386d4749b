//! Rows under Gaussian noise.

use super::check_row;
use crate::{DrawKey, NotApplicable};

/// `count` numbers of the standard normal distribution (Box and Muller 1958).
#[must_use]
pub fn standard_normals(key: DrawKey, draw: u64, count: usize) -> Vec<f32> {
    let mut draws = key.draws(draw);
    let mut normals = Vec::with_capacity(count + 1);
    while normals.len() < count {
        // 1 − u lies in (0, 1], of which the logarithm is finite.
        let radius = (-2.0 * (1.0 - draws.unit()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * draws.unit()).sin_cos();
        normals.push((radius * cosine) as f32);
        normals.push((radius * sine) as f32);
    }
    normals.truncate(count);
    normals
}

/// Gaussian noise for one image, the same for all explainers: the prediction gap puts it on the
/// highest pixels of a map, or on all others.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseRows {
    samples: Vec<Vec<f32>>,
}

impl NoiseRows {
    /// Draws `count` rows of noise for a row of `len` values, of standard deviation `scale[i]` at
    /// pixel i of every channel (`scale` repeats over the row).
    #[must_use]
    pub fn new(seed: u64, image: u64, len: usize, scale: &[f32], count: usize) -> Self {
        let key = DrawKey::new(seed, "prediction_gap", image);
        let sample = |draw| {
            let mut noise = standard_normals(key, draw as u64, len);
            let scale = scale.iter().cycle();
            for (noise, scale) in noise.iter_mut().zip(scale) {
                *noise *= scale;
            }
            noise
        };
        Self {
            samples: (0..count).map(sample).collect(),
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.samples.len()
    }

    /// Writes the image with the noise of row `sample` on the given pixels, of d.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`] unless image and row are `[channels, d]` as the noise is,
    /// or for a row there is not.
    pub fn write_row(
        &self,
        sample: usize,
        pixels: &[u32],
        d: usize,
        image: &[f32],
        row: &mut [f32],
    ) -> Result<(), NotApplicable> {
        let noise = self.samples.get(sample);
        let noise = noise.ok_or(NotApplicable::LengthMismatch)?;
        check_row(d, image, noise, row)?;
        row.copy_from_slice(image);
        for (row, noise) in row.chunks_exact_mut(d).zip(noise.chunks_exact(d)) {
            for &pixel in pixels {
                row[pixel as usize] += noise[pixel as usize];
            }
        }
        Ok(())
    }
}
