//! `xbench run`.

use xbench_record::ExitCode;
use xbench_report::{Style, failures_text, leaderboard_text, reproduction_text};
use xbench_run::{RunError, RunRequest, Summary};

use crate::args::{Format, RunArgs};
use crate::pictures;
use crate::progress::Progress;
use crate::terminal::{complain, emit, emit_json, style};
use crate::view;

pub(crate) fn run(args: &RunArgs) -> Result<ExitCode, RunError> {
    let progress = Progress::new(args.quiet);
    let request = RunRequest {
        suite: args.suite.clone(),
        results: args.results.clone(),
        workers: args.workers.map(usize::from),
        seed: args.seed,
        chunk: args.chunk.map(|chunk| chunk as usize),
        search: (&args.search).into(),
    };
    let summary = xbench_run::run(&request, &progress)?;
    let summaries: Vec<&Summary> = std::iter::once(&summary).chain(&summary.parts).collect();
    for one in &summaries {
        pictures::write(one)?;
    }
    let style = style();
    match args.format {
        Format::Json => emit_json(&summary)?,
        Format::Text => {
            let texts: Vec<String> = summaries
                .iter()
                .map(|one| text_of(one, args.details, &style))
                .collect();
            emit(&texts.join("\n"))?;
        }
    }
    for one in &summaries {
        let failures = failures_text(&view::failures(one), &style);
        if !failures.is_empty() {
            complain(&failures);
        }
    }
    if !args.quiet {
        for one in &summaries {
            complain(&format!("results: {}", one.folder.display()));
        }
    }
    Ok(if summaries.iter().any(|one| one.failed_cells > 0) {
        ExitCode::CellsFailed
    } else {
        ExitCode::Fine
    })
}

fn text_of(summary: &Summary, details: bool, style: &Style) -> String {
    let mut text = leaderboard_text(&view::leaderboard(summary), style);
    let reproduction = view::reproduction(summary);
    if !reproduction.is_empty() {
        text.push('\n');
        text.push_str(&reproduction_text(&reproduction, style));
    }
    if details {
        text.push_str(&pictures::details(summary, style));
    }
    text
}
