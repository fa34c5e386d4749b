//! Bags: hand bag, tote, satchel with a flap.

use super::Sketch;
use super::paint::Pattern;
use super::raster::Outline;

pub(super) fn bag(s: &mut Sketch) {
    let pattern = match s.random.below(10) {
        0..7 => Pattern::Plain,
        7..9 => s.checks(),
        _ => s.along(0.2, 0.4),
    };
    let mut fabric = s.fabric(pattern);
    fabric.contrast *= 0.7;
    let top = s.random.range(-0.36, 0.0);
    let bottom = s.random.range(0.70, 0.92);
    let upper = s.random.range(0.58, 0.92);
    let lower = s.random.range(0.70, 0.96);
    let soft = s.random.range(0.05, 0.22);

    // The handle first: its feet lie behind the body.
    let width = s.random.range(0.09, 0.15);
    let reach = s.random.range(0.32, 0.52);
    let high = (top - s.random.range(0.42, 0.70)).max(-0.96);
    let handle = Outline::from(-reach, top + 0.1)
        .curve(-reach, high, 0.0, high)
        .curve(reach, high, reach, top + 0.1);
    let by = s.shift(0.05, 0.22);
    if s.random.chance(0.88) {
        s.stroke(handle.points(), width, &fabric.trim(by));
    }
    let body = Outline::from(0.0, top)
        .line(upper - soft, top)
        .curve(upper, top, upper + 0.02, top + soft)
        .line(lower, bottom - soft)
        .curve(lower, bottom, lower - soft, bottom)
        .line(0.0, bottom)
        .mirrored();
    s.lay(body.points(), &fabric);

    let tone = s.shift(0.16, 0.32);
    match s.random.below(3) {
        0 => {
            // A flap with a clasp.
            let depth = top + (bottom - top) * s.random.range(0.40, 0.62);
            let flap = Outline::from(-upper, top)
                .line(upper, top)
                .curve(upper * 0.9, depth, 0.0, depth)
                .curve(-upper * 0.9, depth, -upper, top);
            s.detail(flap.points(), &fabric.trim(tone * 0.6));
            s.line(
                &[(-0.05, depth - 0.04), (0.05, depth - 0.04)],
                0.16,
                &fabric.trim(-tone),
            );
        }
        1 => {
            // A zip and an outer pocket.
            s.line(
                &[(-upper, top + 0.12), (upper, top + 0.12)],
                0.08,
                &fabric.trim(tone),
            );
            let y = top + (bottom - top) * 0.5;
            let pocket = [
                (-0.5, y),
                (0.5, y),
                (0.5, bottom - 0.12),
                (-0.5, bottom - 0.12),
            ];
            s.detail(&pocket, &fabric.trim(-0.10));
        }
        _ => {
            // Two straps down the front.
            for side in [-1.0, 1.0] {
                s.line(
                    &[(side * reach, top), (side * reach, bottom)],
                    width,
                    &fabric.trim(tone),
                );
            }
        }
    }
    s.line(
        &[(-lower, bottom - 0.05), (lower, bottom - 0.05)],
        0.08,
        &fabric.trim(-0.12),
    );
}
