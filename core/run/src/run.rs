//! `xbench run`: from a suite file to tables.

use std::path::PathBuf;

use xbench_suite::{Checked, Suite};

use crate::bench::{Bench, Search, Shelf, cores};
use crate::error::RunError;
use crate::models::files;
use crate::observer::Observer;
use crate::publish::publish;
use crate::session::Session;
use crate::summarise::summarise;
use crate::summary::Summary;
use crate::train::set_info;
use crate::{cells, models, timing};

/// What to run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The suite's file.
    pub suite: PathBuf,
    /// Folder of results.
    pub results: PathBuf,
    /// Worker processes; the number of cores by default.
    pub workers: Option<usize>,
    /// Seed, in place of the suite's.
    pub seed: Option<u64>,
    /// Rows of a chunk, in place of the suite's.
    pub chunk: Option<usize>,
    /// Where plugins and data are looked for.
    pub search: Search,
}

/// Runs a suite, or what is left of it, and writes its tables.
///
/// A cell that fails is a part of the result; the rest goes on.
///
/// # Errors
/// What stops the run as a whole: a wrong suite, data that cannot be had, files that cannot be
/// written.
pub fn run(request: &RunRequest, observer: &dyn Observer) -> Result<Summary, RunError> {
    let mut suite = Suite::from_file(&request.suite)?;
    override_with(&mut suite, request);
    let bench = Bench::open(&request.search, &suite.plugins)?;
    bench.tell_problems(observer);
    // What is wrong with a later part is told before the first one runs.
    for part in &suite.parts {
        part.check(&Shelf::of_info(&bench, &set_info(&part.data.set)?))?;
    }
    let mut whole = run_part(&suite, &bench, request, observer)?;
    for part in &suite.parts {
        observer.notice(&format!("part {}: {}", part.name, part.data.set));
        whole.parts.push(run_part(part, &bench, request, observer)?);
    }
    Ok(whole)
}

fn override_with(suite: &mut Suite, request: &RunRequest) {
    suite.seed = request.seed.unwrap_or(suite.seed);
    suite.chunk = request.chunk.unwrap_or(suite.chunk);
    for part in &mut suite.parts {
        override_with(part, request);
    }
}

fn run_part(
    suite: &Suite,
    bench: &Bench,
    request: &RunRequest,
    observer: &dyn Observer,
) -> Result<Summary, RunError> {
    let workers = request.workers.unwrap_or_else(cores);
    let offline = request.search.offline;
    let results = &request.results;
    let session = Session::open(suite, bench, results, workers, offline, observer)?;
    let models = models::prepare(&session)?;
    let mut results = cells::compute(&session, &models)?;
    timing::measure(&session, &models, &mut results)?;
    let summary = summarise(&session, &models, &results);
    publish(&session, &results, &summary).map_err(files)?;
    for warning in session.store.take_warnings() {
        observer.warning(&warning);
    }
    Ok(summary)
}

/// Checks a suite without running it: names, parameters, values.
///
/// # Errors
/// All that is wrong with it.
pub fn check_suite(
    path: &std::path::Path,
    search: &Search,
    observer: &dyn Observer,
) -> Result<(Suite, Checked), RunError> {
    let suite = Suite::from_file(path)?;
    let bench = Bench::open(search, &suite.plugins)?;
    bench.tell_problems(observer);
    let info = set_info(&suite.data.set)?;
    let checked = suite.check(&Shelf::of_info(&bench, &info))?;
    for part in &suite.parts {
        part.check(&Shelf::of_info(&bench, &set_info(&part.data.set)?))?;
    }
    Ok((suite, checked))
}
