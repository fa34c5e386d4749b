//! Bounds, invariances and directions of the scores of robustness and randomisation.

use proptest::prelude::*;
use xbench_metrics::randomisation::{Original, efficient_mprt, histogram_entropy, random_logit};
use xbench_metrics::robustness::{
    Continuity, Direction, Explained, NOISE_SCORES, NoiseScores, Signature,
    explanation_sufficiency, write_shifted,
};

const SIDE: usize = 12;

fn values(n: usize) -> impl Strategy<Value = Vec<f32>> {
    let value = prop_oneof![3 => -2.0f32..2.0, 1 => Just(0.0f32)];
    prop::collection::vec(value, n)
}

fn scores<'a>(own: Explained<'a>, near: &[Explained<'a>]) -> Vec<Option<f64>> {
    let mut scores = NoiseScores::new(own, &[]);
    near.iter().for_each(|near| scores.add(near));
    NOISE_SCORES
        .iter()
        .map(|id| scores.score(id).unwrap().ok())
        .collect()
}

proptest! {
    #[test]
    fn noise_scores_are_finite_and_in_range(
        x in values(9), a in values(9), y in values(9), b in values(9),
        h in values(3), g in values(3),
    ) {
        let own = Explained { input: &x, map: &a, outputs: &h, representation: Some(&x) };
        let near = Explained { input: &y, map: &b, outputs: &g, representation: Some(&y) };
        for (id, score) in NOISE_SCORES.iter().zip(scores(own, &[near])) {
            let Some(score) = score else { continue };
            let range = xbench_metrics::find(id).unwrap().range;
            prop_assert!(score.is_finite() && score >= range.0 && score <= range.1, "{id} {score}");
        }
    }

    #[test]
    fn the_order_of_neighbours_does_not_matter_and_more_only_raise_a_maximum(
        x in values(9), a in values(9), y in values(9), b in values(9), z in values(9), c in values(9),
    ) {
        let of = |input, map| Explained { input, map, outputs: &[1.0], representation: None };
        let (own, one, two) = (of(&x, &a), of(&y, &b), of(&z, &c));
        let (forth, back) = (scores(own, &[one, two]), scores(own, &[two, one]));
        let alone = scores(own, &[one]);
        for (place, id) in NOISE_SCORES.iter().enumerate() {
            let near = |p: Option<f64>, q: Option<f64>| match (p, q) {
                (Some(p), Some(q)) => (p - q).abs() <= 1e-9 * p.abs().max(1.0),
                (p, q) => p == q,
            };
            prop_assert!(near(forth[place], back[place]), "{id}");
            if *id != "avg_sensitivity" && let (Some(one), Some(both)) = (alone[place], forth[place]) {
                prop_assert!(both >= one, "{id}");
            }
        }
        if let (Some(most), Some(mean)) = (forth[1], forth[2]) {
            prop_assert!(most >= mean - 1e-12 * most);
        }
    }

    #[test]
    fn a_map_that_moves_with_the_image_is_continuous(image in values(SIDE * SIDE), by in 1isize..4) {
        let mut score = Continuity::new(&image, &image, SIDE);
        for by in [by, -by] {
            let mut moved = vec![0.0; SIDE * SIDE];
            write_shifted(&image, SIDE, by, &mut moved);
            score.add(by, &moved, &moved);
        }
        if let Ok(score) = score.score() {
            prop_assert!(score == 0.0);
        }
    }

    #[test]
    fn likeness_is_bounded_symmetric_and_blind_to_sign_and_scale(a in values(20), b in values(20)) {
        let (Ok(own), Ok(other)) = (Original::new(&a), Original::new(&b)) else { return Ok(()) };
        let forth = own.likeness(&b).unwrap();
        let back = other.likeness(&a).unwrap();
        let turned: Vec<f32> = b.iter().map(|b| b * -4.0).collect();
        prop_assert!((-1.0..=1.0).contains(&forth) && (forth - back).abs() < 1e-9);
        prop_assert!((forth - own.likeness(&turned).unwrap()).abs() < 1e-9);
        prop_assert!((own.likeness(&a).unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn entropy_lies_between_none_and_that_of_even_bins(map in values(50), bins in 1usize..40) {
        let entropy = histogram_entropy(&map, bins).unwrap();
        prop_assert!(entropy >= 0.0 && entropy <= (bins as f64).ln() + 1e-9);
        if let Ok(rise) = efficient_mprt(&map, &map, bins) {
            prop_assert!(rise == 0.0);
        }
    }

    #[test]
    fn random_logit_is_bounded_and_one_for_the_same_map(
        a in values(SIDE * SIDE), b in values(SIDE * SIDE),
    ) {
        if let Ok(score) = random_logit(&a, &b, SIDE, SIDE) {
            prop_assert!((-1.0..=1.0).contains(&score));
            prop_assert!((random_logit(&a, &a, SIDE, SIDE).unwrap() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn signatures_and_directions_have_no_scale(map in values(64)) {
        let doubled: Vec<f32> = map.iter().map(|a| a * 2.0).collect();
        let plane = [1, 8, 8];
        prop_assert_eq!(Signature::new(&map, plane, 4, 2), Signature::new(&doubled, plane, 4, 2));
        let pair = [Direction::new(&map, plane, 4), Direction::new(&doubled, plane, 4)];
        if pair.iter().all(Result::is_ok) {
            prop_assert_eq!(explanation_sufficiency(0, &pair, &[1, 1], 0.99), Ok(1.0));
            prop_assert_eq!(explanation_sufficiency(0, &pair, &[1, 2], 0.99), Ok(0.0));
        }
    }
}
