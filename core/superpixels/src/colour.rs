//! Colours in which distances mean something.

use crate::segments::Shape;

/// The image as points of a colour space, `[pixels][channels]`, lightness from 0 to 100.
///
/// Values are first stretched to 0..1 over the whole image, since images come in the units of a
/// model. Three channels are taken as sRGB and turned into CIE L*a*b* (white point D65); with any other
/// number of channels each is its own axis, times 100, so that black and white are as far apart as
/// they are in L*a*b*. An image of one value is all zeros.
pub(crate) fn points(image: &[f32], shape: Shape) -> Vec<f64> {
    let low = image.iter().copied().fold(f32::INFINITY, f32::min);
    let high = image.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // In f64 the range of finite f32 values cannot overflow.
    let range = f64::from(high) - f64::from(low);
    let scale = if range > 0.0 { 1.0 / range } else { 0.0 };
    let pixels = shape.pixels();
    let value = |channel: usize, pixel: usize| {
        (f64::from(image[channel * pixels + pixel]) - f64::from(low)) * scale
    };
    let mut points = Vec::with_capacity(image.len());
    for pixel in 0..pixels {
        if shape.channels == 3 {
            points.extend(lab([value(0, pixel), value(1, pixel), value(2, pixel)]));
        } else {
            points.extend((0..shape.channels).map(|channel| 100.0 * value(channel, pixel)));
        }
    }
    points
}

/// CIE L*a*b* of an sRGB colour of values 0..1 (IEC 61966-2-1, CIE 15, white point D65 at 2 degrees).
fn lab(rgb: [f64; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(|value| {
        if value <= 0.040_45 {
            value / 12.92
        } else {
            libm::pow((value + 0.055) / 1.055, 2.4)
        }
    });
    let x = (0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47;
    let y = 0.212_672_9 * r + 0.715_152_2 * g + 0.072_175_0 * b;
    let z = (0.019_333_9 * r + 0.119_192_0 * g + 0.950_304_1 * b) / 1.088_83;
    let [x, y, z] = [x, y, z].map(|value| {
        if value > 216.0 / 24_389.0 {
            libm::cbrt(value)
        } else {
            (24_389.0 / 27.0 * value + 16.0) / 116.0
        }
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_have_their_known_lab() {
        // Values of the CIE formulas for sRGB's corners, as published to two digits.
        for (rgb, expected) in [
            ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            ([1.0, 1.0, 1.0], [100.0, 0.0, 0.0]),
            ([1.0, 0.0, 0.0], [53.24, 80.09, 67.20]),
            ([0.0, 1.0, 0.0], [87.73, -86.18, 83.18]),
            ([0.0, 0.0, 1.0], [32.30, 79.19, -107.86]),
        ] {
            for (found, expected) in lab(rgb).into_iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 0.02,
                    "{rgb:?}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn other_channels_are_stretched_and_constants_are_zero() {
        let shape = Shape {
            channels: 1,
            height: 1,
            width: 3,
        };
        assert_eq!(points(&[-1.0, 0.0, 3.0], shape), [0.0, 25.0, 100.0]);
        assert_eq!(points(&[5.0; 3], shape), [0.0; 3]);
        let ends = points(&[f32::MIN, 0.0, f32::MAX], shape);
        assert_eq!((ends[0], ends[2]), (0.0, 100.0));
    }
}
