//! One image file and its masks to pixels at the set's size.

use std::path::Path;

use image::{DynamicImage, GrayImage};

use super::document::{Images, MaskFiles};
use super::fit;
use super::folder::Item;
use crate::digest::{hex, sha256};
use crate::error::{DataError, Result};
use crate::picture::{self, Limits};

/// Most bytes in an image file.
const MAX_FILE: u64 = 256 << 20;
const LIMITS: Limits = Limits {
    max_side: 65_535,
    max_pixels: 50_000_000,
    min_side: (1, "remove the picture"),
};

/// An item's digests and, where asked for, its pixels.
pub(crate) struct Read {
    /// Path in the data folder and SHA-256 of each file read.
    pub(crate) sums: Vec<(String, String)>,
    pub(crate) decoded: Option<Decoded>,
}

/// An item's pixels.
pub(crate) struct Decoded {
    /// `[c, h, w]`.
    pub(crate) pixels: Vec<u8>,
    /// 0 or 1, `[h, w]`.
    pub(crate) mask: Option<Vec<u8>>,
    pub(crate) traits: Traits,
}

/// What was found in a file that a reader of results should know.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traits {
    pub(crate) sixteen_bits: bool,
    pub(crate) transparent: bool,
    pub(crate) turned: bool,
    pub(crate) enlarged: bool,
    pub(crate) mask_resized: bool,
    pub(crate) unlabelled: bool,
}

impl Traits {
    /// One sentence per trait that any of the images has.
    pub(crate) fn notes(all: &[Self]) -> Vec<String> {
        type Named = (fn(&Traits) -> bool, &'static str);
        let named: [Named; 6] = [
            (
                |t| t.sixteen_bits,
                "images had 16 bits a channel and were scaled to 8",
            ),
            (
                |t| t.transparent,
                "images had transparency and were laid on white",
            ),
            (|t| t.turned, "images were turned upright as EXIF says"),
            (
                |t| t.enlarged,
                "images were smaller than the set's size and were enlarged",
            ),
            (
                |t| t.mask_resized,
                "masks had another size than their image, of the same aspect",
            ),
            (
                |t| t.unlabelled,
                "masks have unlabelled pixels, which count as not object",
            ),
        ];
        let counted = named.into_iter().map(|(has, text)| {
            let count = all.iter().filter(|&t| has(t)).count();
            (count, text)
        });
        counted
            .filter(|&(count, _)| count > 0)
            .map(|(count, text)| format!("{count} {text}"))
            .collect()
    }
}

/// Reads an item; decodes it where `wanted`.
pub(crate) fn read(spec: &Images, folder: &Path, item: &Item, wanted: bool) -> Result<Read> {
    let mut sums = Vec::with_capacity(1 + item.masks.len());
    let mut open = |relative: &str| {
        let path = folder.join(relative);
        let bytes = picture::read_file(&path, MAX_FILE)?;
        sums.push((relative.to_owned(), hex(&sha256(&bytes))));
        Ok::<_, DataError>((path, bytes))
    };
    let (path, bytes) = open(&item.path)?;
    let mut masks = Vec::with_capacity(item.masks.len());
    for mask in &item.masks {
        masks.push(open(mask)?);
    }
    let decoded = if wanted {
        Some(decode(spec, (&path, &bytes), &masks)?)
    } else {
        None
    };
    Ok(Read { sums, decoded })
}

fn decode(
    spec: &Images,
    (path, bytes): (&Path, &[u8]),
    masks: &[(std::path::PathBuf, Vec<u8>)],
) -> Result<Decoded> {
    let picture = picture::decode(bytes, &path.display().to_string(), &LIMITS)?;
    let (width, height) = (picture.image.width(), picture.image.height());
    let color = picture.image.color();
    let [h, w] = spec.size;
    let mut traits = Traits {
        sixteen_bits: color.bytes_per_pixel() > color.channel_count(),
        transparent: color.has_alpha(),
        turned: picture.turned,
        enlarged: (width as usize) < w || (height as usize) < h,
        ..Traits::default()
    };
    let pixels = fit::pixels(&picture.image, spec.colour, spec.fit, spec.size);
    let mut union: Option<Vec<u8>> = None;
    for (mask_path, bytes) in masks {
        let place = mask_path.display().to_string();
        let mask = picture::decode(bytes, &place, &LIMITS)?;
        let found = (mask.image.width(), mask.image.height());
        if found != (width, height) {
            same_aspect(&place, path, found, (width, height))?;
            traits.mask_resized = true;
        }
        let values = on_black(&mask.image);
        let rule = Rule::new(spec.masks.as_ref());
        traits.unlabelled |= rule.check(&values, &place)?;
        let mask = fit::mask(&values, spec.fit, spec.size, |value| rule.is_object(value));
        match &mut union {
            None => union = Some(mask),
            Some(union) => union
                .iter_mut()
                .zip(mask)
                .for_each(|(all, own)| *all |= own),
        }
    }
    Ok(Decoded {
        pixels,
        mask: union,
        traits,
    })
}

/// The mask's values; what is transparent is not object.
fn on_black(mask: &DynamicImage) -> GrayImage {
    if !mask.color().has_alpha() {
        return picture::grey_on_white(mask);
    }
    let mask = mask.to_luma_alpha8();
    GrayImage::from_fn(mask.width(), mask.height(), |x, y| {
        let [value, alpha] = mask.get_pixel(x, y).0;
        image::Luma([(u16::from(value) * u16::from(alpha) / 255) as u8])
    })
}

/// Whether the mask is the image scaled, to within a pixel.
fn same_aspect(place: &str, image: &Path, mask: (u32, u32), of: (u32, u32)) -> Result<()> {
    let product = |a: u32, b: u32| i128::from(a) * i128::from(b);
    let off = (product(mask.0, of.1) - product(mask.1, of.0)).abs();
    // A side that is rounded is off by at most one pixel.
    if off <= i128::from(of.0.max(of.1)) && mask.0 > 1 && mask.1 > 1 {
        return Ok(());
    }
    let turned = (mask.1, mask.0) == of;
    Err(DataError::Photo {
        place: place.to_owned(),
        reason: format!(
            "the mask is {}x{} pixels, its image {} is {}x{}{}",
            mask.0,
            mask.1,
            image.display(),
            of.0,
            of.1,
            if turned {
                " (upright, as its EXIF orientation says)"
            } else {
                ""
            }
        ),
        remedy: "give the mask the size of its image, or at least its aspect".to_owned(),
    })
}

/// Which values of a mask are object.
struct Rule {
    /// By value; `None` where the value is not allowed.
    meaning: [Option<Meaning>; 256],
    /// Whether the description says which values are object.
    listed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Object,
    Unlabelled,
    Ground,
}

impl Rule {
    fn new(masks: Option<&MaskFiles>) -> Self {
        let mut meaning = [None; 256];
        let listed = masks.and_then(|masks| masks.object.as_ref());
        match listed {
            None => {
                for (value, meaning) in meaning.iter_mut().enumerate() {
                    *meaning = Some(if value >= 128 {
                        Meaning::Object
                    } else {
                        Meaning::Ground
                    });
                }
            }
            Some(object) => {
                meaning[0] = Some(Meaning::Ground);
                for &value in object {
                    meaning[usize::from(value)] = Some(Meaning::Object);
                }
            }
        }
        for &value in masks.map_or(&[][..], |masks| &masks.unlabelled) {
            meaning[usize::from(value)] = Some(Meaning::Unlabelled);
        }
        Self {
            meaning,
            listed: listed.is_some(),
        }
    }

    fn is_object(&self, value: u8) -> bool {
        self.meaning[usize::from(value)] == Some(Meaning::Object)
    }

    /// The one value of a mask that marks the object by another number than the description's,
    /// as masks of 0 and 1 do. (Several low values are the noise of a lossy format.)
    fn faint(&self, seen: &[bool; 256]) -> Option<usize> {
        let mut marks = (1..256).filter(|&value| seen[value]);
        let mark = marks.next()?;
        let alone = marks.next().is_none() && self.meaning[mark] == Some(Meaning::Ground);
        (alone && !self.listed).then_some(mark)
    }

    /// Whether there are unlabelled pixels; an error for a value that means nothing.
    fn check(&self, values: &GrayImage, place: &str) -> Result<bool> {
        let mut seen = [false; 256];
        for &value in values.as_raw() {
            seen[usize::from(value)] = true;
        }
        let mut unlabelled = false;
        for (value, _) in seen.iter().enumerate().filter(|(_, seen)| **seen) {
            match self.meaning[value] {
                None => {
                    return Err(DataError::Photo {
                        place: place.to_owned(),
                        reason: format!(
                            "the mask holds the value {value}, which is neither 0 nor object \
                             nor unlabelled"
                        ),
                        remedy: "add the value to object or unlabelled in [images.masks]"
                            .to_owned(),
                    });
                }
                Some(meaning) => unlabelled |= meaning == Meaning::Unlabelled,
            }
        }
        if let Some(value) = self.faint(&seen) {
            return Err(DataError::Photo {
                place: place.to_owned(),
                reason: format!(
                    "the mask holds the value {value} where others hold 128 and above, so that \
                     nothing of it is object"
                ),
                remedy: format!(
                    "say object = [{value}] in [images.masks] if that is the object, or save the \
                     mask with 0 and 255"
                ),
            });
        }
        Ok(unlabelled)
    }
}
