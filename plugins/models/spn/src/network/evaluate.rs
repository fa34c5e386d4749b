//! The network as it predicts: batch normalisation folded into the convolutions, each block of
//! images from the first layer to the last on one thread.

use std::cell::RefCell;

use xbench_nn::Threads;
use xbench_nn::kernel::conv::ConvWeights;
use xbench_nn::kernel::{Scratch, norm};

use super::graph::{Graph, Op};
use super::parameters::Parameters;

/// ε of batch normalisation, as PyTorch has it.
pub(crate) const EPSILON: f64 = 1e-5;

/// Elements that a block's largest value should not exceed by much.
const BLOCK_ELEMENTS: usize = 1 << 18;
const BLOCK_IMAGES: usize = 8;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends the buffers of this thread's kernels.
pub(crate) fn with_scratch<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with_borrow_mut(work)
}

/// Weights ready for prediction.
#[derive(Debug)]
pub struct Folded {
    convs: Vec<ConvWeights>,
    /// Of each convolution.
    biases: Vec<Vec<f32>>,
    /// Scale and offset of each normalisation.
    norms: Vec<(Vec<f32>, Vec<f32>)>,
}

impl Folded {
    /// Folds parameters; for gradients too when `backward`.
    pub fn new(graph: &Graph, parameters: &Parameters, backward: bool) -> Self {
        let norms: Vec<(Vec<f32>, Vec<f32>)> = parameters
            .norms
            .iter()
            .map(|n| {
                (0..n.mean.len())
                    .map(|c| {
                        let scale = f64::from(n.weight[c])
                            / (f64::from(n.variance[c]).max(0.0) + EPSILON).sqrt();
                        let offset = f64::from(n.bias[c]) - scale * f64::from(n.mean[c]);
                        (scale as f32, offset as f32)
                    })
                    .unzip()
            })
            .collect();
        let mut convs = parameters.weights.clone();
        let mut biases = vec![Vec::new(); convs.len()];
        for (i, node) in graph.nodes.iter().enumerate() {
            let index = match node.op {
                Op::ConvNorm { conv, norm, .. } => {
                    for matrix in convs[conv].matrices_mut() {
                        matrix.scale_columns(&norms[norm].0);
                    }
                    biases[conv].clone_from(&norms[norm].1);
                    conv
                }
                Op::ConvBias { conv, bias, .. } => {
                    biases[conv].clone_from(&parameters.biases[bias]);
                    conv
                }
                _ => continue,
            };
            if backward && i < graph.logits {
                graph.convs[index].conv.pack_backward(&mut convs[index]);
            }
        }
        Folded {
            convs,
            biases,
            norms,
        }
    }

    /// All values up to `last` for a block of images; the input `[images, height, width, 3]` is
    /// value 0.
    fn forward(&self, graph: &Graph, x: Vec<f32>, images: usize, last: usize) -> Vec<Vec<f32>> {
        let mut values = vec![x];
        for (i, node) in graph.nodes[..last].iter().enumerate() {
            let mut y = vec![0.0; images * graph.len(i + 1)];
            let x = &values[node.from];
            let [_, _, channels] = graph.shape(node.from);
            match &node.op {
                Op::ConvNorm { conv, relu, .. } | Op::ConvBias { conv, relu, .. } => {
                    with_scratch(|scratch| {
                        graph.convs[*conv].conv.forward(
                            &self.convs[*conv],
                            Some(&self.biases[*conv]),
                            *relu,
                            x,
                            images,
                            &mut y,
                            scratch,
                        );
                    });
                }
                Op::MaxPool(pool) => pool.max(x, &mut y, None),
                Op::AddRelu { other } => add_relu(x, &values[*other], &mut y),
                Op::Average(pool) => pool.average(x, &mut y),
                Op::Resize(resize) => {
                    for (x, y) in x
                        .chunks_exact(graph.len(node.from))
                        .zip(y.chunks_exact_mut(graph.len(i + 1)))
                    {
                        resize.forward_channels(x, channels, y);
                    }
                }
                Op::Norm { norm: index } => {
                    let (scale, offset) = &self.norms[*index];
                    norm::affine(x, scale, offset, false, &mut y);
                }
            }
            values.push(y);
        }
        values
    }

    /// Gradient of `Σ dy · logits` with respect to value `wanted`, from the values of the pass.
    fn backward(
        &self,
        graph: &Graph,
        values: &[Vec<f32>],
        images: usize,
        dy: &[f32],
        wanted: usize,
        relu: ReluRule,
    ) -> Vec<f32> {
        let mut gradients: Vec<Option<Vec<f32>>> = vec![None; graph.logits + 1];
        gradients[graph.logits] = Some(dy.to_vec());
        for (i, node) in graph.nodes[..graph.logits]
            .iter()
            .enumerate()
            .skip(wanted)
            .rev()
        {
            let Some(mut dy) = gradients[i + 1].take() else {
                continue;
            };
            let mut dx = vec![0.0; images * graph.len(node.from)];
            match &node.op {
                Op::ConvNorm {
                    conv,
                    relu: rectified,
                    ..
                }
                | Op::ConvBias {
                    conv,
                    relu: rectified,
                    ..
                } => {
                    if *rectified {
                        relu.pass(&values[i + 1], &mut dy);
                    }
                    with_scratch(|scratch| {
                        graph.convs[*conv].conv.input_gradient(
                            &self.convs[*conv],
                            &dy,
                            images,
                            &mut dx,
                            scratch,
                        );
                    });
                }
                Op::MaxPool(pool) => {
                    let mut origin = vec![0; dy.len()];
                    let mut y = vec![0.0; dy.len()];
                    pool.max(&values[node.from], &mut y, Some(&mut origin));
                    pool.max_gradient(&dy, &origin, &mut dx);
                }
                Op::AddRelu { other } => {
                    relu.pass(&values[i + 1], &mut dy);
                    accumulate(&mut gradients[*other], dy.clone());
                    dx = dy;
                }
                Op::Average(pool) => pool.average_gradient(&dy, &mut dx),
                // The SPN lies behind the logits.
                Op::Resize(_) | Op::Norm { .. } => continue,
            }
            accumulate(&mut gradients[node.from], dx);
        }
        gradients[wanted]
            .take()
            .unwrap_or_else(|| vec![0.0; images * graph.len(wanted)])
    }

    /// Value `value` of each image, `[images, ...]` channel-last; `x` is `[images, height, width, 3]`,
    /// made block by block by `input` from image numbers.
    pub fn value(
        &self,
        graph: &Graph,
        threads: &Threads,
        images: usize,
        value: usize,
        input: impl Fn(std::ops::Range<usize>) -> Vec<f32> + Sync,
    ) -> Vec<f32> {
        let mut out = vec![0.0; images * graph.len(value)];
        let block = images_per_block(graph, images, threads);
        let jobs = out
            .chunks_mut((block * graph.len(value)).max(1))
            .enumerate()
            .collect();
        threads.map(jobs, |(i, out): (usize, &mut [f32])| {
            let first = i * block;
            let count = out.len() / graph.len(value);
            let values = self.forward(graph, input(first..first + count), count, value);
            out.copy_from_slice(&values[value]);
        });
        out
    }

    /// Gradient of `Σ dy · logits` with respect to `value`, and the value itself, both channel-last.
    pub fn gradient(
        &self,
        graph: &Graph,
        threads: &Threads,
        dy: &[f32],
        value: usize,
        relu: ReluRule,
        input: impl Fn(std::ops::Range<usize>) -> Vec<f32> + Sync,
    ) -> (Vec<f32>, Vec<f32>) {
        let images = dy.len() / graph.len(graph.logits);
        let len = graph.len(value);
        let (mut gradient, mut out) = (vec![0.0; images * len], vec![0.0; images * len]);
        let block = images_per_block(graph, images, threads);
        let jobs = gradient
            .chunks_mut((block * len).max(1))
            .zip(out.chunks_mut((block * len).max(1)))
            .zip(dy.chunks(block * graph.len(graph.logits)))
            .enumerate()
            .collect();
        type Job<'a> = (usize, ((&'a mut [f32], &'a mut [f32]), &'a [f32]));
        threads.map(jobs, |(i, ((gradient, out), dy)): Job<'_>| {
            let first = i * block;
            let count = out.len() / len;
            let values = self.forward(graph, input(first..first + count), count, graph.logits);
            gradient.copy_from_slice(&self.backward(graph, &values, count, dy, value, relu));
            out.copy_from_slice(&values[value]);
        });
        (gradient, out)
    }
}

/// No result depends on it: rows are independent.
fn images_per_block(graph: &Graph, images: usize, threads: &Threads) -> usize {
    let largest = (0..=graph.nodes.len()).map(|v| graph.len(v)).max();
    (BLOCK_ELEMENTS / largest.unwrap_or(1).max(1))
        .clamp(1, BLOCK_IMAGES)
        .min(images.div_ceil(threads.count()).max(1))
}

/// `y = max(0, a + b)`.
pub(crate) fn add_relu(a: &[f32], b: &[f32], y: &mut [f32]) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        let sum = a + b;
        // A NaN stays a NaN.
        *y = if sum < 0.0 { 0.0 } else { sum };
    }
}

/// What ReLU passes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReluRule {
    /// The chain rule: the gradient, where its value is positive.
    Chain,
    /// What is positive, where its value is (Springenberg et al. 2015).
    Guided,
    /// What is positive, whatever its value (Zeiler and Fergus 2014).
    Deconvolution,
}

impl ReluRule {
    fn pass(self, y: &[f32], dy: &mut [f32]) {
        if self != Self::Chain {
            dy.iter_mut().for_each(|dy| *dy = dy.max(0.0));
        }
        if self != Self::Deconvolution {
            mask(y, dy);
        }
    }
}

/// Sets the gradient to zero where a ReLU's result is.
pub(crate) fn mask(y: &[f32], dy: &mut [f32]) {
    for (dy, &y) in dy.iter_mut().zip(y) {
        *dy = if y > 0.0 { *dy } else { 0.0 };
    }
}

fn accumulate(to: &mut Option<Vec<f32>>, more: Vec<f32>) {
    match to {
        None => *to = Some(more),
        Some(to) => {
            for (to, more) in to.iter_mut().zip(more) {
                *to += more;
            }
        }
    }
}
