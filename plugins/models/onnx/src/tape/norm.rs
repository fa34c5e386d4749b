//! Normalisations, as they are at prediction, with constant scale and shift.

use xbench_plugin::{Error, Result};

use super::maps::{axis, broadcast, count};
use super::{Made, Rule, Site};
use crate::engine::Values;

pub(super) fn rule(site: &Site<'_>) -> Made {
    site.first_input_only()?;
    let shape = site.in_shape()?;
    let rank = shape.len();
    if rank < 2 {
        return Err(Error::unimplemented(format!("an input of rank {rank}")));
    }
    let epsilon = f64::from(site.node.float("epsilon", 1e-5));
    let (channels, pixels) = (shape[1], count(&shape[2..]));
    let per_channel = |values: Vec<f32>| -> Result<Vec<f32>> {
        let shaped = [&[values.len()], &vec![1; rank - 2][..]].concat();
        let map = broadcast(&shaped, shape)?;
        Ok(map.iter().map(|&i| values[i as usize]).collect())
    };
    match site.node.op.as_str() {
        "BatchNormalization" => {
            if site.node.int("training_mode", 0) != 0 {
                return Err(Error::unimplemented(
                    "it is in training mode; export the model in eval mode",
                ));
            }
            let (scale, variance) = (site.floats(1)?, site.floats(4)?);
            let gain = scale
                .iter()
                .zip(&variance)
                .map(|(&scale, &v)| narrow(f64::from(scale) / (f64::from(v) + epsilon).sqrt()))
                .collect();
            Ok(Box::new(Gain(per_channel(gain)?)))
        }
        "LayerNormalization" => {
            let a = axis(site.node.int("axis", -1), rank)?;
            let scale = site.floats(1)?;
            let map = broadcast(site.shape(1)?, shape)?;
            let gain = map.iter().map(|&i| scale[i as usize]).collect();
            normalised(site, count(&shape[a..]), gain, epsilon)
        }
        "InstanceNormalization" => normalised(site, pixels, per_channel(site.floats(1)?)?, epsilon),
        "GroupNormalization" => {
            let groups = usize::try_from(site.node.int("num_groups", 1)).unwrap_or(0);
            if groups == 0 || channels % groups != 0 {
                return Err(Error::invalid_argument(format!("{groups} groups")));
            }
            let mut scale = site.floats(1)?;
            // Before version 21 the scale was one per group.
            if scale.len() == groups {
                let each = channels / groups;
                scale = scale
                    .iter()
                    .flat_map(|&s| std::iter::repeat_n(s, each))
                    .collect();
            }
            normalised(
                site,
                channels / groups * pixels,
                per_channel(scale)?,
                epsilon,
            )
        }
        _ => {
            let size = usize::try_from(site.node.int("size", 1))
                .unwrap_or(0)
                .max(1);
            Ok(Box::new(Local {
                x: site.name(0)?.to_owned(),
                channels,
                pixels,
                size,
                alpha: f64::from(site.node.float("alpha", 1e-4)) / size as f64,
                beta: f64::from(site.node.float("beta", 0.75)),
                bias: f64::from(site.node.float("bias", 1.0)),
            }))
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to f32 is what is meant"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}

/// Each element times a constant.
struct Gain(Vec<f32>);

impl Rule for Gain {
    fn pull(&self, _: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        Ok(dy.iter().zip(&self.0).map(|(dy, gain)| dy * gain).collect())
    }
}

/// `gain · (x - mean) / sqrt(variance + epsilon)`, over stretches of `len` elements.
struct Normalised {
    x: String,
    len: usize,
    gain: Vec<f32>,
    epsilon: f64,
}

fn normalised(site: &Site<'_>, len: usize, gain: Vec<f32>, epsilon: f64) -> Made {
    Ok(Box::new(Normalised {
        x: site.name(0)?.to_owned(),
        len: len.max(1),
        gain,
        epsilon,
    }))
}

impl Rule for Normalised {
    fn reads(&self) -> Vec<&str> {
        vec![&self.x]
    }

    fn pull(&self, values: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let x = values.floats(&self.x)?;
        let n = self.len as f64;
        let mut dx = Vec::with_capacity(x.len());
        let stretches = x
            .chunks_exact(self.len)
            .zip(dy.chunks_exact(self.len))
            .zip(self.gain.chunks_exact(self.len));
        for ((x, dy), gain) in stretches {
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
            let variance = x
                .iter()
                .map(|&x| (f64::from(x) - mean).powi(2))
                .sum::<f64>()
                / n;
            let inverse = 1.0 / (variance + self.epsilon).sqrt();
            let unit = |x: f32| (f64::from(x) - mean) * inverse;
            let scaled = |dy: f32, gain: f32| f64::from(dy) * f64::from(gain);
            let (mut sum, mut along) = (0.0, 0.0);
            for ((&x, &dy), &gain) in x.iter().zip(dy).zip(gain) {
                sum += scaled(dy, gain);
                along += scaled(dy, gain) * unit(x);
            }
            dx.extend(x.iter().zip(dy).zip(gain).map(|((&x, &dy), &gain)| {
                narrow(inverse * (scaled(dy, gain) - (sum + unit(x) * along) / n))
            }));
        }
        Ok(dx)
    }
}

/// Local response normalisation over neighbouring channels (Krizhevsky et al., 2012, section 3.3).
struct Local {
    x: String,
    channels: usize,
    pixels: usize,
    size: usize,
    /// Divided by the size, as ONNX defines it.
    alpha: f64,
    beta: f64,
    bias: f64,
}

impl Rule for Local {
    fn reads(&self) -> Vec<&str> {
        vec![&self.x]
    }

    fn pull(&self, values: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let x = values.floats(&self.x)?;
        let mut dx = vec![0.0; x.len()];
        let (below, above) = ((self.size - 1) / 2, self.size / 2);
        for start in (0..x.len()).step_by((self.channels * self.pixels).max(1)) {
            for pixel in 0..self.pixels {
                let at = |c: usize| start + c * self.pixels + pixel;
                let near = |c: usize| c.saturating_sub(below)..(c + above + 1).min(self.channels);
                let base: Vec<f64> = (0..self.channels)
                    .map(|c| {
                        let squares = near(c).map(|k| f64::from(x[at(k)]).powi(2));
                        self.bias + self.alpha * squares.sum::<f64>()
                    })
                    .collect();
                for c in 0..self.channels {
                    dx[at(c)] += narrow(f64::from(dy[at(c)]) * base[c].powf(-self.beta));
                    let through = f64::from(dy[at(c)])
                        * f64::from(x[at(c)])
                        * base[c].powf(-self.beta - 1.0)
                        * (-2.0 * self.alpha * self.beta);
                    for k in near(c) {
                        dx[at(k)] += narrow(through * f64::from(x[at(k)]));
                    }
                }
            }
        }
        Ok(dx)
    }
}
