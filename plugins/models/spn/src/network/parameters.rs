//! Parameters: drawing, naming and arranging.

use std::ops::Range;

use xbench_nn::kernel::conv::ConvWeights;
use xbench_plugin::rng::CounterRng;

use super::graph::Graph;

/// Parameters and running statistics of a batch normalisation.
#[derive(Clone, Debug)]
pub struct Norm {
    /// Scale γ.
    pub weight: Vec<f32>,
    /// Offset β.
    pub bias: Vec<f32>,
    /// Running mean.
    pub mean: Vec<f32>,
    /// Running variance, unbiased.
    pub variance: Vec<f32>,
}

/// All parameters of a network, weights in the arrangement of its kernels.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Of [`Graph::convs`].
    pub weights: Vec<ConvWeights>,
    /// Of [`Graph::biases`].
    pub biases: Vec<Vec<f32>>,
    /// Of [`Graph::norms`].
    pub norms: Vec<Norm>,
}

/// What an array of [`Parameters::arrays`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Trained, with weight decay.
    Weight,
    /// Trained, without.
    Vector,
    /// A running statistic.
    Statistic,
}

/// Name, shape and place of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorName {
    /// As in torchvision's files.
    pub name: String,
    /// As in torchvision's files.
    pub shape: Vec<usize>,
    /// Does it belong to the SPN?
    pub spn: bool,
}

const STATISTICS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// Names of all tensors: weights, biases, normalisations.
pub fn names(graph: &Graph) -> Vec<TensorName> {
    let mut names = Vec::new();
    for conv in &graph.convs {
        names.push(TensorName {
            name: format!("{}.weight", conv.name),
            shape: conv.shape.clone(),
            spn: conv.group.is_none(),
        });
    }
    for bias in &graph.biases {
        names.push(TensorName {
            name: format!("{}.bias", bias.name),
            shape: vec![bias.len],
            spn: bias.group.is_none(),
        });
    }
    for norm in &graph.norms {
        names.extend(STATISTICS.map(|ending| TensorName {
            name: format!("{}.{ending}", norm.name),
            shape: vec![norm.len],
            spn: norm.group.is_none(),
        }));
    }
    names
}

impl Parameters {
    /// Draws all parameters, each layer from a stream of its own. Convolutions are drawn as
    /// torchvision draws them (He et al. 2015, by the number of outputs), but uniformly, with the
    /// same variance; dense layers and the SPN as PyTorch does by default.
    pub fn draw(graph: &Graph, seed: u64) -> Self {
        let mut parameters = Parameters {
            weights: vec![ConvWeights::default(); graph.convs.len()],
            biases: graph.biases.iter().map(|b| vec![0.0; b.len]).collect(),
            norms: graph.norms.iter().map(|n| fresh_norm(n.len)).collect(),
        };
        parameters.redraw(graph, seed, |_| true);
        parameters
    }

    /// Draws the parameters of groups within `range` anew; those of the SPN stay.
    pub fn redraw_groups(&mut self, graph: &Graph, seed: u64, range: Range<usize>) {
        self.redraw(graph, seed, |group| {
            group.is_some_and(|g| range.contains(&g))
        });
    }

    fn redraw(&mut self, graph: &Graph, seed: u64, wanted: impl Fn(Option<usize>) -> bool) {
        let rng = CounterRng::new(seed);
        let uniform = |rng: CounterRng, limit: f64, values: &mut [f32]| {
            for (i, value) in values.iter_mut().enumerate() {
                *value = ((2.0 * rng.uniform(i as u64) - 1.0) * limit) as f32;
            }
        };
        let fan_in = |name: &str| {
            let place = graph.convs.iter().find(|c| c.name == name);
            place.map_or(1, |c| c.shape[1..].iter().product::<usize>())
        };
        let biased = |name: &str| graph.biases.iter().any(|b| b.name == name);
        for (i, place) in graph.convs.iter().enumerate() {
            if !wanted(place.group) {
                continue;
            }
            let limit = if biased(&place.name) {
                1.0 / (fan_in(&place.name) as f64).sqrt()
            } else {
                let fan_out = place.shape[0] * place.shape[2..].iter().product::<usize>();
                (6.0 / fan_out as f64).sqrt()
            };
            let mut values = vec![0.0; place.conv.weight_len()];
            uniform(rng.stream(i as u64), limit, &mut values);
            place.conv.pack(&values, false, &mut self.weights[i]);
        }
        for (i, place) in graph.biases.iter().enumerate() {
            if wanted(place.group) {
                let limit = 1.0 / (fan_in(&place.name) as f64).sqrt();
                uniform(rng.stream((1 << 32) + i as u64), limit, &mut self.biases[i]);
            }
        }
        for (place, norm) in graph.norms.iter().zip(&mut self.norms) {
            if wanted(place.group) {
                *norm = fresh_norm(place.len);
            }
        }
    }

    /// Values of every tensor in the order of [`names`], weights as PyTorch arranges them.
    pub fn tensors(&self, graph: &Graph) -> Vec<Vec<f32>> {
        let mut tensors = Vec::new();
        for (place, weights) in graph.convs.iter().zip(&self.weights) {
            let (inputs, taps) = (place.shape[1], place.shape[2..].iter().product::<usize>());
            let mut values = vec![0.0; place.conv.weight_len()];
            for matrix in weights.matrices() {
                matrix.each(|i, out, value| {
                    values[(out * inputs + i % inputs) * taps + i / inputs] = value;
                });
            }
            tensors.push(values);
        }
        tensors.extend(self.biases.iter().cloned());
        for norm in &self.norms {
            tensors
                .extend([&norm.weight, &norm.bias, &norm.mean, &norm.variance].map(Clone::clone));
        }
        tensors
    }

    /// Sets tensor `i` of [`names`], of the right length.
    ///
    /// # Panics
    /// When there is no such tensor or it has another length.
    pub fn set(&mut self, graph: &Graph, i: usize, values: &[f32]) {
        let (convs, biases) = (graph.convs.len(), graph.biases.len());
        if i < convs {
            graph.convs[i]
                .conv
                .pack(values, false, &mut self.weights[i]);
        } else if i < convs + biases {
            self.biases[i - convs].copy_from_slice(values);
        } else {
            let i = i - convs - biases;
            let norm = &mut self.norms[i / STATISTICS.len()];
            [
                &mut norm.weight,
                &mut norm.bias,
                &mut norm.mean,
                &mut norm.variance,
            ][i % STATISTICS.len()]
            .copy_from_slice(values);
        }
    }

    /// All arrays as they lie in memory, always in the same order.
    pub fn arrays(&self) -> Vec<(Kind, &[f32])> {
        let mut arrays = Vec::new();
        for matrix in self.weights.iter().flat_map(ConvWeights::matrices) {
            arrays.push((Kind::Weight, matrix.data()));
        }
        arrays.extend(self.biases.iter().map(|b| (Kind::Vector, &b[..])));
        for norm in &self.norms {
            arrays.push((Kind::Vector, &norm.weight));
            arrays.push((Kind::Vector, &norm.bias));
            arrays.push((Kind::Statistic, &norm.mean));
            arrays.push((Kind::Statistic, &norm.variance));
        }
        arrays
    }

    /// As [`Parameters::arrays`], to be changed; padding of weights must stay zero.
    pub fn arrays_mut(&mut self) -> Vec<(Kind, &mut [f32])> {
        let mut arrays = Vec::new();
        for matrix in self.weights.iter_mut().flat_map(ConvWeights::matrices_mut) {
            arrays.push((Kind::Weight, matrix.data_mut()));
        }
        arrays.extend(self.biases.iter_mut().map(|b| (Kind::Vector, &mut b[..])));
        for norm in &mut self.norms {
            arrays.push((Kind::Vector, &mut norm.weight[..]));
            arrays.push((Kind::Vector, &mut norm.bias[..]));
            arrays.push((Kind::Statistic, &mut norm.mean[..]));
            arrays.push((Kind::Statistic, &mut norm.variance[..]));
        }
        arrays
    }
}

fn fresh_norm(len: usize) -> Norm {
    Norm {
        weight: vec![1.0; len],
        bias: vec![0.0; len],
        mean: vec![0.0; len],
        variance: vec![1.0; len],
    }
}
