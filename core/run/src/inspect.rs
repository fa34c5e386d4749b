//! `xbench inspect`: what a model is made of.

use std::time::Duration;

use serde::Serialize;
use xbench_data::{SetRef, Splits};
use xbench_host::TreeEnsemble;
use xbench_suite::{Kind, parse_plugin_use, resolve};

use crate::bench::{Bench, Search, Shelf, load_data};
use crate::error::RunError;
use crate::observer::Observer;
use crate::task::{Task, message_of, unpack_trees};
use crate::train::set_info;
use crate::weights::model_with_weights;

/// A request of `xbench inspect`.
#[derive(Debug, Clone)]
pub struct InspectRequest {
    /// Model by name, with parameters if need be, or an ONNX file.
    pub model: String,
    /// Data set whose weights it uses.
    pub data: SetRef,
    /// Preset of its weights.
    pub preset: Option<String>,
    /// File of weights, in place of the preset's.
    pub weights: Option<std::path::PathBuf>,
    /// Where plugins and data are looked for.
    pub search: Search,
}

/// What a model is made of.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// Label of the model.
    pub model: String,
    /// Class names of the data set.
    pub classes: Vec<String>,
    /// Names of a table's columns; empty for images.
    pub features: Vec<String>,
    /// Shape of a row of the data set.
    pub shape: Vec<usize>,
    /// Its decision trees.
    pub trees: TreeEnsemble,
}

/// How much a feature counts in an ensemble, as XGBoost defines it (`Booster.get_score`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Importance {
    /// Name of the feature; of a pixel, its channel, row and column.
    pub feature: String,
    /// Splits on it (`weight`).
    pub splits: u64,
    /// Mean gain of these splits; 0 without one.
    pub gain: f64,
    /// Mean cover of these splits; 0 without one.
    pub cover: f64,
    /// Sum of their gains.
    pub total_gain: f64,
    /// Sum of their covers.
    pub total_cover: f64,
}

impl Inspected {
    /// Name of a feature; of a pixel, its row and column (and channel, where there are several).
    #[must_use]
    pub fn feature_name(&self, feature: usize) -> String {
        if let Some(name) = self.features.get(feature) {
            return name.clone();
        }
        match self.shape[..] {
            [channels, height, width] => {
                let (row, column) = (feature / width % height, feature % width);
                if channels == 1 {
                    format!("pixel {row},{column}")
                } else {
                    format!(
                        "pixel {row},{column} channel {}",
                        feature / (width * height)
                    )
                }
            }
            _ => format!("feature {feature}"),
        }
    }

    /// The importance of every feature, in their order.
    #[must_use]
    pub fn importance(&self) -> Vec<Importance> {
        let mut all: Vec<Importance> = (0..self.trees.num_features)
            .map(|feature| Importance {
                feature: self.feature_name(feature),
                splits: 0,
                gain: 0.0,
                cover: 0.0,
                total_gain: 0.0,
                total_cover: 0.0,
            })
            .collect();
        for (node, &feature) in self.trees.feature.iter().enumerate() {
            if let Some(one) = usize::try_from(feature).ok().and_then(|f| all.get_mut(f)) {
                one.splits += 1;
                one.total_gain += f64::from(self.trees.gain[node]);
                one.total_cover += f64::from(self.trees.cover[node]);
            }
        }
        for one in &mut all {
            let splits = one.splits.max(1) as f64;
            (one.gain, one.cover) = (one.total_gain / splits, one.total_cover / splits);
        }
        all
    }
}

/// Shows the decision trees of a model, trained first if need be.
///
/// # Errors
/// Unknown names, data that cannot be had, a model without trees.
pub fn inspect(request: &InspectRequest, observer: &dyn Observer) -> Result<Inspected, RunError> {
    let bench = Bench::open(&request.search, &[])?;
    bench.tell_problems(observer);
    set_info(&request.data)?;
    let offline = request.search.offline;
    let (set, _) = load_data(
        &request.data,
        None,
        None,
        Splits::TestOnly,
        offline,
        observer,
    )?;
    let mut used = parse_plugin_use(&request.model)?;
    used.preset.clone_from(&request.preset);
    if request.weights.is_some() {
        used.weights.clone_from(&request.weights);
    }
    let chosen = resolve(&used, Kind::Model, &Shelf::of_set(&bench, &set))?;
    let plugin = bench.plugin(Kind::Model, &chosen.plugin.id)?;
    if !plugin.provides("xbench.model.trees/1") {
        return Err(RunError::Flag(format!(
            "{} has no decision trees to show; models that have are listed by \"xbench plugin list\"",
            plugin.short
        )));
    }
    let model = model_with_weights(&bench, &chosen, &request.data, offline, observer)?;
    let (_, answer) = bench.ask(
        &message_of(&Task::Trees { model }),
        Duration::from_secs(600),
    )?;
    Ok(Inspected {
        model: chosen.label,
        classes: set.classes,
        features: set.features,
        shape: set.shape,
        trees: unpack_trees(&answer).map_err(RunError::Plugin)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn importance_counts_splits_and_means() {
        // Two trees on two columns: x0 twice (gains 4 and 2), x1 once (gain 1).
        let inspected = Inspected {
            model: "forest".to_owned(),
            classes: vec!["a".to_owned()],
            features: vec!["age".to_owned(), "rate".to_owned(), "never".to_owned()],
            shape: vec![3],
            trees: TreeEnsemble {
                num_features: 3,
                num_outputs: 1,
                feature: vec![0, -1, 1, -1, -1, 0, -1, -1],
                gain: vec![4.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 0.0],
                cover: vec![10.0, 4.0, 6.0, 3.0, 3.0, 8.0, 4.0, 4.0],
                ..TreeEnsemble::default()
            },
        };
        let all = inspected.importance();
        let row = |i: usize| {
            let one: &Importance = &all[i];
            (
                one.splits,
                one.gain,
                one.cover,
                one.total_gain,
                one.total_cover,
            )
        };
        assert_eq!(all[0].feature, "age");
        assert_eq!(row(0), (2, 3.0, 9.0, 6.0, 18.0));
        assert_eq!(row(1), (1, 1.0, 6.0, 1.0, 6.0));
        assert_eq!(row(2), (0, 0.0, 0.0, 0.0, 0.0));
        let image = Inspected {
            features: Vec::new(),
            shape: vec![1, 28, 28],
            ..inspected
        };
        assert_eq!(image.feature_name(28 * 3 + 5), "pixel 3,5");
    }
}
