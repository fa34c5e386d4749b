//! A proxy of f₂(x′) = f(x′ − c): the same model, whose inputs lie elsewhere.

#![expect(unsafe_code, reason = "reads what explainers and models describe")]

use std::cell::OnceCell;

use xbench_abi::{DLDataType, xb_tensor, xb_tree_ensemble};
use xbench_plugin::TreeEnsemble;

use super::State;
use crate::error::Fault;
use crate::tensor::{Lent, gather};

/// By how much a proxy's inputs are shifted, with what depends on it.
#[derive(Debug, Default)]
pub(super) struct Shift {
    pub(super) by: f32,
    /// Thresholds of the model's trees as shifted rows meet them.
    thresholds: OnceCell<Vec<f32>>,
}

impl Shift {
    pub(super) fn new(by: f32) -> Self {
        Self {
            by,
            thresholds: OnceCell::new(),
        }
    }
}

/// An explainer's rows as the model sees them.
pub(super) struct Seen<'t> {
    given: &'t xb_tensor,
    /// Shifted rows, and the tensor over them.
    moved: Option<(Vec<f32>, Lent)>,
}

impl Seen<'_> {
    pub(super) fn tensor(&self) -> &xb_tensor {
        match &self.moved {
            Some((_, lent)) => lent.tensor(),
            None => self.given,
        }
    }
}

impl State<'_> {
    /// The rows with the shift taken away; without one they are handed on as they are.
    ///
    /// # Safety
    ///
    /// `x` passed [`State::rows`] as `rows` rows of the model's input and outlives the result.
    pub(super) unsafe fn seen<'t>(&self, x: *const xb_tensor, rows: usize) -> Seen<'t> {
        // SAFETY: by this function's contract.
        let given = unsafe { &*x };
        if self.shift.by == 0.0 {
            return Seen { given, moved: None };
        }
        // SAFETY: as above.
        let mut values: Vec<f32> = unsafe { gather(given) };
        values.iter_mut().for_each(|value| *value -= self.shift.by);
        let shape: Vec<usize> = std::iter::once(rows)
            .chain(self.model.spec().input_shape.iter().copied())
            .collect();
        // The memory of a vector stays where it is when the vector moves.
        let lent = Lent::new(values.as_mut_ptr().cast(), DLDataType::F32, &shape);
        Seen {
            given,
            moved: Some((values, lent)),
        }
    }

    /// The model's trees, which compare x′ with t + c where those of the model compare x′ − c
    /// with t.
    pub(super) fn shifted_trees(&self, trees: xb_tree_ensemble) -> Result<xb_tree_ensemble, Fault> {
        if self.shift.by == 0.0 {
            return Ok(trees);
        }
        let thresholds = match self.shift.thresholds.get() {
            Some(known) => known,
            None => {
                // SAFETY: the model filled it, and is not changed while its proxy lives.
                let known = unsafe { TreeEnsemble::from_abi(&trees) }
                    .map_err(|error| Fault::contract(error.message().to_owned()))?;
                self.shift
                    .thresholds
                    .get_or_init(|| moved(&known, self.shift.by))
            }
        };
        Ok(xb_tree_ensemble {
            threshold: thresholds.as_ptr(),
            ..trees
        })
    }
}

/// Thresholds of inner nodes, moved; leaves compare nothing.
fn moved(trees: &TreeEnsemble, by: f32) -> Vec<f32> {
    let nodes = trees.threshold.iter().zip(&trees.feature);
    nodes
        .map(|(&threshold, &feature)| threshold + if feature < 0 { 0.0 } else { by })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_compare_shifted_rows_as_the_model_compares_its_own() {
        // x₁ < ½: left, else right.
        let mut trees = TreeEnsemble {
            num_features: 2,
            num_outputs: 1,
            base: vec![0.0],
            roots: vec![0],
            tree_output: vec![0],
            feature: vec![1, -1, -1],
            threshold: vec![0.5, 0.0, 0.0],
            strict: true,
            left: vec![1, 0, 0],
            right: vec![2, 0, 0],
            default_left: vec![0; 3],
            cover: vec![2.0, 1.0, 1.0],
            gain: vec![1.0, 0.0, 0.0],
            value: vec![0.0, -1.0, 1.0],
        };
        let side = |trees: &TreeEnsemble, x: f32| x < trees.threshold[0];
        let own: Vec<bool> = [0.0, 0.25, 0.5, 0.75].map(|x| side(&trees, x)).to_vec();
        assert_eq!(own, [true, true, false, false]);
        for by in [-1.0, 0.5, 4.0] {
            let mut shifted = trees.clone();
            shifted.threshold = moved(&trees, by);
            assert_eq!(shifted.threshold[1..], [0.0, 0.0]);
            let there: Vec<bool> = [0.0, 0.25, 0.5, 0.75]
                .map(|x| side(&shifted, x + by))
                .to_vec();
            assert_eq!(there, own);
        }
        trees.threshold = moved(&trees, -1.0);
        assert_eq!(trees.threshold, [-0.5, 0.0, 0.0]);
    }
}
