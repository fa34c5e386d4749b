//! Structural similarity of two maps.

use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// Standard deviation of the window, in pixels.
const SIGMA: f64 = 1.5;
/// Side of the window.
const WINDOW: usize = 11;
const K1: f64 = 0.01;
const K2: f64 = 0.03;

/// A map with its local means and variances: what it brings to every comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct SsimMap {
    values: Vec<f64>,
    height: usize,
    width: usize,
    means: Vec<f64>,
    variances: Vec<f64>,
    signed: bool,
}

impl SsimMap {
    /// Prepares an attribution map `[height, width]`, divided by its greatest absolute value:
    /// two maps are compared by their structure, whatever the scale of each.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`] where the sides do not fit the values,
    /// [`NotApplicable::TooSmall`] where a side is below the window's 11 pixels,
    /// [`NotApplicable::NonFinite`] for NaN or infinite values, and
    /// [`NotApplicable::ConstantAttribution`] for a constant map, which has no structure.
    pub fn new(attribution: &[f32], height: usize, width: usize) -> Result<Self, NotApplicable> {
        let prepared = Self::unscaled(attribution, height, width)?;
        let first = attribution.first().copied().unwrap_or(0.0);
        if attribution.iter().all(|&value| value == first) {
            return Err(NotApplicable::ConstantAttribution);
        }
        let greatest = attribution
            .iter()
            .fold(0.0f64, |most, &value| most.max(f64::from(value).abs()));
        let scaled = attribution
            .iter()
            .map(|&value| f64::from(value) / greatest)
            .collect();
        Ok(Self::of(scaled, height, width, prepared.signed))
    }

    /// Prepares a picture as it is, for [`ssim_in_range`].
    ///
    /// # Errors
    /// As [`Self::new`], except that a constant picture is taken.
    pub fn unscaled(values: &[f32], height: usize, width: usize) -> Result<Self, NotApplicable> {
        if height.checked_mul(width) != Some(values.len()) {
            return Err(NotApplicable::LengthMismatch);
        }
        if height < WINDOW || width < WINDOW {
            return Err(NotApplicable::TooSmall);
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(NotApplicable::NonFinite);
        }
        let signed = values.iter().any(|&value| value < 0.0);
        let values = values.iter().map(|&value| f64::from(value)).collect();
        Ok(Self::of(values, height, width, signed))
    }

    fn of(values: Vec<f64>, height: usize, width: usize, signed: bool) -> Self {
        let means = local_means(&values, height, width);
        let squares: Vec<f64> = values.iter().map(|value| value * value).collect();
        let mut variances = local_means(&squares, height, width);
        for (square, mean) in variances.iter_mut().zip(&means) {
            *square -= mean * mean;
        }
        Self {
            values,
            height,
            width,
            means,
            variances,
            signed,
        }
    }
}

/// Mean structural similarity of two maps, each divided by its greatest absolute value, in
/// −1..=1.
///
/// Wang, Bovik, Sheikh and Simoncelli 2004, equation 13, with their constants (K₁ = 0.01,
/// K₂ = 0.03) and their window: 11 × 11 Gaussian weights of standard deviation 1.5, moments
/// weighted by them, and the mean over the places where the window lies inside the map. The index
/// is made for intensities: of values with signs, a map and its negative would count as alike
/// (negative means times negative covariance). So where either map has negative values, both are
/// raised by 1, to 0..=2, and the data range L is 2; else it is 1.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] for maps of different sizes.
pub fn ssim(a: &SsimMap, b: &SsimMap) -> Score {
    if a.signed || b.signed {
        compare(a, b, 1.0, 2.0)
    } else {
        compare(a, b, 0.0, 1.0)
    }
}

/// As [`ssim`], for pictures as they are and a data range of the caller's.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] for maps of different sizes, [`NotApplicable::NonFinite`]
/// for a range that is not positive or not finite.
pub fn ssim_in_range(a: &SsimMap, b: &SsimMap, range: f64) -> Score {
    if !(range.is_finite() && range > 0.0) {
        return Err(NotApplicable::NonFinite);
    }
    compare(a, b, 0.0, range)
}

/// The index of two maps that are raised by `raise`.
fn compare(a: &SsimMap, b: &SsimMap, raise: f64, range: f64) -> Score {
    if (a.height, a.width) != (b.height, b.width) {
        return Err(NotApplicable::LengthMismatch);
    }
    let products: Vec<f64> = a.values.iter().zip(&b.values).map(|(a, b)| a * b).collect();
    let products = local_means(&products, a.height, a.width);
    let (c1, c2) = ((K1 * range).powi(2), (K2 * range).powi(2));
    let mut sum = 0.0;
    for (place, product) in products.iter().enumerate() {
        let (mean_a, mean_b) = (a.means[place], b.means[place]);
        let covariance = product - mean_a * mean_b;
        let (mean_a, mean_b) = (mean_a + raise, mean_b + raise);
        sum += (2.0 * mean_a * mean_b + c1) * (2.0 * covariance + c2)
            / ((mean_a * mean_a + mean_b * mean_b + c1)
                * (a.variances[place] + b.variances[place] + c2));
    }
    finite((sum / products.len() as f64).clamp(-1.0, 1.0))
}

/// Weighted means of the window at each place where it lies inside, first along rows, then
/// along columns.
fn local_means(values: &[f64], height: usize, width: usize) -> Vec<f64> {
    let weights = weights();
    let (rows, columns) = (height + 1 - WINDOW, width + 1 - WINDOW);
    let mut along = vec![0.0; height * columns];
    for (row, out) in values
        .chunks_exact(width)
        .zip(along.chunks_exact_mut(columns))
    {
        for (shift, weight) in weights.iter().enumerate() {
            for (sum, value) in out.iter_mut().zip(&row[shift..]) {
                *sum += weight * value;
            }
        }
    }
    let mut means = vec![0.0; rows * columns];
    for (row, out) in means.chunks_exact_mut(columns).enumerate() {
        for (shift, weight) in weights.iter().enumerate() {
            let line = &along[(row + shift) * columns..];
            for (sum, value) in out.iter_mut().zip(line) {
                *sum += weight * value;
            }
        }
    }
    means
}

fn weights() -> [f64; WINDOW] {
    let centre = (WINDOW / 2) as f64;
    let mut weights: [f64; WINDOW] = std::array::from_fn(|place| {
        let distance = (place as f64 - centre) / SIGMA;
        (-0.5 * distance * distance).exp()
    });
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two maps anyone can draw again: integers below 17 and 13.
    fn drawn(seed: usize, height: usize, width: usize) -> Vec<f32> {
        (0..height * width)
            .map(|i| ((i * i * (seed + 3) + 7 * i + seed) % 17) as f32 - (seed % 5) as f32)
            .collect()
    }

    fn prepared(values: &[f32], height: usize, width: usize) -> SsimMap {
        SsimMap::new(values, height, width).unwrap()
    }

    #[test]
    fn a_map_is_like_itself_at_any_scale() {
        let a = drawn(1, 16, 14);
        let bigger: Vec<f32> = a.iter().map(|value| value * 4.0).collect();
        let (a, bigger) = (prepared(&a, 16, 14), prepared(&bigger, 16, 14));
        assert_eq!(ssim(&a, &a).unwrap(), 1.0);
        assert_eq!(ssim(&a, &bigger).unwrap(), 1.0);
    }

    #[test]
    fn one_window_by_hand() {
        // A single place: constant pictures of 0.2 and 0.5 differ in luminance alone,
        // (2·0.1 + 1e-4) / (0.04 + 0.25 + 1e-4).
        let a = SsimMap::unscaled(&[0.2; 121], 11, 11).unwrap();
        let b = SsimMap::unscaled(&[0.5; 121], 11, 11).unwrap();
        let expected = (2.0 * 0.1 + 1e-4) / (0.29 + 1e-4);
        assert!((ssim_in_range(&a, &b, 1.0).unwrap() - expected).abs() < 1e-7);
    }

    #[test]
    fn weights_sum_to_one_and_fall_from_the_middle() {
        let weights = weights();
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        // exp(-1 / 4.5) from the middle to its neighbour
        assert!((weights[4] / weights[5] - (-1.0f64 / 4.5).exp()).abs() < 1e-15);
        assert_eq!(weights[0], weights[10]);
    }

    #[test]
    fn opposite_maps_are_unlike() {
        let a = drawn(2, 20, 20);
        let centred: Vec<f32> = a.iter().map(|value| value - 6.0).collect();
        let opposite: Vec<f32> = centred.iter().map(|value| -value).collect();
        let score = ssim(&prepared(&centred, 20, 20), &prepared(&opposite, 20, 20)).unwrap();
        assert!((-1.0..-0.8).contains(&score), "{score}");
    }

    #[test]
    fn what_has_no_structure_or_no_place_has_no_score() {
        assert_eq!(
            SsimMap::new(&[0.0; 144], 12, 12),
            Err(NotApplicable::ConstantAttribution)
        );
        assert_eq!(
            SsimMap::new(&[1.0; 100], 10, 10),
            Err(NotApplicable::TooSmall)
        );
        assert_eq!(
            SsimMap::new(&[1.0; 100], 12, 12),
            Err(NotApplicable::LengthMismatch)
        );
        let mut values = drawn(0, 12, 12);
        values[7] = f32::NAN;
        assert_eq!(SsimMap::new(&values, 12, 12), Err(NotApplicable::NonFinite));
        let (a, b) = (drawn(0, 12, 12), drawn(0, 16, 12));
        assert_eq!(
            ssim(&prepared(&a, 12, 12), &prepared(&b, 16, 12)),
            Err(NotApplicable::LengthMismatch)
        );
        let a = prepared(&a, 12, 12);
        assert_eq!(ssim_in_range(&a, &a, 0.0), Err(NotApplicable::NonFinite));
    }
}
