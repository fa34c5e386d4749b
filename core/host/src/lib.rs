//! Plugins at run time: discover, check, load, proxy, worker process.
//!
//! Two halves that meet only in messages. In the **host** process: [`SearchPath`], [`Catalog`] and
//! [`Scanner`] find plugins and check what they say of themselves; [`Worker`] runs everything else
//! in a process of its own and says how that ended. In the **worker** process: [`serve`] answers
//! requests, [`Library`] maps a plugin library, [`LoadedModel`] and [`LoadedExplainer`] call it with
//! every result checked, and [`ModelProxy`] is the model as an explainer sees it: counted, cut to
//! memory, and stopped at the deadline.
//!
//! Plugins are trusted code: the process boundary protects the run, not the machine.

mod call;
mod catalog;
mod discover;
mod error;
mod explainer;
mod info;
mod load;
mod manifest;
mod model;
mod object;
mod owned;
mod proxy;
mod rows;
mod scan;
mod schema;
mod spec;
mod tensor;
pub mod worker;

pub use call::{CallSettings, LogLevel, Monitor};
pub use catalog::{Catalog, LookupError, Problem, ProblemKind};
pub use discover::{Origin, PLUGIN_PATH_VARIABLE, SearchPath};
pub use error::{PluginError, PluginErrorKind};
pub use explainer::{HostBatch, LoadedExplainer};
pub use info::{PluginFlags, PluginInfo};
pub use load::Library;
pub use manifest::{ABI_MAJOR, Kind, MANIFEST_FILE, Manifest, ManifestPlugin};
pub use model::{FitMonitor, LoadedModel, Pullback};
pub use owned::OwnedOutput;
pub use proxy::{Counts, ModelProxy, ProxyOptions};
pub use rows::RowSource;
pub use scan::{SCAN_OP, ScannedPlugin, Scanner, answer_scan};
pub use schema::ParamsError;
pub use spec::{FitStep, LayerSpec, LinearHead, ModelSpec, OutputKind, Randomise, Wrt};

pub use worker::{KilledBy, Message, Responder, Worker, WorkerConfig, WorkerFailure, serve};
pub use xbench_plugin::TreeEnsemble;
