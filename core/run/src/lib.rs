//! Runs suites, explains pictures, trains models: the one place where all meets.
//!
//! A run goes through stages, each a module: `bench` finds plugins and data, `session` holds the
//! checked suite against them, `models` loads the models and collects their predictions, `cells`
//! has explanations computed and scored by workers (`pool` on this side of the pipe, `worker` on
//! the other, `task` between them, `evaluate` for the scores that need the model), `timing`
//! measures costs with nothing else running, `agreement`, `ranks`, the statistics on `scored`
//! (`significance`, `resolution`, `concordance`, `reliability`) and `summarise` derive the
//! `summary` that the tables show, `publish` writes it. Whatever the store has already is not
//! computed again.

mod agreement;
mod arrays;
mod bench;
mod cells;
mod challenge;
mod checkpoint;
mod classification;
mod concordance;
mod contrast;
mod csv_text;
mod error;
mod evaluate;
mod explain;
mod export;
mod grid;
mod inspect;
mod interactions;
mod known_cause;
mod models;
mod observer;
mod pool;
mod publish;
mod ranks;
mod regions;
mod reliability;
mod reproduction;
mod resolution;
mod run;
mod score;
mod score_costs;
mod scored;
mod session;
mod significance;
mod split;
mod summarise;
mod summary;
mod tables;
mod task;
mod timing;
mod train;
mod weights;
mod worker;

pub use bench::{Bench, Search};
pub use error::RunError;
pub use explain::{
    Content, ExplainRequest, ExplainedModel, ExplainedRow, Explanations, Maps, explain,
};
pub use export::{ExportRequest, Exported, ExportedArray, export};
pub use grid::{GridPoint, GridRequest, GridResult, search};
pub use inspect::{Importance, InspectRequest, Inspected, inspect};
pub use interactions::{InteractionPair, interaction_pairs};
pub use observer::{Observer, Silent};
pub use run::{RunRequest, check_suite, run};
pub use score::{
    LeftOut, RowChoice, ScoreRequest, ScoredArrays, ScoredColumn, parse_selection, score,
};
pub use score_costs::{ScoreCost, ScoreCosts, Spent};
pub use summary::{
    AgreementGroup, AgreementSummary, CalibrationSummary, CellSummary, ClassSummary,
    Classification, ContrastSummary, Estimate, Example, ExampleKind, ExamplePicture, ModelSummary,
    OrderSummary, Pairing, RegionShare, ReproductionSummary, Summary,
};
pub use tables::TableExplanations;
pub use task::TrainingStep;
pub use train::{TrainRequest, Trained, train};
pub use worker::serve;
