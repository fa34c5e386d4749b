//! Plugins that suites may name, and suites that name them.

use std::path::Path;

use serde_json::{Value, json};
use xbench_suite::{Kind, Known, Registry, Suite};

/// Plugins as the standard libraries declare them.
pub(crate) struct Standard;

pub(crate) fn known(short: &str) -> Known {
    Known {
        id: format!("org.xbench.{short}"),
        short: short.to_owned(),
        version: "0.1.0".to_owned(),
        ..Known::default()
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

impl Registry for Standard {
    fn models(&self) -> Vec<Known> {
        let model = |short: &str, can: &[&str], presets: &[&str]| Known {
            provides: can
                .iter()
                .chain(&["predict"])
                .map(|can| format!("xbench.model.{can}/1"))
                .collect(),
            presets: words(presets),
            ..known(short)
        };
        let (study, forest) = (["published", "best"], ["default", "published"]);
        vec![
            model("cnn-gap", &["vjp", "linear"], &study),
            model("lenet", &["vjp"], &study),
            model("cnn-plain", &["vjp"], &study),
            model("cnn-dropout", &["vjp"], &study),
            model("hybrid-cnn", &["vjp", "linear"], &study),
            model("hybrid", &["vjp", "linear"], &study),
            model("svm-mask", &["vjp"], &study),
            model("xgboost", &["trees"], &study),
            model("random-forest", &["trees"], &forest),
            model("resnet-spn", &["vjp", "segment"], &["quick", "full"]),
        ]
    }

    fn explainers(&self) -> Vec<Known> {
        let explainer = |short: &str, need: &str| Known {
            requires_model: words(&[need]),
            ..known(short)
        };
        let mut all = vec![
            explainer("cam", "xbench.model.linear/1"),
            explainer("occlusion", "xbench.model.predict/1"),
            explainer("sliding-mask", "xbench.model.predict/1"),
            explainer("segmentation", "xbench.model.segment/1"),
        ];
        for short in [
            "gradcam",
            "gradient",
            "saliency",
            "input-x-gradient",
            "ig",
            "smoothgrad",
        ] {
            all.push(explainer(short, "xbench.model.vjp/1"));
        }
        for short in [
            "random",
            "constant",
            "sobel",
            "input-magnitude",
            "centre-gaussian",
            "oracle",
        ] {
            all.push(Known {
                control: true,
                ..known(short)
            });
        }
        all.push(Known {
            id: "org.example.ig".into(),
            ..known("ig2")
        });
        all
    }

    fn check_params(&self, _: Kind, id: &str, params: &Value) -> Result<Value, String> {
        let mut params = params.as_object().cloned().unwrap_or_default();
        if id.ends_with(".ig") {
            params.entry("steps").or_insert(json!(50));
            params.entry("baseline").or_insert(json!(0.0));
            if let Some(wrong) = params
                .keys()
                .find(|key| !matches!(key.as_str(), "steps" | "baseline"))
            {
                return Err(format!(
                    "unknown parameter \"{wrong}\"\nit has steps, baseline"
                ));
            }
        }
        Ok(Value::Object(params))
    }
}

/// The explainers of this repository, by their manifests; any parameters will do.
pub(crate) struct Shipped;

impl Registry for Shipped {
    fn models(&self) -> Vec<Known> {
        Standard.models()
    }

    fn explainers(&self) -> Vec<Known> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/explainers");
        let mut all = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let manifest = entry.unwrap().path().join("xbench-plugin.toml");
            let text = std::fs::read_to_string(manifest).unwrap();
            for plugin in text.split("[[plugin]]").skip(1) {
                let short = plugin
                    .lines()
                    .find_map(|line| line.strip_prefix("id = \"org.xbench."))
                    .and_then(|id| id.strip_suffix('"'))
                    .unwrap();
                all.push(Known {
                    control: plugin.contains("control = true"),
                    ..known(short)
                });
            }
        }
        all
    }

    fn check_params(&self, _: Kind, _: &str, params: &Value) -> Result<Value, String> {
        Ok(params.clone())
    }
}

pub(crate) const MINIMAL: &str =
    "suite: tiny\nversion: 1\ndata: {set: garments}\nmodels: [lenet]\nexplainers: [ig]\n";

pub(crate) fn refused(text: &str) -> String {
    match Suite::from_str("s.yaml", text) {
        Err(errors) => errors.to_string(),
        Ok(suite) => suite
            .check(&Standard)
            .expect_err("the suite is wrong")
            .to_string(),
    }
}
