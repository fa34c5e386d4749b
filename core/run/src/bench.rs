//! The workbench of every command: the plugins there are, the workers, the data.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use xbench_data::{DataError, DataSet, Locate, SetInfo, SetRef, Splits};
use xbench_host::worker::{Message, Worker, WorkerConfig};
use xbench_host::{Catalog, Kind as HostKind, PluginInfo, Scanner, SearchPath};
use xbench_record::Machine;
use xbench_suite::{Chosen, Kind, Known, Registry};

use crate::error::{RunError, at};
use crate::observer::Observer;
use crate::task::{PluginRef, Reply, reply_of};

/// Where a command looks for plugins and data.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Plugin folders named on the command line.
    pub plugin_path: Vec<PathBuf>,
    /// Whether nothing may be downloaded.
    pub offline: bool,
}

/// The plugins found and the way to start workers.
pub struct Bench {
    catalog: Catalog,
    executable: PathBuf,
    host: String,
}

impl Bench {
    /// Finds the plugins; `suite_plugins` are the folders a suite names.
    ///
    /// # Errors
    /// When this program's own file cannot be found, which workers are started from.
    pub fn open(search: &Search, suite_plugins: &[PathBuf]) -> Result<Self, RunError> {
        let executable = std::env::current_exe().map_err(|error| {
            RunError::Files(format!("cannot tell which program this is: {error}"))
        })?;
        let program = std::fs::read(&executable).map_err(at(&executable))?;
        let host = format!(
            "{}+{}",
            env!("CARGO_PKG_VERSION"),
            hex(&Sha256::digest(program))
        );
        let path = SearchPath::standard(&search.plugin_path, suite_plugins);
        let mut scanner = Scanner::new(worker_config(&executable, 1));
        let catalog = Catalog::discover(&path, &mut |library| scanner.scan(library));
        Ok(Self {
            catalog,
            executable,
            host,
        })
    }

    /// The plugins that were found.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Version and SHA-256 of this program: a part of every cache key, so that a rebuilt program
    /// is never answered from what another one computed.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn worker_config(&self, threads: usize) -> WorkerConfig {
        worker_config(&self.executable, threads)
    }

    /// Tells what was refused on the way.
    pub(crate) fn tell_problems(&self, observer: &dyn Observer) {
        for problem in self.catalog.problems() {
            let folder = problem.folder.display();
            observer.warning(&format!("plugin folder {folder}: {}", problem.message));
        }
    }

    pub(crate) fn plugin(&self, kind: Kind, id: &str) -> Result<&PluginInfo, RunError> {
        let kind = match kind {
            Kind::Model => HostKind::Model,
            Kind::Explainer => HostKind::Explainer,
        };
        self.catalog
            .find(kind, id)
            .map_err(|error| RunError::Plugin(error.to_string()))
    }

    /// How a worker loads a plugin the suite chose.
    pub(crate) fn reference(&self, kind: Kind, chosen: &Chosen) -> Result<PluginRef, RunError> {
        Ok(PluginRef {
            library: self.plugin(kind, &chosen.plugin.id)?.library.clone(),
            id: chosen.plugin.id.clone(),
            params: chosen.params.clone(),
        })
    }

    /// One request to a worker of its own.
    pub(crate) fn ask(
        &self,
        message: &Message,
        limit: Duration,
    ) -> Result<(Reply, Message), RunError> {
        let failed = |failure: xbench_host::worker::WorkerFailure| {
            RunError::Plugin(format!("{}\n{}", failure.describe(), failure.stderr()))
        };
        let mut worker = Worker::spawn(&self.worker_config(1)).map_err(failed)?;
        let answer = worker
            .call(message, limit, Duration::from_secs(3), &mut |_| {})
            .map_err(failed)?;
        worker.shutdown();
        let reply = reply_of(&answer).map_err(RunError::Plugin)?;
        match reply {
            Reply::Failed { text, .. } => Err(RunError::Plugin(text)),
            reply => Ok((reply, answer)),
        }
    }
}

fn worker_config(executable: &Path, threads: usize) -> WorkerConfig {
    WorkerConfig {
        executable: executable.to_owned(),
        args: vec!["worker".into()],
        threads,
        // More memory than the machine has is a plugin's own failure, not the machine's.
        address_space_bytes: Some(Machine::detect().memory_gib << 30).filter(|&bytes| bytes > 0),
        env: Vec::new(),
    }
}

/// The number of cores this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The plugins as a suite sees them, for models of a given input.
pub(crate) struct Shelf<'b> {
    pub(crate) bench: &'b Bench,
    /// Shape of a row, and the class names: parameters every model gets from the data. Empty where
    /// they are not known before the data are read.
    shape: Vec<usize>,
    classes: Vec<String>,
}

impl<'b> Shelf<'b> {
    pub(crate) fn of_set(bench: &'b Bench, set: &DataSet) -> Self {
        Self {
            bench,
            shape: set.shape.clone(),
            classes: set.classes.clone(),
        }
    }

    pub(crate) fn of_info(bench: &'b Bench, info: &SetInfo) -> Self {
        Self {
            bench,
            shape: info.shape.clone(),
            classes: info.classes.clone(),
        }
    }

    fn known(&self, kind: HostKind) -> Vec<Known> {
        let plugins = self.bench.catalog.plugins().iter();
        plugins
            .filter(|plugin| plugin.kind == kind)
            .map(|plugin| Known {
                id: plugin.id.clone(),
                short: plugin.short.clone(),
                version: plugin.version.clone(),
                provides: plugin.provides.clone(),
                requires_model: plugin.requires_model.clone(),
                control: plugin.flags.control,
                wants_mask: plugin.flags.wants_mask,
                wants_background: plugin.flags.wants_background,
                presets: plugin.presets.clone(),
            })
            .collect()
    }

    /// A model learns the shape of its data from the data, where its schema has a place for it.
    fn with_data(&self, plugin: &PluginInfo, params: &Value) -> Value {
        let mut params: Map<String, Value> = params.as_object().cloned().unwrap_or_default();
        let known = &plugin.params_schema["properties"];
        for (name, value, is_known) in [
            ("input", json!(self.shape), !self.shape.is_empty()),
            (
                "outputs",
                json!(self.classes.len()),
                !self.classes.is_empty(),
            ),
            (
                "data_classes",
                json!(self.classes),
                !self.classes.is_empty(),
            ),
        ] {
            if is_known && known.get(name).is_some() && !params.contains_key(name) {
                params.insert(name.to_owned(), value);
            }
        }
        Value::Object(params)
    }
}

/// What the data are, to a model that is not for them.
fn told_shape(shape: &[usize]) -> String {
    match shape {
        [columns] => format!(
            "the data are a table of {columns} columns: take a model of tables, or a set of images"
        ),
        _ => format!("the data are images {shape:?}: take a model of such images, or another set"),
    }
}

impl Registry for Shelf<'_> {
    fn models(&self) -> Vec<Known> {
        self.known(HostKind::Model)
    }

    fn explainers(&self) -> Vec<Known> {
        self.known(HostKind::Explainer)
    }

    fn check_params(&self, kind: Kind, id: &str, params: &Value) -> Result<Value, String> {
        let plugin = self
            .bench
            .plugin(kind, id)
            .map_err(|error| error.to_string())?;
        let params = match kind {
            Kind::Model => self.with_data(plugin, params),
            Kind::Explainer => params.clone(),
        };
        plugin.check_params(&params).map_err(|error| {
            let text = error.to_string();
            // The user has not written what comes from the data.
            if kind == Kind::Model && text.starts_with("input:") && !self.shape.is_empty() {
                format!("{text}; {}", told_shape(&self.shape))
            } else if kind == Kind::Model && text.starts_with("outputs:") && self.classes.len() == 1
            {
                format!("{text}; the data have one class, and a classifier tells two or more apart")
            } else {
                text
            }
        })
    }
}

/// Loads a data set, or the one to use instead where it cannot be had; that is told loudly, and
/// comes back as a sentence for the results.
pub(crate) fn load_data(
    set: &SetRef,
    root: Option<&Path>,
    otherwise: Option<&SetRef>,
    splits: Splits,
    offline: bool,
    observer: &dyn Observer,
) -> Result<(DataSet, Option<String>), RunError> {
    let progress = |progress: xbench_data::Progress| observer.download(&progress);
    let mut locate = Locate {
        splits,
        root,
        progress: &progress,
        ..Locate::from_environment()
    };
    locate.download &= !offline;
    match (xbench_data::load(set, &locate), otherwise) {
        (Ok(set), _) => Ok((set, None)),
        // A damaged file is not replaced by other data: that would hide the damage.
        (Err(error @ (DataError::NotFound { .. } | DataError::Download { .. })), Some(other)) => {
            let substitution = format!(
                "'{set}' CANNOT BE HAD: this run uses '{other}' instead, and its results carry \
                 that name"
            );
            observer.warning(&format!("{error}\n{substitution}"));
            Ok((xbench_data::load(other, &locate)?, Some(substitution)))
        }
        (Err(error), _) => Err(error.into()),
    }
}
