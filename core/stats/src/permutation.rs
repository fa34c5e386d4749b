//! Paired permutation test: under the null hypothesis each difference could as well have had the
//! other sign (Fisher 1935; Good 2005, section 3.2).
//!
//! Tests the mean, as the bootstrap estimates it, and assumes nothing but that differences are
//! symmetric about zero.

use crate::random::{Stream, mix};
use crate::weights::weighted_sums;

/// The most differences for which all signs are counted out.
const EXACT_LIMIT: usize = 24;

/// Sign flips drawn unless stated otherwise; the least p value is then 1/10000.
pub const DEFAULT_FLIPS: usize = 9999;

/// Keeps the flips of a seed apart from its resamples.
const PURPOSE: u64 = 0x5349_474e_464c_4950;

/// Random signs for n images, shared by all tests of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignFlips {
    images: usize,
    draws: usize,
    /// A bit per draw, `[image][draw / 64]`; 1 turns the sign.
    signs: Vec<u64>,
}

impl SignFlips {
    /// Draws `draws` sets of signs for `images` images; the signs of an image are a function of
    /// seed and its place.
    #[must_use]
    pub fn new(images: usize, draws: usize, seed: u64) -> Self {
        let words = draws.div_ceil(64);
        let mut signs = Vec::with_capacity(images * words);
        for image in 0..images {
            let mut stream = Stream::new(mix(seed ^ PURPOSE), image as u64);
            signs.extend((0..words).map(|_| stream.bits()));
        }
        Self {
            images,
            draws,
            signs,
        }
    }

    /// The number of images n.
    #[must_use]
    pub fn images(&self) -> usize {
        self.images
    }

    /// The number of sets of signs.
    #[must_use]
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// Adds `value` with the sign of `image` in each draw to the draw's sum.
    pub(crate) fn add(&self, image: usize, value: f64, sums: &mut [f64]) {
        let words = self.draws.div_ceil(64);
        let signs = &self.signs[image * words..(image + 1) * words];
        for (sums, word) in sums.chunks_mut(64).zip(signs) {
            for (bit, sum) in sums.iter_mut().enumerate() {
                *sum += value * (1.0 - 2.0 * (word >> bit & 1) as f64);
            }
        }
    }

    /// For each column the sums of all draws, `[column][draw]`.
    pub(crate) fn sums(&self, columns: &[&[f64]]) -> Vec<Vec<f64>> {
        let words = self.draws.div_ceil(64);
        weighted_sums(self.images, self.draws, columns, |image, first, line| {
            let signs = &self.signs[image * words..(image + 1) * words];
            for (offset, wide) in line.iter_mut().enumerate() {
                let draw = first + offset;
                let turned = signs[draw / 64] >> (draw % 64) & 1;
                *wide = 1.0 - 2.0 * turned as f64;
            }
        })
    }
}

/// Two-sided p value of paired differences with mean 0, in (0, 1].
///
/// Up to 24 differences that are not zero, the share of all sign patterns whose sum is at least
/// as far from zero, exactly; above, from the drawn flips as (1 + as far) / (1 + draws), which
/// never understates it (Phipson and Smyth 2010). `differences` has an entry per image, `None`
/// where a side has no value. 1 if all are zero; `None` without values or where one is not finite.
///
/// # Panics
/// If the number of entries is not that of the flips' images.
#[must_use]
pub fn paired_permutation(differences: &[Option<f64>], flips: &SignFlips) -> Option<f64> {
    assert_eq!(
        differences.len(),
        flips.images,
        "one entry for each image of the flips"
    );
    if let Some(p) = exact_or_trivial(differences)? {
        return Some(p);
    }
    let plain: Vec<f64> = differences.iter().map(|d| d.unwrap_or(0.0)).collect();
    let sums = flips.sums(&[&plain]).pop().unwrap_or_default();
    let scale = plain.iter().map(|d| d.abs()).sum();
    Some(monte_carlo(plain.iter().sum(), scale, sums.into_iter()))
}

/// The p value where no flips are needed; `Some(None)` where they are.
pub(crate) fn exact_or_trivial(differences: &[Option<f64>]) -> Option<Option<f64>> {
    let mut present = 0;
    let mut sizes = Vec::with_capacity(EXACT_LIMIT);
    let mut many = false;
    let mut total = 0.0;
    for &difference in differences.iter().flatten() {
        if !difference.is_finite() {
            return None;
        }
        present += 1;
        total += difference;
        if difference != 0.0 {
            if sizes.len() == EXACT_LIMIT {
                many = true;
            } else {
                sizes.push(difference.abs());
            }
        }
    }
    match (present, many) {
        (0, _) => None,
        (_, true) => Some(None),
        _ if sizes.is_empty() => Some(Some(1.0)),
        _ => Some(Some(exact(&sizes, f64::abs(total)))),
    }
}

/// p from the sums under the drawn flips; `scale` is what rounding is relative to.
pub(crate) fn monte_carlo(total: f64, scale: f64, sums: impl ExactSizeIterator<Item = f64>) -> f64 {
    let draws = sums.len() as f64;
    let least = total.abs() - ROUNDING * scale;
    let mut far = 0u32;
    for sum in sums {
        far += u32::from(sum.abs() >= least);
    }
    (1.0 + f64::from(far)) / (1.0 + draws)
}

/// Sums within this share of the total size count as equal.
const ROUNDING: f64 = 1e-12;

/// Share of all sign patterns of `sizes` whose sum is at least `total` away from zero.
///
/// The sizes are cut in half and the sums of either half, sorted, are matched against each other
/// (Horowitz and Sahni 1974): 2^(n/2) steps in place of 2^n.
fn exact(sizes: &[f64], total: f64) -> f64 {
    let whole: f64 = sizes.iter().sum();
    // A sum of signed sizes is whole − 2·(those turned): far from zero if those turned sum to at
    // most (whole − total)/2, or, mirrored, to at least (whole + total)/2.
    let most = (whole - total) / 2.0 + ROUNDING * whole;
    let (first, second) = sizes.split_at(sizes.len() / 2);
    let (first, second) = (subset_sums(first), subset_sums(second));
    let mut below = second.len();
    let mut count = 0u64;
    for sum in &first {
        while below > 0 && sum + second[below - 1] > most {
            below -= 1;
        }
        count += below as u64;
    }
    let patterns = (first.len() * second.len()) as f64;
    (2.0 * count as f64 / patterns).min(1.0)
}

/// The sums of all subsets, rising: each value merges the sums so far with the same shifted by it.
fn subset_sums(values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for value in values {
        let mut merged = Vec::with_capacity(2 * sums.len());
        let (mut plain, mut shifted) = (sums.iter().peekable(), sums.iter().peekable());
        while let Some(&&next) = shifted.peek() {
            match plain.peek() {
                Some(&&first) if first <= next + value => {
                    merged.push(first);
                    plain.next();
                }
                _ => {
                    merged.push(next + value);
                    shifted.next();
                }
            }
        }
        merged.extend(plain);
        sums = merged;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    fn p(values: &[f64]) -> f64 {
        let flips = SignFlips::new(values.len(), 64, 1);
        paired_permutation(&some(values), &flips).unwrap()
    }

    /// All sign patterns one by one.
    fn brute_force(values: &[f64]) -> f64 {
        let total: f64 = values.iter().sum();
        let patterns = 1u32 << values.len();
        let far = (0..patterns).filter(|bits| {
            let signed = values.iter().enumerate();
            let sum: f64 = signed
                .map(|(i, v)| if bits >> i & 1 == 1 { -v } else { *v })
                .sum();
            sum.abs() >= total.abs() - 1e-9
        });
        far.count() as f64 / f64::from(patterns)
    }

    #[test]
    fn by_hand() {
        // Sums of ±1 ±2 ±3: ±6, ±4, ±2, 0, 0. From 4 on: 4 of 8.
        assert_eq!(p(&[-1.0, 2.0, 3.0]), 0.5);
        assert_eq!(p(&[1.0, 2.0, 3.0]), 0.25);
        assert_eq!(p(&[1.0, 2.0, -3.0]), 1.0);
        assert_eq!(p(&[5.0]), 1.0);
    }

    #[test]
    fn exact_is_what_counting_all_signs_gives() {
        for n in 1..=12u32 {
            let values: Vec<f64> = (0..n)
                .map(|i| (f64::from(i * n) * 1.3).sin() + 0.3)
                .collect();
            assert_eq!(p(&values), brute_force(&values), "{n}");
            let tied: Vec<f64> = values.iter().map(|v| v.signum() * 0.1).collect();
            assert_eq!(p(&tied), brute_force(&tied), "tied, {n}");
        }
    }

    #[test]
    fn drawn_flips_come_near_the_exact_value() {
        let values: Vec<f64> = (0..25).map(|i| (f64::from(i) * 1.3).sin() + 0.3).collect();
        // The exact p of 24 of them and of all 25 lie close; compare all by brute halves.
        let exact = exact(
            &values.iter().map(|v| v.abs()).collect::<Vec<_>>(),
            values.iter().sum(),
        );
        let flips = SignFlips::new(25, DEFAULT_FLIPS, 7);
        let drawn = paired_permutation(&some(&values), &flips).unwrap();
        let error = (exact * (1.0 - exact) / DEFAULT_FLIPS as f64).sqrt();
        assert!((drawn - exact).abs() < 4.0 * error, "{drawn} {exact}");
    }

    #[test]
    fn far_from_zero_gives_the_least_p_there_is() {
        let values = vec![1.0; 100];
        let flips = SignFlips::new(100, 999, 3);
        assert_eq!(paired_permutation(&some(&values), &flips), Some(0.001));
        assert_eq!(
            p(&[1.0; 24]),
            2.0 / f64::from(1u32 << 24),
            "exact at its limit"
        );
    }

    #[test]
    fn signs_are_even_and_do_not_depend_on_how_many_are_drawn() {
        let flips = SignFlips::new(50, 4096, 9);
        let ones: u32 = flips.signs.iter().map(|word| word.count_ones()).sum();
        // 204 800 signs, standard deviation 226
        assert!((i64::from(ones) - 102_400).abs() < 1000, "{ones}");
        let few = SignFlips::new(3, 64, 9);
        assert!((0..3).all(|image| few.signs[image] == flips.signs[image * 64]));
    }

    #[test]
    fn nothing_to_test() {
        let flips = SignFlips::new(3, 10, 1);
        assert_eq!(paired_permutation(&[None; 3], &flips), None);
        assert_eq!(
            paired_permutation(&[Some(f64::NAN), None, None], &flips),
            None
        );
        assert_eq!(
            paired_permutation(&[Some(0.0), None, Some(0.0)], &flips),
            Some(1.0)
        );
        let none = SignFlips::new(0, 10, 1);
        assert_eq!(paired_permutation(&[], &none), None);
    }
}
