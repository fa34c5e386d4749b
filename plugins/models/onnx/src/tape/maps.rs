//! Index maps: for each element of a result, the element of the operand it was read from.
//!
//! Reordering, slicing, padding, repeating and picking are all *separable*: the place in the operand
//! is a sum of one number per axis of the result. So one list per axis describes each of them.

use xbench_plugin::{Error, Result};

/// No element: the result holds a constant there.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// One axis of a result: what each index adds to the place in the operand; none for outside.
pub(crate) type Axis = Vec<Option<usize>>;

/// Elements of a shape.
pub(crate) fn count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Elements from one index to the next along each axis, row-major.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// All indices of an axis in order.
pub(crate) fn whole(extent: usize, stride: usize) -> Axis {
    (0..extent).map(|i| Some(i * stride)).collect()
}

/// The map of these axes, outermost first.
pub(crate) fn separable(axes: &[Axis]) -> Vec<u32> {
    let mut map = vec![0_u32];
    for axis in axes {
        let mut wider = Vec::with_capacity(map.len() * axis.len());
        for &base in &map {
            wider.extend(axis.iter().map(|step| match step {
                Some(step) if base != NOWHERE => base + *step as u32,
                _ => NOWHERE,
            }));
        }
        map = wider;
    }
    map
}

/// The map of an operand of shape `from`, broadcast to `to` (aligned at the last axis).
///
/// # Errors
/// When it cannot be broadcast.
pub(crate) fn broadcast(from: &[usize], to: &[usize]) -> Result<Vec<u32>> {
    let lead = to.len().checked_sub(from.len());
    let strides = strides(from);
    let axes: Option<Vec<Axis>> = to
        .iter()
        .enumerate()
        .map(|(axis, &extent)| match axis.checked_sub(lead?) {
            None => Some(vec![Some(0); extent]),
            Some(own) if from[own] == extent => Some(whole(extent, strides[own])),
            Some(own) if from[own] == 1 => Some(vec![Some(0); extent]),
            Some(_) => None,
        })
        .collect();
    match (lead, axes) {
        (Some(_), Some(axes)) => Ok(separable(&axes)),
        _ => Err(Error::internal(format!(
            "{from:?} does not broadcast to {to:?}"
        ))),
    }
}

/// `dx[map[i]] += dy[i]`.
pub(crate) fn scatter(map: &[u32], dy: &[f32], dx: &mut [f32]) {
    for (&to, &dy) in map.iter().zip(dy) {
        if to != NOWHERE {
            dx[to as usize] += dy;
        }
    }
}

/// An axis counted from the end when negative.
///
/// # Errors
/// When there is no such axis.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize> {
    let from_start = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(from_start)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| Error::invalid_argument(format!("axis {axis} of a tensor of rank {rank}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_repeats() {
        assert_eq!(broadcast(&[3], &[2, 3]).unwrap(), [0, 1, 2, 0, 1, 2]);
        assert_eq!(broadcast(&[2, 1], &[2, 3]).unwrap(), [0, 0, 0, 1, 1, 1]);
        assert_eq!(broadcast(&[], &[2]).unwrap(), [0, 0]);
        assert!(broadcast(&[2], &[3]).is_err());
        assert!(broadcast(&[1, 1, 3], &[3]).is_err());
    }

    #[test]
    fn scattering_is_the_transpose_of_reading() {
        let map = separable(&[vec![Some(3), None], vec![Some(0), Some(2)]]);
        assert_eq!(map, [3, 5, NOWHERE, NOWHERE]);
        let mut dx = [0.0; 6];
        scatter(&map, &[1.0, 2.0, 4.0, 8.0], &mut dx);
        assert_eq!(dx, [0.0, 0.0, 0.0, 1.0, 0.0, 2.0]);
    }

    #[test]
    fn axes_count_from_both_ends() {
        assert_eq!(axis(-1, 3).unwrap(), 2);
        assert!(axis(3, 3).is_err() && axis(-4, 3).is_err());
    }
}
