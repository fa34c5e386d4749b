//! `xbench score`: flags in, table, CSV or JSON out.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use xbench_data::SetRef;
use xbench_metrics::Direction;
use xbench_record::ExitCode;
use xbench_report::{Cell, Table, TableColumn};
use xbench_run::{RowChoice, RunError, ScoreRequest, ScoredArrays, ScoredColumn, parse_selection};

use crate::args::SearchArgs;
use crate::progress::Progress;
use crate::terminal::{complain, emit, emit_json, style};

pub(crate) const SCORE_EXAMPLES: &str = "\
Examples:
  xbench score --data garments --attributions maps.npy
  xbench score --data garments --attributions maps.npy --model cnn-gap --scores faithfulness
  xbench score --data fashion-mnist --select balanced:100 --attributions maps.npy --format json
  xbench score --data fetal-health --attributions shap.npy --rows rows.txt --per-row > scores.csv

From Python, with attributions of any tool in an array [n, c, h, w], [n, h, w] or, of a table,
[n, d], float32 or float64, a row of the split after the other:
  numpy.save(\"maps.npy\", attributions)
The rows themselves, with labels and masks, come from `xbench data export`.

Without --model: scores of maps and masks. With it, also those that ask the model; the attributions
must be of that model and that target. A single map for several channels counts for each in equal
parts.";

/// How scores are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScoreFormat {
    /// A table for people
    Text,
    /// A line per score, or per row with --per-row
    Csv,
    /// One JSON document with both
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitArg {
    Train,
    Validation,
    Test,
    Photos,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// The data set they are about: a name, 'name{option: value}', or a description (.toml)
    #[arg(long, value_name = "SET")]
    pub(crate) data: SetRef,
    /// Attributions: a NumPy file [n, c, h, w], [n, h, w] or [n, d], float32 or float64
    #[arg(long, value_name = "FILE")]
    pub(crate) attributions: PathBuf,
    /// Masks in place of the set's own: a NumPy file [n, h, w] of booleans, or of 0 and 1
    #[arg(long, value_name = "FILE")]
    pub(crate) masks: Option<PathBuf>,
    /// The split the rows are of
    #[arg(long, value_enum, default_value = "test")]
    pub(crate) split: SplitArg,
    /// The rows: all, first:100, 20..80 or balanced:50 [default: the first ones of the split]
    #[arg(long, value_name = "ROWS")]
    pub(crate) select: Option<String>,
    /// The rows' numbers, one a line in the order of the attributions
    #[arg(long, value_name = "FILE", conflicts_with = "select")]
    pub(crate) rows: Option<PathBuf>,
    /// The model that was explained, with parameters if need be
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Recipe of its weights [default: best, where it has it]
    #[arg(
        long,
        value_name = "NAME",
        requires = "model",
        conflicts_with = "weights"
    )]
    pub(crate) preset: Option<String>,
    /// File of its weights
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) weights: Option<PathBuf>,
    /// What was explained: predicted, label, or a class by number or name
    #[arg(
        long,
        value_name = "CLASS",
        default_value = "predicted",
        requires = "model"
    )]
    pub(crate) target: String,
    /// Scores: standard, all, or families and scores, comma-separated (see `xbench scores`)
    #[arg(long, value_name = "LIST", default_value = "standard")]
    pub(crate) scores: String,
    /// Settings of the scores that perturb the input, as in a suite: '{baseline: 0.5, steps: 14}'
    #[arg(long, value_name = "SETTINGS", default_value = "{}")]
    pub(crate) perturbation: String,
    /// Seed of random subsets, orders of ties and intervals
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ScoreFormat,
    /// As CSV, a line per row with a column per score
    #[arg(long)]
    pub(crate) per_row: bool,
    /// Only results, warnings and errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
}

pub(crate) fn score(args: &ScoreArgs) -> Result<ExitCode, RunError> {
    let rows = match (&args.select, &args.rows) {
        (Some(text), _) => RowChoice::Select(parse_selection(text)?),
        (None, Some(file)) => RowChoice::Listed(file.clone()),
        (None, None) => RowChoice::First,
    };
    let request = ScoreRequest {
        data: args.data.clone(),
        split: split_name(args.split).to_owned(),
        attributions: args.attributions.clone(),
        masks: args.masks.clone(),
        rows,
        model: args.model.clone(),
        preset: args.preset.clone(),
        weights: args.weights.clone(),
        target: args.target.clone(),
        scores: args.scores.clone(),
        perturbation: args.perturbation.clone(),
        seed: args.seed,
        search: (&args.search).into(),
    };
    let found = xbench_run::score(&request, &Progress::new(args.quiet))?;
    match args.format {
        ScoreFormat::Json => emit_json(&document(&found))?,
        _ if args.per_row => emit(&row_lines(&found)?)?,
        ScoreFormat::Csv => emit(&score_lines(&found)?)?,
        ScoreFormat::Text => emit(&table(&found))?,
    }
    if !args.quiet {
        for left in &found.left_out {
            complain(&format!(
                "left out: {} ({}; {})",
                left.scores.join(", "),
                left.why,
                left.remedy
            ));
        }
    }
    Ok(ExitCode::Fine)
}

pub(super) fn split_name(split: SplitArg) -> &'static str {
    match split {
        SplitArg::Train => "train",
        SplitArg::Validation => "validation",
        SplitArg::Test => "test",
        SplitArg::Photos => "photos",
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Higher => "higher",
        Direction::Lower => "lower",
        Direction::None => "",
    }
}

/// The interval of the mean; of a single value there is none.
fn interval(column: &ScoredColumn) -> Option<(f64, f64)> {
    let several = column.mean.filter(|mean| mean.n > 1);
    several.map(|mean| (mean.low, mean.high))
}

/// Rows a score has no value for, by reason.
fn reasons(column: &ScoredColumn) -> String {
    let reasons: Vec<String> = column
        .reasons
        .iter()
        .map(|(reason, count)| format!("{reason}: {count}"))
        .collect();
    reasons.join(", ")
}

fn table(found: &ScoredArrays) -> String {
    let mut table = Table::new(vec![
        TableColumn::left("family"),
        TableColumn::left("score"),
        TableColumn::left("better"),
        TableColumn::right("mean"),
        TableColumn::left("95% interval"),
        TableColumn::right("chance"),
        TableColumn::right("n"),
        TableColumn::prose("not applicable"),
    ]);
    let shown = |value: Option<f64>| value.map(|value| format!("{value:.3}")).unwrap_or_default();
    for column in &found.columns {
        let interval = interval(column).map(|(low, high)| format!("{low:.3} to {high:.3}"));
        table.row(vec![
            Cell::new(column.score.family.word()),
            Cell::new(column.score.id),
            Cell::new(word(column.score.direction)),
            Cell::new(
                column
                    .mean
                    .map_or_else(|| "n/a".to_owned(), |mean| shown(Some(mean.value))),
            ),
            Cell::new(interval.unwrap_or_default()),
            Cell::new(shown(column.chance)),
            Cell::new(column.mean.map_or(0, |mean| mean.n).to_string()),
            Cell::new(reasons(column)),
        ]);
    }
    let about = match &found.model {
        Some(model) => format!(", {model}"),
        None => String::new(),
    };
    format!(
        "{} ({}), {} {}{about}\n\n{}",
        found.data_set,
        found.split,
        found.rows.len(),
        if found.rows.len() == 1 { "row" } else { "rows" },
        table.render(&style())
    )
}

/// Lines of CSV, quoted where need be.
fn csv(rows: impl IntoIterator<Item = Vec<String>>) -> Result<String, RunError> {
    let wrong = |error: &dyn std::fmt::Display| RunError::Files(error.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(|error| wrong(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| wrong(&error))?;
    let text = String::from_utf8(bytes).map_err(|error| wrong(&error))?;
    Ok(text.trim_end().to_owned())
}

fn number(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.6}")).unwrap_or_default()
}

fn score_lines(found: &ScoredArrays) -> Result<String, RunError> {
    let header = "family,score,better,mean,low,high,n,chance,not_applicable";
    let lines = found.columns.iter().map(|column| {
        vec![
            column.score.family.word().to_owned(),
            column.score.id.to_owned(),
            word(column.score.direction).to_owned(),
            number(column.mean.map(|mean| mean.value)),
            number(interval(column).map(|(low, _)| low)),
            number(interval(column).map(|(_, high)| high)),
            column.mean.map_or(0, |mean| mean.n).to_string(),
            number(column.chance),
            reasons(column),
        ]
    });
    csv(std::iter::once(fields(header)).chain(lines))
}

fn row_lines(found: &ScoredArrays) -> Result<String, RunError> {
    let mut header = fields("row,label,target");
    header.extend(
        found
            .columns
            .iter()
            .map(|column| column.score.id.to_owned()),
    );
    let lines = (0..found.rows.len()).map(|place| {
        let class = |number: Option<&usize>| {
            let name = number.and_then(|&class| found.classes.get(class));
            name.cloned().unwrap_or_default()
        };
        let mut line = vec![
            found.rows[place].to_string(),
            class(found.labels.get(place)),
            class(found.targets.get(place)),
        ];
        line.extend(
            found
                .columns
                .iter()
                .map(|column| number(column.values[place])),
        );
        line
    });
    csv(std::iter::once(header).chain(lines))
}

fn fields(header: &str) -> Vec<String> {
    header.split(',').map(str::to_owned).collect()
}

fn document(found: &ScoredArrays) -> Value {
    let scores: Vec<Value> = found
        .columns
        .iter()
        .map(|column| {
            json!({
                "score": column.score.id,
                "family": column.score.family.word(),
                "better": word(column.score.direction),
                "version": column.score.version,
                "mean": column.mean.map(|mean| mean.value),
                "low": interval(column).map(|(low, _)| low),
                "high": interval(column).map(|(_, high)| high),
                "n": column.mean.map_or(0, |mean| mean.n),
                "chance": column.chance,
                "not_applicable": column.reasons,
            })
        })
        .collect();
    let class = |number: &usize| found.classes.get(*number);
    let rows: Vec<Value> = (0..found.rows.len())
        .map(|place| {
            let values: Map<String, Value> = found
                .columns
                .iter()
                .map(|column| (column.score.id.to_owned(), json!(column.values[place])))
                .collect();
            json!({
                "row": found.rows[place],
                "label": found.labels.get(place).and_then(class),
                "target": found.targets.get(place).and_then(class),
                "scores": values,
            })
        })
        .collect();
    let left_out: Vec<Value> = found
        .left_out
        .iter()
        .map(|left| json!({"scores": left.scores, "why": left.why, "remedy": left.remedy}))
        .collect();
    json!({
        "data": found.data_set,
        "split": found.split,
        "model": found.model,
        "n": found.rows.len(),
        "scores": scores,
        "left_out": left_out,
        "rows": rows,
    })
}
