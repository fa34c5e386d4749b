//! Worker processes and the frames that travel between them and the host.
//!
//! Plugin code runs only in a worker: a crash, a hang or an overrun of memory ends a process that
//! nobody else depends on, and the host records how it ended. This module knows nothing of suites
//! or plugins; it moves [`Message`]s.

mod failure;
mod limits;
mod message;
mod serve;
mod spawn;

pub use failure::{KilledBy, WorkerFailure};
pub use message::{MAX_BLOB_BYTES, MAX_HEADER_BYTES, Message};
pub use serve::{Responder, serve};
pub use spawn::{Worker, WorkerConfig};

/// Version of the frame protocol; both sides must agree exactly.
pub const PROTOCOL: u32 = 1;

/// Environment variable that hands a worker its limit of address space, in bytes.
pub(crate) const ADDRESS_SPACE_VARIABLE: &str = "XBENCH_WORKER_ADDRESS_SPACE_BYTES";
