//! What all pictures share: their errors, their way in (grey arrays) and out (PNG bytes).

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use thiserror::Error;

/// Why a picture could not be drawn.
#[derive(Debug, Error)]
pub enum FigureError {
    /// There is nothing in it.
    #[error("{what}: there is nothing to draw; give it at least one entry")]
    Empty {
        /// The picture or the part of it.
        what: String,
    },
    /// An array and its stated shape differ.
    #[error("{what}: {found} values do not fill {height}×{width}; pass height × width of them")]
    ValueCount {
        /// The panel.
        what: String,
        /// Stated rows.
        height: usize,
        /// Stated columns.
        width: usize,
        /// Values passed.
        found: usize,
    },
    /// The picture would be unreasonably large.
    #[error("{what} would be {width}×{height} pixels; draw fewer rows or columns at a time")]
    TooLarge {
        /// The picture.
        what: String,
        /// Its width in pixels.
        width: u64,
        /// Its height in pixels.
        height: u64,
    },
    /// The PNG encoder refused the picture.
    #[error("the picture could not be encoded as PNG: {0}")]
    Encode(#[from] image::ImageError),
}

/// Sides beyond this are refused: no viewer shows them, and memory is finite.
const LONGEST_SIDE: u64 = 20_000;
const MOST_PIXELS: u64 = 120_000_000;

/// Checks the size of a picture before memory is taken for it.
pub(crate) fn checked_size(what: &str, width: u64, height: u64) -> Result<(u32, u32), FigureError> {
    let too_large = width.max(height) > LONGEST_SIDE || width * height > MOST_PIXELS;
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(w), Ok(h)) if !too_large => Ok((w, h)),
        _ => Err(FigureError::TooLarge {
            what: what.to_owned(),
            width,
            height,
        }),
    }
}

/// A grey picture from `values` in 0–1 (clamped; what is not finite becomes black), row by row.
///
/// # Errors
///
/// [`FigureError::ValueCount`] if there are not `height × width` values,
/// [`FigureError::Empty`] if there are none, [`FigureError::TooLarge`] beyond 20,000 a side.
pub fn grey_image(values: &[f32], height: usize, width: usize) -> Result<RgbImage, FigureError> {
    let what = "grey image";
    check_count(what, values.len(), height, width)?;
    let (w, h) = checked_size(what, width as u64, height as u64)?;
    Ok(RgbImage::from_fn(w, h, |x, y| {
        let value = values[y as usize * width + x as usize];
        // NaN casts to zero.
        let level = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        Rgb([level; 3])
    }))
}

pub(crate) fn check_count(
    what: &str,
    found: usize,
    height: usize,
    width: usize,
) -> Result<(), FigureError> {
    match height.checked_mul(width) {
        Some(0) => Err(FigureError::Empty {
            what: what.to_owned(),
        }),
        Some(expected) if expected == found => Ok(()),
        _ => Err(FigureError::ValueCount {
            what: what.to_owned(),
            height,
            width,
            found,
        }),
    }
}

/// The picture as PNG bytes; the same picture always gives the same bytes.
///
/// # Errors
///
/// [`FigureError::Encode`] if the encoder refuses it (an empty picture).
pub fn encode_png(picture: &RgbImage) -> Result<Vec<u8>, FigureError> {
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
    encoder.write_image(
        picture.as_raw(),
        picture.width(),
        picture.height(),
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_values_are_clamped() {
        let picture = grey_image(&[0.0, 1.0, 2.0, f32::NAN], 2, 2).unwrap();
        let levels: Vec<u8> = picture.pixels().map(|p| p[0]).collect();
        assert_eq!(levels, [0, 255, 255, 0]);
    }

    #[test]
    fn wrong_shapes_are_refused() {
        assert!(matches!(
            grey_image(&[0.0; 3], 2, 2),
            Err(FigureError::ValueCount { .. })
        ));
        assert!(matches!(
            grey_image(&[], 0, 5),
            Err(FigureError::Empty { .. })
        ));
        assert!(matches!(
            grey_image(&[], usize::MAX, 5),
            Err(FigureError::ValueCount { .. })
        ));
        assert!(matches!(
            checked_size("strip", 1, 1 << 40),
            Err(FigureError::TooLarge { .. })
        ));
    }

    #[test]
    fn png_bytes_are_repeatable_and_read_back() {
        let picture = grey_image(&[0.0, 0.25, 0.5, 1.0], 2, 2).unwrap();
        let bytes = encode_png(&picture).unwrap();
        assert_eq!(bytes, encode_png(&picture).unwrap());
        assert_eq!(image::load_from_memory(&bytes).unwrap().to_rgb8(), picture);
    }
}
