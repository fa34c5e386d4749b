//! Models made of a function of one row, and how they are explained.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use xbench_explainers_perturbation::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestHost, TestModel};
use xbench_plugin::{
    Context, Flags, Meta, Model, ModelSpec, NoParams, OutputKind, Plugin, Pullback, Result, Tensor,
    TensorRef, Vjp, Wrt, test_model,
};

/// Outputs of a row.
pub(crate) type Function = fn(&[f32]) -> Vec<f64>;

/// A function as a model; its gradients are central differences, of functions that are smooth.
pub(crate) struct Of {
    spec: ModelSpec,
    function: Function,
    asked: Arc<AtomicUsize>,
}

/// A model and how many rows it was asked for.
pub(crate) struct Subject {
    pub(crate) model: TestModel,
    pub(crate) shape: Vec<usize>,
    asked: Arc<AtomicUsize>,
}

/// The function of rows of this shape, with outputs of this kind.
pub(crate) fn subject(shape: &[usize], kind: OutputKind, function: Function) -> Subject {
    let asked = Arc::new(AtomicUsize::new(0));
    let outputs = function(&vec![0.5; shape.iter().product()]).len();
    let of = Of {
        spec: ModelSpec {
            input_shape: shape.to_vec(),
            layout: if shape.len() == 3 {
                c"nchw"
            } else {
                c"tabular"
            },
            outputs,
            output_kind: kind,
        },
        function,
        asked: Arc::clone(&asked),
    };
    Subject {
        model: test_model!(of, Of: Vjp).expect("a sound model"),
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

impl Plugin for Of {
    const META: Meta = Meta {
        id: c"org.xbench.test.function",
        name: c"A function",
        version: c"1.0.0",
        license: c"MIT",
        citation: c"none",
        summary: c"A function of a row.",
        flags: Flags::NONE,
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Err(xbench_plugin::Error::unimplemented("made by the test"))
    }
}

impl Model for Of {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, _ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        self.asked.fetch_add(x.rows(), Ordering::Relaxed);
        for (row, out) in outputs.chunks_exact_mut(self.spec.outputs).enumerate() {
            for (out, y) in out.iter_mut().zip((self.function)(x.row(row))) {
                *out = y as f32;
            }
        }
        Ok(())
    }
}

impl Vjp for Of {
    fn vjp(
        &self,
        _ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        _wrt: Wrt<'_>,
        _want_activation: bool,
    ) -> Result<Pullback> {
        const STEP: f32 = 1.0 / 256.0;
        self.asked.fetch_add(x.rows(), Ordering::Relaxed);
        let mut gradient = Vec::with_capacity(x.data().len());
        for row in 0..x.rows() {
            let mut at = x.row(row).to_vec();
            let dy = output_gradient.row(row);
            for i in 0..at.len() {
                let value = at[i];
                let mut sum = |sign: f32| -> f64 {
                    at[i] = value + sign * STEP;
                    let y = (self.function)(&at);
                    y.iter().zip(dy).map(|(y, &dy)| y * f64::from(dy)).sum()
                };
                let difference = sum(1.0) - sum(-1.0);
                at[i] = value;
                gradient.push((difference / f64::from(2.0 * STEP)) as f32);
            }
        }
        Ok(Pullback {
            activation: None,
            gradient: Tensor::new(x.shape().to_vec(), gradient)?,
        })
    }
}
