//! A decision tree as a picture, drawn tidily: parents centred above their children, equal
//! subtrees drawn alike, nothing overlapping.

mod layout;
mod paint;
mod scene;

use thiserror::Error;

use crate::figure::FigureError;
pub use paint::{tree_image, tree_svg};

/// A decision tree with what is to be said about each node.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionTree {
    /// Above all: the model and which of its trees.
    pub title: String,
    /// Class names, in the order of [`TreeNode::values`]; empty where a node has one value.
    pub classes: Vec<String>,
    /// What [`TreeNode::cover`] counts: `samples`, `sum of Hessians`.
    pub cover_name: String,
    /// Nodes; the first is the root. Nodes that it does not lead to are not drawn.
    pub nodes: Vec<TreeNode>,
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeNode {
    /// The question it asks; `None` for a leaf.
    pub split: Option<TreeSplit>,
    /// How many training examples reached it, by number or weight.
    pub cover: f64,
    /// With classes: the weight or share of each among its examples, none below zero. Without:
    /// one number, what a leaf adds to the output (it may be left out of inner nodes).
    pub values: Vec<f64>,
}

/// A question with two answers.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeSplit {
    /// Name of the feature.
    pub feature: String,
    /// What it is compared with.
    pub threshold: f64,
    /// Whether the answer is yes only strictly below the threshold (`<`), or at it too (`≤`).
    pub strict: bool,
    /// Number of the node for yes, drawn at the left.
    pub yes: usize,
    /// Number of the node for no.
    pub no: usize,
}

/// Why a tree could not be drawn.
#[derive(Debug, Error)]
pub enum TreeError {
    /// A split leads to a node that is not there, or back to one above it.
    #[error("node {node} of the tree {title} leads to node {to}; {why}")]
    BadNode {
        /// The tree.
        title: String,
        /// Where the split is.
        node: usize,
        /// Where it leads.
        to: usize,
        /// What is wrong with that.
        why: &'static str,
    },
    /// It has no nodes, or would be too large.
    #[error(transparent)]
    Figure(#[from] FigureError),
}

/// Splits drawn below each other where nothing else is asked: 8 leaves at most side by side.
pub const TREE_DEPTH: usize = 3;
