//! Do images with the same explanation have the same prediction?

use super::magnitude_of;
use crate::not_applicable::finite;
use crate::{NotApplicable, Score, reduce_channels};

/// A map in few words: the cells of a coarse grid that say most, and whether for or against.
///
/// Pixels of images are exchangeable with their neighbours and no two maps have the same highest
/// pixels, so maps are summed over a grid first; a table's columns are taken as they are. A tie at
/// the last place counts whole, so that no order of cells matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(Vec<(usize, bool)>);

impl Signature {
    /// The `top` cells of greatest |sum| of a map `[channels, height, width]`, on a grid of
    /// `grid` × `grid` cells (or as many as there are pixels); columns, where the height is 1.
    ///
    /// # Errors
    /// [`NotApplicable::ConstantAttribution`] for a constant map or one whose cells are all alike,
    /// [`NotApplicable::LengthMismatch`] and [`NotApplicable::NonFinite`] for a map that is none.
    pub fn new(
        map: &[f32],
        [channels, height, width]: [usize; 3],
        grid: usize,
        top: usize,
    ) -> Result<Self, NotApplicable> {
        let cells = coarse(map, [channels, height, width], grid)?;
        if cells.iter().all(|&cell| cell == cells[0]) {
            return Err(NotApplicable::ConstantAttribution);
        }
        let mut falling: Vec<f64> = cells.iter().map(|cell| cell.abs()).collect();
        falling.sort_unstable_by(|a, b| b.total_cmp(a));
        let least = falling[top.clamp(1, falling.len()) - 1];
        let chosen = cells.iter().enumerate();
        let chosen = chosen.filter(|(_, cell)| cell.abs() >= least && **cell != 0.0);
        Ok(Self(chosen.map(|(cell, &sum)| (cell, sum > 0.0)).collect()))
    }
}

/// Sums of a map over the cells of a grid, or its columns where the height is 1.
fn coarse(
    map: &[f32],
    [channels, height, width]: [usize; 3],
    grid: usize,
) -> Result<Vec<f64>, NotApplicable> {
    let map = reduce_channels(map, channels)?;
    if map.len() != height * width {
        return Err(NotApplicable::LengthMismatch);
    }
    magnitude_of(&map)?;
    let (rows, columns) = if height == 1 {
        (1, width)
    } else {
        (grid.clamp(1, height), grid.clamp(1, width))
    };
    let mut cells = vec![0.0f64; rows * columns];
    for (pixel, &value) in map.iter().enumerate() {
        let (y, x) = (pixel / width, pixel % width);
        cells[y * rows / height * columns + x * columns / width] += f64::from(value);
    }
    Ok(cells)
}

/// Consistency of each image: of the others with the same signature, the share that the model
/// gives the same class, in 0..=1, higher is better.
///
/// Dasgupta, Frost and Moshkovitz 2022, local consistency, over the images that were explained.
/// [`NotApplicable::NoPeer`] where no other image has the same signature.
#[must_use]
pub fn consistency(
    signatures: &[Result<Signature, NotApplicable>],
    classes: &[usize],
) -> Vec<Score> {
    let score = |(own, signature): (usize, &Result<Signature, NotApplicable>)| {
        let signature = signature.as_ref().map_err(|reason| *reason)?;
        let class = classes.get(own).ok_or(NotApplicable::LengthMismatch)?;
        let others = signatures.iter().zip(classes).enumerate();
        let alike = others
            .filter(|(other, (theirs, _))| *other != own && theirs.as_ref() == Ok(signature))
            .map(|(_, (_, theirs))| theirs == class);
        share(alike)
    };
    signatures.iter().enumerate().map(score).collect()
}

/// The direction of a map: the sums of its cells over their norm.
///
/// On the grid of a [`Signature`]: a shift by a pixel turns a map of single pixels all the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Direction(Vec<f32>);

impl Direction {
    /// Of a map `[channels, height, width]` on a grid of `grid` × `grid` cells.
    ///
    /// # Errors
    /// As [`Signature::new`], except that cells may be all alike unless they are 0.
    pub fn new(map: &[f32], plane: [usize; 3], grid: usize) -> Result<Self, NotApplicable> {
        let cells = coarse(map, plane, grid)?;
        let greatest = cells.iter().fold(0.0f64, |most, cell| most.max(cell.abs()));
        if greatest == 0.0 {
            return Err(NotApplicable::ConstantAttribution);
        }
        let squares = cells.iter().map(|cell| (cell / greatest).powi(2));
        let norm = squares.sum::<f64>().sqrt();
        let scaled = cells.iter().map(|cell| (cell / greatest / norm) as f32);
        Ok(Self(scaled.collect()))
    }

    /// Cosine of the angle between two maps of one size, in −1..=1 up to rounding.
    fn cosine(&self, other: &Self) -> f32 {
        let mut sums = [0.0f32; 8];
        let (a, b) = (self.0.chunks_exact(8), other.0.chunks_exact(8));
        let rest = a.remainder().iter().zip(b.remainder());
        let rest: f32 = rest.map(|(a, b)| a * b).sum();
        for (a, b) in a.zip(b) {
            for lane in 0..8 {
                sums[lane] += a[lane] * b[lane];
            }
        }
        sums.iter().sum::<f32>() + rest
    }
}

/// Sufficiency of the explanation of image `own`: of the others whose maps point the same way
/// (cosine at least `similarity`), the share that the model gives the same class; higher is
/// better.
///
/// Dasgupta, Frost and Moshkovitz 2022, local sufficiency, where an explanation applies to an image
/// whose own is like it. The cosine has a scale that distances have not.
///
/// # Errors
/// [`NotApplicable::NoPeer`] where no other map is like it; the map's own reason where it has
/// none.
pub fn explanation_sufficiency(
    own: usize,
    directions: &[Result<Direction, NotApplicable>],
    classes: &[usize],
    similarity: f64,
) -> Score {
    let direction = directions.get(own).ok_or(NotApplicable::LengthMismatch)?;
    let direction = direction.as_ref().map_err(|reason| *reason)?;
    let class = classes.get(own).ok_or(NotApplicable::LengthMismatch)?;
    let others = directions.iter().zip(classes).enumerate();
    share(others.filter_map(|(other, (theirs, their_class))| {
        let theirs = theirs.as_ref().ok().filter(|_| other != own)?;
        let near = f64::from(direction.cosine(theirs)) >= similarity;
        near.then_some(their_class == class)
    }))
}

/// The share of true ones.
fn share(alike: impl Iterator<Item = bool>) -> Score {
    let (mut same, mut all) = (0u32, 0u32);
    for one in alike {
        same += u32::from(one);
        all += 1;
    }
    if all == 0 {
        return Err(NotApplicable::NoPeer);
    }
    finite(f64::from(same) / f64::from(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(map: &[f32], top: usize) -> Result<Signature, NotApplicable> {
        Signature::new(map, [1, 2, 4], 2, top)
    }

    #[test]
    fn signatures_by_hand() {
        // Two rows of four pixels on a 2 × 2 grid: pairs of pixels.
        let map = [1.0, 1.0, -5.0, 0.0, 0.5, 0.0, 0.0, 0.0];
        assert_eq!(signature(&map, 1).unwrap().0, [(1, false)]);
        assert_eq!(signature(&map, 2).unwrap().0, [(0, true), (1, false)]);
        // Cells of 0 say nothing, however many are asked for.
        assert_eq!(signature(&map, 9).unwrap().0.len(), 3);
        // A tie at the last place counts whole.
        let tied = [1.0, 1.0, 2.0, 0.0, 0.0, 0.0, 9.0, 0.0];
        assert_eq!(signature(&tied, 2).unwrap().0.len(), 3);
        // A line is a table: its columns are not summed.
        let columns = Signature::new(&[0.0, 3.0, -4.0], [1, 1, 3], 2, 1).unwrap();
        assert_eq!(columns.0, [(2, false)]);
    }

    #[test]
    fn signatures_of_what_says_nothing() {
        let constant = Err(NotApplicable::ConstantAttribution);
        assert_eq!(signature(&[0.5; 8], 1), constant);
        assert_eq!(
            signature(&[1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0], 1),
            constant
        );
        assert_eq!(signature(&[f32::NAN; 8], 1), Err(NotApplicable::NonFinite));
        assert_eq!(
            signature(&[1.0, 2.0], 1),
            Err(NotApplicable::LengthMismatch)
        );
    }

    #[test]
    fn consistency_by_hand() {
        let (left, right) = ([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]);
        let of = |map: &[f32]| Signature::new(map, [1, 1, 4], 4, 1);
        let signatures = [of(&left), of(&left), of(&right), of(&left), of(&[0.0; 4])];
        let scores = consistency(&signatures, &[7, 7, 7, 2, 7]);
        assert_eq!(
            scores,
            [
                Ok(0.5),
                Ok(0.5),
                Err(NotApplicable::NoPeer),
                Ok(0.0),
                Err(NotApplicable::ConstantAttribution)
            ]
        );
    }

    #[test]
    fn sufficiency_by_hand() {
        let of = |map: [f32; 2]| Direction::new(&map, [1, 1, 2], 1);
        // Cosines with the first: 1, 1/√2, −1.
        let maps = [
            of([2.0, 0.0]),
            of([9.0, 0.0]),
            of([1.0, 1.0 + 1e-7]),
            of([-1.0, 0.0]),
        ];
        let classes = [1, 0, 1, 1];
        let score = |own, similarity| explanation_sufficiency(own, &maps, &classes, similarity);
        assert_eq!(score(0, 0.9), Ok(0.0));
        assert_eq!(score(0, 0.7), Ok(0.5));
        assert_eq!(score(0, -1.0), Ok(2.0 / 3.0));
        assert_eq!(score(3, 0.0), Err(NotApplicable::NoPeer));
        assert_eq!(score(9, 0.0), Err(NotApplicable::LengthMismatch));
        let flat = [of([1.0, 1.0]), of([1.0, 0.0])];
        assert_eq!(
            explanation_sufficiency(0, &flat, &[0, 0], 0.0),
            Err(NotApplicable::ConstantAttribution)
        );
    }

    #[test]
    fn directions_are_those_of_the_cells() {
        let plane = [1, 2, 4];
        let of = |map: &[f32]| Direction::new(map, plane, 2).unwrap();
        // The same cells by other pixels.
        let one = of(&[1.0, 1.0, 0.0, 3.0, 0.0, 0.0, 0.0, -1.0]);
        let two = of(&[0.0, 2.0, 3.0, 0.0, 0.0, 0.0, -1.0, 0.0]);
        assert!((one.cosine(&two) - 1.0).abs() < 1e-6);
        assert_eq!(
            Direction::new(&[1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], plane, 2),
            Err(NotApplicable::ConstantAttribution)
        );
    }

    #[test]
    fn directions_have_no_scale() {
        let small = Direction::new(&[1e-30, -3e-30, 2e-30], [1, 1, 3], 1).unwrap();
        let large = Direction::new(&[1e30, -3e30, 2e30], [1, 1, 3], 1).unwrap();
        assert!((small.cosine(&large) - 1.0).abs() < 1e-6);
    }
}
