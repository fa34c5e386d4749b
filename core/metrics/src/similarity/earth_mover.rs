//! Earth mover's distance of two maps.

use super::divergence::magnitude_shares;
use super::transport::minimum_cost;
use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// Cells along the longer side: with more, a pair takes longer than a model's answer.
const CELLS: usize = 8;
/// Units of mass in all: shares are rounded to this part of the whole.
const UNITS: f64 = (1u64 << 40) as f64;

/// A map's absolute attribution, pooled to a coarse grid.
#[derive(Debug, Clone, PartialEq)]
pub struct GridMass {
    height: usize,
    width: usize,
    units: Vec<u64>,
}

impl GridMass {
    /// Pools a map `[height, width]` to square cells, of which at most 8 lie along the longer
    /// side.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`] where the sides do not fit the values,
    /// [`NotApplicable::TooSmall`] for what is no picture (a side below 2), where there is no
    /// distance; [`NotApplicable::NonFinite`], and [`NotApplicable::ZeroRelevance`] for a map of
    /// zeros.
    pub fn new(attribution: &[f32], height: usize, width: usize) -> Result<Self, NotApplicable> {
        if height.checked_mul(width) != Some(attribution.len()) {
            return Err(NotApplicable::LengthMismatch);
        }
        if height < 2 || width < 2 {
            return Err(NotApplicable::TooSmall);
        }
        let shares = magnitude_shares(attribution)?;
        let side = cell_side(height, width);
        let columns = width.div_ceil(side);
        let mut mass = vec![0.0; columns * height.div_ceil(side)];
        for (pixel, share) in shares.iter().enumerate() {
            mass[pixel / width / side * columns + pixel % width / side] += share;
        }
        let mut units: Vec<u64> = mass.iter().map(|share| (share * UNITS) as u64).collect();
        // What rounding down left over goes where most lies, so that all maps weigh the same.
        let over = (UNITS as u64).wrapping_sub(units.iter().sum());
        if let Some(most) = units.iter_mut().max() {
            *most = most.wrapping_add(over);
        }
        Ok(Self {
            height,
            width,
            units,
        })
    }

    /// The middle of a cell, in pixels.
    fn centre(&self, cell: usize) -> (f64, f64) {
        let side = cell_side(self.height, self.width);
        let columns = self.width.div_ceil(side);
        let middle = |number: usize, extent: usize| {
            (number * side + ((number + 1) * side).min(extent)) as f64 / 2.0
        };
        (
            middle(cell / columns, self.height),
            middle(cell % columns, self.width),
        )
    }
}

fn cell_side(height: usize, width: usize) -> usize {
    height.max(width).div_ceil(CELLS)
}

/// Earth mover's distance of `|a| / Σ|a|` of two maps, as a share of the image's diagonal: 0 for
/// equal maps, towards 1 for maps in opposite corners.
///
/// Rubner, Tomasi and Guibas 2000, with the Euclidean distance of the cells' middles: the exact
/// optimum by minimum-cost flow, on maps that are pooled to at most 8 × 8 cells. Mass that both
/// maps have in a cell stays where it is, which is optimal as distances keep the triangle
/// inequality.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] for maps of different sizes.
pub fn earth_movers_distance(a: &GridMass, b: &GridMass) -> Score {
    if (a.height, a.width) != (b.height, b.width) {
        return Err(NotApplicable::LengthMismatch);
    }
    let (mut supply, mut demand) = (Vec::new(), Vec::new());
    let (mut from, mut to) = (Vec::new(), Vec::new());
    for (cell, (&have, &want)) in a.units.iter().zip(&b.units).enumerate() {
        if have > want {
            supply.push(have - want);
            from.push(a.centre(cell));
        } else if want > have {
            demand.push(want - have);
            to.push(a.centre(cell));
        }
    }
    let distance = |a: &(f64, f64), b: &(f64, f64)| (a.0 - b.0).hypot(a.1 - b.1);
    let cost: Vec<f64> = from
        .iter()
        .flat_map(|a| to.iter().map(move |b| distance(a, b)))
        .collect();
    let diagonal = (a.height as f64).hypot(a.width as f64);
    finite(minimum_cost(&supply, &demand, &cost) / UNITS / diagonal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DrawKey;

    fn mass(values: &[f32], height: usize, width: usize) -> GridMass {
        GridMass::new(values, height, width).unwrap()
    }

    fn one(pixel: usize) -> Vec<f32> {
        let mut map = vec![0.0; 64];
        map[pixel] = -2.0;
        map
    }

    #[test]
    fn by_hand() {
        // 8 × 8 pixels are 8 × 8 cells. From (0, 0) to (3, 4): 5 of 8√2.
        let (a, b) = (mass(&one(0), 8, 8), mass(&one(3 * 8 + 4), 8, 8));
        let diagonal = 128f64.sqrt();
        let score = |a: &GridMass, b: &GridMass| earth_movers_distance(a, b).unwrap();
        assert!((score(&a, &b) - 5.0 / diagonal).abs() < 1e-12);
        assert_eq!(score(&a, &a), 0.0);
        // Half of it one pixel to the right
        let mut half = one(0);
        half[1] = 2.0;
        assert!((score(&a, &mass(&half, 8, 8)) - 0.5 / diagonal).abs() < 1e-11);
        // 16 × 16: cells of 2 pixels; within a cell nothing moves.
        let mut fine = vec![0.0; 256];
        fine[0] = 1.0;
        let mut next = vec![0.0; 256];
        next[17] = 1.0;
        assert_eq!(score(&mass(&fine, 16, 16), &mass(&next, 16, 16)), 0.0);
    }

    #[test]
    fn along_a_line_it_is_the_area_between_the_cumulated_shares() {
        // Mass in one row of cells only: the distance has a closed form there.
        for item in 0..20 {
            let mut draws = DrawKey::new(5, "earth", item).draws(0);
            let mut line = || -> Vec<f32> { (0..8).map(|_| draws.below(9) as f32).collect() };
            let (mut a, mut b) = (line(), line());
            (a[3], b[5]) = (4.0, 2.0);
            let shares = |line: &[f32]| -> Vec<f64> {
                let sum: f32 = line.iter().sum();
                line.iter().map(|value| f64::from(value / sum)).collect()
            };
            let (mut gap, mut area) = (0.0, 0.0);
            for (p, q) in shares(&a).iter().zip(shares(&b)) {
                gap += p - q;
                area += f64::abs(gap);
            }
            let below = |line: &[f32]| [line, &[0.0; 56]].concat();
            let found =
                earth_movers_distance(&mass(&below(&a), 8, 8), &mass(&below(&b), 8, 8)).unwrap();
            assert!((found - area / 128f64.sqrt()).abs() < 1e-7, "{found}");
        }
    }

    #[test]
    fn it_is_a_metric_on_drawn_maps() {
        let drawn = |item: u64| -> GridMass {
            let mut draws = DrawKey::new(9, "metric", item).draws(0);
            let values: Vec<f32> = (0..28 * 20).map(|_| draws.unit() as f32).collect();
            mass(&values, 28, 20)
        };
        let (a, b, c) = (drawn(0), drawn(1), drawn(2));
        let score = |a: &GridMass, b: &GridMass| earth_movers_distance(a, b).unwrap();
        assert!((score(&a, &b) - score(&b, &a)).abs() < 1e-12);
        assert!(score(&a, &b) > 0.0 && score(&a, &b) < 1.0);
        assert!(score(&a, &c) <= score(&a, &b) + score(&b, &c) + 1e-12);
    }

    #[test]
    fn what_has_no_mass_or_no_place_has_no_score() {
        assert_eq!(
            GridMass::new(&[0.0; 16], 4, 4),
            Err(NotApplicable::ZeroRelevance)
        );
        assert_eq!(
            GridMass::new(&[1.0; 16], 1, 16),
            Err(NotApplicable::TooSmall)
        );
        assert_eq!(
            GridMass::new(&[1.0; 15], 4, 4),
            Err(NotApplicable::LengthMismatch)
        );
        assert_eq!(
            GridMass::new(&[f32::NAN; 16], 4, 4),
            Err(NotApplicable::NonFinite)
        );
        let (a, b) = (mass(&[1.0; 16], 4, 4), mass(&[1.0; 20], 4, 5));
        assert_eq!(
            earth_movers_distance(&a, &b),
            Err(NotApplicable::LengthMismatch)
        );
    }
}
