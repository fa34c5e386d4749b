//! Scoring with the model: its predictions, the outcomes that scores share, the scores.

use std::collections::BTreeMap;
use std::ops::Range;

use xbench_data::Split;
use xbench_suite::{Kind, chunk_rows, parse_plugin_use, resolve};

use super::{Maps, ScoreRequest};
use crate::bench::{Bench, Shelf, cores};
use crate::error::RunError;
use crate::evaluate::{Column, Probed, ScoreSettings};
use crate::models::array_of;
use crate::observer::Observer;
use crate::pool::{Job, Outcome, Pool};
use crate::session::MODEL_LIMIT;
use crate::task::{
    ImageBlobs, ModelRef, Reply, RowLayout, Task, message_of, pack_images, reply_of,
};
use crate::train::argmax;
use crate::weights::model_with_weights;

/// Rows of one request, as in suites.
const CHUNK: usize = 64;

/// A model that answers about some rows.
pub(super) struct Asked<'a> {
    pool: Pool,
    reference: ModelRef,
    pub(super) label: String,
    split: &'a Split,
    rows: &'a [usize],
    layout: RowLayout,
}

impl<'a> Asked<'a> {
    /// Finds the model, with its weights.
    pub(super) fn open(
        request: &ScoreRequest,
        model: &str,
        set: &'a xbench_data::DataSet,
        (split, rows): (&'a Split, &'a [usize]),
        observer: &dyn Observer,
    ) -> Result<Self, RunError> {
        let bench = Bench::open(&request.search, &[])?;
        bench.tell_problems(observer);
        let mut used = parse_plugin_use(model)?;
        // A model named by its file has its weights already.
        if request.preset.is_some() {
            used.preset.clone_from(&request.preset);
        }
        if request.weights.is_some() {
            used.weights.clone_from(&request.weights);
        }
        let chosen = resolve(&used, Kind::Model, &Shelf::of_set(&bench, set))?;
        let offline = request.search.offline;
        let reference = model_with_weights(&bench, &chosen, &request.data, offline, observer)?;
        Ok(Self {
            pool: Pool::new(bench.worker_config(1), cores()),
            reference,
            label: chosen.label,
            split,
            rows,
            layout: RowLayout::of(split),
        })
    }

    /// The predicted class of each row.
    pub(super) fn predictions(&self, classes: usize) -> Result<Vec<usize>, RunError> {
        let task = Task::Predict {
            model: self.reference.clone(),
            layout: self.layout.clone(),
        };
        let chunks = chunk_rows(self.rows.len(), CHUNK);
        let mut predictions = vec![0; self.rows.len()];
        let message = |at: Range<usize>| {
            let mut message = message_of(&task);
            message
                .blobs
                .push(self.layout.pack(self.split, &self.rows[at]));
            message
        };
        self.each(&chunks, message, |at, outcome| {
            let outputs = array_of(outcome, at.len() * classes)?;
            for (place, row) in at.zip(outputs.chunks_exact(classes.max(1))) {
                predictions[place] = argmax(row);
            }
            Ok(())
        })?;
        Ok(predictions)
    }

    /// The wanted scores, by id.
    pub(super) fn scores(
        &self,
        maps: &Maps,
        targets: &[usize],
        wanted: &[String],
        settings: &ScoreSettings,
        observer: &dyn Observer,
    ) -> Result<BTreeMap<String, Column>, RunError> {
        let chunks = chunk_rows(self.rows.len(), CHUNK);
        let images = |at: Range<usize>| self.images(maps, targets, at);
        let probed = Probed::for_scores(wanted.iter().map(String::as_str)).unwrap_or_default();
        let stride = probed.width(settings, self.layout.plane());
        let mut shared: Vec<Vec<f32>> = vec![Vec::new(); chunks.len()];
        let probe = Task::Probe {
            model: self.reference.clone(),
            layout: self.layout.clone(),
            probed: probed.clone(),
            settings: settings.clone(),
        };
        observer.begin("asking the model", chunks.len() as u64);
        self.each(
            &chunks,
            |at| pack_images(&probe, &images(at)),
            |at, outcome| {
                observer.advance(1);
                shared[at.start / CHUNK] = array_of(outcome, at.len() * stride)?;
                Ok(())
            },
        )?;
        observer.end();
        let task = Task::Score {
            model: self.reference.clone(),
            layout: self.layout.clone(),
            probed,
            settings: settings.clone(),
            scores: wanted.to_vec(),
        };
        let row_len = maps.row_len();
        let message = |at: Range<usize>| {
            let mut message = pack_images(&task, &images(at.clone()));
            message.push_f32(&shared[at.start / CHUNK]);
            message.push_f32(&maps.values[at.start * row_len..at.end * row_len]);
            message
        };
        let mut parts: Vec<BTreeMap<String, Column>> = vec![BTreeMap::new(); chunks.len()];
        observer.begin("scoring", chunks.len() as u64);
        self.each(&chunks, message, |at, outcome| {
            observer.advance(1);
            let Outcome::Answer(answer) = outcome else {
                return array_of(outcome, 0).map(|_| ());
            };
            match reply_of(&answer)? {
                Reply::Scored { columns } => parts[at.start / CHUNK] = columns,
                Reply::Failed { text, .. } => return Err(text),
                _ => return Err("the worker gave an unexpected answer".to_owned()),
            }
            Ok(())
        })?;
        observer.end();
        let mut joined: BTreeMap<String, Column> = BTreeMap::new();
        for (id, column) in parts.into_iter().flatten() {
            joined.entry(id).or_default().append(column);
        }
        Ok(joined)
    }

    fn images(&self, maps: &Maps, targets: &[usize], at: Range<usize>) -> ImageBlobs {
        let rows = &self.rows[at.clone()];
        ImageBlobs {
            values: self.layout.pack(self.split, rows),
            targets: targets[at.clone()]
                .iter()
                .map(|&class| class as i64)
                .collect(),
            ids: rows.iter().map(|&row| row as u64).collect(),
            seeds: vec![0; rows.len()],
            masks: maps.masks_of(at),
        }
    }

    /// Asks about every chunk, and hands on the answers, which come in any order.
    fn each<'j>(
        &'j self,
        chunks: &[Range<usize>],
        message: impl Fn(Range<usize>) -> xbench_host::worker::Message + Sync + Send + 'j,
        mut done: impl FnMut(Range<usize>, Outcome) -> Result<(), String>,
    ) -> Result<(), RunError> {
        let message = &message;
        let jobs = chunks
            .iter()
            .map(|at| {
                let at = at.clone();
                Job {
                    group: 0,
                    deadline: MODEL_LIMIT,
                    message: Box::new(move || message(at)),
                }
            })
            .collect();
        self.pool.run(jobs, &|_, _| {}, |number, outcome| {
            done(chunks[number].clone(), outcome)
                .map(|()| true)
                .map_err(|text| RunError::Plugin(format!("{}: {text}", self.label)))
        })
    }
}
