//! A picture file decoded within limits: what photographs and image folders share.
//!
//! A file from a stranger is not trusted: its first bytes, not its name, tell the format;
//! size and memory are limited by the header before anything is decoded; a file that
//! breaks off is refused, though a decoder might fill the rest with grey.

use std::io::{Cursor, Read as _};
use std::path::Path;

use image::metadata::Orientation;
use image::{
    DynamicImage, GrayImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, RgbImage,
};

use crate::error::{DataError, Result};

/// Most bytes a decoder may hold.
const MAX_MEMORY: u64 = 512 << 20;

/// What is accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Longest side, in pixels.
    pub(crate) max_side: u32,
    /// Most pixels.
    pub(crate) max_pixels: u64,
    /// Shortest side, in pixels, and what to do about less.
    pub(crate) min_side: (u32, &'static str),
}

/// A decoded, upright picture.
pub(crate) struct Picture {
    pub(crate) image: DynamicImage,
    pub(crate) format: ImageFormat,
    /// Width and height as stored, before it was turned upright.
    pub(crate) stored: (u32, u32),
    /// Whether its EXIF orientation made it be turned or mirrored.
    pub(crate) turned: bool,
}

fn refuse(place: &str, reason: String, remedy: &str) -> DataError {
    DataError::Photo {
        place: place.to_owned(),
        reason,
        remedy: remedy.to_owned(),
    }
}

/// The bytes of a regular file of at most `max_bytes`.
pub(crate) fn read_file(path: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    let file = crate::idx::open_regular(path, "name a JPEG or PNG file")?;
    let metadata = file
        .metadata()
        .map_err(|e| DataError::io("read", path, e))?;
    let mut bytes = Vec::new();
    if metadata.len() <= max_bytes {
        file.take(max_bytes + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| DataError::io("read", path, e))?;
    }
    if metadata.len() > max_bytes || bytes.len() as u64 > max_bytes {
        return Err(too_large(&path.display().to_string(), max_bytes));
    }
    Ok(bytes)
}

pub(crate) fn too_large(place: &str, max_bytes: u64) -> DataError {
    let reason = format!("the file is larger than {max_bytes} bytes");
    refuse(
        place,
        reason,
        "save it smaller; a side of a few hundred pixels is enough",
    )
}

/// Decodes a JPEG or PNG; `place` names it in errors.
pub(crate) fn decode(bytes: &[u8], place: &str, limits: &Limits) -> Result<Picture> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) => format,
        _ => {
            let reason = "neither JPEG nor PNG".to_owned();
            return Err(refuse(place, reason, "save it as JPEG or PNG"));
        }
    };
    let damaged = |what: String| {
        let reason = format!("cannot be decoded: {what}");
        refuse(place, reason, "save the picture again")
    };
    let mut memory = image::Limits::default();
    memory.max_alloc = Some(MAX_MEMORY);
    let failed = |error: ImageError| match error {
        ImageError::Limits(_) => refuse(
            place,
            "its header promises more pixels than are ever read".to_owned(),
            "save it smaller; a few hundred pixels are enough",
        ),
        error => damaged(error.to_string()),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(memory);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let stored @ (width, height) = decoder.dimensions();
    if width.max(height) > limits.max_side
        || u64::from(width) * u64::from(height) > limits.max_pixels
        || decoder.total_bytes() > MAX_MEMORY
    {
        let reason = format!(
            "{width}x{height} pixels, at most {} a side and {} in all",
            limits.max_side, limits.max_pixels
        );
        let remedy = "save it smaller; a few hundred pixels are enough";
        return Err(refuse(place, reason, remedy));
    }
    if width.min(height) < limits.min_side.0 {
        let reason = format!("{width}x{height} pixels are too small");
        return Err(refuse(place, reason, limits.min_side.1));
    }
    if format == ImageFormat::Jpeg && !ends(bytes) {
        return Err(damaged("the file ends before the picture does".to_owned()));
    }
    // A picture without the tag, or with a broken one, is upright.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    image.apply_orientation(orientation);
    Ok(Picture {
        image,
        format,
        stored,
        turned: orientation != Orientation::NoTransforms,
    })
}

/// Whether an end marker follows the last scan of a JPEG. (A thumbnail's own markers stand
/// before the picture's first scan, and within a scan 0xff is followed by other bytes.)
fn ends(jpeg: &[u8]) -> bool {
    let last = |marker: u8| jpeg.windows(2).rposition(|pair| pair == [0xff, marker]);
    last(0xd9) > last(0xda)
}

/// Red, green and blue, 8 bits each; transparent pixels become white.
pub(crate) fn rgb_on_white(picture: &DynamicImage) -> RgbImage {
    match picture {
        DynamicImage::ImageRgb8(rgb) => return rgb.clone(),
        DynamicImage::ImageLuma8(grey) => {
            return RgbImage::from_fn(grey.width(), grey.height(), |x, y| {
                image::Rgb([grey.get_pixel(x, y).0[0]; 3])
            });
        }
        _ if !picture.color().has_alpha() => return picture.to_rgb8(),
        _ => {}
    }
    let rgba = picture.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, a] = rgba.get_pixel(x, y).0;
        let over =
            |v: u8| ((u32::from(v) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255) as u8;
        image::Rgb([over(r), over(g), over(b)])
    })
}

/// Luma with ITU-R BT.709's weights, 8 bits; transparent pixels become white.
pub(crate) fn grey_on_white(picture: &DynamicImage) -> GrayImage {
    if let DynamicImage::ImageLuma8(grey) = picture {
        return grey.clone();
    }
    let rgb = rgb_on_white(picture);
    GrayImage::from_fn(rgb.width(), rgb.height(), |x, y| {
        let [r, g, b] = rgb.get_pixel(x, y).0.map(u32::from);
        image::Luma([((2126 * r + 7152 * g + 722 * b + 5000) / 10_000) as u8])
    })
}
