//! Scores on a model and explainers small enough to be worked by hand.

use xbench_metrics::DrawKey;
use xbench_metrics::robustness::Neighbours;

use super::toy::*;
use super::*;

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

#[test]
fn sensitivity_of_input_times_gradient_is_that_of_its_formula() {
    let set = Set::new(2);
    let mut toy = Toy::new(input_x_gradient);
    let ids = ["max_sensitivity", "avg_sensitivity", "class_flips"];
    let found = scored(&mut toy, &set, 0..2, &ids, &settings()).unwrap();
    assert_eq!(found.columns["class_flips"].values, [Some(0.0); 2]);
    // a = w ∘ x, so that ‖a − a'‖ / ‖a‖ = ‖w ∘ (x − x')‖ / ‖w ∘ x‖.
    for i in 0..2 {
        let x = &set.pixels[i * PIXELS..(i + 1) * PIXELS];
        let w = toy.gradient(usize::try_from(set.targets[i]).unwrap());
        let mut ratios = Vec::new();
        for draw in 0..5 {
            let mut near = vec![0.0; PIXELS];
            Neighbours::new(11, set.ids[i], 0.1).write(draw, x, &[], &mut near);
            let change = (0..PIXELS).map(|p| f64::from(w[p]) * f64::from(x[p] - near[p]));
            let own = (0..PIXELS).map(|p| f64::from(w[p]) * f64::from(x[p]));
            ratios.push(norm(change) / norm(own));
        }
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let mean = ratios.iter().sum::<f64>() / 5.0;
        let value = |id: &str| found.columns[id].values[i].unwrap();
        assert!((value("max_sensitivity") - most).abs() < 1e-6);
        assert!((value("avg_sensitivity") - mean).abs() < 1e-6);
        assert!(mean > 0.01 && mean < most);
    }
}

#[test]
fn the_gradient_of_a_linear_model_is_perfectly_robust() {
    let mut toy = Toy::new(gradient);
    let found = scored(&mut toy, &Set::new(3), 0..3, &EVERY, &settings()).unwrap();
    for id in [
        "max_sensitivity",
        "avg_sensitivity",
        "local_lipschitz",
        "input_invariance",
    ] {
        assert_eq!(found.columns[id].values, [Some(0.0); 3], "{id}");
    }
    assert_eq!(
        found.columns["relative_input_stability"].values,
        [Some(-6.0); 3]
    );
}

#[test]
fn neighbours_are_asked_for_once_for_all_scores() {
    let set = Set::new(6);
    let near = ChallengeSettings {
        radius: 0.01,
        ..settings()
    };
    let mut toy = Toy::new(input_x_gradient);
    scored(&mut toy, &set, 0..6, &EVERY[..7], &near).unwrap();
    assert_eq!(toy.explained.get(), 6 * 5);
    assert_eq!(toy.predicted.get(), 6 + 6 * 5);
    // Shifts by one and two pixels either way; the image itself has its map.
    let mut toy = Toy::new(input_x_gradient);
    let found = scored(&mut toy, &set, 0..6, &["continuity"], &settings()).unwrap();
    let flipped = found.columns["continuity"].reasons.values().sum::<u64>();
    assert!(toy.explained.get() <= 6 * 4 && flipped <= 6);
    assert_eq!(toy.predicted.get(), 6 + 6 * 4);
    // A layer each for MPRT, which the whole random model of efficient MPRT shares.
    let mut toy = Toy::new(input_x_gradient);
    let ids = ["mprt", "efficient_mprt"];
    scored(&mut toy, &set, 0..6, &ids, &settings()).unwrap();
    assert_eq!(toy.explained.get(), 6 * 2);
    let mut toy = Toy::new(input_x_gradient);
    scored(&mut toy, &set, 0..6, &["efficient_mprt"], &settings()).unwrap();
    assert_eq!(toy.explained.get(), 6);
}

#[test]
fn neighbours_of_another_class_are_left_out_and_counted() {
    let set = Set::new(4);
    let wide = ChallengeSettings {
        radius: 3.0,
        draws: 40,
        ..settings()
    };
    let mut toy = Toy::new(input_x_gradient);
    let ids = ["class_flips", "max_sensitivity"];
    let found = scored(&mut toy, &set, 0..4, &ids, &wide).unwrap();
    let explained = toy.explained.get();
    let mut kept = 0;
    for i in 0..4 {
        let x = &set.pixels[i * PIXELS..(i + 1) * PIXELS];
        let mut flips = 0;
        for draw in 0..40 {
            let mut near = vec![0.0; PIXELS];
            Neighbours::new(11, set.ids[i], 3.0).write(draw, x, &[], &mut near);
            let class = class_of(&toy.predict(&near, 1).unwrap());
            flips += usize::from(class as i64 != set.targets[i]);
        }
        kept += 40 - flips;
        let share = found.columns["class_flips"].values[i].unwrap();
        assert!((share - flips as f64 / 40.0).abs() < 1e-12);
    }
    assert!(kept > 0 && kept < 160, "{kept}");
    assert_eq!(explained, kept, "rows of another class are not explained");
}

#[test]
fn the_cascade_goes_from_the_output_down_and_back() {
    let set = Set::new(3);
    let mut toy = Toy::new(input_x_gradient);
    let before = (toy.first.clone(), toy.head.clone());
    let found = scored(&mut toy, &set, 0..3, &["mprt"], &settings()).unwrap();
    assert_eq!((toy.first.clone(), toy.head.clone()), before);
    let layers: Vec<&str> = found.layers.iter().map(|one| one.layer.as_str()).collect();
    assert_eq!(layers, ["head", "first"]);
    let seed = DrawKey::new(11, "random_model", 0).draws(0).next_u64();
    for i in 0..3 {
        let x = &set.pixels[i * PIXELS..(i + 1) * PIXELS];
        let target = usize::try_from(set.targets[i]).unwrap();
        let own = input_x_gradient(&toy, x, target, 0, &[]);
        let own = xbench_metrics::randomisation::Original::new(&own).unwrap();
        let mut mean = 0.0;
        for (layer, found) in ["head", "first"].iter().zip(&found.layers) {
            let mut random = toy.clone();
            random.randomise(layer, seed).unwrap();
            let map = input_x_gradient(&random, x, target, 0, &[]);
            let likeness = own.likeness(&map).unwrap();
            assert_eq!(found.column.values[i], Some(likeness));
            mean += likeness / 2.0;
        }
        assert!((found.columns["mprt"].values[i].unwrap() - mean).abs() < 1e-12);
    }
}

#[test]
fn a_map_that_ignores_the_model_fails_randomisation_and_passes_robustness() {
    let set = Set::new(3);
    let mut toy = Toy::new(seeded);
    let found = scored(&mut toy, &set, 0..3, &EVERY, &settings()).unwrap();
    for (id, expected) in [
        // Its noise is the explainer's own, drawn alike each time.
        ("max_sensitivity", 0.0),
        ("mprt", 1.0),
        ("smooth_mprt", 1.0),
        ("efficient_mprt", 0.0),
        ("random_logit", 1.0),
    ] {
        for value in &found.columns[id].values {
            assert!((value.unwrap() - expected).abs() < 1e-9, "{id}: {value:?}");
        }
    }
    let mut toy = Toy::new(gradient);
    let faithful = scored(&mut toy, &set, 0..3, &EVERY, &settings()).unwrap();
    for id in ["mprt", "smooth_mprt", "random_logit"] {
        for value in &faithful.columns[id].values {
            assert!(value.unwrap() < 0.6, "{id}: {value:?}");
        }
    }
}

#[test]
fn the_twin_explains_the_same_class() {
    let set = Set::new(2);
    let ids = ["data_randomisation"];
    let mut toy = Toy::new(gradient);
    toy.twin = Some(toy.head.iter().map(|weight| -2.0 * weight).collect());
    let found = scored(&mut toy, &set, 0..2, &ids, &settings()).unwrap();
    for value in &found.columns["data_randomisation"].values {
        assert!(
            (value.unwrap() - 1.0).abs() < 1e-12,
            "magnitudes in the same order"
        );
    }
    // A twin that learnt nothing at all.
    toy.twin = Some(vec![0.0; toy.head.len()]);
    let found = scored(&mut toy, &set, 0..2, &ids, &settings()).unwrap();
    let reasons = &found.columns["data_randomisation"].reasons;
    assert_eq!(reasons["constant_attribution"], 2);
    toy.twin = Some(toy.head.iter().rev().copied().collect());
    let found = scored(&mut toy, &set, 0..2, &ids, &settings()).unwrap();
    for (i, value) in found.columns["data_randomisation"]
        .values
        .iter()
        .enumerate()
    {
        let target = usize::try_from(set.targets[i]).unwrap();
        let mut twin = toy.clone();
        twin.head = toy.twin.clone().unwrap();
        let own = xbench_metrics::randomisation::Original::new(&toy.gradient(target)).unwrap();
        assert_eq!(*value, own.likeness(&twin.gradient(target)).ok());
    }
}

#[test]
fn a_shift_that_the_model_undoes_changes_what_looks_at_the_input() {
    let set = Set::new(3);
    let ids = ["input_invariance"];
    let of = |explain: Explain, shift: f32| -> Vec<f64> {
        let settings = ChallengeSettings {
            input_shift: shift,
            ..settings()
        };
        let mut toy = Toy::new(explain);
        let found = scored(&mut toy, &set, 0..3, &ids, &settings).unwrap();
        assert_eq!((toy.explained.get(), toy.shift), (3, 0.0));
        let values = &found.columns["input_invariance"].values;
        values.iter().map(|value| value.unwrap()).collect()
    };
    assert_eq!(of(gradient, -1.0), [0.0; 3]);
    assert_eq!(of(seeded, -1.0), [0.0; 3], "with the same seed");
    // Zero only where the model takes the shift away again.
    for value in of(answered, 0.5) {
        assert!(value < 1e-5, "{value}");
    }
    // w ∘ (x + c) − w ∘ x = c w, so that the score is |c| ‖w‖ / ‖w ∘ x‖.
    for shift in [-1.0f32, 0.25] {
        for explain in [input_x_gradient as Explain, ig_from_black] {
            for (i, value) in of(explain, shift).into_iter().enumerate() {
                let x = &set.pixels[i * PIXELS..(i + 1) * PIXELS];
                let target = usize::try_from(set.targets[i]).unwrap();
                let w = Toy::new(gradient).gradient(target);
                let own = (0..PIXELS).map(|p| f64::from(w[p]) * f64::from(x[p]));
                let moved = w.iter().map(|&w| f64::from(w) * f64::from(shift));
                let expected = norm(moved) / norm(own);
                assert!((value - expected).abs() < 1e-6, "{value} {expected}");
                assert!(value > 0.2);
            }
        }
        for value in of(ig_from_mean, shift) {
            assert!(value < 1e-5, "the baseline moves with the image: {value}");
        }
    }
}

#[test]
fn a_mask_moves_with_its_image() {
    let mut toy = Toy::new(the_mask);
    let found = scored(&mut toy, &Set::new(3), 0..3, &["continuity"], &settings()).unwrap();
    assert_eq!(found.columns["continuity"].values, [Some(0.0); 3]);
}

#[test]
fn images_are_scored_alike_in_any_company() {
    let set = Set::new(40);
    let mut whole = scored(&mut Toy::new(fragile), &set, 0..40, &EVERY, &settings()).unwrap();
    let first = scored(&mut Toy::new(fragile), &set, 0..13, &EVERY, &settings()).unwrap();
    let second = scored(&mut Toy::new(fragile), &set, 13..40, &EVERY, &settings()).unwrap();
    assert_eq!(whole.columns.len(), EVERY.len());
    for (id, column) in &whole.columns {
        let parts = [
            &first.columns[id].values[..],
            &second.columns[id].values[..],
        ]
        .concat();
        assert_eq!(column.values, parts, "{id}");
    }
    for (place, layer) in whole.layers.drain(..).enumerate() {
        let (one, two) = (&first.layers[place], &second.layers[place]);
        assert_eq!((&layer.score, &layer.layer), (&one.score, &one.layer));
        let parts = [&one.column.values[..], &two.column.values[..]].concat();
        assert_eq!(layer.column.values, parts);
    }
    let broken = &whole.columns["max_sensitivity"].reasons;
    assert!(
        broken["non_finite"] > 0 && broken["non_finite"] < 40,
        "{broken:?}"
    );
}

#[test]
fn what_cannot_be_scored_says_why() {
    let reasons = |toy: &mut Toy, ids: &[&str], settings: &ChallengeSettings, reason: &str| {
        let found = scored(toy, &Set::new(2), 0..2, ids, settings).unwrap();
        for &id in ids {
            let expected = BTreeMap::from([(reason.to_owned(), 2)]);
            assert_eq!(found.columns[id].reasons, expected, "{id}");
            assert_eq!(found.columns[id].values, [None, None], "{id}");
        }
    };
    let mut flat = Toy::new(constant);
    reasons(&mut flat, &EVERY, &settings(), "constant_attribution");
    assert_eq!(flat.explained.get(), 0, "nothing is asked in vain");
    let mut bare = Toy::new(gradient);
    bare.layers = false;
    let of_models = ["mprt", "smooth_mprt", "efficient_mprt"];
    reasons(&mut bare, &of_models, &settings(), "no_parameters");
    reasons(&mut bare, &["data_randomisation"], &settings(), "no_twin");
    let deep = ["relative_representation_stability"];
    reasons(&mut bare, &deep, &settings(), "no_layers");
    let table = ChallengeSettings {
        table: true,
        ..settings()
    };
    let mut toy = Toy::new(gradient);
    let moved = ["continuity", "input_invariance"];
    reasons(&mut toy, &moved, &table, "not_an_image");
}

#[test]
fn a_model_is_restored_even_after_a_failure() {
    let set = Set::new(3);
    let mut toy = Toy::new(gradient);
    let before = (toy.first.clone(), toy.head.clone());
    toy.patience = 4;
    let ids = ["mprt"];
    let failed = scored(&mut toy, &set, 0..3, &ids, &settings());
    assert_eq!(failed, Err("out of patience".to_owned()));
    assert_eq!((toy.first, toy.head), before);
}

#[test]
fn passes_count_what_is_asked_for() {
    let passes = |ids: &[&str]| settings().passes(&words(ids), 8);
    assert_eq!(passes(&["gini"]), 1);
    assert_eq!(passes(&["max_sensitivity", "local_lipschitz"]), 5);
    assert_eq!(passes(&["continuity"]), 4);
    assert_eq!(passes(&["mprt"]), 8);
    assert_eq!(passes(&["smooth_mprt"]), 36);
    assert_eq!(passes(&["input_invariance", "mprt"]), 9);
}
