//! T-shirt, pullover, shirt and coat: a body with two sleeves, told apart by sleeve
//! length, hem, collar, opening and buttons.

use super::Sketch;
use super::paint::{Fabric, Pattern};
use super::raster::{Outline, Point};

struct Cut {
    neck: f64,
    neck_depth: f64,
    shoulder: f64,
    /// Middle of the sleeve's end and half its width.
    cuff: Point,
    cuff_half: f64,
    armpit: Point,
    waist: f64,
    hem: f64,
    /// How far the hem hangs lower in the middle than at the sides.
    tail: f64,
    bottom: f64,
}

const TOP: f64 = -0.90;

impl Cut {
    fn cuff_ends(&self) -> (Point, Point) {
        let (dx, dy) = (self.cuff.0 - self.shoulder, self.cuff.1 - (TOP + 0.12));
        let length = (dx * dx + dy * dy).sqrt();
        let (nx, ny) = (dy / length * self.cuff_half, -dx / length * self.cuff_half);
        (
            (self.cuff.0 + nx, self.cuff.1 + ny),
            (self.cuff.0 - nx, self.cuff.1 - ny),
        )
    }

    fn outline(&self) -> Outline {
        let (outer, inner) = self.cuff_ends();
        let side = self.bottom - self.tail;
        Outline::from(0.0, TOP + self.neck_depth)
            .curve(self.neck * 0.8, TOP + self.neck_depth, self.neck, TOP)
            .line(self.shoulder, TOP + 0.12)
            .curve(self.shoulder + 0.16, TOP + 0.18, outer.0, outer.1)
            .line(inner.0, inner.1)
            .line(self.armpit.0, self.armpit.1)
            .curve(self.waist, 0.2, self.hem, side)
            .curve(self.hem * 0.6, self.bottom, 0.0, self.bottom)
            .mirrored()
    }

    fn neckline(&self) -> Outline {
        Outline::from(-self.neck, TOP)
            .curve(
                -self.neck * 0.8,
                TOP + self.neck_depth,
                0.0,
                TOP + self.neck_depth,
            )
            .curve(self.neck * 0.8, TOP + self.neck_depth, self.neck, TOP)
    }
}

fn body(s: &mut Sketch, cut: &Cut, fabric: &Fabric) {
    s.lay(cut.outline().points(), fabric);
    // The seam where a sleeve meets the body.
    for side in [-1.0, 1.0] {
        let seam = [
            (side * cut.shoulder, TOP + 0.14),
            (side * cut.armpit.0, cut.armpit.1),
        ];
        s.line(&seam, 0.05, &fabric.trim(-0.10));
    }
}

fn cuffs(s: &mut Sketch, cut: &Cut, width: f64, fabric: &Fabric) {
    let (outer, inner) = cut.cuff_ends();
    for side in [-1.0, 1.0] {
        let ends = [(side * outer.0, outer.1), (side * inner.0, inner.1)];
        s.line(&ends, width, fabric);
    }
}

fn long_sleeve(s: &mut Sketch, low: f64, high: f64) -> (Point, f64) {
    let cuff = (s.random.range(0.80, 0.93), s.random.range(low, high));
    (cuff, s.random.range(0.10, 0.15))
}

pub(super) fn t_shirt(s: &mut Sketch) {
    let pattern = match s.random.below(10) {
        0..5 => Pattern::Plain,
        5..8 => s.across(0.30, 0.60),
        _ => s.dots(),
    };
    let fabric = s.fabric(pattern);
    let bottom = s.random.range(0.86, 0.96);
    let cut = Cut {
        neck: s.random.range(0.24, 0.36),
        neck_depth: s.random.range(0.14, 0.34),
        shoulder: s.random.range(0.48, 0.58),
        cuff: (s.random.range(0.80, 0.92), s.random.range(-0.38, -0.18)),
        cuff_half: s.random.range(0.17, 0.23),
        armpit: (s.random.range(0.50, 0.60), s.random.range(-0.40, -0.28)),
        waist: s.random.range(0.46, 0.58),
        hem: s.random.range(0.50, 0.64),
        tail: s.random.range(0.0, 0.04),
        bottom,
    };
    body(s, &cut, &fabric);
    let rib = s.shift(0.12, 0.22);
    s.line(cut.neckline().points(), 0.10, &fabric.trim(rib));
    cuffs(s, &cut, 0.06, &fabric.trim(-0.12));
    if s.random.chance(0.4) {
        // A print on the chest.
        let (w, h) = (s.random.range(0.15, 0.32), s.random.range(0.10, 0.26));
        let y = s.random.range(-0.20, 0.05);
        let tone = s.shift(0.22, 0.4);
        s.detail(
            &[(-w, y - h), (w, y - h), (w, y + h), (-w, y + h)],
            &fabric.trim(tone),
        );
    }
}

pub(super) fn pullover(s: &mut Sketch) {
    let pattern = match s.random.below(10) {
        0..5 => Pattern::Plain,
        5..8 => s.across(0.22, 0.5),
        _ => s.checks(),
    };
    let mut fabric = s.fabric(pattern);
    fabric.grain += s.random.range(0.03, 0.06);
    let (cuff, cuff_half) = long_sleeve(s, 0.60, 0.84);
    let turtle = s.random.chance(0.3);
    let cut = Cut {
        neck: s.random.range(0.22, 0.32),
        neck_depth: if turtle {
            -0.02
        } else {
            s.random.range(0.10, 0.26)
        },
        shoulder: s.random.range(0.46, 0.56),
        cuff,
        cuff_half,
        armpit: (s.random.range(0.48, 0.58), s.random.range(-0.32, -0.20)),
        waist: s.random.range(0.48, 0.60),
        hem: s.random.range(0.46, 0.58),
        tail: 0.0,
        bottom: s.random.range(0.80, 0.95),
    };
    body(s, &cut, &fabric);
    let rib = s.shift(0.10, 0.20);
    let rib = fabric.trim(rib);
    if turtle {
        let (n, y) = (cut.neck, TOP);
        s.lay(
            &[(-n, y + 0.04), (-n, y - 0.10), (n, y - 0.10), (n, y + 0.04)],
            &rib,
        );
    } else {
        s.line(cut.neckline().points(), 0.15, &rib);
    }
    cuffs(s, &cut, 0.16, &rib);
    let (b, w) = (cut.bottom, cut.hem + 0.1);
    s.detail(&[(-w, b - 0.14), (w, b - 0.14), (w, b), (-w, b)], &rib);
    if s.random.chance(0.25) {
        let y = s.random.range(-0.35, 0.1);
        let tone = s.shift(0.15, 0.3);
        s.detail(
            &[(-1.0, y), (1.0, y), (1.0, y + 0.22), (-1.0, y + 0.22)],
            &fabric.trim(tone),
        );
    }
}

pub(super) fn shirt(s: &mut Sketch) {
    let pattern = match s.random.below(10) {
        0..4 => Pattern::Plain,
        4..7 => s.along(0.16, 0.28),
        _ => s.checks(),
    };
    let fabric = s.fabric(pattern);
    let short = s.random.chance(0.35);
    let (cuff, cuff_half) = if short {
        let cuff = (s.random.range(0.80, 0.90), s.random.range(-0.36, -0.14));
        (cuff, s.random.range(0.16, 0.21))
    } else {
        long_sleeve(s, 0.58, 0.80)
    };
    let cut = Cut {
        neck: s.random.range(0.18, 0.26),
        neck_depth: s.random.range(0.10, 0.20),
        shoulder: s.random.range(0.48, 0.56),
        cuff,
        cuff_half,
        armpit: (s.random.range(0.48, 0.56), s.random.range(-0.36, -0.24)),
        waist: s.random.range(0.42, 0.54),
        hem: s.random.range(0.48, 0.60),
        tail: s.random.range(0.10, 0.22),
        bottom: s.random.range(0.90, 0.99),
    };
    body(s, &cut, &fabric);
    // Placket with buttons.
    let by = s.shift(0.14, 0.24);
    s.line(&[(0.0, TOP), (0.0, 1.0)], 0.13, &fabric.trim(by));
    let button = if fabric.tone + by > 0.5 { -0.35 } else { 0.35 };
    for k in 0..5 {
        let y = -0.52 + 0.30 * f64::from(k);
        s.line(
            &[(0.0, y), (0.0, y + 0.02)],
            0.10,
            &fabric.trim(by + button),
        );
    }
    // Two collar wings.
    let collar = s.shift(0.16, 0.28);
    let (n, drop) = (cut.neck, s.random.range(0.24, 0.34));
    for side in [-1.0, 1.0] {
        let wing = [
            (side * 0.02, TOP + cut.neck_depth - 0.02),
            (side * n, TOP - 0.08),
            (side * (n + 0.12), TOP + 0.08),
            (side * (n - 0.02), TOP + drop),
        ];
        s.lay(&wing, &fabric.trim(collar));
    }
    if s.random.chance(0.5) {
        let y = s.random.range(-0.36, -0.26);
        let pocket = [(0.18, y), (0.40, y), (0.40, y + 0.24), (0.18, y + 0.24)];
        s.detail(&pocket, &fabric.trim(-0.10));
    }
    if !short {
        cuffs(s, &cut, 0.13, &fabric.trim(by));
    }
}

pub(super) fn coat(s: &mut Sketch) {
    let pattern = match s.random.below(10) {
        0..7 => Pattern::Plain,
        _ => s.checks(),
    };
    let mut fabric = s.fabric(pattern);
    fabric.contrast *= 0.6;
    let (cuff, cuff_half) = long_sleeve(s, 0.34, 0.56);
    let cut = Cut {
        neck: s.random.range(0.20, 0.28),
        neck_depth: s.random.range(0.06, 0.14),
        shoulder: s.random.range(0.48, 0.58),
        cuff,
        cuff_half: cuff_half + 0.03,
        armpit: (s.random.range(0.50, 0.58), s.random.range(-0.30, -0.18)),
        waist: s.random.range(0.42, 0.56),
        hem: s.random.range(0.58, 0.74),
        tail: 0.0,
        bottom: s.random.range(0.94, 1.0),
    };
    body(s, &cut, &fabric);
    // The opening: a V of lining, lapels beside it, an edge down to the hem.
    let dark = if fabric.tone > 0.4 { -0.30 } else { 0.28 };
    let depth = s.random.range(0.05, 0.40);
    let (n, top) = (cut.neck, TOP);
    s.detail(
        &[(-n * 0.7, top - 0.05), (n * 0.7, top - 0.05), (0.03, depth)],
        &fabric.trim(dark),
    );
    let lapel = s.shift(0.10, 0.20);
    for side in [-1.0, 1.0] {
        let wing = [
            (side * n * 0.7, top - 0.08),
            (side * (n + 0.10), top + 0.04),
            (side * (n + 0.12), top + 0.46),
            (side * 0.03, depth),
        ];
        s.lay(&wing, &fabric.trim(lapel));
    }
    s.line(&[(0.04, depth), (0.06, 1.0)], 0.07, &fabric.trim(dark));
    let double = s.random.chance(0.5);
    for k in 0..3 {
        let y = depth + 0.12 + 0.2 * f64::from(k);
        s.line(&[(0.19, y), (0.20, y)], 0.11, &fabric.trim(dark));
        if double {
            s.line(&[(-0.13, y), (-0.12, y)], 0.11, &fabric.trim(dark));
        }
    }
    // Pocket flaps.
    let y = s.random.range(0.34, 0.48);
    for side in [-1.0, 1.0] {
        s.line(
            &[(side * 0.28, y), (side * 0.50, y - 0.04)],
            0.09,
            &fabric.trim(dark * 0.7),
        );
    }
    if s.random.chance(0.3) {
        s.line(&[(-0.6, 0.12), (0.6, 0.12)], 0.12, &fabric.trim(dark * 0.8));
    }
    cuffs(s, &cut, 0.08, &fabric.trim(dark * 0.5));
}
