//! Own time per image of Grad-CAM, Score-CAM, Ablation-CAM and EigenCAM: a model that answers with
//! numbers it has at hand, so that next to nothing of what is measured is the model's.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xbench_explainers_cam::xbench_entry_v1 as entry;
use xbench_plugin::testing::TestHost;
use xbench_plugin::{
    Context, Flags, ForwardFrom, LayerSpec, Layers, Meta, Model, ModelSpec, NoParams, OutputKind,
    Plugin, Pullback, Result, Tensor, TensorRef, Vjp, Wrt, test_model,
};

const OUTPUTS: usize = 10;

/// A last convolution of `maps` maps, and nothing to work out.
struct AtHand {
    spec: ModelSpec,
    layers: Vec<LayerSpec>,
    values: Vec<f32>,
}

impl AtHand {
    fn new(input: [usize; 3], layer: [usize; 3]) -> Self {
        Self {
            spec: ModelSpec {
                input_shape: input.to_vec(),
                layout: c"nchw",
                outputs: OUTPUTS,
                output_kind: OutputKind::Logits,
            },
            layers: vec![LayerSpec {
                name: "conv".to_owned(),
                op: "conv2d".to_owned(),
                shape: layer.to_vec(),
            }],
            values: (0..layer.iter().product())
                .map(|i: usize| (i as f32 * 0.7).sin().max(0.0))
                .collect(),
        }
    }

    fn layer(&self, rows: usize) -> Result<Tensor> {
        let shape: Vec<usize> = std::iter::once(rows)
            .chain(self.layers[0].shape.iter().copied())
            .collect();
        Tensor::new(shape, self.values.repeat(rows))
    }
}

/// One read of each row, so that the rows have to be there.
fn answer(x: TensorRef<'_>, outputs: &mut [f32]) {
    for (row, out) in outputs.chunks_exact_mut(OUTPUTS).enumerate() {
        out.fill(x.row(row)[0]);
    }
}

impl Plugin for AtHand {
    const META: Meta = Meta {
        id: c"org.xbench.test.at-hand",
        name: c"Model at hand",
        version: c"1.0.0",
        license: c"MIT",
        citation: c"none",
        summary: c"Answers at once.",
        flags: Flags::NONE,
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self::new([1, 28, 28], [64, 3, 3]))
    }
}

impl Model for AtHand {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, _ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        answer(x, outputs);
        Ok(())
    }
}

impl Layers for AtHand {
    fn layers(&self) -> &[LayerSpec] {
        &self.layers
    }

    fn activation(&self, _ctx: &Context<'_>, x: TensorRef<'_>, _layer: &str) -> Result<Tensor> {
        self.layer(x.rows())
    }
}

impl Vjp for AtHand {
    fn vjp(
        &self,
        _ctx: &Context<'_>,
        x: TensorRef<'_>,
        _output_gradient: TensorRef<'_>,
        _wrt: Wrt<'_>,
        _want_activation: bool,
    ) -> Result<Pullback> {
        Ok(Pullback {
            activation: Some(self.layer(x.rows())?),
            gradient: self.layer(x.rows())?,
        })
    }
}

impl ForwardFrom for AtHand {
    fn forward_from(
        &self,
        _ctx: &Context<'_>,
        _layer: &str,
        value: TensorRef<'_>,
        outputs: &mut [f32],
    ) -> Result<()> {
        answer(value, outputs);
        Ok(())
    }
}

fn explain(criterion: &mut Criterion) {
    let host = TestHost::new(&entry).expect("an entry of this version");
    // The study's network on 28 pixels, and a ResNet's last layer on 224.
    for (name, rows, input, layer) in [
        ("1x28x28, 64x3x3", 100, [1, 28, 28], [64, 3, 3]),
        ("3x224x224, 512x7x7", 4, [3, 224, 224], [512, 7, 7]),
    ] {
        let model = test_model!(AtHand::new(input, layer), AtHand: Layers, Vjp, ForwardFrom)
            .expect("a sound model");
        let shape = [rows, input[0], input[1], input[2]];
        let x: Vec<f32> = (0..shape.iter().product())
            .map(|i: usize| (i as f32 * 0.37).sin())
            .collect();
        let x = TensorRef::new(&shape, &x).expect("fits");
        let (target, seed) = (vec![3; rows], vec![0; rows]);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(rows as u64));
        group.sample_size(10);
        for id in ["gradcam", "scorecam", "ablation-cam", "eigencam"] {
            let explainer = host
                .explainer(&format!("org.xbench.{id}"), "{}")
                .expect("defaults");
            group.bench_function(id, |b| {
                b.iter(|| {
                    explainer
                        .explain(&model, black_box(x), &target, &seed, None)
                        .expect("explains")
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, explain);
criterion_main!(benches);
