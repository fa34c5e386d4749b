//! Standard normal draws by counter: value i of (seed, sample) is a function of these three alone.
//!
//! A SmoothGrad map of a 28x28 image takes 39,200 draws, so they must cost little beside the
//! gradients. Draws come in pairs by the Box-Muller transform from one 64-bit hash (the SplitMix64
//! finaliser), with the logarithm, sine and cosine as short polynomials in f32 without branches,
//! which compilers turn into vector code. Additions, multiplications, one division and one square
//! root are all there is, each rounded as IEEE 754 prescribes, so the noise is the same bit for bit
//! on every machine; the system's mathematics library has no part in it.

use std::f32::consts::{FRAC_PI_4, LN_2};

/// Pairs made at once: enough to fill the vector units.
const PAIRS: usize = 16;
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finaliser (Steele, Lea and Flood 2014): a bijection that mixes every bit.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The standard normal noise of one noisy copy of one row.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    key: u64,
}

impl Noise {
    /// The noise of copy `sample` of the row with this `seed`.
    #[must_use]
    pub const fn new(seed: u64, sample: u64) -> Self {
        Self {
            key: mix(mix(seed.wrapping_add(GOLDEN)) ^ sample.wrapping_mul(0xd1b5_4a32_d192_ed03)),
        }
    }

    /// Fills `out` with draws of mean 0 and variance 1; draw i is the same for every length.
    ///
    /// The largest possible magnitude is 6.7 (a hash gives 31 bits to the radius).
    pub fn fill(self, out: &mut [f32]) {
        let mut next = 0_u64;
        let mut blocks = out.chunks_exact_mut(2 * PAIRS);
        for block in &mut blocks {
            let (first, second) = self.block(next);
            block[..PAIRS].copy_from_slice(&first);
            block[PAIRS..].copy_from_slice(&second);
            next += PAIRS as u64;
        }
        let rest = blocks.into_remainder();
        if !rest.is_empty() {
            let (first, second) = self.block(next);
            for (value, draw) in rest.iter_mut().zip(first.iter().chain(&second)) {
                *value = *draw;
            }
        }
    }

    /// The pairs `next..next + PAIRS`, cosine parts and sine parts.
    #[inline]
    fn block(self, next: u64) -> ([f32; PAIRS], [f32; PAIRS]) {
        let mut high = [0_u32; PAIRS];
        let mut low = [0_u32; PAIRS];
        for (i, (high, low)) in high.iter_mut().zip(&mut low).enumerate() {
            let hash = mix(self
                .key
                .wrapping_add((next + i as u64 + 1).wrapping_mul(GOLDEN)));
            *high = (hash >> 32) as u32;
            *low = hash as u32;
        }
        let mut first = [0.0; PAIRS];
        let mut second = [0.0; PAIRS];
        for i in 0..PAIRS {
            let radius = radius(high[i] >> 1);
            // Two bits choose the quarter of the circle, the other 30 the place within it.
            let (sine, cosine) = sine_cosine(low[i]);
            let swap = (high[i] & 1) != 0;
            first[i] = radius * if swap { sine } else { cosine };
            second[i] = radius * if swap { cosine } else { sine };
        }
        (first, second)
    }
}

/// sqrt(-2 ln u) with u = (bits + 1/2) / 2^31.
#[inline]
fn radius(bits: u32) -> f32 {
    let u = (bits as i32 as f32 + 0.5) * (1.0 / 2_147_483_648.0);
    // u = m 2^e with m in [sqrt(1/2), sqrt(2)): taking sqrt(1/2)'s bits away first lets the
    // exponent field round to that e.
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let shifted = u.to_bits().wrapping_sub(SQRT_HALF);
    let exponent = (shifted as i32) >> 23;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(SQRT_HALF));
    // ln m = 2 artanh(s), whose series in s = (m - 1) / (m + 1), |s| < 0.1716, is cut after s^9:
    // the rest is below 1e-9.
    let s = (m - 1.0) / (m + 1.0);
    let q = s * s;
    let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0))));
    let ln = exponent as f32 * LN_2 + 2.0 * s * series;
    (-2.0 * ln).max(0.0).sqrt()
}

/// Sine and cosine of an angle within 45 degrees of the axis, or of the opposite one.
#[inline]
fn sine_cosine(bits: u32) -> (f32, f32) {
    let angle = (bits << 1) as i32 as f32 * (FRAC_PI_4 / 2_147_483_648.0);
    let sign = if bits >> 31 == 0 { 1.0 } else { -1.0 };
    let q = angle * angle;
    // Taylor's series up to angle^9 and angle^10: the rest is below 2e-9 and 2e-10.
    let sine = angle
        * (1.0
            + q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5_040.0 + q * (1.0 / 362_880.0)))));
    let cosine = 1.0
        + q * (-0.5
            + q * (1.0 / 24.0
                + q * (-1.0 / 720.0 + q * (1.0 / 40_320.0 + q * (-1.0 / 3_628_800.0)))));
    (sign * sine, sign * cosine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u64, sample: u64, count: usize) -> Vec<f32> {
        let mut out = vec![0.0; count];
        Noise::new(seed, sample).fill(&mut out);
        out
    }

    #[test]
    fn the_polynomials_agree_with_f64_functions() {
        for i in 0..20_000_u64 {
            let hash = mix(i);
            let bits = (hash >> 33) as u32;
            let u = (f64::from(bits) + 0.5) / 2_147_483_648.0;
            let expected = (-2.0 * u.ln()).sqrt();
            let error = (f64::from(radius(bits)) - expected).abs();
            // Close to u = 1 the radius is small and u has the rounding of an f32.
            assert!(error < 2e-6 + 6e-8 / expected.max(1e-4), "{u}: {error}");

            let low = hash as u32;
            let angle =
                f64::from((low << 1) as i32) * std::f64::consts::FRAC_PI_4 / 2_147_483_648.0;
            let turn = if low >> 31 == 0 {
                0.0
            } else {
                std::f64::consts::PI
            };
            let (sine, cosine) = sine_cosine(low);
            assert!((f64::from(sine) - (angle + turn).sin()).abs() < 2e-7);
            assert!((f64::from(cosine) - (angle + turn).cos()).abs() < 2e-7);
        }
        assert!(radius(0) > 6.6 && radius(0) < 6.7);
        assert_eq!(radius(0x7fff_ffff), 0.0);
    }

    #[test]
    fn moments_and_tails_are_those_of_a_normal() {
        let n = 1_000_000;
        let x: Vec<f64> = draws(3, 0, n).into_iter().map(f64::from).collect();
        let moment = |p: i32| x.iter().map(|v| v.powi(p)).sum::<f64>() / n as f64;
        // Five standard errors: sqrt(1/n), sqrt(2/n), sqrt(15/n), sqrt(96/n).
        assert!(moment(1).abs() < 5e-3);
        assert!((moment(2) - 1.0).abs() < 5.0 * 1.415e-3);
        assert!(moment(3).abs() < 5.0 * 3.88e-3);
        assert!((moment(4) - 3.0).abs() < 5.0 * 9.8e-3);
        // Shares beyond 0, 1, 2 and 3.
        for (limit, share) in [
            (0.0, 0.5),
            (1.0, 0.158_655_3),
            (2.0, 0.022_750_1),
            (3.0, 0.001_349_9),
        ] {
            let error = 5.0 * (share * (1.0 - share) / n as f64).sqrt();
            for sign in [1.0, -1.0] {
                let seen = x.iter().filter(|&&v| sign * v > limit).count() as f64 / n as f64;
                assert!((seen - share).abs() < error, "{limit} {seen}");
            }
        }
    }

    #[test]
    fn pairs_samples_and_seeds_are_uncorrelated() {
        let n = 200_000;
        let correlation = |a: &[f32], b: &[f32]| {
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum::<f64>()
                / a.len() as f64
        };
        let limit = 5.0 / (n as f64).sqrt();
        let x = draws(1, 0, n);
        assert!(correlation(&x, &draws(1, 1, n)).abs() < limit);
        assert!(correlation(&x, &draws(2, 0, n)).abs() < limit);
        for lag in [1, PAIRS, 2 * PAIRS] {
            assert!(correlation(&x[lag..], &x[..n - lag]).abs() < limit, "{lag}");
        }
    }

    #[test]
    fn a_draw_does_not_depend_on_the_length() {
        let long = draws(9, 4, 100);
        for n in [1, 15, 31, 32, 33, 77] {
            assert_eq!(draws(9, 4, n), long[..n]);
        }
    }
}
