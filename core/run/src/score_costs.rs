//! What each score costs: a chunk of a suite's rows, explained once and scored at will in this
//! process, by what a worker does with the same message.

use std::path::Path;

use xbench_host::worker::Message;
use xbench_metrics::ScoreInfo;
use xbench_metrics::localisation::FOCUS;
use xbench_suite::{Cell, ExplainerSeed, Kind, Suite};

use crate::bench::{Bench, Search};
use crate::cells::{challenge_settings, mosaics};
use crate::error::RunError;
use crate::evaluate::{Probed, is_of_map};
use crate::models::{self, ReadyModel};
use crate::observer::Observer;
use crate::session::Session;
use crate::task::{Reply, Task, pack_explained, pack_images, reply_of};
use crate::worker::State;

/// The time that explaining may take: longer than anybody waits for a measurement.
const LIMIT_MS: u64 = 3_600_000;

/// The explanation itself, in place of a score's id.
const EXPLANATION: &str = "explanation";
/// A request for no score: what every request costs.
const NOTHING: &str = "no score";
/// All scores of maps in one request.
const OF_MAPS: &str = "all of maps";
/// All scores that explain anew in one request.
const ANEW: &str = "all anew";

/// When a score's work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// Once for each map.
    PerMap,
    /// Once for each model and image, whatever the number of explainers.
    PerImage,
}

/// A score of one cell, ready to be computed.
pub struct ScoreCost {
    /// Label of the model.
    pub model: String,
    /// Label of the explainer.
    pub explainer: String,
    /// Id of the score. Besides: `explanation` (what the maps cost), `no score` (what any request
    /// costs), `all of maps` and `all anew` (all scores that share a request).
    pub score: &'static str,
    /// Which part of it.
    pub spent: Spent,
    /// The images it is computed on.
    pub images: usize,
    task: Task,
    message: Message,
}

/// The scores of a suite's cells, with what computes them.
pub struct ScoreCosts {
    state: State,
    costs: Vec<ScoreCost>,
}

impl ScoreCosts {
    /// Explains the first chunk of every cell of a suite, and makes a request of each score.
    ///
    /// # Errors
    /// As [`run`](crate::run()); and when a cell cannot be explained.
    pub fn open(suite: &Path, search: &Search, observer: &dyn Observer) -> Result<Self, RunError> {
        let suite = Suite::from_file(suite)?;
        let bench = Bench::open(search, &suite.plugins)?;
        bench.tell_problems(observer);
        let results = tempfile::tempdir()
            .map_err(|error| RunError::Files(format!("no folder for results: {error}")))?;
        let session = Session::open(&suite, &bench, results.path(), 1, search.offline, observer)?;
        let models = models::prepare(&session)?;
        let mut found = Self {
            state: State::default(),
            costs: Vec::new(),
        };
        for cell in &session.checked.plan.cells {
            let model = models[cell.model].as_ref();
            let model = model.map_err(|text| RunError::Plugin(text.clone()))?;
            if let Some(missing) = &cell.unsupported {
                return Err(RunError::Plugin(missing.clone()));
            }
            found.add(&session, cell, model)?;
        }
        drop(session);
        results
            .close()
            .map_err(|error| RunError::Files(error.to_string()))?;
        Ok(found)
    }

    /// What can be computed, in the order of the suite's cells.
    #[must_use]
    pub fn costs(&self) -> &[ScoreCost] {
        &self.costs
    }

    /// Computes the score of that number, for all its images.
    ///
    /// # Errors
    /// When a plugin fails.
    pub fn compute(&mut self, number: usize) -> Result<(), RunError> {
        let cost = &self.costs[number];
        answer(&mut self.state, cost.task.clone(), &cost.message).map(|_| ())
    }

    fn add(
        &mut self,
        session: &Session<'_>,
        cell: &Cell,
        model: &ReadyModel,
    ) -> Result<(), RunError> {
        let chosen = &session.checked.explainers[cell.explainer];
        let seed = ExplainerSeed::new(session.suite.seed, &chosen.plugin.id, &chosen.params);
        let explainer = session.bench.reference(Kind::Explainer, chosen)?;
        let count = session.rows.len().min(session.suite.chunk);
        let images = session.images(0..count, &model.targets, |row| seed.row(row));
        let background = session.background_for(cell.explainer);
        let (layout, settings) = (session.layout(), session.score_settings());
        let mut put = |score: &'static str, spent: Spent, task: Task, message: Message| {
            self.costs.push(ScoreCost {
                model: session.checked.models[cell.model].label.clone(),
                explainer: chosen.label.clone(),
                score,
                spent,
                images: count,
                task,
                message,
            });
        };

        let task = Task::Explain {
            model: model.reference.clone(),
            explainer: explainer.clone(),
            layout: layout.clone(),
            seed: session.suite.seed,
            deadline_ms: LIMIT_MS,
        };
        let message = pack_explained(&task, &images, background.clone());
        let attributions = answer(&mut self.state, task.clone(), &message)?
            .f32s(0)
            .map_err(RunError::Plugin)?;
        put(EXPLANATION, Spent::PerMap, task, message);

        let probe = |state: &mut State, probed: &Probed| {
            let task = Task::Probe {
                model: model.reference.clone(),
                layout: layout.clone(),
                probed: probed.clone(),
                settings: settings.clone(),
            };
            let message = pack_images(&task, &images);
            let outcomes = answer(state, task.clone(), &message)?
                .f32s(0)
                .map_err(RunError::Plugin)?;
            Ok::<_, RunError>((task, message, outcomes))
        };
        let score = |probed: Probed, outcomes: &[f32], scores: Vec<String>| {
            let task = Task::Score {
                model: model.reference.clone(),
                layout: layout.clone(),
                probed,
                settings: settings.clone(),
                scores,
            };
            let mut message = pack_images(&task, &images);
            message.push_f32(outcomes);
            message.push_f32(&attributions);
            (task, message)
        };
        let wanted: Vec<&ScoreInfo> = session.checked.explanation_scores().collect();
        let mosaics = if wanted.iter().any(|info| info.id == FOCUS) {
            let (task, message) = mosaics::request(session, model, &session.rows);
            let outputs = answer(&mut self.state, task, &message)?.f32s(0);
            mosaics::arranged(session, model, &outputs.map_err(RunError::Plugin)?)
        } else {
            Vec::new()
        };
        let settings_anew = challenge_settings(session);
        let anew = |scores: Vec<String>| {
            let task = Task::Challenge {
                model: model.reference.clone(),
                twin: None,
                explainer: explainer.clone(),
                layout: layout.clone(),
                settings: settings_anew.clone(),
                scores: scores.clone(),
                deadline_ms: LIMIT_MS,
            };
            let mut message = pack_explained(&task, &images, background.clone());
            message.push_f32(&attributions);
            if scores.iter().any(|id| id == FOCUS) {
                mosaics::pack(session, &mosaics[..count], &mut message);
            }
            (task, message)
        };
        let of_maps = wanted.iter().filter(|info| applies(info, &images.masks));
        let of_maps: Vec<&str> = of_maps.map(|info| info.id).collect();
        // Each alone, then all that share a request, as a run asks for them.
        let alone = of_maps.iter().map(|&id| (id, vec![id]));
        let every = [(NOTHING, Vec::new()), (OF_MAPS, of_maps.clone())];
        for (name, ids) in alone.chain(every) {
            let probed = Probed::for_scores(ids.iter().copied());
            let mut outcomes = Vec::new();
            if let Some(probed) = &probed {
                let (task, message, found) = probe(&mut self.state, probed)?;
                outcomes = found;
                put(name, Spent::PerImage, task, message);
            }
            let ids = ids.iter().map(|&id| id.to_owned()).collect();
            let (task, message) = score(probed.unwrap_or_default(), &outcomes, ids);
            put(name, Spent::PerMap, task, message);
        }
        // The likeness to a second model's map needs that model; it costs one explanation.
        let explained_anew = wanted
            .iter()
            .filter(|info| info.needs.explainer && info.id != "data_randomisation");
        let explained_anew: Vec<&str> = explained_anew.map(|info| info.id).collect();
        let alone = explained_anew.iter().map(|&id| (id, vec![id]));
        for (name, ids) in alone.chain([(ANEW, explained_anew.clone())]) {
            let (task, message) = anew(ids.iter().map(|&id| id.to_owned()).collect());
            put(name, Spent::PerMap, task, message);
        }
        Ok(())
    }
}

fn applies(info: &ScoreInfo, masks: &[u8]) -> bool {
    is_of_map(info) && (!info.needs.mask || !masks.is_empty())
}

/// A worker's answer, got in this process.
fn answer(state: &mut State, task: Task, message: &Message) -> Result<Message, RunError> {
    let answer = state.perform(task, message, None);
    let answer = answer.map_err(|failure| RunError::Plugin(failure.to_string()))?;
    match reply_of(&answer).map_err(RunError::Plugin)? {
        Reply::Failed { text, .. } => Err(RunError::Plugin(text)),
        _ => Ok(answer),
    }
}
