//! LIME's own time: a 28x28 image of 49 cells, 1000 samples, and a model that costs nothing.

use std::hint::black_box;

use cpu_time::ThreadTime;
use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use xbench_explainers_lime::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestBatch, TestHost};
use xbench_plugin::{
    Context, Flags, Meta, Model, ModelSpec, NoParams, OutputKind, Plugin, Result, TensorRef,
    test_model,
};

/// Measures the thread's CPU time, so that a machine with other work gives the same figures.
fn cpu<T>(bench: &mut Bencher<'_>, mut job: impl FnMut() -> T) {
    bench.iter_custom(|rounds| {
        let start = ThreadTime::now();
        for _ in 0..rounds {
            black_box(job());
        }
        start.elapsed()
    });
}

/// The first pixel.
struct Free(ModelSpec);

impl Plugin for Free {
    const META: Meta = Meta {
        id: c"org.xbench.bench.free",
        name: c"Free",
        version: c"1.0.0",
        license: c"MIT",
        citation: c"none",
        summary: c"Costs nothing.",
        flags: Flags::NONE,
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self(ModelSpec {
            input_shape: vec![1, 28, 28],
            layout: c"nchw",
            outputs: 10,
            output_kind: OutputKind::Logits,
        }))
    }
}

impl Model for Free {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn predict(&self, _: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        for (row, out) in outputs.chunks_exact_mut(10).enumerate() {
            out.fill(x.row(row)[400]);
        }
        Ok(())
    }
}

fn own_time(criterion: &mut Criterion) {
    let host = TestHost::new(&entry).expect("an entry of this version");
    let spec = ModelSpec {
        input_shape: vec![1, 28, 28],
        layout: c"nchw",
        outputs: 10,
        output_kind: OutputKind::Logits,
    };
    let model = test_model!(Free(spec), Free).expect("a sound model");
    let x: Vec<f32> = (0..784).map(|i| 1.0 + (i % 7) as f32).collect();
    let shape = [1, 1, 28, 28];
    let batch = TestBatch {
        x: TensorRef::new(&shape, &x).expect("an image"),
        target: &[0],
        seed: &[1],
        mask: None,
        background: Some(TensorRef::new(&shape, &x).expect("an image")),
    };
    let mut group = criterion.benchmark_group("one 28x28 image, own time");
    for params in [
        "{}",
        r#"{"selection": "forward"}"#,
        r#"{"selection": "lasso_path"}"#,
    ] {
        let explainer = host
            .explainer("org.xbench.lime", params)
            .expect("an explainer");
        group.bench_function(format!("lime {params}"), |b| {
            cpu(b, || {
                black_box(explainer.explain_batch(&model, &batch).expect("explained"))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, own_time);
criterion_main!(benches);
