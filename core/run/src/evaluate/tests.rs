use std::convert::Infallible;

use super::*;

/// A model of probabilities that gives output 0 the weighted sum of the pixels, and counts.
#[derive(Clone)]
struct Linear {
    weights: Vec<f32>,
    rows: usize,
}

impl Predictor for Linear {
    type Error = Infallible;

    fn num_outputs(&self) -> usize {
        2
    }

    fn outputs(&self) -> Outputs {
        Outputs::Direct
    }

    fn predict(&mut self, rows: &[f32], outputs: &mut [f32]) -> Result<(), Infallible> {
        let width = self.weights.len();
        for (row, outputs) in rows.chunks_exact(width).zip(outputs.chunks_exact_mut(2)) {
            outputs[0] = row.iter().zip(&self.weights).map(|(x, w)| x * w).sum();
            outputs[1] = 1.0 - outputs[0];
            self.rows += 1;
        }
        Ok(())
    }
}

fn settings() -> ScoreSettings {
    ScoreSettings {
        seed: 7,
        baseline: 0.0,
        steps: 4,
        subsets: 40,
        subset_share: 0.5,
        sensitivity_shares: vec![0.25, 0.5, 0.75],
        patch: 1,
        patch_share: 0.5,
        segments: 4,
        removal_shares: vec![0.25, 0.5],
        road_shares: vec![0.25, 0.5, 0.75],
        road_noise: 0.0,
        gap_share: 0.5,
        gap_noise: 0.1,
        samples: 5,
        columns: None,
    }
}

/// What explainers share for the wanted scores, and these scores.
fn probed_and_scored(
    images: &Images<'_>,
    maps: &[f32],
    ids: &[String],
    settings: &ScoreSettings,
    model: &mut Linear,
) -> BTreeMap<String, Column> {
    let probed = Probed::for_scores(ids.iter().map(String::as_str)).unwrap();
    let outcomes = probe(images, &probed, settings, &mut model.clone()).unwrap();
    let width = probed.width(settings, images.shape);
    assert_eq!(outcomes.len(), images.len() * width);
    let shared = Shared {
        probed: &probed,
        outcomes: &outcomes,
    };
    score_chunk(images, maps, shared, ids, settings, model).unwrap()
}

fn wanted(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

const PIXELS: [f32; 4] = [1.0, 1.0, 1.0, 0.0];
const WEIGHTS: [f32; 4] = [0.5, 0.3, 0.1, 0.1];

fn one_image<'a>(targets: &'a [i64], ids: &'a [u64]) -> Images<'a> {
    Images {
        pixels: &PIXELS,
        shape: [1, 2, 2],
        targets,
        ids,
        masks: Some(&[1, 1, 0, 0]),
    }
}

fn model() -> Linear {
    Linear {
        weights: WEIGHTS.to_vec(),
        rows: 0,
    }
}

#[test]
fn curves_of_a_linear_model_are_those_worked_by_hand() {
    let images = one_image(&[0], &[3]);
    // The exact attributions: pixels fall in the order 0, 1, 2, 3.
    let attributions = [0.5, 0.3, 0.1, 0.0];
    let mut model = model();
    let ids = wanted(&[
        "deletion_auc",
        "insertion_auc",
        "insertion_deletion",
        "pixel_flipping",
        "abpc",
        "monotonicity",
        "comprehensiveness",
        "sufficiency",
        "faithfulness_correlation",
    ]);
    let columns = probed_and_scored(&images, &attributions, &ids, &settings(), &mut model);
    // Deletion leaves 0.9, 0.4, 0.1, 0, 0; insertion gives 0, 0.5, 0.8, 0.9, 0.9.
    let deletion = (0.9 / 2.0 + 0.4 + 0.1) / 4.0;
    let insertion = (0.5 + 0.8 + 0.9 + 0.9 / 2.0) / 4.0;
    for (id, expected) in [
        ("deletion_auc", deletion / 0.9),
        ("insertion_auc", insertion / 0.9),
        ("insertion_deletion", (insertion - deletion) / 0.9),
        ("pixel_flipping", deletion),
        ("abpc", insertion - deletion),
        ("monotonicity", 1.0),
        // One and two pixels removed, then kept.
        ("comprehensiveness", (0.5 + 0.8) / 2.0),
        ("sufficiency", (0.4 + 0.1) / 2.0),
        ("faithfulness_correlation", 1.0),
    ] {
        let value = columns[id].values[0].unwrap();
        assert!((value - expected).abs() < 1e-6, "{id}: {value}");
    }
    // Three inner points a curve serve all; the last pixel is black already, so that neither curve
    // changes there: none of the three is it.
    assert_eq!(model.rows, 6);
}

#[test]
fn patches_of_a_linear_model_are_those_worked_by_hand() {
    let images = one_image(&[0], &[3]);
    let attributions = [0.5, 0.3, 0.1, 0.0];
    let mut model = model();
    let ids = wanted(&[
        "region_perturbation",
        "selectivity",
        "irof",
        "faithfulness_estimate",
        "sensitivity_n",
        "mu_fidelity",
        "monotonicity_correlation",
        "infidelity",
        "completeness",
        "non_sensitivity",
    ]);
    let columns = probed_and_scored(&images, &attributions, &ids, &settings(), &mut model);
    for (id, expected) in [
        ("region_perturbation", (0.5 + 0.8 + 0.9 + 0.9) / 5.0),
        ("selectivity", (0.9 / 2.0 + 0.4 + 0.1) / 4.0),
        ("faithfulness_estimate", 1.0),
        ("sensitivity_n", 1.0),
        ("mu_fidelity", 1.0),
        // The pixels are 0 and 1, so that (x − b) a is the drop itself.
        ("infidelity", 0.0),
        ("completeness", 0.0),
        ("non_sensitivity", 0.0),
    ] {
        let value = columns[id].values[0].unwrap();
        assert!((value - expected).abs() < 1e-6, "{id}: {value}");
    }
    let correlation = columns["monotonicity_correlation"].values[0].unwrap();
    assert!((-1.0..=1.0).contains(&correlation));
    // Region perturbation and selectivity share three inner points; IROF has at most four segments.
    assert!((3..=6).contains(&model.rows), "{}", model.rows);
}

#[test]
fn a_map_off_the_mark_scores_worse() {
    let images = one_image(&[0], &[3]);
    let ids: Vec<String> = xbench_metrics::catalogue()
        .iter()
        .filter(|info| matches!(info.family, Family::Faithfulness | Family::Axiomatic))
        .filter(|info| info.needs.model && !info.needs.explainer)
        .map(|info| info.id.to_owned())
        .collect();
    let exact = [0.5, 0.3, 0.1, 0.0];
    let wrong = [-0.1, 0.05, 0.2, 0.4];
    let of = |map: &[f32]| probed_and_scored(&images, map, &ids, &settings(), &mut model());
    let (good, bad) = (of(&exact), of(&wrong));
    for id in &ids {
        let info = find(id).unwrap();
        let (good, bad) = (good[id].values[0].unwrap(), bad[id].values[0].unwrap());
        assert!(good >= info.range.0 && good <= info.range.1, "{id}: {good}");
        let (better, why) = match info.direction {
            xbench_metrics::Direction::Lower => (good < bad, "lower"),
            _ => (good > bad, "higher"),
        };
        // ROAD asks whether the class changes, which depends on where the model's border lies; all
        // weights being positive, every map is monotone.
        let silent = ["road", "monotonicity"].contains(&id.as_str());
        assert!(better || silent, "{id}: {good} not {why} than {bad}");
    }
}

#[test]
fn a_map_that_hides_a_counterweight_is_not_monotone() {
    let pixels = [1.0, 1.0, 1.0, 1.0];
    let images = Images {
        pixels: &pixels,
        ..one_image(&[0], &[3])
    };
    let ids = wanted(&["monotonicity"]);
    let score = |map: &[f32]| {
        let mut model = Linear {
            weights: vec![0.5, 0.3, -0.2, 0.1],
            rows: 0,
        };
        let columns = probed_and_scored(&images, map, &ids, &settings(), &mut model);
        columns["monotonicity"].values[0].unwrap()
    };
    // The baseline with pixel 2 falls, whenever it comes.
    assert_eq!(score(&[0.5, 0.3, -0.2, 0.1]), 0.0);
    // Unless the steps are too wide to see it.
    let settings = ScoreSettings {
        steps: 2,
        ..settings()
    };
    let mut model = Linear {
        weights: vec![0.5, 0.3, -0.2, 0.3],
        rows: 0,
    };
    let map = [0.5, 0.4, -0.2, 0.3];
    let columns = probed_and_scored(&images, &map, &ids, &settings, &mut model);
    assert_eq!(columns["monotonicity"].values[0], Some(1.0));
}

#[test]
fn scale_does_not_count() {
    let images = one_image(&[0], &[3]);
    let ids: Vec<String> = xbench_metrics::catalogue()
        .iter()
        .filter(|info| matches!(info.family, Family::Faithfulness | Family::Axiomatic))
        .filter(|info| info.needs.model && !info.needs.explainer)
        // Completeness is about the scale.
        .filter(|info| info.id != "completeness")
        .map(|info| info.id.to_owned())
        .collect();
    let map = [-0.1, 0.05, 0.2, 0.4];
    let scaled: Vec<f32> = map.iter().map(|a| a * 1e-3).collect();
    let of = |map: &[f32]| probed_and_scored(&images, map, &ids, &settings(), &mut model());
    let (one, other) = (of(&map), of(&scaled));
    for id in &ids {
        let (one, other) = (one[id].values[0].unwrap(), other[id].values[0].unwrap());
        assert!((one - other).abs() < 1e-6, "{id}: {one} and {other}");
    }
}

#[test]
fn the_prediction_gap_is_that_of_its_noise() {
    use xbench_metrics::faithfulness::NoiseRows;
    let images = one_image(&[0], &[3]);
    let ids = wanted(&["pgi", "pgu"]);
    // By magnitude, pixels 3 and 1 are the important half.
    let map = [0.1, -0.6, 0.2, 0.9];
    let columns = probed_and_scored(&images, &map, &ids, &settings(), &mut model());
    let noise = NoiseRows::new(7, 3, 4, &[0.1], 5);
    let gap = |pixels: &[u32]| -> f64 {
        let mut sum = 0.0;
        for sample in 0..5 {
            let mut row = [0.0; 4];
            noise
                .write_row(sample, pixels, 4, &PIXELS, &mut row)
                .unwrap();
            let change = row.iter().zip(&PIXELS).zip(&WEIGHTS);
            let change: f32 = change.map(|((row, image), w)| (row - image) * w).sum();
            sum += f64::from(change.abs());
        }
        sum / 5.0
    };
    assert!((columns["pgi"].values[0].unwrap() - gap(&[1, 3])).abs() < 1e-6);
    assert!((columns["pgu"].values[0].unwrap() - gap(&[0, 2])).abs() < 1e-6);
}

#[test]
fn road_asks_whether_the_class_stays() {
    // One bright pixel among black ones: once it is filled in, output 0 (half of it) falls below
    // output 1.
    let pixels = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let images = Images {
        pixels: &pixels,
        shape: [1, 3, 3],
        targets: &[0],
        ids: &[3],
        masks: None,
    };
    let mut weights = vec![0.0; 9];
    weights[4] = 0.6;
    let ids = wanted(&["road"]);
    let score = |map: &[f32]| {
        let mut model = Linear {
            weights: weights.clone(),
            rows: 0,
        };
        let columns = probed_and_scored(&images, map, &ids, &settings(), &mut model);
        assert_eq!(model.rows, 3);
        columns["road"].values[0].unwrap()
    };
    let mut map = [0.0; 9];
    map[4] = 1.0;
    assert_eq!(score(&map), 0.0);
    map[4] = -1.0;
    assert_eq!(score(&map), 1.0);
}

#[test]
fn columns_of_a_table_are_its_patches() {
    let pixels = [10.0, 2.0, 0.5];
    let images = Images {
        pixels: &pixels,
        shape: [1, 1, 3],
        targets: &[0],
        ids: &[3],
        masks: None,
    };
    let settings = ScoreSettings {
        patch: 4,
        columns: Some(Columns {
            mean: vec![9.0, 2.0, 0.0],
            deviation: vec![1.0, 1.0, 0.5],
        }),
        ..settings()
    };
    let ids = wanted(&[
        "completeness",
        "faithfulness_estimate",
        "monotonicity_correlation",
        "road",
        "irof",
        "pgi",
    ]);
    let mut model = Linear {
        weights: vec![0.1, 0.2, 0.4],
        rows: 0,
    };
    // Attributions against the columns' means: w (x − mean).
    let map = [0.1, 0.0, 0.2];
    let columns = probed_and_scored(&images, &map, &ids, &settings, &mut model);
    assert!(columns["completeness"].values[0].unwrap() < 1e-5);
    assert!(columns["faithfulness_estimate"].values[0].unwrap() > 1.0 - 1e-6);
    for id in ["monotonicity_correlation", "irof", "pgi"] {
        assert!(columns[id].values[0].is_some(), "{id}: {:?}", columns[id]);
    }
    assert_eq!(columns["road"].values, [None]);
    assert!(columns["road"].reasons.contains_key("not_an_image"));
}

#[test]
fn maps_are_scored_without_a_model() {
    let images = one_image(&[0], &[3]);
    let ids = wanted(&[
        "relevance_mass",
        "gini",
        "deletion_auc",
        "spearman",
        "local_fit",
    ]);
    let probed = Probed::default();
    let columns = score_chunk(
        &images,
        &[0.5, 0.3, 0.1, 0.0],
        Shared::none(&probed),
        &ids,
        &settings(),
        &mut NoModel,
    )
    .unwrap();
    let keys: Vec<&str> = columns.keys().map(String::as_str).collect();
    assert_eq!(keys, ["gini", "relevance_mass"]);
    assert!(Probed::for_scores(["gini", "spearman", "max_sensitivity"]).is_none());
}

#[test]
fn a_row_that_does_not_change_is_not_sent_again() {
    let images = one_image(&[0], &[3]);
    // The black pixel comes first: the first step of both curves changes nothing.
    let attributions = [0.3, 0.2, 0.1, 0.9];
    let mut model = model();
    let ids = wanted(&["deletion_auc", "insertion_auc"]);
    probed_and_scored(&images, &attributions, &ids, &settings(), &mut model);
    assert_eq!(model.rows, 4);
}

#[test]
fn what_cannot_be_scored_says_why() {
    // Output 1 grows as pixels vanish: the baseline looks more like it than the image.
    let images = one_image(&[1], &[3]);
    let mut model = model();
    let ids = wanted(&[
        "deletion_auc",
        "insertion_deletion",
        "relevance_mass",
        "faithfulness_correlation",
        "faithfulness_estimate",
        "sensitivity_n",
        "mu_fidelity",
        "monotonicity_correlation",
        "infidelity",
        "non_sensitivity",
        "gini",
    ]);
    let columns = probed_and_scored(&images, &[0.0; 4], &ids, &settings(), &mut model);
    for (id, reason) in [
        ("deletion_auc", "baseline_above_image"),
        ("insertion_deletion", "baseline_above_image"),
        ("relevance_mass", "zero_relevance"),
        ("faithfulness_correlation", "constant_attribution"),
        ("faithfulness_estimate", "constant_attribution"),
        ("sensitivity_n", "constant_attribution"),
        ("mu_fidelity", "constant_attribution"),
        ("monotonicity_correlation", "constant_attribution"),
        ("infidelity", "zero_relevance"),
        ("non_sensitivity", "zero_relevance"),
        ("gini", "zero_relevance"),
    ] {
        assert_eq!(columns[id].values, [None], "{id}");
        assert_eq!(
            columns[id].reasons,
            BTreeMap::from([(reason.to_owned(), 1)]),
            "{id}"
        );
    }
    assert_eq!(
        model.rows, 0,
        "a curve that cannot be scaled is not computed"
    );
}

#[test]
fn a_model_that_says_one_thing_has_no_scores() {
    let images = one_image(&[0], &[3]);
    let mut deaf = Linear {
        weights: vec![0.0; 4],
        rows: 0,
    };
    let every = every_score();
    let columns = probed_and_scored(
        &images,
        &[0.5, 0.3, 0.1, 0.0],
        &every,
        &settings(),
        &mut deaf,
    );
    for id in [
        "deletion_auc",
        "monotonicity",
        "irof",
        "faithfulness_correlation",
        "faithfulness_estimate",
        "sensitivity_n",
        "mu_fidelity",
        "monotonicity_correlation",
        "infidelity",
        "completeness",
    ] {
        assert_eq!(columns[id].values, [None], "{id}");
    }
    // These say how much the model moves, and it does not.
    for id in ["comprehensiveness", "sufficiency", "pgi", "pgu", "abpc"] {
        assert_eq!(columns[id].values, [Some(0.0)], "{id}");
    }
}

#[test]
fn maps_that_are_not_finite_have_no_score() {
    let images = one_image(&[0], &[3]);
    let every = every_score();
    for bad in [f32::NAN, f32::INFINITY] {
        let map = [0.5, bad, 0.1, 0.0];
        let columns = probed_and_scored(&images, &map, &every, &settings(), &mut model());
        for (id, column) in &columns {
            assert_eq!(column.values, [None], "{id}");
            assert!(column.reasons.contains_key("non_finite"), "{id}");
        }
    }
    // A target that the model has no output for: no score of the model, those of the mask stay.
    let images = one_image(&[7], &[3]);
    let map = [0.5, 0.3, 0.1, 0.0];
    let columns = probed_and_scored(&images, &map, &every, &settings(), &mut model());
    assert_eq!(columns["pgi"].values, [None]);
    assert_eq!(columns["completeness"].values, [None]);
    assert_eq!(columns["selectivity"].values, [None]);
    assert!(columns["relevance_mass"].values[0].is_some());
}

fn every_score() -> Vec<String> {
    let catalogue = xbench_metrics::catalogue().iter();
    catalogue.map(|score| score.id.to_owned()).collect()
}

#[test]
fn images_are_scored_alike_in_any_company() {
    let pixels: Vec<f32> = (0..40 * 4).map(|i| (i * 37 % 101) as f32 / 101.0).collect();
    let maps: Vec<f32> = (0..40 * 4).map(|i| (i * 53 % 97) as f32 - 40.0).collect();
    let masks: Vec<u8> = (0..40 * 4).map(|i| u8::from(i % 3 == 0)).collect();
    let (targets, ids) = (vec![0; 40], (0..40).collect::<Vec<u64>>());
    let every = every_score();
    let score = |from: usize, to: usize| {
        let images = Images {
            pixels: &pixels[from * 4..to * 4],
            shape: [1, 2, 2],
            targets: &targets[from..to],
            ids: &ids[from..to],
            masks: Some(&masks[from * 4..to * 4]),
        };
        let maps = &maps[from * 4..to * 4];
        probed_and_scored(&images, maps, &every, &settings(), &mut model())
    };
    let whole = score(0, 40);
    let (first, second) = (score(0, 13), score(13, 40));
    let here = xbench_metrics::catalogue().iter();
    let here = here.filter(|info| is_of_map(info)).count();
    assert_eq!(whole.len(), here, "{:?}", whole.keys());
    for (id, column) in &whole {
        assert_eq!(column.values.len(), 40, "{id}");
        // Four pixels are too few for the shape of their highest.
        let some = column.values.iter().any(Option::is_some);
        assert!(some || id == "mst_compactness", "{id}");
        let parts = [&first[id].values[..], &second[id].values[..]].concat();
        assert_eq!(column.values, parts, "{id}");
    }
}
