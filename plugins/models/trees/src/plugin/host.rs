//! What both plugins share: an ensemble that is ready to run, its shape, and threads.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use xbench_nn::Threads;
use xbench_plugin::{
    Context, DataHandle, Error, ModelSpec, OutputKind, Result, TensorRef, TreeEnsemble,
};

use crate::data::Rows;
use crate::predict::Predictor;
use crate::settings::Settings;

/// An ensemble behind a plugin.
#[derive(Debug)]
pub(super) struct Host {
    pub spec: ModelSpec,
    ensemble: TreeEnsemble,
    predictor: Predictor,
    /// The pool of the last call, kept while calls ask for the same number of threads.
    threads: Mutex<Option<Arc<Threads>>>,
}

impl Host {
    /// `input` is `[channels, height, width]` or `[features]`.
    pub(super) fn new(
        input: Vec<usize>,
        output_kind: OutputKind,
        ensemble: impl FnOnce(usize) -> TreeEnsemble,
    ) -> Result<Self> {
        let layout = match input.len() {
            1 => c"tabular",
            3 => c"nchw",
            n => {
                return Err(Error::invalid_argument(format!(
                    "input: {n} extents; there are [features] and [channels, height, width]"
                )));
            }
        };
        let length = input
            .iter()
            .try_fold(1usize, |product, &extent| product.checked_mul(extent))
            .filter(|&length| (1..=1 << 24).contains(&length))
            .ok_or_else(|| {
                Error::invalid_argument(format!("input: {input:?} is not 1 to 2^24 values"))
            })?;
        let ensemble = ensemble(length);
        Ok(Self {
            spec: ModelSpec {
                input_shape: input,
                layout,
                outputs: ensemble.num_outputs,
                output_kind,
            },
            predictor: Predictor::new(&ensemble)?,
            ensemble,
            threads: Mutex::new(None),
        })
    }

    pub(super) fn ensemble(&self) -> &TreeEnsemble {
        &self.ensemble
    }

    /// Replaces the ensemble by one of the same shape.
    pub(super) fn set(&mut self, ensemble: TreeEnsemble) -> Result<()> {
        let (features, outputs) = (self.ensemble.num_features, self.ensemble.num_outputs);
        if (ensemble.num_features, ensemble.num_outputs) != (features, outputs) {
            return Err(Error::invalid_argument(format!(
                "the weights are of {} features and {} outputs, the model has {features} and \
                 {outputs} (parameters input and outputs)",
                ensemble.num_features, ensemble.num_outputs
            )));
        }
        self.predictor = Predictor::new(&ensemble)?;
        self.ensemble = ensemble;
        Ok(())
    }

    pub(super) fn threads(&self, ctx: &Context<'_>) -> Result<Arc<Threads>> {
        let wanted = ctx.threads().max(1);
        let mut kept = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = kept.as_ref().filter(|threads| threads.count() == wanted) {
            return Ok(Arc::clone(threads));
        }
        let threads = Threads::new(wanted).map_err(|e| Error::internal(e.to_string()))?;
        let threads = Arc::new(threads);
        *kept = Some(Arc::clone(&threads));
        Ok(threads)
    }

    pub(super) fn predict(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        outputs: &mut [f32],
    ) -> Result<()> {
        let threads = self.threads(ctx)?;
        self.predictor.predict(&threads, x.data(), outputs);
        Ok(())
    }

    /// Does the model fit the data?
    pub(super) fn check_data(&self, data: &DataHandle<'_>) -> Result<()> {
        if data.input_shape() != self.spec.input_shape {
            return Err(Error::invalid_argument(format!(
                "the data are {:?}, the model takes {:?}",
                data.input_shape(),
                self.spec.input_shape
            )));
        }
        if data.num_classes() != self.spec.outputs || self.spec.outputs < 2 {
            return Err(Error::invalid_argument(format!(
                "the data have {} classes, the model has {} outputs",
                data.num_classes(),
                self.spec.outputs
            )));
        }
        Ok(())
    }
}

/// What the reports of both trainings begin with.
pub(super) fn report<P>(settings: &Settings<P>, rows: &Rows, ensemble: &TreeEnsemble) -> Value {
    json!({
        "preset": settings.preset,
        "recipe": settings.recipe,
        "training_rows": rows.training,
        "validation_rows": rows.labels.len() - rows.training,
        "trees": ensemble.roots.len(),
        "nodes": ensemble.num_nodes(),
    })
}
