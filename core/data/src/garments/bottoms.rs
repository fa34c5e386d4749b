//! Trousers and dresses.

use super::Sketch;
use super::paint::Pattern;
use super::raster::Outline;

pub(super) fn trouser(s: &mut Sketch) {
    let pattern = match s.random.below(10) {
        0..7 => Pattern::Plain,
        7..9 => s.along(0.14, 0.24),
        _ => s.checks(),
    };
    let mut fabric = s.fabric(pattern);
    fabric.contrast *= 0.7;
    let waist = s.random.range(0.34, 0.46);
    let hip = waist + s.random.range(0.06, 0.14);
    let ankle = s.random.range(0.26, 0.44);
    let half = s.random.range(0.09, 0.17);
    let crotch = s.random.range(-0.34, -0.14);
    let bottom = s.random.range(0.90, 1.0);
    let outline = Outline::from(0.0, -0.94)
        .line(waist, -0.95)
        .curve(hip, -0.62, hip, crotch)
        .curve(ankle + half, 0.35, ankle + half, bottom)
        .line(ankle - half, bottom)
        .curve((ankle - half) * 0.9, 0.2, 0.02, crotch)
        .mirrored();
    s.lay(outline.points(), &fabric);
    let band = s.shift(0.12, 0.22);
    s.line(&[(-0.6, -0.90), (0.6, -0.90)], 0.12, &fabric.trim(band));
    s.line(&[(0.0, -0.84), (0.0, crotch)], 0.05, &fabric.trim(-0.16));
    for side in [-1.0, 1.0] {
        if s.random.chance(0.7) {
            let crease = [(side * hip * 0.5, -0.4), (side * ankle, bottom)];
            s.line(&crease, 0.06, &fabric.trim(s_tone(side)));
        }
        let pocket = [(side * waist * 0.55, -0.82), (side * hip, -0.58)];
        s.line(&pocket, 0.05, &fabric.trim(-0.16));
    }
}

/// The crease catches the light on one leg and shades the other.
fn s_tone(side: f64) -> f64 {
    0.10 * side
}

pub(super) fn dress(s: &mut Sketch) {
    let pattern = match s.random.below(10) {
        0..5 => Pattern::Plain,
        5..7 => s.dots(),
        7 => s.across(0.25, 0.5),
        _ => s.along(0.2, 0.36),
    };
    let fabric = s.fabric(pattern);
    let neck = s.random.range(0.16, 0.28);
    let strap = s.random.range(0.10, 0.18);
    let depth = s.random.range(0.14, 0.40);
    let bust = s.random.range(0.36, 0.44);
    let waist = s.random.range(0.24, 0.34);
    let waist_y = s.random.range(-0.22, 0.04);
    let hem = s.random.range(0.46, 0.84);
    let bottom = s.random.range(0.90, 0.99);
    let start = Outline::from(0.0, -0.94 + depth).curve(neck, -0.94 + depth, neck, -0.95);
    let start = if s.random.chance(0.35) {
        // Cap sleeves.
        let reach = s.random.range(0.16, 0.26);
        start
            .line(neck + strap, -0.93)
            .curve(bust + reach, -0.80, bust + reach, -0.52)
            .line(bust, -0.48)
    } else {
        start
            .line(neck + strap, -0.93)
            .curve(neck + strap * 0.7, -0.60, bust, -0.50)
    };
    let outline = start
        .curve(bust, -0.35, waist, waist_y)
        .curve(waist + (hem - waist) * 0.45, 0.25, hem, bottom - 0.06)
        .curve(hem * 0.5, bottom + 0.02, 0.0, bottom)
        .mirrored();
    s.lay(outline.points(), &fabric);
    for k in 0..s.random.below(4) {
        let x = -0.5 + 0.33 * f64::from(u8::try_from(k).unwrap_or(0)) + 0.1 * s.random.bell();
        let fold = [(x * waist, waist_y + 0.1), (x * hem * 1.2, bottom)];
        s.line(&fold, 0.07, &fabric.trim(-0.14));
    }
    if s.random.chance(0.6) {
        let belt = s.shift(0.15, 0.35);
        s.line(&[(-0.6, waist_y), (0.6, waist_y)], 0.11, &fabric.trim(belt));
    }
}
