//! Plugins for the tests: a linear model with every capability, and explainers good and bad.

use std::ffi::CStr;

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{
    Batch, Context, DataHandle, Element, Error, Explainer, Fit, FitMonitor, FitStep, Flags,
    LayerSpec, Layers, Linear, LinearHead, Meta, Model, ModelHandle, ModelSpec, NoParams,
    OutputKind, Parameters, Plugin, Pullback, Randomise, Result, Segment, Tensor, TensorRef,
    TreeEnsemble, Trees, Vjp, Weights, Wrt, capability, params,
};

pub(crate) const fn meta(id: &'static CStr, flags: Flags) -> Meta {
    Meta {
        id,
        name: c"Test",
        version: c"0.1.0",
        license: c"MIT",
        citation: c"none",
        summary: c"For tests.",
        flags,
        max_batch: 0,
    }
}

params! {
    /// Parameters of the linear test model.
    pub(crate) struct ToyParams {
        /// Added to every output.
        bias: f32 = 0.0, -10.0..=10.0;
    }
}

/// `y = W x + b` on rows `[1, 2, 2]` with three outputs; the one layer is the input as four channels.
pub(crate) struct Toy {
    spec: ModelSpec,
    layers: Vec<LayerSpec>,
    weight: Vec<f32>,
    start: Vec<f32>,
    bias: f32,
}

pub(crate) const WEIGHT: [f32; 12] = [
    1.0, -2.0, 0.5, 3.0, 0.25, 4.0, -1.0, 2.0, -3.0, 1.5, 2.5, -0.5,
];

impl Plugin for Toy {
    const META: Meta = Meta {
        max_batch: 64,
        ..meta(c"org.example.toy", Flags::ANY_THREAD)
    };
    type Params = ToyParams;

    fn create(params: ToyParams, _ctx: &Context<'_>) -> Result<Self> {
        let spec = ModelSpec {
            input_shape: vec![1, 2, 2],
            layout: c"nchw",
            outputs: 3,
            output_kind: OutputKind::Logits,
        };
        let layers = vec![LayerSpec {
            name: "features".to_owned(),
            op: "reshape".to_owned(),
            shape: vec![4, 1, 1],
        }];
        Ok(Self {
            spec,
            layers,
            weight: WEIGHT.to_vec(),
            start: WEIGHT.to_vec(),
            bias: params.bias,
        })
    }
}

impl Model for Toy {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, _ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        for (i, y) in outputs.chunks_mut(3).enumerate() {
            for (weight, y) in self.weight.chunks(4).zip(y) {
                *y = self.bias + weight.iter().zip(x.row(i)).map(|(w, x)| w * x).sum::<f32>();
            }
        }
        Ok(())
    }
}

impl Layers for Toy {
    fn layers(&self) -> &[LayerSpec] {
        &self.layers
    }

    fn activation(&self, _ctx: &Context<'_>, x: TensorRef<'_>, _layer: &str) -> Result<Tensor> {
        Tensor::new([x.rows(), 4, 1, 1], x.data().to_vec())
    }
}

impl Vjp for Toy {
    fn vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        let shape = match wrt {
            Wrt::Input => x.shape().to_vec(),
            Wrt::Layer("features") => vec![x.rows(), 4, 1, 1],
            Wrt::Layer(other) => return Err(Error::not_found(format!("no layer `{other}`"))),
        };
        let mut gradient = Vec::new();
        for n in 0..x.rows() {
            for i in 0..4 {
                let dy = output_gradient.row(n);
                gradient.push((0..3).map(|k| dy[k] * self.weight[4 * k + i]).sum());
            }
        }
        let activation = match wrt {
            Wrt::Layer(layer) if want_activation => Some(self.activation(ctx, x, layer)?),
            _ => None,
        };
        Ok(Pullback {
            activation,
            gradient: Tensor::new(shape, gradient)?,
        })
    }
}

impl Linear for Toy {
    fn layer(&self) -> &str {
        "features"
    }

    fn num_features(&self) -> usize {
        4
    }

    fn head(&self, _ctx: &Context<'_>) -> Result<LinearHead> {
        let weight = Tensor::new([3, 4], self.weight.clone())?;
        Ok(LinearHead {
            weight,
            bias: (self.bias != 0.0).then(|| vec![self.bias; 3]),
        })
    }
}

impl Parameters for Toy {
    fn parameter_layers(&self) -> Vec<String> {
        vec!["features".to_owned()]
    }

    fn randomise(&mut self, ctx: &Context<'_>, _mode: Randomise, _layer: &str) -> Result<()> {
        let rng = CounterRng::new(ctx.seed());
        for (i, weight) in (0..).zip(&mut self.weight) {
            assert!(ctx.seed() != 666, "a test's bad seed");
            *weight = rng.normal(i) as f32;
        }
        Ok(())
    }

    fn restore(&mut self, _ctx: &Context<'_>) -> Result<()> {
        self.weight.clone_from(&self.start);
        Ok(())
    }

    fn fingerprint(&self, ctx: &Context<'_>) -> Result<[u8; 32]> {
        let mut digest = [0_u8; 32];
        for (i, byte) in self.save(ctx)?.into_iter().enumerate() {
            digest[i % 32] = digest[i % 32].rotate_left(3) ^ byte;
        }
        Ok(digest)
    }
}

impl Weights for Toy {
    const FORMAT: &'static CStr = c"f32le";

    fn save(&self, _ctx: &Context<'_>) -> Result<Vec<u8>> {
        Ok(self
            .weight
            .iter()
            .flat_map(|weight| weight.to_le_bytes())
            .collect())
    }

    fn load(&mut self, _ctx: &Context<'_>, bytes: &[u8]) -> Result<()> {
        if bytes.len() != 48 {
            return Err(Error::invalid_argument(format!(
                "{} bytes, expected 48",
                bytes.len()
            )));
        }
        let (words, _) = bytes.as_chunks::<4>();
        self.weight = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        self.start.clone_from(&self.weight);
        Ok(())
    }
}

impl Fit for Toy {
    /// Sets row `k` of the weights to the mean image of class `k`.
    fn fit(
        &mut self,
        ctx: &Context<'_>,
        data: &DataHandle<'_>,
        settings: &str,
        monitor: &mut dyn FitMonitor,
    ) -> Result<String> {
        // The state: rows seen, counts, sums.
        let mut state = match monitor.resume() {
            Some(bytes) => bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            None => vec![0.0_f32; 16],
        };
        if state.len() != 16 {
            return Err(Error::invalid_argument("the kept state does not fit"));
        }
        let mut sums = state.split_off(4);
        let (first, mut counts) = (state[0] as usize, [state[1], state[2], state[3]]);
        for row in first..data.len() {
            ctx.checkpoint(row as f64 / data.len() as f64)?;
            let (mut pixels, mut label) = ([0_u8; 4], [0_i64]);
            data.read(&[row as i64], &mut pixels, &mut label)?;
            let class = label[0] as usize;
            counts[class] += 1.0;
            for (sum, pixel) in sums[4 * class..].iter_mut().zip(pixels) {
                *sum += f32::from(pixel) / 255.0;
            }
            let kept = [&[row as f32 + 1.0], &counts[..], &sums].concat();
            monitor.checkpoint(
                &kept
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect::<Vec<_>>(),
            )?;
            monitor.step(&FitStep {
                epoch_done: row + 1 == data.len(),
                epoch: 1,
                epochs: 1,
                batch: row as u32 + 1,
                batches: data.len() as u32,
                loss: 0.5,
                accuracy: 1.0,
                validation_loss: f64::NAN,
                validation_accuracy: f64::NAN,
                learning_rate: 0.1,
            })?;
        }
        for (class, count) in counts.into_iter().enumerate() {
            for sum in &mut sums[4 * class..4 * class + 4] {
                *sum /= count.max(1.0);
            }
        }
        self.weight = sums;
        self.start.clone_from(&self.weight);
        Ok(format!(
            "{{\"settings\": {settings}, \"rows\": {}}}",
            data.len()
        ))
    }
}

impl Segment for Toy {
    /// The pixels themselves.
    fn segment(&self, _ctx: &Context<'_>, x: TensorRef<'_>) -> Result<Tensor> {
        Tensor::new(vec![x.rows(), 2, 2], x.data().to_vec())
    }
}

/// A table of two columns with one tree: `x0 < 0.5` gives output 0, else output 1.
pub(crate) struct Stump {
    spec: ModelSpec,
    trees: TreeEnsemble,
}

impl Plugin for Stump {
    const META: Meta = meta(c"org.example.stump", Flags::NONE);
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self::new())
    }
}

impl Stump {
    pub(crate) fn new() -> Self {
        Self {
            spec: ModelSpec {
                input_shape: vec![2],
                layout: c"tabular",
                outputs: 2,
                output_kind: OutputKind::Probabilities,
            },
            trees: TreeEnsemble {
                num_features: 2,
                num_outputs: 2,
                base: vec![0.0; 2],
                roots: vec![0],
                tree_output: vec![-1],
                feature: vec![0, -1, -1],
                threshold: vec![0.5, 0.0, 0.0],
                strict: true,
                left: vec![1, 0, 0],
                right: vec![2, 0, 0],
                default_left: vec![1, 0, 0],
                cover: vec![3.0, 1.0, 2.0],
                gain: vec![0.4, 0.0, 0.0],
                value: vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0],
            },
        }
    }
}

impl Model for Stump {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, _: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        for (row, outputs) in x.data().chunks_exact(2).zip(outputs.chunks_exact_mut(2)) {
            self.trees.outputs(row, outputs);
        }
        Ok(())
    }
}

impl Trees for Stump {
    fn trees(&self) -> &TreeEnsemble {
        &self.trees
    }
}

impl Fit for Stump {
    /// Puts the threshold at the mean of the first column.
    fn fit(
        &mut self,
        _ctx: &Context<'_>,
        data: &DataHandle<'_>,
        _settings: &str,
        _monitor: &mut dyn FitMonitor,
    ) -> Result<String> {
        let rows: Vec<i64> = (0..data.len() as i64).collect();
        let (mut x, mut labels) = (vec![0.0; 2 * rows.len()], vec![0; rows.len()]);
        data.read_f32(&rows, &mut x, &mut labels)?;
        self.trees.threshold[0] = x.iter().step_by(2).sum::<f32>() / rows.len() as f32;
        Ok(format!(
            "{{\"table\": {}, \"validation\": {}, \"masks\": {}}}",
            data.element() == Element::Features,
            data.validation_rows(),
            data.has_masks()
        ))
    }
}

/// Input times gradient: for a linear model without bias its sum is the logit.
pub(crate) struct InputXGradient;

impl Plugin for InputXGradient {
    const META: Meta = meta(c"org.example.input-x-gradient", Flags::NONE);
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for InputXGradient {
    const NEEDS: &'static [&'static CStr] = &[capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        ctx.checkpoint(0.0)?;
        let shape = [batch.x.rows(), model.spec().outputs];
        let mut one_hot = vec![0.0; shape[0] * shape[1]];
        for (row, &target) in one_hot.chunks_mut(shape[1]).zip(batch.target) {
            row[target as usize] = 1.0;
        }
        let dy = TensorRef::new(&shape, &one_hot)?;
        let gradient = model.vjp(ctx, batch.x, dy, Wrt::Input, false)?.gradient;
        for ((out, &g), &x) in attribution
            .iter_mut()
            .zip(gradient.iter())
            .zip(batch.x.data())
        {
            *out = g * x;
        }
        ctx.checkpoint(1.0)
    }
}

/// Writes the mask, as a control would.
pub(crate) struct Oracle;

impl Plugin for Oracle {
    const META: Meta = meta(
        c"org.example.oracle",
        Flags::WANTS_MASK.union(Flags::CONTROL),
    );
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Oracle {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        _ctx: &Context<'_>,
        _model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let mask = batch
            .mask
            .ok_or_else(|| Error::internal("the mask was promised"))?;
        for (out, &mask) in attribution.iter_mut().zip(mask) {
            *out = f32::from(mask);
        }
        Ok(())
    }
}

params! {
    pub(crate) struct FaultParams {
        /// What goes wrong.
        fault: String, ["create", "here", "thread", "model"];
    }
}

/// Panics, or fails within the model.
pub(crate) struct Faulty(String);

impl Plugin for Faulty {
    const META: Meta = meta(c"org.example.faulty", Flags::STOCHASTIC);
    type Params = FaultParams;

    fn create(params: FaultParams, _ctx: &Context<'_>) -> Result<Self> {
        assert!(params.fault != "create", "boom in create");
        Ok(Self(params.fault))
    }
}

impl Explainer for Faulty {
    const NEEDS: &'static [&'static CStr] = &[c"xbench.model.layers/1|xbench.model.vjp/1"];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        _attribution: &mut [f32],
    ) -> Result<()> {
        match self.0.as_str() {
            "here" => panic!("boom on {} rows", batch.x.rows()),
            "thread" => std::thread::scope(|scope| {
                let thread = scope.spawn(|| std::panic::panic_any("boom elsewhere".to_owned()));
                std::panic::resume_unwind(thread.join().expect_err("it panics"))
            }),
            _ => model.activation(ctx, batch.x, "featurs").map(drop),
        }
    }
}

/// Says one thing of its layers and does another; has no gradients.
pub(crate) struct Liar(pub(crate) ModelSpec, pub(crate) Vec<LayerSpec>);

impl Plugin for Liar {
    const META: Meta = meta(c"org.example.liar", Flags::NONE);
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Err(Error::resource_exhausted("no more liars"))
    }
}

impl Model for Liar {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn predict(&self, _ctx: &Context<'_>, _x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        assert!(outputs.iter().all(|&y| y == 0.0), "outputs come zeroed");
        Ok(())
    }
}

impl Layers for Liar {
    fn layers(&self) -> &[LayerSpec] {
        &self.1
    }

    fn activation(&self, _ctx: &Context<'_>, x: TensorRef<'_>, _layer: &str) -> Result<Tensor> {
        Ok(x.to_tensor())
    }
}
