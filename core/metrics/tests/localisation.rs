//! Localisation scores against hand-worked values and against every order of the ties.

use proptest::prelude::*;
use xbench_metrics::localisation::{
    auprc, auroc, best_iou, chance_level, iou_at_mask, pointing_game, relevance_mass,
    relevance_rank, score,
};
use xbench_metrics::{DrawKey, Family, NotApplicable, RankedMap, catalogue};

fn ranked(values: &[f32]) -> RankedMap {
    RankedMap::new(values).unwrap()
}

fn ids() -> impl Iterator<Item = &'static str> {
    catalogue()
        .iter()
        .filter(|info| info.family == Family::Localisation && info.needs.mask)
        .map(|info| info.id)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

/// All orders of 0..d.
fn permutations(d: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![vec![]];
    for item in 0..d {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut longer = order.clone();
                    longer.insert(place, item);
                    longer
                })
            })
            .collect();
    }
    orders
}

/// The score of one strict order of the pixels, from its definition.
fn plain(id: &str, order: &[usize], mask: &[bool]) -> f64 {
    let size = mask.iter().filter(|&&m| m).count();
    let hits = |count: usize| order[..count].iter().filter(|&&pixel| mask[pixel]).count() as f64;
    match id {
        "pointing_game" => hits(1),
        "relevance_rank" => hits(size) / size as f64,
        "iou_at_mask" => hits(size) / (2.0 * size as f64 - hits(size)),
        "auprc" => {
            let found = (1..=order.len()).filter(|&count| mask[order[count - 1]]);
            found.map(|count| hits(count) / count as f64).sum::<f64>() / size as f64
        }
        "auroc" => {
            let place = |pixel: usize| order.iter().position(|&other| other == pixel).unwrap();
            let (mut wins, mut pairs) = (0.0, 0.0);
            for inside in (0..mask.len()).filter(|&pixel| mask[pixel]) {
                for outside in (0..mask.len()).filter(|&pixel| !mask[pixel]) {
                    pairs += 1.0;
                    wins += if place(inside) < place(outside) {
                        1.0
                    } else {
                        0.0
                    };
                }
            }
            wins / pairs
        }
        other => panic!("{other} is not a score of the order alone"),
    }
}

/// Scores that need the values of the attributions, not their order alone.
const VALUE_SCORES: [&str; 8] = [
    "relevance_mass",
    "attribution_localisation",
    "soft_iou",
    "mask_cosine",
    "iou_otsu",
    "dice_otsu",
    "iou_mean",
    "dice_mean",
];

const ORDER_SCORES: [&str; 5] = [
    "pointing_game",
    "relevance_rank",
    "iou_at_mask",
    "auprc",
    "auroc",
];

/// The mean of [`plain`] over the orders in which `values` fall.
fn enumerated(id: &str, values: &[f32], mask: &[bool]) -> f64 {
    let orders = permutations(values.len());
    let scores: Vec<f64> = orders
        .iter()
        .filter(|order| {
            order
                .windows(2)
                .all(|pair| values[pair[0]] >= values[pair[1]])
        })
        .map(|order| plain(id, order, mask))
        .collect();
    scores.iter().sum::<f64>() / scores.len() as f64
}

#[test]
fn relevance_mass_by_hand() {
    let map = ranked(&[3.0, -7.0, 1.0, 0.0]);
    assert_eq!(relevance_mass(&map, &[true, true, false, false]), Ok(0.75));
    let negative = ranked(&[-1.0, 0.0]);
    assert_eq!(
        relevance_mass(&negative, &[true, false]),
        Err(NotApplicable::ZeroRelevance)
    );
}

#[test]
fn relevance_rank_by_hand() {
    // Three places: pixel 0 (inside), and two of the tied 1 2 3, of which one is inside.
    let map = ranked(&[5.0, 2.0, 2.0, 2.0, 1.0]);
    let mask = [true, true, false, false, true];
    assert!(close(
        relevance_rank(&map, &mask).unwrap(),
        (1.0 + 2.0 / 3.0) / 3.0
    ));
}

#[test]
fn pointing_game_by_hand() {
    assert_eq!(pointing_game(&ranked(&[1.0, 2.0]), &[true, false]), Ok(0.0));
    assert_eq!(
        pointing_game(
            &ranked(&[2.0, 2.0, 2.0, 2.0, 0.0]),
            &[true, false, false, false, true]
        ),
        Ok(0.25)
    );
}

#[test]
fn auroc_by_hand() {
    // Inside .8 .4, outside .4 .1: wins 1 + 1 + ½ + 1 of 4.
    let map = ranked(&[0.8, 0.4, 0.4, 0.1]);
    assert_eq!(auroc(&map, &[true, true, false, false]), Ok(0.875));
}

#[test]
fn auprc_by_hand() {
    // Hits at places 1 and 3 of 4: (1 + 2/3) / 2.
    let map = ranked(&[0.9, 0.5, 0.7, 0.1]);
    assert!(close(
        auprc(&map, &[true, true, false, false]).unwrap(),
        5.0 / 6.0
    ));
    // One of two tied pixels: precision 1 or ½.
    assert_eq!(auprc(&ranked(&[1.0, 1.0]), &[true, false]), Ok(0.75));
}

#[test]
fn iou_at_mask_by_hand() {
    // Top two hold one of the two: 1 / 3.
    let map = ranked(&[0.9, 0.5, 0.7, 0.1]);
    assert!(close(
        iou_at_mask(&map, &[true, true, false, false]).unwrap(),
        1.0 / 3.0
    ));
    // Two of four tied pixels, two of them inside: overlap 0 1 2 with 1/6 4/6 1/6.
    let flat = ranked(&[1.0; 4]);
    let expected = 4.0 / 6.0 / 3.0 + 1.0 / 6.0;
    assert!(close(
        iou_at_mask(&flat, &[true, true, false, false]).unwrap(),
        expected
    ));
}

#[test]
fn best_iou_by_hand() {
    // Sets of 1, 2, 3, 4 pixels hold 1, 1, 2, 2 of the mask: 1/2 1/3 2/3 2/4.
    let map = ranked(&[0.9, 0.5, 0.7, 0.1]);
    let mask = [true, true, false, false];
    assert!(close(best_iou(&map, &mask).unwrap(), 2.0 / 3.0));
    assert_eq!(best_iou(&ranked(&[1.0; 4]), &mask), Ok(0.5));
}

#[test]
fn masks_without_a_score() {
    let map = ranked(&[1.0, 2.0]);
    for id in ids() {
        assert_eq!(
            score(id, &map, &[false, false]),
            Some(Err(NotApplicable::EmptyMask))
        );
        assert_eq!(
            score(id, &map, &[true, true]),
            Some(Err(NotApplicable::FullMask))
        );
        assert_eq!(
            score(id, &map, &[true]),
            Some(Err(NotApplicable::LengthMismatch))
        );
        assert_eq!(chance_level(id, &[true, true]), None);
        assert_eq!(chance_level(id, &[false]), None);
    }
    assert_eq!(score("gini", &map, &[true, false]), None);
}

#[test]
fn chance_is_the_mean_over_all_orders() {
    for marked in 1..6 {
        let mask: Vec<bool> = (0..6).map(|pixel| pixel < marked).collect();
        for id in ORDER_SCORES {
            let expected = enumerated(id, &[0.0; 6], &mask);
            assert!(
                close(chance_level(id, &mask).unwrap(), expected),
                "{id} of {marked}"
            );
        }
    }
}

#[test]
fn random_maps_score_at_chance() {
    // 2000 random maps of 784 pixels; means within five standard errors.
    let mask: Vec<bool> = (0..784).map(|pixel| pixel % 28 < 9).collect();
    for id in ids() {
        let Some(chance) = chance_level(id, &mask) else {
            continue;
        };
        let scores: Vec<f64> = (0..2000)
            .map(|item| {
                let mut draws = DrawKey::new(3, "random", item).draws(0);
                let values: Vec<f32> = (0..784).map(|_| draws.unit() as f32).collect();
                score(id, &ranked(&values), &mask).unwrap().unwrap()
            })
            .collect();
        let mean = scores.iter().sum::<f64>() / 2000.0;
        let variance = scores.iter().map(|s| (s - mean) * (s - mean)).sum::<f64>() / 2000.0;
        let error = (variance / 2000.0).sqrt();
        assert!(
            (mean - chance).abs() < 5.0 * error,
            "{id}: {mean} against {chance} ± {error}"
        );
    }
}

#[test]
fn large_tie_groups_stay_finite() {
    // A 224 × 224 map of zeros: weights of the overlap span more than the range of a double.
    let mask: Vec<bool> = (0..50_176).map(|pixel| pixel % 3 == 0).collect();
    let share = mask.iter().filter(|&&m| m).count() as f64 / 50_176.0;
    let iou = iou_at_mask(&ranked(&vec![0.0; 50_176]), &mask).unwrap();
    // With so many pixels the overlap hardly varies.
    assert!((iou - share / (2.0 - share)).abs() < 1e-4, "{iou}");
}

/// A map of few distinct values and a mask that is neither empty nor full.
fn tied_map(d: std::ops::Range<usize>) -> impl Strategy<Value = (Vec<f32>, Vec<bool>)> {
    d.prop_flat_map(|d| {
        let values = prop::collection::vec((-2i8..3).prop_map(f32::from), d);
        (values, prop::collection::vec(any::<bool>(), d))
    })
    .prop_filter("mask with both", |(_, mask)| {
        mask.contains(&true) && mask.contains(&false)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn ties_give_the_mean_over_their_orders((values, mask) in tied_map(2..7)) {
        for id in ORDER_SCORES {
            let closed = score(id, &ranked(&values), &mask).unwrap().unwrap();
            let counted = enumerated(id, &values, &mask);
            prop_assert!(close(closed, counted), "{id}: {closed} against {counted}");
        }
    }

    #[test]
    fn scores_keep_their_range((values, mask) in tied_map(2..60)) {
        let map = ranked(&values);
        for id in ids() {
            match score(id, &map, &mask).unwrap() {
                Ok(value) => {
                    let (low, high) = xbench_metrics::find(id).unwrap().range;
                    prop_assert!((low..=high + 1e-12).contains(&value), "{id} = {value}");
                }
                Err(NotApplicable::ConstantAttribution) => {
                    prop_assert!(id.ends_with("_otsu") || id.ends_with("_mean"), "{id}");
                    prop_assert!(values.iter().all(|value| value == &values[0]));
                }
                Err(reason) => {
                    prop_assert_eq!(reason, NotApplicable::ZeroRelevance);
                    prop_assert!(VALUE_SCORES[..4].contains(&id), "{id}");
                    prop_assert!(values.iter().all(|&value| value <= 0.0));
                }
            }
        }
        let share = mask.iter().filter(|&&m| m).count() as f64 / mask.len() as f64;
        prop_assert!(best_iou(&map, &mask).unwrap() >= share - 1e-12);
    }

    #[test]
    fn rank_scores_ignore_rising_transforms((values, mask) in tied_map(2..60)) {
        let bent: Vec<f32> = values.iter().map(|value| (value * 3.0).exp() - 7.0).collect();
        for id in ids().filter(|id| !VALUE_SCORES.contains(id)) {
            prop_assert_eq!(score(id, &ranked(&values), &mask), score(id, &ranked(&bent), &mask));
        }
    }

    #[test]
    fn scores_ignore_the_numbering_of_pixels((values, mask) in tied_map(2..60), item: u64) {
        let mut order: Vec<usize> = (0..values.len()).collect();
        DrawKey::new(0, "renumber", item).draws(0).shuffle(&mut order);
        let moved: Vec<f32> = order.iter().map(|&pixel| values[pixel]).collect();
        let moved_mask: Vec<bool> = order.iter().map(|&pixel| mask[pixel]).collect();
        for id in ids() {
            let before = score(id, &ranked(&values), &mask).unwrap();
            let after = score(id, &ranked(&moved), &moved_mask).unwrap();
            match (before, after) {
                (Ok(before), Ok(after)) => prop_assert!(close(before, after), "{id}"),
                _ => prop_assert_eq!(before, after),
            }
        }
    }

    #[test]
    fn the_mask_itself_is_perfect((_, mask) in tied_map(2..60)) {
        let oracle: Vec<f32> = mask.iter().map(|&m| if m { 0.7 } else { 0.0 }).collect();
        let (d, marked) = (mask.len() as f64, mask.iter().filter(|&&m| m).count() as f64);
        for id in ids() {
            let best = match id {
                "attribution_localisation" => d / marked,
                // Fewer pixels than places
                "top_k_intersection" => {
                    let places = (0.1 * d).round().max(1.0);
                    let over = (places - marked).max(0.0);
                    // The rest of the places fall on tied zeros, all outside.
                    (places - over) / places
                }
                _ => 1.0,
            };
            let value = score(id, &ranked(&oracle), &mask).unwrap().unwrap();
            prop_assert!(close(value, best), "{id}: {value} of {best}");
        }
    }

    #[test]
    fn cuts_follow_shift_and_scale((values, mask) in tied_map(2..60)) {
        let moved: Vec<f32> = values.iter().map(|value| value * 4.0 - 16.0).collect();
        for id in &VALUE_SCORES[4..] {
            prop_assert_eq!(score(id, &ranked(&values), &mask), score(id, &ranked(&moved), &mask));
        }
    }

    #[test]
    fn a_constant_map_is_at_chance((_, mask) in tied_map(2..60), level in 0.1f32..9.0) {
        let flat = ranked(&vec![level; mask.len()]);
        for id in ids() {
            if let Some(chance) = chance_level(id, &mask) {
                let value = score(id, &flat, &mask).unwrap().unwrap();
                prop_assert!((value - chance).abs() < 1e-9, "{id}: {value} against {chance}");
            }
        }
    }
}
