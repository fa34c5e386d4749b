//! The plugin `org.xbench.random-forest`.

use serde_json::json;
use xbench_plugin::{
    Context, DataHandle, Error, Fit, FitMonitor, Flags, Meta, Model, ModelSpec, OutputKind, Plugin,
    Result, TensorRef, TreeEnsemble, Trees, Weights, params,
};

use super::host::{Host, report};
use crate::data::{self, Values};
use crate::forest::{self, ForestData, ForestSettings};
use crate::{settings, state, store, tree};

params! {
    /// Shape of the input and number of classes.
    pub struct RandomForestParams {
        /// Channels, height and width of an image, or the number of a table's features.
        input: Vec<usize> = &[21], 1..=16_777_216;
        /// Number of classes.
        outputs: usize = 3, 2..=10_000;
    }
}

/// A random forest.
#[derive(Debug)]
pub struct RandomForest(Host);

impl Plugin for RandomForest {
    const META: Meta = Meta {
        id: c"org.xbench.random-forest",
        name: c"Random forest",
        version: c"0.2.0",
        license: c"MIT OR Apache-2.0",
        citation: c"Breiman: Random Forests, 2001",
        summary: c"Mean of the class frequencies in the leaves of trees on bootstrap samples.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = RandomForestParams;

    /// Untrained, all classes have the same probability.
    fn create(params: RandomForestParams, _: &Context<'_>) -> Result<Self> {
        let base = vec![1.0 / params.outputs as f32; params.outputs];
        Host::new(params.input, OutputKind::Probabilities, |features| {
            tree::empty(features, base, false)
        })
        .map(Self)
    }
}

impl Model for RandomForest {
    fn spec(&self) -> &ModelSpec {
        &self.0.spec
    }

    fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        self.0.predict(ctx, x, outputs)
    }
}

impl Trees for RandomForest {
    fn trees(&self) -> &TreeEnsemble {
        self.0.ensemble()
    }
}

impl Weights for RandomForest {
    const FORMAT: &'static std::ffi::CStr = c"safetensors";

    fn save(&self, _: &Context<'_>) -> Result<Vec<u8>> {
        store::save(self.0.ensemble())
    }

    fn load(&mut self, _: &Context<'_>, bytes: &[u8]) -> Result<()> {
        let ensemble = store::load(bytes)?;
        if ensemble.strict {
            return Err(Error::invalid_argument(
                "the weights are of gradient boosting, not of a random forest",
            ));
        }
        check_probabilities(&ensemble)?;
        self.0.set(ensemble)
    }
}

/// Outputs are to be probabilities whatever the file says: no leaf is negative, and those of a tree
/// sum to the same, all trees and the base together to 1.
fn check_probabilities(ensemble: &TreeEnsemble) -> Result<()> {
    let wrong =
        || Error::invalid_argument("the weights of the forest: outputs would not be probabilities");
    let outputs = ensemble.num_outputs;
    let mut total: f64 = ensemble.base.iter().map(|&value| f64::from(value)).sum();
    let mut of_tree = 0.0;
    let mut negative = ensemble.base.iter().any(|&value| value < 0.0);
    let mut root = ensemble.roots.iter().peekable();
    for node in 0..ensemble.num_nodes() {
        let begins = root.next_if(|&&root| root as usize == node).is_some();
        if begins {
            of_tree = f64::NAN;
        }
        if ensemble.feature[node] >= 0 {
            continue;
        }
        let leaf = &ensemble.value[node * outputs..(node + 1) * outputs];
        negative |= leaf.iter().any(|&value| value < 0.0);
        let sum: f64 = leaf.iter().map(|&value| f64::from(value)).sum();
        if of_tree.is_nan() {
            of_tree = sum;
            total += sum;
        } else if (sum - of_tree).abs() > 1e-5 * of_tree {
            return Err(wrong());
        }
    }
    if negative || (total - 1.0).abs() > 1e-4 {
        return Err(wrong());
    }
    Ok(())
}

impl Fit for RandomForest {
    fn fit(
        &mut self,
        ctx: &Context<'_>,
        data: &DataHandle<'_>,
        settings: &str,
        monitor: &mut dyn FitMonitor,
    ) -> Result<String> {
        let read = settings::read::<ForestSettings>(settings, &forest::PRESETS, forest::TREES)?;
        let values = &read.values;
        self.0.check_data(data)?;
        let resume = match monitor.resume() {
            Some(bytes) => Some(state::load::<()>(bytes, &read.recipe)?.1),
            None => None,
        };
        let threads = self.0.threads(ctx)?;
        let mut rows = data::read(data, values.validation_share, values.seed)?;
        let x = match &mut rows.values {
            Values::Features(x) => std::mem::take(x),
            Values::Pixels(pixels) => pixels.iter().map(|&p| f32::from(p) / 255.0).collect(),
        };
        let forest_data = ForestData {
            x,
            labels: rows.labels.clone(),
            features: rows.features,
            classes: rows.classes,
            training: rows.training,
        };
        let forest = forest::train(
            &threads,
            &forest_data,
            values,
            resume,
            monitor,
            &mut |monitor, trees| monitor.checkpoint(&state::save(&read.recipe, &(), trees)?),
        )?;
        let mut report = report(&read, &rows, &forest.ensemble);
        report["kept_epoch"] = json!(forest.ensemble.roots.len());
        report["train_loss"] = json!(forest.training.loss);
        report["train_accuracy"] = json!(forest.training.accuracy);
        report["validation_loss"] = json!(forest.validation.map(|scores| scores.loss));
        report["validation_accuracy"] = json!(forest.validation.map(|scores| scores.accuracy));
        report["out_of_bag"] = json!(forest.out_of_bag);
        self.0.set(forest.ensemble)?;
        Ok(report.to_string())
    }
}
