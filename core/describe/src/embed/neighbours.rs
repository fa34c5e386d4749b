//! Exact nearest neighbours.

use rayon::prelude::*;

use super::Matrix;

/// The nearest rows of each row by Euclidean distance, itself not among them, nearest first;
/// equally near ones by number.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    rows: usize,
    /// Neighbours of a row.
    k: usize,
    /// `[rows, k]`: row number and distance.
    all: Vec<(u32, f32)>,
}

impl Neighbours {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Neighbours that each row has.
    #[must_use]
    pub fn k(&self) -> usize {
        self.k
    }

    /// The neighbours of row `i`: number and distance.
    ///
    /// # Panics
    /// If there is no row `i`.
    #[must_use]
    pub fn of(&self, i: usize) -> &[(u32, f32)] {
        &self.all[i * self.k..(i + 1) * self.k]
    }
}

/// The `k` nearest rows of each row; fewer where there are fewer other rows.
#[must_use]
pub fn nearest(matrix: &Matrix, k: usize) -> Neighbours {
    let n = matrix.len();
    let k = k.min(n.saturating_sub(1));
    let of_row = |i: usize| {
        let mut others: Vec<(f32, u32)> = (0..n)
            .filter(|&j| j != i)
            .map(|j| (squared_distance(matrix.row(i), matrix.row(j)), j as u32))
            .collect();
        let order = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if k > 0 && k < others.len() {
            others.select_nth_unstable_by(k - 1, order);
        }
        others.truncate(k);
        others.sort_unstable_by(order);
        let near = others.into_iter().map(|(square, j)| (j, square.sqrt()));
        near.collect::<Vec<_>>()
    };
    let rows: Vec<Vec<(u32, f32)>> = (0..n).into_par_iter().map(of_row).collect();
    Neighbours {
        rows: n,
        k,
        all: rows.concat(),
    }
}

/// Sum of squared differences, in sixteen chains so that the compiler can use wide registers;
/// the order of additions is fixed by the length alone.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (chunks_a, chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = chunks_a.remainder().iter().zip(chunks_b.remainder());
    let rest: f32 = rest.map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in chunks_a.zip(chunks_b) {
        for lane in 0..LANES {
            let d = a[lane] - b[lane];
            sums[lane] += d * d;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_by_hand() {
        // Points 0, 1, 3, 3 on a line.
        let matrix = Matrix::new(vec![0.0, 1.0, 3.0, 3.0], 1).unwrap();
        let near = nearest(&matrix, 2);
        assert_eq!(near.of(0), [(1, 1.0), (2, 3.0)]);
        assert_eq!(near.of(1), [(0, 1.0), (2, 2.0)]);
        assert_eq!(near.of(2), [(3, 0.0), (1, 2.0)]);
        assert_eq!(nearest(&matrix, 10).k(), 3);
    }

    #[test]
    fn distances_of_long_vectors() {
        let a: Vec<f32> = (0..37).map(|i| i as f32).collect();
        let b = vec![1.0; 37];
        let expected: f32 = a.iter().map(|v| (v - 1.0) * (v - 1.0)).sum();
        assert_eq!(squared_distance(&a, &b), expected);
    }
}
