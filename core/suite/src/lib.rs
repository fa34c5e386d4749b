//! Suites: what to run, said in YAML, checked before anything runs.
//!
//! The way of a suite has four steps, each of which can refuse with a place in the file:
//! text becomes nodes that know their line and column (`node`), nodes become the document that
//! the published JSON Schema describes (`document`), the document becomes a [`Suite`] whose
//! numbers are in range and whose names are unique, and [`Suite::check`] holds that against the
//! plugins there are. What comes out, [`Checked`], names every plugin by its full id, knows its
//! parameters with their defaults, and has a [`Plan`] in which the pairs that cannot work stand
//! marked, so that a run learns nothing about its own suite after the first hour.
//!
//! What a cell *is* stands in [`CellIdentity`]: a hash of what determines its result, and of
//! nothing else.

mod canonical;
mod challenge;
mod check;
mod document;
mod error;
mod identity;
mod node;
mod perturbation;
mod plan;
mod plugin_use;
mod read;
mod suite;
mod values;

pub use canonical::canonical_json;
pub use challenge::{Randomisation, Robustness};
pub use check::{Checked, Chosen, Kind, Known, Registry, resolve};
pub use document::schema_json;
pub use error::{Location, SuiteError, SuiteErrors};
pub use identity::{CellIdentity, ChunkIdentity, ExplainerSeed, Key};
pub use perturbation::Perturbation;
pub use plan::{Cell, Plan, chunk_rows};
pub use plugin_use::{PluginUse, parse_plugin_use, parse_plugin_uses};
pub use suite::{
    Accuracy, Agreement, Compare, Data, Reproduction, ScoreName, Scores, SplitName, Suite, Target,
    Timing,
};
