//! Operators that move elements without changing them.

use xbench_plugin::{Error, Result};

use super::maps::{self, Axis, axis, count, scatter, separable, strides, whole};
use super::{Made, Rule, Site};
use crate::engine::Values;

struct Copy;

impl Rule for Copy {
    fn pull(&self, _: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        Ok(dy.to_vec())
    }
}

/// Each element of the result was read from one place of the operand, or from nowhere.
struct Moved {
    map: Vec<u32>,
    len: usize,
}

impl Rule for Moved {
    fn pull(&self, _: &Values, dy: &[f32]) -> Result<Vec<f32>> {
        let mut dx = vec![0.0; self.len];
        scatter(&self.map, dy, &mut dx);
        Ok(dx)
    }
}

pub(super) fn rule(site: &Site<'_>) -> Made {
    let map = match site.node.op.as_str() {
        "Identity" | "Dropout" | "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => {
            site.first_input_only()?;
            return Ok(Box::new(Copy));
        }
        "Cast" | "CastLike" => {
            site.first_input_only()?;
            if site.tensors.is_float(site.name(0)?) && site.tensors.is_float(&site.out_name()) {
                return Ok(Box::new(Copy));
            }
            return Err(Error::unimplemented(
                "it converts from or to another type than f32",
            ));
        }
        "Concat" => concat(site)?,
        "Where" => chosen(site)?,
        other => {
            site.first_input_only()?;
            match other {
                "Transpose" => transpose(site)?,
                "Slice" => slice(site)?,
                "Split" => split(site)?,
                "Gather" => gather(site)?,
                "Expand" => maps::broadcast(site.in_shape()?, site.out_shape()?)?,
                "Tile" => tile(site)?,
                "Pad" => pad(site)?,
                "DepthToSpace" | "SpaceToDepth" => blocks(site)?,
                _ => {
                    return Err(Error::unimplemented(
                        "it is not among those with a gradient",
                    ));
                }
            }
        }
    };
    let out = count(site.out_shape()?);
    if map.len() != out {
        return Err(Error::internal(format!(
            "a map of {} for {out} elements",
            map.len()
        )));
    }
    Ok(Box::new(Moved {
        map,
        len: count(site.in_shape()?),
    }))
}

/// The axes of a shape as they are.
fn axes_of(shape: &[usize]) -> Vec<Axis> {
    shape
        .iter()
        .zip(strides(shape))
        .map(|(&extent, stride)| whole(extent, stride))
        .collect()
}

fn transpose(site: &Site<'_>) -> Result<Vec<u32>> {
    let axes = axes_of(site.in_shape()?);
    let reversed: Vec<i64> = (0..axes.len() as i64).rev().collect();
    let order = site.node.ints("perm").unwrap_or(&reversed);
    let turned = order
        .iter()
        .map(|&from| Ok(axes[axis(from, axes.len())?].clone()))
        .collect::<Result<Vec<Axis>>>()?;
    Ok(separable(&turned))
}

fn slice(site: &Site<'_>) -> Result<Vec<u32>> {
    let shape = site.in_shape()?;
    let missing = || Error::invalid_argument("starts or ends are missing");
    let starts = site.listed("starts", 1)?.ok_or_else(missing)?;
    let ends = site.listed("ends", 2)?.ok_or_else(missing)?;
    let chosen = match site.listed("axes", 3)? {
        Some(axes) => axes,
        None => (0..starts.len() as i64).collect(),
    };
    let steps = site.integers(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    let mut axes = axes_of(shape);
    for (((&start, &end), &a), &step) in starts.iter().zip(&ends).zip(&chosen).zip(&steps) {
        let a = axis(a, shape.len())?;
        let extent = shape[a] as i64;
        // Ends may be as far out as i64 reaches; all arithmetic comes after clamping.
        let place = |at: i64, low: i64, high: i64| {
            let at = if at < 0 {
                at.saturating_add(extent)
            } else {
                at
            };
            at.clamp(low, high)
        };
        let old = std::mem::take(&mut axes[a]);
        axes[a] = if step > 0 {
            let (start, end) = (place(start, 0, extent), place(end, 0, extent));
            (start..end)
                .step_by(step as usize)
                .map(|i| old[i as usize])
                .collect()
        } else {
            let (start, end) = (place(start, 0, extent - 1), place(end, -1, extent - 1));
            let stride = step.unsigned_abs().max(1) as usize;
            (end + 1..start + 1)
                .rev()
                .step_by(stride)
                .map(|i| old[i as usize])
                .collect()
        };
    }
    Ok(separable(&axes))
}

fn split(site: &Site<'_>) -> Result<Vec<u32>> {
    let shape = site.in_shape()?;
    let a = axis(site.node.int("axis", 0), shape.len())?;
    let mut start = 0;
    for output in &site.node.outputs[..site.output] {
        start += site.tensors.shape(output)?[a];
    }
    let len = site.out_shape()?[a];
    let mut axes = axes_of(shape);
    axes[a] = axes[a].iter().copied().skip(start).take(len).collect();
    Ok(separable(&axes))
}

fn concat(site: &Site<'_>) -> Result<Vec<u32>> {
    let (shape, out) = (site.in_shape()?, site.out_shape()?);
    let a = axis(site.node.int("axis", 0), shape.len())?;
    let mut start = 0;
    for i in 0..site.input {
        start += site.shape(i)?[a];
    }
    let mut axes = axes_of(shape);
    let own = std::mem::take(&mut axes[a]);
    axes[a] = vec![None; out[a]];
    let end = start + own.len();
    if end > out[a] {
        return Err(Error::internal("parts longer than the whole"));
    }
    axes[a][start..end].copy_from_slice(&own);
    Ok(separable(&axes))
}

fn gather(site: &Site<'_>) -> Result<Vec<u32>> {
    let shape = site.in_shape()?;
    let a = axis(site.node.int("axis", 0), shape.len())?;
    let indices = site
        .integers(1)?
        .ok_or_else(|| Error::invalid_argument("no indices"))?;
    let mut axes = axes_of(shape);
    axes[a] = indices
        .iter()
        .map(|&i| Ok(axes[a][axis(i, shape[a])?]))
        .collect::<Result<Axis>>()?;
    Ok(separable(&axes))
}

fn tile(site: &Site<'_>) -> Result<Vec<u32>> {
    let axes: Vec<Axis> = axes_of(site.in_shape()?)
        .iter()
        .zip(site.out_shape()?)
        .map(|(axis, &extent)| axis.iter().copied().cycle().take(extent).collect())
        .collect();
    Ok(separable(&axes))
}

fn pad(site: &Site<'_>) -> Result<Vec<u32>> {
    let (shape, out) = (site.in_shape()?, site.out_shape()?);
    let rank = shape.len();
    let pads = site
        .listed("pads", 1)?
        .ok_or_else(|| Error::invalid_argument("no pads"))?;
    let padded: Vec<usize> = match site.integers(3)? {
        Some(axes) => axes.iter().map(|&a| axis(a, rank)).collect::<Result<_>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * padded.len() {
        return Err(Error::invalid_argument(format!("{} pads", pads.len())));
    }
    let mode = site.node.text("mode", "constant");
    let mut axes = axes_of(shape);
    for (&a, &before) in padded.iter().zip(&pads) {
        let (old, extent) = (std::mem::take(&mut axes[a]), shape[a] as i64);
        axes[a] = (0..out[a] as i64)
            .map(|i| i - before)
            .map(|i| match (mode, (0..extent).contains(&i)) {
                (_, true) => Ok(Some(i)),
                ("constant", _) => Ok(None),
                ("edge", _) => Ok(Some(i.clamp(0, extent - 1))),
                ("wrap", _) => Ok(Some(i.rem_euclid(extent))),
                ("reflect", _) => {
                    let period = (2 * (extent - 1)).max(1);
                    let folded = i.rem_euclid(period);
                    Ok(Some(folded.min(period - folded).min(extent - 1)))
                }
                (other, _) => Err(Error::unimplemented(format!("padding mode `{other}`"))),
            })
            .map(|i| Ok(i?.and_then(|i| old[i as usize])))
            .collect::<Result<Axis>>()?;
    }
    Ok(separable(&axes))
}

/// Where with a mask that is the same for all pictures.
fn chosen(site: &Site<'_>) -> Result<Vec<u32>> {
    if site.input == 0 {
        return Err(Error::unimplemented("the condition depends on the picture"));
    }
    let out = site.out_shape()?;
    let mask = site
        .integers(0)?
        .ok_or_else(|| Error::invalid_argument("no condition"))?;
    let places = maps::broadcast(site.shape(0)?, out)?;
    let mut map = maps::broadcast(site.in_shape()?, out)?;
    let wanted = site.input == 1;
    for (to, &place) in map.iter_mut().zip(&places) {
        if (mask[place as usize] != 0) != wanted {
            *to = maps::NOWHERE;
        }
    }
    Ok(map)
}

fn blocks(site: &Site<'_>) -> Result<Vec<u32>> {
    let &[n, c, h, w] = site.in_shape()? else {
        return Err(Error::unimplemented("not an image"));
    };
    let b = usize::try_from(site.node.int("blocksize", 1))
        .unwrap_or(0)
        .max(1);
    // The operand seen with its axes split; the order is that of the result's.
    let (split, order): (Vec<usize>, _) = if site.node.op == "SpaceToDepth" {
        (vec![n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4])
    } else if site.node.text("mode", "DCR") == "CRD" {
        (vec![n, c / (b * b), b, b, h, w], [0, 1, 4, 2, 5, 3])
    } else {
        (vec![n, b, b, c / (b * b), h, w], [0, 3, 4, 1, 5, 2])
    };
    let axes = axes_of(&split);
    Ok(separable(&order.map(|from| axes[from].clone())))
}
