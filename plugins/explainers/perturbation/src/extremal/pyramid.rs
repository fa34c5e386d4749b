//! A row as it is when it is perturbed more or less.

use xbench_plugin::{Result, TensorRef};

use crate::blur::blur;
use crate::fill::Fill;
use crate::image::Image;

/// Levels between an image and its strongest blur.
const BLUR_LEVELS: usize = 8;

/// A row at several levels of perturbation, from the strongest (0) to the row itself (the last).
pub(crate) struct Pyramid {
    /// `[levels, row]`.
    levels: Vec<f32>,
    row_len: usize,
}

impl Pyramid {
    /// Levels of every pyramid made with this fill.
    pub(crate) fn levels(fill: Fill) -> usize {
        if matches!(fill, Fill::Blur(_)) {
            BLUR_LEVELS
        } else {
            2
        }
    }

    /// The pyramid of one row, `[1, channels, height, width]`: blurs whose width falls evenly to 0,
    /// or the fill and the row.
    pub(crate) fn new(x: TensorRef<'_>, image: Image, fill: Fill) -> Result<Self> {
        let row_len = image.row_len();
        let mut levels = match fill {
            Fill::Blur(share) => {
                let strongest = f64::from(share) * image.height.min(image.width) as f64;
                let mut levels = x.data().repeat(BLUR_LEVELS - 1);
                for (level, row) in levels.chunks_exact_mut(row_len).enumerate() {
                    let sigma = strongest * (1.0 - level as f64 / (BLUR_LEVELS - 1) as f64);
                    for plane in row.chunks_exact_mut(image.plane()) {
                        blur(plane, image.height, image.width, sigma);
                    }
                }
                levels
            }
            _ => fill.baselines(x, image)?,
        };
        levels.extend_from_slice(x.data());
        Ok(Self { levels, row_len })
    }

    /// Does the strongest perturbation leave the row as it is?
    pub(crate) fn is_flat(&self) -> bool {
        let last = self.levels.len() - self.row_len;
        self.levels[..self.row_len] == self.levels[last..]
    }

    /// The level below a mask's value, and how far above it the value is.
    fn place(&self, mask: f32) -> (usize, f32) {
        let top = self.levels.len() / self.row_len - 1;
        let place = mask.clamp(0.0, 1.0) * top as f32;
        let below = (place as usize).min(top - 1);
        (below * self.row_len, place - below as f32)
    }

    /// Writes the row perturbed by `mask`, one value per pixel: 1 leaves it, 0 is the strongest.
    pub(crate) fn apply(&self, mask: &[f32], out: &mut [f32]) {
        for (i, out) in out.iter_mut().enumerate() {
            let (below, above) = self.place(mask[i % mask.len()]);
            let (low, high) = (
                self.levels[below + i],
                self.levels[below + self.row_len + i],
            );
            *out = low * (1.0 - above) + high * above;
        }
    }

    /// Adds to `of_mask` the gradient with respect to the mask, given that with respect to what
    /// [`apply`](Self::apply) wrote.
    pub(crate) fn add_gradient(&self, mask: &[f32], of_row: &[f32], of_mask: &mut [f32]) {
        let top = (self.levels.len() / self.row_len - 1) as f32;
        for (i, gradient) in of_row.iter().enumerate() {
            let pixel = i % mask.len();
            let (below, _) = self.place(mask[pixel]);
            let rise = self.levels[below + self.row_len + i] - self.levels[below + i];
            of_mask[pixel] += gradient * rise * top;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Image = Image {
        channels: 2,
        height: 3,
        width: 4,
        is_table: false,
    };

    fn row() -> Vec<f32> {
        (0..24).map(|i| ((i * 37 % 11) as f32) / 11.0).collect()
    }

    fn pyramid(row: &[f32], fill: Fill) -> Pyramid {
        let x = TensorRef::new(&[1, 2, 3, 4], row).expect("fits");
        Pyramid::new(x, IMAGE, fill).expect("an image")
    }

    #[test]
    fn masks_choose_between_the_row_and_its_cover() {
        let row = row();
        for fill in [Fill::Blur(0.3), Fill::Constant(0.25), Fill::Mean] {
            let pyramid = pyramid(&row, fill);
            let mut out = vec![0.0; 24];
            pyramid.apply(&[1.0; 12], &mut out);
            assert_eq!(out, row);
            pyramid.apply(&[0.0; 12], &mut out);
            assert_eq!(out, pyramid.levels[..24]);
            assert!(!pyramid.is_flat());
        }
        for fill in [Fill::Blur(0.3), Fill::Constant(0.5), Fill::Mean] {
            assert!(pyramid(&[0.5; 24], fill).is_flat());
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let row = row();
        let mask: Vec<f32> = (0..12).map(|i| (i as f32 * 0.37 + 0.11) % 0.97).collect();
        let of_row: Vec<f32> = (0..24).map(|i| (i as f32).sin()).collect();
        for fill in [Fill::Blur(0.4), Fill::Constant(-1.0)] {
            let pyramid = pyramid(&row, fill);
            let mut gradient = vec![0.0; 12];
            pyramid.add_gradient(&mask, &of_row, &mut gradient);
            let value = |mask: &[f32]| -> f64 {
                let mut out = vec![0.0; 24];
                pyramid.apply(mask, &mut out);
                out.iter()
                    .zip(&of_row)
                    .map(|(&o, &g)| f64::from(o) * f64::from(g))
                    .sum()
            };
            for (i, &gradient) in gradient.iter().enumerate() {
                let mut moved = mask.clone();
                moved[i] += 1e-3;
                let up = value(&moved);
                moved[i] -= 2e-3;
                let difference = (up - value(&moved)) / 2e-3;
                assert!(
                    (f64::from(gradient) - difference).abs() < 1e-3,
                    "{gradient} {difference}"
                );
            }
        }
    }
}
