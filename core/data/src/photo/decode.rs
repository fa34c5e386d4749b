//! Bytes to an upright RGB picture, within limits.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{
    DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits, RgbImage, imageops,
};

use super::{PhotoOptions, Thumbnail};
use crate::error::{DataError, Result};

/// Most bytes a decoder may hold.
const MAX_MEMORY: u64 = 512 << 20;
/// Least side of a picture.
const MIN_SIDE: u32 = 8;
/// Longest side worked on: finer detail cannot reach 28 pixels.
const WORKING_SIDE: u32 = 240;

pub(super) fn decode(
    bytes: &[u8],
    place: &str,
    options: &PhotoOptions,
    steps: &mut Vec<String>,
) -> Result<RgbImage> {
    let refuse = |reason: String, remedy: &str| DataError::Photo {
        place: place.to_owned(),
        reason,
        remedy: remedy.to_owned(),
    };
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) => format,
        _ => {
            return Err(refuse(
                "neither JPEG nor PNG".to_owned(),
                "save it as JPEG or PNG",
            ));
        }
    };
    let damaged = |error: image::ImageError| {
        refuse(
            format!("cannot be decoded: {error}"),
            "save the picture again",
        )
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > options.max_side || decoder.total_bytes() > MAX_MEMORY {
        let reason = format!(
            "{width}x{height} pixels, at most {} a side",
            options.max_side
        );
        return Err(refuse(
            reason,
            "save it smaller; a few hundred pixels are enough",
        ));
    }
    if width.min(height) < MIN_SIDE {
        let reason = format!("{width}x{height} pixels are too small");
        return Err(refuse(reason, "use a picture of at least 28 pixels a side"));
    }
    // A picture without the tag, or with a broken one, is upright.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    let turned = if orientation == Orientation::NoTransforms {
        ""
    } else {
        ", turned upright"
    };
    steps.push(format!("decoded {width}x{height} {format:?}{turned}"));

    let picture = flatten(&picture);
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= WORKING_SIDE {
        return Ok(picture);
    }
    Ok(shrink(&picture, WORKING_SIDE))
}

/// Transparent pixels become white.
fn flatten(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let rgba = picture.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, a] = rgba.get_pixel(x, y).0;
        let over =
            |v: u8| ((u32::from(v) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255) as u8;
        image::Rgb([over(r), over(g), over(b)])
    })
}

fn shrink(picture: &RgbImage, longest: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(longest) / u64::from(width.max(height));
        (side as u32).max(1)
    };
    imageops::thumbnail(picture, scaled(width), scaled(height))
}

pub(super) fn thumbnail(picture: &RgbImage, side: u32) -> Thumbnail {
    let side = side.max(1);
    let small = if picture.width().max(picture.height()) > side {
        shrink(picture, side)
    } else {
        picture.clone()
    };
    Thumbnail {
        width: small.width(),
        height: small.height(),
        rgb: small.into_raw(),
    }
}
