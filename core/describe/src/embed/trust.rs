//! How far neighbourhoods of a layout are those of the data.

use rayon::prelude::*;
use serde::Serialize;

use super::Matrix;
use super::neighbours::squared_distance;

/// Agreement of neighbourhoods (Venna and Kaski 2001, ICANN, LNCS 2130).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Trust {
    /// 1 when the neighbours in the layout are neighbours in the data; falls the further off
    /// intruders are, to 0. Random layouts have about one half.
    pub trustworthiness: f64,
    /// 1 when the neighbours in the data are neighbours in the layout; falls the further off the
    /// torn ones lie.
    pub continuity: f64,
    /// Neighbours looked at.
    pub neighbours: usize,
}

/// Trustworthiness and continuity over `k` neighbours; `k` is lowered to the most that `n` points
/// allow (below half of them). With fewer than three points both are 1.
///
/// # Panics
/// If there are not as many points as rows.
#[must_use]
pub fn trust(matrix: &Matrix, points: &[[f32; 2]], k: usize) -> Trust {
    let n = matrix.len();
    assert_eq!(n, points.len(), "one point per row");
    let k = k.min(n.saturating_sub(1) / 2);
    if k == 0 {
        return Trust {
            trustworthiness: 1.0,
            continuity: 1.0,
            neighbours: 0,
        };
    }
    let of_row = |i: usize| {
        let data = (0..n).map(|j| squared_distance(matrix.row(i), matrix.row(j)));
        let laid = (0..n).map(|j| squared_distance(&points[i], &points[j]));
        let (data, laid) = (ranks(data.collect(), i), ranks(laid.collect(), i));
        let excess = |of: &[usize], near: &[usize]| -> usize {
            let close = (0..n).filter(|&j| j != i && near[j] <= k);
            close.map(|j| of[j].saturating_sub(k)).sum()
        };
        (excess(&data, &laid), excess(&laid, &data))
    };
    let per_row: Vec<(usize, usize)> = (0..n).into_par_iter().map(of_row).collect();
    let scale = 2.0 / (n as f64 * k as f64 * (2.0 * n as f64 - 3.0 * k as f64 - 1.0));
    let total = |of: fn(&(usize, usize)) -> usize| per_row.iter().map(of).sum::<usize>() as f64;
    Trust {
        trustworthiness: 1.0 - scale * total(|row| row.0),
        continuity: 1.0 - scale * total(|row| row.1),
        neighbours: k,
    }
}

/// Rank of each row by distance from row `own`: 1 for the nearest, ties by number. Its own is 0.
fn ranks(distances: Vec<f32>, own: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..distances.len()).filter(|&j| j != own).collect();
    order.sort_unstable_by(|&a, &b| distances[a].total_cmp(&distances[b]).then(a.cmp(&b)));
    let mut ranks = vec![0; distances.len()];
    for (place, row) in order.into_iter().enumerate() {
        ranks[row] = place + 1;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faithful_layout_is_trusted_fully() {
        let rows: Vec<f32> = (0..40).map(|i| ((i * 37) % 41) as f32).collect();
        let points: Vec<[f32; 2]> = rows.chunks(2).map(|p| [p[0], p[1]]).collect();
        let trust = trust(&Matrix::new(rows, 2).unwrap(), &points, 5);
        assert_eq!((trust.trustworthiness, trust.continuity), (1.0, 1.0));
    }

    #[test]
    fn six_points_by_hand() {
        // Data 0, 1, 2, 4, 8, 16; the layout swaps the first and the last.
        let data = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0];
        let points = [16.0, 1.0, 2.0, 4.0, 8.0, 0.0].map(|x| [x, 0.0]);
        let found = trust(&Matrix::new(data.to_vec(), 1).unwrap(), &points, 1);
        // Nearest in the layout and its rank in the data, minus 1: 0→4: 4th, 3; 1→5 (of 2 and 5
        // equally near the lower number counts, 2): 1→2, rank 2 (0 is as near, by number first),
        // 1; 2→1: rank 1, 0; 3→2: 1, 0; 4→3: 1, 0; 5→1: rank 4, 3. Sum 7.
        // 1 − 2/(6·1·(12 − 3 − 1))·7 = 1 − 14/48.
        assert!((found.trustworthiness - (1.0 - 14.0 / 48.0)).abs() < 1e-15);
        assert_eq!(found.neighbours, 1);
    }

    #[test]
    fn figures_are_those_of_scikit_learn() {
        let data: Vec<f32> = (0..60)
            .map(|i| ((i * i * 7 + i * 13) % 101) as f32)
            .collect();
        let points: Vec<[f32; 2]> = (0..20)
            .map(|i| [((i * 29) % 53) as f32, ((i * i * 3) % 47) as f32])
            .collect();
        let found = trust(&Matrix::new(data, 3).unwrap(), &points, 4);
        // sklearn.manifold.trustworthiness(data, points, n_neighbors=4) and with both swapped.
        assert!((found.trustworthiness - 0.5398148148148147).abs() < 1e-12);
        assert!((found.continuity - 0.5629629629629629).abs() < 1e-12);
    }

    #[test]
    fn few_points_are_defined() {
        let one = Matrix::new(vec![1.0], 1).unwrap();
        assert_eq!(trust(&one, &[[0.0, 0.0]], 5).trustworthiness, 1.0);
        let three = Matrix::new(vec![1.0, 2.0, 3.0], 1).unwrap();
        assert_eq!(trust(&three, &[[0.0; 2]; 3], 5).neighbours, 1);
    }
}
