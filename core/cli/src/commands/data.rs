//! `xbench data`.

use serde_json::json;
use xbench_data::{Locate, SetRef, fetch, known, verify};
use xbench_record::ExitCode;
use xbench_report::{Cell, Table, TableColumn};
use xbench_run::{Observer as _, RunError};

use crate::args::{DataCommand, Format};
use crate::progress::Progress;
use crate::terminal::{emit, emit_json, style};

pub(crate) fn data(command: &DataCommand) -> Result<ExitCode, RunError> {
    match command {
        DataCommand::List(args) => list(args.format),
        DataCommand::Describe(args) => super::describe::describe_set(args),
        DataCommand::Export(args) => super::export::export_set(args),
        DataCommand::Fetch { set } => {
            let progress = Progress::new(false);
            let tell = |step: xbench_data::Progress| progress.download(&step);
            let locate = Locate {
                progress: &tell,
                ..Locate::from_environment()
            };
            let text = match fetch(set, &locate)? {
                Some(folder) => format!("{set}: verified, in {}", folder.display()),
                None => format!("{set} is drawn by the program; there is nothing to fetch"),
            };
            emit(&text)?;
            Ok(ExitCode::Fine)
        }
        DataCommand::Verify { set } => verify_set(set),
    }
}

fn list(format: Format) -> Result<ExitCode, RunError> {
    if format == Format::Json {
        let sets: Vec<_> = known()
            .iter()
            .map(|set| {
                json!({
                    "id": set.id, "summary": set.summary, "classes": set.classes,
                    "features": set.features, "shape": set.shape, "table": set.table,
                    "train": set.train, "validation": set.validation, "test": set.test,
                    "photos": set.photos, "licence": set.licence, "citation": set.citation,
                    "needs_files": set.needs_files, "downloadable": set.downloadable,
                })
            })
            .collect();
        emit_json(&sets)?;
        return Ok(ExitCode::Fine);
    }
    let mut table = Table::new(vec![
        TableColumn::left("data set"),
        TableColumn::right("train"),
        TableColumn::right("test"),
        TableColumn::left("row"),
        TableColumn::prose("what it is"),
    ]);
    for set in known() {
        let rows = |n: Option<usize>| Cell::new(n.map(|n| n.to_string()).unwrap_or_default());
        let extents: Vec<String> = set.shape.iter().map(usize::to_string).collect();
        let row = if set.table {
            format!("{} columns", extents.join("×"))
        } else {
            extents.join("×")
        };
        table.row(vec![
            Cell::new(set.id),
            rows(set.train),
            rows(set.test),
            Cell::new(row),
            Cell::new(set.summary),
        ]);
    }
    emit(&table.render(&style()))?;
    Ok(ExitCode::Fine)
}

fn verify_set(set: &SetRef) -> Result<ExitCode, RunError> {
    let mut text = String::new();
    let mut good = true;
    for report in verify(set, &Locate::from_environment())? {
        let place = report
            .path
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        match report.outcome {
            Ok(()) => text.push_str(&format!("ok   {} {place}\n", report.name)),
            Err(error) => {
                good = false;
                text.push_str(&format!("BAD  {}: {error}\n", report.name));
            }
        }
    }
    emit(&text)?;
    Ok(if good {
        ExitCode::Fine
    } else {
        ExitCode::ValidationFailed
    })
}
