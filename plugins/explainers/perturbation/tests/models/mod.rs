//! Models whose answer to a covered window is known by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use xbench_plugin::testing::TestModel;
use xbench_plugin::{
    Context, Flags, Meta, Model, ModelSpec, NoParams, OutputKind, Plugin, Result, TensorRef,
    test_model,
};

use crate::harness::Tested;

/// Channels, height and width of the input.
pub(crate) const INPUT: [usize; 3] = [2, 5, 7];
/// Features of a row.
pub(crate) const FEATURES: usize = 70;
/// Outputs of all models.
pub(crate) const OUTPUTS: usize = 3;

/// Weight of a feature in an output of the linear models.
pub(crate) fn weight(output: usize, feature: usize) -> f64 {
    f64::from((((output * 37 + feature * 101 + 11) as f64 * 0.618).sin() * 0.3) as f32)
}

/// The linear outputs of one row.
pub(crate) fn linear(x: &[f32]) -> [f64; OUTPUTS] {
    std::array::from_fn(|k| {
        let sum: f64 = x
            .iter()
            .enumerate()
            .map(|(i, &x)| weight(k, i) * f64::from(x))
            .sum();
        sum + k as f64
    })
}

/// The softmax of the linear outputs.
pub(crate) fn softmax(x: &[f32]) -> [f64; OUTPUTS] {
    let powers = linear(x).map(f64::exp);
    powers.map(|p| p / powers.iter().sum::<f64>())
}

macro_rules! model {
    ($name:ident, $doc:literal, $id:literal, $kind:ident, $outputs:expr) => {
        #[doc = $doc]
        pub(crate) struct $name(ModelSpec);

        impl Plugin for $name {
            const META: Meta = Meta {
                id: $id,
                name: $id,
                version: c"1.0.0",
                license: c"MIT",
                citation: c"none",
                summary: c"A model worked out by hand.",
                flags: Flags::NONE,
                max_batch: 0,
            };
            type Params = NoParams;

            fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
                Ok(Self::new())
            }
        }

        impl $name {
            fn new() -> Self {
                Self(ModelSpec {
                    input_shape: INPUT.to_vec(),
                    layout: c"nchw",
                    outputs: OUTPUTS,
                    output_kind: OutputKind::$kind,
                })
            }
        }

        impl Tested for $name {
            fn tested() -> TestModel {
                test_model!(Self::new(), $name).expect("a sound model")
            }
        }

        impl Model for $name {
            fn spec(&self) -> &ModelSpec {
                &self.0
            }

            fn predict(
                &self,
                _ctx: &Context<'_>,
                x: TensorRef<'_>,
                outputs: &mut [f32],
            ) -> Result<()> {
                for (row, out) in outputs.chunks_exact_mut(OUTPUTS).enumerate() {
                    out.copy_from_slice(&$outputs(x.row(row)).map(|y| y as f32));
                }
                Ok(())
            }
        }
    };
}

model!(
    Logits,
    "Linear logits.",
    c"org.xbench.test.logits",
    Logits,
    linear
);
model!(
    Shares,
    "The probabilities of the same logits.",
    c"org.xbench.test.shares",
    Probabilities,
    softmax
);
model!(
    Numbers,
    "The same outputs, meant as numbers.",
    c"org.xbench.test.numbers",
    Values,
    linear
);

/// The linear logits, and how many rows were asked for.
pub(crate) struct Counting {
    inner: Logits,
    rows: Arc<AtomicUsize>,
}

impl Counting {
    /// The model and its counter.
    pub(crate) fn tested() -> (TestModel, Arc<AtomicUsize>) {
        let rows = Arc::new(AtomicUsize::new(0));
        let model = Self {
            inner: Logits::new(),
            rows: Arc::clone(&rows),
        };
        (test_model!(model, Counting).expect("a sound model"), rows)
    }
}

impl Plugin for Counting {
    const META: Meta = Meta {
        id: c"org.xbench.test.counting",
        ..Logits::META
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self {
            inner: Logits::new(),
            rows: Arc::default(),
        })
    }
}

impl Model for Counting {
    fn spec(&self) -> &ModelSpec {
        self.inner.spec()
    }

    fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        self.rows.fetch_add(x.rows(), Ordering::Relaxed);
        self.inner.predict(ctx, x, outputs)
    }
}
