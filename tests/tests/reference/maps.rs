//! Explainers against Captum, pytorch-grad-cam, shap and lime.

use serde_json::Value;
use xbench_host::{CallSettings, HostBatch, Kind, Library, LoadedModel, ModelProxy, ProxyOptions};

use crate::fixture::{IMAGE, MODELS, file, floats, holder, integers, json, libraries, network};

/// Seed of the first row; the fixture's LIME draws from the same.
const SEED: u64 = 1000;

/// Explainers without an entry in the fixture, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("cam", "is Grad-CAM times a constant where it exists"),
    ("smoothgrad", "draws noise of its own"),
    ("smoothgrad-squared", "draws noise of its own"),
    ("vargrad", "draws noise of its own"),
    ("sliding-mask", "no package has it"),
    ("rise", "draws masks of its own"),
    ("sobol", "has a design of its own"),
    ("hsic", "has a design of its own"),
    ("extremal-perturbation", "goes down a slope in its own way"),
    ("segmentation", "shows what a model gives"),
    ("permutation-shap", "draws orders of its own"),
    ("sampling-shap", "draws orders of its own"),
    (
        "tree-shap",
        "explains trees: plugins/explainers/trees/tests",
    ),
    (
        "tree-importance",
        "explains trees: plugins/explainers/trees/tests",
    ),
    (
        "permutation-importance",
        "explains tables: plugins/explainers/trees/tests",
    ),
];

/// What is explained, and what an explainer made of it.
pub(crate) struct Explained {
    pub(crate) map: Vec<f32>,
    fit: Vec<f64>,
}

/// Runs an entry's explainer; `x`, background rows and targets.
pub(crate) fn explain(
    libraries: &[Library],
    model: &LoadedModel,
    entry: &Value,
    (x, background, target): (&[f32], &[f32], &[i64]),
) -> Result<Explained, String> {
    let name = entry["explainer"].as_str().unwrap_or_default();
    let id = format!("org.xbench.{name}");
    let settings = CallSettings::default();
    let library = holder(libraries, &id).ok_or("there is no such explainer")?;
    let explainer = library
        .create_explainer(&id, &entry["params"].to_string(), &settings)
        .map_err(|error| error.to_string())?;
    let rows = target.len();
    let proxy = ModelProxy::new(model, &ProxyOptions::default());
    let seed: Vec<u64> = (0..rows as u64).map(|row| SEED + row).collect();
    let batch = HostBatch {
        x,
        shape: &[rows, 1, 28, 28],
        target,
        seed: &seed,
        mask: None,
        background: Some(background),
    };
    let (mut map, mut fit) = (vec![0.0; x.len()], vec![f64::NAN; rows]);
    explainer
        .explain_and_fit(&settings, &proxy, &batch, &mut map, &mut fit)
        .map_err(|error| error.to_string())?;
    Ok(Explained { map, fit })
}

/// Greatest distance of two maps, as a share of the greatest value of the reference.
fn deviation(seen: &[f32], expected: &[f32], compare: &str) -> f64 {
    let wide = |map: &[f32]| -> Vec<f64> { map.iter().map(|&value| value.into()).collect() };
    let scaled = |map: &[f32]| -> Vec<f64> {
        let map = wide(map);
        let low = map.iter().copied().fold(f64::INFINITY, f64::min);
        let high = map.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A constant map is one of zeros, as the packages have it.
        let range = if high > low { high - low } else { 1.0 };
        map.iter().map(|value| (value - low) / range).collect()
    };
    let distance = |seen: &[f64], expected: &[f64]| {
        let scale = expected
            .iter()
            .fold(0.0, |most: f64, value| most.max(value.abs()));
        let pairs = seen.iter().zip(expected);
        let most = pairs.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
        if scale > 0.0 { most / scale } else { most }
    };
    match compare {
        "min_max" => distance(&scaled(seen), &scaled(expected)),
        "sign" => {
            let turned: Vec<f64> = seen.iter().map(|&value| -f64::from(value)).collect();
            let expected = wide(expected);
            distance(&wide(seen), &expected).min(distance(&turned, &expected))
        }
        _ => distance(&wide(seen), &wide(expected)),
    }
}

#[test]
fn networks_agree_with_pytorch() {
    let libraries = libraries();
    let (images, maps) = (file("images.safetensors"), file("maps.safetensors"));
    let x = floats(&images, "x");
    for name in MODELS {
        let model = network(&libraries, name);
        let outputs = model.predict(&CallSettings::default(), &x, x.len() / IMAGE);
        let expected = floats(&maps, &format!("{name}/logits"));
        let far = deviation(&outputs.expect("outputs"), &expected, "same");
        assert!(far < 1e-5, "{name}: {far:.1e}");
    }
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "shown with --nocapture: the README's table"
)]
fn explainers_agree_with_the_reference_packages() {
    let libraries = libraries();
    let (images, maps) = (file("images.safetensors"), file("maps.safetensors"));
    let (x, background) = (floats(&images, "x"), floats(&images, "background"));
    let models = MODELS.map(|name| network(&libraries, name));
    let mut failed = Vec::new();
    let entries = json("maps.json");
    for (key, entry) in entries.as_object().expect("entries") {
        let tolerance = entry["tolerance"].as_f64().expect("a tolerance");
        let compare = entry["compare"].as_str().expect("a way to compare");
        for (name, model) in MODELS.iter().zip(&models) {
            let expected = floats(&maps, &format!("{name}/{key}"));
            let rows = expected.len() / IMAGE;
            let target = &integers(&maps, &format!("{name}/target"))[..rows];
            let given = (&x[..expected.len()], &background[..], target);
            let explained = match explain(&libraries, model, entry, given) {
                Ok(explained) => explained,
                Err(error) => {
                    failed.push(format!("{key} on {name}: {error}"));
                    continue;
                }
            };
            let pairs = explained.map.chunks(IMAGE).zip(expected.chunks(IMAGE));
            let mut worst = pairs
                .map(|(seen, expected)| deviation(seen, expected, compare))
                .fold(0.0, f64::max);
            let fits = entry["fit"][name].as_array().map_or(&[][..], Vec::as_slice);
            for (seen, expected) in explained.fit.iter().zip(fits) {
                let expected = expected.as_f64().expect("a fit");
                // One that was not reported is no number.
                let far = (seen - expected).abs();
                worst = worst.max(if far.is_nan() { f64::INFINITY } else { far });
            }
            println!("| {key} | {name} | {worst:.1e} |");
            if worst > tolerance {
                failed.push(format!("{key} on {name}: {worst:.1e}, not {tolerance:.0e}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_explainer_has_a_reference_or_a_reason() {
    let entries = json("maps.json");
    let entries = entries.as_object().expect("entries");
    for library in libraries() {
        let explainers = library.descriptors().iter();
        for plugin in explainers.filter(|one| one.kind == Kind::Explainer && !one.flags.control) {
            let Some(name) = plugin.id.strip_prefix("org.xbench.") else {
                continue;
            };
            let known = entries.values().any(|entry| entry["explainer"] == name);
            let excused = WITHOUT.iter().any(|(other, _)| *other == name);
            assert!(
                known != excused,
                "{name}: reference {known}, listed without {excused}"
            );
        }
    }
}
