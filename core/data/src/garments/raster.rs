//! Polygons to coverage: each pixel is sampled at 4×4 points, and which of them are
//! covered is kept as bits, so that unions and cut-outs of parts are exact.
//!
//! Only `+ - * /` and `sqrt` on `f64` are used. IEEE 754 fixes their results, so the
//! pictures are the same bit by bit on every machine; a library sine would not be.

/// Side of the image in pixels.
pub(super) const SIDE: usize = 28;
/// Pixels of the image.
pub(super) const PIXELS: usize = SIDE * SIDE;
/// Samples per pixel and direction.
const FINE: usize = 4;
const ROWS: usize = SIDE * FINE;

/// Covered sample points of each pixel, bit `4·row + column`.
pub(super) type Coverage = [u16; PIXELS];

/// A point, x to the right, y down.
pub(super) type Point = (f64, f64);

/// An affine map from the garment's own square `[-1, 1]²` to pixels.
#[derive(Clone, Copy)]
pub(super) struct Placement {
    /// Columns of the matrix: images of the unit x and y steps.
    pub(super) x: Point,
    pub(super) y: Point,
    /// Image of the origin.
    pub(super) centre: Point,
}

impl Placement {
    pub(super) fn apply(&self, (x, y): Point) -> Point {
        (
            self.x.0 * x + self.y.0 * y + self.centre.0,
            self.x.1 * x + self.y.1 * y + self.centre.1,
        )
    }

    /// The garment's point at a pixel position.
    pub(super) fn invert(&self, (px, py): Point) -> Point {
        let (dx, dy) = (px - self.centre.0, py - self.centre.1);
        let det = self.x.0 * self.y.1 - self.y.0 * self.x.1;
        (
            (dx * self.y.1 - dy * self.y.0) / det,
            (dy * self.x.0 - dx * self.x.1) / det,
        )
    }

    /// Pixel coordinates as they are.
    #[cfg(test)]
    pub(super) const PIXEL: Self = Self {
        x: (1.0, 0.0),
        y: (0.0, 1.0),
        centre: (0.0, 0.0),
    };
}

/// Fills the polygon (closed by itself, even-odd rule).
pub(super) fn fill(points: &[Point], placement: &Placement) -> Coverage {
    let mut coverage = [0u16; PIXELS];
    add_polygon(&mut coverage, points, placement);
    coverage
}

/// Draws the open line through `points` with the given width in garment units.
pub(super) fn stroke(points: &[Point], width: f64, placement: &Placement) -> Coverage {
    let mut coverage = [0u16; PIXELS];
    for pair in points.windows(2) {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        let (dx, dy) = (bx - ax, by - ay);
        let length = (dx * dx + dy * dy).sqrt();
        if length == 0.0 {
            continue;
        }
        // Half the width along and across, so that joints have no notch.
        let (ux, uy) = (dx / length * width / 2.0, dy / length * width / 2.0);
        let quad = [
            (ax - ux - uy, ay - uy + ux),
            (bx + ux - uy, by + uy + ux),
            (bx + ux + uy, by + uy - ux),
            (ax - ux + uy, ay - uy - ux),
        ];
        add_polygon(&mut coverage, &quad, placement);
    }
    coverage
}

fn add_polygon(coverage: &mut Coverage, points: &[Point], placement: &Placement) {
    let scale = FINE as f64;
    let fine = |&p: &Point| {
        let (x, y) = placement.apply(p);
        (x * scale, y * scale)
    };
    let mut crossings: Vec<(usize, f64)> = Vec::with_capacity(4 * ROWS);
    for (i, from) in points.iter().enumerate() {
        let (a, b) = (fine(from), fine(&points[(i + 1) % points.len()]));
        let (low, high) = if a.1 <= b.1 { (a, b) } else { (b, a) };
        // Sample rows lie at j + 1/2; an edge owns those in [low, high).
        for j in sample(low.1)..sample(high.1) {
            let t = (j as f64 + 0.5 - low.1) / (high.1 - low.1);
            crossings.push((j, low.0 + t * (high.0 - low.0)));
        }
    }
    // A closed line crosses each sample row an even number of times.
    crossings.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    for pair in crossings.chunks_exact(2) {
        let j = pair[0].0;
        for k in sample(pair[0].1)..sample(pair[1].1) {
            let bit = (j % FINE) * FINE + k % FINE;
            coverage[(j / FINE) * SIDE + k / FINE] |= 1 << bit;
        }
    }
}

/// First sample at or after the position, within the image.
fn sample(position: f64) -> usize {
    (position - 0.5).ceil().clamp(0.0, ROWS as f64) as usize
}

/// An outline built from lines and quadratic curves.
#[derive(Clone)]
pub(super) struct Outline(Vec<Point>);

impl Outline {
    pub(super) fn from(x: f64, y: f64) -> Self {
        Self(vec![(x, y)])
    }

    pub(super) fn line(mut self, x: f64, y: f64) -> Self {
        self.0.push((x, y));
        self
    }

    /// A quadratic Bézier curve with control point `(cx, cy)`.
    pub(super) fn curve(mut self, cx: f64, cy: f64, x: f64, y: f64) -> Self {
        const PIECES: u32 = 6;
        let (ax, ay) = self.0[self.0.len() - 1];
        for piece in 1..=PIECES {
            let t = f64::from(piece) / f64::from(PIECES);
            let (p, q, r) = ((1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t);
            self.0
                .push((p * ax + q * cx + r * x, p * ay + q * cy + r * y));
        }
        self
    }

    /// Closes a right half with its mirror image at x = 0.
    pub(super) fn mirrored(mut self) -> Self {
        let left: Vec<Point> = self.0.iter().rev().map(|&(x, y)| (-x, y)).collect();
        self.0.extend(left);
        self
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(coverage: &Coverage) -> u32 {
        coverage.iter().map(|bits| bits.count_ones()).sum()
    }

    #[test]
    fn an_aligned_rectangle_covers_exactly_its_samples() {
        let square = [(2.0, 3.0), (5.0, 3.0), (5.0, 4.5), (2.0, 4.5)];
        let coverage = fill(&square, &Placement::PIXEL);
        assert_eq!(area(&coverage), 16 * 3 + 8 * 3);
        assert_eq!(coverage[3 * SIDE + 2], 0xffff);
        assert_eq!(coverage[4 * SIDE + 4], 0x00ff, "the upper two sample rows");
        assert_eq!(coverage[3 * SIDE + 5], 0);
    }

    #[test]
    fn a_triangle_has_half_the_area_and_a_self_overlap_is_a_hole() {
        let triangle = fill(&[(0.0, 0.0), (20.0, 0.0), (0.0, 20.0)], &Placement::PIXEL);
        assert!((f64::from(area(&triangle)) / 16.0 - 200.0).abs() < 3.0);
        let ring = [
            (2.0, 2.0),
            (10.0, 2.0),
            (10.0, 10.0),
            (2.0, 10.0),
            (2.0, 2.0),
            (4.0, 4.0),
            (4.0, 8.0),
            (8.0, 8.0),
            (8.0, 4.0),
            (4.0, 4.0),
        ];
        assert_eq!(area(&fill(&ring, &Placement::PIXEL)), (64 - 16) * 16);
    }

    #[test]
    fn shapes_beyond_the_image_are_clipped() {
        let huge = [
            (-100.0, -100.0),
            (100.0, -100.0),
            (100.0, 100.0),
            (-100.0, 100.0),
        ];
        assert_eq!(fill(&huge, &Placement::PIXEL), [0xffff; PIXELS]);
        let outside = [(40.0, 40.0), (50.0, 40.0), (50.0, 50.0)];
        assert_eq!(fill(&outside, &Placement::PIXEL), [0; PIXELS]);
    }

    #[test]
    fn a_stroke_has_its_width() {
        let line = stroke(&[(4.0, 8.0), (12.0, 8.0)], 2.0, &Placement::PIXEL);
        assert_eq!(
            area(&line),
            16 * 2 * 10,
            "8 long, and half the width beyond each end"
        );
    }

    #[test]
    fn placement_and_its_inverse_agree() {
        let placement = Placement {
            x: (11.0, 1.0),
            y: (-2.0, 12.0),
            centre: (14.5, 13.0),
        };
        let (x, y) = placement.invert(placement.apply((0.3, -0.7)));
        assert!((x - 0.3).abs() < 1e-12 && (y + 0.7).abs() < 1e-12);
    }
}
