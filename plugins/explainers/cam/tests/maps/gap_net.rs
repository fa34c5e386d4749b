//! A network that ends in global average pooling and a linear layer, worked out by hand in f64.

use xbench_plugin::testing::TestModel;
use xbench_plugin::{
    Context, Error, Flags, LayerSpec, Layers, Linear, LinearHead, Meta, Model, ModelSpec, NoParams,
    OutputKind, Plugin, Pullback, Result, Tensor, TensorRef, Vjp, Wrt, test_model,
};

use crate::harness::Tested;

/// Channels and side of the input.
pub(crate) const CHANNELS: usize = 2;
/// Side of the square input.
pub(crate) const SIDE: usize = 6;
/// Feature maps.
pub(crate) const MAPS: usize = 3;
/// Side of a feature map.
pub(crate) const MAP_SIDE: usize = 4;
/// Units of a feature map.
pub(crate) const UNITS: usize = MAP_SIDE * MAP_SIDE;
/// Outputs.
pub(crate) const OUTPUTS: usize = 4;

fn number(a: usize, b: usize) -> f32 {
    ((a * 37 + b * 101 + 11) as f64 * 0.618).sin() as f32
}

/// Weight of a map in an output.
pub(crate) fn head_weight(output: usize, map: usize) -> f32 {
    number(output + 200, map)
}

/// Bias of an output.
pub(crate) fn head_bias(output: usize) -> f32 {
    number(output + 300, 5)
}

/// 3x3 valid convolution with ReLU, then the mean of each map, then a linear layer.
pub(crate) struct GapNet {
    spec: ModelSpec,
    layers: Vec<LayerSpec>,
}

impl GapNet {
    fn new() -> Self {
        let layer = |name: &str, op: &str, shape: &[usize]| LayerSpec {
            name: name.to_owned(),
            op: op.to_owned(),
            shape: shape.to_vec(),
        };
        Self {
            spec: ModelSpec {
                input_shape: vec![CHANNELS, SIDE, SIDE],
                layout: c"nchw",
                outputs: OUTPUTS,
                output_kind: OutputKind::Logits,
            },
            layers: vec![
                layer("conv", "conv2d", &[MAPS, MAP_SIDE, MAP_SIDE]),
                layer("pool", "global_avg_pool2d", &[MAPS]),
                layer("dense", "linear", &[OUTPUTS]),
            ],
        }
    }

    /// The feature maps of one row, [maps, side, side].
    pub(crate) fn features(x: &[f32]) -> Vec<f32> {
        let mut out = Vec::with_capacity(MAPS * UNITS);
        for map in 0..MAPS {
            for row in 0..MAP_SIDE {
                for column in 0..MAP_SIDE {
                    let mut sum = 0.1;
                    for channel in 0..CHANNELS {
                        for tap in 0..9 {
                            let pixel = (channel * SIDE + row + tap / 3) * SIDE + column + tap % 3;
                            sum += f64::from(number(map, channel * 9 + tap)) * f64::from(x[pixel]);
                        }
                    }
                    out.push(sum.max(0.0) as f32);
                }
            }
        }
        out
    }

    /// The outputs of one row.
    pub(crate) fn outputs(x: &[f32]) -> [f32; OUTPUTS] {
        let features = Self::features(x);
        std::array::from_fn(|k| {
            let sum: f64 = features
                .chunks_exact(UNITS)
                .enumerate()
                .map(|(map, units)| {
                    let mean = units.iter().map(|&u| f64::from(u)).sum::<f64>() / UNITS as f64;
                    mean * f64::from(head_weight(k, map))
                })
                .sum();
            (sum + f64::from(head_bias(k))) as f32
        })
    }
}

impl Plugin for GapNet {
    const META: Meta = Meta {
        id: c"org.xbench.test.gap-net",
        name: c"GAP network",
        version: c"1.0.0",
        license: c"MIT",
        citation: c"none",
        summary: c"A network with global average pooling.",
        flags: Flags::NONE,
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self::new())
    }
}

impl Tested for GapNet {
    fn tested() -> TestModel {
        test_model!(Self::new(), GapNet: Layers, Vjp, Linear).expect("a sound model")
    }
}

impl Model for GapNet {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, _ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        for (row, out) in outputs.chunks_exact_mut(OUTPUTS).enumerate() {
            out.copy_from_slice(&Self::outputs(x.row(row)));
        }
        Ok(())
    }
}

impl Layers for GapNet {
    fn layers(&self) -> &[LayerSpec] {
        &self.layers
    }

    fn activation(&self, _ctx: &Context<'_>, x: TensorRef<'_>, layer: &str) -> Result<Tensor> {
        let n = x.rows();
        let features = (0..n).flat_map(|row| Self::features(x.row(row)));
        match layer {
            "conv" => Tensor::new(vec![n, MAPS, MAP_SIDE, MAP_SIDE], features.collect()),
            "pool" => {
                let features: Vec<f32> = features.collect();
                let means = features
                    .chunks_exact(UNITS)
                    .map(|map| map.iter().sum::<f32>() / UNITS as f32)
                    .collect();
                Tensor::new(vec![n, MAPS], means)
            }
            other => Err(Error::not_found(format!("no layer \"{other}\""))),
        }
    }
}

impl Vjp for GapNet {
    fn vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        let Wrt::Layer(layer) = wrt else {
            return Err(Error::unimplemented(
                "the input's gradient is not needed here",
            ));
        };
        let (repeats, shape) = match layer {
            "conv" => (UNITS, vec![x.rows(), MAPS, MAP_SIDE, MAP_SIDE]),
            "pool" => (1, vec![x.rows(), MAPS]),
            other => return Err(Error::not_found(format!("no layer \"{other}\""))),
        };
        let mut gradient = Vec::new();
        for row in 0..x.rows() {
            let dy = output_gradient.row(row);
            for map in 0..MAPS {
                let sum: f64 = (0..OUTPUTS)
                    .map(|k| f64::from(dy[k]) * f64::from(head_weight(k, map)))
                    .sum();
                // A unit enters the mean of its map with 1 / units.
                gradient.extend(std::iter::repeat_n((sum / repeats as f64) as f32, repeats));
            }
        }
        Ok(Pullback {
            activation: if want_activation {
                Some(self.activation(ctx, x, layer)?)
            } else {
                None
            },
            gradient: Tensor::new(shape, gradient)?,
        })
    }
}

impl Linear for GapNet {
    fn layer(&self) -> &str {
        "conv"
    }

    fn num_features(&self) -> usize {
        MAPS
    }

    fn head(&self, _ctx: &Context<'_>) -> Result<LinearHead> {
        let weights = (0..OUTPUTS * MAPS).map(|i| head_weight(i / MAPS, i % MAPS));
        Ok(LinearHead {
            weight: Tensor::new(vec![OUTPUTS, MAPS], weights.collect())?,
            bias: Some((0..OUTPUTS).map(head_bias).collect()),
        })
    }
}
