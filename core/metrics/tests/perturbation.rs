//! Scores of perturbed rows against hand-worked values, closed forms of linear models and direct
//! solutions.

use proptest::prelude::*;
use xbench_metrics::axiomatic::{completeness, input_invariance, non_sensitivity};
use xbench_metrics::faithfulness::{
    FaithfulnessSubsets, LinearImputer, NoiseRows, PerturbationPlan, Regions, aopc,
    correlation_of_drops, curve_mean, infidelity, irof, mean_correlation, mean_drop, mean_gap,
    monotonicity, rank_correlation_of_drops, share_kept, standard_normals,
};
use xbench_metrics::{DrawKey, NotApplicable, RankedMap};

fn near(value: xbench_metrics::Score, expected: f64) {
    let value = value.unwrap();
    assert!((value - expected).abs() < 1e-12, "{value}, not {expected}");
}

#[test]
fn curves_by_hand() {
    let curve = [0.8, 0.5, 0.2, 0.0];
    near(curve_mean(&curve), (0.4 + 0.5 + 0.2) / 3.0);
    near(aopc(&curve), (0.0 + 0.3 + 0.6 + 0.8) / 4.0);
    near(irof(&curve), 1.0 - (0.4 + 0.5 + 0.2) / 3.0 / 0.8);
    near(monotonicity(&[0.0, 0.1, 0.1, 0.7]), 1.0);
    near(monotonicity(&[0.0, 0.2, 0.1, 0.7]), 0.0);
    // A fall that rounding explains does not count.
    near(monotonicity(&[0.0, 0.2, 0.2 - 1e-8, 0.7]), 1.0);
    near(mean_drop(0.8, &[0.7, 0.3]), 0.3);
    near(mean_gap(0.8, &[0.9, 0.5]), 0.2);
    near(share_kept(&[true, true, false, false]), 0.5);
}

#[test]
fn curves_without_a_score() {
    use NotApplicable::{ConstantOutcome, Empty, NonFinite};
    assert_eq!(curve_mean(&[0.5]), Err(Empty));
    assert_eq!(curve_mean(&[0.5, f64::NAN, 0.1]), Err(NonFinite));
    assert_eq!(aopc(&[0.5]), Err(Empty));
    assert_eq!(irof(&[0.0, 0.0]), Err(ConstantOutcome));
    assert_eq!(monotonicity(&[0.5, 0.5, 0.5]), Err(ConstantOutcome));
    assert_eq!(monotonicity(&[0.5]), Err(Empty));
    assert_eq!(monotonicity(&[0.5, f64::NAN]), Err(NonFinite));
    assert_eq!(mean_drop(0.5, &[]), Err(Empty));
    assert_eq!(mean_gap(f64::NAN, &[0.5]), Err(NonFinite));
    assert_eq!(share_kept(&[]), Err(Empty));
}

#[test]
fn correlations_by_hand() {
    // Sums 1, 2, 4 about their mean 7/3 and drops 0, 1, 1 about 2/3.
    let (sums, drops) = ([1.0, 2.0, 4.0], [0.0, 1.0, 1.0]);
    let product: f64 = (-4.0 / 3.0) * (-2.0 / 3.0) + (-1.0 / 3.0 + 5.0 / 3.0) / 3.0;
    let expected = product / ((16.0f64 + 1.0 + 25.0) / 9.0 * (4.0 + 1.0 + 1.0) / 9.0).sqrt();
    near(correlation_of_drops(&sums, &drops, 1e-9), expected);
    // Ranks 1, 2, 3 and 1, 2.5, 2.5.
    let by_rank = 1.5 / (2.0f64 * 1.5).sqrt();
    near(rank_correlation_of_drops(&sums, &drops, 1e-9), by_rank);
    near(
        rank_correlation_of_drops(&[5.0, -1.0, 7.0], &[0.2, 0.1, 0.9], 1e-9),
        1.0,
    );
}

#[test]
fn correlations_without_a_score() {
    use NotApplicable::{ConstantAttribution, ConstantOutcome, Empty, LengthMismatch, NonFinite};
    for measure in [correlation_of_drops, rank_correlation_of_drops] {
        assert_eq!(
            measure(&[1.0, 1.0], &[0.1, 0.2], 1e-6),
            Err(ConstantAttribution)
        );
        assert_eq!(
            measure(&[1.0, 2.0], &[0.1, 0.1], 1e-6),
            Err(ConstantOutcome)
        );
        assert_eq!(measure(&[1.0], &[0.1, 0.1], 1e-6), Err(LengthMismatch));
        assert_eq!(measure(&[1.0, f64::NAN], &[0.1, 0.3], 1e-6), Err(NonFinite));
        assert_eq!(measure(&[], &[], 1e-6), Err(Empty));
    }
    near(
        mean_correlation(&[Ok(0.5), Err(ConstantOutcome), Ok(1.0)]),
        0.75,
    );
    assert_eq!(
        mean_correlation(&[Err(ConstantOutcome), Err(Empty)]),
        Err(ConstantOutcome)
    );
    assert_eq!(mean_correlation(&[]), Err(Empty));
}

#[test]
fn infidelity_by_hand() {
    // β = (1·2 + 2·1) / (1 + 4) = 0.8; errors 0.8 − 2 and 1.6 − 1.
    near(
        infidelity(&[1.0, 2.0], &[2.0, 1.0], 1e-9),
        (1.44 + 0.36) / 2.0,
    );
    // A map that predicts every drop but for its scale, or turned about.
    near(infidelity(&[-3.0, 6.0, 0.0], &[1.0, -2.0, 0.0], 1e-9), 0.0);
    // A map at right angles to the drops leaves all of them.
    near(infidelity(&[1.0, 1.0], &[1.0, -1.0], 1e-9), 1.0);
    // Attributions too small for their squares.
    near(infidelity(&[1e-200, 2e-200], &[2.0, 1.0], 1e-9), 0.9);
}

#[test]
fn infidelity_without_a_score() {
    use NotApplicable::{ConstantOutcome, Empty, LengthMismatch, NonFinite, ZeroRelevance};
    assert_eq!(
        infidelity(&[0.0, 0.0], &[1.0, 2.0], 1e-6),
        Err(ZeroRelevance)
    );
    assert_eq!(
        infidelity(&[1.0, 2.0], &[0.0, 0.0], 1e-6),
        Err(ConstantOutcome)
    );
    assert_eq!(infidelity(&[1.0], &[0.0, 0.0], 1e-6), Err(LengthMismatch));
    assert_eq!(infidelity(&[f64::INFINITY], &[1.0], 1e-6), Err(NonFinite));
    assert_eq!(infidelity(&[], &[], 1e-6), Err(Empty));
    // Drops that are all alike are no reason: a map can predict them.
    near(infidelity(&[2.0, 2.0], &[1.0, 1.0], 1e-6), 0.0);
}

#[test]
fn axioms_by_hand() {
    // Single precision: 0.5, 0.25 and 0.25 are exact.
    near(completeness(&[0.5, 0.25, 0.25], 3.0, 2.0, 1e-6), 0.0);
    near(completeness(&[0.5, 0.25, 0.5], 3.0, 2.0, 1e-6), 0.25);
    near(completeness(&[-0.5, 0.0], 3.0, 2.0, 1e-6), 1.5);
    near(completeness(&[0.0; 3], 3.0, 2.0, 1e-6), 1.0);
    near(completeness(&[-1.0], 2.0, 3.0, 1e-6), 0.0);
    assert_eq!(
        completeness(&[1.0], 2.0, 2.0, 1e-6),
        Err(NotApplicable::ConstantOutcome)
    );
    assert_eq!(completeness(&[], 2.0, 1.0, 1e-6), Err(NotApplicable::Empty));
    assert_eq!(
        completeness(&[f32::NAN], 2.0, 1.0, 1e-6),
        Err(NotApplicable::NonFinite)
    );
    // Feature 1 has an attribution without a reaction, feature 2 a reaction without one.
    near(
        non_sensitivity(&[1.0, 0.5, 0.0, 0.0], &[0.3, 0.0, -0.2, 0.0], 1e-6),
        0.5,
    );
    near(non_sensitivity(&[1.0, 1e-7], &[0.3, 1e-9], 1e-6), 0.0);
    let zero = non_sensitivity(&[0.0, 0.0], &[0.3, 0.0], 1e-6);
    assert_eq!(zero, Err(NotApplicable::ZeroRelevance));
    assert_eq!(
        non_sensitivity(&[1.0], &[], 1e-6),
        Err(NotApplicable::LengthMismatch)
    );
    assert_eq!(non_sensitivity(&[], &[], 1e-6), Err(NotApplicable::Empty));
    assert_eq!(
        non_sensitivity(&[1.0], &[f64::NAN], 1e-6),
        Err(NotApplicable::NonFinite)
    );
}

#[test]
fn input_invariance_by_hand() {
    // ‖(3, 0, 4)‖ = 5 and ‖(0, 1, 0)‖ = 1; a flip of all signs moves a map by twice its length.
    let map = [3.0, 0.0, 4.0];
    near(input_invariance(&map, &map), 0.0);
    near(input_invariance(&map, &[3.0, -1.0, 4.0]), 0.2);
    near(input_invariance(&map, &[-3.0, 0.0, -4.0]), 2.0);
    near(input_invariance(&map, &[0.0; 3]), 1.0);
    // Whatever the unit of the method.
    near(
        input_invariance(&[3e-20, 0.0, 4e-20], &[3e-20, 1e-20, 4e-20]),
        0.2,
    );
    for constant in [[0.0; 3], [-2.0; 3]] {
        assert_eq!(
            input_invariance(&constant, &map),
            Err(NotApplicable::ConstantAttribution)
        );
    }
    assert_eq!(
        input_invariance(&map, &[3.0, f32::NAN, 4.0]),
        Err(NotApplicable::NonFinite)
    );
    assert_eq!(
        input_invariance(&[f32::INFINITY, 0.0, 1.0], &map),
        Err(NotApplicable::NonFinite)
    );
    assert_eq!(
        input_invariance(&map, &[1.0]),
        Err(NotApplicable::LengthMismatch)
    );
    assert_eq!(input_invariance(&[], &[]), Err(NotApplicable::Empty));
}

#[test]
fn regions_cut_the_edges() {
    // Patches of 2 on 3 rows of 5: 2 × 3 patches, the right and lower ones narrower.
    let regions = Regions::grid(3, 5, 2);
    assert_eq!((regions.count(), regions.area()), (6, 15));
    assert_eq!(regions.members(0), [0, 1, 5, 6]);
    assert_eq!(regions.members(2), [4, 9]);
    assert_eq!(regions.members(5), [14]);
    assert_eq!(regions.members(6), [0u32; 0]);
    let map: Vec<f32> = (0..15).map(|pixel| pixel as f32).collect();
    assert_eq!(regions.sums(&map, |a| a).unwrap()[..3], [12.0, 20.0, 13.0]);
    assert_eq!(regions.sums(&map, |a| -a).unwrap()[2], -13.0);
    assert_eq!(
        regions.sums(&map[1..], |a| a),
        Err(NotApplicable::LengthMismatch)
    );
    assert_eq!(Regions::grid(1, 4, 1).count(), 4);
    assert_eq!(Regions::of_labels(&[]).count(), 0);
    let labelled = Regions::of_labels(&[7, 2, 7, 2, 2]);
    assert_eq!(labelled.members(0), [1, 3, 4]);
    assert_eq!(labelled.members(1), [0, 2]);
}

#[test]
fn regions_are_removed_by_value_and_ties_at_random() {
    let regions = Regions::grid(1, 4, 1);
    let mut first = [0i32; 4];
    for item in 0..2000 {
        let key = DrawKey::new(1, "t", item);
        let plan = regions.plan(&[0.5, 2.0, 0.5, 0.1], key).unwrap();
        assert_eq!((plan.order()[0], plan.order()[3], plan.steps()), (1, 3, 4));
        first[plan.order()[1] as usize] += 1;
    }
    assert_eq!((first[1], first[3]), (0, 0));
    assert!((first[0] - 1000).abs() < 110, "{first:?}");
    let key = DrawKey::new(1, "t", 0);
    let refused = |values: &[f64]| regions.plan(values, key).unwrap_err();
    assert_eq!(refused(&[1.0]), NotApplicable::LengthMismatch);
    assert_eq!(
        refused(&[1.0, f64::NAN, 0.0, 0.0]),
        NotApplicable::NonFinite
    );
    let none = Regions::of_labels(&[]).plan(&[], key);
    assert_eq!(none.unwrap_err(), NotApplicable::Empty);
}

#[test]
fn region_rows_replace_their_pixels_in_all_channels() {
    let regions = Regions::grid(1, 4, 2);
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let mut row = [0.0; 8];
    assert_eq!(
        regions.write_row(&[1], &image, &[0.0; 8], &mut row),
        Ok(true)
    );
    assert_eq!(row, [1.0, 2.0, 0.0, 0.0, 5.0, 6.0, 0.0, 0.0]);
    assert_eq!(
        regions.write_row(&[0, 1], &image, &image, &mut row),
        Ok(false)
    );
    let short = regions.write_row(&[1], &image[1..], &[0.0; 7], &mut row);
    assert_eq!(short, Err(NotApplicable::LengthMismatch));
}

#[test]
fn steps_may_stand_anywhere() {
    let map = RankedMap::new(&[3.0, 1.0, 2.0, 0.0]).unwrap();
    let plan = PerturbationPlan::new(&map, 2, DrawKey::new(1, "t", 0)).with_counts([3, 1, 3, 9]);
    assert_eq!(plan.steps(), 3);
    assert_eq!(plan.touched(1), [0]);
    assert_eq!(plan.touched(2), [0, 2, 1]);
    assert_eq!(
        [0, 1, 2, 3, 4].map(|n| plan.step_of(n)),
        [Some(0), Some(1), None, Some(2), Some(3)]
    );
    let (image, baseline) = ([5.0, 6.0, 7.0, 8.0], [5.0, 0.0, 0.0, 0.0]);
    let mut walk = plan.walk(&image, &baseline).unwrap();
    assert_eq!(walk.row(), image);
    assert!(!walk.advance());
    assert!(walk.advance());
    assert_eq!(walk.row(), [5.0, 0.0, 0.0, 8.0]);
    assert!(walk.advance());
    assert_eq!(walk.row(), baseline);
    assert!(!walk.advance());
    assert!(plan.walk(&image, &baseline[1..]).is_err());
}

#[test]
fn sizes_that_agree_share_their_subsets() {
    let of = |size, shared| FaithfulnessSubsets::of_size(3, 1, 20, (size, shared), 5);
    assert_eq!(of(6, 6), FaithfulnessSubsets::new(3, 1, 20, 6, 5));
    assert_ne!(of(6, 7), of(6, 6));
    assert_eq!((of(5, 7).size(), of(5, 7).count()), (5, 5));
}

#[test]
fn noise_is_normal_and_lies_where_it_is_wanted() {
    let normals = standard_normals(DrawKey::new(1, "n", 0), 0, 40_001);
    let n = normals.len() as f64;
    let moment = |power| {
        normals
            .iter()
            .map(|&z| f64::from(z).powi(power))
            .sum::<f64>()
            / n
    };
    assert!(moment(1).abs() < 0.02 && (moment(2) - 1.0).abs() < 0.03);
    assert!(moment(3).abs() < 0.08 && (moment(4) - 3.0).abs() < 0.2);

    let noise = NoiseRows::new(1, 0, 6, &[0.5, 0.0, 0.5], 2);
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let mut row = [0.0; 6];
    noise.write_row(1, &[0, 1], 3, &image, &mut row).unwrap();
    assert!(row[0] != 1.0 && row[3] != 4.0, "both channels");
    assert_eq!((row[1], row[4]), (2.0, 5.0), "a scale of 0");
    assert_eq!((row[2], row[5]), (3.0, 6.0), "not among the pixels");
    assert!(noise.write_row(2, &[0], 3, &image, &mut row).is_err());
    assert!(noise.write_row(0, &[0], 3, &image[1..], &mut row).is_err());
}

/// The system of Rong et al. 2022 by Gaussian elimination in double precision.
fn solved_directly(height: usize, width: usize, values: &[f32], missing: &[bool]) -> Vec<f64> {
    let unknown: Vec<usize> = (0..values.len()).filter(|&pixel| missing[pixel]).collect();
    let n = unknown.len();
    let mut rows = vec![vec![0.0; n + 1]; n];
    for (equation, &pixel) in unknown.iter().enumerate() {
        let (y, x) = ((pixel / width) as i64, (pixel % width) as i64);
        for (dy, dx) in [
            (-1, -1),
            (-1, 0),
            (-1, 1),
            (0, -1),
            (0, 1),
            (1, -1),
            (1, 0),
            (1, 1),
        ] {
            let (y, x) = (y + dy, x + dx);
            if y < 0 || x < 0 || y >= height as i64 || x >= width as i64 {
                continue;
            }
            let weight = if dy * dx == 0 { 1.0 / 6.0 } else { 1.0 / 12.0 };
            let other = y as usize * width + x as usize;
            rows[equation][equation] += weight;
            match unknown.iter().position(|&known| known == other) {
                Some(column) => rows[equation][column] -= weight,
                None => rows[equation][n] += weight * f64::from(values[other]),
            }
        }
    }
    for pivot in 0..n {
        let best = (pivot..n)
            .max_by(|&a, &b| rows[a][pivot].abs().total_cmp(&rows[b][pivot].abs()))
            .unwrap();
        rows.swap(pivot, best);
        let eliminated = rows[pivot].clone();
        for (number, row) in rows.iter_mut().enumerate() {
            if number != pivot {
                let factor = row[pivot] / eliminated[pivot];
                for (value, other) in row.iter_mut().zip(&eliminated) {
                    *value -= factor * other;
                }
            }
        }
    }
    let mut solution: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    for (equation, &pixel) in unknown.iter().enumerate() {
        solution[pixel] = rows[equation][n] / rows[equation][equation];
    }
    solution
}

#[test]
fn imputation_agrees_with_elimination() {
    let (height, width) = (11, 9);
    let mut draws = DrawKey::new(1, "image", 0).draws(0);
    let image: Vec<f32> = (0..height * width).map(|_| draws.unit() as f32).collect();
    let mut imputer = LinearImputer::new(height, width);
    let mut filled = image.clone();
    let mut order: Vec<usize> = (0..image.len()).collect();
    draws.shuffle(&mut order);
    let mut missing = vec![false; image.len()];
    for count in [10, 50, 98] {
        for &pixel in &order[..count] {
            missing[pixel] = true;
        }
        // From the solution before, as ROAD goes.
        imputer.fill(&mut filled, &missing).unwrap();
        let direct = solved_directly(height, width, &image, &missing);
        for (filled, direct) in filled.iter().zip(&direct) {
            assert!(
                (f64::from(*filled) - direct).abs() < 1e-4,
                "{filled}, not {direct}"
            );
        }
    }
}

#[test]
fn imputation_of_what_cannot_be_filled_in() {
    let mut imputer = LinearImputer::new(2, 3);
    let mut image = [0.5; 6];
    assert_eq!(
        imputer.fill(&mut image, &[true; 6]),
        Err(NotApplicable::Empty)
    );
    assert_eq!(
        imputer.fill(&mut image, &[true; 5]),
        Err(NotApplicable::LengthMismatch)
    );
    image[0] = f32::NAN;
    assert_eq!(
        imputer.fill(&mut image, &[false; 6]),
        Err(NotApplicable::NonFinite)
    );
    // Nothing is missing, or everything but one pixel is.
    let mut image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    imputer.fill(&mut image, &[false; 6]).unwrap();
    assert_eq!(image, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let mut missing = [true; 6];
    missing[4] = false;
    imputer.fill(&mut image, &missing).unwrap();
    assert!(
        image.iter().all(|value| (value - 5.0).abs() < 1e-3),
        "{image:?}"
    );
    // A line, whose neighbours are two.
    let mut line = LinearImputer::new(1, 4);
    let mut image = [0.0, 9.0, 9.0, 3.0];
    line.fill(&mut image, &[false, true, true, false]).unwrap();
    assert!(
        (image[1] - 1.0).abs() < 1e-5 && (image[2] - 2.0).abs() < 1e-5,
        "{image:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// On a linear model whose features are all present, the exact attribution predicts every drop.
    #[test]
    fn exact_attributions_of_a_linear_model_are_perfect(
        weights in prop::collection::vec(-1.0f32..1.0, 16), scale in 0.01f64..100.0
    ) {
        let regions = Regions::grid(4, 4, 2);
        let drops = regions.sums(&weights, |w| w).unwrap();
        let spread = drops.iter().fold(0.0f64, |most, drop| most.max(drop.abs()));
        prop_assume!(spread > 1e-2);
        prop_assume!(drops.iter().any(|drop| (drop - drops[0]).abs() > 1e-2));
        let scaled: Vec<f64> = drops.iter().map(|drop| drop * scale).collect();
        prop_assert!(correlation_of_drops(&scaled, &drops, 1e-9).unwrap() > 1.0 - 1e-9);
        prop_assert!(rank_correlation_of_drops(&scaled, &drops, 1e-9).unwrap() > 1.0 - 1e-9);
        prop_assert!(infidelity(&scaled, &drops, 1e-9).unwrap() < 1e-9);
    }

    #[test]
    fn ranges_hold(
        pairs in prop::collection::vec((-1.0f64..1.0, -1.0f64..1.0), 3..20)
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        for score in [correlation_of_drops(&a, &b, 0.0), rank_correlation_of_drops(&a, &b, 0.0)] {
            prop_assert!((-1.0..=1.0).contains(&score.unwrap()));
        }
        // Between no error and that of a map that says nothing.
        let worst = b.iter().map(|drop| drop * drop).sum::<f64>() / b.len() as f64;
        let score = infidelity(&a, &b, 0.0).unwrap();
        prop_assert!((0.0..=worst + 1e-12).contains(&score));
        let turned: Vec<f64> = a.iter().map(|a| a * -7.0).collect();
        prop_assert!((infidelity(&turned, &b, 0.0).unwrap() - score).abs() < 1e-9);
        let sizes: Vec<f64> = a.iter().map(|a| a.abs()).collect();
        prop_assert!((0.0..=1.0).contains(&non_sensitivity(&sizes, &b, 0.1).unwrap()));
    }

    /// The walk is the rows written one by one.
    #[test]
    fn walks_and_rows_agree(
        pixels in prop::collection::vec((0u8..4, 0u8..3, 0u8..3), 1..20), steps in 1usize..9
    ) {
        let map: Vec<f32> = pixels.iter().map(|p| f32::from(p.0)).collect();
        let image: Vec<f32> = pixels.iter().map(|p| f32::from(p.1)).collect();
        let baseline: Vec<f32> = pixels.iter().map(|p| f32::from(p.2)).collect();
        let key = DrawKey::new(1, "t", 0);
        let plan = PerturbationPlan::new(&RankedMap::new(&map).unwrap(), steps, key);
        let mut walk = plan.walk(&baseline, &image).unwrap();
        let mut row = vec![0.0; image.len()];
        for step in 1..=plan.steps() {
            let changed = plan.write_insertion(step, &image, &baseline, &mut row).unwrap();
            prop_assert_eq!(walk.advance(), changed);
            prop_assert_eq!(walk.row(), &row[..]);
        }
    }

    /// Filled-in values lie between the known ones, as means do.
    #[test]
    fn imputation_keeps_within_the_known(
        pixels in prop::collection::vec((0.0f32..1.0, any::<bool>()), 24)
    ) {
        let mut image: Vec<f32> = pixels.iter().map(|p| p.0).collect();
        let missing: Vec<bool> = pixels.iter().map(|p| p.1).collect();
        prop_assume!(missing.iter().any(|missing| !missing));
        let known = image.iter().zip(&missing).filter(|p| !p.1).map(|p| *p.0);
        let (low, high) = known.fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(v), h.max(v)));
        LinearImputer::new(4, 6).fill(&mut image, &missing).unwrap();
        for value in image {
            prop_assert!(value >= low - 1e-3 && value <= high + 1e-3);
        }
    }
}
