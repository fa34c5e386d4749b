//! What an explanation costs, measured alone on the machine.
//!
//! Each cell is timed in a worker of its own while nothing else of the run computes, so that
//! neither other cells' cache traffic nor their memory is in the figure.

use std::time::Duration;

use serde_json::json;
use xbench_host::worker::Worker;
use xbench_record::{Column, ColumnKey, Machine, ScoreColumns, Status};
use xbench_suite::{ExplainerSeed, Key, Kind};

use crate::cells::CellResult;
use crate::error::RunError;
use crate::models::{ModelResult, files};
use crate::session::{MODEL_LIMIT, Session};
use crate::task::{Reply, Task, Timing, pack_explained, reply_of};

/// Times every cell that has a result. A cell that cannot be timed keeps its scores.
pub(crate) fn measure(
    session: &Session<'_>,
    models: &[ModelResult],
    results: &mut [CellResult],
) -> Result<(), RunError> {
    let Some(settings) = session.suite.timing else {
        return Ok(());
    };
    let images = settings.images.min(session.rows.len());
    let machine = Machine::detect().key;
    let mut open = Vec::new();
    for (number, result) in results.iter_mut().enumerate() {
        let Some(cell) = result.key.filter(|_| result.status == Status::Ok) else {
            continue;
        };
        let chosen = &session.checked.explainers[result.explainer];
        let plugin = session.bench.plugin(Kind::Explainer, &chosen.plugin.id)?;
        let Ok(model) = &models[result.model] else {
            continue;
        };
        let key = Key::of(&json!({
            "identity": "time/1",
            "cell": cell.to_string(),
            "images": images,
            "repeats": settings.repeats,
            "warmup": settings.warmup,
            "computed_by": [model.computed_by().as_slice(), &[plugin.library_sha256.as_str()]],
            "host": session.bench.host(),
            "machine": machine,
        }));
        let known = session.store.scores(&key.to_string());
        match known.as_ref().and_then(from_columns) {
            Some(timing) => result.timing = Some(timing),
            None => open.push((number, key)),
        }
    }
    session.observer.begin("timing", open.len() as u64);
    for (number, key) in open {
        let result = &mut results[number];
        match time(
            session,
            models,
            result,
            images,
            settings.warmup,
            settings.repeats,
        ) {
            Ok(timing) => {
                session
                    .store
                    .put_scores(&key.to_string(), &to_columns(&timing))
                    .map_err(files)?;
                result.timing = Some(timing);
            }
            Err(text) => {
                let label = &session.checked.explainers[result.explainer].label;
                session
                    .observer
                    .warning(&format!("{label} could not be timed: {text}"));
            }
        }
        session.observer.advance(1);
    }
    session.observer.end();
    Ok(())
}

fn time(
    session: &Session<'_>,
    models: &[ModelResult],
    result: &CellResult,
    images: usize,
    warmup: usize,
    repeats: usize,
) -> Result<Timing, String> {
    let model = models[result.model].as_ref().map_err(Clone::clone)?;
    let chosen = &session.checked.explainers[result.explainer];
    let explainer = session
        .bench
        .reference(Kind::Explainer, chosen)
        .map_err(|error| error.to_string())?;
    let seed = ExplainerSeed::new(session.suite.seed, &chosen.plugin.id, &chosen.params);
    let task = Task::Time {
        model: model.reference.clone(),
        explainer,
        layout: session.layout(),
        seed: session.suite.seed,
        warmup,
        repeats,
    };
    let request = pack_explained(
        &task,
        &session.images(0..images, &model.targets, |row| seed.row(row)),
        session.background_for(result.explainer),
    );
    let mut worker = Worker::spawn(&session.bench.worker_config(1)).map_err(|f| f.describe())?;
    let answer = worker
        .call(&request, MODEL_LIMIT, Duration::from_secs(3), &mut |_| {})
        .map_err(|failure| failure.describe())?;
    let peak_memory_bytes = worker.peak_memory_bytes();
    worker.shutdown();
    match reply_of(&answer)? {
        Reply::Timed(timing) => Ok(Timing {
            peak_memory_bytes,
            ..timing
        }),
        Reply::Failed { text, .. } => Err(text),
        _ => Err("the worker gave an unexpected answer".to_owned()),
    }
}

fn name(column: &str) -> ColumnKey {
    ColumnKey {
        score: column.to_owned(),
        version: 1,
        params: String::from("{}"),
    }
}

/// The store keeps timings as columns with one row per repeat.
fn to_columns(timing: &Timing) -> ScoreColumns {
    let column = |values: &[f64]| Column {
        values: values.iter().map(|&value| Some(value)).collect(),
        ..Column::default()
    };
    let mut columns = ScoreColumns::default();
    columns
        .columns
        .insert(name("cpu_ms"), column(&timing.cpu_ms));
    columns
        .columns
        .insert(name("wall_ms"), column(&timing.wall_ms));
    let peak = timing.peak_memory_bytes.map(|bytes| bytes as f64);
    let peak = Column {
        values: vec![peak; timing.cpu_ms.len()],
        ..Column::default()
    };
    columns.columns.insert(name("peak_memory_bytes"), peak);
    columns
}

fn from_columns(columns: &ScoreColumns) -> Option<Timing> {
    let column = |id: &str| Some(&columns.columns.get(&name(id))?.values);
    let all = |id: &str| column(id)?.iter().copied().collect::<Option<Vec<f64>>>();
    let peak = column("peak_memory_bytes")?.first().copied().flatten();
    Some(Timing {
        cpu_ms: all("cpu_ms").filter(|values| !values.is_empty())?,
        wall_ms: all("wall_ms")?,
        peak_memory_bytes: peak.map(|bytes| bytes as u64),
    })
}
