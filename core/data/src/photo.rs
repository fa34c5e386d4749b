//! A photograph made to look like an image of the data set.
//!
//! The steps follow the procedure the makers of Fashion-MNIST describe (Xiao, Rasul,
//! Vollgraf, arXiv:1708.07747, section 2): trim to the object, scale the longest edge,
//! centre on 28×28, grey, light object on black. Their pictures came on a white ground;
//! here the ground is estimated from the picture's border.
//!
//! A file from a stranger is not trusted: size and memory are limited before anything
//! is decoded.

mod decode;
mod object;
mod scale;

use std::path::Path;

use crate::described::{Colour, Fit, pixels};
use crate::error::Result;
use crate::picture;

/// Side of the prepared image.
pub const SIDE: usize = 28;

/// How to prepare a photograph.
#[derive(Debug, Clone, PartialEq)]
pub struct PhotoOptions {
    /// Longest side of the object in the prepared image, in pixels, 1 to 28.
    pub longest_side: u32,
    /// Longest side accepted, in pixels.
    pub max_side: u32,
    /// Most bytes in the file.
    pub max_file_bytes: u64,
    /// Longest side of [`Prepared::original`], in pixels.
    pub thumbnail_side: u32,
}

impl Default for PhotoOptions {
    fn default() -> Self {
        Self {
            longest_side: 26,
            max_side: 12_000,
            max_file_bytes: 64 << 20,
            thumbnail_side: 256,
        }
    }
}

/// A small colour picture for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pixels, `[height, width, 3]`, red, green, blue.
    pub rgb: Vec<u8>,
}

/// A photograph as a model of the data set would see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Pixels, `[1, 28, 28]`; the background is exactly 0, the object above 0.
    pub pixels: Vec<u8>,
    /// The upright photograph, made smaller.
    pub original: Thumbnail,
    /// What was done and found, one line each, for people.
    pub steps: Vec<String>,
}

/// Prepares the photograph in a JPEG or PNG file.
///
/// # Errors
/// [`crate::DataError::Io`], [`crate::DataError::NotAFile`], and [`crate::DataError::Photo`] when it is no
/// such picture, is damaged, too large, or shows no object that stands out.
pub fn prepare_file(path: &Path, options: &PhotoOptions) -> Result<Prepared> {
    let bytes = picture::read_file(path, options.max_file_bytes)?;
    prepare_from(&bytes, &path.display().to_string(), options)
}

/// Prepares the photograph in the bytes of a JPEG or PNG file.
///
/// # Errors
/// [`crate::DataError::Photo`], as [`prepare_file`].
pub fn prepare(bytes: &[u8], options: &PhotoOptions) -> Result<Prepared> {
    prepare_from(bytes, "image in memory", options)
}

/// Reads a photograph as the images of a set of photographs are read: decoded, turned upright,
/// stretched to `[channels, height, width]` (1 channel: grey, 3: red, green, blue). Nothing is
/// looked for or cut out.
///
/// # Errors
/// As [`prepare_file`], but for an object that cannot be found; [`crate::DataError::Photo`] for
/// another number of channels.
pub fn read_file_as(path: &Path, shape: [usize; 3], options: &PhotoOptions) -> Result<Prepared> {
    let [channels, height, width] = shape;
    let place = path.display().to_string();
    let colour = match channels {
        1 => Colour::Grey,
        3 => Colour::Rgb,
        _ => {
            return Err(crate::DataError::Photo {
                place,
                reason: format!("the set's images have {channels} channels"),
                remedy: "explain rows of the set instead: --data SET:test[0..4]".to_owned(),
            });
        }
    };
    let bytes = picture::read_file(path, options.max_file_bytes)?;
    let mut steps = Vec::new();
    let picture = decode::decode(&bytes, &place, options, &mut steps)?;
    steps.push(format!("stretched to {width}×{height}"));
    Ok(Prepared {
        original: decode::thumbnail(&picture, options.thumbnail_side),
        pixels: pixels(&picture.into(), colour, Fit::Stretch, [height, width]),
        steps,
    })
}

fn prepare_from(bytes: &[u8], place: &str, options: &PhotoOptions) -> Result<Prepared> {
    if bytes.len() as u64 > options.max_file_bytes {
        return Err(picture::too_large(place, options.max_file_bytes));
    }
    let longest_side = options.longest_side.clamp(1, SIDE as u32) as usize;
    let mut steps = Vec::new();
    let picture = decode::decode(bytes, place, options, &mut steps)?;
    let found = object::find(&picture, place, &mut steps)?;
    let pixels = scale::centred(&picture, &found, longest_side, &mut steps);
    Ok(Prepared {
        pixels,
        original: decode::thumbnail(&picture, options.thumbnail_side),
        steps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// A dark rectangle 40 wide and 80 high on a light ground, off centre.
    fn rectangle(ground: u8, object: u8) -> RgbImage {
        RgbImage::from_fn(120, 140, |x, y| {
            let inside = (50..90).contains(&x) && (20..100).contains(&y);
            Rgb([if inside { object } else { ground }; 3])
        })
    }

    fn bounds(pixels: &[u8]) -> (usize, usize, usize, usize) {
        let lit = || (0..SIDE * SIDE).filter(|&i| pixels[i] > 0);
        let xs = || lit().map(|i| i % SIDE);
        let ys = || lit().map(|i| i / SIDE);
        (
            xs().min().unwrap(),
            xs().max().unwrap(),
            ys().min().unwrap(),
            ys().max().unwrap(),
        )
    }

    #[test]
    fn a_dark_object_on_light_becomes_light_on_black_scaled_and_centred() {
        let prepared = prepare(&png(rectangle(240, 40)), &PhotoOptions::default()).unwrap();
        // 40 x 80 scaled to 13 x 26, centred: columns 7 or 8 onwards, rows 1 to 26.
        let (left, right, top, bottom) = bounds(&prepared.pixels);
        assert_eq!((top, bottom), (1, 26));
        assert!((12..=14).contains(&(right - left + 1)), "{left}..{right}");
        assert!(
            (left as i64 - (27 - right as i64)).abs() <= 1,
            "{left}..{right}"
        );
        assert_eq!(prepared.pixels[0], 0);
        assert!(prepared.pixels[14 * SIDE + 14] > 150, "the object is light");
        assert_eq!(
            (prepared.original.width, prepared.original.height),
            (120, 140)
        );
    }

    #[test]
    fn a_light_object_on_dark_stays_light() {
        let prepared = prepare(&png(rectangle(10, 220)), &PhotoOptions::default()).unwrap();
        assert!(prepared.pixels[14 * SIDE + 14] > 150);
        assert_eq!(prepared.pixels[0], 0);
    }

    #[test]
    fn transparency_is_ground() {
        let image = RgbaImage::from_fn(60, 60, |x, y| {
            let inside = (20..40).contains(&x) && (10..50).contains(&y);
            if inside {
                Rgba([30, 60, 90, 255])
            } else {
                Rgba([30, 60, 90, 0])
            }
        });
        let prepared = prepare(&png(image), &PhotoOptions::default()).unwrap();
        assert_eq!(prepared.pixels[0], 0);
        assert!(prepared.pixels[14 * SIDE + 14] > 100);
    }

    #[test]
    fn sixteen_bits_give_what_eight_give() {
        let eight = rectangle(240, 40);
        let sixteen = image::ImageBuffer::from_fn(120, 140, |x, y| {
            Luma([u16::from(eight.get_pixel(x, y).0[0]) * 257])
        });
        let a = prepare(&png(eight), &PhotoOptions::default()).unwrap();
        let b = prepare(
            &png(DynamicImage::ImageLuma16(sixteen)),
            &PhotoOptions::default(),
        )
        .unwrap();
        assert_eq!(a.pixels, b.pixels);
    }

    #[test]
    fn orientation_from_exif_is_honoured() {
        // A JPEG with an APP1 segment that says "rotate by 90 degrees clockwise".
        let mut jpeg = std::io::Cursor::new(Vec::new());
        DynamicImage::from(rectangle(240, 40))
            .write_to(&mut jpeg, ImageFormat::Jpeg)
            .unwrap();
        let jpeg = jpeg.into_inner();
        let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01".to_vec();
        exif.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]);
        let mut rotated = jpeg[..2].to_vec();
        rotated.extend([0xff, 0xe1]);
        rotated.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
        rotated.extend(exif);
        rotated.extend(&jpeg[2..]);
        let prepared = prepare(&rotated, &PhotoOptions::default()).unwrap();
        assert_eq!(
            (prepared.original.width, prepared.original.height),
            (140, 120)
        );
        let (left, right, top, bottom) = bounds(&prepared.pixels);
        assert!(
            right - left > bottom - top,
            "the rectangle lies on its side"
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_a_reason() {
        let refuse = |bytes: &[u8], needle: &str| {
            let error = prepare(bytes, &PhotoOptions::default())
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(needle) && error.contains("remedy:"),
                "{error}"
            );
        };
        refuse(b"not a picture", "neither JPEG nor PNG");
        refuse(b"", "neither JPEG nor PNG");
        let whole = png(rectangle(240, 40));
        refuse(&whole[..whole.len() / 2], "cannot be decoded");
        refuse(
            &png(RgbImage::from_pixel(50, 50, Rgb([90, 90, 90]))),
            "no object stands out",
        );
        refuse(
            &png(RgbImage::from_pixel(3, 3, Rgb([90, 90, 90]))),
            "too small",
        );
        let limited = PhotoOptions {
            max_side: 100,
            ..PhotoOptions::default()
        };
        let error = prepare(&whole, &limited).unwrap_err().to_string();
        assert!(
            error.contains("120x140") && error.contains("100"),
            "{error}"
        );
        let limited = PhotoOptions {
            max_file_bytes: 10,
            ..PhotoOptions::default()
        };
        assert!(prepare(&whole, &limited).is_err());
    }

    #[test]
    fn a_header_that_promises_a_huge_picture_is_refused_before_decoding() {
        let mut png = png(RgbImage::from_pixel(20, 20, Rgb([90, 90, 90])));
        // IHDR: width at bytes 16..20, height at 20..24, its CRC at 29..33.
        png[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        let error = prepare(&png, &PhotoOptions::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains("20000x20000"), "{error}");
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    }

    #[test]
    fn other_sets_take_a_photograph_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.png");
        let left_red =
            RgbImage::from_fn(40, 20, |x, _| Rgb([if x < 20 { 200 } else { 0 }, 0, 100]));
        std::fs::write(&path, png(left_red)).unwrap();
        let read = |shape| read_file_as(&path, shape, &PhotoOptions::default());
        let rgb = read([3, 2, 4]).unwrap().pixels;
        assert_eq!(rgb.len(), 24);
        assert_eq!((rgb[0], rgb[3], rgb[8], rgb[16]), (200, 0, 0, 100));
        // Luma by ITU-R BT.709: 0.2126 · 200 + 0.0722 · 100.
        let grey = read([1, 2, 4]).unwrap().pixels;
        assert!((i32::from(grey[0]) - 50).abs() <= 1, "{grey:?}");
        assert!(read([2, 2, 4]).is_err());
    }
}
