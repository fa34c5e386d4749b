//! The network as it learns: batch normalisation over the batch, all values kept for the way back.
//!
//! Layer by layer over the whole batch, since a batch normalisation needs all of it. Sums over the
//! batch are cut by the shapes alone, so they have the same bits for any number of threads.

use std::sync::Arc;

use xbench_nn::Threads;
use xbench_nn::kernel::conv::ConvGradient;
use xbench_nn::kernel::norm;

use crate::network::{EPSILON, Graph, Op, Parameters, add_relu, mask, with_scratch};

/// Share of a new batch in the running statistics, as PyTorch has it.
const MOMENTUM: f64 = 0.1;

/// Elements that one job of a loop over all values does.
const JOB: usize = 1 << 15;

/// Gradients of all parameters.
#[derive(Debug)]
pub struct Gradients {
    weights: Vec<ConvGradient>,
    biases: Vec<Vec<f32>>,
    norms: Vec<[Vec<f32>; 2]>,
}

impl Gradients {
    /// An array for each of [`Parameters::arrays`], empty for statistics.
    pub fn arrays(&self) -> Vec<&[f32]> {
        let matrices = self.weights.iter().flat_map(ConvGradient::matrices);
        let mut arrays: Vec<&[f32]> = matrices.map(|m| m.data()).collect();
        arrays.extend(self.biases.iter().map(|b| &b[..]));
        for [weight, bias] in &self.norms {
            arrays.extend([&weight[..], bias, &[], &[]]);
        }
        arrays
    }
}

/// Mean and one over the standard deviation of every channel of a batch.
#[derive(Clone, Debug, Default)]
struct Statistics {
    mean: Vec<f32>,
    inverse: Vec<f64>,
}

/// Values and gradients of one batch; its buffers serve all batches.
#[derive(Debug)]
pub struct Tape {
    graph: Arc<Graph>,
    threads: Arc<Threads>,
    images: usize,
    values: Vec<Vec<f32>>,
    /// What a normalisation that follows a convolution was given, by operation.
    raw: Vec<Vec<f32>>,
    statistics: Vec<Statistics>,
    slopes: Vec<Vec<f32>>,
    /// Which of `slopes` hold something.
    filled: Vec<bool>,
    padded: Vec<f32>,
    gradients: Gradients,
}

impl Tape {
    /// Buffers for batches of `images` images.
    pub fn new(graph: Arc<Graph>, images: usize, threads: Arc<Threads>) -> Self {
        let sized = |value: usize| vec![0.0; images * graph.len(value)];
        let count = graph.nodes.len() + 1;
        Tape {
            values: (0..count).map(sized).collect(),
            raw: (0..count - 1)
                .map(|i| match graph.nodes[i].op {
                    Op::ConvNorm { .. } => sized(i + 1),
                    _ => Vec::new(),
                })
                .collect(),
            statistics: vec![Statistics::default(); graph.norms.len()],
            // The images themselves need none.
            slopes: (0..count)
                .map(|v| if v == 0 { Vec::new() } else { sized(v) })
                .collect(),
            filled: vec![false; count],
            padded: Vec::new(),
            gradients: Gradients {
                weights: graph.convs.iter().map(|c| c.conv.gradient()).collect(),
                biases: graph.biases.iter().map(|b| vec![0.0; b.len]).collect(),
                norms: graph
                    .norms
                    .iter()
                    .map(|n| [vec![0.0; n.len], vec![0.0; n.len]])
                    .collect(),
            },
            graph,
            threads,
            images,
        }
    }

    /// Where the normalised images `[images, height, width, 3]` go.
    pub fn input_mut(&mut self) -> &mut [f32] {
        &mut self.values[0]
    }

    /// The logits `[images, classes]` of the last pass.
    pub fn logits(&self) -> &[f32] {
        &self.values[self.graph.logits]
    }

    /// The SPN's maps `[images, height, width]` of the last pass, before the sigmoid.
    pub fn maps(&self) -> &[f32] {
        &self.values[self.graph.mask()]
    }

    /// Forward, with the SPN or without; renews the running statistics and the arrangement of
    /// weights for the way back.
    pub fn forward(&mut self, parameters: &mut Parameters, spn: bool) {
        let graph = Arc::clone(&self.graph);
        let last = if spn { graph.nodes.len() } else { graph.logits };
        for (i, node) in graph.nodes[..last].iter().enumerate() {
            let (before, after) = self.values.split_at_mut(i + 1);
            let (x, y) = (&before[node.from][..], &mut after[0][..]);
            let (from, to) = (graph.len(node.from), graph.len(i + 1));
            let [_, _, channels] = graph.shape(node.from);
            match &node.op {
                Op::ConvNorm { conv, norm, relu } => {
                    let plan = &graph.convs[*conv].conv;
                    let weights = &parameters.weights[*conv];
                    let raw = &mut self.raw[i][..];
                    let jobs = by_images(self.images, &self.threads, [(x, from)], (raw, to));
                    self.threads.map(jobs, |([x], y)| {
                        let n = y.len() / to;
                        with_scratch(|s| plan.forward(weights, None, false, x, n, y, s));
                    });
                    let place = &mut self.statistics[*norm];
                    let raw = &self.raw[i];
                    normalise(&self.threads, raw, parameters, *norm, *relu, place, y);
                }
                Op::ConvBias { conv, bias, relu } => {
                    let plan = &graph.convs[*conv].conv;
                    let weights = &parameters.weights[*conv];
                    let bias = &parameters.biases[*bias];
                    let jobs = by_images(self.images, &self.threads, [(x, from)], (y, to));
                    self.threads.map(jobs, |([x], y)| {
                        let n = y.len() / to;
                        with_scratch(|s| plan.forward(weights, Some(bias), *relu, x, n, y, s));
                    });
                }
                Op::MaxPool(pool) => {
                    let jobs = by_images(self.images, &self.threads, [(x, from)], (y, to));
                    self.threads.map(jobs, |([x], y)| pool.max(x, y, None));
                }
                Op::AddRelu { other } => {
                    let other = &before[*other][..];
                    let jobs = by_images(
                        self.images,
                        &self.threads,
                        [(x, from), (other, to)],
                        (y, to),
                    );
                    self.threads.map(jobs, |([a, b], y)| add_relu(a, b, y));
                }
                Op::Average(pool) => pool.average(x, y),
                Op::Resize(resize) => {
                    let jobs = by_images(self.images, &self.threads, [(x, from)], (y, to));
                    self.threads.map(jobs, |([x], y)| {
                        for (x, y) in x.chunks_exact(from).zip(y.chunks_exact_mut(to)) {
                            resize.forward_channels(x, channels, y);
                        }
                    });
                }
                Op::Norm { norm } => {
                    let place = &mut self.statistics[*norm];
                    normalise(&self.threads, x, parameters, *norm, false, place, y);
                }
            }
        }
    }

    /// Backward from the gradients of the logits and, with the SPN, of its maps.
    pub fn backward(
        &mut self,
        parameters: &mut Parameters,
        logits: &[f32],
        maps: Option<&[f32]>,
    ) -> &Gradients {
        let graph = Arc::clone(&self.graph);
        let convs: Vec<_> = graph.convs.iter().zip(&mut parameters.weights).collect();
        self.threads
            .map(convs, |(place, weights)| place.conv.pack_backward(weights));
        self.filled.fill(false);
        self.slopes[graph.logits].copy_from_slice(logits);
        self.filled[graph.logits] = true;
        if let Some(maps) = maps {
            self.slopes[graph.mask()].copy_from_slice(maps);
            self.filled[graph.mask()] = true;
        } else {
            self.clear_spn();
        }
        for i in (0..graph.nodes.len()).rev() {
            if self.filled[i + 1] {
                self.back_through(&graph, i, parameters);
            }
        }
        &self.gradients
    }

    /// Parameters that took no part have no gradient.
    fn clear_spn(&mut self) {
        let graph = Arc::clone(&self.graph);
        for (place, sums) in graph.convs.iter().zip(&mut self.gradients.weights) {
            if place.group.is_none() {
                sums.clear();
            }
        }
        for (place, sums) in graph.biases.iter().zip(&mut self.gradients.biases) {
            if place.group.is_none() {
                sums.fill(0.0);
            }
        }
        for (place, sums) in graph.norms.iter().zip(&mut self.gradients.norms) {
            if place.group.is_none() {
                sums.iter_mut().for_each(|sums| sums.fill(0.0));
            }
        }
    }

    fn back_through(&mut self, graph: &Graph, i: usize, parameters: &Parameters) {
        let node = &graph.nodes[i];
        let mut dy = std::mem::take(&mut self.slopes[i + 1]);
        let (from, to) = (graph.len(node.from), graph.len(i + 1));
        let [_, _, channels] = graph.shape(node.from);
        let threads = Arc::clone(&self.threads);
        match &node.op {
            Op::ConvNorm { conv, norm, relu } => {
                if *relu {
                    mask_all(&threads, &self.values[i + 1], &mut dy);
                }
                let weight = &parameters.norms[*norm].weight;
                self.gradients.norms[*norm] = denormalise(
                    &threads,
                    &self.raw[i],
                    weight,
                    &self.statistics[*norm],
                    &mut dy,
                );
                self.back_through_conv(graph, node.from, *conv, &dy, parameters);
            }
            Op::ConvBias { conv, bias, relu } => {
                if *relu {
                    mask_all(&threads, &self.values[i + 1], &mut dy);
                }
                let sums = &mut self.gradients.biases[*bias];
                for (sum, total) in sums.iter_mut().zip(norm::sums(&dy, to_channels(graph, i))) {
                    *sum = total as f32;
                }
                self.back_through_conv(graph, node.from, *conv, &dy, parameters);
            }
            Op::MaxPool(pool) => {
                // The maxima are found once more, into themselves.
                let mut origin = vec![0; dy.len()];
                let (before, after) = self.values.split_at_mut(i + 1);
                pool.max(&before[node.from], &mut after[0], Some(&mut origin));
                self.give(node.from, |dx| pool.max_gradient(&dy, &origin, dx));
            }
            Op::AddRelu { other } => {
                mask_all(&threads, &self.values[i + 1], &mut dy);
                self.give(*other, |dx| dx.copy_from_slice(&dy));
                self.give(node.from, |dx| dx.copy_from_slice(&dy));
            }
            Op::Average(pool) => self.give(node.from, |dx| pool.average_gradient(&dy, dx)),
            Op::Resize(resize) => {
                let images = self.images;
                self.give(node.from, |dx| {
                    let jobs = by_images(images, &threads, [(&dy[..], to)], (dx, from));
                    threads.map(jobs, |([dy], dx)| {
                        for (dy, dx) in dy.chunks_exact(to).zip(dx.chunks_exact_mut(from)) {
                            resize.gradient_channels(dy, channels, dx);
                        }
                    });
                });
            }
            Op::Norm { norm } => {
                let weight = &parameters.norms[*norm].weight;
                let (x, place) = (&self.values[node.from], &self.statistics[*norm]);
                self.gradients.norms[*norm] = denormalise(&threads, x, weight, place, &mut dy);
                self.give(node.from, |dx| dx.copy_from_slice(&dy));
            }
        }
        self.slopes[i + 1] = dy;
    }

    /// Gradients of a convolution's weights and input.
    fn back_through_conv(
        &mut self,
        graph: &Graph,
        from: usize,
        conv: usize,
        dy: &[f32],
        parameters: &Parameters,
    ) {
        let plan = &graph.convs[conv].conv;
        let threads = Arc::clone(&self.threads);
        let images = self.images;
        let mut padded = std::mem::take(&mut self.padded);
        padded.resize(padded.len().max(images * plan.padded_len()), 0.0);
        let whole = &mut padded[..images * plan.padded_len()];
        let x = &self.values[from][..];
        let lengths = (plan.input_len(), plan.padded_len());
        let jobs = by_images(images, &threads, [(x, lengths.0)], (&mut *whole, lengths.1));
        threads.map(jobs, |([x], padded)| plan.pad(x, padded));
        let sums = &mut self.gradients.weights[conv];
        sums.clear();
        let whole = &*whole;
        threads.map(sums.parts(), |(part, sums)| {
            plan.add_gradient_part(whole, dy, part, sums);
        });
        self.padded = padded;
        if from > 0 {
            let weights = &parameters.weights[conv];
            let to = plan.output_len();
            self.give(from, |dx| {
                let jobs = by_images(images, &threads, [(dy, to)], (dx, lengths.0));
                threads.map(jobs, |([dy], dx)| {
                    let n = dy.len() / to;
                    with_scratch(|s| plan.input_gradient(weights, dy, n, dx, s));
                });
            });
        }
    }

    /// Lets `write` fill the gradient of a value, or adds what it writes to what is there.
    fn give(&mut self, value: usize, write: impl FnOnce(&mut [f32])) {
        if !self.filled[value] {
            self.filled[value] = true;
            write(&mut self.slopes[value]);
            return;
        }
        let mut more = vec![0.0; self.slopes[value].len()];
        write(&mut more);
        let jobs = self.slopes[value].chunks_mut(JOB).zip(more.chunks(JOB));
        self.threads
            .map(jobs.collect(), |(to, more): (&mut [f32], &[f32])| {
                for (to, more) in to.iter_mut().zip(more) {
                    *to += more;
                }
            });
    }
}

fn to_channels(graph: &Graph, node: usize) -> usize {
    graph.nodes[node].shape[2]
}

/// Cuts operands and a result, given with their elements per image, into stretches of images. No
/// result depends on where.
fn by_images<'a, const N: usize>(
    images: usize,
    threads: &Threads,
    operands: [(&'a [f32], usize); N],
    (result, len): (&'a mut [f32], usize),
) -> Vec<([&'a [f32]; N], &'a mut [f32])> {
    let most = images.div_ceil(2 * threads.count()).max(1);
    let block = (2 * JOB / len.max(1)).clamp(1, most);
    result
        .chunks_mut(block * len)
        .enumerate()
        .map(|(i, y)| {
            let count = y.len() / len;
            let part = operands.map(|(x, len)| &x[i * block * len..(i * block + count) * len]);
            (part, y)
        })
        .collect()
}

fn mask_all(threads: &Threads, y: &[f32], dy: &mut [f32]) {
    let jobs = y.chunks(JOB).zip(dy.chunks_mut(JOB)).collect();
    threads.map(jobs, |(y, dy): (&[f32], &mut [f32])| mask(y, dy));
}

/// Elements of whole rows in a job.
fn rows_of(channels: usize) -> usize {
    (JOB / channels).max(1) * channels
}

/// Adds up sums of blocks in their order.
fn total(blocks: Vec<Vec<f64>>, channels: usize) -> Vec<f64> {
    let mut total = vec![0.0; channels];
    for block in blocks {
        for (total, sum) in total.iter_mut().zip(block) {
            *total += sum;
        }
    }
    total
}

/// Normalises by the statistics of the batch and takes them into the running ones.
fn normalise(
    threads: &Threads,
    x: &[f32],
    parameters: &mut Parameters,
    index: usize,
    relu: bool,
    place: &mut Statistics,
    y: &mut [f32],
) {
    let norm = &mut parameters.norms[index];
    let channels = norm.mean.len();
    let (size, rows) = (rows_of(channels), (x.len() / channels) as f64);
    let blocks = || x.chunks(size).collect::<Vec<_>>();
    let sums = total(threads.map(blocks(), |x| norm::sums(x, channels)), channels);
    place.mean = sums.iter().map(|s| (s / rows) as f32).collect();
    let mean = &place.mean;
    let squares = total(
        threads.map(blocks(), |x| norm::square_sums(x, mean)),
        channels,
    );
    place.inverse.clear();
    let (mut scale, mut offset) = (Vec::new(), Vec::new());
    for c in 0..channels {
        let variance = squares[c] / rows;
        let inverse = 1.0 / (variance + EPSILON).sqrt();
        place.inverse.push(inverse);
        let factor = f64::from(norm.weight[c]) * inverse;
        scale.push(factor as f32);
        offset.push((f64::from(norm.bias[c]) - factor * f64::from(mean[c])) as f32);
        let unbiased = squares[c] / (rows - 1.0).max(1.0);
        let follow = |old: &mut f32, new: f64| {
            *old = ((1.0 - MOMENTUM) * f64::from(*old) + MOMENTUM * new) as f32;
        };
        follow(&mut norm.mean[c], f64::from(mean[c]));
        follow(&mut norm.variance[c], unbiased);
    }
    let jobs = x.chunks(size).zip(y.chunks_mut(size)).collect();
    threads.map(jobs, |(x, y): (&[f32], &mut [f32])| {
        norm::affine(x, &scale, &offset, relu, y);
    });
}

/// Turns the gradient of a normalisation's result into that of its input; gives those of scale and
/// offset.
fn denormalise(
    threads: &Threads,
    x: &[f32],
    weight: &[f32],
    place: &Statistics,
    dy: &mut [f32],
) -> [Vec<f32>; 2] {
    let channels = weight.len();
    let (size, rows) = (rows_of(channels), (x.len() / channels) as f64);
    let mean = &place.mean;
    let jobs = x.chunks(size).zip(dy.chunks(size)).collect();
    let blocks = threads.map(jobs, |(x, dy): (&[f32], &[f32])| {
        norm::gradient_sums(x, mean, dy)
    });
    let (plain, weighed): (Vec<_>, Vec<_>) = blocks.into_iter().unzip();
    let (plain, weighed) = (total(plain, channels), total(weighed, channels));
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    let mut scales = Vec::new();
    for i in 0..channels {
        let (scale, inverse) = (f64::from(weight[i]), place.inverse[i]);
        a.push((scale * inverse) as f32);
        b.push((-scale * inverse.powi(3) * weighed[i] / rows) as f32);
        c.push((-scale * inverse * plain[i] / rows) as f32);
        scales.push((weighed[i] * inverse) as f32);
    }
    let jobs = x.chunks(size).zip(dy.chunks_mut(size)).collect();
    threads.map(jobs, |(x, dy): (&[f32], &mut [f32])| {
        norm::input_gradient(x, mean, &a, &b, &c, dy);
    });
    [scales, plain.iter().map(|&v| v as f32).collect()]
}
