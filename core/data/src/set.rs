//! What a loaded set is: splits of images or table rows, with labels and object masks.

use std::fmt;
use std::path::PathBuf;

use crate::mask;

/// A verified data set: 8-bit images or rows of numbers, with class labels.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// Name, with the options that differ from the defaults: `fashion-mnist`, `busi`,
    /// `busi_size-96`. Made of `[a-z0-9-_.]` alone, so it may name a folder.
    pub id: String,
    /// Version of the set's content; for a generated set, of its generator.
    pub version: u32,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Names of a table's columns; empty for images.
    pub features: Vec<String>,
    /// Shape of one row: `[channels, height, width]` of an image, `[columns]` of a table.
    pub shape: Vec<usize>,
    /// Training split; empty unless loaded with [`crate::Splits::All`].
    pub train: Split,
    /// The set's own validation split; may be empty.
    pub validation: Split,
    /// Test split.
    pub test: Split,
    /// Out-of-sample photographs, prepared like the set's images; empty unless loaded
    /// with [`crate::Splits::PhotosOnly`].
    pub photos: Split,
    /// SHA-256 that stands for all that decides the set's content: its files' pinned or
    /// computed digests and the options. The same whichever of train, validation and test
    /// were loaded; of the photographs too when these were. Never depends on a path.
    pub content_hash: [u8; 32],
    /// Where it came from, for messages only.
    pub origin: Origin,
    /// What was done to the content that a reader of results should know, one sentence
    /// each: "3 images had 16 bits a channel and were scaled to 8".
    pub notes: Vec<String>,
}

impl DataSet {
    /// [`DataSet::content_hash`] in lower-case hexadecimal.
    pub fn content_hash_hex(&self) -> String {
        crate::digest::hex(&self.content_hash)
    }
}

/// Rows of one shape with labels and, perhaps, object masks.
#[derive(Debug, Clone, Default)]
pub struct Split {
    /// Shape of one row: `[channels, height, width]` of an image, `[columns]` of a table.
    pub shape: Vec<usize>,
    /// The rows themselves.
    pub values: Values,
    /// Class index of each row.
    pub labels: Vec<u16>,
    /// How the object in an image is known.
    pub masks: Masks,
    /// Where the planted cause (a watermark that gives the class away) lies: 0 or 1,
    /// `[n, h, w]`. Only `garments-shortcut` has one.
    pub cause: Option<Vec<u8>>,
    /// Where shapes lie that say nothing about the class: 0 or 1, `[n, h, w]`; `None` when
    /// the set has none.
    pub distractors: Option<Vec<u8>>,
    /// File name or line of each row, as people would look for it; may be empty.
    pub names: Vec<String>,
}

/// The rows of a split.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Pixels, `[n, c, h, w]` row-major, 0 to 255.
    Pixels(Vec<u8>),
    /// A table's numbers, `[n, d]` row-major, finite, in their own units.
    Features(Vec<f32>),
}

impl Default for Values {
    fn default() -> Self {
        Self::Pixels(Vec::new())
    }
}

/// How the object's pixels are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Masks {
    /// Not at all.
    #[default]
    None,
    /// Exactly: 0 or 1, `[n, h, w]`.
    Exact(Vec<u8>),
    /// Of some images only.
    Partial {
        /// 0 or 1, `[n, h, w]`; all 0 where the mask is absent.
        masks: Vec<u8>,
        /// Whether the image has a mask, `[n]`.
        present: Vec<bool>,
    },
    /// By rule: pixels above 0, closed with a 3×3 cross ([`mask::object_by_rule`]),
    /// computed when asked for. Only for sets whose background is exactly 0.
    Rule,
}

impl Split {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of values in one row: `c·h·w`, or the number of columns.
    pub fn row_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The row as channels, height and width; a table of `d` columns is `[1, 1, d]`.
    pub fn plane(&self) -> [usize; 3] {
        match self.shape[..] {
            [c, h, w] => [c, h, w],
            _ => [1, 1, self.row_len()],
        }
    }

    /// Whether the rows are a table's, not images.
    pub fn is_table(&self) -> bool {
        matches!(self.values, Values::Features(_))
    }

    /// Pixels of image `i`, `[c, h, w]`; `None` for a table.
    ///
    /// # Panics
    /// If `i` is not below [`Split::len`].
    pub fn pixels(&self, i: usize) -> Option<&[u8]> {
        let n = self.row_len();
        match &self.values {
            Values::Pixels(all) => Some(&all[i * n..(i + 1) * n]),
            Values::Features(_) => None,
        }
    }

    /// Class index of row `i`.
    ///
    /// # Panics
    /// If `i` is not below [`Split::len`].
    pub fn label(&self, i: usize) -> usize {
        usize::from(self.labels[i])
    }

    /// Class indices of several rows.
    ///
    /// # Panics
    /// If a row is not below [`Split::len`].
    pub fn labels_of(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().map(|&i| self.label(i)).collect()
    }

    /// Writes row `i` as a model gets it into `out`, which is emptied first: each pixel
    /// divided by 255, features as they are.
    ///
    /// # Panics
    /// If `i` is not below [`Split::len`].
    pub fn row_f32(&self, i: usize, out: &mut Vec<f32>) {
        self.rows_f32(&[i], out);
    }

    /// Writes several rows as a model gets them, `[rows.len(), row_len]`, into `out`,
    /// which is emptied first: each pixel divided by 255, features as they are.
    ///
    /// # Panics
    /// If a row is not below [`Split::len`].
    pub fn rows_f32(&self, rows: &[usize], out: &mut Vec<f32>) {
        let n = self.row_len();
        out.clear();
        out.reserve(rows.len() * n);
        for &i in rows {
            let range = i * n..(i + 1) * n;
            match &self.values {
                Values::Pixels(all) => {
                    out.extend(all[range].iter().map(|&p| f32::from(p) / 255.0));
                }
                Values::Features(all) => out.extend_from_slice(&all[range]),
            }
        }
    }

    /// The object's pixels in image `i`, `[h, w]`; `None` when it has no mask.
    ///
    /// # Panics
    /// If `i` is not below [`Split::len`].
    pub fn mask(&self, i: usize) -> Option<Vec<bool>> {
        let [c, h, w] = self.plane();
        match &self.masks {
            Masks::None => None,
            Masks::Exact(all) => Some(bits(all, i, h * w)),
            Masks::Partial { masks, present } => present[i].then(|| bits(masks, i, h * w)),
            Masks::Rule => Some(mask::object_by_rule(self.pixels(i)?, c, h, w)),
        }
    }

    /// The planted cause's pixels in image `i`, `[h, w]`; `None` when the set has none.
    ///
    /// # Panics
    /// If `i` is not below [`Split::len`].
    pub fn cause(&self, i: usize) -> Option<Vec<bool>> {
        let [_, h, w] = self.plane();
        self.cause.as_ref().map(|all| bits(all, i, h * w))
    }

    /// The visible distractors' pixels in image `i`, `[h, w]`; `None` when the set has none.
    ///
    /// # Panics
    /// If `i` is not below [`Split::len`].
    pub fn distractors(&self, i: usize) -> Option<Vec<bool>> {
        let [_, h, w] = self.plane();
        self.distractors.as_ref().map(|all| bits(all, i, h * w))
    }

    /// Number of rows of each of `n_classes` classes.
    pub fn class_counts(&self, n_classes: usize) -> Vec<usize> {
        let mut counts = vec![0; n_classes];
        for &label in &self.labels {
            if let Some(count) = counts.get_mut(usize::from(label)) {
                *count += 1;
            }
        }
        counts
    }
}

fn bits(all: &[u8], i: usize, len: usize) -> Vec<bool> {
    all[i * len..(i + 1) * len]
        .iter()
        .map(|&v| v != 0)
        .collect()
}

/// Where a set came from. For messages; never part of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Read from files in this folder.
    Files {
        /// The folder.
        folder: PathBuf,
        /// Which step of the search found it.
        place: Place,
    },
    /// Downloaded into this folder by this call.
    Downloaded {
        /// The folder.
        folder: PathBuf,
    },
    /// Drawn by the program.
    Generated,
}

/// A step of the search order of [`crate::Locate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The root that the caller named.
    Root,
    /// `$XBENCH_DATA`.
    Environment,
    /// `./data`.
    Local,
    /// The user's cache.
    Cache,
    /// The folder that a description names.
    Description,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "the named root",
            Self::Environment => "$XBENCH_DATA",
            Self::Local => "./data",
            Self::Cache => "the cache",
            Self::Description => "named by its description",
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { folder, place } => write!(f, "{} ({place})", folder.display()),
            Self::Downloaded { folder } => write!(f, "downloaded to {}", folder.display()),
            Self::Generated => f.write_str("generated by the program"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split() -> Split {
        Split {
            shape: vec![1, 2, 2],
            values: Values::Pixels(vec![0, 51, 102, 255, 5, 0, 0, 0]),
            labels: vec![3, 1],
            masks: Masks::Exact(vec![0, 1, 1, 1, 1, 0, 0, 0]),
            ..Split::default()
        }
    }

    #[test]
    fn rows_are_divided_by_255_in_the_order_asked() {
        let mut out = vec![9.0; 3];
        split().rows_f32(&[1, 0], &mut out);
        assert_eq!(out, [5.0 / 255.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.4, 1.0]);
        split().row_f32(0, &mut out);
        assert_eq!(out, [0.0, 0.2, 0.4, 1.0]);
        assert_eq!(split().pixels(1), Some(&[5, 0, 0, 0][..]));
    }

    #[test]
    fn features_are_given_as_they_are() {
        let table = Split {
            shape: vec![2],
            values: Values::Features(vec![0.5, 300.0, -1.0, 2.0]),
            labels: vec![0, 1],
            ..Split::default()
        };
        let mut out = Vec::new();
        table.rows_f32(&[1, 0], &mut out);
        assert_eq!(out, [-1.0, 2.0, 0.5, 300.0]);
        assert!(table.is_table() && !split().is_table());
        assert_eq!((table.plane(), split().plane()), ([1, 1, 2], [1, 2, 2]));
        assert_eq!((table.pixels(0), table.mask(0)), (None, None));
    }

    #[test]
    fn masks_are_cut_per_image() {
        assert_eq!(split().mask(0), Some(vec![false, true, true, true]));
        assert_eq!(split().mask(1), Some(vec![true, false, false, false]));
        let with = |masks| Split { masks, ..split() };
        assert_eq!(with(Masks::None).mask(0), None);
        let partial = with(Masks::Partial {
            masks: vec![0, 0, 0, 0, 1, 0, 0, 1],
            present: vec![false, true],
        });
        assert_eq!(partial.mask(0), None);
        assert_eq!(partial.mask(1), Some(vec![true, false, false, true]));
        assert_eq!(split().class_counts(4), [0, 1, 0, 1]);
    }
}
