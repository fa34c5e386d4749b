//! Which pixels are object: those whose colour differs from the ground's.
//!
//! The ground is modelled as a plane of colour fitted to the border (light falls
//! unevenly on a wall or floor); the threshold on the distance to it is Otsu's (IEEE
//! Trans. SMC 9, 1979), bounded from below by the border's own spread. Of what differs
//! the largest connected pieces are kept and their holes filled.

use image::RgbImage;

use crate::error::{DataError, Result};

/// Levels of the distance histogram; one level is one step of 8-bit colour.
const LEVELS: usize = 256;
/// Pieces smaller than this share of the largest are dust.
const DUST: f64 = 0.15;
/// Least share of the picture that an object takes.
const LEAST: f64 = 0.005;
/// Least distance in 8-bit steps that counts as different.
const NOTICEABLE: f64 = 10.0;

/// The object in a picture.
pub(super) struct Found {
    /// Object pixels, row-major.
    pub(super) mask: Vec<bool>,
    /// Whether the object is darker than the ground.
    pub(super) darker: bool,
}

pub(super) fn find(picture: &RgbImage, place: &str, steps: &mut Vec<String>) -> Result<Found> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let ground = Ground::fit(picture);
    let distance: Vec<f64> = (0..width * height)
        .map(|i| {
            let (x, y) = (i % width, i / width);
            let here = picture.get_pixel(x as u32, y as u32).0;
            let there = ground.at(x, y);
            let square: f64 = (0..3)
                .map(|c| (f64::from(here[c]) - there[c]) * (f64::from(here[c]) - there[c]))
                .sum();
            (square / 3.0).sqrt()
        })
        .collect();
    let floor = NOTICEABLE.max(2.5 * border_spread(&distance, width, height));
    let threshold = (0.62 * otsu(&distance)).max(floor.min(60.0));
    let raw: Vec<bool> = distance.iter().map(|&d| d > threshold).collect();
    let mask = fill_holes(&largest_pieces(&raw, width, height), width, height);
    let size = mask.iter().filter(|&&b| b).count();
    let share = size as f64 / mask.len() as f64;
    if share < LEAST {
        return Err(DataError::Photo {
            place: place.to_owned(),
            reason: "no object stands out from the ground".to_owned(),
            remedy: "photograph the garment alone on a plain ground of another colour".to_owned(),
        });
    }
    let mean = |inside: bool| {
        let of = || (0..mask.len()).filter(|&i| mask[i] == inside);
        let sum: f64 = of().map(|i| grey(picture, i % width, i / width)).sum();
        sum / of().count().max(1) as f64
    };
    let darker = mean(true) < mean(false);
    steps.push(format!(
        "object: {:.0}% of the picture, {} than the ground (threshold {threshold:.0} of 255)",
        100.0 * share,
        if darker { "darker" } else { "lighter" }
    ));
    if share > 0.9 {
        steps.push("caution: the object fills the picture; is there a plain ground?".to_owned());
    }
    Ok(Found { mask, darker })
}

/// Luma of a pixel by Rec. 601, 0 to 255.
pub(super) fn grey(picture: &RgbImage, x: usize, y: usize) -> f64 {
    let [r, g, b] = picture.get_pixel(x as u32, y as u32).0.map(f64::from);
    0.299 * r + 0.587 * g + 0.114 * b
}

/// A colour that changes linearly over the picture.
struct Ground {
    /// For each channel: value in the middle, change per pixel right and down.
    planes: [[f64; 3]; 3],
    middle: (f64, f64),
}

impl Ground {
    /// Fits medians of the border: the four sides' medians fix value and slopes, and a
    /// slope is believed only when the sides agree that it is small.
    fn fit(picture: &RgbImage) -> Self {
        let (w, h) = (picture.width() as usize, picture.height() as usize);
        let band = (w.min(h) / 25).max(1);
        let side = |xs: std::ops::Range<usize>, ys: std::ops::Range<usize>, c: usize| {
            let mut values: Vec<u8> = ys
                .flat_map(|y| xs.clone().map(move |x| (x, y)))
                .map(|(x, y)| picture.get_pixel(x as u32, y as u32).0[c])
                .collect();
            values.sort_unstable();
            f64::from(values[values.len() / 2])
        };
        let planes = std::array::from_fn(|c| {
            let left = side(0..band, 0..h, c);
            let right = side(w - band..w, 0..h, c);
            let top = side(0..w, 0..band, c);
            let bottom = side(0..w, h - band..h, c);
            let mut sides = [left, right, top, bottom];
            sides.sort_by(f64::total_cmp);
            let value = (sides[1] + sides[2]) / 2.0;
            let slope = |from: f64, to: f64, length: usize| {
                let rise = to - from;
                let fair = rise.abs() <= 40.0 && ((from + to) / 2.0 - value).abs() <= 12.0;
                if fair { rise / length as f64 } else { 0.0 }
            };
            [value, slope(left, right, w), slope(top, bottom, h)]
        });
        Self {
            planes,
            middle: (w as f64 / 2.0, h as f64 / 2.0),
        }
    }

    fn at(&self, x: usize, y: usize) -> [f64; 3] {
        let (dx, dy) = (x as f64 - self.middle.0, y as f64 - self.middle.1);
        self.planes
            .map(|[value, across, down]| value + across * dx + down * dy)
    }
}

/// Three-quarter quantile of the distances along the border.
fn border_spread(distance: &[f64], width: usize, height: usize) -> f64 {
    let on_border = |i: &usize| {
        let (x, y) = (i % width, i / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let mut border: Vec<f64> = (0..distance.len())
        .filter(on_border)
        .map(|i| distance[i])
        .collect();
    border.sort_by(f64::total_cmp);
    border[border.len() * 3 / 4]
}

/// The threshold that separates two groups of distances best.
fn otsu(distance: &[f64]) -> f64 {
    let mut counts = [0u64; LEVELS];
    for &d in distance {
        counts[(d as usize).min(LEVELS - 1)] += 1;
    }
    let total = distance.len() as f64;
    let sum: f64 = counts
        .iter()
        .enumerate()
        .map(|(level, &n)| level as f64 * n as f64)
        .sum();
    let (mut below, mut below_sum) = (0.0, 0.0);
    let (mut best, mut best_level) = (-1.0, 0);
    for (level, &n) in counts.iter().enumerate().take(LEVELS - 1) {
        below += n as f64;
        below_sum += level as f64 * n as f64;
        let above = total - below;
        if below == 0.0 || above == 0.0 {
            continue;
        }
        let apart = below_sum / below - (sum - below_sum) / above;
        let between = below * above * apart * apart;
        if between > best {
            (best, best_level) = (between, level);
        }
    }
    best_level as f64 + 1.0
}

/// Labels 4-connected pieces of pixels where `of` is true; gives labels (0 none) and
/// the size of each piece.
fn pieces(of: &[bool], width: usize, height: usize) -> (Vec<u32>, Vec<usize>) {
    let mut labels = vec![0u32; of.len()];
    let mut sizes = vec![0usize];
    let mut open = Vec::new();
    for start in 0..of.len() {
        if !of[start] || labels[start] != 0 {
            continue;
        }
        let label = sizes.len() as u32;
        sizes.push(0);
        labels[start] = label;
        open.push(start);
        while let Some(i) = open.pop() {
            sizes[label as usize] += 1;
            let (x, y) = (i % width, i / width);
            let neighbours = [
                (x > 0).then(|| i - 1),
                (x + 1 < width).then(|| i + 1),
                (y > 0).then(|| i - width),
                (y + 1 < height).then(|| i + width),
            ];
            for j in neighbours.into_iter().flatten() {
                if of[j] && labels[j] == 0 {
                    labels[j] = label;
                    open.push(j);
                }
            }
        }
    }
    (labels, sizes)
}

fn largest_pieces(mask: &[bool], width: usize, height: usize) -> Vec<bool> {
    let (labels, sizes) = pieces(mask, width, height);
    let largest = sizes.iter().copied().max().unwrap_or(0) as f64;
    labels
        .iter()
        .map(|&label| label != 0 && sizes[label as usize] as f64 >= DUST * largest)
        .collect()
}

/// Fills holes smaller than a hundredth of the object; larger ones (between the straps
/// of a sandal, under a handle) are ground.
fn fill_holes(mask: &[bool], width: usize, height: usize) -> Vec<bool> {
    let empty: Vec<bool> = mask.iter().map(|&b| !b).collect();
    let (labels, sizes) = pieces(&empty, width, height);
    let object = mask.iter().filter(|&&b| b).count();
    let mut outside = vec![false; sizes.len()];
    for i in 0..mask.len() {
        let (x, y) = (i % width, i / width);
        if x == 0 || y == 0 || x + 1 == width || y + 1 == height {
            outside[labels[i] as usize] = true;
        }
    }
    let is_hole = |label: usize| !outside[label] && sizes[label] * 100 < object;
    mask.iter()
        .zip(&labels)
        .map(|(&b, &label)| b || is_hole(label as usize))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn otsu_splits_two_groups_between_them() {
        let mut values = vec![5.0; 700];
        values.extend([100.0; 300]);
        let threshold = otsu(&values);
        assert!(threshold > 5.0 && threshold <= 100.0, "{threshold}");
    }

    #[test]
    fn small_holes_are_filled_and_dust_is_dropped() {
        let (w, h) = (40, 40);
        let mask: Vec<bool> = (0..w * h)
            .map(|i| {
                let (x, y) = (i % w, i / w);
                let body = (5..35).contains(&x) && (5..35).contains(&y);
                let small_hole = (10..12).contains(&x) && (10..12).contains(&y);
                let large_hole = (18..28).contains(&x) && (18..28).contains(&y);
                let dust = x == 1 && y == 1;
                (body && !small_hole && !large_hole) || dust
            })
            .collect();
        let filled = fill_holes(&largest_pieces(&mask, w, h), w, h);
        assert!(filled[10 * w + 10], "a hole of 4 pixels is filled");
        assert!(!filled[20 * w + 20], "a hole of 100 pixels stays");
        assert!(!filled[w + 1], "dust goes");
    }
}
