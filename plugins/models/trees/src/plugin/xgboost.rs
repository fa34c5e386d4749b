//! The plugin `org.xbench.xgboost`.

use serde_json::json;
use xbench_plugin::{
    Context, DataHandle, Error, Fit, FitMonitor, Flags, Meta, Model, ModelSpec, OutputKind, Plugin,
    Result, TensorRef, TreeEnsemble, Trees, Weights, params,
};

use super::host::{Host, report};
use crate::boost::{self, Bins, BoostData, BoostSettings, BoostState, Curve};
use crate::data::{self, Values};
use crate::{settings, state, store, tree, xgboost_format};

params! {
    /// Shape of the input, number of outputs, and what the weights are saved as.
    pub struct XgboostParams {
        /// Channels, height and width of an image, or the number of a table's features.
        input: Vec<usize> = &[1, 28, 28], 1..=16_777_216;
        /// Number of classes; 1 for a loaded model of a regression.
        outputs: usize = 10, 1..=10_000;
        /// What weights are saved as: the compact format, or XGBoost's own files. All are loaded.
        format: String = "safetensors", ["safetensors", "json", "ubj"];
        /// XGBoost's own files compare the input times this: 255 for a model that was trained on
        /// pixels from 0 to 255 instead of 0 to 1.
        input_scale: f32 = 1.0, 0.000001..=1000000.0;
    }
}

/// Gradient boosting with XGBoost's objective, settings and files.
#[derive(Debug)]
pub struct Xgboost {
    host: Host,
    params: XgboostParams,
}

impl Plugin for Xgboost {
    const META: Meta = Meta {
        id: c"org.xbench.xgboost",
        name: c"XGBoost",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"Chen, Guestrin: XGBoost: A Scalable Tree Boosting System, 2016",
        summary: c"Gradient boosting of trees on histograms; reads and writes XGBoost's models.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = XgboostParams;

    fn create(params: XgboostParams, _: &Context<'_>) -> Result<Self> {
        let kind = if params.outputs == 1 {
            OutputKind::Values
        } else {
            OutputKind::Logits
        };
        let base = vec![0.5; params.outputs];
        let host = Host::new(params.input.clone(), kind, |features| {
            tree::empty(features, base, true)
        })?;
        Ok(Self { host, params })
    }
}

impl Model for Xgboost {
    fn spec(&self) -> &ModelSpec {
        &self.host.spec
    }

    fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        self.host.predict(ctx, x, outputs)
    }
}

impl Trees for Xgboost {
    fn trees(&self) -> &TreeEnsemble {
        self.host.ensemble()
    }
}

impl Weights for Xgboost {
    const FORMAT: &'static std::ffi::CStr = c"safetensors";

    fn save(&self, _: &Context<'_>) -> Result<Vec<u8>> {
        let ensemble = self.host.ensemble();
        match self.params.format.as_str() {
            "json" => xgboost_format::to_json(&self.in_units_of_the_file(ensemble)),
            "ubj" => xgboost_format::to_ubjson(&self.in_units_of_the_file(ensemble)),
            _ => store::save(ensemble),
        }
    }

    fn load(&mut self, _: &Context<'_>, bytes: &[u8]) -> Result<()> {
        let ensemble = match Kind::of(bytes) {
            Kind::Safetensors => {
                let ensemble = store::load(bytes)?;
                if !ensemble.strict || ensemble.tree_output.contains(&-1) {
                    return Err(Error::invalid_argument(
                        "the weights are of a random forest, not of gradient boosting",
                    ));
                }
                ensemble
            }
            Kind::Json => self.in_own_units(xgboost_format::from_json(bytes)?),
            Kind::Ubjson => self.in_own_units(xgboost_format::from_ubjson(bytes)?),
        };
        self.host.set(ensemble)
    }
}

/// What a file of weights is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Safetensors,
    Json,
    Ubjson,
}

impl Kind {
    /// Told by the first bytes: a safetensors file begins with a length of 8 bytes and has a JSON
    /// object after it; in JSON a text or the end follows the first brace, in UBJSON a marker.
    fn of(bytes: &[u8]) -> Self {
        if bytes.get(8) == Some(&b'{') && bytes.get(4..8) == Some(&[0; 4]) {
            return Self::Safetensors;
        }
        let text = bytes.trim_ascii_start();
        match text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start) {
            Some([b'"' | b'}', ..]) => Self::Json,
            Some(_) => Self::Ubjson,
            None => Self::Safetensors,
        }
    }
}

impl Xgboost {
    /// A file's ensemble for inputs that are smaller by `input_scale`. Thresholds are divided, as
    /// pixels are, and not multiplied by the reciprocal: XGBoost's thresholds are often pixel
    /// values themselves, and must stay equal to them to the last bit.
    fn in_own_units(&self, mut ensemble: TreeEnsemble) -> TreeEnsemble {
        for threshold in &mut ensemble.threshold {
            *threshold /= self.params.input_scale;
        }
        ensemble
    }

    /// The ensemble for the inputs of a file, larger by `input_scale`.
    fn in_units_of_the_file(&self, ensemble: &TreeEnsemble) -> TreeEnsemble {
        let mut scaled = ensemble.clone();
        for threshold in &mut scaled.threshold {
            *threshold *= self.params.input_scale;
        }
        scaled
    }
}

impl Fit for Xgboost {
    fn fit(
        &mut self,
        ctx: &Context<'_>,
        data: &DataHandle<'_>,
        settings: &str,
        monitor: &mut dyn FitMonitor,
    ) -> Result<String> {
        let read = settings::read::<BoostSettings>(settings, &boost::PRESETS, boost::ROUNDS)?;
        let values = &read.values;
        self.host.check_data(data)?;
        let resume = match monitor.resume() {
            Some(bytes) => {
                let (curve, ensemble) = state::load::<Curve>(bytes, &read.recipe)?;
                Some(BoostState { ensemble, curve })
            }
            None => None,
        };
        let threads = self.host.threads(ctx)?;
        let rows = data::read(data, values.validation_share, values.seed)?;
        let max_bin = values.max_bin as usize;
        let (d, training) = (rows.features, rows.training);
        let bins = match &rows.values {
            Values::Pixels(pixels) => Bins::of_pixels(&threads, pixels, d, training, max_bin),
            Values::Features(x) => Bins::of_features(&threads, x, d, training, max_bin)?,
        };
        let binned = BoostData {
            bins,
            labels: rows.labels.clone(),
            classes: rows.classes,
            training,
        };
        let done = boost::train(
            &threads,
            &binned,
            values,
            resume,
            monitor,
            &mut |monitor, so_far| {
                monitor.checkpoint(&state::save(&read.recipe, &so_far.curve, &so_far.ensemble)?)
            },
        )?;
        let mut report = report(&read, &rows, &done.ensemble);
        report["rounds"] = json!(done.curve.rounds.len());
        report["kept_epoch"] = json!(done.curve.best);
        if let Some(kept) = done.curve.rounds.get(done.curve.best.saturating_sub(1)) {
            report["train_loss"] = json!(kept.train_loss);
            report["train_accuracy"] = json!(kept.train_accuracy);
            report["validation_loss"] = json!(kept.validation_loss);
            report["validation_accuracy"] = json!(kept.validation_accuracy);
        }
        self.host.set(done.ensemble)?;
        Ok(report.to_string())
    }
}
