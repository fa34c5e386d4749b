//! Edges of the image, which many saliency maps resemble whatever the model.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, NoParams, Plugin, Result,
};

use crate::image::Image;

/// sqrt(gx^2 + gy^2) per channel, with gx and gy from Sobel's 3x3 kernels divided by 8, so that a
/// ramp of slope s gives s; the image's border is repeated outwards.
#[derive(Clone, Copy, Debug)]
pub struct Sobel;

impl Plugin for Sobel {
    const META: Meta = Meta {
        id: c"org.xbench.sobel",
        name: c"Sobel edges",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation:
            c"I. Sobel, G. Feldman, A 3x3 Isotropic Gradient Operator for Image Processing, 1968",
        summary: c"The magnitude of the image's own gradient: outlines taken for importance.",
        flags: Flags::CONTROL
            .union(Flags::ANY_THREAD)
            .union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Sobel {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        _ctx: &Context<'_>,
        _model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let image = Image::of(batch.x.shape(), "sobel")?;
        let pixels = image.pixels();
        let planes = batch.x.data().chunks_exact(pixels);
        for (plane, out) in planes.zip(attribution.chunks_exact_mut(pixels)) {
            edges(plane, image.height, image.width, out);
        }
        Ok(())
    }
}

/// Gradient magnitudes of one plane, row-major [height, width], both at least 1.
fn edges(plane: &[f32], height: usize, width: usize, out: &mut [f32]) {
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        let above = &plane[row.saturating_sub(1) * width..][..width];
        let here = &plane[row * width..][..width];
        let below = &plane[(row + 1).min(height - 1) * width..][..width];
        for (column, out) in out.iter_mut().enumerate() {
            let (left, right) = (column.saturating_sub(1), (column + 1).min(width - 1));
            let gx = (above[right] - above[left])
                + 2.0 * (here[right] - here[left])
                + (below[right] - below[left]);
            let gy = (below[left] - above[left])
                + 2.0 * (below[column] - above[column])
                + (below[right] - above[right]);
            *out = (gx * gx + gy * gy).sqrt() / 8.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_gives_its_slope_inside_and_less_at_the_border() {
        // x + 2 y on 4 rows of 5: slope sqrt(1 + 4); at a border the difference spans one pixel
        // instead of two, which halves that component.
        let plane: Vec<f32> = (0..20).map(|i| (i % 5 + 2 * (i / 5)) as f32).collect();
        let mut out = vec![0.0; 20];
        edges(&plane, 4, 5, &mut out);
        let five = 5.0_f32.sqrt();
        assert!((out[6] - five).abs() < 1e-6);
        assert!((out[5] - (0.25_f32 + 4.0).sqrt()).abs() < 1e-6);
        assert!((out[1] - (1.0_f32 + 1.0).sqrt()).abs() < 1e-6);
        assert!((out[0] - (0.25_f32 + 1.0).sqrt()).abs() < 1e-6);
    }

    #[test]
    fn a_single_bright_pixel_by_hand() {
        let mut plane = [0.0; 9];
        plane[4] = 8.0;
        let mut out = [0.0; 9];
        edges(&plane, 3, 3, &mut out);
        let (corner, side) = (2.0_f32.sqrt(), 2.0);
        assert_eq!(
            out,
            [
                corner, side, corner, //
                side, 0.0, side, //
                corner, side, corner
            ]
        );
    }

    #[test]
    fn flat_and_tiny_images_have_no_edges() {
        for (height, width) in [(1, 1), (1, 6), (4, 1), (3, 3)] {
            let plane = vec![0.7; height * width];
            let mut out = vec![1.0; height * width];
            edges(&plane, height, width, &mut out);
            assert!(out.iter().all(|&v| v == 0.0));
        }
    }
}
