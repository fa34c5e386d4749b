//! Resizing of one map with half-pixel centres.
//!
//! Sample i of n outputs lies at (i + 1/2) * inputs / n - 1/2 of the input, clamped to the first
//! and the last sample: the convention of PyTorch's `interpolate` with `align_corners=False`, which
//! is what the reference implementations of CAM use. The positions are worked out once and serve
//! every map of a batch.

/// Where one output sample lies between two input samples.
#[derive(Clone, Copy, Debug)]
struct Tap {
    low: usize,
    high: usize,
    /// Share of `high`, 0..1.
    share: f32,
}

/// A resize of maps of one size, row-major [h, w], to another.
#[derive(Clone, Debug)]
pub struct Resize {
    from: [usize; 2],
    rows: Vec<Tap>,
    columns: Vec<Tap>,
    mass: Vec<f64>,
}

impl Resize {
    /// Bilinear interpolation from `from` = [h, w] to `to` = [h, w], half-pixel centres.
    ///
    /// # Panics
    /// When a side of `from` is zero.
    #[must_use]
    pub fn bilinear(from: [usize; 2], to: [usize; 2]) -> Self {
        Self::with(from, to, |inputs, outputs, i| {
            let scale = inputs as f64 / outputs as f64;
            let at = ((i as f64 + 0.5) * scale - 0.5).max(0.0);
            let low = (at as usize).min(inputs - 1);
            let high = (low + 1).min(inputs - 1);
            Tap {
                low,
                high,
                share: (at - low as f64).min(1.0) as f32,
            }
        })
    }

    /// Nearest neighbour from `from` = [h, w] to `to` = [h, w]: output i takes input
    /// floor(i * inputs / outputs).
    ///
    /// # Panics
    /// When a side of `from` is zero.
    #[must_use]
    pub fn nearest(from: [usize; 2], to: [usize; 2]) -> Self {
        Self::with(from, to, |inputs, outputs, i| {
            let low = (i * inputs / outputs).min(inputs - 1);
            Tap {
                low,
                high: low,
                share: 0.0,
            }
        })
    }

    fn with(from: [usize; 2], to: [usize; 2], tap: fn(usize, usize, usize) -> Tap) -> Self {
        assert!(from[0] > 0 && from[1] > 0, "an empty map cannot be resized");
        let taps = |axis: usize| {
            (0..to[axis])
                .map(|i| tap(from[axis], to[axis], i))
                .collect()
        };
        let (rows, columns): (Vec<Tap>, Vec<Tap>) = (taps(0), taps(1));
        let (down, across) = (mass(&rows, from[0]), mass(&columns, from[1]));
        let mass = down
            .iter()
            .flat_map(|down| across.iter().map(move |across| down * across))
            .collect();
        Self {
            from,
            rows,
            columns,
            mass,
        }
    }

    /// Sum over the outputs of each input sample's weight, row-major [h, w]: a map that is divided
    /// by it keeps its sum. Zero for a sample that no output reads.
    pub(crate) fn mass(&self) -> &[f64] {
        &self.mass
    }

    /// Writes the resized `map` (row-major, of the size `from`) into `out` (of the size `to`).
    ///
    /// # Panics
    /// When `map` or `out` has another length.
    pub fn apply(&self, map: &[f32], out: &mut [f32]) {
        let width = self.from[1];
        assert_eq!(map.len(), self.from[0] * width, "length of the map");
        assert_eq!(
            out.len(),
            self.rows.len() * self.columns.len(),
            "length of the resized map"
        );
        if self.columns.is_empty() {
            return;
        }
        // Mixes the two input rows first, then reads that one row at each column's place.
        let mut mixed = vec![0.0_f32; width];
        for (row, out_row) in self
            .rows
            .iter()
            .zip(out.chunks_exact_mut(self.columns.len()))
        {
            let low = &map[row.low * width..][..width];
            let high = &map[row.high * width..][..width];
            for ((m, a), b) in mixed.iter_mut().zip(low).zip(high) {
                *m = a + row.share * (b - a);
            }
            for (value, column) in out_row.iter_mut().zip(&self.columns) {
                let (a, b) = (mixed[column.low], mixed[column.high]);
                *value = a + column.share * (b - a);
            }
        }
    }
}

/// Sum of each input's weights along one axis.
fn mass(taps: &[Tap], inputs: usize) -> Vec<f64> {
    let mut mass = vec![0.0; inputs];
    for tap in taps {
        let share = f64::from(tap.share);
        mass[tap.low] += 1.0 - share;
        mass[tap.high] += share;
    }
    mass
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_by_two_to_four_by_four_by_hand() {
        // Positions -0.25 (clamped to 0), 0.25, 0.75, 1.25 (clamped to 1).
        let mut out = [0.0; 16];
        Resize::bilinear([2, 2], [4, 4]).apply(&[0.0, 1.0, 2.0, 3.0], &mut out);
        let expected = [
            0.0, 0.25, 0.75, 1.0, //
            0.5, 0.75, 1.25, 1.5, //
            1.5, 1.75, 2.25, 2.5, //
            2.0, 2.25, 2.75, 3.0,
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn three_to_eight_by_hand() {
        // Positions (i + 1/2) * 3/8 - 1/2 = -0.3125, 0.0625, 0.4375, 0.8125, 1.1875, 1.5625,
        // 1.9375, 2.3125; the map 0, 1, 4 between them.
        let mut out = [0.0; 8];
        Resize::bilinear([1, 3], [1, 8]).apply(&[0.0, 1.0, 4.0], &mut out);
        assert_eq!(
            out,
            [0.0, 0.0625, 0.4375, 0.8125, 1.5625, 2.6875, 3.8125, 4.0]
        );
    }

    #[test]
    fn the_same_size_is_the_same_map() {
        let map: Vec<f32> = (0..15).map(|i| (i as f32 * 1.3).cos()).collect();
        for resize in [
            Resize::bilinear([3, 5], [3, 5]),
            Resize::nearest([3, 5], [3, 5]),
        ] {
            let mut out = vec![0.0; 15];
            resize.apply(&map, &mut out);
            assert_eq!(out, map);
        }
    }

    #[test]
    fn smaller_maps_sample_between_the_centres() {
        // 4 to 2: positions 0.5 and 2.5; no smoothing beyond the two neighbours.
        let mut out = [0.0; 2];
        Resize::bilinear([1, 4], [1, 2]).apply(&[1.0, 3.0, 10.0, 20.0], &mut out);
        assert_eq!(out, [2.0, 15.0]);
    }

    #[test]
    fn nearest_repeats_cells() {
        let mut out = [0.0; 5];
        Resize::nearest([1, 3], [1, 5]).apply(&[7.0, 8.0, 9.0], &mut out);
        assert_eq!(out, [7.0, 7.0, 8.0, 8.0, 9.0]);
    }

    #[test]
    fn a_single_unit_fills_the_image() {
        let mut out = [0.0; 784];
        Resize::bilinear([1, 1], [28, 28]).apply(&[2.5], &mut out);
        assert!(out.iter().all(|&v| v == 2.5));
    }

    #[test]
    fn mass_is_what_a_unit_adds_to_the_sum() {
        for (from, to) in [([2, 3], [5, 8]), ([4, 4], [2, 9]), ([1, 1], [3, 3])] {
            let resize = Resize::bilinear(from, to);
            for unit in 0..from[0] * from[1] {
                let mut map = vec![0.0; from[0] * from[1]];
                map[unit] = 1.0;
                let mut out = vec![0.0; to[0] * to[1]];
                resize.apply(&map, &mut out);
                let sum: f64 = out.iter().map(|&v| f64::from(v)).sum();
                assert!((sum - resize.mass()[unit]).abs() < 1e-5, "{from:?} {unit}");
            }
        }
    }
}
