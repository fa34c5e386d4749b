//! Convolution and transposed convolution of any number of axes, with constant weights.
//!
//! Convolutions of pictures that mix channels go to the kernels of `xbench-nn`; depthwise ones, and
//! those of one or three axes, are summed tap by tap.

use xbench_nn::Window;
use xbench_nn::kernel::Scratch;
use xbench_nn::kernel::conv::{Conv, ConvWeights};
use xbench_nn::kernel::layout::{to_channel_first, to_channel_last};
use xbench_plugin::{Error, Result};

use super::maps::count;
use super::spatial::Sliding;
use super::{Made, Rule, Site};
use crate::engine::Values;

pub(super) fn rule(site: &Site<'_>) -> Made {
    site.first_input_only()?;
    let (shape, out) = (site.in_shape()?, site.out_shape()?);
    let weight_shape = site.shape(1)?;
    let rank = shape.len();
    if rank < 3 || weight_shape.len() != rank || out.len() != rank {
        return Err(Error::unimplemented(format!(
            "an input of shape {shape:?} with weights of shape {weight_shape:?}"
        )));
    }
    let weights = site.floats(1)?;
    let groups = usize::try_from(site.node.int("group", 1)).unwrap_or(0);
    let (ins, outs) = (shape[1], out[1]);
    if groups == 0 || ins % groups != 0 || outs % groups != 0 {
        return Err(Error::invalid_argument(format!("{groups} groups")));
    }
    let kernel = &weight_shape[2..];
    if site.node.op == "ConvTranspose" {
        return transposed(site, weights, groups);
    }
    let sliding = Sliding::new(site, &shape[2..], &out[2..], kernel)?;
    if rank == 4 && ins / groups > 1 {
        return mixed(&sliding, weights, groups, ins, outs);
    }
    let taps = (0..sliding.taps()).map(|tap| sliding.pairs(tap)).collect();
    Ok(Box::new(ByTaps {
        weights,
        groups,
        ins,
        outs,
        out_first: true,
        positions: count(&shape[2..]),
        places: count(&out[2..]),
        taps,
    }))
}

/// A picture convolution by the kernels of `xbench-nn`.
struct Mixed {
    conv: Conv,
    weights: ConvWeights,
    /// Height and width of the input, and with the padding that the windows reach.
    input: [usize; 2],
    padded: [usize; 2],
    before: [usize; 2],
}

fn mixed(sliding: &Sliding, weights: Vec<f32>, groups: usize, ins: usize, outs: usize) -> Made {
    let pair = |values: &[usize]| [values[0], values[1]];
    // Padding is made part of the picture, since it may differ between the sides.
    let padded = [sliding.reach(0), sliding.reach(1)];
    let window = Window::new(pair(&sliding.kernel))
        .stride(pair(&sliding.stride))
        .dilation(pair(&sliding.dilation));
    let conv = Conv::new(padded, ins, outs, window, groups)
        .map_err(|error| Error::invalid_argument(error.to_string()))?;
    if conv.weight_len() != weights.len() || conv.output() != pair(&sliding.output) {
        return Err(Error::internal("weights or result of another size"));
    }
    let mut packed = ConvWeights::default();
    conv.pack(&weights, true, &mut packed);
    Ok(Box::new(Mixed {
        conv,
        weights: packed,
        input: pair(&sliding.input),
        padded,
        before: pair(&sliding.before),
    }))
}

impl Rule for Mixed {
    fn pull(&self, _: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let images = dy.len() / self.conv.output_len();
        let (ins, outs) = (self.conv.in_channels(), self.conv.out_channels());
        let mut last = vec![0.0; dy.len()];
        to_channel_last(dy, outs, count(&self.conv.output()), &mut last);
        let mut wide = vec![0.0; images * self.conv.input_len()];
        let mut scratch = Scratch::default();
        self.conv
            .input_gradient(&self.weights, &last, images, &mut wide, &mut scratch);
        let mut first = vec![0.0; wide.len()];
        to_channel_first(&wide, ins, count(&self.padded), &mut first);
        let [height, width] = self.input;
        let mut dx = vec![0.0; images * ins * height * width];
        let columns = width.min(self.padded[1].saturating_sub(self.before[1]));
        let rows = height.min(self.padded[0].saturating_sub(self.before[0]));
        let planes = dx.chunks_exact_mut(height * width);
        for (dx, wide) in planes.zip(first.chunks_exact(count(&self.padded))) {
            for y in 0..rows {
                let from = (y + self.before[0]) * self.padded[1] + self.before[1];
                dx[y * width..y * width + columns].copy_from_slice(&wide[from..from + columns]);
            }
        }
        Ok(dx)
    }
}

/// Any convolution, tap by tap.
struct ByTaps {
    /// `[outs, ins / groups, taps]` when `out_first`, else `[ins, outs / groups, taps]`.
    weights: Vec<f32>,
    groups: usize,
    ins: usize,
    outs: usize,
    out_first: bool,
    positions: usize,
    places: usize,
    /// Place of the result and position of the input.
    taps: Vec<Vec<(u32, u32)>>,
}

impl Rule for ByTaps {
    fn pull(&self, _: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let images = dy.len() / (self.outs * self.places);
        let (icg, ocg) = (self.ins / self.groups, self.outs / self.groups);
        let mut dx = vec![0.0; images * self.ins * self.positions];
        for (plane, dx) in dx.chunks_exact_mut(self.positions).enumerate() {
            let (image, i) = (plane / self.ins, plane % self.ins);
            for o in (i / icg) * ocg..(i / icg + 1) * ocg {
                let dy = &dy[(image * self.outs + o) * self.places..][..self.places];
                let row = if self.out_first {
                    o * icg + i % icg
                } else {
                    i * ocg + o % ocg
                };
                let weights = &self.weights[row * self.taps.len()..];
                for (&weight, pairs) in weights.iter().zip(&self.taps) {
                    for &(place, position) in pairs {
                        dx[position as usize] += weight * dy[place as usize];
                    }
                }
            }
        }
        Ok(dx)
    }
}

/// A transposed convolution is a convolution with input and output exchanged.
fn transposed(site: &Site<'_>, weights: Vec<f32>, groups: usize) -> Made {
    let (shape, out) = (site.in_shape()?, site.out_shape()?);
    let kernel = &site.shape(1)?[2..];
    let mut sliding = Sliding::new(site, &out[2..], &shape[2..], kernel)?;
    let given = site.node.ints("output_shape").is_some();
    let mode = site.node.text("auto_pad", "NOTSET");
    if given || mode.starts_with("SAME") {
        let extra = site.node.ints("output_padding").unwrap_or(&[]);
        for axis in 0..sliding.input.len() {
            let extra = extra
                .get(axis)
                .map_or(0, |&e| usize::try_from(e).unwrap_or(0));
            let total = (sliding.reach(axis) + extra).saturating_sub(sliding.input[axis]);
            let half = total / 2;
            sliding.before[axis] = if mode == "SAME_UPPER" {
                half
            } else {
                total - half
            };
        }
    }
    let taps = (0..sliding.taps())
        .map(|tap| {
            let pairs = sliding.pairs(tap);
            pairs
                .into_iter()
                .map(|(position, place)| (place, position))
                .collect()
        })
        .collect();
    Ok(Box::new(ByTaps {
        weights,
        groups,
        ins: shape[1],
        outs: out[1],
        out_first: false,
        positions: count(&shape[2..]),
        places: count(&out[2..]),
        taps,
    }))
}
