//! Own time per image of the predicted mask: a model whose mask is the image.

use std::hint::black_box;

use cpu_time::ThreadTime;
use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use xbench_explainers_segmentation::xbench_entry_v1 as entry;
use xbench_plugin::testing::TestHost;
use xbench_plugin::{
    Context, Flags, Meta, Model, ModelSpec, NoParams, OutputKind, Plugin, Result, Segment, Tensor,
    TensorRef, test_model,
};

const IMAGES: usize = 20;

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

/// Takes the first channel for the object.
struct Mirror(ModelSpec);

impl Mirror {
    fn new(channels: usize, side: usize) -> Self {
        Self(ModelSpec {
            input_shape: vec![channels, side, side],
            layout: c"nchw",
            outputs: 2,
            output_kind: OutputKind::Logits,
        })
    }
}

impl Plugin for Mirror {
    const META: Meta = Meta {
        id: c"org.xbench.bench.mirror",
        name: c"Mirror",
        version: c"1.0.0",
        license: c"MIT",
        citation: c"none",
        summary: c"Costs nothing.",
        flags: Flags::NONE,
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self::new(1, 28))
    }
}

impl Model for Mirror {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn predict(&self, _: &Context<'_>, _: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        outputs.fill(0.0);
        Ok(())
    }
}

impl Segment for Mirror {
    fn segment(&self, _: &Context<'_>, x: TensorRef<'_>) -> Result<Tensor> {
        let &[rows, _, height, width] = x.shape() else {
            return Tensor::new(vec![0], Vec::new());
        };
        let masks = (0..rows).flat_map(|row| &x.row(row)[..height * width]);
        Tensor::new(vec![rows, height, width], masks.copied().collect())
    }
}

fn own_time(criterion: &mut Criterion) {
    let host = TestHost::new(&entry).expect("an entry of this version");
    let explainer = host
        .explainer("org.xbench.segmentation", "{}")
        .expect("no parameters");
    let mut group = criterion.benchmark_group("predicted mask, own time");
    group.throughput(Throughput::Elements(IMAGES as u64));
    for (channels, side) in [(1, 28), (3, 64)] {
        let model = test_model!(Mirror::new(channels, side), Mirror: Segment).expect("sound");
        let len = IMAGES * channels * side * side;
        let x: Vec<f32> = (0..len).map(|i| (i % 97) as f32 / 97.0).collect();
        let shape = [IMAGES, channels, side, side];
        let x = TensorRef::new(&shape, &x).expect("images");
        let name = format!("{channels}x{side}x{side}");
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            cpu(b, || {
                let map = explainer.explain(&model, black_box(x), &[0; IMAGES], &[1; IMAGES], None);
                map.expect("explained")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, own_time);
criterion_main!(benches);
