//! Scores on a model and explainers small enough to be worked by hand.

use std::cell::Cell;

use xbench_metrics::DrawKey;
use xbench_metrics::robustness::Neighbours;

use super::*;

const SIDE: usize = 12;
const PIXELS: usize = SIDE * SIDE;
const CLASSES: usize = 3;

/// What is explained how: model, row, target, seed and mask to a map.
type Explain = fn(&Toy, &[f32], usize, u64, &[u8]) -> Vec<f32>;

/// `y = head · (first ∘ x)`: two layers with a weight per pixel.
#[derive(Clone)]
struct Toy {
    first: Vec<f32>,
    head: Vec<f32>,
    kept: Option<(Vec<f32>, Vec<f32>)>,
    explain: Explain,
    explained: Cell<usize>,
    predicted: Cell<usize>,
    /// Rows after which explaining fails.
    patience: usize,
    layers: bool,
    /// Weights of the head of a model trained otherwise.
    twin: Option<Vec<f32>>,
}

impl Toy {
    fn new(explain: Explain) -> Self {
        let drawn = |n: usize, salt: usize| -> Vec<f32> {
            let value = |i: usize| ((i * 37 + salt) % 101) as f32 / 101.0 - 0.4;
            (0..n).map(value).collect()
        };
        Self {
            first: vec![1.0; PIXELS],
            head: drawn(CLASSES * PIXELS, 5),
            kept: None,
            explain,
            explained: Cell::new(0),
            predicted: Cell::new(0),
            patience: usize::MAX,
            layers: true,
            twin: None,
        }
    }

    fn gradient(&self, target: usize) -> Vec<f32> {
        let head = &self.head[target * PIXELS..(target + 1) * PIXELS];
        self.first.iter().zip(head).map(|(a, b)| a * b).collect()
    }
}

fn gradient(toy: &Toy, _: &[f32], target: usize, _: u64, _: &[u8]) -> Vec<f32> {
    toy.gradient(target)
}

fn input_x_gradient(toy: &Toy, x: &[f32], target: usize, _: u64, _: &[u8]) -> Vec<f32> {
    let gradient = toy.gradient(target);
    x.iter().zip(gradient).map(|(x, g)| x * g).collect()
}

fn seeded(_: &Toy, _: &[f32], _: usize, seed: u64, _: &[u8]) -> Vec<f32> {
    let mut draws = DrawKey::new(seed, "toy", 0).draws(0);
    (0..PIXELS).map(|_| draws.unit() as f32).collect()
}

fn the_mask(_: &Toy, _: &[f32], _: usize, _: u64, mask: &[u8]) -> Vec<f32> {
    mask.iter().map(|&inside| f32::from(inside)).collect()
}

fn constant(_: &Toy, _: &[f32], _: usize, _: u64, _: &[u8]) -> Vec<f32> {
    vec![0.5; PIXELS]
}

/// Not a number on rows whose first pixel rose above .6.
fn fragile(toy: &Toy, x: &[f32], target: usize, seed: u64, mask: &[u8]) -> Vec<f32> {
    let mut map = input_x_gradient(toy, x, target, seed, mask);
    if x[0] > 0.6 {
        map[3] = f32::NAN;
    }
    map
}

impl Subject for Toy {
    type Error = String;

    fn num_outputs(&self) -> usize {
        CLASSES
    }

    fn predict(&mut self, x: &[f32], n: usize) -> Result<Vec<f32>, String> {
        assert_eq!(x.len(), n * PIXELS);
        assert!(n <= BLOCK_ROWS);
        self.predicted.set(self.predicted.get() + n);
        let outputs = x.chunks_exact(PIXELS).flat_map(|row| {
            (0..CLASSES).map(|class| {
                let gradient = self.gradient(class);
                row.iter().zip(gradient).map(|(x, g)| x * g).sum::<f32>()
            })
        });
        Ok(outputs.collect())
    }

    fn representation(&mut self, x: &[f32], _: usize) -> Result<Option<Vec<f32>>, String> {
        let first = self.first.iter().cycle();
        let values = x.iter().zip(first).map(|(x, w)| x * w);
        Ok(self.layers.then(|| values.collect()))
    }

    fn explain(&mut self, rows: &Rows<'_>, maps: &mut [f32]) -> Result<Vec<bool>, String> {
        let mut finite = Vec::new();
        for (i, map) in maps.chunks_exact_mut(PIXELS).enumerate() {
            self.explained.set(self.explained.get() + 1);
            if self.explained.get() > self.patience {
                return Err("out of patience".to_owned());
            }
            let x = &rows.x[i * PIXELS..(i + 1) * PIXELS];
            let area = rows.masks.len() / rows.len();
            let mask = &rows.masks[i * area..(i + 1) * area];
            let target = usize::try_from(rows.targets[i]).unwrap();
            map.copy_from_slice(&(self.explain)(self, x, target, rows.seeds[i], mask));
            finite.push(map.iter().all(|value| value.is_finite()));
        }
        Ok(finite)
    }

    fn has_twin(&self) -> bool {
        self.twin.is_some()
    }

    fn explain_twin(&mut self, rows: &Rows<'_>, maps: &mut [f32]) -> Result<Vec<bool>, String> {
        let mut twin = self.clone();
        twin.head = self.twin.clone().unwrap_or_default();
        twin.explain(rows, maps)
    }

    fn parameter_layers(&self) -> Vec<String> {
        let names: &[&str] = if self.layers { &["first", "head"] } else { &[] };
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn randomise(&mut self, layer: &str, seed: u64) -> Result<(), String> {
        let kept = self
            .kept
            .get_or_insert_with(|| (self.first.clone(), self.head.clone()))
            .clone();
        (self.first, self.head) = kept;
        let draw = |stream: &str, values: &mut Vec<f32>| {
            let mut draws = DrawKey::new(seed, stream, 0).draws(0);
            values
                .iter_mut()
                .for_each(|value| *value = draws.unit() as f32 - 0.5);
        };
        draw("head", &mut self.head);
        if layer == "first" {
            draw("first", &mut self.first);
        }
        Ok(())
    }

    fn restore(&mut self) -> Result<(), String> {
        if let Some((first, head)) = self.kept.take() {
            (self.first, self.head) = (first, head);
        }
        Ok(())
    }
}

/// Images of a set: pixels, ids and all.
struct Set {
    pixels: Vec<f32>,
    targets: Vec<i64>,
    ids: Vec<u64>,
    seeds: Vec<u64>,
    masks: Vec<u8>,
}

impl Set {
    fn new(n: usize) -> Self {
        let pixel = |i: usize| ((i * 53 + i / 7) % 97) as f32 / 97.0;
        let inside =
            |i: usize| u8::from((i % SIDE).abs_diff(6) + (i / SIDE % SIDE).abs_diff(6) < 4);
        let mut set = Self {
            pixels: (0..n * PIXELS).map(pixel).collect(),
            targets: Vec::new(),
            ids: (0..n as u64).map(|i| 100 + 3 * i).collect(),
            seeds: (0..n as u64).map(|i| 7 * i + 1).collect(),
            masks: (0..n * PIXELS).map(inside).collect(),
        };
        let outputs = Toy::new(gradient).predict_all(&set.pixels);
        let classes = outputs.chunks_exact(CLASSES).map(class_of);
        set.targets = classes.map(|class| class as i64).collect();
        set
    }

    fn images(&self, at: std::ops::Range<usize>) -> Images<'_> {
        Images {
            pixels: &self.pixels[at.start * PIXELS..at.end * PIXELS],
            shape: [1, SIDE, SIDE],
            targets: &self.targets[at.clone()],
            ids: &self.ids[at.clone()],
            masks: Some(&self.masks[at.start * PIXELS..at.end * PIXELS]),
        }
    }
}

impl Toy {
    fn predict_all(&mut self, x: &[f32]) -> Vec<f32> {
        x.chunks_exact(PIXELS)
            .flat_map(|row| self.predict(row, 1).unwrap())
            .collect()
    }
}

fn settings() -> ChallengeSettings {
    ChallengeSettings {
        seed: 11,
        draws: 5,
        radius: 0.1,
        shifts: 2,
        smooth_draws: 4,
        smooth_noise: 0.1,
        bins: 20,
        units: Vec::new(),
        table: false,
    }
}

const EVERY: [&str; 12] = [
    "max_sensitivity",
    "avg_sensitivity",
    "local_lipschitz",
    "relative_input_stability",
    "relative_output_stability",
    "relative_representation_stability",
    "class_flips",
    "continuity",
    "mprt",
    "smooth_mprt",
    "efficient_mprt",
    "random_logit",
];

fn words(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

/// The scores of images of a set, whose maps the toy makes first.
fn scored(
    toy: &mut Toy,
    set: &Set,
    at: std::ops::Range<usize>,
    ids: &[&str],
    settings: &ChallengeSettings,
) -> Result<Challenged, String> {
    let images = set.images(at.clone());
    let seeds = &set.seeds[at];
    let mut maps = vec![0.0; images.pixels.len()];
    for (i, map) in maps.chunks_exact_mut(PIXELS).enumerate() {
        let x = &images.pixels[i * PIXELS..(i + 1) * PIXELS];
        let mask = &images.masks.unwrap()[i * PIXELS..(i + 1) * PIXELS];
        let target = usize::try_from(images.targets[i]).unwrap();
        map.copy_from_slice(&(toy.explain)(toy, x, target, seeds[i], mask));
    }
    challenge(&images, seeds, &maps, &words(ids), settings, toy)
}

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
    for id in ["max_sensitivity", "avg_sensitivity", "local_lipschitz"] {
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
    reasons(&mut toy, &["continuity"], &table, "not_an_image");
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
}
