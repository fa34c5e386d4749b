//! A block of images through the layers and back, on one thread.
//!
//! A block is small enough to stay in a second-level cache from the first layer to the last. A
//! convolution with a pooling layer behind it goes image by image, and its own output is
//! overwritten by the next image's, unless somebody asked for it.

use std::ops::RangeInclusive;

use xbench_nn::kernel::{Scratch, layout, reuse};

use super::dropout::{self, Noise};
use super::plan::{Pack, Plan, Step, Sums};

/// Images in a block. Fixed, because weight gradients are summed block by block: the sum must
/// not depend on the number of threads.
pub(super) const BLOCK: usize = 16;

/// What one thread needs to run a block.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    input: Vec<f32>,
    /// Output of each layer, channel-last.
    outputs: Vec<Vec<f32>>,
    origins: Vec<Vec<u32>>,
    gradient: Vec<f32>,
    next: Vec<f32>,
    scratch: Scratch,
    images: usize,
    noise: Option<Noise>,
}

/// What the forward pass must leave behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    /// Whether a backward pass follows.
    pub(super) backward: bool,
    /// A layer whose output is wanted.
    pub(super) layer: Option<usize>,
}

/// Where a backward pass begins and ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The layer whose output's gradient is given.
    pub(super) from: usize,
    /// The layer whose output's gradient is wanted; none for the input.
    pub(super) to: Option<usize>,
}

impl Workspace {
    /// Sets what dropout draws from in the passes that follow; with none it is the identity.
    pub(super) fn set_noise(&mut self, noise: Option<Noise>) {
        self.noise = noise;
    }

    /// Runs layers `0..=last` on channel-first images.
    pub(super) fn forward(
        &mut self,
        plan: &Plan,
        parameters: &[f32],
        packs: &[Pack],
        x: &[f32],
        last: usize,
        keep: Keep,
    ) {
        let images = x.len() / plan.input_len();
        self.images = images;
        let [channels, height, width] = plan.input;
        layout::to_channel_last(x, channels, height * width, reuse(&mut self.input, x.len()));
        self.layers(plan, parameters, packs, 0..=last, keep);
    }

    /// Runs the layers behind `from` on its channel-first values, up to `last`.
    pub(super) fn resume(
        &mut self,
        plan: &Plan,
        parameters: &[f32],
        packs: &[Pack],
        (from, value): (usize, &[f32]),
        last: usize,
        keep: Keep,
    ) {
        let layer = &plan.layers[from];
        self.images = value.len() / layer.len();
        self.outputs.resize_with(plan.layers.len(), Vec::new);
        let own = reuse(&mut self.outputs[from], value.len());
        layout::to_channel_last(value, layer.channels, layer.pixels, own);
        self.layers(plan, parameters, packs, from + 1..=last, keep);
    }

    fn layers(
        &mut self,
        plan: &Plan,
        parameters: &[f32],
        packs: &[Pack],
        layers: RangeInclusive<usize>,
        keep: Keep,
    ) {
        self.outputs.resize_with(plan.layers.len(), Vec::new);
        self.origins.resize_with(plan.layers.len(), Vec::new);
        let (mut i, last) = layers.into_inner();
        while i <= last {
            let fold = i < last && folds(plan, i, keep);
            if fold {
                self.folded(plan, parameters, packs, i, keep);
                i += 2;
            } else {
                self.layer(plan, parameters, packs, i, keep);
                i += 1;
            }
        }
    }

    fn layer(&mut self, plan: &Plan, parameters: &[f32], packs: &[Pack], i: usize, keep: Keep) {
        let layer = &plan.layers[i];
        let images = self.images;
        let (before, after) = self.outputs.split_at_mut(i);
        let x: &[f32] = match i {
            0 => &self.input[..images * plan.input_len()],
            _ => &before[i - 1][..images * plan.layers[i - 1].len()],
        };
        let out = reuse(&mut after[0], images * layer.len());
        let bias = layer
            .parameters
            .as_ref()
            .map(|r| &parameters[r.bias.clone()]);
        match (&layer.step, &packs[i]) {
            (Step::Conv(conv), Pack::Conv(weights)) => {
                conv.forward(weights, bias, true, x, images, out, &mut self.scratch);
            }
            (Step::Dense { dense, relu }, Pack::Dense(weights)) => {
                dense.forward(weights, bias, *relu, x, out);
            }
            (Step::Max(pool), _) => {
                let origins = origins(&mut self.origins[i], out.len(), keep.backward);
                pool.max(x, out, origins);
            }
            (Step::Average(pool), _) => pool.average(x, out),
            (Step::Dropout { rate }, _) => {
                out.copy_from_slice(x);
                if let Some(noise) = &self.noise {
                    dropout::apply(noise, i, *rate, layer.len(), out);
                }
            }
            _ => unreachable!("weights are packed by the same plan"),
        }
    }

    /// A convolution and the pooling behind it, image by image.
    fn folded(&mut self, plan: &Plan, parameters: &[f32], packs: &[Pack], i: usize, keep: Keep) {
        let (layer, pool) = (&plan.layers[i], &plan.layers[i + 1]);
        let images = self.images;
        let (Step::Conv(conv), Pack::Conv(weights)) = (&layer.step, &packs[i]) else {
            unreachable!("only convolutions are folded");
        };
        let bias = layer
            .parameters
            .as_ref()
            .map(|r| &parameters[r.bias.clone()]);
        let (before, after) = self.outputs.split_at_mut(i);
        let (own, after) = after.split_at_mut(1);
        let x: &[f32] = match i {
            0 => &self.input[..images * conv.input_len()],
            _ => &before[i - 1][..images * conv.input_len()],
        };
        let between = reuse(&mut own[0], layer.len());
        let out = reuse(&mut after[0], images * pool.len());
        let mut marks = origins(&mut self.origins[i + 1], images * pool.len(), keep.backward);
        for (image, (x, out)) in x
            .chunks_exact(conv.input_len())
            .zip(out.chunks_exact_mut(pool.len()))
            .enumerate()
        {
            conv.forward(weights, bias, true, x, 1, between, &mut self.scratch);
            match &pool.step {
                Step::Max(step) => {
                    let marks = marks
                        .as_mut()
                        .map(|m| &mut m[image * pool.len()..(image + 1) * pool.len()]);
                    step.max(between, out, marks);
                }
                Step::Average(step) => step.average(between, out),
                _ => unreachable!("only pooling is folded"),
            }
        }
    }

    /// The output of a kept layer, channel-last.
    pub(super) fn output(&self, plan: &Plan, layer: usize) -> &[f32] {
        &self.outputs[layer][..self.images * plan.layers[layer].len()]
    }

    /// Writes the output of a kept layer, channel-first.
    pub(super) fn write_output(&self, plan: &Plan, layer: usize, to: &mut [f32]) {
        let planned = &plan.layers[layer];
        layout::to_channel_first(
            self.output(plan, layer),
            planned.channels,
            planned.pixels,
            to,
        );
    }

    /// Back from the gradient of one layer's output, channel-first, to that of another or of the
    /// input; with `sums` the gradients of the parameters on the way are added to them, and the
    /// input's own gradient is not worked out.
    pub(super) fn backward(
        &mut self,
        plan: &Plan,
        packs: &[Pack],
        gradient: &[f32],
        Span { from, to }: Span,
        keep: Keep,
        mut sums: Option<&mut [Sums]>,
    ) {
        let images = self.images;
        let begin = &plan.layers[from];
        let own = reuse(&mut self.gradient, gradient.len());
        layout::to_channel_last(gradient, begin.channels, begin.pixels, own);
        let first = to.map_or(0, |layer| layer + 1);
        let mut masked = false;
        for i in (first..=from).rev() {
            let layer = &plan.layers[i];
            let dy = &mut self.gradient[..images * layer.len()];
            if layer.relu() && !masked {
                mask(dy, &self.outputs[i][..images * layer.len()]);
            }
            masked = false;
            let x: &[f32] = match i {
                0 => &self.input[..images * plan.input_len()],
                // A folded convolution's output is gone, and no pooling needs it.
                _ if matches!(layer.step, Step::Max(_) | Step::Average(_)) => &[],

                _ => &self.outputs[i - 1][..images * plan.layers[i - 1].len()],
            };
            if let Some(sums) = sums.as_deref_mut() {
                match (&layer.step, &mut sums[i]) {
                    (Step::Conv(conv), Sums::Conv(sums)) => {
                        conv.add_weight_gradient(x, dy, images, sums, &mut self.scratch);
                    }
                    (Step::Dense { dense, .. }, Sums::Dense(sums)) => {
                        dense.add_weight_gradient(x, dy, sums);
                    }
                    _ => {}
                }
                if i == 0 {
                    return;
                }
            }
            let below = if i == 0 {
                plan.input_len()
            } else {
                plan.layers[i - 1].len()
            };
            let dx = reuse(&mut self.next, images * below);
            match (&layer.step, &packs[i]) {
                (Step::Conv(conv), Pack::Conv(weights)) => {
                    conv.input_gradient(weights, dy, images, dx, &mut self.scratch);
                }
                (Step::Dense { dense, .. }, Pack::Dense(weights)) => {
                    dense.input_gradient(weights, dy, dx);
                }
                (Step::Max(pool), _) => {
                    if i > first && folds(plan, i - 1, keep) {
                        // The maximum is positive exactly where its origin was.
                        mask(dy, &self.outputs[i][..dy.len()]);
                        masked = true;
                    }
                    pool.max_gradient(dy, &self.origins[i][..dy.len()], dx);
                }
                (Step::Average(pool), _) => pool.average_gradient(dy, dx),
                (Step::Dropout { rate }, _) => {
                    dx.copy_from_slice(dy);
                    if let Some(noise) = &self.noise {
                        dropout::apply(noise, i, *rate, layer.len(), dx);
                    }
                }
                _ => unreachable!("weights are packed by the same plan"),
            }
            std::mem::swap(&mut self.gradient, &mut self.next);
        }
    }

    /// Writes the gradient that [`Workspace::backward`] arrived at, channel-first.
    pub(super) fn write_gradient(&self, plan: &Plan, at: Option<usize>, to: &mut [f32]) {
        let (channels, pixels) = match at {
            None => (plan.input[0], plan.input[1] * plan.input[2]),
            Some(layer) => (plan.layers[layer].channels, plan.layers[layer].pixels),
        };
        let from = &self.gradient[..self.images * channels * pixels];
        layout::to_channel_first(from, channels, pixels, to);
    }
}

/// Whether convolution `i` is run together with the pooling behind it. An average needs the
/// convolution's signs on the way back, a maximum carries them itself.
fn folds(plan: &Plan, i: usize, keep: Keep) -> bool {
    if keep.layer == Some(i) || !matches!(plan.layers[i].step, Step::Conv(_)) {
        return false;
    }
    match plan.layers.get(i + 1).map(|l| &l.step) {
        Some(Step::Max(_)) => true,
        Some(Step::Average(_)) => !keep.backward,
        _ => false,
    }
}

/// Sets a gradient to zero where ReLU gave nothing.
fn mask(gradient: &mut [f32], output: &[f32]) {
    xbench_nn::vectorised!(|| {
        for (g, &y) in gradient.iter_mut().zip(output) {
            *g = if y > 0.0 { *g } else { 0.0 };
        }
    });
}

fn origins(buffer: &mut Vec<u32>, len: usize, wanted: bool) -> Option<&mut [u32]> {
    if !wanted {
        return None;
    }
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    Some(&mut buffer[..len])
}
