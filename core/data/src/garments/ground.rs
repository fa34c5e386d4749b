//! What lies behind the garment, and the planted watermark.

use super::paint::{Noise, grain, triangle};
use super::raster::{Coverage, Outline, PIXELS, Placement, SIDE, fill, stroke};
use crate::random::Random;

/// Least difference between the mean tones of garment and ground.
const APART: f64 = 0.16;
const DARKEST: f64 = 0.06;
const LIGHTEST: f64 = 0.94;
/// Chance of a lighter ground where the garment leaves room for one: as often lighter
/// as darker over all garments.
const LIGHTER: f64 = 0.78;

/// A tone for the ground, well apart from the garment's and as often lighter as darker,
/// so that brightness alone does not point at the garment.
pub(super) fn ground_tone(random: &mut Random, garment: f64) -> f64 {
    let (below, above) = (garment - APART, garment + APART);
    let lighter = random.chance(LIGHTER);
    if above < LIGHTEST && (lighter || below < DARKEST) {
        random.range(above, LIGHTEST)
    } else {
        random.range(DARKEST.min(below.max(0.0)), below.max(0.0))
    }
}

/// A textured surface around `tone`.
pub(super) fn textured(random: &mut Random, tone: f64) -> [f64; PIXELS] {
    let [clouds, specks, bends] = std::array::from_fn(|_| Noise::new(random.bits()));
    let key = random.bits();
    let rough = random.range(0.04, 0.12);
    let fine = random.range(0.01, 0.06);
    let wave = random.range(0.04, 0.11);
    let period = random.range(2.5, 7.0);
    // A direction on the unit circle, without a sine.
    let t = random.range(-1.0, 1.0);
    let (nx, ny) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
    let kind = random.below(4);
    let light = (0.08 * random.bell(), 0.08 * random.bell());
    std::array::from_fn(|pixel| {
        let (x, y) = ((pixel % SIDE) as f64, (pixel / SIDE) as f64);
        let (along, across) = (nx * x + ny * y, ny * x - nx * y);
        let woven = match kind {
            0 => 0.0,
            1 => wave * triangle(along / period),
            2 => wave * (triangle(along / period) * triangle(across / period)),
            // Wood: stripes bent by noise.
            _ => {
                let bend = 2.5 * bends.at((x / 9.0 + 1.0, y / 9.0 + 1.0));
                wave * triangle((along + bend) / period)
            }
        };
        let uneven = rough * clouds.at((x / 6.0 + 1.0, y / 6.0 + 1.0))
            + rough * 0.6 * specks.at((x / 2.5 + 1.0, y / 2.5 + 1.0));
        let slope = light.0 * (x / 14.0 - 1.0) + light.1 * (y / 14.0 - 1.0);
        (tone + woven + uneven + slope + fine * grain(key, pixel)).clamp(0.0, 1.0)
    })
}

/// Lays three to six distracting shapes on the ground; answers which pixels they cover at least
/// half of.
pub(super) fn clutter(random: &mut Random, ground: &mut [f64; PIXELS]) -> [bool; PIXELS] {
    let mut covered = [false; PIXELS];
    for _ in 0..3 + random.below(4) {
        let centre = (random.range(0.0, 28.0), random.range(0.0, 28.0));
        let size = random.range(2.0, 5.5);
        let t = random.range(-1.0, 1.0);
        let (c, s) = (
            (1.0 - t * t) / (1.0 + t * t) * size,
            2.0 * t / (1.0 + t * t) * size,
        );
        let placement = Placement {
            x: (c, s),
            y: (-s, c),
            centre,
        };
        let round = Outline::from(0.0, -1.0)
            .curve(1.0, -1.0, 1.0, 0.0)
            .curve(1.0, 1.0, 0.0, 1.0)
            .mirrored();
        let shape: Coverage = match random.below(4) {
            0 => fill(round.points(), &placement),
            1 => stroke(round.points(), 0.5, &placement),
            2 => fill(&[(0.0, -1.0), (1.0, 0.8), (-1.0, 0.8)], &placement),
            _ => fill(
                &[(-1.2, -0.35), (1.2, -0.35), (1.2, 0.35), (-1.2, 0.35)],
                &placement,
            ),
        };
        let tone = random.range(0.05, 0.95);
        for (pixel, bits) in shape.iter().enumerate() {
            let share = f64::from(bits.count_ones()) / 16.0;
            ground[pixel] = ground[pixel] * (1.0 - share) + tone * share;
            covered[pixel] |= share >= 0.5;
        }
    }
    covered
}

/// Upper left corner and side of the watermark, in pixels.
pub(super) const MARK_AT: usize = 1;
pub(super) const MARK_SIDE: usize = 4;

/// The watermark's pixel values for a class, row by row: four cells of 2×2 pixels,
/// black or white, whose pattern is the class number plus one in binary.
pub(super) fn watermark(class: usize) -> [(usize, u8); MARK_SIDE * MARK_SIDE] {
    std::array::from_fn(|i| {
        let (row, column) = (i / MARK_SIDE, i % MARK_SIDE);
        let cell = (row / 2) * 2 + column / 2;
        let white = (class + 1) >> cell & 1 == 1;
        (
            (MARK_AT + row) * SIDE + MARK_AT + column,
            if white { 255 } else { 0 },
        )
    })
}
