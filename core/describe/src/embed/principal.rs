//! The two main directions of variation, as a start for layouts.

use super::Matrix;
use crate::rng::Rng;

/// Rounds of subspace iteration; a start for a layout need not have converged.
const ROUNDS: usize = 20;
/// Directions iterated, of which two are used: the others speed up convergence.
const BLOCK: usize = 6;

/// Coordinates of each row along the first two principal components, found by subspace iteration
/// (Halko, Martinsson and Tropp 2011) from vectors drawn by the seed; scaled so that the first
/// has the standard deviation `sd`, with a jitter of a thousandth of it that keeps equal rows
/// apart.
///
/// A start along principal components keeps the large-scale order that a random one loses (Kobak
/// and Berens 2019, Nature Communications 10:5416).
pub(super) fn start(matrix: &Matrix, sd: f32, seed: u64) -> Vec<[f32; 2]> {
    let (n, d) = (matrix.len(), matrix.columns());
    let mut rng = Rng::new(seed, 77);
    let mut mean = vec![0.0f64; d];
    for i in 0..n {
        for (m, &v) in mean.iter_mut().zip(matrix.row(i)) {
            *m += f64::from(v) / n as f64;
        }
    }
    let mean: Vec<f32> = mean.into_iter().map(|m| m as f32).collect();
    let centred = |i: usize| matrix.row(i).iter().zip(&mean).map(|(v, m)| v - m);
    let block = BLOCK.min(d);
    let mut directions: Vec<Vec<f32>> = (0..block)
        .map(|_| (0..d).map(|_| rng.signed()).collect())
        .collect();
    for _ in 0..ROUNDS {
        orthonormalise(&mut directions);
        let mut next = vec![vec![0.0f32; d]; block];
        for i in 0..n {
            let row: Vec<f32> = centred(i).collect();
            for (direction, next) in directions.iter().zip(&mut next) {
                let along = dot(&row, direction);
                next.iter_mut().zip(&row).for_each(|(s, v)| *s += along * v);
            }
        }
        directions = next;
    }
    orthonormalise(&mut directions);
    let along = |i: usize, k: usize| {
        let row: Vec<f32> = centred(i).collect();
        directions
            .get(k)
            .map_or(0.0, |direction| dot(&row, direction))
    };
    let points: Vec<[f32; 2]> = (0..n).map(|i| [along(i, 0), along(i, 1)]).collect();
    let variance = points.iter().map(|p| p[0] * p[0]).sum::<f32>() / n.max(1) as f32;
    let scale = if variance > 0.0 {
        sd / variance.sqrt()
    } else {
        0.0
    };
    points
        .into_iter()
        .map(|point| point.map(|v| v * scale + rng.signed() * sd * 1e-3))
        .collect()
}

/// Gram and Schmidt, twice for accuracy. A direction that vanishes becomes 0.
fn orthonormalise(directions: &mut [Vec<f32>]) {
    for k in 0..directions.len() {
        let (done, rest) = directions.split_at_mut(k);
        let current = &mut rest[0];
        let before = dot(current, current).sqrt();
        for _ in 0..2 {
            for other in done.iter() {
                let along = dot(current, other);
                current
                    .iter_mut()
                    .zip(other)
                    .for_each(|(v, o)| *v -= along * o);
            }
        }
        let length = dot(current, current).sqrt();
        let keep = if length > before * 1e-5 {
            1.0 / length
        } else {
            0.0
        };
        current.iter_mut().for_each(|v| *v *= keep);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_coordinate_runs_along_the_longest_direction() {
        // On a line in the direction (3, 4, 0), with a little of (0, 0, 1).
        let rows: Vec<f32> = (0..50)
            .flat_map(|i| {
                let t = i as f32 - 24.5;
                [3.0 * t, 4.0 * t, if i % 2 == 0 { 1.0 } else { -1.0 }]
            })
            .collect();
        let points = start(&Matrix::new(rows, 3).unwrap(), 1.0, 0);
        let sign = points[49][0].signum();
        // Standard deviation of 0..50 is √(2499/12).
        let unit = (2499.0f32 / 12.0).sqrt();
        for (i, point) in points.iter().enumerate() {
            let expected = sign * (i as f32 - 24.5) / unit;
            assert!((point[0] - expected).abs() < 0.005, "{point:?} {expected}");
            // 1/(5·unit) of the scale.
            assert!(point[1].abs() < 0.016);
        }
    }

    #[test]
    fn equal_rows_start_apart() {
        let points = start(&Matrix::new(vec![2.0; 10], 1).unwrap(), 1e-4, 0);
        assert_ne!(points[0], points[1]);
        assert!(points.iter().flatten().all(|v| v.abs() <= 1e-7));
    }
}
