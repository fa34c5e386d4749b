//! Crop to the object, scale by area, centre, stretch the tones.

use image::RgbImage;

use super::SIDE;
use super::object::{Found, grey};

/// The darkest tone of an object pixel: apart from the background's 0.
const DARKEST: f64 = 24.0;
/// The lightest tone that most of an object reaches.
const LIGHTEST: f64 = 245.0;
/// Share of a pixel that must be object.
const COVERED: f64 = 0.4;

/// The object, its longest side scaled to `longest` pixels, centred by its bounding box
/// on [`SIDE`]×[`SIDE`].
pub(super) fn centred(
    picture: &RgbImage,
    found: &Found,
    longest: usize,
    steps: &mut Vec<String>,
) -> Vec<u8> {
    let width = picture.width() as usize;
    let (mut left, mut top, mut right, mut bottom) = (usize::MAX, usize::MAX, 0, 0);
    for i in (0..found.mask.len()).filter(|&i| found.mask[i]) {
        let (x, y) = (i % width, i / width);
        (left, right) = (left.min(x), right.max(x + 1));
        (top, bottom) = (top.min(y), bottom.max(y + 1));
    }
    let (w, h) = ((right - left) as f64, (bottom - top) as f64);
    let scale = longest as f64 / w.max(h);
    let out = |side: f64| ((side * scale).round() as usize).clamp(1, longest);
    let (ow, oh) = (out(w), out(h));
    let (x0, y0) = ((SIDE - ow) / 2, (SIDE - oh) / 2);
    steps.push(format!("cropped to {w}x{h}, scaled to {ow}x{oh}, centred"));

    let tones = tones(picture, found);
    let mut pixels = vec![0u8; SIDE * SIDE];
    for oy in 0..oh {
        for ox in 0..ow {
            // The part of the picture under this pixel, and each source pixel's share.
            let from_x = left as f64 + ox as f64 * w / ow as f64;
            let from_y = top as f64 + oy as f64 * h / oh as f64;
            let (to_x, to_y) = (from_x + w / ow as f64, from_y + h / oh as f64);
            let (mut all, mut object, mut tone) = (0.0, 0.0, 0.0);
            for y in from_y as usize..(to_y.ceil() as usize).min(bottom) {
                for x in from_x as usize..(to_x.ceil() as usize).min(right) {
                    let overlap = |from: f64, to: f64, at: usize| {
                        (to.min(at as f64 + 1.0) - from.max(at as f64)).max(0.0)
                    };
                    let area = overlap(from_x, to_x, x) * overlap(from_y, to_y, y);
                    all += area;
                    if found.mask[y * width + x] {
                        object += area;
                        tone += area * tones.of(grey(picture, x, y));
                    }
                }
            }
            if object > COVERED * all {
                let value = (tone / object).round().clamp(1.0, 255.0);
                pixels[(y0 + oy) * SIDE + x0 + ox] = value as u8;
            }
        }
    }
    pixels
}

/// Greys to tones, light where the picture's ground is far.
struct Tones {
    negate: bool,
    low: f64,
    high: f64,
}

impl Tones {
    fn of(&self, grey: f64) -> f64 {
        let value = if self.negate { 255.0 - grey } else { grey };
        let t = (value - self.low) / (self.high - self.low).max(1.0);
        DARKEST + (LIGHTEST - DARKEST) * t.clamp(0.0, 1.0)
    }
}

/// A dark object is negated. Its tones are then lifted so that the lightest of them
/// reach the upper end; the darkest stay as far from the ground as they are.
fn tones(picture: &RgbImage, found: &Found) -> Tones {
    let width = picture.width() as usize;
    let mut values: Vec<f64> = (0..found.mask.len())
        .filter(|&i| found.mask[i])
        .map(|i| grey(picture, i % width, i / width))
        .map(|grey| if found.darker { 255.0 - grey } else { grey })
        .collect();
    values.sort_by(f64::total_cmp);
    let high = values[(values.len() - 1) * 95 / 100];
    Tones {
        negate: found.darker,
        low: 0.0,
        high,
    }
}
