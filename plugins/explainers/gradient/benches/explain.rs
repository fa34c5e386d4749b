//! Own time per image of the methods that need many gradients: a model that answers with the input
//! itself, so that next to nothing of what is measured is the model's.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xbench_explainers_gradient::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestBatch, TestHost};
use xbench_plugin::{
    BackwardRule, Context, Flags, Meta, Model, ModelSpec, ModifiedVjp, NoParams, OutputKind,
    Plugin, Pullback, Result, TensorRef, Vjp, Wrt, test_model,
};

const OUTPUTS: usize = 10;
const SHAPE: [usize; 4] = [20, 1, 28, 28];

/// Its gradient is its input.
struct Mirror(ModelSpec);

impl Mirror {
    fn new() -> Self {
        Self(ModelSpec {
            input_shape: SHAPE[1..].to_vec(),
            layout: c"nchw",
            outputs: OUTPUTS,
            output_kind: OutputKind::Logits,
        })
    }
}

impl Plugin for Mirror {
    const META: Meta = Meta {
        id: c"org.xbench.test.mirror",
        name: c"Mirror",
        version: c"1.0.0",
        license: c"MIT",
        citation: c"none",
        summary: c"Answers at once.",
        flags: Flags::NONE,
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self::new())
    }
}

impl Model for Mirror {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn predict(&self, _ctx: &Context<'_>, _x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        outputs.fill(1.0);
        Ok(())
    }
}

impl Vjp for Mirror {
    fn vjp(
        &self,
        _ctx: &Context<'_>,
        x: TensorRef<'_>,
        _output_gradient: TensorRef<'_>,
        _wrt: Wrt<'_>,
        _want_activation: bool,
    ) -> Result<Pullback> {
        Ok(Pullback {
            activation: None,
            gradient: x.to_tensor(),
        })
    }
}

impl ModifiedVjp for Mirror {
    fn rules(&self) -> Vec<String> {
        vec!["deeplift".to_owned(), "lrp_composite".to_owned()]
    }

    fn modified_vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        _rule: BackwardRule<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        self.vjp(ctx, x, output_gradient, wrt, want_activation)
    }
}

fn explain(criterion: &mut Criterion) {
    let host = TestHost::new(&entry).expect("an entry of this version");
    let model = test_model!(Mirror::new(), Mirror: Vjp, ModifiedVjp).expect("a sound model");
    let numbers = |count: usize, step: f32| -> Vec<f32> {
        (0..count).map(|i| (i as f32 * step).sin()).collect()
    };
    let [rows, _, height, width] = SHAPE;
    let x = numbers(rows * height * width, 0.37);
    let background = numbers(50 * height * width, 0.53);
    let batch = TestBatch {
        x: TensorRef::new(&SHAPE, &x).expect("fits"),
        target: &[3; SHAPE[0]],
        seed: &[7; SHAPE[0]],
        mask: None,
        background: Some(TensorRef::new(&[50, 1, 28, 28], &background).expect("fits")),
    };
    let mut group = criterion.benchmark_group("1x28x28");
    group.throughput(Throughput::Elements(rows as u64));
    group.sample_size(10);
    for id in [
        "gradient",
        "ig",
        "smoothgrad",
        "expected-gradients",
        "lrp",
        "deeplift",
        "deepshap",
    ] {
        let explainer = host
            .explainer(&format!("org.xbench.{id}"), "{}")
            .expect("defaults");
        group.bench_function(id, |b| {
            b.iter(|| {
                explainer
                    .explain_batch(&model, black_box(&batch))
                    .expect("explains")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, explain);
criterion_main!(benches);
