//! Maps of mosaics of which each image is a part.

use xbench_metrics::localisation::{FOCUS, focus};
use xbench_metrics::{NotApplicable, Score};

use super::blocks::Block;
use super::{Challenged, Job, Mosaics, Subject, column_of};

/// Focus of the chunk's images.
pub(super) fn score<S: Subject>(
    job: &Job<'_>,
    mosaics: Mosaics<'_>,
    wanted: &[String],
    subject: &mut S,
    found: &mut Challenged,
) -> Result<(), S::Error> {
    if !wanted.iter().any(|wanted| wanted == FOCUS) {
        return Ok(());
    }
    let plane = job.images.shape;
    let mut scores: Vec<Score> = Vec::with_capacity(job.len());
    let mut rows = mosaics.x.chunks_exact(job.row_len().max(1));
    let mut masks = mosaics.masks.chunks_exact((plane[1] * plane[2]).max(1));
    let mut maps = Vec::new();
    let mut flush = |block: &mut Block<(usize, [bool; 4])>, scores: &mut [Score]| {
        let finite = block.explain(&mut |rows, maps| subject.explain(rows, maps), &mut maps)?;
        let found = maps.chunks_exact(job.row_len().max(1)).zip(finite);
        for (&(image, target), (map, finite)) in block.members.iter().zip(found) {
            scores[image] = match finite {
                true => focus(map, plane, target),
                false => Err(NotApplicable::NonFinite),
            };
        }
        block.clear();
        Ok(())
    };
    let mut block = Block::new();
    for (i, tiles) in mosaics.tiles.iter().take(job.len()).enumerate() {
        // Written over once the map is there.
        scores.push(tiles.and(Err(NotApplicable::Empty)));
        let (Ok(target), Some(mosaic)) = (tiles, tiles.ok().and_then(|_| rows.next())) else {
            continue;
        };
        let objects = masks.next();
        block.push(job, i, job.images.targets[i], (i, *target), |row, mask| {
            row.copy_from_slice(mosaic);
            if let Some(objects) = objects {
                mask.copy_from_slice(objects);
            }
        });
        if block.is_full() {
            flush(&mut block, &mut scores)?;
        }
    }
    flush(&mut block, &mut scores)?;
    found.columns.insert(FOCUS.to_owned(), column_of(scores));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use xbench_metrics::localisation::{MosaicImages, write_mosaic, write_mosaic_mask};

    use super::super::toy::*;
    use super::super::*;

    /// Mosaics of the images of a set as a run makes them, for a model that recognises all of them.
    struct Made {
        tiles: Vec<Result<[bool; 4], NotApplicable>>,
        x: Vec<f32>,
        masks: Vec<u8>,
        /// Which images each one is made of.
        of: Vec<[usize; 4]>,
    }

    fn made(set: &Set, at: std::ops::Range<usize>) -> Made {
        let bytes: Vec<u8> = set
            .pixels
            .iter()
            .map(|x| (x * 255.0).round() as u8)
            .collect();
        let labels: Vec<usize> = set.targets.iter().map(|&t| t as usize).collect();
        let images = MosaicImages::new(&labels, &labels);
        let mut made = Made {
            tiles: Vec::new(),
            x: Vec::new(),
            masks: Vec::new(),
            of: Vec::new(),
        };
        for i in at {
            let mosaic = images.mosaic(5, set.ids[i], i, labels[i]);
            made.tiles.push(mosaic.map(|mosaic| mosaic.target));
            let Ok(mosaic) = mosaic else { continue };
            let mut row = Vec::new();
            let parts = mosaic.images.map(|p| &bytes[p * PIXELS..(p + 1) * PIXELS]);
            write_mosaic(parts, [1, SIDE, SIDE], &mut row).unwrap();
            made.x
                .extend(row.iter().map(|&byte| f32::from(byte) / 255.0));
            let parts = mosaic
                .images
                .map(|p| &set.masks[p * PIXELS..(p + 1) * PIXELS]);
            write_mosaic_mask(parts, mosaic.target, [SIDE, SIDE], &mut made.masks).unwrap();
            made.of.push(mosaic.images);
        }
        made
    }

    fn focused(toy: &mut Toy, set: &Set, at: std::ops::Range<usize>) -> Column {
        let made = made(set, at.clone());
        let mosaics = Mosaics {
            tiles: &made.tiles,
            x: &made.x,
            masks: &made.masks,
        };
        let images = set.images(at.clone());
        let maps = vec![0.0; images.pixels.len()];
        let wanted = words(&[FOCUS]);
        let found = challenge(
            &images,
            mosaics,
            &set.seeds[at],
            &maps,
            &wanted,
            &settings(),
            toy,
        );
        found.unwrap().columns[FOCUS].clone()
    }

    #[test]
    fn it_is_the_share_of_the_mosaics_map() {
        let set = Set::new(12);
        let mut toy = Toy::new(input_x_gradient);
        let found = focused(&mut toy, &set, 0..12);
        let made = made(&set, 0..12);
        let mut mosaics = made.x.chunks_exact(PIXELS);
        let mut scored = 0;
        for (i, tiles) in made.tiles.iter().enumerate() {
            let Ok(tiles) = tiles else {
                assert_eq!(found.values[i], None);
                continue;
            };
            let target = usize::try_from(set.targets[i]).unwrap();
            let map = input_x_gradient(&toy, mosaics.next().unwrap(), target, 0, &[]);
            let (mut inside, mut total) = (0.0, 0.0);
            for (pixel, &a) in map.iter().enumerate().filter(|(_, a)| **a > 0.0) {
                let (lower, right) = (pixel / SIDE >= SIDE / 2, pixel % SIDE >= SIDE / 2);
                total += f64::from(a);
                if tiles[2 * usize::from(lower) + usize::from(right)] {
                    inside += f64::from(a);
                }
            }
            assert!((found.values[i].unwrap() - inside / total).abs() < 1e-9);
            scored += 1;
        }
        assert!(scored > 6, "{scored}");
        assert_eq!(
            toy.explained.get(),
            scored,
            "one map for each image that has a mosaic"
        );
    }

    #[test]
    fn controls_score_what_they_know() {
        let set = Set::new(300);
        // The mask of a mosaic marks the explained objects.
        let oracle = focused(&mut Toy::new(the_mask), &set, 0..300);
        assert!(oracle.values.iter().flatten().all(|&value| value == 1.0));
        let random = focused(&mut Toy::new(seeded), &set, 0..300);
        let values: Vec<f64> = random.values.into_iter().flatten().collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!(values.len() > 250 && (mean - 0.5).abs() < 0.01, "{mean}");
        let flat = focused(&mut Toy::new(constant), &set, 0..9);
        assert!(flat.values.iter().flatten().all(|&value| value == 0.5));
    }

    #[test]
    fn an_image_has_its_mosaic_in_any_company() {
        let set = Set::new(200);
        let whole = focused(&mut Toy::new(fragile), &set, 0..200);
        let first = focused(&mut Toy::new(fragile), &set, 0..13);
        let second = focused(&mut Toy::new(fragile), &set, 13..200);
        assert_eq!(whole.values, [first.values, second.values].concat());
        let broken = whole.reasons["non_finite"];
        assert!(broken > 0 && broken < 200, "{broken}");
    }

    #[test]
    fn reasons_are_those_of_the_mosaics() {
        let set = Set::new(3);
        let images = set.images(0..3);
        let tiles = [
            Err(NotApplicable::Unrecognised),
            Err(NotApplicable::NotAnImage),
            Ok([true, false, false, true]),
        ];
        let mosaics = Mosaics {
            tiles: &tiles,
            x: &[0.0; PIXELS],
            masks: &[],
        };
        let mut toy = Toy::new(input_x_gradient);
        let maps = vec![0.0; 3 * PIXELS];
        let wanted = words(&[FOCUS]);
        let found = challenge(
            &images,
            mosaics,
            &set.seeds,
            &maps,
            &wanted,
            &settings(),
            &mut toy,
        );
        let column = &found.unwrap().columns[FOCUS];
        let reasons = ["unrecognised", "not_an_image", "zero_relevance"];
        let expected: BTreeMap<String, u64> = reasons
            .iter()
            .map(|&reason| (reason.to_owned(), 1))
            .collect();
        assert_eq!(
            (&column.reasons, &column.values),
            (&expected, &vec![None; 3])
        );
        assert_eq!(toy.explained.get(), 1);
    }
}
