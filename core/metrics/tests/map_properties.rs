//! Properties of the scores that need neither mask nor model.

use proptest::prelude::*;
use xbench_metrics::agreement::{CentredRanks, TopK, spearman, top_k_overlap};
use xbench_metrics::complexity::{entropy, gini};
use xbench_metrics::{DrawKey, RankedMagnitude, RankedMap};

fn top(values: &[f32]) -> TopK {
    TopK::new(&RankedMagnitude::new(values).unwrap(), 0.3)
}

fn ranks(values: &[f32]) -> CentredRanks {
    CentredRanks::new(&RankedMap::new(values).unwrap()).unwrap()
}

fn renumbered(values: &[f32], item: u64) -> Vec<f32> {
    let mut moved = values.to_vec();
    DrawKey::new(0, "renumber", item)
        .draws(0)
        .shuffle(&mut moved);
    moved
}

fn two_maps() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (3usize..40)
        .prop_flat_map(|d| {
            let values = || prop::collection::vec((-3i8..4).prop_map(f32::from), d);
            (values(), values())
        })
        .prop_filter("maps that vary", |(a, b)| {
            [a, b]
                .iter()
                .all(|map| map.iter().any(|value| value != &map[0]))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn spearman_is_symmetric_bounded_and_of_order_alone((a, b) in two_maps(), item: u64) {
        let score = spearman(&ranks(&a), &ranks(&b)).unwrap();
        prop_assert!((-1.0..=1.0).contains(&score));
        prop_assert!((score - spearman(&ranks(&b), &ranks(&a)).unwrap()).abs() < 1e-12);
        prop_assert!((spearman(&ranks(&a), &ranks(&a)).unwrap() - 1.0).abs() < 1e-12);
        let bent: Vec<f32> = b.iter().map(|value| value.exp()).collect();
        prop_assert!((score - spearman(&ranks(&a), &ranks(&bent)).unwrap()).abs() < 1e-12);
        let negative: Vec<f32> = b.iter().map(|value| -value).collect();
        prop_assert!((score + spearman(&ranks(&a), &ranks(&negative)).unwrap()).abs() < 1e-12);
        let moved = spearman(&ranks(&renumbered(&a, item)), &ranks(&renumbered(&b, item))).unwrap();
        prop_assert!((score - moved).abs() < 1e-12);
    }

    #[test]
    fn overlap_is_symmetric_bounded_and_ignores_sign((a, b) in two_maps(), item: u64) {
        let score = top_k_overlap(&top(&a), &top(&b)).unwrap();
        prop_assert!((0.0..=1.0 + 1e-12).contains(&score));
        prop_assert_eq!(score, top_k_overlap(&top(&b), &top(&a)).unwrap());
        let negative: Vec<f32> = b.iter().map(|value| -value).collect();
        prop_assert_eq!(score, top_k_overlap(&top(&a), &top(&negative)).unwrap());
        let moved = top_k_overlap(&top(&renumbered(&a, item)), &top(&renumbered(&b, item))).unwrap();
        prop_assert!((score - moved).abs() < 1e-12);
        let flat = top(&vec![1.0; a.len()]);
        let chance = flat.count() as f64 / a.len() as f64;
        prop_assert!((top_k_overlap(&top(&a), &flat).unwrap() - chance).abs() < 1e-12);
    }

    #[test]
    fn complexity_is_bounded_and_ignores_scale_and_numbering((a, _) in two_maps(), item: u64) {
        for score in [gini, entropy] {
            let value = score(&RankedMagnitude::new(&a).unwrap()).unwrap();
            prop_assert!((0.0..=1.0).contains(&value));
            let scaled: Vec<f32> = renumbered(&a, item).iter().map(|value| value * -4.0).collect();
            let again = score(&RankedMagnitude::new(&scaled).unwrap()).unwrap();
            prop_assert!((value - again).abs() < 1e-12);
        }
    }
}
