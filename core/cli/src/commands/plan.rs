//! `xbench plan`.

use serde_json::json;
use xbench_record::ExitCode;
use xbench_report::{Cell, Emphasis, Table, TableColumn};
use xbench_run::{RunError, check_suite};

use crate::args::{Format, PlanArgs};
use crate::progress::Progress;
use crate::terminal::{emit, emit_json, style};

pub(crate) fn plan(args: &PlanArgs) -> Result<ExitCode, RunError> {
    let progress = Progress::new(false);
    let (suite, checked) = check_suite(&args.suite, &(&args.search).into(), &progress)?;
    let cells = checked.plan.cells.iter().map(|cell| {
        let (model, explainer) = (
            &checked.models[cell.model],
            &checked.explainers[cell.explainer],
        );
        (model, explainer, cell.unsupported.as_deref())
    });
    match args.format {
        Format::Json => {
            let cells: Vec<_> = cells
                .map(|(model, explainer, unsupported)| {
                    json!({
                        "model": model.label,
                        "preset": model.preset,
                        "explainer": explainer.label,
                        "params": explainer.params,
                        "control": explainer.plugin.control,
                        "unsupported": unsupported,
                    })
                })
                .collect();
            emit_json(&json!({"suite": suite.name, "version": suite.version, "cells": cells}))?;
        }
        Format::Text => {
            let heads = ["model", "explainer", "parameters", "fit"];
            let mut table = Table::new(heads.iter().map(|head| TableColumn::left(head)).collect());
            for (model, explainer, unsupported) in cells {
                let fit = match unsupported {
                    Some(missing) => Cell::styled(missing, Emphasis::Caution),
                    None => Cell::new("ok"),
                };
                table.row(vec![
                    Cell::new(&model.label),
                    Cell::new(&explainer.label),
                    Cell::new(explainer.params.to_string()),
                    fit,
                ]);
            }
            emit(&table.render(&style()))?;
        }
    }
    if checked.plan.runnable().next().is_none() {
        return Err(RunError::NothingSelected(format!(
            "{}: no explainer fits any model",
            suite.file
        )));
    }
    Ok(ExitCode::Fine)
}
