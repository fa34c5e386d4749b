//! Fully connected layers: `y = act(x Wᵀ + b)`.

use super::tile::{Gather, Multiply, Outer, Packed, Rows, Run, multiply, outer};
use super::{add_all, add_rows};

/// A dense layer of known size.
#[derive(Clone, Debug)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
    /// Position in the weights' order of the `i`-th input, where the two differ.
    order: Option<Vec<usize>>,
    gather: Gather,
    gather_back: Gather,
    taps: Vec<usize>,
}

/// Weights arranged for the loops of one [`Dense`].
#[derive(Clone, Debug, Default)]
pub struct DenseWeights {
    forward: Packed,
    backward: Packed,
}

/// Sums of weight gradients, in the arrangement of one [`Dense`].
#[derive(Clone, Debug)]
pub struct DenseGradient {
    weights: Packed,
    bias: Vec<f32>,
}

impl DenseGradient {
    /// Sets all sums to zero.
    pub fn clear(&mut self) {
        self.weights.data_mut().fill(0.0);
        self.bias.fill(0.0);
    }

    /// Adds the sums over other images.
    ///
    /// # Panics
    /// When they are another layer's.
    pub fn add(&mut self, other: &DenseGradient) {
        add_all(other.weights.data(), self.weights.data_mut());
        add_all(&other.bias, &mut self.bias);
    }
}

impl Dense {
    /// A layer whose inputs come in the order of its weights.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        let gather = Gather::new([Run {
            offset: 0,
            len: inputs,
        }]);
        Dense {
            inputs,
            outputs,
            order: None,
            taps: gather.taps(),
            gather,
            gather_back: Gather::new([Run {
                offset: 0,
                len: outputs,
            }]),
        }
    }

    /// A layer after an image: its weights count channel by channel, the image arrives
    /// channel-last.
    pub fn after_image(channels: usize, pixels: usize, outputs: usize) -> Self {
        let order = (0..channels * pixels).map(|i| (i % channels) * pixels + i / channels);
        Dense {
            order: Some(order.collect()),
            ..Dense::new(channels * pixels, outputs)
        }
    }

    /// Number of weights, without bias.
    pub fn weight_len(&self) -> usize {
        self.inputs * self.outputs
    }

    fn column(&self, i: usize) -> usize {
        self.order.as_ref().map_or(i, |order| order[i])
    }

    /// Arranges `weights` `[outputs, inputs]` into `packed`, for the gradient of the input too
    /// when `backward`.
    ///
    /// # Panics
    /// When `weights` has another length than [`Dense::weight_len`].
    pub fn pack(&self, weights: &[f32], backward: bool, packed: &mut DenseWeights) {
        assert_eq!(
            weights.len(),
            self.weight_len(),
            "wrong number of dense weights"
        );
        let DenseWeights {
            forward,
            backward: back,
        } = packed;
        if forward.shape() != (self.inputs, self.outputs) {
            *forward = Packed::zeros(self.inputs, self.outputs);
        }
        forward.fill(|i, o| weights[o * self.inputs + self.column(i)]);
        if backward {
            if back.shape() != (self.outputs, self.inputs) {
                *back = Packed::zeros(self.outputs, self.inputs);
            }
            back.fill(|o, i| weights[o * self.inputs + self.column(i)]);
        }
    }

    /// `out = act(x Wᵀ + b)` for `[rows, inputs]`.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn forward(
        &self,
        weights: &DenseWeights,
        bias: Option<&[f32]>,
        relu: bool,
        x: &[f32],
        out: &mut [f32],
    ) {
        let rows = x.len() / self.inputs;
        assert_eq!(x.len(), rows * self.inputs, "dense input");
        assert_eq!(out.len(), rows * self.outputs, "dense result");
        multiply(Multiply {
            a: x,
            rows: Rows {
                offsets: &[0],
                images: rows,
                stride: self.inputs,
            },
            gather: &self.gather,
            weights: &weights.forward,
            bias,
            relu,
            out,
            out_stride: self.outputs,
        });
    }

    /// Gradient of the input, written to `dx`; `weights` must be packed for it.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn input_gradient(&self, weights: &DenseWeights, dy: &[f32], dx: &mut [f32]) {
        let rows = dy.len() / self.outputs;
        assert_eq!(
            dx.len(),
            rows * self.inputs,
            "gradient of a dense layer's input"
        );
        multiply(Multiply {
            a: dy,
            rows: Rows {
                offsets: &[0],
                images: rows,
                stride: self.outputs,
            },
            gather: &self.gather_back,
            weights: &weights.backward,
            bias: None,
            relu: false,
            out: dx,
            out_stride: self.inputs,
        });
    }

    /// Zero sums for [`Dense::add_weight_gradient`].
    pub fn gradient(&self) -> DenseGradient {
        DenseGradient {
            weights: Packed::zeros(self.inputs, self.outputs),
            bias: vec![0.0; self.outputs],
        }
    }

    /// Adds the gradients of weights and bias over some rows.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn add_weight_gradient(&self, x: &[f32], dy: &[f32], sums: &mut DenseGradient) {
        let images = x.len() / self.inputs;
        assert_eq!(
            dy.len(),
            images * self.outputs,
            "gradient of a dense layer's result"
        );
        outer(Outer {
            a: x,
            rows: Rows {
                offsets: &[0],
                images,
                stride: self.inputs,
            },
            taps: &self.taps,
            d: dy,
            d_rows: Rows {
                offsets: &[0],
                images,
                stride: self.outputs,
            },
            sums: &mut sums.weights,
        });
        add_rows(dy, &mut sums.bias);
    }

    /// Adds gathered sums to gradients in the order of the weights, and of the bias.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn unpack_gradient(&self, sums: &DenseGradient, weights: &mut [f32], bias: &mut [f32]) {
        assert_eq!(
            weights.len(),
            self.weight_len(),
            "wrong number of dense weights"
        );
        assert_eq!(bias.len(), self.outputs, "wrong length of bias");
        sums.weights.each(|i, o, value| {
            weights[o * self.inputs + self.column(i)] += value;
        });
        for (to, from) in bias.iter_mut().zip(&sums.bias) {
            *to += from;
        }
    }
}
