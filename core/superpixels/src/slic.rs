//! SLIC superpixels.

use serde::{Deserialize, Serialize};

use crate::colour::points;
use crate::connect::connect;
use crate::error::Error;
use crate::segments::{Segments, Shape};

/// Parameters of [`slic`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlicParams {
    /// Segments aimed at; the number found is near it, never more than pixels. At least 1.
    pub segments: usize,
    /// Weight of nearness against likeness of colour (m in the paper), above 0; colours have a
    /// lightness of 0 to 100.
    pub compactness: f64,
    /// Rounds of k-means, 1 to 1000.
    pub rounds: usize,
}

impl Default for SlicParams {
    fn default() -> Self {
        Self {
            segments: 50,
            compactness: 10.0,
            rounds: 10,
        }
    }
}

impl SlicParams {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |name, value, allowed| {
            Err(Error::Parameter {
                name,
                value,
                allowed,
            })
        };
        if self.segments == 0 {
            return refuse("segments", "0".to_owned(), "at least 1");
        }
        if !(self.compactness.is_finite() && self.compactness > 0.0) {
            let value = self.compactness.to_string();
            return refuse("compactness", value, "a number above 0");
        }
        if !(1..=1000).contains(&self.rounds) {
            return refuse("rounds", self.rounds.to_string(), "from 1 to 1000");
        }
        Ok(())
    }
}

/// A cluster: the sum or the mean of its pixels.
#[derive(Clone)]
struct Centre {
    colour: Vec<f64>,
    y: f64,
    x: f64,
}

/// Superpixels by simple linear iterative clustering (Achanta et al. 2012, algorithm 1): k-means in
/// colour and position, each centre looking no further than twice the spacing of centres, the distance
/// being d_colour² + (compactness / spacing)² d_position² (equation 3, squared). Centres start on a
/// grid, moved to the pixel of least gradient among nine. Pieces cut off from their segment go to the
/// neighbour with the longest common border (the paper leaves open which).
///
/// `image` is `[channels, height, width]`; three channels count as sRGB and are compared in CIE
/// L*a*b*, others as they are, after stretching to a common scale. Ties go to the centre that comes
/// first.
///
/// # Errors
/// When the shape is empty or does not fit, a value is not finite, or a parameter is out of range.
pub fn slic(image: &[f32], shape: Shape, params: &SlicParams) -> Result<Segments, Error> {
    shape.check(image)?;
    params.check()?;
    let colours = points(image, shape);
    let pixels = shape.pixels();
    let mut centres = start(&colours, shape, params.segments);
    let spacing = (pixels as f64 / centres.len() as f64).sqrt();
    let weight = (params.compactness / spacing).powi(2);
    let mut labels = vec![0_u32; pixels];
    let mut nearest = vec![f64::INFINITY; pixels];
    for _ in 0..params.rounds {
        nearest.fill(f64::INFINITY);
        for (label, centre) in centres.iter().enumerate() {
            let rows = reach(centre.y, 2.0 * spacing, shape.height);
            for y in rows {
                for x in reach(centre.x, 2.0 * spacing, shape.width) {
                    let pixel = y * shape.width + x;
                    let (dy, dx) = (y as f64 - centre.y, x as f64 - centre.x);
                    let distance = squared(colour(&colours, shape, pixel), &centre.colour)
                        + weight * (dy * dy + dx * dx);
                    if distance < nearest[pixel] {
                        nearest[pixel] = distance;
                        labels[pixel] = label as u32;
                    }
                }
            }
        }
        let moved = means(&colours, shape, &labels, &centres);
        let still = moved
            .iter()
            .zip(&centres)
            .all(|(new, old)| new.y == old.y && new.x == old.x && new.colour == old.colour);
        centres = moved;
        if still {
            break;
        }
    }
    Segments::new(connect(&labels, shape))
}

/// The channels of a pixel.
fn colour(colours: &[f64], shape: Shape, pixel: usize) -> &[f64] {
    &colours[pixel * shape.channels..][..shape.channels]
}

/// Squared distance.
fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The indices below `side` within `distance` of `middle`.
fn reach(middle: f64, distance: f64, side: usize) -> std::ops::Range<usize> {
    let first = (middle - distance).ceil().max(0.0) as usize;
    let last = (middle + distance).floor().max(0.0) as usize;
    first..(last + 1).min(side)
}

/// Centres on a grid as near to `wanted` as rows and columns of about square cells allow, each moved to
/// the least gradient among its nine pixels.
fn start(colours: &[f64], shape: Shape, wanted: usize) -> Vec<Centre> {
    let pixels = shape.pixels();
    let spacing = (pixels as f64 / wanted.min(pixels) as f64).sqrt();
    let along = |side: usize| ((side as f64 / spacing).round() as usize).clamp(1, side);
    let (down, across) = (along(shape.height), along(shape.width));
    // The middle of a cell lies between two pixels where the cell has an even number of them.
    let middle =
        |index: usize, count: usize, side: usize| (index as f64 + 0.5) * side as f64 / count as f64;
    let mut centres = Vec::with_capacity(down * across);
    for row in 0..down {
        for column in 0..across {
            let (y, x) = (
                middle(row, down, shape.height),
                middle(column, across, shape.width),
            );
            let place = (y as usize, x as usize);
            // With a centre per pixel there is nowhere to move to.
            let flat = if down * across < pixels {
                flattest(colours, shape, place)
            } else {
                place
            };
            let (y, x) = if flat == place {
                (y - 0.5, x - 0.5)
            } else {
                (flat.0 as f64, flat.1 as f64)
            };
            centres.push(Centre {
                colour: colour(colours, shape, flat.0 * shape.width + flat.1).to_vec(),
                y,
                x,
            });
        }
    }
    centres
}

/// The pixel of least gradient among the nine around a place; the place itself where none is less.
fn flattest(colours: &[f64], shape: Shape, place: (usize, usize)) -> (usize, usize) {
    let gradient = |y: usize, x: usize| {
        let at = |y: usize, x: usize| colour(colours, shape, y * shape.width + x);
        let (top, bottom) = (y.saturating_sub(1), (y + 1).min(shape.height - 1));
        let (left, right) = (x.saturating_sub(1), (x + 1).min(shape.width - 1));
        squared(at(bottom, x), at(top, x)) + squared(at(y, right), at(y, left))
    };
    let mut best = (gradient(place.0, place.1), place);
    for y in place.0.saturating_sub(1)..(place.0 + 2).min(shape.height) {
        for x in place.1.saturating_sub(1)..(place.1 + 2).min(shape.width) {
            let slope = gradient(y, x);
            if slope < best.0 {
                best = (slope, (y, x));
            }
        }
    }
    best.1
}

/// The mean of each cluster; one without pixels stays where it was.
fn means(colours: &[f64], shape: Shape, labels: &[u32], old: &[Centre]) -> Vec<Centre> {
    let empty = Centre {
        colour: vec![0.0; shape.channels],
        y: 0.0,
        x: 0.0,
    };
    let mut sums = vec![(empty, 0_usize); old.len()];
    for (pixel, &label) in labels.iter().enumerate() {
        let (sum, count) = &mut sums[label as usize];
        for (sum, value) in sum.colour.iter_mut().zip(colour(colours, shape, pixel)) {
            *sum += value;
        }
        sum.y += (pixel / shape.width) as f64;
        sum.x += (pixel % shape.width) as f64;
        *count += 1;
    }
    sums.into_iter()
        .zip(old)
        .map(|((mut sum, count), old)| {
            if count == 0 {
                return old.clone();
            }
            let share = 1.0 / count as f64;
            sum.colour.iter_mut().for_each(|value| *value *= share);
            sum.y *= share;
            sum.x *= share;
            sum
        })
        .collect()
}
