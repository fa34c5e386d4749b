//! The random masks of RISE.

use xbench_plugin::rng::CounterRng;

/// Draws from a row's seed for this purpose alone.
const PURPOSE: u64 = 0x5249_5345;

/// Where an enlarged position lies between two cells: the first, the second, the second's share.
type Between = (usize, usize, f32);

/// Makes masks, each a function of (seed, index).
///
/// The mean of a mask is p at every pixel, since bilinear weights sum to 1.
#[derive(Clone, Debug)]
pub struct MaskSampler {
    /// Cells downwards and across.
    cells: (usize, usize),
    p: f64,
    /// Enlarged rows and columns.
    rows: Vec<Between>,
    columns: Vec<Between>,
    /// Places at which the mask may be cut out, downwards and across.
    shifts: (u64, u64),
    width: usize,
    /// The cells of a mask, each row of them enlarged to the mask's width.
    lines: Vec<f32>,
}

/// The positions of `cells` cells enlarged bilinearly to `(cells + 1) * size`: position i lies at
/// (i + 1/2) cells / ((cells + 1) size) - 1/2, held within the first and last cell.
fn enlarged(cells: usize, size: usize) -> Vec<Between> {
    let length = (cells + 1) * size;
    (0..length)
        .map(|i| {
            let place = (i as f64 + 0.5) * cells as f64 / length as f64 - 0.5;
            let place = place.clamp(0.0, (cells - 1) as f64);
            let first = place.floor() as usize;
            let second = (first + 1).min(cells - 1);
            (first, second, (place - first as f64) as f32)
        })
        .collect()
}

impl MaskSampler {
    /// Masks of height by width, of `cells` by `cells` cells each left with probability `p`.
    ///
    /// A cell is enlarged to the image's extent divided by `cells`, rounded up, so that the enlarged
    /// grid, one cell larger than the image, can be shifted by up to a cell.
    #[must_use]
    pub fn image(height: usize, width: usize, cells: usize, p: f64) -> Self {
        let cells = cells.max(1);
        let (down, across) = (height.div_ceil(cells), width.div_ceil(cells));
        Self {
            cells: (cells, cells),
            p,
            rows: enlarged(cells, down),
            columns: enlarged(cells, across),
            shifts: (down as u64, across as u64),
            width,
            lines: vec![0.0; cells * width],
        }
    }

    /// Masks of a table's columns, each left with probability `p`.
    #[must_use]
    pub fn columns(columns: usize, p: f64) -> Self {
        Self {
            cells: (1, columns),
            p,
            rows: vec![(0, 0, 0.0)],
            columns: (0..columns).map(|i| (i, i, 0.0)).collect(),
            shifts: (1, 1),
            width: columns,
            lines: vec![0.0; columns],
        }
    }

    /// Fills `mask`, row by row, with mask `index` of the row with this seed; values are 0 to 1.
    pub fn draw(&mut self, seed: u64, index: u64, mask: &mut [f32]) {
        let rng = CounterRng::new(seed).stream(PURPOSE).stream(index);
        let count = (self.cells.0 * self.cells.1) as u64;
        let down = rng.below(count, self.shifts.0) as usize;
        let across = rng.below(count + 1, self.shifts.1) as usize;
        let columns = &self.columns[across..][..self.width];
        let mut cell = vec![0.0_f32; self.cells.1];
        for (y, line) in self.lines.chunks_exact_mut(self.width).enumerate() {
            for (x, cell) in cell.iter_mut().enumerate() {
                let left = rng.uniform((y * self.cells.1 + x) as u64) < self.p;
                *cell = f32::from(u8::from(left));
            }
            for (value, &(first, second, share)) in line.iter_mut().zip(columns) {
                *value = cell[first] + share * (cell[second] - cell[first]);
            }
        }
        for (row, &(first, second, share)) in
            mask.chunks_exact_mut(self.width).zip(&self.rows[down..])
        {
            let first = &self.lines[first * self.width..][..self.width];
            let second = &self.lines[second * self.width..][..self.width];
            for ((value, first), second) in row.iter_mut().zip(first).zip(second) {
                *value = first + share * (second - first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_a_mask_is_p_everywhere() {
        let n = 20_000_u32;
        for (height, width, cells, p) in [(9, 7, 3, 0.5), (5, 5, 8, 0.2), (1, 1, 1, 0.7)] {
            let mut sampler = MaskSampler::image(height, width, cells, p);
            let mut mask = vec![0.0; height * width];
            let mut sum = vec![0.0_f64; height * width];
            for index in 0..n {
                sampler.draw(5, u64::from(index), &mut mask);
                for (sum, &value) in sum.iter_mut().zip(&mask) {
                    assert!((0.0..=1.0).contains(&value));
                    *sum += f64::from(value);
                }
            }
            // A mask value lies in 0..1 with mean p, so its variance is at most p (1 - p).
            let error = 5.0 * (p * (1.0 - p) / f64::from(n)).sqrt();
            for sum in sum {
                assert!((sum / f64::from(n) - p).abs() < error, "{sum}");
            }
        }
    }

    #[test]
    fn masks_are_enlarged_grids() {
        // Two cells to six positions: the centres of the cells lie at 1 and 4.
        let positions = enlarged(2, 2);
        let places: Vec<f32> = positions
            .iter()
            .map(|&(first, _, share)| first as f32 + share)
            .collect();
        let expected = [0.0, 0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0, 1.0];
        for (place, expected) in places.iter().zip(expected) {
            assert!((place - expected).abs() < 1e-6, "{places:?}");
        }
        assert_eq!(enlarged(1, 3), [(0, 0, 0.0); 6]);
    }

    #[test]
    fn a_mask_depends_on_seed_and_index_alone() {
        let mut sampler = MaskSampler::image(8, 8, 4, 0.5);
        let mut draw = |seed, index| {
            let mut mask = vec![0.0; 64];
            sampler.draw(seed, index, &mut mask);
            mask
        };
        let first = draw(1, 2);
        assert_ne!(draw(1, 3), first);
        assert_ne!(draw(2, 2), first);
        assert_eq!(draw(1, 2), first);
    }

    #[test]
    fn columns_are_left_or_not() {
        let mut sampler = MaskSampler::columns(6, 0.5);
        let mut mask = vec![0.0; 6];
        let mut seen = [0_u32; 2];
        for index in 0..1000 {
            sampler.draw(0, index, &mut mask);
            for &value in &mask {
                assert!(value == 0.0 || value == 1.0);
                seen[value as usize] += 1;
            }
        }
        // 6,000 fair draws: a standard deviation of 38.7.
        assert!(seen[0].abs_diff(3000) < 194, "{seen:?}");
    }
}
