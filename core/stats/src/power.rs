//! What can be told apart with so many images, and how many would be needed.

use crate::distributions::{bisect, noncentral_t_cdf, t_quantile_upper};

/// Efficiency of the Wilcoxon signed-rank test relative to the t test where differences are
/// normal, 3/π (Pitman 1948): it needs 1/0.955 times the images.
pub const WILCOXON_EFFICIENCY_NORMAL: f64 = 3.0 / std::f64::consts::PI;

/// The least that efficiency can be for any symmetric distribution, 108/125 (Hodges and Lehmann
/// 1956): the Wilcoxon test never needs more than 1.157 times the images.
pub const WILCOXON_EFFICIENCY_LEAST: f64 = 108.0 / 125.0;

/// The most images that are searched for.
const MOST: f64 = 1e9;

/// Power of the two-sided paired t test: the probability that it finds, at level `alpha`, a mean
/// difference of `effect` standard deviations (Cohen's d_z) from `n` images, by the noncentral t
/// distribution with shift `effect·√n` (Cohen 1988, chapter 2).
///
/// `n` may be fractional. `None` unless `n > 1`, `alpha` lies in (0, 1) and `effect` is finite.
#[must_use]
pub fn paired_t_power(effect: f64, n: f64, alpha: f64) -> Option<f64> {
    let usable = n > 1.0 && alpha > 0.0 && alpha < 1.0 && effect.is_finite();
    if !usable {
        return None;
    }
    let freedom = n - 1.0;
    let critical = t_quantile_upper(alpha / 2.0, freedom)?;
    power_at(effect.abs() * n.sqrt(), critical, freedom)
}

fn power_at(shift: f64, critical: f64, freedom: f64) -> Option<f64> {
    let below = noncentral_t_cdf(critical, freedom, shift)?;
    let other = noncentral_t_cdf(-critical, freedom, shift)?;
    Some((1.0 - below + other).clamp(0.0, 1.0))
}

/// The smallest mean difference that `n` images show with probability `power` at level `alpha`,
/// where differences have standard deviation `deviation`, in the same unit.
///
/// For the Wilcoxon test give `n` times its efficiency. `None` unless `n > 1`, the deviation is
/// finite and not negative, and `0 < alpha < power < 1`; 0 for a deviation of 0.
#[must_use]
pub fn detectable_difference(deviation: f64, n: f64, alpha: f64, power: f64) -> Option<f64> {
    let usable = n > 1.0 && deviation >= 0.0 && deviation.is_finite() && levels(alpha, power);
    if !usable {
        return None;
    }
    let freedom = n - 1.0;
    let critical = t_quantile_upper(alpha / 2.0, freedom)?;
    // A shift of the critical value plus some normal quantiles is always found.
    let high = 4.0 * critical + 40.0;
    let shift = bisect(0.0, high, |shift| {
        Some(power_at(shift, critical, freedom)? < power)
    })?;
    Some(deviation * shift / n.sqrt())
}

/// Images that show a mean difference of `effect` standard deviations (Cohen's d_z) with
/// probability `power` at level `alpha`: the least whole number, at least 2.
///
/// `efficiency` is 1 for the t test and one of the constants above for the Wilcoxon test (images
/// of the t test over efficiency; Lehmann 1975, section 4.3). `None` where no number of images up
/// to 10⁹ does, which includes an effect of 0, and for arguments out of range.
#[must_use]
pub fn images_needed(effect: f64, alpha: f64, power: f64, efficiency: f64) -> Option<u64> {
    let usable = effect != 0.0 && effect.is_finite() && efficiency > 0.0 && efficiency.is_finite();
    if !usable || !levels(alpha, power) {
        return None;
    }
    let reaches = |n: f64| Some(paired_t_power(effect, n, alpha)? >= power);
    let mut high = 2.0;
    while !reaches(high)? {
        high *= 2.0;
        if high > MOST {
            return None;
        }
    }
    let mut low = high / 2.0;
    // Between 1 and 2 a fraction of an image is as good as two.
    while high - low > 1e-3 && high > 2.0 {
        let middle = (low + high) / 2.0;
        if reaches(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    let needed = (high / efficiency - 1e-3).ceil().max(2.0);
    Some(needed as u64)
}

fn levels(alpha: f64, power: f64) -> bool {
    alpha > 0.0 && alpha < power && power < 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_told_is_told_at_that_power() {
        for n in [2.0, 3.0, 10.0, 256.0, 10_000.0] {
            let difference = detectable_difference(2.5, n, 0.05, 0.8).unwrap();
            let power = paired_t_power(difference / 2.5, n, 0.05).unwrap();
            assert!((power - 0.8).abs() < 1e-9, "{n}: {power}");
        }
        // Many images: (z₀.₉₇₅ + z₀.₈) σ/√n = 2.8016 σ/√n.
        let many = detectable_difference(1.0, 1e6, 0.05, 0.8).unwrap();
        assert!((many - 2.801_585e-3).abs() < 1e-8, "{many}");
    }

    #[test]
    fn images_are_the_least_number_that_does() {
        for effect in [0.05, 0.2, 0.5, 0.8, 2.0] {
            let n = images_needed(effect, 0.05, 0.8, 1.0).unwrap();
            assert!(paired_t_power(effect, n as f64, 0.05).unwrap() >= 0.8 - 1e-4);
            if n > 2 {
                assert!(paired_t_power(effect, n as f64 - 1.0, 0.05).unwrap() < 0.8);
            }
        }
        assert_eq!(images_needed(-0.5, 0.05, 0.8, 1.0), Some(34));
        assert_eq!(images_needed(100.0, 0.05, 0.8, 1.0), Some(2));
    }

    #[test]
    fn no_power() {
        assert_eq!(paired_t_power(0.5, 1.0, 0.05), None);
        assert_eq!(paired_t_power(f64::NAN, 10.0, 0.05), None);
        assert_eq!(detectable_difference(1.0, 1.0, 0.05, 0.8), None);
        assert_eq!(detectable_difference(-1.0, 9.0, 0.05, 0.8), None);
        assert_eq!(detectable_difference(1.0, 9.0, 0.9, 0.8), None);
        assert_eq!(detectable_difference(0.0, 9.0, 0.05, 0.8), Some(0.0));
        assert_eq!(images_needed(0.0, 0.05, 0.8, 1.0), None);
        assert_eq!(images_needed(1e-6, 0.05, 0.8, 1.0), None);
        assert_eq!(images_needed(0.5, 0.05, 0.8, 0.0), None);
    }
}
