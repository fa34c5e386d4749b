//! Do attributions and the model's drops go together?

use super::{FaithfulnessSubsets, LEAST_OUTCOME_SPREAD, spread};
use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// Pearson correlation, over the subsets S, of the attribution `Σ_S a` with the outcome
/// `f(x) − f(x[S→baseline])`, in −1..=1 (Bhatt et al. 2020, definition 3).
///
/// # Errors
/// [`NotApplicable::ConstantAttribution`] if the sums do not vary,
/// [`NotApplicable::ConstantOutcome`] if the outcomes vary by less than
/// [`LEAST_OUTCOME_SPREAD`], [`NotApplicable::LengthMismatch`] if attribution, subsets and
/// outcomes do not fit, [`NotApplicable::NonFinite`], [`NotApplicable::Empty`] without subsets.
pub fn faithfulness_correlation(
    attribution: &[f32],
    subsets: &FaithfulnessSubsets,
    outcomes: &[f64],
) -> Score {
    let sums = subsets.sums(attribution)?;
    // Equal sums of unequal attributions differ by rounding, up to about d ε of the terms.
    let scale = attribution
        .iter()
        .fold(0.0, |most, value| value.abs().max(most));
    let noise = 1e-12 * subsets.size() as f64 * f64::from(scale);
    correlate(&sums, noise, outcomes, LEAST_OUTCOME_SPREAD, pearson)
}

/// Pearson correlation of attributions `sums` with `drops` of the outcome, pair by pair, in
/// −1..=1: the faithfulness estimate of Alvarez-Melis and Jaakkola 2018 (section 4) where each
/// pair is one region, sensitivity-n (Ancona et al. 2018, section 4) where each is one subset of n
/// pixels.
///
/// # Errors
/// [`NotApplicable::ConstantAttribution`] if the sums do not vary,
/// [`NotApplicable::ConstantOutcome`] if the drops vary by `least` at most,
/// [`NotApplicable::LengthMismatch`] for different numbers of them, [`NotApplicable::NonFinite`],
/// [`NotApplicable::Empty`] without pairs.
pub fn correlation_of_drops(sums: &[f64], drops: &[f64], least: f64) -> Score {
    correlate(sums, rounding(sums), drops, least, pearson)
}

/// Spearman correlation of attributions with drops, ties by average ranks, in −1..=1: μ-fidelity
/// where each pair is a subset of patches (Bhatt et al. 2020 by ranks), monotonicity correlation
/// where each is a patch with its expected squared change (Nguyen and Martínez 2020, section 3.2).
///
/// # Errors
/// As [`correlation_of_drops`].
pub fn rank_correlation_of_drops(sums: &[f64], drops: &[f64], least: f64) -> Score {
    correlate(sums, rounding(sums), drops, least, |a, b| {
        pearson(&average_ranks(a), &average_ranks(b))
    })
}

/// The mean of correlations, one a subset size: sensitivity-n as one number (Ancona et al. 2018
/// plot it over n).
///
/// Sizes without a correlation are left out.
///
/// # Errors
/// The reason of the first where no size has one, [`NotApplicable::Empty`] without sizes.
pub fn mean_correlation(correlations: &[Score]) -> Score {
    let known: Vec<f64> = correlations.iter().filter_map(|one| one.ok()).collect();
    match (correlations.first(), known.len()) {
        (None, _) => Err(NotApplicable::Empty),
        (Some(&first), 0) => first,
        (_, count) => finite(known.iter().sum::<f64>() / count as f64),
    }
}

/// What rounding may leave of equal sums.
fn rounding(sums: &[f64]) -> f64 {
    1e-12 * sums.iter().fold(0.0, |most: f64, sum| most.max(sum.abs()))
}

fn correlate(
    sums: &[f64],
    noise: f64,
    drops: &[f64],
    least: f64,
    measure: impl Fn(&[f64], &[f64]) -> Score,
) -> Score {
    if sums.len() != drops.len() {
        return Err(NotApplicable::LengthMismatch);
    }
    if sums.is_empty() {
        return Err(NotApplicable::Empty);
    }
    if !sums.iter().chain(drops).all(|value| value.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    if spread(drops) <= least {
        return Err(NotApplicable::ConstantOutcome);
    }
    if spread(sums) <= noise {
        return Err(NotApplicable::ConstantAttribution);
    }
    measure(sums, drops)
}

fn pearson(a: &[f64], b: &[f64]) -> Score {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut product, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        product += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    finite((product / (square_a.sqrt() * square_b.sqrt())).clamp(-1.0, 1.0))
}

/// Ranks from 1, rising, tied values sharing the mean of their places.
fn average_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for end in 1..=order.len() {
        if end == order.len() || values[order[end]] != values[order[start]] {
            let rank = (start + 1 + end) as f64 / 2.0;
            for &place in &order[start..end] {
                ranks[place] = rank;
            }
            start = end;
        }
    }
    ranks
}
