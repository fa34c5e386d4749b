//! Models made of a function of one row, and how they are explained.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use xbench_explainers_perturbation::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestHost, TestModel};
use xbench_plugin::{OutputKind, Result, TensorRef};

/// Outputs of a row.
pub(crate) type Function = fn(&[f32]) -> Vec<f64>;

/// A model and how many rows it was asked for.
pub(crate) struct Subject {
    pub(crate) model: TestModel,
    pub(crate) shape: Vec<usize>,
    asked: Arc<AtomicUsize>,
}

/// The function of rows of this shape, with outputs of this kind; its gradients are central
/// differences, of functions that are smooth.
pub(crate) fn subject(shape: &[usize], kind: OutputKind, function: Function) -> Subject {
    const STEP: f32 = 1.0 / 256.0;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let count = move || counter.fetch_add(1, Ordering::Relaxed);
    let outputs = function(&vec![0.5; shape.iter().product()]).len();
    let model = TestModel::differentiable(
        shape,
        outputs,
        kind,
        {
            let count = count.clone();
            move |x, y| {
                count();
                for (y, value) in y.iter_mut().zip(function(x)) {
                    *y = value as f32;
                }
            }
        },
        move |x, dy, dx| {
            count();
            let mut at = x.to_vec();
            for (i, dx) in dx.iter_mut().enumerate() {
                let mut sum = |sign: f32| -> f64 {
                    at[i] = x[i] + sign * STEP;
                    let y = function(&at);
                    y.iter().zip(dy).map(|(y, &dy)| y * f64::from(dy)).sum()
                };
                let difference = sum(1.0) - sum(-1.0);
                at[i] = x[i];
                *dx = (difference / f64::from(2.0 * STEP)) as f32;
            }
        },
    );
    Subject {
        model: model.expect("a sound model"),
        shape: shape.to_vec(),
        asked,
    }
}

/// Logits of this function.
pub(crate) fn logits(shape: &[usize], function: Function) -> Subject {
    subject(shape, OutputKind::Logits, function)
}

impl Subject {
    /// Attributions of rows for target 0, one seed per row.
    pub(crate) fn explain(
        &self,
        id: &str,
        params: &str,
        x: &[f32],
        seeds: &[u64],
    ) -> Result<Vec<f32>> {
        let host = TestHost::new(&entry).expect("well formed");
        let explainer = host.explainer(&format!("org.xbench.{id}"), params)?;
        let mut shape = vec![seeds.len()];
        shape.extend(&self.shape);
        let x = TensorRef::new(&shape, x)?;
        let map = explainer.explain(&self.model, x, &vec![0; seeds.len()], seeds, None)?;
        assert!(map.data().iter().all(|value| value.is_finite()));
        Ok(map.into_data())
    }

    /// The attributions, which there are.
    pub(crate) fn map(&self, id: &str, params: &str, x: &[f32], seeds: &[u64]) -> Vec<f32> {
        self.explain(id, params, x, seeds)
            .unwrap_or_else(|error| panic!("{id} {params}: {error}"))
    }

    /// Why it is refused.
    pub(crate) fn refusal(&self, id: &str, params: &str, x: &[f32]) -> String {
        match self.explain(id, params, x, &[0]) {
            Ok(_) => panic!("{id} {params} succeeded"),
            Err(error) => error.message().to_owned(),
        }
    }

    /// Rows asked for since the last call.
    pub(crate) fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}
