//! What people look at: terminal tables and pictures.
//!
//! Everything here is a pure function from plain structs to a `String` or an image: nothing is
//! printed, read or written, no clock is asked, and the same input gives the same bytes. The
//! structs are this crate's own, so that a table can be drawn from a live run, from records at
//! rest or from a test alike.
//!
//! Text comes in a [`Style`]: with or without ANSI colour, with or without characters beyond
//! ASCII, and fitted to a width. Pictures are [`image::RgbImage`]s, turned into PNG bytes by
//! [`encode_png`].

mod agreement;
mod bars;
mod canvas;
mod chart;
mod classification;
mod colour;
mod comparison;
mod confusion;
mod critical_difference;
mod curve;
mod describe;
mod estimate;
mod figure;
mod gallery;
mod heatmap;
mod importance;
mod leaderboard;
mod listing;
mod number;
mod panel;
mod reliability;
mod strip;
mod style;
mod svg;
mod table;
mod tabular;
mod training;
mod tree;
mod trust;

pub use agreement::{AgreementMatrix, agreement_text};
pub use bars::{BarChart, BarGroup, bar_image};
pub use classification::{
    ClassLine, ClassificationReport, ModelLine, classification_text, models_text,
};
pub use comparison::{Comparison, Outcome, comparison_markdown, comparison_text};
pub use confusion::{ConfusionMatrix, confusion_text};
pub use critical_difference::{RankDiagram, RankEntry, rank_diagram_image, rank_diagram_svg};
pub use curve::{CurveError, CurvePoint, TrainingCurve, training_image};
pub use describe::{DescribePicture, describe_pictures, describe_text};
pub use estimate::{Direction, Estimate};
pub use figure::{FigureError, encode_png, grey_image};
pub use gallery::{Gallery, GalleryItem, GallerySection, gallery_image};
pub use heatmap::{agreement_image, confusion_image};
pub use importance::{ImportanceMap, importance_image};
pub use leaderboard::{Column, LeaderboardView, ModelBlock, Row, RowStatus, leaderboard_text};
pub use listing::{CellFailure, PluginRow, ScoreRow, catalogue_text, failures_text, plugins_text};
pub use number::{duration_text, significant};
pub use reliability::{ReliabilityBin, ReliabilityDiagram, reliability_image};
pub use strip::{MapPanel, STRIP_ROWS, StripFigure, StripRow, strip_image};
pub use style::{Emphasis, Style};
pub use table::{Align, Cell, Table, TableColumn};
pub use tabular::{
    Contribution, DependencePlot, InteractionMatrix, TabularAttributions, Waterfall,
    beeswarm_image, dependence_image, interactions_image, strongest_interaction, summary_bar_image,
    waterfall_image,
};
pub use training::{EpochPoint, TrainingProgress, sparkline, training_line, training_summary};
pub use tree::{DecisionTree, TREE_DEPTH, TreeError, TreeNode, TreeSplit, tree_image, tree_svg};
pub use trust::{TrustLine, trust_text};
