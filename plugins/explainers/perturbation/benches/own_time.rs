//! What the methods themselves cost per 28x28 image: the model is a sum, so that the time is that of
//! making the copies and reading the outcomes. Settings as in the comparison with other libraries
//! (occlusion: 49 windows of 4x4), else the defaults. What is measured is the thread's CPU time, so
//! that a machine with other work gives the same figures.

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use xbench_explainers_perturbation::{dependence, xbench_entry_v1};
use xbench_plugin::testing::{TestHost, TestModel};
use xbench_plugin::{
    Context, Flags, Meta, Model, ModelSpec, NoParams, OutputKind, Plugin, Pullback, Result, Tensor,
    TensorRef, Vjp, Wrt, test_model,
};

const IMAGES: usize = 8;
const PIXELS: usize = 784;

/// Sums every 98th pixel; next to nothing beside the copy of an image.
struct Sum(ModelSpec);

impl Plugin for Sum {
    const META: Meta = Meta {
        id: c"org.xbench.bench.sum",
        name: c"Sum",
        version: c"1.0.0",
        license: c"MIT",
        citation: c"none",
        summary: c"A model that costs nothing.",
        flags: Flags::NONE,
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self::new())
    }
}

impl Sum {
    fn new() -> Self {
        Self(ModelSpec {
            input_shape: vec![1, 28, 28],
            layout: c"nchw",
            outputs: 10,
            output_kind: OutputKind::Logits,
        })
    }
}

impl Model for Sum {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn predict(&self, _: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        for (row, out) in x
            .data()
            .chunks_exact(PIXELS)
            .zip(outputs.chunks_exact_mut(10))
        {
            out[0] = row.iter().step_by(98).sum();
        }
        Ok(())
    }
}

impl Vjp for Sum {
    fn vjp(
        &self,
        _: &Context<'_>,
        x: TensorRef<'_>,
        _: TensorRef<'_>,
        _: Wrt<'_>,
        _: bool,
    ) -> Result<Pullback> {
        let gradient = (0..x.data().len())
            .map(|i| f32::from(u8::from(i % 98 == 0)))
            .collect();
        Ok(Pullback {
            activation: None,
            gradient: Tensor::new(x.shape().to_vec(), gradient)?,
        })
    }
}

fn model() -> TestModel {
    test_model!(Sum::new(), Sum: Vjp).expect("well formed")
}

fn own_time(criterion: &mut Criterion) {
    let host = TestHost::new(&xbench_entry_v1).expect("well formed");
    let model = model();
    let x: Vec<f32> = (0..IMAGES * PIXELS)
        .map(|i| ((i * 7919 % 1009) as f32 + 1.0) / 1009.0)
        .collect();
    let x = TensorRef::new(&[IMAGES, 1, 28, 28], &x).expect("fits");
    let seeds: Vec<u64> = (0..IMAGES as u64).collect();
    let mut group = criterion.benchmark_group("own time of 8 images");
    group.throughput(Throughput::Elements(IMAGES as u64));
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    for (id, params) in [
        ("occlusion", "{}"),
        ("feature-ablation", r#"{"segmentation": "slic"}"#),
        ("rise", "{}"),
        ("sobol", "{}"),
        ("hsic", "{}"),
        ("extremal-perturbation", r#"{"areas": [0.1]}"#),
    ] {
        let explainer = host
            .explainer(&format!("org.xbench.{id}"), params)
            .expect("good parameters");
        group.bench_function(BenchmarkId::from_parameter(id), |bencher| {
            bencher.iter_custom(|rounds| {
                let start = ThreadTime::now();
                for _ in 0..rounds {
                    let map = explainer.explain(&model, black_box(x), &[0; IMAGES], &seeds, None);
                    black_box(map.expect("explained"));
                }
                start.elapsed()
            });
        });
    }
    group.finish();

    let left: Vec<bool> = (0..500 * 49).map(|i| i * 7919 % 1009 < 504).collect();
    let outcomes: Vec<f64> = (0..500).map(|i| f64::from(i * 37 % 101).sin()).collect();
    criterion.bench_function("HSIC of 49 cells, 500 masks", |bencher| {
        bencher.iter_custom(|rounds| {
            let start = ThreadTime::now();
            for _ in 0..rounds {
                black_box(dependence(black_box(&left), black_box(&outcomes)));
            }
            start.elapsed()
        });
    });
}

criterion_group!(benches, own_time);
criterion_main!(benches);
