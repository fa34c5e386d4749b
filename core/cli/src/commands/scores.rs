//! `xbench scores`.

use xbench_metrics::{Family, catalogue};
use xbench_record::ExitCode;
use xbench_report::{ScoreRow, catalogue_text};
use xbench_run::RunError;

use crate::args::{Format, FormatArgs};
use crate::terminal::{emit, emit_json, style};
use crate::view::direction;

pub(crate) fn scores(args: &FormatArgs) -> Result<ExitCode, RunError> {
    if args.format == Format::Json {
        emit_json(&catalogue())?;
        return Ok(ExitCode::Fine);
    }
    let rows: Vec<ScoreRow> = catalogue()
        .iter()
        .map(|score| ScoreRow {
            family: family(score.family).to_owned(),
            id: score.id.to_owned(),
            direction: direction(score.direction),
            range: range(score.range),
            version: score.version.to_string(),
            about: match score.departs {
                "" => score.formula.to_owned(),
                departs => format!("{}; {departs}", score.formula),
            },
            citation: score.citation.to_owned(),
        })
        .collect();
    emit(&catalogue_text(&rows, &style()))?;
    Ok(ExitCode::Fine)
}

fn family(family: Family) -> &'static str {
    match family {
        Family::Accuracy => "accuracy",
        Family::Localisation => "localisation",
        Family::Faithfulness => "faithfulness",
        Family::Agreement => "agreement",
        Family::Complexity => "complexity",
        Family::Robustness => "robustness",
        Family::Randomisation => "randomisation",
        Family::Axiomatic => "axiomatic",
        Family::Cost => "cost",
    }
}

fn range((low, high): (f64, f64)) -> String {
    let end = |value: f64| match value {
        f64::INFINITY => "∞".to_owned(),
        f64::NEG_INFINITY => "−∞".to_owned(),
        value => value.to_string(),
    };
    format!("{}..{}", end(low), end(high))
}
