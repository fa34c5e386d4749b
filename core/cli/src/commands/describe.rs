//! `xbench data describe`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, ValueEnum};
use serde_json::json;
use xbench_data::{DataSet, Locate, SetRef, Splits, info, load};
use xbench_describe::embed::{MOST_ROWS, Method};
use xbench_describe::{Description, Options, Step, describe, tables};
use xbench_record::{ExitCode, write_file};
use xbench_report::{describe_pictures, describe_text, encode_png};
use xbench_run::{Observer as _, RunError};

use crate::args::Format;
use crate::progress::Progress;
use crate::terminal::{emit, emit_json, style};

pub(crate) const DESCRIBE_EXAMPLES: &str = "\
Examples:
  xbench data describe fashion-mnist
  xbench data describe fetal-health --out fetal --format json
  xbench data describe 'busi{size: 96}' --embedding umap --rows 500
  xbench data describe garments --embedding none

Writes tables (CSV), pictures (PNG) and description.json, which holds all of it.";

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// The data set: a name, 'name{option: value}', or the path of a description (.toml)
    pub(crate) set: SetRef,
    /// Folder for tables and pictures [default: describe-<set>]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Lay rows out in the plane: tsne, umap, both with a comma between, or none
    #[arg(
        long,
        value_name = "LIST",
        value_enum,
        value_delimiter = ',',
        default_value = "tsne,umap"
    )]
    pub(crate) embedding: Vec<Embedding>,
    /// Rows to lay out, evenly over the classes
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=MOST_ROWS as i64))]
    pub(crate) rows: u32,
    /// Seed of the choice of rows and images, and of the layouts
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
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

/// A layout, or that none is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Embedding {
    /// t-SNE
    Tsne,
    /// UMAP
    Umap,
    /// No layout
    None,
}

pub(crate) fn describe_set(args: &DescribeArgs) -> Result<ExitCode, RunError> {
    let embeddings = methods(&args.embedding)?;
    let progress = Progress::new(args.quiet);
    let set = load_all(args, &progress)?;
    let options = Options {
        embeddings,
        rows: args.rows as usize,
        seed: args.seed,
        ..Options::default()
    };
    let told = AtomicU64::new(0);
    let description = describe(&set, &options, &|step: Step| {
        if step.done == 0 {
            progress.begin(step.stage, step.total);
        } else {
            progress.advance(step.done - told.load(Ordering::Relaxed));
        }
        told.store(step.done, Ordering::Relaxed);
        if step.done == step.total {
            progress.end();
        }
    });
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("describe-{}", set.id)));
    let written = write(&folder, &description)?;
    match args.format {
        Format::Json => emit_json(&json!({ "folder": folder, "files": written.names(),
            "description": description }))?,
        Format::Text => {
            let mut text = describe_text(&description, &style());
            text.push_str(&format!("\nPictures in {}\n", folder.display()));
            for (name, caption) in &written.pictures {
                text.push_str(&format!("  {name:<18} {caption}\n"));
            }
            text.push_str(&format!(
                "Tables beside them: {}\n",
                written.files.join(", ")
            ));
            emit(&text)?;
        }
    }
    Ok(if description.splits.is_empty() {
        ExitCode::NothingSelected
    } else {
        ExitCode::Fine
    })
}

/// Each layout once; `none` stands alone.
fn methods(list: &[Embedding]) -> Result<Vec<Method>, RunError> {
    let mut methods = Vec::new();
    for embedding in list {
        let method = match embedding {
            Embedding::Tsne => Method::TSne,
            Embedding::Umap => Method::Umap,
            Embedding::None if list.len() == 1 => return Ok(Vec::new()),
            Embedding::None => {
                return Err(RunError::Flag(
                    "--embedding none stands alone; leave out the other names or `none`".to_owned(),
                ));
            }
        };
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    Ok(methods)
}

/// All splits, and the photographs where the set has them and they are there.
fn load_all(args: &DescribeArgs, progress: &Progress) -> Result<DataSet, RunError> {
    let tell = |step: xbench_data::Progress| progress.download(&step);
    let mut locate = Locate {
        progress: &tell,
        ..Locate::from_environment()
    };
    locate.download &= !args.offline;
    let mut set = load(&args.set, &locate)?;
    if info(&args.set, &locate)?.photos.is_some_and(|n| n > 0) {
        locate.splits = Splits::PhotosOnly;
        match load(&args.set, &locate) {
            Ok(photos) => {
                set.photos = photos.photos;
                set.notes.extend(photos.notes);
            }
            Err(error) => {
                let error = error.to_string();
                let first = error.lines().next().unwrap_or_default();
                set.notes.push(format!("photographs left out: {first}"));
            }
        }
    }
    Ok(set)
}

/// Names of what was written.
struct Written {
    /// Pictures, and what they show.
    pictures: Vec<(String, &'static str)>,
    /// Tables and the document.
    files: Vec<String>,
}

impl Written {
    fn names(&self) -> Vec<&str> {
        let pictures = self.pictures.iter().map(|(name, _)| name.as_str());
        pictures
            .chain(self.files.iter().map(String::as_str))
            .collect()
    }
}

fn write(folder: &Path, description: &Description) -> Result<Written, RunError> {
    let keep = |name: &str, bytes: &[u8]| {
        write_file(&folder.join(name), bytes).map_err(|error| RunError::Files(error.to_string()))
    };
    let draw = |error: xbench_report::FigureError| RunError::Files(error.to_string());
    std::fs::create_dir_all(folder).map_err(|error| {
        RunError::Files(format!(
            "cannot create {}: {error}; choose another folder with --out",
            folder.display()
        ))
    })?;
    let (mut pictures, mut files) = (Vec::new(), Vec::new());
    for picture in describe_pictures(description).map_err(draw)? {
        let name = format!("{}.png", picture.name);
        keep(&name, &encode_png(&picture.image).map_err(draw)?)?;
        pictures.push((name, picture.caption));
    }
    for table in tables(description) {
        let name = format!("{}.csv", table.name);
        keep(&name, table.text.as_bytes())?;
        files.push(name);
    }
    let document = serde_json::to_vec_pretty(description)
        .map_err(|error| RunError::Files(format!("cannot write JSON: {error}")))?;
    keep("description.json", &document)?;
    files.push("description.json".to_owned());
    Ok(Written { pictures, files })
}
