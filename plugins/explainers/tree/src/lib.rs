//! Explainers of tree ensembles: Tree SHAP with its interaction values, the importances that trees
//! carry themselves, and permutation importance.
//!
//! # Tree SHAP by quadrature
//!
//! A leaf of value v asks for d distinct features on its path. For each, o is 1 where the row
//! satisfies all of the path's questions about it and else 0; z is what takes its place where the
//! feature is unknown: the share of training weight that satisfies them (Lundberg's path-dependent
//! expectation), or 1 or 0 as a background row does. With a set S known, the leaf adds v times the
//! product of o over S and of z over the rest, and the Shapley value of feature i in that game is,
//! by Owen's multilinear extension (1972),
//!
//! ```text
//! v (o_i - z_i) ∫ over t from 0 to 1 of the product over k ≠ i of f_k(t),  f_k(t) = t o_k + (1 - t) z_k
//! ```
//!
//! a polynomial of degree d - 1 in t, which Gauss and Legendre's rule integrates exactly at ⌈d / 2⌉
//! points. The points being independent, a walk over the tree carries the product of the factors down
//! and the sum over the leaves up, at constant cost per edge and point (as Yu et al. 2022 do with
//! polynomials); all weights are positive, so that nothing is lost at any depth. Eight rows walk
//! together, one in each lane of a vector, and leave no trace in each other's results.
//!
//! The sum over j of the interaction values of i and j has the same form with a factor
//! d/dt below the integral, since f_k' = o_k - z_k.
//!
//! # Units
//!
//! Attributions explain the model's own output, as the ensemble adds it up: logits of a booster,
//! probabilities of a forest.

mod explainer;
mod importance;
mod interactions;
mod kernel;
mod permutation;
mod quadrature;
mod tree;
mod tree_shap;

pub use explainer::{TreeShapExplainer, TreeShapParams};
pub use importance::{TreeImportance, TreeImportanceParams};
pub use permutation::{PermutationImportance, PermutationImportanceParams};
pub use tree_shap::{Effect, TreeShap};

xbench_plugin::export! {
    explainer TreeShapExplainer;
    explainer TreeImportance;
    explainer PermutationImportance;
}
