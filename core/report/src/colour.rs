//! Colour scales: perceptually even ones, so that equal steps of a map look like equal steps.
//!
//! Inferno for maps without a sign (dark to bright, reads in grey print and with colour-blind
//! eyes); red–blue with a light middle for signed ones, red for positive; blues for counts.

use colorous::{BLUES, Gradient, INFERNO, RED_BLUE};
use image::Rgb;

/// Colours of series and classes, told apart by colour-blind eyes too (Okabe and Ito 2008; their
/// black and yellow are left out, being ink and too light for lines). More series than colours
/// start over.
const SERIES: [Rgb<u8>; 6] = [
    Rgb([0, 114, 178]),
    Rgb([230, 159, 0]),
    Rgb([0, 158, 115]),
    Rgb([204, 121, 167]),
    Rgb([86, 180, 233]),
    Rgb([213, 94, 0]),
];

/// The colour of a series.
pub(crate) fn series(number: usize) -> Rgb<u8> {
    SERIES[number % SERIES.len()]
}

/// A colour scale over 0–1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Unsigned maps.
    Heat,
    /// Signed maps: 0 is the most negative, 0.5 is zero, 1 the most positive.
    Diverging,
    /// Shares and counts, white for none.
    Amount,
}

impl Scale {
    /// The colour at `share`, clamped to 0–1.
    pub(crate) fn at(self, share: f64) -> Rgb<u8> {
        let share = share.clamp(0.0, 1.0);
        let (gradient, position): (Gradient, f64) = match self {
            Self::Heat => (INFERNO, share),
            Self::Diverging => (RED_BLUE, 1.0 - share),
            Self::Amount => (BLUES, share),
        };
        let colour = gradient.eval_continuous(position);
        Rgb([colour.r, colour.g, colour.b])
    }
}

/// `top` over `bottom` with opacity `alpha` in 0–1.
pub(crate) fn blend(bottom: Rgb<u8>, top: Rgb<u8>, alpha: f64) -> Rgb<u8> {
    let mix = |b: u8, t: u8| (f64::from(b) + (f64::from(t) - f64::from(b)) * alpha).round() as u8;
    Rgb([
        mix(bottom[0], top[0]),
        mix(bottom[1], top[1]),
        mix(bottom[2], top[2]),
    ])
}

/// Relative luminance (Rec. 709 weights on the stored values), 0–1.
pub(crate) fn luminance(colour: Rgb<u8>) -> f64 {
    let [r, g, b] = colour.0.map(f64::from);
    (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255.0
}

/// Black or white, whichever reads better on `ground`.
pub(crate) fn ink_on(ground: Rgb<u8>) -> Rgb<u8> {
    if luminance(ground) > 0.5 {
        Rgb([20; 3])
    } else {
        Rgb([255; 3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_grows_brighter_all_along() {
        let levels: Vec<f64> = (0..=20)
            .map(|i| luminance(Scale::Heat.at(f64::from(i) / 20.0)))
            .collect();
        assert!(levels.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn the_diverging_scale_is_red_above_and_blue_below_zero() {
        let (low, middle, high) = (
            Scale::Diverging.at(0.0),
            Scale::Diverging.at(0.5),
            Scale::Diverging.at(1.0),
        );
        assert!(low[2] > low[0] && high[0] > high[2]);
        assert!(luminance(middle) > 0.9);
        assert_eq!(Scale::Diverging.at(-3.0), low);
    }

    #[test]
    fn blending_runs_from_bottom_to_top() {
        let (black, white) = (Rgb([0; 3]), Rgb([255; 3]));
        assert_eq!(blend(black, white, 0.0), black);
        assert_eq!(blend(black, white, 1.0), white);
        assert_eq!(blend(black, white, 0.2), Rgb([51; 3]));
    }
}
