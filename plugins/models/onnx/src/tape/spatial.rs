//! The geometry of sliding windows, of any number of axes.

use xbench_plugin::{Error, Result};

use super::Site;
use super::maps::count;

/// A window that slides over positions `input` and has `output` places.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    pub(super) input: Vec<usize>,
    pub(super) output: Vec<usize>,
    pub(super) kernel: Vec<usize>,
    pub(super) stride: Vec<usize>,
    pub(super) dilation: Vec<usize>,
    /// Positions added before each axis, and after it.
    pub(super) before: Vec<usize>,
    pub(super) after: Vec<usize>,
}

impl Sliding {
    /// Reads strides, dilations and padding of a node.
    ///
    /// # Errors
    /// When they are of another rank, or not positive.
    pub(super) fn new(
        site: &Site<'_>,
        input: &[usize],
        output: &[usize],
        kernel: &[usize],
    ) -> Result<Self> {
        let rank = input.len();
        if output.len() != rank || kernel.len() != rank || rank == 0 {
            return Err(Error::unimplemented(
                "input, output and window of different rank",
            ));
        }
        let sizes = |name: &str| match site.node.ints(name) {
            None => Ok(vec![1; rank]),
            Some(ints) => checked(ints, rank, 1).ok_or_else(|| wrong(name, ints)),
        };
        let mut sliding = Sliding {
            input: input.to_vec(),
            output: output.to_vec(),
            kernel: kernel.to_vec(),
            stride: sizes("strides")?,
            dilation: sizes("dilations")?,
            before: vec![0; rank],
            after: vec![0; rank],
        };
        match site.node.text("auto_pad", "NOTSET") {
            "SAME_UPPER" => sliding.pad_alike(false),
            "SAME_LOWER" => sliding.pad_alike(true),
            "VALID" => {}
            _ => {
                if let Some(pads) = site.node.ints("pads") {
                    let pads = checked(pads, 2 * rank, 0).ok_or_else(|| wrong("pads", pads))?;
                    sliding.before.copy_from_slice(&pads[..rank]);
                    sliding.after.copy_from_slice(&pads[rank..]);
                }
            }
        }
        Ok(sliding)
    }

    /// Positions from the first to the last that the windows reach along an axis.
    pub(super) fn reach(&self, axis: usize) -> usize {
        self.output[axis].saturating_sub(1) * self.stride[axis]
            + self.kernel[axis].saturating_sub(1) * self.dilation[axis]
            + 1
    }

    fn pad_alike(&mut self, more_before: bool) {
        for axis in 0..self.input.len() {
            let total = self.reach(axis).saturating_sub(self.input[axis]);
            let half = total / 2;
            self.before[axis] = if more_before { total - half } else { half };
            self.after[axis] = total - self.before[axis];
        }
    }

    /// Taps of the window.
    pub(super) fn taps(&self) -> usize {
        count(&self.kernel)
    }

    /// For one tap, which place of the output meets which position of the input; positions in the
    /// padding are left out. In the order of the places.
    pub(super) fn pairs(&self, tap: usize) -> Vec<(u32, u32)> {
        let mut pairs = vec![(0_u32, 0_u32)];
        let mut rest = tap;
        let mut steps = Vec::new();
        for axis in (0..self.kernel.len()).rev() {
            steps.push(rest % self.kernel[axis]);
            rest /= self.kernel[axis];
        }
        for (axis, step) in steps.into_iter().rev().enumerate() {
            let met: Vec<(u32, u32)> = (0..self.output[axis])
                .filter_map(|place| {
                    let padded = place * self.stride[axis] + step * self.dilation[axis];
                    let position = padded.checked_sub(self.before[axis])?;
                    (position < self.input[axis]).then_some((place as u32, position as u32))
                })
                .collect();
            let (places, positions) = (self.output[axis] as u32, self.input[axis] as u32);
            pairs = pairs
                .iter()
                .flat_map(|&(o, i)| {
                    met.iter()
                        .map(move |&(place, at)| (o * places + place, i * positions + at))
                })
                .collect();
        }
        pairs
    }

    /// How many taps of each place lie on the input or its padding; of the padding only what the
    /// model asked for, not what rounding up adds.
    pub(super) fn padded_taps(&self) -> Vec<usize> {
        let mut taps = vec![1];
        for axis in 0..self.kernel.len() {
            let end = self.input[axis] + self.before[axis] + self.after[axis];
            let along: Vec<usize> = (0..self.output[axis])
                .map(|place| {
                    (0..self.kernel[axis])
                        .filter(|tap| place * self.stride[axis] + tap * self.dilation[axis] < end)
                        .count()
                })
                .collect();
            taps = taps
                .iter()
                .flat_map(|&outer| along.iter().map(move |&inner| outer * inner))
                .collect();
        }
        taps
    }
}

fn checked(ints: &[i64], len: usize, least: i64) -> Option<Vec<usize>> {
    if ints.len() != len {
        return None;
    }
    ints.iter()
        .map(|&i| (i >= least && i < 1 << 20).then(|| usize::try_from(i).ok())?)
        .collect()
}

fn wrong(name: &str, ints: &[i64]) -> Error {
    Error::invalid_argument(format!("{name} {ints:?}"))
}
