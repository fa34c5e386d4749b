//! Support vector classification with a radial kernel, after libsvm.
//!
//! [`Svm`] is the C-support vector machine of Cortes and Vapnik (1995) with the kernel
//! K(x, z) = exp(−γ‖x − z‖²), one machine for each pair of classes, with the semantics of libsvm
//! (Chang and Lin, "LIBSVM: A Library for Support Vector Machines", 2011): the same dual problem
//! solved to the same stopping rule, decisions of pairs, majority vote, and probabilities after
//! Platt (2000) coupled by the second method of Wu, Lin and Weng (2004).
//!
//! - [`Svm::fit`] solves the pairs one by one, several at a time, and can go on from the
//!   [`PairStates`] of an interrupted call.
//! - [`Svm::decision_values`], [`Svm::votes`], [`Svm::predict`] and [`Svm::probabilities`] take
//!   any number of rows; row `i` of a result has the same bits in any batch and for any number of
//!   threads.
//! - [`Svm::decision_gradient`] and [`Svm::probability_gradient`] are their exact derivatives.
//! - [`Svm::outputs`] and [`Svm::output_gradient`] give either probabilities or scores of the
//!   classes made of decisions, as [`Readout`] says.
//! - [`Svm::save`] and [`Svm::load`] keep a machine in the safetensors format;
//!   [`Svm::write`] and [`Svm::read`] put it next to other tensors.
//!
//! Kernel values are f32, as in libsvm; everything that is summed over a training is f64.

mod cache;
mod coupling;
mod error;
mod exp;
mod folds;
mod gradient;
mod model;
mod pair;
mod panels;
mod platt;
mod readout;
mod settings;
mod smo;
mod states;
mod store;
mod train;

pub use error::{Stop, SvmError};
pub use model::Svm;
pub use readout::Readout;
pub use settings::{Calibration, Gamma, SvmSettings};
pub use states::PairStates;
pub use store::{StoredTensor, SupportRows};
pub use train::{Problem, Progress};

/// Number of pairs of `classes` classes.
#[must_use]
pub const fn pair_count(classes: usize) -> usize {
    classes * classes.saturating_sub(1) / 2
}

/// Place of the pair `(a, b)`, `a < b`, in the order (0, 1), (0, 2), …, (1, 2), ….
#[must_use]
pub const fn pair_index(a: usize, b: usize, classes: usize) -> usize {
    a * (2 * classes - a - 1) / 2 + b - a - 1
}

/// All pairs `(a, b)`, `a < b`, in order.
pub(crate) fn pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |a| (a + 1..classes).map(move |b| (a, b)))
}
