//! Bytes to an upright RGB picture, within limits.

use image::{RgbImage, imageops};

use super::{PhotoOptions, Thumbnail};
use crate::error::Result;
use crate::picture::{self, Limits};

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
    let limits = Limits {
        max_side: options.max_side,
        max_pixels: u64::from(options.max_side).pow(2),
        min_side: (MIN_SIDE, "use a picture of at least 28 pixels a side"),
    };
    let picture = picture::decode(bytes, place, &limits)?;
    let (width, height) = picture.stored;
    let format = picture.format;
    let turned = if picture.turned {
        ", turned upright"
    } else {
        ""
    };
    steps.push(format!("decoded {width}x{height} {format:?}{turned}"));

    let picture = picture::rgb_on_white(&picture.image);
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= WORKING_SIDE {
        return Ok(picture);
    }
    Ok(shrink(&picture, WORKING_SIDE))
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
