//! `xbench scores`.

mod markdown;

use xbench_metrics::catalogue;
use xbench_record::ExitCode;
use xbench_report::{ScoreRow, catalogue_text};
use xbench_run::RunError;

use crate::args::{Format, ScoresArgs};
use crate::terminal::{emit, emit_json, style};
use crate::view::direction;

pub(crate) fn scores(args: &ScoresArgs) -> Result<ExitCode, RunError> {
    if args.markdown {
        emit(&markdown::page())?;
        return Ok(ExitCode::Fine);
    }
    if args.format == Format::Json {
        emit_json(&catalogue())?;
        return Ok(ExitCode::Fine);
    }
    let rows: Vec<ScoreRow> = catalogue()
        .iter()
        .map(|score| ScoreRow {
            family: score.family.word().to_owned(),
            id: score.id.to_owned(),
            direction: direction(score.direction),
            range: range(score.range),
            about: score.formula.to_owned(),
            citation: score.citation.to_owned(),
        })
        .collect();
    let text = catalogue_text(&rows, &style());
    emit(&format!(
        "{text}\nhow each departs from its source and from other programs: xbench scores --markdown\n"
    ))?;
    Ok(ExitCode::Fine)
}

fn range((low, high): (f64, f64)) -> String {
    let end = |value: f64| match value {
        f64::INFINITY => "∞".to_owned(),
        f64::NEG_INFINITY => "−∞".to_owned(),
        value => value.to_string(),
    };
    format!("{}..{}", end(low), end(high))
}
