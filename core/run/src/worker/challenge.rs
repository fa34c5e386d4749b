//! Scores that explain anew, with a loaded model and explainer.

use std::time::{Duration, Instant};

use xbench_host::worker::Message;
use xbench_host::{CallSettings, LoadedExplainer, LoadedModel, PluginErrorKind, Randomise};
use xbench_metrics::localisation::FOCUS;

use super::{Failure, State, attribute, call, images_of};
use crate::challenge::{ChallengeSettings, Mosaics, Rows, Subject, challenge};
use crate::task::{
    IMAGE_BLOBS, ImageBlobs, ModelRef, MosaicBlobs, PluginRef, Reply, RowLayout, message_of,
    unpack_background, unpack_images, unpack_mosaics,
};

const PARAMETERS: &str = "xbench.model.parameters/1";

impl State {
    /// Carries out a task [`Challenge`](crate::task::Task::Challenge).
    pub(super) fn challenge(
        &mut self,
        (model, twin, explainer): (&ModelRef, Option<&ModelRef>, &PluginRef),
        layout: &RowLayout,
        limit: Duration,
        (settings, wanted): (&ChallengeSettings, &[String]),
        message: &Message,
    ) -> Result<Message, Failure> {
        let blobs = unpack_images(message)?;
        let background = unpack_background(message, layout)?;
        let attributions = message.f32s(IMAGE_BLOBS + 1)?;
        let mosaics = match wanted.iter().any(|id| id == FOCUS) {
            true => unpack_mosaics(message)?,
            false => MosaicBlobs::default(),
        };
        let mosaic_pixels = layout.unpack(&mosaics.values);
        let mosaics = Mosaics {
            tiles: &mosaics.tiles,
            x: &mosaic_pixels,
            masks: &mosaics.masks,
        };
        self.load(model, explainer)?;
        if let Some(twin) = twin {
            self.model(twin)?;
        }
        let find = |models: &[(ModelRef, LoadedModel)], wanted: &ModelRef| {
            models.iter().position(|(known, _)| known == wanted)
        };
        let unloaded = || "the model is not loaded".to_owned();
        let place = find(&self.models, model).ok_or_else(unloaded)?;
        // Taken out, so that its twin can be lent beside it; it goes back when all went well.
        let (reference, mut loaded) = self.models.swap_remove(place);
        let twin = twin.and_then(|twin| find(&self.models, twin));
        let twin = twin.map(|place| &self.models[place].1);
        let known = self.explainers.iter().find(|(known, _)| known == explainer);
        let (_, explainer) = known.ok_or_else(|| "the explainer is not loaded".to_owned())?;
        let pixels = layout.unpack(&blobs.values);
        let mut live = Live {
            model: &mut loaded,
            twin,
            explainer,
            layout,
            background: background.as_deref(),
            call: call(settings.seed, Some(Instant::now() + limit)),
            fingerprint: None,
            broken: None,
        };
        let images = images_of(&blobs, &pixels, layout);
        let found = challenge(
            &images,
            mosaics,
            &blobs.seeds,
            &attributions,
            wanted,
            settings,
            &mut live,
        );
        let broken = live.broken.take();
        // After a failure the next task loads the model anew, whatever state it was left in.
        if found.is_ok() && broken.is_none() {
            self.models.push((reference, loaded));
        }
        if let Some(text) = broken {
            let timeout = false;
            return Ok(message_of(&Reply::Failed { timeout, text }));
        }
        let found = found?;
        Ok(message_of(&Reply::Challenged {
            columns: found.columns,
            layers: found.layers,
        }))
    }
}

/// A loaded model with an explainer. Its calls are not the explanation's and are not counted.
struct Live<'s> {
    model: &'s mut LoadedModel,
    /// Trained alike on shuffled labels.
    twin: Option<&'s LoadedModel>,
    explainer: &'s LoadedExplainer,
    layout: &'s RowLayout,
    background: Option<&'s [f32]>,
    call: CallSettings,
    /// Of the parameters before they were randomised.
    fingerprint: Option<[u8; 32]>,
    /// What the model did with its parameters that it may not.
    broken: Option<String>,
}

impl Live<'_> {
    fn explain_at_once(
        &self,
        model: &LoadedModel,
        rows: &Rows<'_>,
        shift: f32,
        maps: &mut [f32],
    ) -> Result<(), Failure> {
        let blobs = ImageBlobs {
            values: Vec::new(),
            targets: rows.targets.to_vec(),
            ids: Vec::new(),
            seeds: rows.seeds.to_vec(),
            masks: rows.masks.to_vec(),
        };
        // What the explainer compares with lies where the rows lie.
        let moved: Option<Vec<f32>> = self
            .background
            .filter(|_| shift != 0.0)
            .map(|rows| rows.iter().map(|value| value + shift).collect());
        let background = moved.as_deref().or(self.background);
        let data = (&blobs, rows.x, self.layout, background);
        attribute((model, self.explainer), data, (&self.call, shift), maps)?;
        Ok(())
    }

    /// Explains rows by one of the models, shifted; answers which have a map of finite numbers.
    fn explain_by(
        &self,
        model: &LoadedModel,
        rows: &Rows<'_>,
        shift: f32,
        maps: &mut [f32],
    ) -> Result<Vec<bool>, Failure> {
        let n = rows.len();
        match self.explain_at_once(model, rows, shift, maps) {
            Ok(()) => return Ok(vec![true; n]),
            Err(failure) if !is_non_finite(&failure) => return Err(failure),
            Err(_) if n == 1 => return Ok(vec![false]),
            Err(_) => {}
        }
        // A block is refused whole; alone, each row shows whether it is the one.
        let width = maps.len() / n.max(1);
        let area = rows.masks.len() / n.max(1);
        let mut finite = Vec::with_capacity(n);
        for (i, map) in maps.chunks_exact_mut(width.max(1)).enumerate() {
            let row = Rows {
                x: &rows.x[i * width..(i + 1) * width],
                targets: &rows.targets[i..=i],
                seeds: &rows.seeds[i..=i],
                masks: &rows.masks[i * area..(i + 1) * area],
            };
            finite.push(match self.explain_at_once(model, &row, shift, map) {
                Ok(()) => true,
                Err(failure) if is_non_finite(&failure) => false,
                Err(failure) => return Err(failure),
            });
        }
        Ok(finite)
    }

    /// Says of the model what breaks its contract.
    fn refuse(&mut self, text: &str) -> Failure {
        let text = format!("model {}: {text}", self.model.id());
        self.broken = Some(text.clone());
        Failure::Other(text)
    }
}

impl Subject for Live<'_> {
    type Error = Failure;

    fn num_outputs(&self) -> usize {
        self.model.spec().outputs
    }

    fn predict(&mut self, x: &[f32], n: usize) -> Result<Vec<f32>, Failure> {
        Ok(self.model.predict(&self.call, x, n)?)
    }

    fn representation(&mut self, x: &[f32], n: usize) -> Result<Option<Vec<f32>>, Failure> {
        let outputs = [self.model.spec().outputs];
        let layers = self.model.layers().iter().rev();
        let Some(layer) = layers.into_iter().find(|layer| layer.shape != outputs) else {
            return Ok(None);
        };
        let name = layer.name.clone();
        let values = self.model.activation(&self.call, x, n, &name)?;
        Ok(Some(values.to_vec()))
    }

    fn explain(&mut self, rows: &Rows<'_>, maps: &mut [f32]) -> Result<Vec<bool>, Failure> {
        self.explain_by(self.model, rows, 0.0, maps)
    }

    fn has_twin(&self) -> bool {
        self.twin.is_some()
    }

    fn explain_twin(&mut self, rows: &Rows<'_>, maps: &mut [f32]) -> Result<Vec<bool>, Failure> {
        match self.twin {
            Some(twin) => self.explain_by(twin, rows, 0.0, maps),
            None => Err(Failure::Other("there is no twin".to_owned())),
        }
    }

    fn explain_shifted(
        &mut self,
        rows: &Rows<'_>,
        shift: f32,
        maps: &mut [f32],
    ) -> Result<Vec<bool>, Failure> {
        self.explain_by(self.model, rows, shift, maps)
    }

    fn parameter_layers(&self) -> Vec<String> {
        if self.model.provides(PARAMETERS) {
            self.model.parameter_layers().to_vec()
        } else {
            Vec::new()
        }
    }

    fn randomise(&mut self, layer: &str, seed: u64) -> Result<(), Failure> {
        let original = match self.fingerprint {
            Some(fingerprint) => fingerprint,
            None => *self.fingerprint.insert(self.model.fingerprint(&self.call)?),
        };
        let call = CallSettings {
            seed,
            ..self.call.clone()
        };
        self.model.randomise(&call, Randomise::Cascade, layer)?;
        if self.model.fingerprint(&self.call)? == original {
            return Err(self.refuse("randomised parameters are as they were"));
        }
        Ok(())
    }

    fn restore(&mut self) -> Result<(), Failure> {
        let Some(original) = self.fingerprint else {
            return Ok(());
        };
        // Even when the time for explaining is up: the model serves others after this.
        let unlimited = CallSettings {
            deadline: None,
            ..self.call.clone()
        };
        self.model.restore(&unlimited)?;
        if self.model.fingerprint(&unlimited)? != original {
            return Err(self.refuse("restored parameters are not as they were"));
        }
        self.fingerprint = None;
        Ok(())
    }
}

fn is_non_finite(failure: &Failure) -> bool {
    match failure {
        Failure::Plugin(error) => matches!(error.kind, PluginErrorKind::NonFinite { .. }),
        Failure::Other(_) => false,
    }
}
