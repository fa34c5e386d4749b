//! Jensen–Shannon divergence of two maps.

use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// A map as shares of its absolute attribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares {
    shares: Vec<f64>,
    /// Σ p log₂ p
    negative_entropy: f64,
}

impl Shares {
    /// Prepares a map.
    ///
    /// # Errors
    /// [`NotApplicable::NonFinite`] for NaN or infinite values, [`NotApplicable::ZeroRelevance`]
    /// for a map of zeros.
    pub fn new(attribution: &[f32]) -> Result<Self, NotApplicable> {
        let shares = magnitude_shares(attribution)?;
        Ok(Self {
            negative_entropy: shares.iter().map(|&share| p_log_p(share)).sum(),
            shares,
        })
    }
}

/// `|a| / Σ|a|`.
pub(super) fn magnitude_shares(attribution: &[f32]) -> Result<Vec<f64>, NotApplicable> {
    if attribution.iter().any(|value| !value.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    let total: f64 = attribution
        .iter()
        .map(|&value| f64::from(value).abs())
        .sum();
    if total == 0.0 {
        return Err(NotApplicable::ZeroRelevance);
    }
    let share = |&value: &f32| f64::from(value).abs() / total;
    Ok(attribution.iter().map(share).collect())
}

fn p_log_p(p: f64) -> f64 {
    if p > 0.0 { p * p.log2() } else { 0.0 }
}

/// Jensen–Shannon divergence of `|a| / Σ|a|` of two maps in bits: 0 for equal shares, 1 for maps
/// without a common pixel.
///
/// Lin 1991, equation 4.1 with equal weights: `H((p + q)/2) − (H(p) + H(q))/2`.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] for maps of different sizes.
pub fn js_divergence(a: &Shares, b: &Shares) -> Score {
    if a.shares.len() != b.shares.len() {
        return Err(NotApplicable::LengthMismatch);
    }
    let middle: f64 = a
        .shares
        .iter()
        .zip(&b.shares)
        .map(|(p, q)| p_log_p((p + q) / 2.0))
        .sum();
    let bits = (a.negative_entropy + b.negative_entropy) / 2.0 - middle;
    finite(bits.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(values: &[f32]) -> Shares {
        Shares::new(values).unwrap()
    }

    #[test]
    fn by_hand() {
        assert_eq!(
            js_divergence(&shares(&[2.0, 0.0]), &shares(&[0.0, -5.0])).unwrap(),
            1.0
        );
        assert_eq!(
            js_divergence(&shares(&[1.0, 3.0]), &shares(&[-2.0, 6.0])).unwrap(),
            0.0
        );
        // p = (1, 0), q = (1/2, 1/2): H(3/4, 1/4) − 1/2 = 0.8112781 − 0.5
        let bits = js_divergence(&shares(&[1.0, 0.0]), &shares(&[1.0, 1.0])).unwrap();
        assert!((bits - 0.311_278_124_459_132_8).abs() < 1e-12);
    }

    #[test]
    fn maps_of_zeros_have_no_shares() {
        assert_eq!(Shares::new(&[0.0; 3]), Err(NotApplicable::ZeroRelevance));
        assert_eq!(
            Shares::new(&[f32::INFINITY, 1.0]),
            Err(NotApplicable::NonFinite)
        );
        assert_eq!(
            js_divergence(&shares(&[1.0]), &shares(&[1.0, 2.0])),
            Err(NotApplicable::LengthMismatch)
        );
    }
}
