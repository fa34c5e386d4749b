//! A network of any stages, forward and backward in f64, with all that the family asks of a model.

use xbench_plugin::testing::TestModel;
use xbench_plugin::{
    Biases, Context, Error, Flags, ForwardFrom, LayerSpec, Layers, Meta, Model, ModelSpec,
    NoParams, OutputKind, Plugin, Pullback, Result, Tensor, TensorRef, Vjp, Wrt, test_model,
};

/// One layer.
#[derive(Clone)]
pub(crate) enum Stage {
    /// Square kernel, stride 1, no padding; weights [maps, channels, side, side].
    Conv {
        side: usize,
        weight: Vec<f64>,
        bias: Vec<f64>,
        relu: bool,
    },
    /// Largest of each 2x2 block; odd rows and columns are dropped.
    MaxPool,
    /// Weights [units, inputs].
    Dense {
        weight: Vec<f64>,
        bias: Vec<f64>,
        relu: bool,
    },
}

/// The network.
#[derive(Clone)]
pub(crate) struct Stack {
    spec: ModelSpec,
    stages: Vec<Stage>,
    layers: Vec<LayerSpec>,
    /// Before each stage and behind the last; a vector is [units, 1, 1].
    shapes: Vec<[usize; 3]>,
}

impl Stack {
    pub(crate) fn new(input: [usize; 3], stages: Vec<Stage>) -> Self {
        let (mut shapes, mut layers) = (vec![input], Vec::new());
        for (i, stage) in stages.iter().enumerate() {
            let [c, h, w] = shapes[i];
            let (op, shape) = match stage {
                Stage::Conv { side, bias, .. } => {
                    ("conv2d", [bias.len(), h + 1 - side, w + 1 - side])
                }
                Stage::MaxPool => ("max_pool2d", [c, h / 2, w / 2]),
                Stage::Dense { bias, .. } => ("linear", [bias.len(), 1, 1]),
            };
            let axes = if matches!(op, "conv2d" | "max_pool2d") {
                3
            } else {
                1
            };
            layers.push(LayerSpec {
                name: format!("layer{i}"),
                op: op.to_owned(),
                shape: shape[..axes].to_vec(),
            });
            shapes.push(shape);
        }
        Self {
            spec: ModelSpec {
                input_shape: input.to_vec(),
                layout: c"nchw",
                outputs: shapes[stages.len()][0],
                output_kind: OutputKind::Logits,
            },
            stages,
            layers,
            shapes,
        }
    }

    pub(crate) fn of_kind(mut self, kind: OutputKind) -> Self {
        self.spec.output_kind = kind;
        self
    }

    pub(crate) fn model(self) -> TestModel {
        test_model!(self, Stack: Layers, Vjp, ForwardFrom, Biases).expect("a sound model")
    }

    /// The values behind each stage from `first` on, `input` being what goes into it.
    pub(crate) fn values(&self, first: usize, input: &[f32]) -> Vec<Vec<f64>> {
        let mut values: Vec<Vec<f64>> = Vec::new();
        let input: Vec<f64> = input.iter().map(|&v| f64::from(v)).collect();
        for i in first..self.stages.len() {
            let x = values.last().unwrap_or(&input);
            let value = self.forward(i, x);
            values.push(value);
        }
        values
    }

    pub(crate) fn outputs(&self, x: &[f32]) -> Vec<f64> {
        self.values(0, x).pop().expect("stages")
    }

    fn forward(&self, i: usize, x: &[f64]) -> Vec<f64> {
        let ([c, h, w], [k, rows, columns]) = (self.shapes[i], self.shapes[i + 1]);
        let rectify = |value: f64, relu: bool| if relu { value.max(0.0) } else { value };
        match &self.stages[i] {
            Stage::Conv {
                side,
                weight,
                bias,
                relu,
            } => (0..k * rows * columns)
                .map(|unit| {
                    let (map, at) = (unit / (rows * columns), unit % (rows * columns));
                    let mut sum = bias[map];
                    for tap in 0..c * side * side {
                        let from = pixel([h, w], at, columns, tap, *side);
                        sum += weight[map * c * side * side + tap] * x[from];
                    }
                    rectify(sum, *relu)
                })
                .collect(),
            Stage::MaxPool => (0..k * rows * columns)
                .map(|unit| x[largest(x, unit, [h, w], [rows, columns])])
                .collect(),
            Stage::Dense { weight, bias, relu } => weight
                .chunks_exact(x.len())
                .zip(bias)
                .map(|(row, bias)| {
                    let sum: f64 = row.iter().zip(x).map(|(w, x)| w * x).sum();
                    rectify(sum + bias, *relu)
                })
                .collect(),
        }
    }

    /// The gradient with respect to what goes into stage `i`, of that behind it.
    fn backward(&self, i: usize, x: &[f64], y: &[f64], dy: &[f64]) -> Vec<f64> {
        let ([c, h, w], [_, rows, columns]) = (self.shapes[i], self.shapes[i + 1]);
        let gated = |relu: bool| -> Vec<f64> {
            let pass = |y: f64| !relu || y > 0.0;
            dy.iter()
                .zip(y)
                .map(|(dy, &y)| if pass(y) { *dy } else { 0.0 })
                .collect()
        };
        let mut dx = vec![0.0; c * h * w];
        match &self.stages[i] {
            Stage::Conv {
                side, weight, relu, ..
            } => {
                for (unit, dy) in gated(*relu).into_iter().enumerate() {
                    let (map, at) = (unit / (rows * columns), unit % (rows * columns));
                    for tap in 0..c * side * side {
                        let from = pixel([h, w], at, columns, tap, *side);
                        dx[from] += weight[map * c * side * side + tap] * dy;
                    }
                }
            }
            Stage::MaxPool => {
                for (unit, dy) in dy.iter().enumerate() {
                    dx[largest(x, unit, [h, w], [rows, columns])] += dy;
                }
            }
            Stage::Dense { weight, relu, .. } => {
                let length = dx.len();
                for (row, dy) in weight.chunks_exact(length).zip(gated(*relu)) {
                    for (dx, weight) in dx.iter_mut().zip(row) {
                        *dx += weight * dy;
                    }
                }
            }
        }
        dx
    }

    /// The value behind stage `layer`, or the input where it is none, and the gradient there.
    pub(crate) fn gradient(
        &self,
        x: &[f32],
        dy: &[f64],
        layer: Option<usize>,
    ) -> (Vec<f64>, Vec<f64>) {
        let values = self.values(0, x);
        let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        let behind = layer.map_or(0, |layer| layer + 1);
        let mut gradient = dy.to_vec();
        for i in (behind..self.stages.len()).rev() {
            let before = if i == 0 { &x } else { &values[i - 1] };
            gradient = self.backward(i, before, &values[i], &gradient);
        }
        (layer.map_or(x, |layer| values[layer].clone()), gradient)
    }

    fn find(&self, layer: &str) -> Result<usize> {
        self.layers
            .iter()
            .position(|known| known.name == layer)
            .ok_or_else(|| Error::not_found(format!("no layer \"{layer}\"")))
    }

    fn layer_shape(&self, rows: usize, layer: usize) -> Vec<usize> {
        std::iter::once(rows)
            .chain(self.layers[layer].shape.iter().copied())
            .collect()
    }
}

/// Which input a tap of a convolution reads for the unit `at` of a map.
fn pixel([h, w]: [usize; 2], at: usize, columns: usize, tap: usize, side: usize) -> usize {
    let (channel, tap) = (tap / (side * side), tap % (side * side));
    (channel * h + at / columns + tap / side) * w + at % columns + tap % side
}

/// The first of the largest inputs of a pooled unit.
fn largest(x: &[f64], unit: usize, [h, w]: [usize; 2], [rows, columns]: [usize; 2]) -> usize {
    let (map, at) = (unit / (rows * columns), unit % (rows * columns));
    let corner = (map * h + at / columns * 2) * w + at % columns * 2;
    [corner, corner + 1, corner + w, corner + w + 1]
        .into_iter()
        .reduce(|best, one| if x[one] > x[best] { one } else { best })
        .expect("four of them")
}

fn narrow(values: impl IntoIterator<Item = f64>) -> Vec<f32> {
    values.into_iter().map(|value| value as f32).collect()
}

impl Plugin for Stack {
    const META: Meta = Meta {
        id: c"org.xbench.test.stack",
        name: c"Stack of layers",
        version: c"1.0.0",
        license: c"MIT",
        citation: c"none",
        summary: c"A network of any stages.",
        flags: Flags::NONE,
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Err(Error::unimplemented("a stack is made by its test"))
    }
}

impl Model for Stack {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, _ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        for (row, out) in outputs.chunks_exact_mut(self.spec.outputs).enumerate() {
            out.copy_from_slice(&narrow(self.outputs(x.row(row))));
        }
        Ok(())
    }
}

impl Layers for Stack {
    fn layers(&self) -> &[LayerSpec] {
        &self.layers
    }

    fn activation(&self, _ctx: &Context<'_>, x: TensorRef<'_>, layer: &str) -> Result<Tensor> {
        let layer = self.find(layer)?;
        let values = (0..x.rows()).flat_map(|row| self.values(0, x.row(row)).swap_remove(layer));
        Tensor::new(self.layer_shape(x.rows(), layer), narrow(values))
    }
}

impl Vjp for Stack {
    fn vjp(
        &self,
        _ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        let layer = match wrt {
            Wrt::Input => None,
            Wrt::Layer(name) => Some(self.find(name)?),
        };
        let shape = layer.map_or(x.shape().to_vec(), |layer| {
            self.layer_shape(x.rows(), layer)
        });
        let (mut values, mut gradients) = (Vec::new(), Vec::new());
        for row in 0..x.rows() {
            let dy: Vec<f64> = output_gradient.row(row).iter().map(|&v| v.into()).collect();
            let (value, gradient) = self.gradient(x.row(row), &dy, layer);
            values.extend(narrow(value));
            gradients.extend(narrow(gradient));
        }
        Ok(Pullback {
            activation: if want_activation {
                Some(Tensor::new(shape.clone(), values)?)
            } else {
                None
            },
            gradient: Tensor::new(shape, gradients)?,
        })
    }
}

impl ForwardFrom for Stack {
    fn forward_from(
        &self,
        _ctx: &Context<'_>,
        layer: &str,
        value: TensorRef<'_>,
        outputs: &mut [f32],
    ) -> Result<()> {
        let layer = self.find(layer)?;
        for (row, out) in outputs.chunks_exact_mut(self.spec.outputs).enumerate() {
            let last = self.values(layer + 1, value.row(row)).pop();
            out.copy_from_slice(&narrow(last.expect("a stage behind")));
        }
        Ok(())
    }
}

impl Biases for Stack {
    fn biases(&self, _ctx: &Context<'_>, layer: &str) -> Result<Option<Vec<f32>>> {
        Ok(match &self.stages[self.find(layer)?] {
            Stage::Conv { bias, .. } | Stage::Dense { bias, .. } => {
                Some(narrow(bias.iter().copied()))
            }
            Stage::MaxPool => None,
        })
    }
}

/// Irregular numbers between -`scale` and `scale`.
pub(crate) fn numbers(count: usize, salt: usize, scale: f64) -> Vec<f64> {
    (0..count)
        .map(|i| scale * ((i * 37 + salt * 101 + 11) as f64 * 0.618).sin())
        .collect()
}
