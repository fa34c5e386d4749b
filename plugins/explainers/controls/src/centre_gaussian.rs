//! A Gaussian in the middle of the image: objects are mostly photographed there.

use std::ffi::CStr;

use xbench_plugin::{Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::image::Image;

xbench_plugin::params! {
    /// Parameters of the centred Gaussian.
    pub struct CentreGaussianParams {
        /// Standard deviation as a share of the image's side: of the height for the vertical
        /// direction, of the width for the horizontal one.
        sigma: f32 = 0.25, 0.01..=10.0;
    }
}

/// exp(-(dy^2 / (2 sigma_y^2) + dx^2 / (2 sigma_x^2))) with dy, dx the distances of a pixel's centre
/// from the image's centre: from 0 to 1, the same for every image of a size.
#[derive(Clone, Copy, Debug)]
pub struct CentreGaussian {
    sigma: f64,
}

impl Plugin for CentreGaussian {
    const META: Meta = Meta {
        id: c"org.xbench.centre-gaussian",
        name: c"Centre Gaussian",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"T. Judd, F. Durand, A. Torralba, A Benchmark of Computational Models of Saliency to Predict Human Fixations, 2012",
        summary: c"A Gaussian bump in the middle of the image, whatever the image shows.",
        flags: Flags::CONTROL
            .union(Flags::ANY_THREAD)
            .union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = CentreGaussianParams;

    fn create(params: CentreGaussianParams, _ctx: &Context<'_>) -> Result<Self> {
        let sigma = f64::from(params.sigma);
        if !(sigma.is_finite() && sigma > 0.0) {
            return Err(Error::invalid_argument(format!(
                "sigma {sigma} is not a positive share of the image's side"
            )));
        }
        Ok(Self { sigma })
    }
}

/// Heights along one axis of `side` pixels.
fn profile(side: usize, sigma: f64) -> Vec<f64> {
    let (centre, spread) = ((side as f64 - 1.0) / 2.0, sigma * side as f64);
    (0..side)
        .map(|i| (-0.5 * ((i as f64 - centre) / spread).powi(2)).exp())
        .collect()
}

impl Explainer for CentreGaussian {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        _ctx: &Context<'_>,
        _model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let image = Image::of(batch.x.shape(), "centre-gaussian")?;
        let across = profile(image.width, self.sigma);
        let map: Vec<f32> = profile(image.height, self.sigma)
            .iter()
            .flat_map(|y| across.iter().map(move |x| (x * y) as f32))
            .collect();
        for out in attribution.chunks_exact_mut(batch.x.row_len()) {
            image.spread(map.iter().copied(), out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_symmetric_and_falls_as_defined() {
        let heights = profile(5, 0.2);
        // Standard deviation 1 pixel: 1 at the centre, e^-1/2 beside it, e^-2 at the ends.
        let expected = [(-2.0_f64).exp(), (-0.5_f64).exp(), 1.0];
        for (i, expected) in expected.into_iter().enumerate() {
            assert!((heights[i] - expected).abs() < 1e-15);
            assert!((heights[4 - i] - expected).abs() < 1e-15);
        }
    }
}
