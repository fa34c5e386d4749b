//! The state of a training between two epochs, as bytes.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use xbench_plugin::{Error, Result};

use super::optimiser::Adam;
use super::{EpochReport, Recipe};
use crate::network::Parameters;

const KEY: &str = "state";

/// The part of a state that is not numbers by the million.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    recipe: Recipe,
    steps: u64,
    curve: Vec<EpochReport>,
    kept: Option<EpochReport>,
    imagenet_weights: Option<String>,
}

/// All that decides the rest of a training.
#[derive(Debug)]
pub struct State {
    /// Parameters being trained.
    pub trained: Parameters,
    /// Their running average, where there is one.
    pub average: Option<Parameters>,
    /// The best epoch so far and its parameters.
    pub best: Option<(EpochReport, Parameters)>,
    /// The optimiser.
    pub adam: Adam,
    /// Every epoch so far.
    pub curve: Vec<EpochReport>,
    /// SHA-256 of the backbone's file.
    pub backbone: Option<String>,
}

impl State {
    /// The state as a safetensors file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, recipe: &Recipe) -> Result<Vec<u8>> {
        let internal = |e: String| Error::internal(format!("state of the training: {e}"));
        let header = Header {
            recipe: recipe.clone(),
            steps: self.adam.steps,
            curve: self.curve.clone(),
            kept: self.best.as_ref().map(|(report, _)| report.clone()),
            imagenet_weights: self.backbone.clone(),
        };
        let header = serde_json::to_string(&header).map_err(|e| internal(e.to_string()))?;
        let mut arrays: Vec<(String, Vec<u8>)> = Vec::new();
        let mut add = |prefix: &str, values: Vec<&[f32]>| {
            for (i, values) in values.into_iter().enumerate() {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                arrays.push((format!("{prefix}.{i}"), bytes));
            }
        };
        let slices = |p: &Parameters| p.arrays().into_iter().map(|(_, v)| v.to_vec()).collect();
        let groups: Vec<(&str, Vec<Vec<f32>>)> = [
            Some(("trained", slices(&self.trained))),
            self.average.as_ref().map(|p| ("average", slices(p))),
            self.best.as_ref().map(|(_, p)| ("best", slices(p))),
            Some(("first", self.adam.first.clone())),
            Some(("second", self.adam.second.clone())),
        ]
        .into_iter()
        .flatten()
        .collect();
        for (prefix, values) in &groups {
            add(prefix, values.iter().map(|v| &v[..]).collect());
        }
        let mut views = Vec::new();
        for (name, bytes) in &arrays {
            let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)
                .map_err(|e| internal(e.to_string()))?;
            views.push((name.clone(), view));
        }
        let metadata = HashMap::from([(KEY.to_owned(), header)]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| internal(e.to_string()))
    }

    /// Reads what [`State::write`] wrote, into a state of the same network.
    ///
    /// # Errors
    /// When it is something else, or of another recipe.
    pub fn read(&mut self, bytes: &[u8], recipe: &Recipe) -> Result<()> {
        let refuse = |why: String| {
            Error::invalid_argument(format!("kept state of the training: {why}; start afresh"))
        };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| refuse(e.to_string()))?;
        let text = metadata
            .metadata()
            .as_ref()
            .and_then(|m| m.get(KEY))
            .ok_or_else(|| refuse("no header".to_owned()))?;
        let header: Header = serde_json::from_str(text).map_err(|e| refuse(e.to_string()))?;
        if header.recipe != *recipe {
            return Err(refuse("it is of other settings".to_owned()));
        }
        let file = SafeTensors::deserialize(bytes).map_err(|e| refuse(e.to_string()))?;
        let views: BTreeMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
        let fill = |name: &str, to: Vec<&mut [f32]>| -> Result<()> {
            for (i, to) in to.into_iter().enumerate() {
                let name = format!("{name}.{i}");
                let view = views
                    .get(&name)
                    .filter(|v| v.dtype() == Dtype::F32 && v.data().len() == 4 * to.len())
                    .ok_or_else(|| refuse(format!("'{name}' is missing or of another size")))?;
                let (fours, _) = view.data().as_chunks::<4>();
                for (to, four) in to.iter_mut().zip(fours) {
                    *to = f32::from_le_bytes(*four);
                }
            }
            Ok(())
        };
        fn slices(parameters: &mut Parameters) -> Vec<&mut [f32]> {
            let arrays = parameters.arrays_mut().into_iter();
            arrays.map(|(_, values)| values).collect()
        }
        fill("trained", slices(&mut self.trained))?;
        if let Some(average) = &mut self.average {
            fill("average", slices(average))?;
        }
        self.best = match header.kept {
            None => None,
            Some(report) => {
                let mut best = self.trained.clone();
                fill("best", slices(&mut best))?;
                Some((report, best))
            }
        };
        fill(
            "first",
            self.adam.first.iter_mut().map(|v| &mut v[..]).collect(),
        )?;
        fill(
            "second",
            self.adam.second.iter_mut().map(|v| &mut v[..]).collect(),
        )?;
        self.adam.steps = header.steps;
        self.curve = header.curve;
        self.backbone = header.imagenet_weights;
        Ok(())
    }
}
