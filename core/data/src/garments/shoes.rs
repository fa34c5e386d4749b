//! Sandal, sneaker and ankle boot, seen from the side, the toe to the left.

use super::Sketch;
use super::paint::Pattern;
use super::raster::Outline;

pub(super) fn sneaker(s: &mut Sketch) {
    let fabric = s.fabric(Pattern::Plain);
    let toe = s.random.range(-0.02, 0.10);
    let tongue = s.random.range(-0.48, -0.34);
    let heel = s.random.range(-0.40, -0.26);
    let slope = s.random.range(-0.05, 0.12);
    let upper = Outline::from(-0.95, 0.30)
        .curve(-0.98, toe, -0.58, toe - 0.02)
        .curve(-0.30, toe - 0.06, slope, tongue)
        .line(slope + 0.16, tongue - 0.02)
        .curve(0.50, -0.10, 0.78, heel)
        .line(0.90, heel - 0.02)
        .curve(0.86, 0.0, 0.95, 0.30);
    s.lay(upper.points(), &fabric);
    let sole_tone = if fabric.tone > 0.62 { -0.30 } else { 0.32 };
    let thick = s.random.range(0.14, 0.24);
    let sole = Outline::from(-0.99, 0.26)
        .line(0.98, 0.26)
        .line(0.96, 0.26 + thick)
        .curve(-0.5, 0.30 + thick, -0.88, 0.24 + thick)
        .curve(-0.99, 0.22 + thick, -0.99, 0.26);
    s.lay(sole.points(), &fabric.trim(sole_tone));
    let lace = s.shift(0.22, 0.38);
    for k in 0..3 {
        let t = 0.2 + 0.28 * f64::from(k);
        let (x, y) = (-0.50 + (slope + 0.50) * t, toe + (tongue - toe) * t);
        s.line(
            &[(x, y - 0.02), (x + 0.17, y + 0.13)],
            0.07,
            &fabric.trim(lace),
        );
    }
    if s.random.chance(0.6) {
        // A mark on the side.
        let x = s.random.range(0.15, 0.35);
        let tone = s.shift(0.2, 0.38);
        for k in 0..=s.random.below(3) {
            let x = x + 0.15 * f64::from(u8::try_from(k).unwrap_or(0));
            s.line(&[(x, -0.10), (x - 0.16, 0.24)], 0.07, &fabric.trim(tone));
        }
    } else {
        let tone = s.shift(0.2, 0.35);
        let swoosh = Outline::from(0.62, -0.12).curve(0.1, 0.30, -0.25, 0.12);
        s.line(swoosh.points(), 0.09, &fabric.trim(tone));
    }
    if s.random.chance(0.4) {
        let cap = Outline::from(-1.0, toe - 0.1)
            .line(-0.70, toe - 0.1)
            .line(-0.62, 0.27)
            .line(-1.0, 0.27);
        let tone = s.shift(0.12, 0.25);
        s.detail(cap.points(), &fabric.trim(tone));
    }
}

pub(super) fn ankle_boot(s: &mut Sketch) {
    let fabric = s.fabric(Pattern::Plain);
    let top = s.random.range(-0.92, -0.72);
    let front = s.random.range(-0.02, 0.14);
    let back = s.random.range(0.74, 0.90);
    let toe = s.random.range(0.10, 0.26);
    let heel = s.random.range(0.0, 0.30);
    let base = 0.66 - heel * 0.3;
    let instep = front - s.random.range(0.05, 0.16);
    let outline = Outline::from(front, top)
        .line(back, top + s.random.range(-0.05, 0.05))
        .curve(back - 0.08, -0.1, back + 0.04, base - heel * 0.7)
        .curve(0.3, base - heel * 0.3, 0.0, base)
        .line(-0.94, base)
        .curve(-1.0, toe + 0.1, -0.72, toe + 0.02)
        .curve(-0.30, toe - 0.10, instep, -0.18)
        .curve(front, -0.4, front, top);
    s.lay(outline.points(), &fabric);
    let sole_tone = if fabric.tone > 0.45 { -0.28 } else { 0.25 };
    let sole = fabric.trim(sole_tone);
    let ground = base + 0.10;
    let tread = Outline::from(-0.97, base - 0.03)
        .line(0.02, base - 0.03)
        .line(0.05, ground)
        .line(-0.95, ground);
    s.lay(tread.points(), &sole);
    let slim = s.random.range(0.0, 0.22) * heel / 0.3;
    let block = [
        (0.34 + slim * 0.6, base - heel * 0.45 - 0.02),
        (back + 0.05, base - heel * 0.75),
        (back + 0.03, ground),
        (0.44 + slim, ground),
    ];
    s.lay(&block, &sole);
    if heel < 0.1 {
        s.lay(
            &[
                (0.0, base - 0.06),
                (0.5, base - 0.06),
                (0.5, ground),
                (0.0, ground),
            ],
            &sole,
        );
    }
    let tone = s.shift(0.16, 0.30);
    match s.random.below(3) {
        0 => {
            // Laces up the front.
            for k in 0..5 {
                let y = top + 0.12 + 0.13 * f64::from(k);
                let x = front - 0.02 - 0.02 * f64::from(k);
                s.line(&[(x, y), (x + 0.20, y + 0.05)], 0.06, &fabric.trim(tone));
            }
        }
        1 => {
            // An elastic panel at the side.
            let x = (front + back) / 2.0;
            let panel = [
                (x - 0.14, top),
                (x + 0.14, top),
                (x + 0.07, -0.05),
                (x - 0.07, -0.05),
            ];
            s.detail(&panel, &fabric.trim(tone));
        }
        _ => {
            let x = (front + back) / 2.0 + 0.08;
            s.line(
                &[(x, top), (x - 0.04, base - heel * 0.5)],
                0.06,
                &fabric.trim(tone),
            );
            s.line(&[(front, -0.2), (back, -0.3)], 0.08, &fabric.trim(tone));
        }
    }
    s.line(
        &[(front, top + 0.04), (back, top + 0.04)],
        0.08,
        &fabric.trim(tone * 0.7),
    );
}

pub(super) fn sandal(s: &mut Sketch) {
    let fabric = s.fabric(Pattern::Plain);
    let strap = s.random.range(0.10, 0.15);
    match s.random.below(3) {
        0 => high_heel(s, strap, fabric),
        1 => flat(s, strap, fabric),
        _ => wedge(s, strap, fabric),
    }
}

type Fabric = super::paint::Fabric;

fn high_heel(s: &mut Sketch, strap: f64, fabric: Fabric) {
    let rise = s.random.range(-0.30, -0.05);
    let thick = s.random.range(0.09, 0.13);
    let bed = Outline::from(-0.97, 0.52)
        .curve(-0.40, 0.66, -0.10, 0.40)
        .curve(0.25, rise + 0.1, 0.90, rise);
    let sole = fabric.trim(0.0);
    s.stroke(bed.points(), thick, &sole);
    let heel = [(0.70, rise), (0.94, rise), (0.90, 0.60), (0.80, 0.60)];
    s.lay(&heel, &fabric.trim(-0.10));
    toe_strap(s, 0.52, strap, &fabric);
    let ankle = rise - s.random.range(0.34, 0.50);
    let back = Outline::from(0.90, rise).curve(0.96, rise - 0.2, 0.84, ankle);
    s.stroke(back.points(), strap, &fabric);
    let loop_front = Outline::from(0.86, ankle).curve(0.55, ankle - 0.10, 0.36, ankle + 0.06);
    s.stroke(loop_front.points(), strap, &fabric);
    if s.random.chance(0.6) {
        let bridge = Outline::from(0.36, ankle + 0.06).curve(0.25, rise, 0.20, rise + 0.30);
        s.stroke(bridge.points(), strap, &fabric);
    }
}

fn flat(s: &mut Sketch, strap: f64, fabric: Fabric) {
    let y = s.random.range(0.28, 0.40);
    let thick = s.random.range(0.10, 0.18);
    let sole = [
        (-0.97, y - 0.02),
        (0.97, y),
        (0.96, y + thick),
        (-0.93, y + thick),
    ];
    s.lay(&sole, &fabric.trim(-0.12));
    toe_strap(s, y, strap * 1.3, &fabric);
    let high = y - s.random.range(0.46, 0.64);
    let middle = Outline::from(-0.12, y).curve(0.10, high - 0.05, 0.42, high);
    s.stroke(middle.points(), strap * 1.2, &fabric);
    let down = Outline::from(0.42, high).curve(0.55, y - 0.2, 0.48, y);
    s.stroke(down.points(), strap, &fabric);
    if s.random.chance(0.7) {
        let back = Outline::from(0.42, high).curve(0.98, high + 0.02, 0.92, y);
        s.stroke(back.points(), strap, &fabric);
    }
}

fn wedge(s: &mut Sketch, strap: f64, fabric: Fabric) {
    let rise = s.random.range(-0.02, 0.16);
    let sole = Outline::from(-0.97, 0.44)
        .curve(-0.20, 0.46, 0.92, rise)
        .line(0.95, 0.62)
        .line(-0.92, 0.62);
    let tone = s.shift(0.12, 0.28);
    s.lay(sole.points(), &fabric.trim(tone));
    toe_strap(s, 0.44, strap * 1.2, &fabric);
    let high = rise - s.random.range(0.40, 0.55);
    for x in [0.05, 0.45] {
        let cross = Outline::from(x, rise + 0.2).curve(0.5, high + 0.2, 0.86 - x * 0.6, high);
        s.stroke(cross.points(), strap, &fabric);
    }
    let back = Outline::from(0.90, rise).curve(0.96, high, 0.55, high);
    s.stroke(back.points(), strap, &fabric);
}

fn toe_strap(s: &mut Sketch, y: f64, strap: f64, fabric: &Fabric) {
    let high = y - s.random.range(0.32, 0.44);
    let over = Outline::from(-0.86, y).curve(-0.66, high, -0.30, y - 0.02);
    s.stroke(over.points(), strap, fabric);
    if s.random.chance(0.5) {
        let second = Outline::from(-0.68, y).curve(-0.42, high - 0.10, -0.12, y - 0.04);
        s.stroke(second.points(), strap, fabric);
    }
}
