//! Resizing, nearest and linear, one axis after the other.

use xbench_plugin::{Error, Result};

use super::maps::{axis, count};
use super::{Made, Rule, Site};
use crate::engine::Values;

/// An output position as a mixture of two input positions.
#[derive(Clone, Copy, Debug)]
struct Sample {
    low: usize,
    high: usize,
    /// Of `high`.
    weight: f32,
}

struct Along {
    extent: usize,
    inner: usize,
    samples: Vec<Sample>,
}

struct Resize(Vec<Along>);

impl Rule for Resize {
    fn pull(&self, _: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let mut dy = dy.to_vec();
        for along in &self.0 {
            let (from, to) = (
                along.samples.len() * along.inner,
                along.extent * along.inner,
            );
            let mut dx = vec![0.0; dy.len() / from * to];
            for (dy, dx) in dy.chunks_exact(from).zip(dx.chunks_exact_mut(to)) {
                for (sample, dy) in along.samples.iter().zip(dy.chunks_exact(along.inner)) {
                    for (j, dy) in dy.iter().enumerate() {
                        dx[sample.low * along.inner + j] += (1.0 - sample.weight) * dy;
                        dx[sample.high * along.inner + j] += sample.weight * dy;
                    }
                }
            }
            dy = dx;
        }
        Ok(dy)
    }
}

pub(super) fn rule(site: &Site<'_>) -> Made {
    site.first_input_only()?;
    let (shape, out) = (site.in_shape()?, site.out_shape()?);
    let old = site.node.op == "Upsample" || site.opset < 11;
    let mode = site.node.text("mode", "nearest");
    if !matches!(mode, "nearest" | "linear" | "bilinear") || site.node.int("antialias", 0) != 0 {
        return Err(Error::unimplemented(format!(
            "mode `{mode}`{}; nearest and linear without antialiasing have one",
            if site.node.int("antialias", 0) != 0 {
                " with antialiasing"
            } else {
                ""
            }
        )));
    }
    let rule = Place {
        coordinates: if old {
            "asymmetric"
        } else {
            site.node
                .text("coordinate_transformation_mode", "half_pixel")
        },
        rounding: if old {
            "floor"
        } else {
            site.node.text("nearest_mode", "round_prefer_floor")
        },
        nearest: mode == "nearest",
    };
    let scales = scales(site, if old { 1 } else { 2 }, shape, out)?;
    let mut steps = Vec::new();
    // The last axis first: each step then finds the axes before it as the result has them.
    for a in (0..shape.len()).rev() {
        if shape[a] == out[a] && scales[a] == 1.0 {
            continue;
        }
        let samples = (0..out[a])
            .map(|i| rule.sample(i, shape[a], out[a], scales[a]))
            .collect::<Result<Vec<_>>>()?;
        steps.push(Along {
            extent: shape[a],
            inner: count(&shape[a + 1..]),
            samples,
        });
    }
    Ok(Box::new(Resize(steps)))
}

/// The scale of each axis: as given, or else from the sizes.
fn scales(site: &Site<'_>, input: usize, shape: &[usize], out: &[usize]) -> Result<Vec<f64>> {
    let ratio = shape
        .iter()
        .zip(out)
        .map(|(&from, &to)| to as f64 / from as f64);
    let mut scales: Vec<f64> = ratio.collect();
    let given = match site.node.input(input) {
        Some(_) => site.floats(input)?,
        None => Vec::new(),
    };
    let axes: Vec<usize> = match site.node.ints("axes") {
        Some(axes) => axes
            .iter()
            .map(|&a| axis(a, shape.len()))
            .collect::<Result<_>>()?,
        None => (0..shape.len()).collect(),
    };
    if given.len() == axes.len() {
        for (a, scale) in axes.into_iter().zip(given) {
            scales[a] = f64::from(scale);
        }
    }
    Ok(scales)
}

struct Place<'a> {
    coordinates: &'a str,
    rounding: &'a str,
    nearest: bool,
}

impl Place<'_> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to positions of the axis"
    )]
    fn sample(&self, i: usize, from: usize, to: usize, scale: f64) -> Result<Sample> {
        let (at, last) = (i as f64, (from - 1) as f64);
        let x = match self.coordinates {
            "half_pixel" => (at + 0.5) / scale - 0.5,
            "pytorch_half_pixel" if to > 1 => (at + 0.5) / scale - 0.5,
            "align_corners" if to > 1 => at * last / (to - 1) as f64,
            "pytorch_half_pixel" | "align_corners" => 0.0,
            "asymmetric" => at / scale,
            other => return Err(Error::unimplemented(format!("coordinates `{other}`"))),
        };
        if !self.nearest {
            let x = x.clamp(0.0, last);
            let low = x.floor();
            return Ok(Sample {
                low: low as usize,
                high: (low as usize + 1).min(from - 1),
                weight: (x - low) as f32,
            });
        }
        let rounded = match self.rounding {
            "floor" => x.floor(),
            "ceil" => x.ceil(),
            "round_prefer_ceil" => (x + 0.5).floor(),
            _ => (x - 0.5).ceil(),
        };
        let low = rounded.clamp(0.0, last) as usize;
        Ok(Sample {
            low,
            high: low,
            weight: 0.0,
        })
    }
}
