//! Reads what libraries say of themselves, in a worker process.
//!
//! Mapping a library runs its constructors, so not even this happens in the host: a library that
//! crashes while it is mapped ends the worker, is reported, and the next one gets a fresh worker.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::info::PluginFlags;
use crate::load::Library;
use crate::manifest::Kind;
use crate::worker::{Message, Worker, WorkerConfig, WorkerFailure};

/// The `op` of a request that [`answer_scan`] answers.
pub const SCAN_OP: &str = "scan";

/// A descriptor as the library holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScannedPlugin {
    /// Reverse DNS id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// SPDX expression.
    pub license: String,
    /// The paper.
    pub citation: String,
    /// One sentence.
    pub summary: String,
    /// What it is.
    pub kind: Kind,
    /// What else it says of itself.
    pub flags: PluginFlags,
    /// Rows a call may have; 0 for no limit.
    pub max_batch: u32,
    /// Ids of the capabilities it provides.
    pub provides: Vec<String>,
    /// Ids of the capabilities it needs of a model.
    pub requires_model: Vec<String>,
    /// JSON Schema of its parameters.
    pub params_schema: Value,
}

/// Scans libraries in a worker that is started when first needed and again after a crash.
#[derive(Debug)]
pub struct Scanner {
    config: WorkerConfig,
    deadline: Duration,
    worker: Option<Worker>,
}

impl Scanner {
    /// A scanner whose workers answer [`SCAN_OP`] with [`answer_scan`].
    #[must_use]
    pub fn new(config: WorkerConfig) -> Self {
        Self {
            config,
            deadline: Duration::from_secs(20),
            worker: None,
        }
    }

    /// How long one library may take; 20 s unless told otherwise.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// The descriptors of a library.
    ///
    /// # Errors
    ///
    /// Why the library is not a plugin library, or how it ended the worker.
    pub fn scan(&mut self, library: &Path) -> Result<Vec<ScannedPlugin>, String> {
        let worker = match &mut self.worker {
            Some(worker) => worker,
            empty => empty.insert(Worker::spawn(&self.config).map_err(|e| e.describe())?),
        };
        let path = library.to_str().ok_or("its path is not UTF-8")?;
        let request = Message::new(json!({"op": SCAN_OP, "library": path}));
        let grace = Duration::from_secs(1);
        match worker.call(&request, self.deadline, grace, &mut |_event| {}) {
            Ok(reply) => {
                let plugins = reply.header.get("plugins").cloned().unwrap_or_default();
                serde_json::from_value(plugins).map_err(|e| format!("the scan's answer: {e}"))
            }
            Err(WorkerFailure::Refused(error)) => Err(error),
            Err(failure) => {
                self.worker = None;
                Err(format!("reading its descriptors {}", failure.describe()))
            }
        }
    }
}

/// Answers a request `{"op": "scan", "library": path}` in a worker.
///
/// # Errors
///
/// Why the library is not a plugin library.
pub fn answer_scan(request: &Message) -> Result<Message, String> {
    let library = request.header.get("library").and_then(Value::as_str);
    let library = library.ok_or("a scan request has no `library`")?;
    let opened = Library::open(Path::new(library)).map_err(|error| error.message)?;
    Ok(Message::new(json!({"plugins": opened.descriptors()})))
}
