//! The `xbench` command: flags, help, exit codes, and nothing else.

mod args;
mod classification;
mod commands;
mod pictures;
mod progress;
mod tabular;
mod terminal;
mod trust;
mod view;

use std::process::ExitCode as ProcessExit;

use clap::Parser as _;
use xbench_record::ExitCode;

use crate::args::{Cli, Command};
use crate::terminal::{complain, emit};

fn main() -> ProcessExit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are answers, not errors; clap's own exit code 2 is never used here.
        Err(error) if error.use_stderr() => {
            complain(&error.render().to_string());
            return exit(ExitCode::BadSuite);
        }
        Err(answer) => return finish(emit(&answer.render().to_string()).map(|()| ExitCode::Fine)),
    };
    finish(match &cli.command {
        Command::Run(args) => commands::run::run(args),
        Command::Explain(args) => commands::explain::explain(args),
        Command::Train(args) => commands::train::train(args),
        Command::Inspect(args) => commands::inspect::inspect(args),
        Command::Plan(args) => commands::plan::plan(args),
        Command::Plugin(command) => commands::plugin::plugin(command),
        Command::Data(command) => commands::data::data(command),
        Command::Suite(command) => commands::suite::suite(command),
        Command::Score(args) => commands::score::score(args),
        Command::Scores(args) => commands::scores::scores(args),
        Command::Worker => xbench_run::serve(),
    })
}

/// Ends with the command's own code, or tells its error and ends with the error's.
fn finish(result: Result<ExitCode, xbench_run::RunError>) -> ProcessExit {
    match result {
        Ok(code) => exit(code),
        Err(error) => {
            complain(&format!("error: {error}"));
            exit(error.exit_code())
        }
    }
}

fn exit(code: ExitCode) -> ProcessExit {
    ProcessExit::from(code.code())
}
