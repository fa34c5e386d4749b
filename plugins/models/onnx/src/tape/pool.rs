//! Maximum and average pooling of any number of axes.

use xbench_plugin::{Error, Result};

use super::maps::count;
use super::spatial::Sliding;
use super::{Made, Rule, Site};
use crate::engine::Values;

struct Max {
    x: String,
    /// Pairs of place and position for each tap.
    taps: Vec<Vec<(u32, u32)>>,
    places: usize,
    positions: usize,
}

impl Rule for Max {
    fn reads(&self) -> Vec<&str> {
        vec![&self.x]
    }

    /// The first of several equal maxima gets the gradient, as in PyTorch.
    fn pull(&self, values: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let x = values.floats(&self.x)?;
        let mut dx = vec![0.0; x.len()];
        let planes = x
            .chunks_exact(self.positions)
            .zip(dx.chunks_exact_mut(self.positions));
        for ((x, dx), dy) in planes.zip(dy.chunks_exact(self.places)) {
            let mut best: Vec<Option<u32>> = vec![None; self.places];
            for &(place, position) in self.taps.iter().flatten() {
                let best = &mut best[place as usize];
                if best.is_none_or(|old| x[position as usize] > x[old as usize]) {
                    *best = Some(position);
                }
            }
            for (best, dy) in best.iter().zip(dy) {
                if let Some(position) = best {
                    dx[*position as usize] += dy;
                }
            }
        }
        Ok(dx)
    }
}

struct Average {
    taps: Vec<Vec<(u32, u32)>>,
    /// One over the number of elements that each place averages.
    share: Vec<f32>,
    positions: usize,
    len: usize,
}

impl Rule for Average {
    fn pull(&self, _: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let mut dx = vec![0.0; self.len];
        let planes = dx.chunks_exact_mut(self.positions);
        for (dx, dy) in planes.zip(dy.chunks_exact(self.share.len())) {
            for &(place, position) in self.taps.iter().flatten() {
                dx[position as usize] += dy[place as usize] * self.share[place as usize];
            }
        }
        Ok(dx)
    }
}

pub(super) fn rule(site: &Site<'_>) -> Made {
    let (shape, out) = (site.in_shape()?, site.out_shape()?);
    if shape.len() < 3 || out.len() != shape.len() {
        return Err(Error::unimplemented(format!(
            "an input of rank {}",
            shape.len()
        )));
    }
    let kernel: Vec<usize> = site
        .node
        .ints("kernel_shape")
        .unwrap_or(&[])
        .iter()
        .map(|&extent| usize::try_from(extent).unwrap_or(0))
        .collect();
    let sliding = Sliding::new(site, &shape[2..], &out[2..], &kernel)?;
    let taps: Vec<_> = (0..sliding.taps()).map(|tap| sliding.pairs(tap)).collect();
    let (places, positions) = (count(&out[2..]), count(&shape[2..]));
    if site.node.op == "MaxPool" {
        return Ok(Box::new(Max {
            x: site.name(0)?.to_owned(),
            taps,
            places,
            positions,
        }));
    }
    let counts = if site.node.int("count_include_pad", 0) == 1 {
        sliding.padded_taps()
    } else {
        let mut counts = vec![0; places];
        for &(place, _) in taps.iter().flatten() {
            counts[place as usize] += 1;
        }
        counts
    };
    Ok(Box::new(Average {
        taps,
        share: counts.iter().map(|&n| 1.0 / n.max(1) as f32).collect(),
        positions,
        len: count(shape),
    }))
}
