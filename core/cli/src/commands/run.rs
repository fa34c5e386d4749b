//! `xbench run`.

use xbench_record::ExitCode;
use xbench_report::{
    Cell, Style, Table, TableColumn, comparison_text, failures_text, leaderboard_text, models_text,
    trust_text,
};
use xbench_run::{ContrastSummary, Estimate, RunError, RunRequest, Summary};

use crate::args::{Format, RunArgs};
use crate::classification;
use crate::pictures;
use crate::progress::Progress;
use crate::terminal::{complain, emit, emit_json, style};
use crate::trust;
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
                .map(|one| view::in_rows(one, text_of(one, args.details, &style)))
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
    text.push('\n');
    text.push_str(&models_text(&classification::lines(summary), style));
    let trust = trust_text(&trust::lines(summary), &trust::notes(summary), style);
    if !trust.is_empty() {
        text.push('\n');
        text.push_str(&trust);
    }
    let comparisons = classification::comparisons(summary);
    if !comparisons.is_empty() {
        text.push('\n');
        text.push_str(&comparison_text(&comparisons, style));
    }
    if !summary.contrasts.is_empty() {
        text.push('\n');
        text.push_str(&contrasts_text(&summary.contrasts, style));
    }
    if details {
        text.push_str(&pictures::details(summary, style));
    }
    text
}

/// Models compared with other models, a line for each explainer and score.
fn contrasts_text(contrasts: &[ContrastSummary], style: &Style) -> String {
    let mut table = Table::new(vec![
        TableColumn::left("comparison"),
        TableColumn::left("explainer"),
        TableColumn::left("score"),
        TableColumn::right("models"),
        TableColumn::right("against"),
        TableColumn::right("difference"),
        TableColumn::right("p"),
        TableColumn::left(""),
    ]);
    let mean = |estimate: Option<Estimate>| {
        Cell::new(estimate.map_or_else(|| "–".to_owned(), |one| format!("{:.3}", one.value)))
    };
    for one in contrasts {
        let difference = one.difference.map_or_else(
            || "–".to_owned(),
            |d| format!("{:+.3} [{:+.3}, {:+.3}]", d.value, d.low, d.high),
        );
        let p = one.p.map_or_else(|| "–".to_owned(), |p| format!("{p:.2e}"));
        table.row(vec![
            Cell::new(one.name.clone()),
            Cell::new(one.explainer.clone()),
            Cell::new(one.score.clone()),
            mean(one.models),
            mean(one.against),
            Cell::new(difference),
            Cell::new(p),
            Cell::new(one.verdict.clone()),
        ]);
    }
    format!(
        "models compared (paired over the same rows; difference with 95% interval; p: Wilcoxon, Holm)\n{}",
        table.render(style)
    )
}
