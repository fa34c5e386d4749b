//! Backward passes by other rules than the chain rule: guided, deconvolution, DeepLIFT, LRP.
//!
//! They need what the fast path never keeps, the values before each ReLU, so they run the layers
//! one by one and keep everything of a block of images.

use xbench_nn::Threads;
use xbench_nn::kernel::{Scratch, layout};

use super::block::BLOCK;
use super::plan::{Pack, Plan, Planned, Step};
use super::{Network, NetworkError, Pullback, length};

/// Differences below this are taken for none: their quotient would be rounding.
const NO_DIFFERENCE: f32 = 1e-7;

/// How relevance is shared out over a layer's inputs (Montavon et al. 2019, section 10.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Propagation {
    /// In proportion to the contributions, ε added to the denominator's size.
    Epsilon(f32),
    /// Positive weights, biases among them, count 1 + γ times.
    Gamma(f32),
    /// In proportion to the contributions of positive weights, without biases.
    ZPlus,
}

/// A rule of the backward pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule<'a> {
    /// ReLU passes what is positive where its own value is (Springenberg et al. 2015).
    Guided,
    /// ReLU passes what is positive, whatever its own value (Zeiler and Fergus 2014).
    Deconvolution,
    /// Multipliers of DeepLIFT's rescale rule (Shrikumar et al. 2017, equation 3) against reference
    /// images. At maxima, where the rule has no say, the difference is shared between the places of
    /// both maxima such that it is conserved, as the shap and Captum packages do.
    DeepLift {
        /// Shaped as the images.
        reference: &'a [f32],
    },
    /// Relevance (Bach et al. 2015), beginning with given gradient times output. Maxima pass it to
    /// their place; averages share it out in proportion.
    Lrp {
        /// In convolutions.
        convolution: Propagation,
        /// In dense layers.
        dense: Propagation,
    },
}

impl Network {
    /// As [`Network::vjp_from`], by another rule; `from` is none for the logits.
    ///
    /// # Errors
    /// When there is no such layer, the one lies behind the other, or a length does not fit.
    pub fn modified_vjp(
        &self,
        threads: &Threads,
        x: &[f32],
        (from, given): (Option<&str>, &[f32]),
        rule: Rule<'_>,
        layer: Option<&str>,
        want_activation: bool,
    ) -> Result<Pullback, NetworkError> {
        let plan = &*self.plan;
        let from = match from {
            Some(name) => plan.index(name)?,
            None => plan.layers.len() - 1,
        };
        let to = layer.map(|name| plan.index_up_to(name, from)).transpose()?;
        let images = self.images(x)?;
        let (input, outputs) = (self.input_len(), plan.layers[from].len());
        length("gradient to pull back", given.len(), images * outputs)?;
        let reference = match rule {
            Rule::DeepLift { reference } => {
                length("reference images", reference.len(), x.len())?;
                Some(reference)
            }
            _ => None,
        };
        let weighted = Weighted::new(plan, &self.parameters, rule);
        let pass = Pass {
            plan,
            parameters: &self.parameters,
            packs: &self.packs,
            weighted: weighted.as_ref(),
            rule,
            from,
            to,
        };
        let width = to.map_or(input, |l| plan.layers[l].len());
        let mut gradient = vec![0.0; images * width];
        let mut activation = vec![0.0; if want_activation { images * width } else { 0 }];
        let activations: Vec<Option<&mut [f32]>> = if want_activation {
            activation.chunks_mut(BLOCK * width).map(Some).collect()
        } else {
            (0..images.div_ceil(BLOCK)).map(|_| None).collect()
        };
        let references: Vec<Option<&[f32]>> = match reference {
            Some(reference) => reference.chunks(BLOCK * input).map(Some).collect(),
            None => (0..images.div_ceil(BLOCK)).map(|_| None).collect(),
        };
        let jobs: Vec<_> = x
            .chunks(BLOCK * input)
            .zip(given.chunks(BLOCK * outputs))
            .zip(references)
            .zip(gradient.chunks_mut(BLOCK * width))
            .zip(activations)
            .collect();
        threads.map(jobs, |((((x, given), reference), gradient), activation)| {
            pass.run(x, given, reference, gradient, activation);
        });
        Ok(Pullback {
            activation: want_activation.then_some(activation),
            gradient,
        })
    }
}

/// Weights as a rule of LRP counts them.
struct Weighted {
    parameters: Vec<f32>,
    packs: Vec<Pack>,
}

impl Weighted {
    fn new(plan: &Plan, parameters: &[f32], rule: Rule<'_>) -> Option<Self> {
        let Rule::Lrp { convolution, dense } = rule else {
            return None;
        };
        let mut parameters = parameters.to_vec();
        for layer in &plan.layers {
            let Some(range) = &layer.parameters else {
                continue;
            };
            let (weight, bias) =
                parameters[range.weight.start..range.bias.end].split_at_mut(range.weight.len());
            match propagation(layer, convolution, dense) {
                Propagation::Epsilon(_) => {}
                Propagation::Gamma(gamma) => weight
                    .iter_mut()
                    .chain(bias)
                    .for_each(|w| *w += gamma * w.max(0.0)),
                Propagation::ZPlus => {
                    weight.iter_mut().for_each(|w| *w = w.max(0.0));
                    bias.fill(0.0);
                }
            }
        }
        let mut packs = Vec::new();
        plan.pack(&parameters, &mut packs);
        Some(Self { parameters, packs })
    }
}

fn propagation(layer: &Planned, convolution: Propagation, dense: Propagation) -> Propagation {
    match layer.step {
        Step::Dense { .. } => dense,
        _ => convolution,
    }
}

/// All values of a block of images, channel-last.
struct Trace {
    images: usize,
    input: Vec<f32>,
    /// Of each layer, before its ReLU where it has one.
    before: Vec<Vec<f32>>,
    /// Of each layer.
    values: Vec<Vec<f32>>,
    /// Places of maxima.
    origins: Vec<Vec<u32>>,
}

impl Trace {
    /// What a layer gets.
    fn input_of(&self, layer: usize) -> &[f32] {
        match layer {
            0 => &self.input,
            _ => &self.values[layer - 1],
        }
    }
}

struct Pass<'p> {
    plan: &'p Plan,
    parameters: &'p [f32],
    packs: &'p [Pack],
    weighted: Option<&'p Weighted>,
    rule: Rule<'p>,
    from: usize,
    to: Option<usize>,
}

impl Pass<'_> {
    fn run(
        &self,
        x: &[f32],
        given: &[f32],
        reference: Option<&[f32]>,
        gradient: &mut [f32],
        activation: Option<&mut [f32]>,
    ) {
        let mut scratch = Scratch::default();
        let trace = self.trace(x, &mut scratch);
        let reference = reference.map(|reference| self.trace(reference, &mut scratch));
        if let Some(activation) = activation {
            match self.to {
                None => activation.copy_from_slice(x),
                Some(layer) => {
                    let planned = &self.plan.layers[layer];
                    let value = &trace.values[layer];
                    layout::to_channel_first(value, planned.channels, planned.pixels, activation);
                }
            }
        }
        let begin = &self.plan.layers[self.from];
        let mut signal = vec![0.0; given.len()];
        layout::to_channel_last(given, begin.channels, begin.pixels, &mut signal);
        if matches!(self.rule, Rule::Lrp { .. }) {
            for (signal, value) in signal.iter_mut().zip(&trace.values[self.from]) {
                *signal *= value;
            }
        }
        let first = self.to.map_or(0, |layer| layer + 1);
        for i in (first..=self.from).rev() {
            signal = match self.rule {
                Rule::Lrp { convolution, dense } => {
                    let propagation = propagation(&self.plan.layers[i], convolution, dense);
                    self.relevance(i, &trace, &signal, propagation, &mut scratch)
                }
                _ => self.step(i, &trace, reference.as_ref(), signal, &mut scratch),
            };
        }
        let (channels, pixels) = match self.to {
            None => (self.plan.input[0], self.plan.input[1] * self.plan.input[2]),
            Some(layer) => {
                let planned = &self.plan.layers[layer];
                (planned.channels, planned.pixels)
            }
        };
        layout::to_channel_first(&signal, channels, pixels, gradient);
    }

    fn trace(&self, x: &[f32], scratch: &mut Scratch) -> Trace {
        let plan = self.plan;
        let images = x.len() / plan.input_len();
        let [channels, height, width] = plan.input;
        let mut trace = Trace {
            images,
            input: vec![0.0; x.len()],
            before: Vec::with_capacity(self.from + 1),
            values: Vec::with_capacity(self.from + 1),
            origins: Vec::with_capacity(self.from + 1),
        };
        layout::to_channel_last(x, channels, height * width, &mut trace.input);
        for (i, layer) in plan.layers[..=self.from].iter().enumerate() {
            let mut before = vec![0.0; images * layer.len()];
            let mut origins = Vec::new();
            let x = trace.input_of(i);
            match &layer.step {
                Step::Max(pool) => {
                    origins.resize(before.len(), 0);
                    pool.max(x, &mut before, Some(&mut origins));
                }
                Step::Average(pool) => pool.average(x, &mut before),
                Step::Dropout { .. } => before.copy_from_slice(x),
                Step::Conv(_) | Step::Dense { .. } => {
                    forward(
                        layer,
                        self.parameters,
                        &self.packs[i],
                        x,
                        &mut before,
                        scratch,
                    );
                }
            }
            let mut value = before.clone();
            if layer.relu() {
                value.iter_mut().for_each(|v| *v = v.max(0.0));
            }
            trace.before.push(before);
            trace.values.push(value);
            trace.origins.push(origins);
        }
        trace
    }

    /// Back through layer `i` by a rule that changes ReLU and maxima alone.
    fn step(
        &self,
        i: usize,
        trace: &Trace,
        reference: Option<&Trace>,
        mut signal: Vec<f32>,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let layer = &self.plan.layers[i];
        let values = &trace.values[i];
        if layer.relu() {
            match (self.rule, reference) {
                (Rule::Deconvolution, _) => signal.iter_mut().for_each(|s| *s = s.max(0.0)),
                (Rule::DeepLift { .. }, Some(reference)) => {
                    let before = trace.before[i].iter().zip(&reference.before[i]);
                    let after = values.iter().zip(&reference.values[i]);
                    for ((signal, (z, z0)), (y, y0)) in signal.iter_mut().zip(before).zip(after) {
                        let input = z - z0;
                        // Where input and reference agree, the quotient's limit: the derivative.
                        *signal *= if input.abs() < NO_DIFFERENCE {
                            f32::from(*z > 0.0)
                        } else {
                            (y - y0) / input
                        };
                    }
                }
                _ => {
                    for (signal, &y) in signal.iter_mut().zip(values) {
                        *signal = if y > 0.0 { signal.max(0.0) } else { 0.0 };
                    }
                }
            }
        }
        let mut below = vec![0.0; trace.input_of(i).len()];
        match (&layer.step, reference) {
            (Step::Max(pool), Some(reference)) => {
                // What x gains over the larger maximum goes to x's place, what the reference loses
                // to it goes to the reference's; the two add up to the difference.
                let (y, y0) = (values, &reference.values[i]);
                let of = |f: fn(f32, f32) -> f32| -> Vec<f32> {
                    let pairs = y.iter().zip(y0).zip(&signal);
                    pairs.map(|((&y, &y0), s)| s * f(y, y0)).collect()
                };
                let at_x = of(|y, y0| y.max(y0) - y0);
                let at_reference = of(|y, y0| y - y.max(y0));
                pool.max_gradient(&at_x, &trace.origins[i], &mut below);
                let mut other = vec![0.0; below.len()];
                pool.max_gradient(&at_reference, &reference.origins[i], &mut other);
                let inputs = trace.input_of(i).iter().zip(reference.input_of(i));
                for ((below, other), (x, x0)) in below.iter_mut().zip(other).zip(inputs) {
                    let difference = x - x0;
                    *below = if difference.abs() < NO_DIFFERENCE {
                        0.0
                    } else {
                        (*below + other) / difference
                    };
                }
            }
            (Step::Max(pool), None) => pool.max_gradient(&signal, &trace.origins[i], &mut below),
            _ => backward(
                layer,
                &self.packs[i],
                &signal,
                trace.images,
                &mut below,
                scratch,
            ),
        }
        below
    }

    /// Shares out the relevance of layer `i` over what it gets.
    fn relevance(
        &self,
        i: usize,
        trace: &Trace,
        relevance: &[f32],
        propagation: Propagation,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let layer = &self.plan.layers[i];
        let x = trace.input_of(i);
        let mut below = vec![0.0; x.len()];
        match &layer.step {
            Step::Max(pool) => {
                pool.max_gradient(relevance, &trace.origins[i], &mut below);
                return below;
            }
            Step::Dropout { .. } => return relevance.to_vec(),
            Step::Conv(_) | Step::Dense { .. } | Step::Average(_) => {}
        }
        let (parameters, packs) = match self.weighted {
            Some(weighted) => (&weighted.parameters[..], &weighted.packs[..]),
            None => (self.parameters, self.packs),
        };
        // An average has no weights that a rule could count otherwise.
        let average = matches!(layer.step, Step::Average(_));
        let mut shares = if average || matches!(propagation, Propagation::Epsilon(_)) {
            trace.before[i].clone()
        } else {
            let mut sums = vec![0.0; relevance.len()];
            forward(layer, parameters, &packs[i], x, &mut sums, scratch);
            sums
        };
        let epsilon = match propagation {
            Propagation::Epsilon(epsilon) if !average => epsilon,
            _ => 0.0,
        };
        for (share, &relevance) in shares.iter_mut().zip(relevance) {
            let denominator = *share + if *share < 0.0 { -epsilon } else { epsilon };
            *share = if denominator == 0.0 {
                0.0
            } else {
                relevance / denominator
            };
        }
        backward(layer, &packs[i], &shares, trace.images, &mut below, scratch);
        for (below, x) in below.iter_mut().zip(x) {
            *below *= x;
        }
        below
    }
}

/// The weighted sums of a layer with weights, before its ReLU.
fn forward(
    layer: &Planned,
    parameters: &[f32],
    pack: &Pack,
    x: &[f32],
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    let bias = layer
        .parameters
        .as_ref()
        .map(|range| &parameters[range.bias.clone()]);
    match (&layer.step, pack) {
        (Step::Conv(conv), Pack::Conv(weights)) => {
            let images = x.len() / conv.input_len();
            conv.forward(weights, bias, false, x, images, out, scratch);
        }
        (Step::Dense { dense, .. }, Pack::Dense(weights)) => {
            dense.forward(weights, bias, false, x, out);
        }
        _ => unreachable!("weights are packed by the same plan"),
    }
}

/// Back through the linear part of a layer.
fn backward(
    layer: &Planned,
    pack: &Pack,
    signal: &[f32],
    images: usize,
    below: &mut [f32],
    scratch: &mut Scratch,
) {
    match (&layer.step, pack) {
        (Step::Conv(conv), Pack::Conv(weights)) => {
            conv.input_gradient(weights, signal, images, below, scratch);
        }
        (Step::Dense { dense, .. }, Pack::Dense(weights)) => {
            dense.input_gradient(weights, signal, below);
        }
        (Step::Average(pool), _) => pool.average_gradient(signal, below),
        (Step::Dropout { .. }, _) => below.copy_from_slice(signal),
        _ => unreachable!("weights are packed by the same plan"),
    }
}
