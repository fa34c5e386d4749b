//! Softmax and its logarithm.

use xbench_plugin::Result;

use super::maps::{axis, count};
use super::{Made, Rule, Site};
use crate::engine::Values;

struct Softmax {
    y: String,
    logarithm: bool,
    extent: usize,
    inner: usize,
}

impl Rule for Softmax {
    fn reads(&self) -> Vec<&str> {
        vec![&self.y]
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to f32 is what is meant"
    )]
    fn pull(&self, values: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let y = values.floats(&self.y)?;
        let block = self.extent * self.inner;
        let mut dx = vec![0.0; dy.len()];
        let blocks = y.chunks_exact(block).zip(dy.chunks_exact(block));
        for ((y, dy), dx) in blocks.zip(dx.chunks_exact_mut(block)) {
            for start in 0..self.inner {
                let line = || (start..block).step_by(self.inner);
                let weight = |i: usize| if self.logarithm { 1.0 } else { f64::from(y[i]) };
                let sum: f64 = line().map(|i| f64::from(dy[i]) * weight(i)).sum();
                for i in line() {
                    let (y, dy) = (f64::from(y[i]), f64::from(dy[i]));
                    dx[i] = if self.logarithm {
                        dy - y.exp() * sum
                    } else {
                        y * (dy - sum)
                    } as f32;
                }
            }
        }
        Ok(dx)
    }
}

pub(super) fn rule(site: &Site<'_>) -> Made {
    let shape = site.out_shape()?;
    // Before version 13, all axes from the given one on were taken together.
    let joint = site.opset < 13;
    let a = axis(
        site.node.int("axis", if joint { 1 } else { -1 }),
        shape.len(),
    )?;
    let (extent, inner) = if joint {
        (count(&shape[a..]), 1)
    } else {
        (shape[a], count(&shape[a + 1..]))
    };
    Ok(Box::new(Softmax {
        y: site.out_name(),
        logarithm: site.node.op == "LogSoftmax",
        extent,
        inner,
    }))
}
