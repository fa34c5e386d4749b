//! Does the map predict the drop of every perturbation?

use super::spread;
use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// Infidelity with the optimal scaling, `E_I [(β Iᵀa − (f(x) − f(x − I)))²]` with
/// `β = E[Iᵀa · Δ] / E[(Iᵀa)²]` (Yeh et al. 2019, definition 2.1 and section 4), 0 at best and
/// `E[Δ²]` at worst, in squared outputs of the model.
///
/// `products` holds `Iᵀa` and `drops` holds Δ = `f(x) − f(x − I)` of each perturbation I. β makes
/// the score independent of the map's scale, positive or negative.
///
/// # Errors
/// [`NotApplicable::ConstantOutcome`] if no drop exceeds `least`, [`NotApplicable::ZeroRelevance`]
/// if the map is zero wherever the perturbations are not, [`NotApplicable::LengthMismatch`],
/// [`NotApplicable::NonFinite`], [`NotApplicable::Empty`] without perturbations.
pub fn infidelity(products: &[f64], drops: &[f64], least: f64) -> Score {
    if products.len() != drops.len() {
        return Err(NotApplicable::LengthMismatch);
    }
    if products.is_empty() {
        return Err(NotApplicable::Empty);
    }
    if !products.iter().chain(drops).all(|value| value.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    if spread(drops) <= least && drops.iter().all(|drop| drop.abs() <= least) {
        return Err(NotApplicable::ConstantOutcome);
    }
    // Divided by the greatest, so that maps of tiny attributions do not underflow when squared.
    let greatest = products
        .iter()
        .fold(0.0, |most: f64, product| most.max(product.abs()));
    if greatest == 0.0 {
        return Err(NotApplicable::ZeroRelevance);
    }
    let (mut cross, mut square) = (0.0, 0.0);
    for (product, drop) in products.iter().zip(drops) {
        let product = product / greatest;
        cross += product * drop;
        square += product * product;
    }
    let beta = cross / square;
    let errors = products.iter().zip(drops).map(|(product, drop)| {
        let error = beta * (product / greatest) - drop;
        error * error
    });
    finite(errors.sum::<f64>() / products.len() as f64)
}
