//! `xbench suite`.

use xbench_record::ExitCode;
use xbench_run::{RunError, check_suite};

use crate::args::SuiteCommand;
use crate::progress::Progress;
use crate::terminal::emit;

pub(crate) fn suite(command: &SuiteCommand) -> Result<ExitCode, RunError> {
    match command {
        SuiteCommand::Schema => emit(&xbench_suite::schema_json())?,
        SuiteCommand::Check { suite, search } => {
            let (suite, checked) = check_suite(suite, &search.into(), &Progress::new(false))?;
            emit(&format!(
                "{}: fine; {} models × {} explainers, {} scores, {} of {} cells can run",
                suite.file,
                checked.models.len(),
                checked.explainers.len(),
                checked.scores.len(),
                checked.plan.runnable().count(),
                checked.plan.cells.len()
            ))?;
        }
    }
    Ok(ExitCode::Fine)
}
