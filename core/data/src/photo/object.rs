//! Which pixels are object: those that cannot be reached from the picture's border
//! without a change of colour.
//!
//! For each pixel the *barrier* is the least span of values (largest minus smallest)
//! along any path from the border (Strand, Ciesielski, Malmberg, Saha, "The minimum
//! barrier distance", CVIU 2013; scanned as in Zhang et al., ICCV 2015). Light that
//! falls unevenly is crossed in small steps, while a garment stays behind its outline
//! even where its pattern has the ground's own colour. The barrier is cut by Otsu's
//! threshold (IEEE Trans. SMC 9, 1979); the largest pieces are kept.

use image::RgbImage;

use crate::error::{DataError, Result};
use crate::mask;

/// Levels of the distance histogram; one level is one step of 8-bit colour.
const LEVELS: usize = 256;
/// Pieces smaller than this share of the largest are dust.
const DUST: f64 = 0.15;
/// Least share of the picture that an object takes.
const LEAST: f64 = 0.005;
/// Least barrier in 8-bit steps that counts as an outline.
const NOTICEABLE: f64 = 12.0;
/// Share of Otsu's threshold: outlines are soft, and a garment's edge lies low on them.
const CUT: f64 = 0.6;
/// A border pixel as far as this from the ground belongs to something that is cut off
/// by the picture's edge, and starts no path.
const ALIEN: f64 = 36.0;
/// A pixel as near as this to the ground looks the same.
const SAME: f64 = 6.0;
/// Least share of the object of an enclosed area that is opened.
const HANDLE: f64 = 0.03;
/// Passes over the picture, there and back; more change nothing visible.
const SCANS: usize = 4;

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
        .map(|i| ground.distance(picture, i % width, i / width))
        .collect();
    let barrier = barrier(picture, &distance);
    let threshold = (CUT * otsu(&barrier)).max(NOTICEABLE);
    let beyond: Vec<bool> = barrier.iter().map(|&d| d > threshold).collect();
    // Opening cuts off lines two pixels thin: joints of a floor, hangers, threads.
    let opened = mask::dilate(&mask::erode(&beyond, height, width), height, width);
    let solid = fill_holes(&largest_pieces(&opened, width, height), width, height);
    let mask = open_handles(&solid, &distance, width, height);
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
        "object: {:.0}% of the picture, {} than the ground (outline above {threshold:.0} of 255)",
        100.0 * share,
        if darker { "darker" } else { "lighter" }
    ));
    let parts = pieces(&mask, width, height).1.len() - 1;
    if parts > 2 {
        steps.push(format!(
            "caution: the object fell into {parts} parts; does it differ from the ground?"
        ));
    }
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

    /// Root mean square difference of a pixel's channels to the ground's there.
    fn distance(&self, picture: &RgbImage, x: usize, y: usize) -> f64 {
        let here = smoothed(picture, x, y);
        let (dx, dy) = (x as f64 - self.middle.0, y as f64 - self.middle.1);
        let there = self
            .planes
            .map(|[value, across, down]| value + across * dx + down * dy);
        let square: f64 = (0..3)
            .map(|c| (here[c] - there[c]) * (here[c] - there[c]))
            .sum();
        (square / 3.0).sqrt()
    }
}

/// The minimum barrier from the border, summed over lightness and two colour
/// differences, in 8-bit steps. `distance` is each pixel's distance to the ground.
fn barrier(picture: &RgbImage, distance: &[f64]) -> Vec<f64> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    // Colour counts more than lightness: shadows change only the latter.
    let channels: [fn([f64; 3]) -> f64; 3] = [
        |[r, g, b]| 0.8 * (0.299 * r + 0.587 * g + 0.114 * b),
        |[r, g, _]| 1.2 * (r - g),
        |[r, g, b]| 0.8 * (b - (r + g) / 2.0),
    ];
    let mut sum = vec![0.0; width * height];
    for channel in channels {
        let values: Vec<f64> = (0..width * height)
            .map(|i| channel(smoothed(picture, i % width, i / width)))
            .collect();
        let seed = |i: usize| on_border(i, width, height) && distance[i] < ALIEN;
        for (sum, one) in sum
            .iter_mut()
            .zip(channel_barrier(&values, width, height, seed))
        {
            *sum += one;
        }
    }
    sum
}

fn channel_barrier(
    values: &[f64],
    width: usize,
    height: usize,
    seed: impl Fn(usize) -> bool,
) -> Vec<f64> {
    // Largest and smallest value on the best path so far.
    let mut paths: Vec<Option<(f64, f64)>> = (0..values.len())
        .map(|i| seed(i).then_some((values[i], values[i])))
        .collect();
    let relax = |i: usize, j: usize, paths: &mut [Option<(f64, f64)>]| {
        let Some((high, low)) = paths[j] else { return };
        let (high, low) = (high.max(values[i]), low.min(values[i]));
        if paths[i].is_none_or(|(h, l)| high - low < h - l) {
            paths[i] = Some((high, low));
        }
    };
    for _ in 0..SCANS {
        for i in 0..values.len() {
            if i % width > 0 {
                relax(i, i - 1, &mut paths);
            }
            if i >= width {
                relax(i, i - width, &mut paths);
            }
        }
        for i in (0..values.len()).rev() {
            if i % width + 1 < width {
                relax(i, i + 1, &mut paths);
            }
            if i / width + 1 < height {
                relax(i, i + width, &mut paths);
            }
        }
    }
    // No path at all: the whole border is alien.
    paths
        .into_iter()
        .map(|path| path.map_or(0.0, |(high, low)| high - low))
        .collect()
}

/// Mean colour of the 3×3 pixels around a place.
fn smoothed(picture: &RgbImage, x: usize, y: usize) -> [f64; 3] {
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for v in y.saturating_sub(1)..(y + 2).min(h) {
        for u in x.saturating_sub(1)..(x + 2).min(w) {
            let here = picture.get_pixel(u as u32, v as u32).0;
            (0..3).for_each(|c| sum[c] += f64::from(here[c]));
            count += 1.0;
        }
    }
    sum.map(|s| s / count)
}

fn on_border(i: usize, width: usize, height: usize) -> bool {
    let (x, y) = (i % width, i / width);
    x == 0 || y == 0 || x + 1 == width || y + 1 == height
}

/// Takes back enclosed areas that are plainly ground: under a bag's handle, between the
/// straps of a sandal.
fn open_handles(mask: &[bool], distance: &[f64], width: usize, height: usize) -> Vec<bool> {
    let ground: Vec<bool> = mask
        .iter()
        .zip(distance)
        .map(|(&b, &d)| b && d < SAME)
        .collect();
    let (labels, sizes) = pieces(&ground, width, height);
    let object = mask.iter().filter(|&&b| b).count();
    let opened = |label: u32| label != 0 && sizes[label as usize] as f64 > HANDLE * object as f64;
    mask.iter()
        .zip(&labels)
        .map(|(&b, &label)| b && !opened(label))
        .collect()
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
    for i in (0..mask.len()).filter(|&i| on_border(i, width, height)) {
        outside[labels[i] as usize] = true;
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
    fn the_barrier_is_the_least_span_along_a_path() {
        // A wall of 9 around a court of 2, with a gate of 4, on a field of 0 and 1.
        let values = [
            0, 1, 0, 1, 0, //
            1, 9, 9, 9, 1, //
            0, 9, 2, 4, 0, //
            1, 9, 9, 9, 1, //
            0, 1, 0, 1, 0,
        ]
        .map(f64::from);
        let found = channel_barrier(&values, 5, 5, |i| on_border(i, 5, 5));
        assert_eq!(
            found[12], 4.0,
            "through the gate, from a field of 0: 0, 4, 2"
        );
        assert_eq!(found[13], 4.0);
        assert_eq!(found[6], 8.0, "from a field of 1");
        assert_eq!(found[0], 0.0);
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
