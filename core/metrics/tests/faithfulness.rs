//! Perturbation rows and faithfulness scores against hand-worked values and a linear model.

use proptest::prelude::*;
use xbench_metrics::faithfulness::{
    DEFAULT_STEPS, FaithfulnessSubsets, PerturbationPlan, faithfulness_correlation,
    normalised_curve_auc, softmax_probability,
};
use xbench_metrics::{DrawKey, NotApplicable, RankedMap};

fn plan(values: &[f32], steps: usize) -> PerturbationPlan {
    let key = DrawKey::new(1, "deletion_auc", 0);
    PerturbationPlan::new(&RankedMap::new(values).unwrap(), steps, key)
}

#[test]
fn rows_by_hand() {
    // Two channels of three pixels, order 1 2 0.
    let plan = plan(&[1.0, 3.0, 2.0], 3);
    let image = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
    let baseline = [0.0, 0.0, 3.0, 0.0, 0.0, 30.0];
    let mut row = [9.0; 6];
    assert_eq!(
        plan.write_deletion(0, &image, &baseline, &mut row),
        Ok(true)
    );
    assert_eq!(row, image);
    assert_eq!(
        plan.write_deletion(1, &image, &baseline, &mut row),
        Ok(true)
    );
    assert_eq!(row, [1.0, 0.0, 3.0, 10.0, 0.0, 30.0]);
    // Pixel 2 is at its baseline already.
    assert_eq!(
        plan.write_deletion(2, &image, &baseline, &mut row),
        Ok(false)
    );
    assert_eq!(row, [1.0, 0.0, 3.0, 10.0, 0.0, 30.0]);
    assert_eq!(
        plan.write_deletion(3, &image, &baseline, &mut row),
        Ok(true)
    );
    assert_eq!(row, baseline);
    assert_eq!(
        plan.write_insertion(1, &image, &baseline, &mut row),
        Ok(true)
    );
    assert_eq!(row, [0.0, 2.0, 3.0, 0.0, 20.0, 30.0]);
    assert_eq!(
        plan.write_insertion(3, &image, &baseline, &mut row),
        Ok(true)
    );
    assert_eq!(row, image);
}

#[test]
fn steps_touch_equal_shares() {
    let values: Vec<f32> = (0..784).map(|pixel| pixel as f32).collect();
    let plan = plan(&values, DEFAULT_STEPS);
    for step in 0..=DEFAULT_STEPS {
        assert_eq!(plan.touched(step).len(), 28 * step);
    }
    assert_eq!(plan.touched(1)[0], 783);
    assert_eq!(plan.touched(99).len(), 784);
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let plan = plan(&[1.0, 3.0, 2.0], 3);
    let mismatch = Err(NotApplicable::LengthMismatch);
    assert_eq!(
        plan.write_deletion(1, &[0.0; 4], &[0.0; 4], &mut [0.0; 4]),
        mismatch
    );
    assert_eq!(
        plan.write_deletion(1, &[0.0; 3], &[0.0; 3], &mut [0.0; 6]),
        mismatch
    );
    let subsets = FaithfulnessSubsets::new(0, 0, 3, 1, 5);
    assert_eq!(
        subsets.write_row(0, &[0.0; 3], &[0.0; 6], &mut [0.0; 3]),
        mismatch
    );
}

#[test]
fn curve_area_by_hand() {
    // Straight fall from 0.9 to 0.1 scores one half, whatever the number of steps.
    for steps in [1, 2, 28] {
        let curve: Vec<f64> = (0..=steps)
            .map(|k| 0.9 - 0.8 * k as f64 / steps as f64)
            .collect();
        assert!((normalised_curve_auc(&curve, 0.9, 0.1).unwrap() - 0.5).abs() < 1e-12);
    }
    // Trapezoids of 1, 0.5, 0: scaled 1, 0.5, 0, 0 -> (0.5 + 0.5 + 0) / 3
    let auc = normalised_curve_auc(&[0.8, 0.5, 0.2, 0.2], 0.8, 0.2).unwrap();
    assert!((auc - 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn curves_without_a_score() {
    use NotApplicable::{BaselineAboveImage, ConstantOutcome, Empty, NonFinite};
    assert_eq!(
        normalised_curve_auc(&[0.3, 0.5], 0.3, 0.5),
        Err(BaselineAboveImage)
    );
    assert_eq!(
        normalised_curve_auc(&[0.3, 0.3], 0.3, 0.3),
        Err(BaselineAboveImage)
    );
    assert_eq!(
        normalised_curve_auc(&[0.9, 0.87], 0.9, 0.87),
        Err(ConstantOutcome)
    );
    assert_eq!(normalised_curve_auc(&[0.9], 0.9, 0.1), Err(Empty));
    assert_eq!(
        normalised_curve_auc(&[0.9, f64::NAN], 0.9, 0.1),
        Err(NonFinite)
    );
    assert_eq!(
        normalised_curve_auc(&[0.9, 0.1], f64::NAN, 0.1),
        Err(NonFinite)
    );
}

#[test]
fn subsets_are_without_replacement_and_even() {
    let subsets = FaithfulnessSubsets::new(5, 3, 20, 6, 4000);
    assert_eq!(subsets.count(), 4000);
    let mut seen = [0i32; 20];
    for subset in 0..4000 {
        let mut members = subsets.members(subset).to_vec();
        members.iter().for_each(|&pixel| seen[pixel as usize] += 1);
        members.sort_unstable();
        members.dedup();
        assert_eq!(members.len(), 6);
    }
    // Binomial(4000, 0.3): 1200 ± 29 each.
    assert!(
        seen.iter().all(|count| (count - 1200).abs() < 145),
        "{seen:?}"
    );
}

#[test]
fn subsets_depend_on_their_address_alone() {
    let (few, many) = (
        FaithfulnessSubsets::new(5, 3, 50, 9, 4),
        FaithfulnessSubsets::new(5, 3, 50, 9, 40),
    );
    assert!((0..4).all(|subset| few.members(subset) == many.members(subset)));
    assert_ne!(few, FaithfulnessSubsets::new(5, 4, 50, 9, 4));
    assert_ne!(few, FaithfulnessSubsets::new(6, 3, 50, 9, 4));
    assert!(many.members(40).is_empty());
}

#[test]
fn subset_rows_replace_their_pixels() {
    let subsets = FaithfulnessSubsets::new(5, 3, 8, 3, 2);
    let image: Vec<f32> = (1..17).map(|value| value as f32).collect();
    let mut row = vec![0.0; 16];
    assert_eq!(subsets.write_row(1, &image, &[0.0; 16], &mut row), Ok(true));
    for (place, (&value, &from)) in row.iter().zip(&image).enumerate() {
        let gone = subsets.members(1).contains(&(place as u32 % 8));
        assert_eq!(value, if gone { 0.0 } else { from });
    }
    let unchanged = image.clone();
    assert_eq!(
        subsets.write_row(1, &image, &unchanged, &mut row),
        Ok(false)
    );
}

/// Outcomes of a linear model with the given weights, whose pixels are all 1, baseline 0.
fn linear_outcomes(weights: &[f32], subsets: &FaithfulnessSubsets) -> Vec<f64> {
    let drop = |subset| -> f64 {
        subsets
            .members(subset)
            .iter()
            .map(|&pixel| f64::from(weights[pixel as usize]))
            .sum()
    };
    (0..subsets.count()).map(drop).collect()
}

#[test]
fn correlation_of_a_linear_model() {
    // The exact attribution of a linear model correlates perfectly, its negative inversely.
    let weights: Vec<f32> = (0..40)
        .map(|pixel| ((pixel * 7) % 11) as f32 - 4.0)
        .collect();
    let subsets = FaithfulnessSubsets::new(1, 2, 40, 11, 100);
    let outcomes = linear_outcomes(&weights, &subsets);
    let scaled: Vec<f32> = weights.iter().map(|w| 3.0 * w + 1.0).collect();
    assert!((faithfulness_correlation(&scaled, &subsets, &outcomes).unwrap() - 1.0).abs() < 1e-9);
    let negative: Vec<f32> = weights.iter().map(|w| -w).collect();
    assert!((faithfulness_correlation(&negative, &subsets, &outcomes).unwrap() + 1.0).abs() < 1e-9);
}

#[test]
fn correlation_by_hand() {
    // Three subsets of one pixel each: sums are the pixels' attributions.
    let subsets = FaithfulnessSubsets::new(1, 2, 3, 1, 3);
    let attribution = [1.0f32, 2.0, 4.0];
    let outcomes = [0.3, 0.1, 0.2];
    let sums: Vec<f64> = (0..3)
        .map(|s| attribution[subsets.members(s)[0] as usize].into())
        .collect();
    let (mean_a, mean_b) = (sums.iter().sum::<f64>() / 3.0, 0.2);
    let (a, b): (Vec<f64>, Vec<f64>) = sums
        .iter()
        .zip(outcomes)
        .map(|(a, b)| (a - mean_a, b - mean_b))
        .unzip();
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let expected = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
    assert!(expected.is_finite(), "the seed must draw different pixels");
    let score = faithfulness_correlation(&attribution, &subsets, &outcomes).unwrap();
    assert!((score - expected).abs() < 1e-12);
}

#[test]
fn correlations_without_a_score() {
    use NotApplicable::{ConstantAttribution, ConstantOutcome, Empty, LengthMismatch, NonFinite};
    let subsets = FaithfulnessSubsets::new(1, 2, 8, 3, 4);
    let map = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0];
    let outcomes = [0.1, 0.4, 0.2, 0.9];
    assert_eq!(
        faithfulness_correlation(&map, &subsets, &[0.5; 4]),
        Err(ConstantOutcome)
    );
    assert_eq!(
        faithfulness_correlation(&[0.1; 8], &subsets, &outcomes),
        Err(ConstantAttribution)
    );
    assert_eq!(
        faithfulness_correlation(&map, &subsets, &outcomes[..3]),
        Err(LengthMismatch)
    );
    assert_eq!(
        faithfulness_correlation(&map[..7], &subsets, &outcomes),
        Err(LengthMismatch)
    );
    assert_eq!(
        faithfulness_correlation(&[f32::NAN; 8], &subsets, &outcomes),
        Err(NonFinite)
    );
    let none = FaithfulnessSubsets::new(1, 2, 8, 3, 0);
    assert_eq!(faithfulness_correlation(&map, &none, &[]), Err(Empty));
}

#[test]
fn softmax_by_hand() {
    // e^0 : e^ln3 = 1 : 3
    let logits = [0.0f32, 3.0f32.ln()];
    assert!((softmax_probability(&logits, 1).unwrap() - 0.75).abs() < 1e-7);
    assert_eq!(softmax_probability(&[1e30, -1e30], 0), Ok(1.0));
    assert_eq!(
        softmax_probability(&logits, 2),
        Err(NotApplicable::ClassOutOfRange)
    );
    assert_eq!(
        softmax_probability(&[f32::NAN, 0.0], 1),
        Err(NotApplicable::NonFinite)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// On a linear model with a rising order the curve of the exact attribution lies below that
    /// of its reverse: deletion in the right order is never worse.
    #[test]
    fn right_order_deletes_fastest(weights in prop::collection::vec(0.0f32..1.0, 4..30), steps in 2usize..9) {
        let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        prop_assume!(total > 0.1);
        let area = |map: &[f32]| {
            let plan = plan(map, steps);
            let curve: Vec<f64> = (0..=steps)
                .map(|step| {
                    let gone: f64 = plan.touched(step).iter().map(|&p| f64::from(weights[p as usize])).sum();
                    total - gone
                })
                .collect();
            normalised_curve_auc(&curve, total, 0.0).unwrap()
        };
        let reversed: Vec<f32> = weights.iter().map(|w| -w).collect();
        prop_assert!(area(&weights) <= area(&reversed) + 1e-9);
    }

    #[test]
    fn changed_tells_whether_the_row_changed(
        pixels in prop::collection::vec((0u8..3, 0u8..2), 1..20), steps in 1usize..25
    ) {
        let map: Vec<f32> = pixels.iter().map(|p| f32::from(p.0)).collect();
        let image: Vec<f32> = pixels.iter().map(|p| f32::from(p.1)).collect();
        let baseline = vec![0.0; image.len()];
        let plan = plan(&map, steps);
        let (mut before, mut row) = (image.clone(), image.clone());
        for step in 1..=steps {
            let changed = plan.write_deletion(step, &image, &baseline, &mut row).unwrap();
            prop_assert_eq!(changed, row != before);
            before.copy_from_slice(&row);
        }
        prop_assert_eq!(row, baseline);
    }

    #[test]
    fn correlation_keeps_its_range_and_ignores_scale(
        map in prop::collection::vec(-1.0f32..1.0, 12), outcomes in prop::collection::vec(0.0f64..1.0, 20)
    ) {
        let subsets = FaithfulnessSubsets::new(4, 4, 12, 4, 20);
        let score = faithfulness_correlation(&map, &subsets, &outcomes).unwrap();
        prop_assert!((-1.0..=1.0).contains(&score));
        let scaled: Vec<f32> = map.iter().map(|value| value * 8.0).collect();
        let again = faithfulness_correlation(&scaled, &subsets, &outcomes).unwrap();
        prop_assert!((score - again).abs() < 1e-9);
    }
}
