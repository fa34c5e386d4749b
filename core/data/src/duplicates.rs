//! Leakage: rows that stand in more than one split of a set, exactly or nearly.

use std::collections::HashMap;
use std::fmt;

use rayon::prelude::*;

use crate::set::{DataSet, Split, Values};

/// A split of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// [`DataSet::train`].
    Train,
    /// [`DataSet::validation`].
    Validation,
    /// [`DataSet::test`].
    Test,
    /// [`DataSet::photos`].
    Photos,
}

impl Part {
    /// All, in the order in which they are compared.
    pub const ALL: [Self; 4] = [Self::Train, Self::Validation, Self::Test, Self::Photos];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::Photos => "photos",
        })
    }
}

impl DataSet {
    /// The split of that name.
    pub fn part(&self, part: Part) -> &Split {
        match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
            Part::Photos => &self.photos,
        }
    }
}

/// A row of a split that stands in an earlier split too.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicate {
    /// The later split and the row in it.
    pub copy: (Part, usize),
    /// The earlier split and the row in it: the first of those most similar.
    pub original: (Part, usize),
    /// Whether both carry the same label.
    pub same_label: bool,
    /// How similar they are, at most 1; exactly 1 for equal pixels or features.
    pub similarity: f32,
}

/// Similarity from which on two images count as near duplicates.
///
/// Chosen by eye on BUSI, of whose repeated pictures Pawłowska, Karwat and Żołek tell (Data
/// in Brief 48:109247, 2023): of 30 pairs of its pictures at 64×64 between 0.94 and 0.99,
/// the 29 from 0.949 on show one view twice, with other contrast or caliper marks, and the
/// one at 0.943 does not. No threshold divides every set cleanly, so the pairs are
/// candidates to look at (Barz, Denzler, "Do we train on test data? Purging CIFAR of
/// near-duplicates", J. Imaging 6(6):41, 2020, look at theirs for the same reason). On sets
/// whose images look alike by nature far more pairs are found than there are duplicates:
/// in Fashion-MNIST 1,600 test images reach 0.97.
pub const NEAR_DUPLICATE: f32 = 0.95;

/// Exact leakage: rows whose pixels or features equal those of a row in an earlier split
/// (train, validation, test, photos), whatever the labels, in order.
pub fn duplicates(set: &DataSet) -> Vec<Duplicate> {
    let mut first: HashMap<Key<'_>, (Part, usize)> = HashMap::new();
    let mut found = Vec::new();
    for part in Part::ALL {
        let split = set.part(part);
        for row in 0..split.len() {
            if let Some(&(earlier, at)) = first.get(&key(split, row)) {
                found.push(Duplicate {
                    copy: (part, row),
                    original: (earlier, at),
                    same_label: split.label(row) == set.part(earlier).label(at),
                    similarity: 1.0,
                });
            }
        }
        // Repeats within a split are no leak, so they are added only now.
        for row in 0..split.len() {
            first.entry(key(split, row)).or_insert((part, row));
        }
    }
    found
}

/// A row's content to compare by; zero has one sign.
#[derive(PartialEq, Eq, Hash)]
enum Key<'s> {
    Pixels(&'s [u8]),
    Features(Vec<u32>),
}

fn key(split: &Split, row: usize) -> Key<'_> {
    let range = row * split.row_len()..(row + 1) * split.row_len();
    match &split.values {
        Values::Pixels(all) => Key::Pixels(&all[range]),
        Values::Features(all) => {
            Key::Features(all[range].iter().map(|v| (v + 0.0).to_bits()).collect())
        }
    }
}

/// Near leakage: for each image of a split the most similar image of the earlier splits,
/// where that reaches `threshold` (0 to 1; [`NEAR_DUPLICATE`]), in order. Exact duplicates
/// are among them. Empty for tables.
///
/// Similarity is the correlation coefficient of the grey values (normalised
/// cross-correlation without shift: indifferent to brightness and contrast) at 32×32, or
/// the images' own size where that is less. Pairs whose 8×8 thumbnails correlate by less
/// than the threshold are passed over. Mirrored, turned or strongly cropped copies are not
/// found. Compares all pairs: 10,000 images with 60,000 take seconds.
pub fn near_duplicates(set: &DataSet, threshold: f32) -> Vec<Duplicate> {
    let mut found = Vec::new();
    let views: Vec<[Views; 2]> = Part::ALL
        .iter()
        .map(|&part| [8, 32].map(|side| Views::of(set.part(part), side)))
        .collect();
    for (later, part) in Part::ALL.into_iter().enumerate() {
        let split = set.part(part);
        let best = |row: usize| -> Option<Duplicate> {
            let mut best: Option<Duplicate> = None;
            for (earlier, &other) in Part::ALL[..later].iter().enumerate() {
                let [coarse, fine] = &views[earlier];
                for at in 0..set.part(other).len() {
                    if views[later][0].similarity(row, coarse, at) < threshold {
                        continue;
                    }
                    let equal = split.pixels(row) == set.part(other).pixels(at);
                    let similarity = if equal {
                        1.0
                    } else {
                        // Only equal images reach 1.
                        let below = f32::from_bits(1.0f32.to_bits() - 1);
                        views[later][1].similarity(row, fine, at).min(below)
                    };
                    let better = best.as_ref().is_none_or(|b| b.similarity < similarity);
                    if similarity >= threshold && better {
                        best = Some(Duplicate {
                            copy: (part, row),
                            original: (other, at),
                            same_label: split.label(row) == set.part(other).label(at),
                            similarity,
                        });
                    }
                }
            }
            best
        };
        if !split.is_table() {
            let rows: Vec<Option<Duplicate>> = (0..split.len()).into_par_iter().map(best).collect();
            found.extend(rows.into_iter().flatten());
        }
    }
    found
}

/// Small grey versions of a split's images, each of mean 0 and length 1 (or all 0, for an
/// image of one tone).
struct Views {
    len: usize,
    all: Vec<f32>,
}

/// Sums run in this many lanes, in a fixed order.
const LANES: usize = 16;

impl Views {
    fn of(split: &Split, side: usize) -> Self {
        let [_, h, w] = split.plane();
        let (vh, vw) = (h.min(side), w.min(side));
        let len = (vh * vw).next_multiple_of(LANES);
        let rows = if split.is_table() { 0 } else { split.len() };
        let mut all = vec![0.0; rows * len];
        all.par_chunks_mut(len.max(1))
            .enumerate()
            .for_each(|(row, view)| {
                if let Some(pixels) = split.pixels(row) {
                    small(pixels, [h, w], [vh, vw], view);
                }
            });
        Self { len, all }
    }

    fn similarity(&self, row: usize, other: &Self, at: usize) -> f32 {
        let a = &self.all[row * self.len..(row + 1) * self.len];
        let b = &other.all[at * self.len..(at + 1) * self.len];
        let mut lanes = [0.0f32; LANES];
        for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
            for lane in 0..LANES {
                lanes[lane] += a[lane] * b[lane];
            }
        }
        lanes.iter().sum()
    }
}

/// Means over blocks and channels, then centred and scaled.
fn small(pixels: &[u8], [h, w]: [usize; 2], [vh, vw]: [usize; 2], view: &mut [f32]) {
    let block = |at: usize, of: usize, from: usize| at * from / of..(at + 1) * from / of;
    let mut values = Vec::with_capacity(vh * vw);
    for y in 0..vh {
        for x in 0..vw {
            let (rows, columns) = (block(y, vh, h), block(x, vw, w));
            let count = (rows.len() * columns.len() * (pixels.len() / (h * w))) as f64;
            let mut sum = 0u64;
            for plane in pixels.chunks_exact(h * w) {
                for row in rows.clone() {
                    let part = &plane[row * w..][columns.clone()];
                    sum += part.iter().map(|&p| u64::from(p)).sum::<u64>();
                }
            }
            values.push(sum as f64 / count);
        }
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let length = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
    if length > 1e-9 {
        let scale = length.sqrt().recip();
        for (out, value) in view.iter_mut().zip(values) {
            *out = ((value - mean) * scale) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Origin;

    fn images(side: usize, images: &[Vec<u8>], labels: &[u16]) -> Split {
        Split {
            shape: vec![1, side, side],
            values: Values::Pixels(images.concat()),
            labels: labels.to_vec(),
            ..Split::default()
        }
    }

    fn set(train: Split, validation: Split, test: Split) -> DataSet {
        DataSet {
            id: "x".into(),
            version: 1,
            classes: vec!["a".into(), "b".into()],
            features: Vec::new(),
            shape: test.shape.clone(),
            photos: Split {
                shape: test.shape.clone(),
                ..Split::default()
            },
            train,
            validation,
            test,
            content_hash: [0; 32],
            origin: Origin::Generated,
            notes: Vec::new(),
        }
    }

    #[test]
    fn exact_duplicates_across_splits_are_named_with_their_labels() {
        let of = |values: &[u8], labels: &[u16]| {
            let all: Vec<Vec<u8>> = values.iter().map(|&v| vec![v; 4]).collect();
            images(2, &all, labels)
        };
        let set = set(
            of(&[1, 2, 2], &[0, 1, 0]),
            of(&[9, 1, 9], &[0, 1, 0]),
            of(&[3, 2, 9], &[0, 1, 1]),
        );
        let found: Vec<_> = duplicates(&set)
            .into_iter()
            .map(|d| (d.copy, d.original, d.same_label, d.similarity))
            .collect();
        let expected = [
            ((Part::Validation, 1), (Part::Train, 0), false, 1.0),
            ((Part::Test, 1), (Part::Train, 1), true, 1.0),
            ((Part::Test, 2), (Part::Validation, 0), false, 1.0),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn rows_of_a_table_are_compared_by_value() {
        let table = |values: &[f32]| Split {
            shape: vec![2],
            values: Values::Features(values.to_vec()),
            labels: vec![0; values.len() / 2],
            ..Split::default()
        };
        let set = set(
            table(&[1.0, 0.0]),
            table(&[]),
            table(&[1.0, -0.0, 0.0, 1.0]),
        );
        let found = duplicates(&set);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].copy, (Part::Test, 0));
        assert!(near_duplicates(&set, 0.5).is_empty());
    }

    #[test]
    fn near_duplicates_are_indifferent_to_brightness_and_contrast() {
        let picture = |scale: u32, shift: u32, noise: u32| -> Vec<u8> {
            let pixel = |i: u32| (i * i * 7 + i / 16 * 31) % 97;
            let value = |i: u32| pixel(i) * scale / 2 + shift + (i * 13 % 7) * noise;
            (0..256).map(|i| value(i) as u8).collect()
        };
        let other: Vec<u8> = (0..256u32).map(|i| (i * 89 % 251) as u8).collect();
        let flat = vec![9; 256];
        let train = images(
            16,
            &[other.clone(), picture(2, 0, 0), flat.clone()],
            &[0, 1, 0],
        );
        let test = images(
            16,
            &[
                picture(1, 90, 0),
                picture(2, 20, 1),
                flat,
                vec![8; 256],
                other,
            ],
            &[1, 0, 0, 0, 0],
        );
        let empty = images(16, &[], &[]);
        let found = near_duplicates(&set(train, empty, test), NEAR_DUPLICATE);
        let pairs: Vec<_> = found.iter().map(|d| (d.copy.1, d.original.1)).collect();
        // An image of one tone correlates with nothing.
        assert_eq!(pairs, [(0, 1), (1, 1), (4, 0)]);
        assert!(found[0].similarity > 0.999 && found[0].similarity < 1.0);
        assert!(found[0].same_label && !found[1].same_label);
        assert_eq!(found[2].similarity, 1.0);
    }
}
