//! The fixtures, and the plugin through its exported entry.
#![expect(dead_code, reason = "each test file uses some of it")]

pub(crate) mod build;
pub(crate) mod differences;

use serde_json::{Value, json};
use xbench_models_onnx::plugin::xbench_entry_v1;
use xbench_plugin::testing::{CallOptions, TestHost, TestModel};

/// All of them.
pub(crate) const NAMES: [&str; 8] = [
    "lenet",
    "cnn-gap",
    "resnet",
    "mobilenet-v2",
    "mobilenet-v3",
    "vit",
    "vit-dynamo",
    "mixed",
];

/// The plugin's id.
pub(crate) const ID: &str = "org.xbench.onnx";

pub(crate) fn host() -> TestHost {
    TestHost::new(&xbench_entry_v1).expect("an entry")
}

pub(crate) fn read(file: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a fixture")
}

pub(crate) struct Fixture {
    pub(crate) bytes: Vec<u8>,
    pub(crate) facts: Value,
}

impl Fixture {
    pub(crate) fn new(name: &str) -> Self {
        Fixture {
            bytes: read(&format!("{name}.onnx")),
            facts: serde_json::from_slice(&read(&format!("{name}.json"))).expect("facts"),
        }
    }

    pub(crate) fn model(&self) -> TestModel {
        self.model_with(1)
    }

    pub(crate) fn model_with(&self, threads: u32) -> TestModel {
        let options = CallOptions {
            threads,
            ..CallOptions::default()
        };
        let params = self.facts["params"].to_string();
        let mut model = host().with_options(options).model(ID, &params).unwrap();
        model.load(&self.bytes).unwrap();
        model
    }

    /// With one parameter changed.
    pub(crate) fn changed(&self, name: &str, value: Value) -> TestModel {
        let mut params = self.facts["params"].clone();
        params[name] = value;
        let mut model = host().model(ID, &params.to_string()).unwrap();
        model.load(&self.bytes).unwrap();
        model
    }

    /// Shape and pixels of the pictures: pixel i is (i * 7919 mod 251) / 250.
    pub(crate) fn pictures(&self) -> (Vec<usize>, Vec<f32>) {
        let count = self.facts["count"].clone();
        let input = self.facts["params"]["input"].as_array().expect("a shape");
        let shape: Vec<usize> = std::iter::once(&count)
            .chain(input)
            .map(|extent| extent.as_u64().expect("an extent") as usize)
            .collect();
        let size = shape.iter().product();
        let x = (0..size)
            .map(|i: usize| (i * 7919 % 251) as f32 / 250.0)
            .collect();
        (shape, x)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.facts[name].as_str().expect("a text").to_owned()
    }

    pub(crate) fn numbers(&self, name: &str) -> Vec<f32> {
        list(&self.facts[name])
    }

    /// The values that were kept of an array, and the same ones of another.
    pub(crate) fn sampled(&self, name: &str, all: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let step = self.facts[name]["step"].as_u64().expect("a step") as usize;
        let found = all.iter().copied().step_by(step).collect();
        (found, list(&self.facts[name]["values"]))
    }
}

fn list(value: &Value) -> Vec<f32> {
    let values = value.as_array().expect("a list");
    values
        .iter()
        .map(|v| v.as_f64().expect("a number") as f32)
        .collect()
}

/// Parameters for an input shape and a number of classes.
pub(crate) fn params(input: &[usize], outputs: usize) -> Value {
    json!({"input": input, "outputs": outputs})
}
