//! Tones: the fabric of a garment part, and the canvas that parts are laid on.

use super::raster::{Coverage, PIXELS, Placement, Point, SIDE};
use crate::random::mix;

/// What is woven into or printed on a fabric; periods in garment units.
#[derive(Clone, Copy)]
pub(super) enum Pattern {
    Plain,
    /// Stripes across the garment.
    Across {
        period: f64,
        phase: f64,
    },
    /// Stripes along the garment.
    Along {
        period: f64,
        phase: f64,
    },
    /// Both.
    Checks {
        period: f64,
        phase: f64,
    },
    /// Dots on a square lattice.
    Dots {
        period: f64,
        phase: f64,
    },
}

/// A fabric.
#[derive(Clone, Copy)]
pub(super) struct Fabric {
    /// Mean tone, 0 black to 1 white.
    pub(super) tone: f64,
    pub(super) pattern: Pattern,
    /// Half the difference between the pattern's two tones.
    pub(super) contrast: f64,
    /// Change of tone per unit to the right and down: the light.
    pub(super) light: Point,
    /// Strength of folds (soft) and of grain (per pixel).
    pub(super) folds: f64,
    pub(super) grain: f64,
    pub(super) noise: Noise,
    /// Names the grain.
    pub(super) key: u64,
}

impl Fabric {
    /// The same fabric without its pattern, lighter or darker: hems, collars, soles.
    pub(super) fn trim(&self, by: f64) -> Self {
        Self {
            tone: self.tone + by,
            pattern: Pattern::Plain,
            ..*self
        }
    }

    fn at(&self, pixel: usize, (x, y): Point) -> f64 {
        let wave = match self.pattern {
            Pattern::Plain => 0.0,
            Pattern::Across { period, phase } => triangle(y / period + phase),
            Pattern::Along { period, phase } => triangle(x / period + phase),
            Pattern::Checks { period, phase } => {
                (triangle(y / period + phase) + triangle(x / period + phase)) / 2.0
            }
            Pattern::Dots { period, phase } => {
                let peak = triangle(y / period + phase).min(triangle(x / period + phase));
                if peak > 0.1 { 1.0 } else { -0.4 }
            }
        };
        let light = self.light.0 * x + self.light.1 * y;
        let folds = self.folds * self.noise.at((x * 3.2 + 9.0, y * 2.2 + 9.0));
        let grain = self.grain * lattice(self.key, pixel as u64);
        (self.tone + self.contrast * wave + light + folds + grain).clamp(0.03, 1.0)
    }
}

/// A wave of period 1 between -1 and 1 with slightly flattened tops.
pub(super) fn triangle(t: f64) -> f64 {
    let t = t - t.floor();
    let wave = if t < 0.5 {
        4.0 * t - 1.0
    } else {
        3.0 - 4.0 * t
    };
    (wave * 1.6).clamp(-1.0, 1.0)
}

/// Uniform in `[-1, 1)` at a lattice point.
fn lattice(key: u64, point: u64) -> f64 {
    let bits = mix(key ^ mix(point.wrapping_add(0x51ed_270b)));
    (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

const NODES: usize = 16;

/// Value noise between -1 and 1 with a random value at each point of a lattice of
/// distance 1, which repeats after 16.
#[derive(Clone, Copy)]
pub(super) struct Noise([[f64; NODES]; NODES]);

impl Noise {
    pub(super) fn new(key: u64) -> Self {
        let node = |j: usize, i: usize| lattice(key, (j * NODES + i) as u64);
        Self(std::array::from_fn(|j| std::array::from_fn(|i| node(j, i))))
    }

    /// The value at a position above 0.
    pub(super) fn at(&self, (x, y): Point) -> f64 {
        let (i, j) = (x as usize, y as usize);
        let ease = |t: f64| t * t * (3.0 - 2.0 * t);
        let (tx, ty) = (ease(x - i as f64), ease(y - j as f64));
        let node = |dj: usize, di: usize| self.0[(j + dj) % NODES][(i + di) % NODES];
        let top = node(0, 0) * (1.0 - tx) + node(0, 1) * tx;
        let bottom = node(1, 0) * (1.0 - tx) + node(1, 1) * tx;
        top * (1.0 - ty) + bottom * ty
    }
}

/// Noise per pixel in `[-1, 1)`.
pub(super) fn grain(key: u64, pixel: usize) -> f64 {
    lattice(key, pixel as u64)
}

/// The garment so far: which samples it covers and its tone in each pixel.
pub(super) struct Canvas {
    pub(super) placement: Placement,
    pub(super) covered: Coverage,
    tone: [f64; PIXELS],
}

impl Canvas {
    pub(super) fn new(placement: Placement) -> Self {
        Self {
            placement,
            covered: [0; PIXELS],
            tone: [0.0; PIXELS],
        }
    }

    /// Lays a part on top; it becomes part of the object.
    pub(super) fn lay(&mut self, part: &Coverage, fabric: &Fabric) {
        for (pixel, &new) in part.iter().enumerate() {
            if new == 0 {
                continue;
            }
            let kept = f64::from((self.covered[pixel] & !new).count_ones());
            let laid = f64::from(new.count_ones());
            let tone = fabric.at(pixel, self.place(pixel));
            self.tone[pixel] = (self.tone[pixel] * kept + tone * laid) / (kept + laid);
            self.covered[pixel] |= new;
        }
    }

    /// Lays a part on top, only where the object already is.
    pub(super) fn trim(&mut self, part: &Coverage, fabric: &Fabric) {
        let mut inside = *part;
        for (bits, covered) in inside.iter_mut().zip(&self.covered) {
            *bits &= covered;
        }
        self.lay(&inside, fabric);
    }

    /// Tone and coverage in `[0, 1]` of a pixel.
    pub(super) fn pixel(&self, pixel: usize) -> (f64, f64) {
        (
            self.tone[pixel],
            f64::from(self.covered[pixel].count_ones()) / 16.0,
        )
    }

    fn place(&self, pixel: usize) -> Point {
        let centre = ((pixel % SIDE) as f64 + 0.5, (pixel / SIDE) as f64 + 0.5);
        self.placement.invert(centre)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey() -> Fabric {
        Fabric {
            tone: 0.5,
            pattern: Pattern::Plain,
            contrast: 0.0,
            light: (0.0, 0.0),
            folds: 0.0,
            grain: 0.0,
            noise: Noise::new(0),
            key: 0,
        }
    }

    #[test]
    fn a_part_over_another_mixes_by_the_samples_it_covers() {
        let mut canvas = Canvas::new(Placement::PIXEL);
        let mut whole = [0; PIXELS];
        whole[0] = 0xffff;
        canvas.lay(&whole, &grey());
        let mut quarter = [0; PIXELS];
        quarter[0] = 0x000f;
        quarter[1] = 0x00ff;
        canvas.trim(&quarter, &grey().trim(0.4));
        let (tone, cover) = canvas.pixel(0);
        assert!((tone - (0.5 * 12.0 + 0.9 * 4.0) / 16.0).abs() < 1e-12);
        assert_eq!(cover, 1.0);
        assert_eq!(
            canvas.pixel(1),
            (0.0, 0.0),
            "a trim adds nothing to the object"
        );
        canvas.lay(&quarter, &grey());
        assert_eq!(canvas.pixel(1), (0.5, 0.5));
    }

    #[test]
    fn noise_is_smooth_and_bounded() {
        let noise = Noise::new(7);
        for step in 0..400 {
            let x = 1.0 + f64::from(step) * 0.01;
            let here = noise.at((x, 2.3));
            assert!(here.abs() <= 1.0);
            assert!((here - noise.at((x + 0.01, 2.3))).abs() < 0.04);
        }
    }
}
