//! A decoded picture brought to the size of a set.

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, Pixel};
use serde::{Deserialize, Serialize};

use crate::picture::{grey_on_white, rgb_on_white};

/// Channels of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Colour {
    Grey,
    #[default]
    Rgb,
}

impl Colour {
    pub(crate) fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// What happens to an aspect other than the set's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fit {
    #[default]
    Stretch,
    Pad,
    Crop,
}

/// A rectangle of pixels: left, top, width, height.
type Rectangle = [u32; 4];

/// Which part of a picture of `width`×`height` goes to which part of the `[h, w]` image.
fn placement(fit: Fit, [width, height]: [u32; 2], [h, w]: [usize; 2]) -> (Rectangle, Rectangle) {
    let (w, h) = (w as u32, h as u32);
    let whole = [0, 0, width, height];
    // round(a·b/c), at least 1 and at most `most`.
    let scaled = |a: u32, b: u32, c: u32, most: u32| {
        let (a, b, c) = (u64::from(a), u64::from(b), u64::from(c));
        let rounded = (2 * a * b + c) / (2 * c);
        u32::try_from(rounded).unwrap_or(u32::MAX).clamp(1, most)
    };
    // Whether the picture is relatively wider than the image.
    let wider = u64::from(width) * u64::from(h) > u64::from(height) * u64::from(w);
    let middle = |outer: u32, inner: u32| (outer - inner) / 2;
    match fit {
        Fit::Stretch => (whole, [0, 0, w, h]),
        Fit::Pad => {
            let (tw, th) = if wider {
                (w, scaled(height, w, width, h))
            } else {
                (scaled(width, h, height, w), h)
            };
            (whole, [middle(w, tw), middle(h, th), tw, th])
        }
        Fit::Crop => {
            let (sw, sh) = if wider {
                (scaled(w, height, h, width), height)
            } else {
                (width, scaled(h, width, w, height))
            };
            let source = [middle(width, sw), middle(height, sh), sw, sh];
            (source, [0, 0, w, h])
        }
    }
}

/// Pixels of the picture, `[c, h, w]`, at the set's size.
pub(crate) fn pixels(
    picture: &DynamicImage,
    colour: Colour,
    fit: Fit,
    size: [usize; 2],
) -> Vec<u8> {
    let places = placement(fit, [picture.width(), picture.height()], size);
    match colour {
        Colour::Grey => planes(&grey_on_white(picture), places, size),
        Colour::Rgb => planes(&rgb_on_white(picture), places, size),
    }
}

fn planes<P>(
    picture: &image::ImageBuffer<P, Vec<u8>>,
    (source, target): (Rectangle, Rectangle),
    [h, w]: [usize; 2],
) -> Vec<u8>
where
    P: Pixel<Subpixel = u8> + 'static,
{
    let [left, top, width, height] = source;
    let part = imageops::crop_imm(picture, left, top, width, height);
    let [x0, y0, tw, th] = target;
    let scaled = if (width, height) == (tw, th) {
        part.to_image()
    } else {
        imageops::resize(&*part, tw, th, FilterType::Triangle)
    };
    let channels = usize::from(P::CHANNEL_COUNT);
    let mut out = vec![0; channels * h * w];
    for (x, y, pixel) in scaled.enumerate_pixels() {
        let at = (y0 + y) as usize * w + (x0 + x) as usize;
        for (c, &value) in pixel.channels().iter().enumerate() {
            out[c * h * w + at] = value;
        }
    }
    out
}

/// The mask at the set's size, 0 or 1, `[h, w]`, by the nearest pixel; around a padded
/// mask nothing is object.
pub(crate) fn mask(
    picture: &GrayImage,
    fit: Fit,
    [h, w]: [usize; 2],
    is_object: impl Fn(u8) -> bool,
) -> Vec<u8> {
    let (source, target) = placement(fit, [picture.width(), picture.height()], [h, w]);
    let [left, top, width, height] = source;
    let [x0, y0, tw, th] = target;
    // The pixel that holds the centre of the target's pixel.
    let nearest = |at: u32, of: u32, from: u32| {
        let at = (2 * u64::from(at) + 1) * u64::from(from) / (2 * u64::from(of));
        at as u32
    };
    let mut out = vec![0; h * w];
    for y in 0..th {
        for x in 0..tw {
            let from =
                picture.get_pixel(left + nearest(x, tw, width), top + nearest(y, th, height));
            out[(y0 + y) as usize * w + (x0 + x) as usize] = u8::from(is_object(from.0[0]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb, RgbImage};

    #[test]
    fn placements_by_hand() {
        // 320 wide, 240 high to 64 x 64.
        let place = |fit| placement(fit, [320, 240], [64, 64]);
        assert_eq!(place(Fit::Stretch), ([0, 0, 320, 240], [0, 0, 64, 64]));
        assert_eq!(place(Fit::Pad), ([0, 0, 320, 240], [0, 8, 64, 48]));
        assert_eq!(place(Fit::Crop), ([40, 0, 240, 240], [0, 0, 64, 64]));
        // A needle never vanishes.
        let (_, target) = placement(Fit::Pad, [1, 1000], [8, 8]);
        assert_eq!(target, [3, 0, 1, 8]);
        let (source, _) = placement(Fit::Crop, [1, 1000], [8, 8]);
        assert_eq!(source, [0, 499, 1, 1]);
    }

    #[test]
    fn channels_are_planes_and_grey_is_luma() {
        let picture = RgbImage::from_fn(2, 1, |x, _| Rgb([10 + x as u8, 100, 200]));
        let picture = DynamicImage::from(picture);
        let size = [1, 2];
        let rgb = pixels(&picture, Colour::Rgb, Fit::Stretch, size);
        assert_eq!(rgb, [10, 11, 100, 100, 200, 200]);
        // 0.2126·10 + 0.7152·100 + 0.0722·200 = 88.09.
        let grey = pixels(&picture, Colour::Grey, Fit::Stretch, size);
        assert_eq!(grey[0], 88);
    }

    #[test]
    fn halving_takes_every_pixel_into_account_and_masks_the_nearest() {
        let picture = GrayImage::from_fn(4, 4, |x, _| Luma([if x < 2 { 0 } else { 200 }]));
        let is_object = |value| value > 100;
        let mask = mask(&picture, Fit::Stretch, [2, 2], is_object);
        assert_eq!(mask, [0, 1, 0, 1]);
        let small = pixels(
            &DynamicImage::from(picture),
            Colour::Grey,
            Fit::Stretch,
            [2, 2],
        );
        // Triangle of half-width 2 at 1 and 3: weights 3, 3, 1 (of 7) on columns 0, 1, 2.
        assert!((i32::from(small[0]) - 200 / 7).abs() <= 1, "{small:?}");
        assert_eq!(u32::from(small[0]) + u32::from(small[1]), 200);
    }

    #[test]
    fn padding_is_black_and_not_object() {
        let picture = DynamicImage::from(GrayImage::from_pixel(4, 2, Luma([255])));
        let padded = pixels(&picture, Colour::Grey, Fit::Pad, [4, 4]);
        assert_eq!(padded[..4], [0; 4]);
        assert_eq!(padded[4..12], [255; 8]);
        let padded = mask(&picture.to_luma8(), Fit::Pad, [4, 4], |v| v > 0);
        assert_eq!(padded.iter().map(|&v| u32::from(v)).sum::<u32>(), 8);
        assert_eq!(padded[12..], [0; 4]);
    }

    #[test]
    fn one_pixel_fills_any_image() {
        let picture = DynamicImage::from(RgbImage::from_pixel(1, 1, Rgb([7, 8, 9])));
        for fit in [Fit::Stretch, Fit::Pad, Fit::Crop] {
            let image = pixels(&picture, Colour::Rgb, fit, [3, 3]);
            assert_eq!(image[..9], [7; 9]);
            assert_eq!(image[18..], [9; 9]);
        }
    }
}
