//! What a loaded set is: two splits of pixels, labels and object masks.

use std::fmt;
use std::path::PathBuf;

use crate::mask;

/// A verified data set of 8-bit images with class labels.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// Name, as in [`crate::known`]: `fashion-mnist`, `garments`, ...
    pub id: String,
    /// Version of the set's content; for a generated set, of its generator.
    pub version: u32,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Shape of one image: channels, height, width.
    pub shape: [usize; 3],
    /// Training split; empty when loaded with [`crate::Splits::TestOnly`].
    pub train: Split,
    /// Test split.
    pub test: Split,
    /// SHA-256 that stands for the set's whole content, both splits, whichever was
    /// loaded. Derived from the name, the version and the pinned digest of every part,
    /// each of which was verified when loaded. Never depends on a path.
    pub content_hash: [u8; 32],
    /// Where it came from, for messages only.
    pub origin: Origin,
}

impl DataSet {
    /// [`DataSet::content_hash`] in lower-case hexadecimal.
    pub fn content_hash_hex(&self) -> String {
        crate::digest::hex(&self.content_hash)
    }
}

/// Images of one shape with labels and, perhaps, object masks.
#[derive(Debug, Clone, Default)]
pub struct Split {
    /// Shape of one image: channels, height, width.
    pub shape: [usize; 3],
    /// Pixels, `[n, c, h, w]` row-major, 0 to 255.
    pub images: Vec<u8>,
    /// Class index of each image.
    pub labels: Vec<u8>,
    /// How the object in an image is known.
    pub masks: Masks,
    /// Where the planted cause (a watermark that gives the class away) lies: 0 or 1,
    /// `[n, h, w]`. Only `garments-shortcut` has one.
    pub cause: Option<Vec<u8>>,
}

/// How the object's pixels are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Masks {
    /// Not at all.
    #[default]
    None,
    /// Exactly: 0 or 1, `[n, h, w]`.
    Exact(Vec<u8>),
    /// By rule: pixels above 0, closed with a 3×3 cross ([`mask::object_by_rule`]),
    /// computed when asked for. Only for sets whose background is exactly 0.
    Rule,
}

impl Split {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of values in one image, `c·h·w`.
    pub fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Pixels of image `i`, `[c, h, w]`.
    ///
    /// # Panics
    /// If `i` is not below [`Split::len`].
    pub fn image(&self, i: usize) -> &[u8] {
        let n = self.image_len();
        &self.images[i * n..(i + 1) * n]
    }

    /// Class index of image `i`.
    ///
    /// # Panics
    /// If `i` is not below [`Split::len`].
    pub fn label(&self, i: usize) -> usize {
        usize::from(self.labels[i])
    }

    /// Class indices of several images.
    ///
    /// # Panics
    /// If a row is not below [`Split::len`].
    pub fn labels_of(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().map(|&i| self.label(i)).collect()
    }

    /// Writes the images `rows` as `[rows.len(), c, h, w]`, each pixel divided by 255,
    /// into `out`, which is emptied first.
    ///
    /// # Panics
    /// If a row is not below [`Split::len`].
    pub fn rows_f32(&self, rows: &[usize], out: &mut Vec<f32>) {
        out.clear();
        out.reserve(rows.len() * self.image_len());
        for &i in rows {
            out.extend(self.image(i).iter().map(|&p| f32::from(p) / 255.0));
        }
    }

    /// The object's pixels in image `i`, `[h, w]`; `None` when the set has no masks.
    ///
    /// # Panics
    /// If `i` is not below [`Split::len`].
    pub fn mask(&self, i: usize) -> Option<Vec<bool>> {
        let [c, h, w] = self.shape;
        match &self.masks {
            Masks::None => None,
            Masks::Exact(all) => Some(plane(all, i, h * w)),
            Masks::Rule => Some(mask::object_by_rule(self.image(i), c, h, w)),
        }
    }

    /// The planted cause's pixels in image `i`, `[h, w]`; `None` when the set has none.
    ///
    /// # Panics
    /// If `i` is not below [`Split::len`].
    pub fn cause(&self, i: usize) -> Option<Vec<bool>> {
        let [_, h, w] = self.shape;
        self.cause.as_ref().map(|all| plane(all, i, h * w))
    }

    /// Number of images of each of `n_classes` classes.
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

fn plane(all: &[u8], i: usize, len: usize) -> Vec<bool> {
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
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "the named root",
            Self::Environment => "$XBENCH_DATA",
            Self::Local => "./data",
            Self::Cache => "the cache",
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
            shape: [1, 2, 2],
            images: vec![0, 51, 102, 255, 5, 0, 0, 0],
            labels: vec![3, 1],
            masks: Masks::Exact(vec![0, 1, 1, 1, 1, 0, 0, 0]),
            cause: None,
        }
    }

    #[test]
    fn rows_are_divided_by_255_in_the_order_asked() {
        let mut out = vec![9.0; 3];
        split().rows_f32(&[1, 0], &mut out);
        assert_eq!(out, [5.0 / 255.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.4, 1.0]);
    }

    #[test]
    fn masks_are_cut_per_image() {
        assert_eq!(split().mask(0), Some(vec![false, true, true, true]));
        assert_eq!(split().mask(1), Some(vec![true, false, false, false]));
        assert_eq!(
            Split {
                masks: Masks::None,
                ..split()
            }
            .mask(0),
            None
        );
        assert_eq!(split().class_counts(4), [0, 1, 0, 1]);
    }
}
