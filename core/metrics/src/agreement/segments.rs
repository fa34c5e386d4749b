//! Grid segments: what stands for a feature where pixels are exchangeable.

use crate::NotApplicable;

/// Sums of a map `[height, width]` over the squares of a grid with this side, row by row; those
/// at the right and lower edge are cut where the side does not divide the map's.
///
/// Sums, as attributions of pixels add up to that of their segment. A side of 1 gives the map.
///
/// # Errors
/// [`NotApplicable::LengthMismatch`] where the sides do not fit the values or `side` is 0.
pub fn grid_sums(
    values: &[f32],
    height: usize,
    width: usize,
    side: usize,
) -> Result<Vec<f32>, NotApplicable> {
    if height.checked_mul(width) != Some(values.len()) || side == 0 {
        return Err(NotApplicable::LengthMismatch);
    }
    if side == 1 || values.is_empty() {
        return Ok(values.to_vec());
    }
    let columns = width.div_ceil(side);
    let mut sums = vec![0.0f64; columns * height.div_ceil(side)];
    for (y, row) in values.chunks_exact(width).enumerate() {
        let line = &mut sums[y / side * columns..][..columns];
        for (sum, pixels) in line.iter_mut().zip(row.chunks(side)) {
            *sum += pixels.iter().map(|&value| f64::from(value)).sum::<f64>();
        }
    }
    Ok(sums.into_iter().map(|sum| sum as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_summed_and_cut_at_the_edge() {
        let map: Vec<f32> = (1..=15).map(|value| value as f32).collect();
        // 3 × 5 in squares of 2: 1+2+6+7, 3+4+8+9, 5+10; 11+12, 13+14, 15
        let sums = grid_sums(&map, 3, 5, 2).unwrap();
        assert_eq!(sums, [16.0, 24.0, 15.0, 23.0, 27.0, 15.0]);
        assert_eq!(grid_sums(&map, 3, 5, 1).unwrap(), map);
        assert_eq!(grid_sums(&map, 3, 5, 9).unwrap(), [120.0]);
        assert_eq!(grid_sums(&map, 3, 5, 0), Err(NotApplicable::LengthMismatch));
        assert_eq!(grid_sums(&map, 4, 4, 2), Err(NotApplicable::LengthMismatch));
        assert_eq!(grid_sums(&[], 0, 0, 2).unwrap(), [0.0f32; 0]);
    }
}
