//! Quickshift segments.

use serde::{Deserialize, Serialize};

use crate::colour::points;
use crate::connect::connect;
use crate::error::Error;
use crate::segments::{Segments, Shape};

/// Parameters of [`quickshift`]. The defaults are those of the lime package for images, but for the
/// kernel of small images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuickshiftParams {
    /// Standard deviation of the density's kernel, in pixels, from 0.1 to 64; larger ones give fewer
    /// segments. 0: the lime package's 4, or a 28th of the image's shorter side where that is less,
    /// since 4 pixels make one segment of a whole small image.
    pub kernel_size: f64,
    /// Distance above which a pixel starts a segment of its own instead of joining another, above 0.
    pub max_distance: f64,
    /// Weight of colour (of lightness 0 to 100) against position, from 0 to 1.
    pub colour_ratio: f64,
}

impl Default for QuickshiftParams {
    fn default() -> Self {
        Self {
            kernel_size: 0.0,
            max_distance: 200.0,
            colour_ratio: 0.2,
        }
    }
}

impl QuickshiftParams {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |name, value: f64, allowed| {
            Err(Error::Parameter {
                name,
                value: value.to_string(),
                allowed,
            })
        };
        if self.kernel_size != 0.0 && !(0.1..=64.0).contains(&self.kernel_size) {
            return refuse("kernel_size", self.kernel_size, "0, or from 0.1 to 64");
        }
        if !(self.max_distance.is_finite() && self.max_distance > 0.0) {
            return refuse("max_distance", self.max_distance, "a number above 0");
        }
        if !(0.0..=1.0).contains(&self.colour_ratio) {
            return refuse("colour_ratio", self.colour_ratio, "from 0 to 1");
        }
        Ok(())
    }

    /// The kernel for an image of this shape, in pixels.
    fn kernel(&self, shape: Shape) -> f64 {
        if self.kernel_size == 0.0 {
            // A tenth of a pixel reaches the next one, as the smallest kernel does.
            (shape.height.min(shape.width) as f64 / 28.0).clamp(0.1, 4.0)
        } else {
            self.kernel_size
        }
    }
}

/// Segments by quick shift (Vedaldi and Soatto 2008, section 3): a density by a Gaussian kernel over
/// colour and position, in a window of three standard deviations; each pixel joins the nearest pixel of
/// higher density in that window, and each tree of pixels is a segment. Among equal densities the pixel
/// that comes first counts as higher, where other implementations add random noise. Pieces cut off
/// from their segment go to the neighbour with the longest common border.
///
/// `image` is `[channels, height, width]`; three channels count as sRGB and are compared in CIE
/// L*a*b*, others as they are, after stretching to a common scale.
///
/// # Errors
/// When the shape is empty or does not fit, a value is not finite, or a parameter is out of range.
pub fn quickshift(
    image: &[f32],
    shape: Shape,
    params: &QuickshiftParams,
) -> Result<Segments, Error> {
    shape.check(image)?;
    params.check()?;
    let mut colours = points(image, shape);
    for value in &mut colours {
        *value *= params.colour_ratio;
    }
    let kernel = params.kernel(shape);
    let density = densities(&colours, shape, kernel);
    let higher =
        |a: usize, b: usize| density[a] > density[b] || (density[a] == density[b] && a < b);
    let limit = params.max_distance * params.max_distance;
    let mut parent: Vec<usize> = (0..shape.pixels()).collect();
    for (pixel, parent) in parent.iter_mut().enumerate() {
        let mut nearest = f64::INFINITY;
        for_each_near(shape, pixel, kernel, |other| {
            if higher(other, pixel) {
                let distance = squared(&colours, shape, pixel, other);
                if distance < nearest && distance <= limit {
                    nearest = distance;
                    *parent = other;
                }
            }
        });
    }
    // Densities rise along the way, so every way ends.
    let labels: Vec<u32> = (0..parent.len())
        .map(|mut pixel| {
            while parent[pixel] != pixel {
                pixel = parent[pixel];
            }
            pixel as u32
        })
        .collect();
    Segments::new(connect(&labels, shape))
}

/// Calls `visit` with the pixels in the window of three standard deviations around one, row by row.
fn for_each_near(shape: Shape, pixel: usize, kernel_size: f64, mut visit: impl FnMut(usize)) {
    let reach = (3.0 * kernel_size).ceil() as usize;
    let (y, x) = (pixel / shape.width, pixel % shape.width);
    for row in y.saturating_sub(reach)..(y + reach + 1).min(shape.height) {
        for column in x.saturating_sub(reach)..(x + reach + 1).min(shape.width) {
            visit(row * shape.width + column);
        }
    }
}

/// Squared distance of two pixels in (weighted) colour and position.
fn squared(colours: &[f64], shape: Shape, a: usize, b: usize) -> f64 {
    let channels = shape.channels;
    let colour: f64 = colours[a * channels..][..channels]
        .iter()
        .zip(&colours[b * channels..][..channels])
        .map(|(a, b)| (a - b) * (a - b))
        .sum();
    let dy = (a / shape.width) as f64 - (b / shape.width) as f64;
    let dx = (a % shape.width) as f64 - (b % shape.width) as f64;
    colour + dy * dy + dx * dx
}

/// The sum of a Gaussian kernel over the window around each pixel.
fn densities(colours: &[f64], shape: Shape, kernel_size: f64) -> Vec<f64> {
    let scale = -0.5 / (kernel_size * kernel_size);
    (0..shape.pixels())
        .map(|pixel| {
            let mut sum = 0.0;
            for_each_near(shape, pixel, kernel_size, |other| {
                sum += libm::exp(scale * squared(colours, shape, pixel, other));
            });
            sum
        })
        .collect()
}
