//! Mosaics of two images of a class and two of others, of the size of one image.
//!
//! Four images, each shrunk to a quarter, fill the plane of one, so that a model of one input size
//! can be asked about them.

use std::cell::OnceCell;

use crate::{DrawKey, NotApplicable};

use super::FOCUS;

/// A quarter of a mosaic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Tile {
    /// Its pixels' numbers in a plane of `width` columns, row by row.
    pub fn pixels(self, width: usize) -> impl Iterator<Item = usize> {
        let columns = self.left..self.left + self.width;
        (self.top..self.top + self.height)
            .flat_map(move |row| columns.clone().map(move |column| row * width + column))
    }
}

/// The tiles at the top left, top right, bottom left and bottom right of a plane. Together they
/// cover it; of an odd number of rows (columns) the lower (right) ones have one more.
///
/// # Errors
/// [`NotApplicable::Empty`] for a plane without pixels, [`NotApplicable::TooSmall`] for one of one
/// row or column.
pub fn tiles(height: usize, width: usize) -> Result<[Tile; 4], NotApplicable> {
    if height * width == 0 {
        return Err(NotApplicable::Empty);
    }
    if height < 2 || width < 2 {
        return Err(NotApplicable::TooSmall);
    }
    let (down, across) = (height / 2, width / 2);
    let tile = |lower: bool, right: bool| Tile {
        top: if lower { down } else { 0 },
        left: if right { across } else { 0 },
        height: if lower { height - down } else { down },
        width: if right { width - across } else { across },
    };
    Ok([
        tile(false, false),
        tile(false, true),
        tile(true, false),
        tile(true, true),
    ])
}

/// Which images make up a mosaic, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mosaic {
    /// Positions of its images among those of the run, tile by tile.
    pub images: [usize; 4],
    /// Which of its tiles are of the explained class.
    pub target: [bool; 4],
}

/// The images that mosaics can be made of.
#[derive(Debug, Clone)]
pub struct MosaicImages<'a> {
    labels: &'a [usize],
    recognised: &'a [usize],
    /// By class.
    candidates: Vec<OnceCell<Candidates>>,
}

/// Positions of the images that a mosaic of a class may hold, ascending.
#[derive(Debug, Clone, Default)]
struct Candidates {
    /// Of the class and recognised as such.
    own: Vec<usize>,
    /// Of other classes and recognised as such.
    others: Vec<usize>,
}

impl<'a> MosaicImages<'a> {
    /// `labels` are the images' classes and `recognised` what the model takes each of them for at the
    /// size of a tile: see [`at_tile_size`].
    #[must_use]
    pub fn new(labels: &'a [usize], recognised: &'a [usize]) -> Self {
        let classes = labels.iter().max().map_or(0, |most| most + 1);
        Self {
            labels,
            recognised,
            candidates: vec![OnceCell::new(); classes],
        }
    }

    fn candidates(&self, class: usize) -> Option<&Candidates> {
        let known = self.candidates.get(class)?;
        Some(known.get_or_init(|| {
            let mut found = Candidates::default();
            for (at, (&label, &seen)) in self.labels.iter().zip(self.recognised).enumerate() {
                match label == class {
                    _ if label != seen => {}
                    true => found.own.push(at),
                    false => found.others.push(at),
                }
            }
            found
        }))
    }

    /// The mosaic that explains class `target` on the image at `position`, whose number in its data
    /// set is `image`: beside it another image of the class and two of other classes, drawn with
    /// their places from (seed, image).
    ///
    /// All four are recognised at the size of a tile. Where a model does not tell such images apart,
    /// no explanation of it can: the share would measure the model.
    ///
    /// # Errors
    /// [`NotApplicable::AnotherClass`], [`NotApplicable::Unrecognised`], [`NotApplicable::NoSecondImage`]
    /// and [`NotApplicable::NoOtherClass`].
    pub fn mosaic(
        &self,
        seed: u64,
        image: u64,
        position: usize,
        target: usize,
    ) -> Result<Mosaic, NotApplicable> {
        let label = self.labels.get(position).ok_or(NotApplicable::Empty)?;
        if *label != target {
            return Err(NotApplicable::AnotherClass);
        }
        if self.recognised.get(position) != Some(&target) {
            return Err(NotApplicable::Unrecognised);
        }
        let Candidates { own, others } = self.candidates(target).ok_or(NotApplicable::Empty)?;
        if own.len() < 2 {
            return Err(NotApplicable::NoSecondImage);
        }
        if others.len() < 2 {
            return Err(NotApplicable::NoOtherClass);
        }
        let mut draws = DrawKey::new(seed, FOCUS, image).draws(0);
        let mut below = |count: usize| draws.below(count as u32) as usize;
        // One of a list without one of its members: those behind it move up by one.
        let mut second = below(own.len() - 1);
        second += usize::from(own[second] >= position);
        let one = below(others.len());
        let mut two = below(others.len() - 1);
        two += usize::from(two >= one);
        let mut places = [
            (position, true),
            (own[second], true),
            (others[one], false),
            (others[two], false),
        ];
        draws.shuffle(&mut places);
        Ok(Mosaic {
            images: places.map(|(image, _)| image),
            target: places.map(|(_, target)| target),
        })
    }
}

/// Adds a mosaic of four images `[c, h, w]` to `out`, each shrunk to its tile by averaging the area
/// that a pixel of the tile covers, rounded.
///
/// # Errors
/// As [`tiles`]; [`NotApplicable::LengthMismatch`] for images of another shape.
pub fn write_mosaic(
    images: [&[u8]; 4],
    [channels, height, width]: [usize; 3],
    out: &mut Vec<u8>,
) -> Result<(), NotApplicable> {
    let tiles = tiles(height, width)?;
    let area = height * width;
    if images.iter().any(|image| image.len() != channels * area) {
        return Err(NotApplicable::LengthMismatch);
    }
    let start = out.len();
    out.resize(start + channels * area, 0);
    for (tile, image) in tiles.into_iter().zip(images) {
        let planes = image
            .chunks_exact(area)
            .zip(out[start..].chunks_exact_mut(area));
        for (from, to) in planes {
            let shrunk = shrink(from, [height, width], [tile.height, tile.width]);
            for (pixel, value) in tile.pixels(width).zip(shrunk) {
                to[pixel] = value;
            }
        }
    }
    Ok(())
}

/// Adds the mask of a mosaic to `out`: whatever of a tile an object touches is its object, on the
/// tiles of the explained class alone.
///
/// # Errors
/// As [`write_mosaic`].
pub fn write_mosaic_mask(
    masks: [&[u8]; 4],
    target: [bool; 4],
    [height, width]: [usize; 2],
    out: &mut Vec<u8>,
) -> Result<(), NotApplicable> {
    let tiles = tiles(height, width)?;
    if masks.iter().any(|mask| mask.len() != height * width) {
        return Err(NotApplicable::LengthMismatch);
    }
    let start = out.len();
    out.resize(start + height * width, 0);
    for ((tile, mask), _) in tiles
        .into_iter()
        .zip(masks)
        .zip(target)
        .filter(|(_, on)| *on)
    {
        for (row, column) in (0..height * width).map(|pixel| (pixel / width, pixel % width)) {
            if mask[row * width + column] == 0 {
                continue;
            }
            // The pixels of the tile whose area the row and column reach into.
            for down in touched(row, height, tile.height) {
                for across in touched(column, width, tile.width) {
                    out[start + (tile.top + down) * width + tile.left + across] = 1;
                }
            }
        }
    }
    Ok(())
}

/// An image `[c, h, w]` as a mosaic shows it: four times over. What a model takes that for says
/// whether it recognises the image at the size, the resolution and the places of tiles.
///
/// # Errors
/// As [`write_mosaic`].
pub fn at_tile_size(image: &[u8], plane: [usize; 3]) -> Result<Vec<u8>, NotApplicable> {
    let mut out = Vec::with_capacity(image.len());
    write_mosaic([image; 4], plane, &mut out)?;
    Ok(out)
}

/// Which of `to` equal parts of a line the `at`-th of `from` equal parts reaches into.
fn touched(at: usize, from: usize, to: usize) -> std::ops::RangeInclusive<usize> {
    at * to / from..=((at + 1) * to - 1) / from
}

/// Averages over areas; exact up to the rounding of the result, since parts of pixels are counted
/// in whole numbers: lines of `from · to` units, of which a pixel of the plane has `to` and one of
/// the small plane `from`.
fn shrink(plane: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    // By axis and small pixel: the pixels under it, with their shares in units.
    let axis = |axis: usize| -> Vec<Vec<(usize, u64)>> {
        let (from, to) = (from[axis], to[axis]);
        let shares = |small: usize| {
            let (start, end) = (small * from, (small + 1) * from);
            let under = start / to..=(end - 1) / to;
            under
                .map(|at| (at, (end.min((at + 1) * to) - start.max(at * to)) as u64))
                .collect()
        };
        (0..to).map(shares).collect()
    };
    let (down, across) = (axis(0), axis(1));
    let whole = (from[0] * from[1]) as u64;
    let mut small = Vec::with_capacity(to[0] * to[1]);
    for rows in &down {
        for columns in &across {
            let mut sum = 0;
            for &(row, tall) in rows {
                for &(column, wide) in columns {
                    sum += tall * wide * u64::from(plane[row * from[1] + column]);
                }
            }
            small.push(((sum + whole / 2) / whole) as u8);
        }
    }
    small
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn tiles_cover_any_plane_once() {
        for (height, width) in [(2, 2), (28, 28), (5, 4), (3, 7), (2, 9)] {
            let mut covered = vec![0; height * width];
            for tile in tiles(height, width).unwrap() {
                assert!(tile.height.abs_diff(height - tile.height) <= 1);
                assert!(tile.width.abs_diff(width - tile.width) <= 1);
                tile.pixels(width).for_each(|pixel| covered[pixel] += 1);
            }
            assert_eq!(covered, vec![1; height * width]);
        }
        assert_eq!(tiles(1, 9), Err(NotApplicable::TooSmall));
        assert_eq!(tiles(9, 1), Err(NotApplicable::TooSmall));
        assert_eq!(tiles(0, 9), Err(NotApplicable::Empty));
    }

    #[test]
    fn shrinking_averages_areas() {
        let plane = [0, 4, 8, 12, 100, 104, 108, 112];
        // Two by two pixels: (0 + 4 + 100 + 104) / 4 and (8 + 12 + 108 + 112) / 4.
        assert_eq!(shrink(&plane, [2, 4], [1, 2]), [52, 60]);
        // Three columns to two: 1 and ½ pixels each. (2·10 + 40) / 3 and (40 + 2·100) / 3.
        assert_eq!(shrink(&[10, 40, 100], [1, 3], [1, 2]), [20, 80]);
        // 127.5, rounded up.
        assert_eq!(shrink(&[255, 0], [1, 2], [1, 1]), [128]);
        assert_eq!(shrink(&[255; 35], [5, 7], [2, 3]), [255; 6]);
        assert_eq!(shrink(&plane, [2, 4], [2, 4]), plane);
    }

    #[test]
    fn an_image_at_the_size_of_a_tile_is_there_four_times() {
        let image = [0, 4, 8, 12, 100, 104, 108, 112, 0, 0, 40, 40, 0, 0, 40, 40];
        #[rustfmt::skip]
        let expected = [
            52, 60, 52, 60,
             0, 40,  0, 40,
            52, 60, 52, 60,
             0, 40,  0, 40,
        ];
        assert_eq!(at_tile_size(&image, [1, 4, 4]), Ok(expected.to_vec()));
        assert_eq!(at_tile_size(&[90; 75], [3, 5, 5]), Ok(vec![90; 75]));
        let wrong = at_tile_size(&image, [1, 4, 3]);
        assert_eq!(wrong, Err(NotApplicable::LengthMismatch));
        assert_eq!(
            at_tile_size(&[1; 9], [1, 1, 9]),
            Err(NotApplicable::TooSmall)
        );
    }

    #[test]
    fn every_image_fills_its_tile() {
        let [a, b, c, d] = [[10u8; 15], [20; 15], [30; 15], [40; 15]];
        let mut out = vec![9];
        write_mosaic([&a, &b, &c, &d], [1, 3, 5], &mut out).unwrap();
        #[rustfmt::skip]
        let expected = [
            9,
            10, 10, 20, 20, 20,
            30, 30, 40, 40, 40,
            30, 30, 40, 40, 40,
        ];
        assert_eq!(out, expected);
        // Channels apart.
        let (one, two) = ([[1u8; 4], [5; 4]].concat(), [[2u8; 4], [6; 4]].concat());
        let mut out = Vec::new();
        write_mosaic([&one, &two, &two, &one], [2, 2, 2], &mut out).unwrap();
        assert_eq!(out, [1, 2, 2, 1, 5, 6, 6, 5]);
        let short = write_mosaic([&a, &b, &c, &d], [1, 3, 4], &mut out);
        assert_eq!(short, Err(NotApplicable::LengthMismatch));
    }

    #[test]
    fn the_mask_is_that_of_the_explained_objects() {
        let mut mask = [0u8; 16];
        mask[5] = 1;
        let mut out = Vec::new();
        let target = [true, false, false, true];
        write_mosaic_mask([&mask; 4], target, [4, 4], &mut out).unwrap();
        let marked: Vec<usize> = (0..16).filter(|&pixel| out[pixel] == 1).collect();
        assert_eq!(marked, [0, 10]);
        // The middle one of three columns reaches into both of two.
        let mut out = Vec::new();
        let mask = [0, 0, 0, 0, 1, 0, 0, 0, 0];
        write_mosaic_mask([&mask; 4], [false, false, false, true], [3, 3], &mut out).unwrap();
        assert_eq!(out, [0, 0, 0, 0, 1, 1, 0, 1, 1]);
        assert_eq!(touched(0, 4, 2), 0..=0);
        assert_eq!(touched(3, 7, 3), 1..=1);
        assert_eq!(touched(2, 7, 3), 0..=1);
    }

    #[test]
    fn mosaics_hold_two_recognised_images_of_the_class() {
        let labels = [0, 1, 0, 2, 0, 1, 0, 2];
        // The image at 4 is taken for class 1, that at 5 for class 0.
        let recognised = [0, 1, 0, 2, 1, 0, 0, 2];
        let images = MosaicImages::new(&labels, &recognised);
        for image in 0..200 {
            let mosaic = images.mosaic(3, image, 2, 0).unwrap();
            let of = |target: bool| -> Vec<usize> {
                let places = mosaic.images.into_iter().zip(mosaic.target);
                let mut of: Vec<usize> = places
                    .filter(|(_, here)| *here == target)
                    .map(|(image, _)| image)
                    .collect();
                of.sort_unstable();
                of
            };
            assert!([vec![0, 2], vec![2, 6]].contains(&of(true)), "{mosaic:?}");
            let others = of(false);
            assert!(others.iter().all(|at| [1, 3, 7].contains(at)) && others[0] != others[1]);
        }
    }

    #[test]
    fn partners_and_places_are_drawn_evenly() {
        let labels = [0, 0, 0, 0, 1, 2, 3, 1];
        let images = MosaicImages::new(&labels, &labels);
        let (mut own, mut partners) = ([0i32; 4], BTreeMap::new());
        let mut pairs = BTreeMap::new();
        for image in 0..6000 {
            let mosaic = images.mosaic(1, image, 1, 0).unwrap();
            let places = mosaic.images.into_iter().zip(mosaic.target);
            let mut others = Vec::new();
            for (place, (at, target)) in places.enumerate() {
                match (at, target) {
                    (1, true) => own[place] += 1,
                    (_, true) => *partners.entry(at).or_insert(0i32) += 1,
                    (_, false) => others.push(at),
                }
            }
            others.sort_unstable();
            *pairs.entry(others).or_insert(0i32) += 1;
        }
        assert!(
            own.iter().all(|count| (count - 1500).abs() < 170),
            "{own:?}"
        );
        assert_eq!(partners.keys().copied().collect::<Vec<_>>(), [0, 2, 3]);
        assert!(partners.values().all(|count| (count - 2000).abs() < 190));
        assert_eq!(pairs.len(), 6);
        assert!(pairs.values().all(|count| (count - 1000).abs() < 150));
        assert_eq!(images.mosaic(1, 7, 1, 0), images.mosaic(1, 7, 1, 0));
        assert_ne!(images.mosaic(1, 7, 1, 0), images.mosaic(2, 7, 1, 0));
    }

    #[test]
    fn without_the_images_for_it_there_is_no_mosaic() {
        let of = |labels: &[usize], seen: &[usize], position, target| {
            MosaicImages::new(labels, seen).mosaic(0, 9, position, target)
        };
        let labels = [0, 0, 1, 2];
        assert_eq!(of(&labels, &labels, 0, 1), Err(NotApplicable::AnotherClass));
        let unseen = of(&labels, &[1, 0, 1, 2], 0, 0);
        assert_eq!(unseen, Err(NotApplicable::Unrecognised));
        let alone = Err(NotApplicable::NoSecondImage);
        assert_eq!(of(&labels, &labels, 2, 1), alone);
        assert_eq!(of(&labels, &[0, 1, 1, 2], 0, 0), alone);
        assert_eq!(of(&[0], &[0], 0, 0), alone);
        let none = Err(NotApplicable::NoOtherClass);
        assert_eq!(of(&[0; 4], &[0; 4], 0, 0), none);
        assert_eq!(of(&labels, &[0, 0, 0, 2], 0, 0), none);
        assert_eq!(of(&[], &[], 0, 0), Err(NotApplicable::Empty));
    }
}
