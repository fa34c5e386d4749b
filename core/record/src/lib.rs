//! Results at rest.
//!
//! Three kinds of file, with different promises. *Records* (`records.jsonl`) are what is known
//! of each cell: JSON lines, only ever appended to, readable for years. *Blocks* (`chunks/`) are
//! a cache: attributions, predictions and score columns of a run of rows, which may be deleted
//! at any time and are never trusted; one that is damaged or of another version counts as
//! absent. *Tables* (`*.csv`) are derived from records and written anew. Every file but the
//! records is written under a temporary name and renamed, so that whatever moment a run dies in,
//! the next one finds each file old or new and never half.
//!
//! The format of every file, key by key, stands in `results/README.md`.

mod atomic;
mod block;
mod cache;
mod error;
mod exit_code;
mod machine;
mod record;
mod store;
pub mod table;

pub use atomic::write_file;
pub use cache::{ChunkRecord, Column, ColumnKey, PredictionRecord, ScoreColumns};
pub use error::{StoreError, remedy};
pub use exit_code::ExitCode;
pub use machine::Machine;
pub use record::{CellRecord, FORMAT, ScoreSummary, Status, Time, latest};
pub use store::Store;
pub use table::write_table;
