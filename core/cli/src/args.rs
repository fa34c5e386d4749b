//! Flags and help of every command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::Value;
use xbench_data::SetRef;

use crate::commands::describe::{DESCRIBE_EXAMPLES, DescribeArgs};
use crate::commands::export::{EXPORT_EXAMPLES, ExportArgs};
use crate::commands::score::{SCORE_EXAMPLES, ScoreArgs};

/// Benchmarks explanations of image classifiers: every model and method side by side, with
/// confidence intervals.
#[derive(Debug, Parser)]
#[command(name = "xbench", version, max_term_width = 100, after_help = TOP_EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const TOP_EXAMPLES: &str = "\
Examples:
  xbench run suites/quickstart.yaml           ten seconds, no download
  xbench run suites/fashion.yaml              the main benchmark
  xbench explain --model cnn-gap --explainer gradcam,ig dress.jpg
  xbench plugin list                          models and explainers that were found

Exit codes: 0 fine · 1 unexpected · 12 nothing selected · 13 some cells failed · 14 data damaged ·
20 bad suite or flag · 21 plugin refused";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a suite: explain, score, rank, and write the tables
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Explain images or rows of a table: pictures, and arrays for scripts
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Score attributions that any tool made: NumPy arrays, with or without the model
    #[command(after_help = SCORE_EXAMPLES)]
    Score(ScoreArgs),
    /// Train a model on a data set and keep its weights
    #[command(after_help = TRAIN_EXAMPLES)]
    Train(TrainArgs),
    /// Look into a model of decision trees: importance of features, single trees drawn
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
    /// Show what a suite would run
    Plan(PlanArgs),
    /// Look at plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Look at data sets, fetch and verify them
    #[command(subcommand)]
    Data(DataCommand),
    /// Check suites, print their JSON Schema
    #[command(subcommand)]
    Suite(SuiteCommand),
    /// List the scores: formula, direction, range, source
    Scores(ScoresArgs),
    /// Serve requests of the host (started by xbench itself)
    #[command(hide = true)]
    Worker,
}

const RUN_EXAMPLES: &str = "\
Examples:
  xbench run suites/fashion.yaml
  xbench run suites/fashion.yaml --workers 1 --results /tmp/results
  xbench run suites/quickstart.yaml --format json -q > leaderboard.json

A run that was interrupted goes on where it stopped: start it again. What was computed before
stands in RESULTS/<suite>/chunks and is used again while nothing that determines it has changed.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  xbench explain --model cnn-gap --explainer gradcam,ig,occlusion dress.jpg
  xbench explain --model lenet --explainer 'ig{steps: 20, baseline: 0}' dress.jpg --out dress.png
  xbench explain --model cnn-gap,lenet --explainer saliency --data fashion-mnist:test[0..8]
  xbench explain --model cnn-gap --explainer ig --data fashion-mnist:test[0..100] --arrays out/
  xbench explain --model random-forest --explainer tree-shap,lime --data 'fetal-health:test[3,17]'
  xbench explain --model random-forest --explainer tree-shap --trained-on fetal-health patients.csv
  xbench explain --model random-forest --explainer tree-shap --data fetal-health --interactions

Images get a strip of maps in one PNG. Rows of a table get a folder of pictures: a waterfall of each
row (up to 20), of several rows also beeswarms, the features of the greatest effect along their values
and a comparison of explainers.";

const TRAIN_EXAMPLES: &str = "\
Examples:
  xbench train cnn-gap                                  preset best, Fashion-MNIST
  xbench train lenet --data garments --preset best --out weights/
  xbench train cnn-gap --preset published --seed 1 --out weights/
  xbench train resnet-spn --data 'busi{size: 64}' --set masks=0.25
  xbench train xgboost --grid 'max_depth=4,6,8 colsample_bytree=0.3,0.5' --grid-rows 6000

A training that was interrupted goes on where it stopped: start it again. Its state stands beside the
weights as <model>-<preset>.checkpoint until it is done.";

const INSPECT_EXAMPLES: &str = "\
Examples:
  xbench inspect random-forest --data fetal-health --tree 0
  xbench inspect xgboost --tree 3 --depth 4 --out trees/

Writes importance.csv and importance.png, and the tree as SVG and PNG.";

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people
    Text,
    /// One JSON document for programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ScoresArgs {
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// As the page `docs/scores.md`
    #[arg(long, conflicts_with = "format")]
    pub(crate) markdown: bool,
}

/// Where plugins and data are looked for.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Look for plugins here first (repeatable)
    #[arg(long, value_name = "DIR", help_heading = "Search")]
    pub(crate) plugin_path: Vec<PathBuf>,
    /// Never download; what is not there is an error
    #[arg(long, help_heading = "Search")]
    pub(crate) offline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The suite, a YAML file
    pub(crate) suite: PathBuf,
    /// Folder of results; the suite's own folder lies below it
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) results: PathBuf,
    /// Worker processes [default: number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Seed, in place of the suite's
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Rows of a chunk, in place of the suite's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) chunk: Option<u32>,
    /// How to print the results
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// Also print confusion and agreement matrices
    #[arg(long)]
    pub(crate) details: bool,
    /// No progress and no notices; only results, warnings and errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Photographs (JPEG, PNG), prepared to look like the data the model knows; for models of a table
    /// (--trained-on) CSV files with a column for each feature
    #[arg(value_name = "FILE", required_unless_present = "data")]
    pub(crate) files: Vec<PathBuf>,
    /// Rows of a data set instead: SET:SPLIT[a..b] or SET:SPLIT[a,b,c], for example
    /// fashion-mnist:test[0..8]
    #[arg(long, value_name = "ROWS", conflicts_with = "files")]
    pub(crate) data: Option<String>,
    /// Models, comma-separated, each with parameters if need be
    #[arg(long, value_name = "LIST", required = true)]
    pub(crate) model: String,
    /// Explainers, comma-separated: gradcam,'ig{steps: 50, baseline: 0}'
    #[arg(long, value_name = "LIST", required = true)]
    pub(crate) explainer: String,
    /// Data set whose weights the models use [default: that of --data, else fashion-mnist]
    #[arg(long, value_name = "SET")]
    pub(crate) trained_on: Option<String>,
    /// Recipe of the models' weights [default: best, where a model has it]
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// What is explained: predicted, label, or a class by number or name
    #[arg(long, value_name = "CLASS", default_value = "predicted")]
    pub(crate) target: String,
    /// Also the interaction values of all pairs of features (tables; of tree-shap): heat maps, and
    /// with --arrays <model>.<explainer>.interactions.npy and .csv
    #[arg(long)]
    pub(crate) interactions: bool,
    /// The PNG to write, of a table the folder of pictures; `none` for no picture
    /// [default: <first file>.explained.png or <first file>.explained, here]
    #[arg(long, value_name = "PATH")]
    pub(crate) out: Option<PathBuf>,
    /// Also write <model>.logits.npy, <model>.<explainer>.npy and targets.csv here; of a table also
    /// values.npy and features.csv
    #[arg(long, value_name = "DIR")]
    pub(crate) arrays: Option<PathBuf>,
    /// Seed of stochastic explainers
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Seconds allowed to one explainer for 64 rows
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) deadline: u64,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// Only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// The model, for example cnn-gap
    pub(crate) model: String,
    /// The data set: a name, 'name{option: value}', or the path of a description (.toml)
    #[arg(long, value_name = "SET", default_value = "fashion-mnist")]
    pub(crate) data: SetRef,
    /// The recipe, one of the model's presets [default: best, where the model has it]
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// A setting that differs from the preset's (repeatable); a wrong name lists those there are
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) set: Vec<(String, Value)>,
    /// Search this grid by cross-validation, then train the best: 'max_depth=4,6,8 eta=0.1,0.3'
    #[arg(long, value_name = "GRID", value_parser = grid)]
    pub(crate) grid: Option<Grid>,
    /// Folds of the cross-validation
    #[arg(long, value_name = "K", default_value_t = 3, requires = "grid", value_parser = clap::value_parser!(u8).range(2..=20))]
    pub(crate) folds: u8,
    /// Training rows to search the grid on, evenly over the classes [default: all]
    #[arg(long, value_name = "N", requires = "grid")]
    pub(crate) grid_rows: Option<usize>,
    /// Folder for weights, recipe and curve; a suite uses them by `weights:`
    #[arg(long, value_name = "DIR", default_value = "weights")]
    pub(crate) out: PathBuf,
    /// Seed of initial weights, order and augmentation
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Epochs, in place of the preset's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) epochs: Option<u32>,
    /// Compute threads [default: number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Replace weights that are there
    #[arg(long)]
    pub(crate) force: bool,
    /// Only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
}

/// Settings with the values to try.
pub(crate) type Grid = Vec<(String, Vec<Value>)>;

/// A value as on the command line: JSON where it is JSON, else text.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn setting(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((name, text)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value(text))),
        _ => Err("write it like learning_rate=0.001".to_owned()),
    }
}

fn grid(text: &str) -> Result<Grid, String> {
    let one = |part: &str| match part.split_once('=') {
        Some((name, values)) if !name.is_empty() && !values.is_empty() => {
            Ok((name.to_owned(), values.split(',').map(value).collect()))
        }
        _ => Err(format!(
            "cannot read '{part}'; write it like max_depth=4,6,8"
        )),
    };
    text.split_whitespace().map(one).collect()
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The model, for example random-forest
    pub(crate) model: String,
    /// The data set whose weights it uses
    #[arg(long, value_name = "SET", default_value = "fashion-mnist")]
    pub(crate) data: SetRef,
    /// Recipe of its weights [default: best, where the model has it]
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// File of weights, in place of the preset's
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Number of the tree to draw; none is drawn without it
    #[arg(long, value_name = "N")]
    pub(crate) tree: Option<usize>,
    /// Levels of the tree that are drawn
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=12))]
    pub(crate) depth: u8,
    /// Folder for tables and pictures
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// Only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The suite, a YAML file
    pub(crate) suite: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Models and explainers that were found, and what was refused and why
    List {
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
        #[command(flatten)]
        search: SearchArgs,
    },
    /// All about one plugin: capabilities, parameters, source
    Info {
        /// Its name or id
        name: String,
        /// How to print
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
        #[command(flatten)]
        search: SearchArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// The data sets xbench knows
    List(FormatArgs),
    /// Describe a data set: tables and pictures of what is in it
    #[command(after_help = DESCRIBE_EXAMPLES)]
    Describe(DescribeArgs),
    /// Write rows as NumPy arrays, to explain them with any other tool
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Download a data set into the cache, checksums verified
    Fetch {
        /// Its name
        set: SetRef,
    },
    /// Check every file of a data set
    Verify {
        /// Its name, or the path of a description
        set: SetRef,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SuiteCommand {
    /// Check a suite without running it
    Check {
        /// The suite, a YAML file
        suite: PathBuf,
        #[command(flatten)]
        search: SearchArgs,
    },
    /// Print the JSON Schema of suites
    Schema,
}
