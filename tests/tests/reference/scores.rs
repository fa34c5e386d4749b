//! Scores against Quantus, Captum and scikit-image, on maps that the fixture holds.

use serde_json::{Value, json};
use xbench_host::{CallSettings, LoadedModel};
use xbench_metrics::complexity::{entropy, gini};
use xbench_metrics::faithfulness::{
    LinearImputer, PerturbationPlan, Regions, correlation_of_drops, infidelity, irof,
    softmax_probability,
};
use xbench_metrics::localisation;
use xbench_metrics::randomisation::random_logit;
use xbench_metrics::robustness::{Explained, NoiseScores};
use xbench_metrics::{DrawKey, RankedMagnitude, RankedMap, Score};

use crate::fixture::{self, IMAGE, MODELS, SIDE, file, floats, integers, libraries, network};
use crate::maps::explain;

/// Pixels of a step of pixel flipping.
const STEP: usize = 28;
/// Side of the squares that the perturbations of infidelity take away.
const SQUARE: usize = 7;
/// Largest difference, as a share of the greatest reference value where that exceeds 1.
const TOLERANCE: f64 = 1e-4;

/// One network's part of the fixture.
struct Case {
    name: &'static str,
    model: LoadedModel,
    x: Vec<f32>,
    target: Vec<i64>,
    mask: Vec<bool>,
    expected: Value,
    tensors: Vec<u8>,
    failed: Vec<String>,
}

impl Case {
    fn all() -> Vec<Self> {
        let libraries = libraries();
        let (images, scores) = (file("images.safetensors"), fixture::json("scores.json"));
        let mask: Vec<bool> = numbers(&scores["mask"])
            .iter()
            .map(|&one| one > 0.5)
            .collect();
        let case = |name| {
            let tensors = file("maps.safetensors");
            Self {
                name,
                model: network(&libraries, name),
                x: floats(&images, "x"),
                target: integers(&tensors, &format!("{name}/target")),
                mask: mask.clone(),
                expected: scores[name].clone(),
                tensors,
                failed: Vec::new(),
            }
        };
        MODELS.into_iter().map(case).collect()
    }

    /// The maps of an explainer, one a row.
    fn maps(&self, explainer: &str) -> Vec<Vec<f32>> {
        let values = floats(&self.tensors, &format!("{}/{explainer}", self.name));
        values.chunks(IMAGE).map(<[f32]>::to_vec).collect()
    }

    /// The explained output of `rows`, all made of image `image`.
    fn outcomes(&self, image: usize, rows: &[f32]) -> Vec<f64> {
        let count = rows.len() / IMAGE;
        let outputs = self.model.predict(&CallSettings::default(), rows, count);
        let outputs = outputs.expect("outputs");
        let target = self.target[image] as usize;
        let of = |outputs: &[f32]| f64::from(outputs[target]);
        outputs.chunks(outputs.len() / count).map(of).collect()
    }

    fn image(&self, row: usize) -> &[f32] {
        &self.x[row * IMAGE..][..IMAGE]
    }

    /// Compares a score of each row with the fixture's.
    fn compare(&mut self, key: &str, seen: impl Iterator<Item = Score>) {
        let expected = numbers(&self.expected[key]);
        let seen: Vec<f64> = seen
            .map(|score| score.unwrap_or_else(|reason| panic!("{key}: {reason:?}")))
            .collect();
        self.compare_numbers(key, &seen, &expected);
    }

    fn compare_numbers(&mut self, key: &str, seen: &[f64], expected: &[f64]) {
        assert_eq!(seen.len(), expected.len(), "{} {key}", self.name);
        let scale = expected
            .iter()
            .fold(1.0, |most: f64, one| most.max(one.abs()));
        let pairs = seen.iter().zip(expected);
        let far = pairs.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs())) / scale;
        report(self.name, key, far);
        if far > TOLERANCE {
            self.failed
                .push(format!("{} {key}: {seen:?}, not {expected:?}", self.name));
        }
    }

    fn end(self) {
        assert!(self.failed.is_empty(), "{}", self.failed.join("\n"));
    }
}

#[expect(
    clippy::print_stdout,
    reason = "shown with --nocapture: the README's table"
)]
fn report(name: &str, key: &str, far: f64) {
    println!("| {key} | {name} | {far:.1e} |");
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().expect("an array").iter();
    values.map(|one| one.as_f64().expect("a number")).collect()
}

fn ranked(map: &[f32]) -> RankedMap {
    RankedMap::new(map).expect("a map")
}

fn magnitude(map: &[f32]) -> RankedMagnitude {
    RankedMagnitude::new(map).expect("a map")
}

#[test]
fn scores_of_maps_agree() {
    for mut case in Case::all() {
        let [ig, saliency, gradient] = ["ig", "saliency", "gradient"].map(|name| case.maps(name));
        let mask = case.mask.clone();
        case.compare("ig/gini", ig.iter().map(|map| gini(&magnitude(map))));
        let nats = (IMAGE as f64).ln();
        let entropies = ig.iter().map(|map| Ok(entropy(&magnitude(map))? * nats));
        case.compare("ig/entropy_nats", entropies);
        type Localisation = fn(&RankedMap, &[bool]) -> Score;
        let scores: [(&str, &[Vec<f32>], Localisation); 6] = [
            (
                "saliency/relevance_mass",
                &saliency,
                localisation::relevance_mass,
            ),
            (
                "saliency/relevance_rank",
                &saliency,
                localisation::relevance_rank,
            ),
            (
                "gradient/relevance_rank",
                &gradient,
                localisation::relevance_rank,
            ),
            ("ig/auroc", &ig, localisation::auroc),
            ("ig/pointing_game", &ig, localisation::pointing_game),
            (
                "ig/top_k_intersection",
                &ig,
                localisation::top_k_intersection,
            ),
        ];
        for (key, maps, score) in scores {
            case.compare(key, maps.iter().map(|map| score(&ranked(map), &mask)));
        }
        for (a, b) in [("ig", "gradient"), ("saliency", "gradcam")] {
            let pairs: Vec<_> = case.maps(a).into_iter().zip(case.maps(b)).collect();
            let likeness = pairs.iter().map(|(a, b)| random_logit(a, b, SIDE, SIDE));
            case.compare(&format!("{a} and {b}/random_logit"), likeness);
        }
        case.end();
    }
}

#[test]
fn pixel_flipping_agrees() {
    for mut case in Case::all() {
        let curves = case.expected["ig/pixel_flipping"].clone();
        let curves = curves.as_array().expect("curves");
        for (row, map) in case.maps("ig").iter().enumerate() {
            let key = DrawKey::new(0, "pixel_flipping", row as u64);
            let plan = PerturbationPlan::new(&ranked(map), IMAGE / STEP, key);
            let mut rows = vec![0.0; plan.steps() * IMAGE];
            for (step, out) in rows.chunks_mut(IMAGE).enumerate() {
                plan.write_deletion(step + 1, case.image(row), &[0.0; IMAGE], out)
                    .expect("lengths that fit");
            }
            let seen = case.outcomes(row, &rows);
            case.compare_numbers("ig/pixel_flipping", &seen, &numbers(&curves[row]));
        }
        case.end();
    }
}

#[test]
fn faithfulness_estimates_agree() {
    for mut case in Case::all() {
        let maps = case.maps("ig");
        let scores: Vec<Score> = maps
            .iter()
            .enumerate()
            .map(|(row, map)| {
                let image = case.image(row);
                let mut rows = image.repeat(IMAGE);
                for (pixel, row) in rows.chunks_mut(IMAGE).enumerate() {
                    row[pixel] = 0.0;
                }
                let whole = case.outcomes(row, image)[0];
                let outcomes = case.outcomes(row, &rows);
                let drops: Vec<f64> = outcomes.iter().map(|one| whole - one).collect();
                let map: Vec<f64> = map.iter().map(|&value| value.into()).collect();
                correlation_of_drops(&map, &drops, 0.0)
            })
            .collect();
        case.compare("ig/faithfulness_estimate", scores.into_iter());
        case.end();
    }
}

#[test]
fn infidelity_agrees() {
    for mut case in Case::all() {
        let maps = case.maps("ig");
        let per_line = SIDE / SQUARE;
        let square = |pixel: usize| pixel / SIDE / SQUARE * per_line + pixel % SIDE / SQUARE;
        let scores: Vec<Score> = maps
            .iter()
            .enumerate()
            .map(|(row, map)| {
                let image = case.image(row);
                let mut rows = image.repeat(per_line * per_line);
                let mut products = vec![0.0; per_line * per_line];
                for pixel in 0..IMAGE {
                    rows[square(pixel) * IMAGE + pixel] = 0.0;
                    products[square(pixel)] += f64::from(map[pixel]) * f64::from(image[pixel]);
                }
                let whole = case.outcomes(row, image)[0];
                let outcomes = case.outcomes(row, &rows);
                let drops: Vec<f64> = outcomes.iter().map(|one| whole - one).collect();
                infidelity(&products, &drops, 0.0)
            })
            .collect();
        case.compare("ig/infidelity", scores.into_iter());
        case.end();
    }
}

#[test]
fn irof_agrees() {
    let squares = Regions::grid(SIDE, SIDE, SQUARE);
    let count = squares.count();
    for mut case in Case::all() {
        let maps = case.maps("ig");
        let seen: Vec<Score> = maps
            .iter()
            .enumerate()
            .map(|(row, map)| {
                let key = DrawKey::new(0, "irof", row as u64);
                let plan = squares.plan(&squares.sums(map, |value| value)?, key)?;
                let mut rows = vec![0.0; (count + 1) * IMAGE];
                for (step, out) in rows.chunks_mut(IMAGE).enumerate() {
                    plan.write_deletion(step, case.image(row), &[0.0; IMAGE], out)?;
                }
                let target = case.target[row] as usize;
                let outputs = case
                    .model
                    .predict(&CallSettings::default(), &rows, count + 1);
                let outputs = outputs.expect("outputs");
                let outputs = outputs.chunks(outputs.len() / (count + 1));
                let curve: Vec<f64> = outputs
                    .map(|outputs| softmax_probability(outputs, target))
                    .collect::<Result<_, _>>()?;
                // Quantus sums over the segments, and its curve begins behind the first of them.
                let first = 0.5 * (1.0 + curve[1] / curve[0]);
                Ok(irof(&curve)? * count as f64 + first)
            })
            .collect();
        case.compare("ig/irof_over_segments", seen.into_iter());
        case.end();
    }
}

#[test]
fn sensitivity_agrees() {
    let libraries = libraries();
    let entry = json!({"explainer": "saliency", "params": {}});
    for mut case in Case::all() {
        let maps = case.maps("saliency");
        let seen: Vec<Score> = maps
            .iter()
            .enumerate()
            .map(|(row, map)| {
                let image = case.image(row);
                let moved = |draw: u32| {
                    image.iter().enumerate().map(move |(pixel, &value)| {
                        let wave = (f64::from(draw) * pixel as f64).sin();
                        (f64::from(value) + 0.02 * wave) as f32
                    })
                };
                let rows: Vec<f32> = (1..=4).flat_map(moved).collect();
                let target = [case.target[row]; 4];
                let explained = explain(&libraries, &case.model, &entry, (&rows, &[], &target));
                let explained = explained.expect("maps");
                let whole = |input, map| Explained {
                    input,
                    map,
                    outputs: &[0.0],
                    representation: None,
                };
                let mut scores = NoiseScores::new(whole(image, map), &[]);
                for (row, map) in rows.chunks(IMAGE).zip(explained.map.chunks(IMAGE)) {
                    scores.add(&whole(row, map));
                }
                scores.score("max_sensitivity").expect("a score of noise")
            })
            .collect();
        case.compare("saliency/max_sensitivity", seen.into_iter());
        case.end();
    }
}

#[test]
fn imputed_images_agree() {
    for mut case in Case::all() {
        let expected = case.expected["saliency/imputed"].clone();
        let expected = expected.as_array().expect("images");
        for (row, map) in case
            .maps("saliency")
            .iter()
            .take(expected.len())
            .enumerate()
        {
            let ranked = ranked(map);
            let mut missing = vec![false; IMAGE];
            for &pixel in &ranked.order()[..IMAGE * 3 / 10] {
                missing[pixel as usize] = true;
            }
            let mut image = case.image(row).to_vec();
            LinearImputer::new(SIDE, SIDE)
                .fill(&mut image, &missing)
                .expect("known pixels");
            let seen: Vec<f64> = image.iter().map(|&value| value.into()).collect();
            case.compare_numbers("saliency/imputed", &seen, &numbers(&expected[row]));
        }
        case.end();
    }
}
