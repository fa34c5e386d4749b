//! The exponential function of a slice, in vectors.

/// log2(e).
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts, the first with few bits, so that its multiples are exact (Cody and Waite).
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// 1.5 · 2²³: adding it rounds to an integer, whose bits are then the lowest of the sum.
const ROUNDER: f32 = 12_582_912.0;
/// exp of it is just above the smallest normal number.
const LOWEST: f32 = -87.0;

/// exp(x) for x ≤ 0, to 2 units in the last place; below −87 as at −87. NaN stays NaN.
///
/// x = n ln 2 + r with |r| ≤ ln 2 / 2; exp(r) by its Taylor polynomial of degree 7 (remainder
/// below 6 · 10⁻⁹), and 2ⁿ by its bits.
#[inline(always)]
pub(crate) fn exp_negative(x: f32) -> f32 {
    let x = if x < LOWEST { LOWEST } else { x };
    let shifted = x.mul_add(LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let r = n.mul_add(-LN_2_HIGH, x);
    let r = n.mul_add(-LN_2_LOW, r);
    let mut sum = 1.0 / 5040.0;
    for term in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        sum = r.mul_add(sum, term);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    sum * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library() {
        let mut worst = 0.0_f64;
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let want = f64::from(x).exp();
            worst = worst.max((f64::from(exp_negative(x)) - want).abs() / want);
        }
        assert!(worst < 2.4e-7, "{worst}");
        assert_eq!(exp_negative(0.0), 1.0);
        assert_eq!(exp_negative(-0.0), 1.0);
        assert!(exp_negative(-1e30) < 2e-38);
        assert!(exp_negative(f32::NEG_INFINITY) > 0.0);
        assert!(exp_negative(f32::NAN).is_nan());
    }
}
