//! `xbench data export`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use xbench_data::SetRef;
use xbench_record::ExitCode;
use xbench_run::{ExportRequest, Exported, RunError, export, parse_selection};

use super::score::{SplitArg, split_name};
use crate::args::Format;
use crate::progress::Progress;
use crate::terminal::{emit, emit_json};

pub(crate) const EXPORT_EXAMPLES: &str = "\
Examples:
  xbench data export garments --select first:100 --out rows
  xbench data export fashion-mnist --select balanced:200
  xbench data export fetal-health --split train --out train --format json

In Python, for example:
  inputs = numpy.load(\"rows/inputs.npy\")         # float32, [n, c, h, w] or [n, d]
  numpy.save(\"maps.npy\", my_explainer(inputs))
Then score them over the same rows:
  xbench score --data garments --select first:100 --attributions maps.npy";

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The data set: a name, 'name{option: value}', or the path of a description (.toml)
    pub(crate) set: SetRef,
    /// The split
    #[arg(long, value_enum, default_value = "test")]
    pub(crate) split: SplitArg,
    /// The rows: all, first:100, 20..80 or balanced:50
    #[arg(long, value_name = "ROWS", default_value = "all")]
    pub(crate) select: String,
    /// Folder for the arrays [default: export-<set>-<split>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// Never download; what is not there is an error
    #[arg(long)]
    pub(crate) offline: bool,
    /// No progress; only results and errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

pub(crate) fn export_set(args: &ExportArgs) -> Result<ExitCode, RunError> {
    let request = ExportRequest {
        data: args.set.clone(),
        split: split_name(args.split).to_owned(),
        select: parse_selection(&args.select)?,
        out: args.out.clone(),
        offline: args.offline,
    };
    let exported = export(&request, &Progress::new(args.quiet))?;
    match args.format {
        Format::Json => emit_json(&json!({ "folder": exported.folder, "export": exported }))?,
        Format::Text => emit(&text(&exported))?,
    }
    Ok(ExitCode::Fine)
}

fn text(exported: &Exported) -> String {
    let count = exported.rows.len();
    let mut text = format!(
        "{count} row{} of {}, {}, in {}\n",
        if count == 1 { "" } else { "s" },
        exported.set,
        exported.split,
        exported.folder.display()
    );
    for array in &exported.arrays {
        let shape: Vec<String> = array.shape.iter().map(usize::to_string).collect();
        let shape = format!("[{}]", shape.join(", "));
        text.push_str(&format!(
            "  {:<16} {shape:<20} {}\n",
            array.file, array.holds
        ));
    }
    text.push_str(&format!(
        "  {:<16} {:<20} names of classes and columns, where the rows came from\n",
        "set.json", ""
    ));
    text
}
